// Writes an answer, then copies its output wherever it can and attacks whoever reads it.
#include "hostile.h"
int main(void) {
    puts("ESCAPE attempts:");
    fflush(stdout);
    for (int i = 3; i < 60; i++) dup2(1, i);
    for (int s = 1; s < 65; s++) if (s != SIGSYS && s != SIGCHLD) kill(1, s);
    kill(-1, SIGKILL);
    char stolen[64];
    // The end that it has cannot be read.
    for (int i = 1; i < 60; i++) MUST_FAIL(read(i, stolen, sizeof stolen));
    // Blank space in bulk, so that the last words come when the pipe is full.
    for (int i = 0; i < 2000000; i++) putchar(' ');
    putchar('\n');
    return verdict();
}
