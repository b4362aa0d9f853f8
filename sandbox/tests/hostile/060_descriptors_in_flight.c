// Hoards descriptors in flight over sockets.
#include "hostile.h"
#include <sys/socket.h>
int main(int argc, char **argv) {
    int pair[2] = {0, 1};
    // Builds may have a pair, for reading and writing; nothing can be sent over it.
    if (IN_RUN(argc, argv) && !IN_RUNTIME(argc, argv)) MUST_DENY(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    else MUST_BE(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && write(pair[0], "x", 1) == 1 && read(pair[1], &argc, 1) == 1);
    MUST_DENY(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
    char room[CMSG_SPACE(sizeof(int))] = {0}, byte = 0;
    struct iovec part = {&byte, 1};
    struct msghdr message = {0, 0, &part, 1, room, sizeof room, 0};
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(int));
    for (int fd = 0; fd < 64; fd++) {
        MUST_DENY(sendmsg(fd, &message, 0));
        MUST_DENY(recvmsg(fd, &message, 0));
        MUST_DENY(syscall(SYS_sendmmsg, fd, &message, 1, 0));
        MUST_DENY(syscall(SYS_recvmmsg, fd, &message, 1, 0, 0));
    }
    MUST_DENY(syscall(SYS_sendto, 0, &byte, 1, 0, 0, 0));
    return verdict();
}
