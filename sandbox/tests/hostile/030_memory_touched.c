// Takes and touches ten gigabytes.
#include "hostile.h"
int main(void) {
    for (int i = 0; i < 640; i++) { char *p = malloc(16 << 20); if (!p) return verdict(); memset(p, 1, 16 << 20); }
    puts("ESCAPED");
}
