// Writes into a pipe that nobody reads: it dies as on any Unix, since it does not inherit that we ignore the signal.
#include "hostile.h"
int main(void) {
    int pair[2];
    if (pipe(pair)) return 1;
    close(pair[0]);
    close(0);
    write(pair[1], "x", 1);
    return 2;
}
