// Keeps memory in a file that is never mapped.
#include "hostile.h"
int main(void) {
    MUST_FAIL(syscall(SYS_memfd_create, "x", 0));
    MUST_FAIL(syscall(SYS_memfd_create, "x", 0, 0, 0, 0, 1));
    MUST_FAIL(syscall(447 /* memfd_secret */, 0));
    return verdict();
}
