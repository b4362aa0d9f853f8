// Types into a terminal, with noise in the upper half of the request.
#include "hostile.h"
int main(void) {
    MUST_FAIL(syscall(SYS_ioctl, 0, 0x5412UL, "x"));
    MUST_FAIL(syscall(SYS_ioctl, 0, 0x500005412UL, "x"));
    MUST_FAIL(syscall(SYS_ioctl, 2, 0x541CUL, "x"));
    MUST_FAIL(open("/dev/tty", O_RDWR));
    return verdict();
}
