// Talks to anyone.
#include "hostile.h"
#include <sys/socket.h>
int main(int argc, char **argv) {
    int families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, 38 /* ALG */, 40 /* VSOCK */};
    for (int i = 0; i < 7; i++) {
        MUST_DENY(socket(families[i], SOCK_STREAM, 0));
        MUST_DENY(socket(families[i], SOCK_DGRAM, 0));
        MUST_DENY(socket(families[i], SOCK_RAW, 0));
    }
    int pair[2];
    if (IN_RUN(argc, argv) && !IN_RUNTIME(argc, argv)) MUST_DENY(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    MUST_DENY(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
    MUST_DENY(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair));
    MUST_DENY(socketpair(AF_INET, SOCK_STREAM, 0, pair));
    MUST_DENY(socketpair(AF_INET6, SOCK_STREAM, 0, pair));
    MUST_DENY(socketpair(30 /* AF_TIPC */, SOCK_STREAM, 0, pair));
    MUST_DENY(syscall(SYS_sendmsg, 0, 0, 0));
    MUST_DENY(syscall(SYS_recvmsg, 0, 0, 0));
    return verdict();
}
