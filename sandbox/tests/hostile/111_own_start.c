// Brings its own version of a function of the C library, which then does what it likes with every output.
#include "hostile.h"
ssize_t write(int fd, const void *p, size_t n) {
    long result;
    (void)p;
    __asm__ volatile("syscall" : "=a"(result) : "a"(SYS_write), "D"(fd), "S"("own\n"), "d"(4L) : "rcx", "r11", "memory");
    return n;
}
int main(void) { write(1, "x", 1); return 3; }
