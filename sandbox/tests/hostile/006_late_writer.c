// A child sleeps past the run and then writes to its output.
#include "hostile.h"
int main(void) {
    if (fork() == 0) {
        setsid();
        usleep(300000);
        puts("ESCAPED");
        fflush(stdout);
        _exit(0);
    }
    return verdict();
}
