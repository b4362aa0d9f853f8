// Takes a gigabyte of shared anonymous memory.
#include "hostile.h"
int main(void) {
    char *p = mmap(0, 1 << 30, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return verdict();
    memset(p, 1, 1 << 30);
    puts("ESCAPED");
}
