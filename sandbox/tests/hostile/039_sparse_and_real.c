// Fills its disk with files that are sparse, allocated ahead, and real.
#include "hostile.h"
int main(void) {
    static char page[65536];
    char name[64];
    long total = 0;
    signal(SIGXFSZ, SIG_IGN);
    for (int i = 0; i < 64; i++) {
        snprintf(name, sizeof name, "sparse%d", i);
        int fd = open(name, O_CREAT | O_RDWR, 0600);
        if (fd < 0) break;
        ftruncate(fd, 100 << 20);
        MUST_BE(ftruncate(fd, 4L << 30) != 0);
        MUST_BE(pwrite(fd, "x", 1, 4L << 30) != 1);
        close(fd);
    }
    int ahead = open("ahead", O_CREAT | O_RDWR, 0600);
    if (ahead >= 0) { MUST_BE(posix_fallocate(ahead, 0, 4L << 30) != 0); unlink("ahead"); close(ahead); }
    for (int i = 0; i < 64; i++) {
        snprintf(name, sizeof name, "real%d", i);
        int fd = open(name, O_CREAT | O_RDWR, 0600);
        if (fd < 0) break;
        long got;
        memset(page, i + 1, sizeof page);
        while ((got = write(fd, page, sizeof page)) > 0) total += got;
        close(fd);
    }
    MUST_BE(total <= 64L << 20);
    printf("%ld bytes\n", total);
    return verdict();
}
