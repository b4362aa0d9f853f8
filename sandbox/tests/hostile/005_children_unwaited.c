// Burns in children whose end the kernel is told not to report, so that rusage misses them.
#include "hostile.h"
int main(void) {
    signal(SIGCHLD, SIG_IGN);
    for (int i = 0; i < 4; i++) {
        pid_t child = fork();
        if (child < 0) break;
        if (child == 0) { burn_ms(100); _exit(0); }
        waitpid(child, 0, 0);
    }
    return verdict();
}
