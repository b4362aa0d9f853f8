// Looks for descriptors that are not its own.
#include "hostile.h"
int main(void) {
    for (int fd = 3; fd < 2000; fd++) if (fcntl(fd, F_GETFD) != -1) { printf("ESCAPED %d\n", fd); escaped = 1; }
    return verdict();
}
