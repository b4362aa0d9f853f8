// Looks into other processes.
#include "hostile.h"
int main(void) {
    char byte;
    struct { void *p; size_t n; } part = {&byte, 1};
    MUST_FAIL(syscall(SYS_ptrace, 16, 1, 0, 0));
    MUST_FAIL(syscall(SYS_ptrace, 0, 0, 0, 0));
    MUST_FAIL(syscall(SYS_process_vm_readv, 1, &part, 1, &part, 1, 0));
    MUST_FAIL(syscall(SYS_process_vm_writev, 1, &part, 1, &part, 1, 0));
    MUST_FAIL(syscall(SYS_pidfd_open, 1, 0));
    MUST_FAIL(syscall(SYS_pidfd_getfd, 3, 0, 0));
    MUST_FAIL(syscall(SYS_kcmp, 1, 1, 0, 0, 0));
    MUST_FAIL(syscall(SYS_process_madvise, 3, &part, 1, 4, 0));
    return verdict();
}
