// What every hostile program says: "contained" when all its attempts failed, "ESCAPED" when one did not.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
static int escaped;
#define MUST_FAIL(call)                                                  \
    do {                                                                 \
        errno = 0;                                                       \
        long result_ = (long)(call);                                     \
        if (result_ != -1) {                                             \
            printf("ESCAPED %s = %ld\n", #call, result_);                \
            escaped = 1;                                                 \
        } else {                                                         \
            printf("denied %s: %s\n", #call, strerror(errno));           \
        }                                                                \
    } while (0)
// As MUST_FAIL, by the filter and not for want of sense: with EPERM, or ENOSYS where the call is to be absent.
#define MUST_DENY(call)                                                                  \
    do {                                                                                 \
        MUST_FAIL(call);                                                                 \
        if (errno != EPERM && errno != ENOSYS) {                                         \
            printf("ESCAPED %s was not refused but failed: %s\n", #call, strerror(errno)); \
            escaped = 1;                                                                 \
        }                                                                                \
    } while (0)
// What must hold.
#define MUST_BE(condition)                            \
    do {                                              \
        if (!(condition)) {                           \
            printf("ESCAPED not %s\n", #condition);   \
            escaped = 1;                              \
        }                                             \
    } while (0)
// Whether this is the profile for one process, as the test says in the last argument.
#define IN_RUN(argc, argv) (strncmp((argv)[(argc) - 1], "run", 3) == 0)
#define IN_RUNTIME(argc, argv) (strcmp((argv)[(argc) - 1], "runtime") == 0)
static inline int verdict(void) {
    puts(escaped ? "ESCAPED" : "contained");
    fflush(stdout);
    return escaped;
}
static inline void burn_ms(long ms) {
    struct timespec t;
    do clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    while (t.tv_sec * 1000 + t.tv_nsec / 1000000 < ms);
}
