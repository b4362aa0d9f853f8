// Makes children that are not its own but its parent's, the sandbox's, which has to bear, count and end them.
#include "hostile.h"
int main(int argc, char **argv) {
    static char stack[1 << 16];
    (void)stack;
    if (IN_RUN(argc, argv)) {
        MUST_DENY(syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0));
        MUST_DENY(syscall(SYS_clone, CLONE_PARENT, 0, 0, 0, 0));
        return verdict();
    }
    // As a child that says when it ends, and as one that does not.
    long flags[] = {CLONE_PARENT | SIGCHLD, CLONE_PARENT, CLONE_PARENT | SIGKILL, CLONE_PARENT | SIGSTOP};
    for (int i = 0; i < 8; i++) {
        long pid = syscall(SYS_clone, flags[i % 4], 0, 0, 0, 0);
        if (pid == 0) {
            MUST_BE(getppid() == 1);
            for (int s = 1; s < 65; s++) signal(s, SIG_IGN);
            if (i >= 4) _exit(i);
            burn_ms(20);
            if (i % 2) kill(getpid(), SIGSTOP);
            for (;;) pause();
        }
        MUST_BE(pid > 0);
    }
    burn_ms(20);
    // Nobody here has children to wait for.
    MUST_FAIL(wait4(-1, 0, WNOHANG | __WALL, 0));
    return verdict();
}
