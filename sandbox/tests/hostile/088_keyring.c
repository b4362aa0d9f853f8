// Keeps a secret in the kernel for the next run.
#include "hostile.h"
int main(void) {
    MUST_FAIL(syscall(SYS_add_key, "user", "x", "y", 1, -4));
    MUST_FAIL(syscall(SYS_keyctl, 0, -4, 1));
    MUST_FAIL(syscall(SYS_request_key, "user", "x", 0, -4));
    return verdict();
}
