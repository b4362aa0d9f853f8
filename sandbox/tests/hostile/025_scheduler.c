// Wants more of the processor, and another one.
#include "hostile.h"
int main(void) {
    struct sched_param high = {50};
    cpu_set_t all;
    memset(&all, 0xff, sizeof all);
    MUST_FAIL(syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &high));
    MUST_FAIL(syscall(SYS_sched_setaffinity, 0, sizeof all, &all));
    MUST_FAIL(setpriority(PRIO_PROCESS, 0, -10));
    struct { uint32_t size, policy; uint64_t flags; int32_t nice; uint32_t prio; uint64_t runtime, deadline, period; }
        deadline = {48, 6, 0, 0, 0, 10000000, 30000000, 30000000};
    MUST_FAIL(syscall(SYS_sched_setattr, 0, &deadline, 0));
    MUST_FAIL(syscall(SYS_ioprio_set, 1, 0, 0));
    return verdict();
}
