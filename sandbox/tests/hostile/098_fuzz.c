// Makes random system calls with random arguments until its time is over.
#include "hostile.h"
static uint64_t state = 88172645463325252u;
static uint64_t next(void) { state ^= state << 13; state ^= state >> 7; state ^= state << 17; return state; }
int main(void) {
    static char room[65536];
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    state ^= now.tv_nsec * 2654435761u;
    for (int s = 1; s < 65; s++) signal(s, SIG_IGN);
    for (;;) {
        long number = next() % 470, a[6];
        // These would end or stop the fuzzer itself; memory calls would take its own ground away.
        if (number == SYS_exit || number == SYS_exit_group || number == SYS_rt_sigreturn || number == SYS_pause ||
            number == SYS_munmap || number == SYS_mprotect || number == SYS_mremap || number == SYS_brk ||
            number == SYS_rt_sigsuspend || number == SYS_rt_sigtimedwait || number == SYS_kill || number == SYS_tkill ||
            number == SYS_tgkill || number == SYS_mmap || number == SYS_arch_prctl || number == SYS_madvise) continue;
        for (int i = 0; i < 6; i++) {
            switch (next() % 5) {
            case 0: a[i] = next(); break;
            case 1: a[i] = next() % 16; break;
            case 2: a[i] = (long)(room + next() % 60000); break;
            case 3: a[i] = -1; break;
            default: a[i] = next() % 100000;
            }
        }
        syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    }
}
