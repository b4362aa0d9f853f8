// Calls the kernel with x32 numbers.
#include "hostile.h"
int main(void) { syscall(0x40000000 | SYS_getpid); puts("ESCAPED"); }
