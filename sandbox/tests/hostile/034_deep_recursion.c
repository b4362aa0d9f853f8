// Recurses a million frames deep, which fits.
#include "hostile.h"
static __attribute__((noinline)) long down(volatile long n) { return n == 0 ? 0 : 1 + down(n - 1); }
int main(void) { return down(1000000) == 1000000 ? verdict() : 1; }
