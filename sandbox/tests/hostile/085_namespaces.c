// Makes and enters namespaces.
#include "hostile.h"
int main(void) {
    int flags[] = {CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWIPC, CLONE_NEWUTS, CLONE_NEWCGROUP};
    for (int i = 0; i < 7; i++) {
        MUST_FAIL(syscall(SYS_unshare, flags[i]));
        MUST_FAIL(syscall(SYS_clone, flags[i] | SIGCHLD, 0, 0, 0, 0));
    }
    MUST_FAIL(syscall(SYS_setns, 0, 0));
    uint64_t args[11] = {0};
    args[4] = SIGCHLD;
    MUST_FAIL(syscall(SYS_clone3, args, sizeof args));
    if (errno != ENOSYS) escaped = 1;
    MUST_FAIL(syscall(SYS_sethostname, "x", 1));
    return verdict();
}
