// Changes all that the owner of a file can change at what it reads, after it has said how that was.
#include "hostile.h"
#include <sys/file.h>
#include <sys/xattr.h>
int main(void) {
    struct stat in;
    MUST_BE(fstat(0, &in) == 0);
    char word[8] = "";
    printf("%o %ld %zd %s\n", in.st_mode, (long)in.st_size, read(0, word, 7), word);
    fflush(stdout);
    MUST_FAIL(fchmod(0, 0));
    MUST_FAIL(futimens(0, (struct timespec[]){{1, 0}, {2, 0}}));
    MUST_FAIL(ftruncate(0, 1));
    MUST_FAIL(fallocate(0, 0, 0, 1 << 20));
    MUST_FAIL(write(0, "x", 1));
    MUST_DENY(fchown(0, 1, 1));
    MUST_DENY(fsetxattr(0, "user.mark", "x", 1, 0));
    MUST_FAIL(fcntl(0, F_ADD_SEALS, F_SEAL_SEAL));
    flock(0, LOCK_EX | LOCK_NB);
    return verdict();
}
