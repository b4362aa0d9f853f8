// Sends every signal to pid 1, to its parent and to their threads, in every way.
#include "hostile.h"
#include <sys/prctl.h>
int main(void) {
    siginfo_t info = {0};
    info.si_code = SI_QUEUE;
    MUST_BE(getppid() == 1);
    for (int s = 1; s < 65; s++) {
        if (s == SIGSYS) continue;
        MUST_DENY(kill(1, s));
        MUST_DENY(syscall(SYS_tkill, 1, s));
        MUST_DENY(syscall(SYS_tgkill, 1, 1, s));
        MUST_DENY(syscall(SYS_rt_sigqueueinfo, 1, s, &info));
        MUST_DENY(syscall(SYS_rt_tgsigqueueinfo, 1, 1, s, &info));
        MUST_DENY(syscall(SYS_pidfd_send_signal, 0, s, 0, 0));
    }
    MUST_DENY(kill(1, SIGSYS));
    // Pids that are not in this namespace.
    for (int pid = 2; pid < 40000; pid += 97)
        if (pid != getpid() && kill(pid, SIGTERM) == 0) { printf("ESCAPED kill %d\n", pid); escaped = 1; }
    return verdict();
}
