// Calls the kernel as a 32-bit program would.
#include "hostile.h"
int main(void) {
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "memory");
    puts("ESCAPED");
}
