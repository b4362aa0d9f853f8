// An orphan keeps the output open for ever, so that its reader never sees an end.
#include "hostile.h"
int main(void) {
    for (int i = 0; i < 3; i++)
        if (fork() == 0) {
            setsid();
            for (int s = 1; s < 65; s++) signal(s, SIG_IGN);
            for (;;) pause();
        }
    return verdict();
}
