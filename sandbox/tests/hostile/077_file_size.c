// Ignores SIGXFSZ and goes on writing.
#include "hostile.h"
int main(void) {
    signal(SIGXFSZ, SIG_IGN);
    int fd = open("big", O_CREAT | O_WRONLY, 0600);
    static char page[1 << 20];
    long written = 0, got;
    while (fd >= 0 && (got = write(fd, page, sizeof page)) > 0) written += got;
    if (written > 128L << 20) escaped = 1;
    return verdict();
}
