// Wants to be told of deaths, and to inherit orphans.
#include "hostile.h"
#include <sys/prctl.h>
int main(void) {
    for (int s = 1; s < 65; s++) MUST_DENY(prctl(PR_SET_PDEATHSIG, s, 0, 0, 0));
    MUST_DENY(prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0));
    MUST_DENY(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
    MUST_DENY(syscall(SYS_prctl, 0xffffffff00000000UL | PR_SET_PDEATHSIG, 9, 0, 0, 0));
    pid_t child = fork();
    if (child == 0) {
        // An orphan of an orphan is the slot's, not ours.
        if (fork() == 0) { usleep(1000); _exit(getppid() == 1 ? 0 : 1); }
        _exit(0);
    }
    if (child > 0) {
        int status;
        waitpid(child, &status, 0);
        MUST_FAIL(waitpid(-1, &status, 0));
        MUST_BE(errno == ECHILD);
    }
    return verdict();
}
