// Executes another program, and itself.
#include "hostile.h"
int main(int argc, char **argv) {
    (void)argc;
    char *none[] = {0};
    MUST_FAIL(execve("/bin/sh", none, none));
    MUST_FAIL(execve("/usr/bin/true", none, none));
    MUST_FAIL(execve(argv[0], none, none));
    MUST_FAIL(syscall(SYS_execveat, AT_FDCWD, "/usr/bin/true", none, none, 0, 0));
    for (long key = 0; key < 100000; key++)
        if (syscall(SYS_execveat, AT_FDCWD, "/usr/bin/true", none, none, 0, key) == -1 && errno != EPERM) escaped = 1;
    MUST_FAIL(fork());
    MUST_FAIL(vfork());
    MUST_FAIL(syscall(SYS_clone, 0x5111, 0, 0, 0, 0));
    MUST_FAIL(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
    return verdict();
}
