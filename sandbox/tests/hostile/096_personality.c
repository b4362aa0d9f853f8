// Changes what kind of process it is.
#include "hostile.h"
#include <sys/prctl.h>
int main(void) {
    MUST_FAIL(syscall(SYS_personality, 0x0400000));
    MUST_FAIL(prctl(PR_SET_MM, 1, 0, 0, 0));
    MUST_FAIL(prctl(PR_SET_SECCOMP, 2, 0, 0, 0));
    MUST_FAIL(prctl(PR_SET_PDEATHSIG, 9, 0, 0, 0));
    MUST_FAIL(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
    MUST_FAIL(prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0));
    MUST_FAIL(prctl(PR_SET_SECUREBITS, 0, 0, 0, 0));
    MUST_FAIL(prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0));
    return verdict();
}
