// Makes system calls with random and plausible arguments, from the seed on its input, until it is ended.
#include "hostile.h"
#include <setjmp.h>
static uint64_t state;
static uint64_t next(void) { state ^= state << 13; state ^= state >> 7; state ^= state << 17; return state; }

// What must be refused whatever the arguments. Ends with a code that no accident has.
static const short refused[] = {
    SYS_ptrace, SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_unshare, SYS_setns, SYS_clone3, SYS_bpf,
    SYS_perf_event_open, SYS_userfaultfd, SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register, SYS_io_setup,
    SYS_keyctl, SYS_add_key, SYS_request_key, SYS_socket, SYS_connect, SYS_bind, SYS_listen, SYS_accept,
    SYS_sendto, SYS_recvfrom, SYS_sendmmsg, SYS_recvmmsg, SYS_shmget, SYS_shmat, SYS_semget, SYS_msgget, SYS_mq_open,
    SYS_process_vm_readv, SYS_process_vm_writev, SYS_pidfd_open, SYS_pidfd_getfd, SYS_pidfd_send_signal, SYS_kcmp,
    SYS_setuid, SYS_setgid, SYS_setresuid, SYS_setresgid, SYS_setgroups, SYS_capset, SYS_personality, SYS_acct,
    SYS_swapon, SYS_reboot, SYS_sethostname, SYS_iopl, SYS_ioperm, SYS_init_module, SYS_finit_module, SYS_kexec_load,
    SYS_modify_ldt, SYS_open_by_handle_at, SYS_name_to_handle_at, SYS_fanotify_init, SYS_inotify_init1, SYS_mknod,
    SYS_mknodat, SYS_fsopen, SYS_fsmount, SYS_open_tree, SYS_move_mount, SYS_mount_setattr, SYS_seccomp, SYS_syslog,
    SYS_landlock_create_ruleset, SYS_landlock_restrict_self, SYS_quotactl, SYS_adjtimex, SYS_settimeofday,
    SYS_clock_settime, SYS_sched_setaffinity, SYS_setpriority, SYS_vmsplice, SYS_chown,
    SYS_fchown, SYS_setxattr, SYS_memfd_secret, SYS_mlockall, SYS_vhangup, SYS_rt_sigqueueinfo, SYS_timer_create,
};
static char is_refused[1024];
enum { ROOM_BYTES = 65536 };
static char *room;    // What the kernel may write to; nothing of the fuzzer itself is near.
static char *ground;  // What calls about memory may take away.
static const char *paths[] = {"/", "/w", "/w/x", "x", "/tmp/y", "/usr/bin/env", "/usr/bin", "/dev/null", "/dev/zero",
                              "/dev/urandom", "/etc/passwd", "/proc/self/mem", "..", "../..", "", "\xff"};
static uint64_t harmless = 1UL << (SIGUSR1 - 1) | 1UL << (SIGUSR2 - 1);  // A mask that lets its alarm through.
static struct { void (*handler)(int); unsigned long rest[3]; } ignore = {SIG_IGN};
static sigjmp_buf back;
static void again(int s) { if (s != SIGALRM) siglongjmp(back, 1); }

static int is_needed(long s) {
    return s == SIGALRM || s == SIGSEGV || s == SIGBUS || s == SIGILL || s == SIGFPE || s == SIGTRAP;
}

static void settle(void) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = again;
    action.sa_flags = SA_NODEFER;
    sigset_t none;
    sigemptyset(&none);
    for (int s = 1; s < 65; s++) if (!is_needed(s)) signal(s, SIG_IGN); else sigaction(s, &action, 0);
    sigprocmask(SIG_SETMASK, &none, 0);
    // Whatever waits for ever is woken.
    struct itimerval timer = {{0, 500}, {0, 500}};
    setitimer(ITIMER_REAL, &timer, 0);
    chdir("/w");
}

