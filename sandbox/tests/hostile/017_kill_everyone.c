// Kills and stops all it can name.
#include "hostile.h"
int main(void) {
    for (int s = 1; s < 65; s++) if (s != SIGCHLD && s != SIGSYS) { kill(1, s); kill(getppid(), s); }
    kill(-1, SIGKILL);
    syscall(SYS_tgkill, 1, 1, SIGKILL);
    return verdict();
}
