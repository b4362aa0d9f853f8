// Calls the host and its neighbours by names that are not in any file system.
#include "hostile.h"
#include <sys/socket.h>
#include <sys/un.h>
int main(void) {
    struct sockaddr_un name = {AF_UNIX, "\0assize-abstract"};
    for (int type = SOCK_STREAM; type <= SOCK_SEQPACKET; type++) {
        MUST_DENY(socket(AF_UNIX, type, 0));
        MUST_DENY(socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    }
    for (int fd = 0; fd < 64; fd++) {
        MUST_DENY(connect(fd, (struct sockaddr *)&name, sizeof name));
        MUST_DENY(bind(fd, (struct sockaddr *)&name, sizeof name));
        MUST_DENY(listen(fd, 1));
        MUST_DENY(accept(fd, 0, 0));
    }
    return verdict();
}
