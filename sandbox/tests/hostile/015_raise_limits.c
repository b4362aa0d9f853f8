// Raises its own limits.
#include "hostile.h"
int main(void) {
    struct rlimit more = {RLIM_INFINITY, RLIM_INFINITY};
    MUST_FAIL(setrlimit(RLIMIT_CPU, &more));
    MUST_FAIL(setrlimit(RLIMIT_NOFILE, &more));
    MUST_FAIL(setrlimit(RLIMIT_FSIZE, &more));
    MUST_FAIL(setrlimit(RLIMIT_NPROC, &more));
    MUST_FAIL(syscall(SYS_prlimit64, 1, RLIMIT_NOFILE, &(struct rlimit){0, 0}, 0));
    return verdict();
}
