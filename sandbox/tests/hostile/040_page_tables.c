// Touches one page in every 2 MiB, so that page tables take as much as pages.
#include "hostile.h"
int main(void) {
    for (long i = 0; i < 1 << 18; i++) {
        char *p = mmap((void *)(0x100000000000 + (i << 21)), 4096, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
        if (p == MAP_FAILED) return verdict();
        *p = 1;
    }
    puts("ESCAPED");
}
