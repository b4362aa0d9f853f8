// Fills its disk with bytes, names and depths.
#include "hostile.h"
int main(void) {
    char page[65536] = {0}, name[64];
    int fd = open("fill", O_CREAT | O_WRONLY, 0600);
    long written = 0, got;
    while (fd >= 0 && (got = write(fd, page, sizeof page)) > 0) written += got;
    if (written > 300L << 20) escaped = 1;
    unlink("fill");
    int made = 0;
    for (; made < 1000000; made++) {
        snprintf(name, sizeof name, "n%d", made);
        int empty = open(name, O_CREAT | O_WRONLY, 0600);
        if (empty < 0) break;
        close(empty);
    }
    if (made > 5000) escaped = 1;
    for (int i = 0; i < 2000; i++) { snprintf(name, sizeof name, "n%d", i); unlink(name); }
    for (int i = 0; i < 1000000 && mkdir("deep", 0700) == 0 && chdir("deep") == 0; i++) ;
    return verdict();
}
