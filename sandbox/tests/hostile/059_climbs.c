// Climbs out through any descriptor that might be a directory.
#include "hostile.h"
int main(void) {
    for (int fd = -3; fd < 2000; fd++) {
        if (fd >= 0 && fchdir(fd) == 0) { printf("ESCAPED fchdir %d\n", fd); escaped = 1; }
        if (openat(fd, "..", O_RDONLY) >= 0) { printf("ESCAPED openat %d\n", fd); escaped = 1; }
        struct stat seen;
        if (fd >= 0 && fstatat(fd, "..", &seen, 0) == 0) { printf("ESCAPED fstatat %d\n", fd); escaped = 1; }
    }
    // From the inside, the top is the top.
    struct stat root, above;
    MUST_BE(stat("/", &root) == 0 && stat("/..", &above) == 0);
    MUST_BE(root.st_ino == above.st_ino && root.st_dev == above.st_dev);
    MUST_BE(stat("../../../../..", &above) == 0 && root.st_ino == above.st_ino);
    MUST_FAIL(open("/../etc/passwd", O_RDONLY));
    MUST_FAIL(chroot("/"));
    return verdict();
}
