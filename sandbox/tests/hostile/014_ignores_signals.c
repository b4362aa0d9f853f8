// Ignores SIGXCPU and plays with timers while it burns.
#include "hostile.h"
static void on(int s) { (void)s; }
int main(void) {
    for (int s = 1; s < 65; s++) signal(s, s % 2 ? on : SIG_IGN);
    struct itimerval timer = {{0, 1000}, {0, 1000}};
    setitimer(ITIMER_PROF, &timer, 0);
    for (;;) alarm(1);
}
