// Takes ten gigabytes and touches none.
#include "hostile.h"
int main(void) { volatile char *p = malloc(10UL << 30); (void)p; return verdict(); }
