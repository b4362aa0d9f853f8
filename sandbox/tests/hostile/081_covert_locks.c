// Leaves marks on files that others see too.
#include "hostile.h"
#include <sys/file.h>
int main(void) {
    int fd = open("/usr/bin/env", O_RDONLY);
    MUST_FAIL(fcntl(fd, F_SETLEASE, F_RDLCK));
    MUST_FAIL(fcntl(fd, F_NOTIFY, 1));
    MUST_FAIL(syscall(SYS_inotify_init1, 0));
    MUST_FAIL(syscall(SYS_fanotify_init, 0, 0));
    MUST_FAIL(utimensat(AT_FDCWD, "/usr/bin/env", 0, 0));
    return verdict();
}
