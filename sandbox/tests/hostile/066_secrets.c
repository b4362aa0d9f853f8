// Reads what is not its own.
#include "hostile.h"
int main(void) {
    const char *paths[] = {"/etc/passwd", "/etc/shadow", "/root", "/home", "/tmp/.old", "/.old", "/proc", "/proc/self/environ",
                           "/proc/1/root", "/proc/self/fd", "/sys", "/sys/fs/cgroup", "/var", "/run", "/boot", "/dev/mem",
                           "/dev/kmsg", "/dev/tty", "/dev/pts", "/dev/vda", "/w/../etc/passwd", "/w/../../etc/passwd",
                           "../../../etc/passwd", "/usr/../etc/passwd"};
    for (unsigned i = 0; i < sizeof paths / sizeof *paths; i++) MUST_FAIL(open(paths[i], O_RDONLY));
    return verdict();
}
