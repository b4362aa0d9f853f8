// Plays with the flags of its descriptors, which the other end must not feel, and writes 2 MiB all the same.
#include "hostile.h"
int main(void) {
    for (int fd = 0; fd < 3; fd++) {
        MUST_DENY(fcntl(fd, F_SETPIPE_SZ, 4096));
        MUST_DENY(fcntl(fd, F_SETPIPE_SZ, 1 << 30));
        MUST_DENY(fcntl(fd, F_SETOWN, 1));
        MUST_DENY(fcntl(fd, F_SETSIG, SIGKILL));
        MUST_DENY(fcntl(fd, F_SETLEASE, F_WRLCK));
        MUST_DENY(fcntl(fd, F_NOTIFY, 1));
        MUST_DENY(fcntl(fd, 1033 /* F_ADD_SEALS */, 15));
        fflush(stdout);
        fcntl(fd, F_SETFL, O_NONBLOCK | O_APPEND | O_ASYNC | (fd ? O_DIRECT /* each write a packet */ : 0));
        int one = 1;
        syscall(SYS_ioctl, fd, 0x5421 /* FIONBIO */, &one);
        syscall(SYS_ioctl, fd, 0x5452 /* FIOASYNC */, &one);
    }
    static char page[4096];
    memset(page, 'x', sizeof page);
    page[sizeof page - 1] = '\n';
    for (long left = 2 << 20; left > 0;) {
        long got = write(1, page + (sizeof page - 1 - (left - 1) % sizeof page), 1 + (left - 1) % sizeof page);
        if (got > 0) left -= got;
        else if (errno != EAGAIN) return 3;
    }
    fcntl(1, F_SETFL, 0);
    return verdict();
}
