// Turns the clock.
#include "hostile.h"
int main(void) {
    struct timespec t = {0, 0};
    struct timeval v = {0, 0};
    char timex[256] = {1};
    MUST_FAIL(syscall(SYS_clock_settime, CLOCK_REALTIME, &t));
    MUST_FAIL(syscall(SYS_settimeofday, &v, 0));
    MUST_FAIL(syscall(SYS_adjtimex, timex));
    MUST_FAIL(syscall(SYS_clock_adjtime, CLOCK_REALTIME, timex));
    return verdict();
}
