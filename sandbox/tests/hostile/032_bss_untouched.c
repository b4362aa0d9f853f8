// Has a gigabyte of zeros and touches none.
#include "hostile.h"
static volatile char zeros[1 << 30];
int main(void) { zeros[0] = 1; return verdict(); }