static long argument(void) {
    switch (next() % 12) {
    case 0: return next();
    case 1: return next() % 8;
    case 2: return next() % 64;
    case 3: return (long)(room + next() % 60000);
    case 4: return (long)(room + next() % 15 * 4096);
    case 5: return -1 - (long)(next() % 3);
    case 6: return next() % 100000;
    case 7: return (long)paths[next() % (sizeof paths / sizeof *paths)];
    case 8: return 1L << next() % 64;
    case 9: return 1L << next() % 32 | 1L << next() % 32;
    case 10: return next() % 2 ? getpid() : 1;
    default: return next() % 2 ? 0 : (long)0xffffffff81000000;
    }
}

int main(void) {
    char seed[32] = "";
    read(0, seed, sizeof seed - 1);
    state = strtoull(seed, 0, 0) * 0x9e3779b97f4a7c15u;
    state ^= 88172645463325252u;
    for (unsigned i = 0; i < sizeof refused / sizeof *refused; i++) is_refused[refused[i]] = 1;
    room = mmap(0, 8 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    room += 4 << 20;
    mprotect(room, ROOM_BYTES, PROT_READ | PROT_WRITE);
    ground = mmap(0, 4 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    printf("contained so far\n");
    fflush(stdout);
    sigsetjmp(back, 1);
    for (unsigned count = 0;; count++) {
        if (count % 128 == 0) settle();
        if (count % 1024 == 0) for (unsigned i = 0; i < ROOM_BYTES; i += 8) *(uint64_t *)(room + i) = argument();
        long number = next() % 4 ? next() % 470 : refused[next() % (sizeof refused / sizeof *refused)], a[6];
        for (int i = 0; i < 6; i++) a[i] = argument();
        switch (number) {
        // These would end or stop the fuzzer itself.
        case SYS_exit: case SYS_exit_group: case SYS_rt_sigreturn: case SYS_arch_prctl: continue;
        case SYS_kill: case SYS_tkill: a[0] = 1; break;
        case SYS_tgkill: a[0] = a[1] = 1; break;
        case SYS_rt_sigaction: if (is_needed((int)a[0])) continue; a[1] = next() % 2 ? 0 : (long)&ignore; break;
        // These would make it deaf to its alarm, or blind to its own faults.
        case SYS_setitimer: a[0] = 1 + next() % 8; break;
        case SYS_alarm: continue;
        case SYS_rt_sigprocmask: a[1] = (long)&harmless; break;
        case SYS_rt_sigsuspend: case SYS_rt_sigtimedwait: a[0] = (long)&harmless; a[1] = a[1] % 16; break;
        case SYS_ppoll: a[3] = 0; break;
        case SYS_pselect6: a[5] = 0; break;
        case SYS_epoll_pwait: case SYS_epoll_pwait2: a[4] = a[5] = 0; break;
        // These take memory away, but not its own.
        case SYS_munmap: case SYS_mprotect: case SYS_mremap: case SYS_mmap: case SYS_madvise: case SYS_msync:
            a[0] = (long)(ground + next() % 128 * 4096);
            a[1] = next() % (64 << 10);
            if (number == SYS_mmap) a[3] |= MAP_FIXED;
            if (number == SYS_mremap) { a[2] = a[1]; a[3] &= ~2L; }
            break;
        case SYS_brk: a[0] = 0; break;
        // Limits that would end it soon.
        case SYS_setrlimit: a[0] = RLIMIT_NICE; break;
        case SYS_prlimit64: a[1] = RLIMIT_NICE; break;
        // Without these it would soon be blind; in memory that it has it may write.
        case SYS_set_tid_address: case SYS_set_robust_list: case SYS_rseq: a[0] = (long)(room + 4096); break;
        case SYS_read: case SYS_pread64: case SYS_getrandom: case SYS_getcwd:
            a[1] = (long)room;
            a[2] = next() % ROOM_BYTES;
            if (number == SYS_getrandom || number == SYS_getcwd) { a[0] = a[1]; a[1] = a[2]; a[2] = 0; }
            break;
        }
        errno = 0;
        long result = syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
        if (is_refused[number] && (result != -1 || (errno != EPERM && errno != ENOSYS))) {
            fprintf(stderr, "ESCAPED: call %ld(%lx, %lx, %lx, %lx, %lx, %lx) = %ld, %d\n", number, a[0], a[1], a[2], a[3],
                    a[4], a[5], result, errno);
            _exit(99);
        }
    }
}
