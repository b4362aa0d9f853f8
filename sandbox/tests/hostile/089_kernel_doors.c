// Knocks at every door of the kernel that no program here needs.
#include "hostile.h"
int main(void) {
    char room[256] = {0};
    MUST_FAIL(syscall(SYS_bpf, 0, room, sizeof room));
    MUST_FAIL(syscall(SYS_perf_event_open, room, 0, -1, -1, 0));
    MUST_FAIL(syscall(SYS_kexec_load, 0, 0, 0, 0));
    MUST_FAIL(syscall(SYS_init_module, room, 1, ""));
    MUST_FAIL(syscall(SYS_finit_module, 0, "", 0));
    MUST_FAIL(syscall(SYS_delete_module, "x", 0));
    MUST_FAIL(syscall(SYS_iopl, 3));
    MUST_FAIL(syscall(SYS_ioperm, 0, 1, 1));
    MUST_FAIL(syscall(SYS_modify_ldt, 0, room, sizeof room));
    MUST_FAIL(syscall(SYS_userfaultfd, 1));
    MUST_FAIL(syscall(SYS_reboot, 0, 0, 0, 0));
    MUST_FAIL(syscall(SYS_syslog, 3, room, sizeof room));
    MUST_FAIL(syscall(SYS_acct, 0));
    MUST_FAIL(syscall(SYS_seccomp, 0, 0, 0));
    MUST_FAIL(syscall(SYS_landlock_create_ruleset, 0, 0, 1));
    MUST_FAIL(syscall(SYS_setuid, 0));
    MUST_FAIL(syscall(SYS_setresuid, 0, 0, 0));
    MUST_FAIL(syscall(SYS_setgroups, 0, 0));
    MUST_FAIL(syscall(SYS_capset, room, room));
    MUST_FAIL(syscall(SYS_vmsplice, 1, room, 1, 0));
    MUST_FAIL(syscall(SYS_openat2, AT_FDCWD, "/usr", room, 24));
    MUST_FAIL(syscall(SYS_timer_create, 0, 0, room));
    return verdict();
}
