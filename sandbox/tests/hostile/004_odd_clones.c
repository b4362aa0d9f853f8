// Asks for processes in every odd way that is not fork.
#include "hostile.h"
int main(int argc, char **argv) {
    uint64_t args[11] = {0};
    args[4] = SIGCHLD;
    for (unsigned size = 64; size <= sizeof args; size += 8) {
        MUST_DENY(syscall(SYS_clone3, args, size));
        MUST_BE(errno == ENOSYS);
    }
    // Each single flag; what is no thread is a process, and a new namespace is refused everywhere.
    for (int bit = 8; bit < 32; bit++) {
        long flag = 1L << bit;
        int namespaces = flag & (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
                                 CLONE_NEWPID | CLONE_NEWNET | 0x80 /* NEWTIME */);
        if (!namespaces && !IN_RUN(argc, argv)) continue;
        if (flag == CLONE_THREAD) continue;
        MUST_FAIL(syscall(SYS_clone, flag | SIGCHLD, 0, 0, 0, 0));
        MUST_FAIL(syscall(SYS_clone, flag, 0, 0, 0, 0));
    }
    // CLONE_NEWTIME lies in the byte of the exit signal: for clone it is only a signal that does not exist.
    if (IN_RUN(argc, argv)) {
        MUST_DENY(syscall(SYS_clone, 0x80, 0, 0, 0, 0));
        MUST_DENY(syscall(SYS_fork));
        MUST_DENY(syscall(SYS_vfork));
        // What the sandbox itself starts programs with, without its key.
        MUST_DENY(syscall(SYS_clone, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, 0, 0, 0, 0));
        MUST_DENY(syscall(SYS_clone, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, 0, 0, 0, -1));
        // A thread that is none: the kernel wants shared memory and signals with it.
        MUST_FAIL(syscall(SYS_clone, CLONE_THREAD, 0, 0, 0, 0));
        MUST_FAIL(syscall(SYS_clone, CLONE_THREAD | CLONE_VM, 0, 0, 0, 0));
        MUST_FAIL(syscall(SYS_clone, CLONE_THREAD | CLONE_NEWUSER, 0, 0, 0, 0));
    }
    return verdict();
}
