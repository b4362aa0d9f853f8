// Wants to leave its memory on the host's disk.
#include "hostile.h"
#include <sys/prctl.h>
int main(void) {
    struct rlimit none;
    getrlimit(RLIMIT_CORE, &none);
    MUST_BE(none.rlim_cur == 0 && none.rlim_max == 0);
    MUST_FAIL(setrlimit(RLIMIT_CORE, &(struct rlimit){1 << 20, 1 << 20}));
    MUST_FAIL(syscall(SYS_prlimit64, 0, RLIMIT_CORE, &(struct rlimit){1 << 20, 1 << 20}, 0));
    MUST_DENY(prctl(PR_SET_DUMPABLE, 2, 0, 0, 0));
    MUST_DENY(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
    verdict();
    abort();
}
