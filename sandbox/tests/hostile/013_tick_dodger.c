// Sleeps whenever a timer tick could see it.
#include "hostile.h"
int main(void) {
    for (;;) {
        struct timespec a, b, nap = {0, 100000};
        clock_gettime(CLOCK_MONOTONIC, &a);
        do clock_gettime(CLOCK_MONOTONIC, &b);
        while ((b.tv_sec - a.tv_sec) * 1000000000 + b.tv_nsec - a.tv_nsec < 3000000);
        nanosleep(&nap, 0);
    }
}
