// Sends itself the signal that only the filter may send.
#include "hostile.h"
int main(void) {
    MUST_FAIL(kill(getpid(), SIGSYS));
    MUST_FAIL(syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGSYS));
    MUST_FAIL(syscall(SYS_tkill, getpid(), SIGSYS));
    siginfo_t info = {0};
    info.si_code = SI_QUEUE;
    MUST_FAIL(syscall(SYS_rt_sigqueueinfo, getpid(), SIGSYS, &info));
    return verdict();
}
