// Hoards pipes full of data.
#include "hostile.h"
int main(void) {
    int pair[2], made = 0;
    char page[4096] = {0};
    while (made < 10000 && pipe2(pair, O_NONBLOCK) == 0) { while (write(pair[1], page, sizeof page) > 0) ; made++; }
    if (made > 1000) escaped = 1;
    MUST_FAIL(fcntl(0, F_SETPIPE_SZ, 1 << 20));
    return verdict();
}
