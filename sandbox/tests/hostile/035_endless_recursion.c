// Recurses for ever.
#include "hostile.h"
static __attribute__((noinline)) long down(volatile long n) { volatile char pad[1000]; pad[0] = n; return pad[0] + down(n + 1) + 1; }
int main(void) { return (int)down(0); }
