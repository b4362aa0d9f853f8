// Has 300 MB of zeros and touches all.
#include "hostile.h"
static volatile char zeros[300 << 20];
int main(void) { for (long i = 0; i < 300 << 20; i += 4096) zeros[i] = 1; puts("ESCAPED"); }
