// Wants to stop the kernel in the middle of its own memory accesses.
#include "hostile.h"
int main(void) {
    struct { void *p; size_t n; } part = {0, 4096};
    MUST_DENY(syscall(SYS_userfaultfd, 0));
    MUST_DENY(syscall(SYS_userfaultfd, 1));
    MUST_FAIL(open("/dev/userfaultfd", O_RDWR));
    MUST_FAIL(open("/dev/fuse", O_RDWR));
    MUST_DENY(syscall(SYS_process_madvise, 0, &part, 1, 4, 0));
    MUST_DENY(syscall(448 /* process_mrelease */, 0, 0));
    MUST_DENY(syscall(SYS_remap_file_pages, 0, 0, 0, 0, 0));
    MUST_DENY(syscall(SYS_migrate_pages, 0, 0, 0, 0));
    MUST_DENY(syscall(SYS_move_pages, 0, 0, 0, 0, 0, 0));
    return verdict();
}
