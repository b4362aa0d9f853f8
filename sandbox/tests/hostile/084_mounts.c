// Mounts.
#include "hostile.h"
int main(void) {
    MUST_FAIL(syscall(SYS_mount, "none", "/w", "tmpfs", 0, 0));
    MUST_FAIL(syscall(SYS_umount2, "/usr", 2));
    MUST_FAIL(syscall(SYS_pivot_root, "/w", "/w"));
    MUST_FAIL(syscall(SYS_move_mount, AT_FDCWD, "/usr", AT_FDCWD, "/w", 0));
    MUST_FAIL(syscall(SYS_open_tree, AT_FDCWD, "/usr", 1));
    MUST_FAIL(syscall(SYS_fsopen, "tmpfs", 0));
    MUST_FAIL(syscall(SYS_fsmount, 3, 0, 0));
    MUST_FAIL(syscall(SYS_mount_setattr, AT_FDCWD, "/usr", 0, 0, 0));
    MUST_FAIL(syscall(SYS_name_to_handle_at, AT_FDCWD, "/usr", 0, 0, 0));
    MUST_FAIL(syscall(SYS_open_by_handle_at, 3, 0, 0));
    MUST_FAIL(syscall(SYS_swapon, "/w/x", 0));
    MUST_FAIL(syscall(SYS_quotactl, 0, 0, 0, 0));
    return verdict();
}
