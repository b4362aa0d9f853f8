// Leaves its root.
#include "hostile.h"
int main(void) {
    mkdir("/w/d", 0700);
    MUST_FAIL(chroot("/w"));
    MUST_FAIL(syscall(SYS_pivot_root, "/w", "/w"));
    for (int i = 0; i < 100; i++) chdir("..");
    MUST_FAIL(open("etc/passwd", O_RDONLY));
    return verdict();
}
