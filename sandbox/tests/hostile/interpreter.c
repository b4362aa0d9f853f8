// No attack: starts as an interpreter does, opens the program as one does, and then is the attack it was linked with.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
extern int guest_main(int, char **) __attribute__((weak));
// As g++ names it.
extern int _Z10guest_mainv(void) __attribute__((weak));
extern int _Z10guest_mainiPPc(int, char **) __attribute__((weak));
int main(int argc, char **argv) {
    int fd = open("interpreted", O_RDONLY);
    if (fd < 0) return 120;
    close(fd);
    if (guest_main) return guest_main(argc, argv);
    return _Z10guest_mainv ? _Z10guest_mainv() : _Z10guest_mainiPPc(argc, argv);
}
