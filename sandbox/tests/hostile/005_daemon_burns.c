// A grandchild in a session of its own burns 300 ms of CPU time after its parents are gone.
#include "hostile.h"
int main(void) {
    int gate[2];
    pipe(gate);
    pid_t child = fork();
    if (child < 0) { puts("fork denied"); return verdict(); }
    if (child == 0) {
        setsid();
        if (fork() == 0) { burn_ms(300); _exit(0); }
        _exit(0);
    }
    close(gate[1]);
    waitpid(child, 0, 0);
    char byte;
    read(gate[0], &byte, 1);  // Returns when the grandchild has ended.
    return verdict();
}
