// Spends its time in the kernel.
#include "hostile.h"
int main(void) {
    for (;;) {
        char *p = mmap(0, 32 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED) continue;
        for (long i = 0; i < 32 << 20; i += 4096) p[i] = 1;
        munmap(p, 32 << 20);
    }
}
