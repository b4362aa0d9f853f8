// Does its calls through io_uring.
#include "hostile.h"
int main(void) {
    char params[120] = {0};
    MUST_FAIL(syscall(SYS_io_uring_setup, 8, params));
    MUST_FAIL(syscall(SYS_io_uring_enter, 3, 0, 0, 0, 0, 0));
    MUST_FAIL(syscall(SYS_io_uring_register, 3, 0, 0, 0));
    MUST_FAIL(syscall(SYS_io_setup, 8, params));
    return verdict();
}
