// Leaves a deaf daemon that burns for ever, and exits at once.
#include "hostile.h"
int main(void) {
    if (fork() == 0) {
        setsid();
        for (int s = 1; s < 65; s++) signal(s, SIG_IGN);
        if (fork() == 0) for (;;) ;
        _exit(0);
    }
    return verdict();
}
