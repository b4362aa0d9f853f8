// Swaps its output between a file and a link to what it may not give away, for as long as it lives.
#include "hostile.h"
int main(void) {
    symlink("/usr/bin/env", "link");
    for (;;) {
        int fd = open("file", O_CREAT | O_WRONLY | O_TRUNC, 0644);
        write(fd, "mine\n", 5);
        close(fd);
        symlink("/usr/bin/env", "link");
        rename("file", "out");
        rename("link", "out");
    }
}
