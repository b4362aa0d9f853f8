// Goes back in its output, and plays with the pipe.
#include "hostile.h"
int main(void) {
    MUST_FAIL(lseek(1, 0, SEEK_SET));
    MUST_FAIL(ftruncate(1, 0));
    MUST_FAIL(pwrite(1, "x", 1, 0));
    MUST_FAIL(fcntl(1, F_SETPIPE_SZ, 4096));
    MUST_FAIL(fcntl(1, F_SETLEASE, F_WRLCK));
    MUST_FAIL(fcntl(1, F_SETOWN, 1));
    fcntl(1, F_SETFL, O_NONBLOCK | O_APPEND);
    return verdict();
}
