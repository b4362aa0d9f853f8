// Talks to anyone.
#include "hostile.h"
#include <sys/socket.h>
int main(void) {
    int families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, 38 /* ALG */, 40 /* VSOCK */};
    for (int i = 0; i < 7; i++) {
        MUST_FAIL(socket(families[i], SOCK_STREAM, 0));
        MUST_FAIL(socket(families[i], SOCK_DGRAM, 0));
        MUST_FAIL(socket(families[i], SOCK_RAW, 0));
    }
    int pair[2];
    MUST_FAIL(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    MUST_FAIL(syscall(SYS_sendmsg, 0, 0, 0));
    MUST_FAIL(syscall(SYS_recvmsg, 0, 0, 0));
    return verdict();
}
