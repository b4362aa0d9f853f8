// Rewrites its own executable, on disk and in memory, for the next run to execute.
#include "hostile.h"
static __attribute__((noinline, section(".text.odd"), aligned(4096))) int odd(volatile int x) { return x + 40; }
int main(int argc, char **argv) {
    const char *paths[] = {argv[0], "self", "./self", "/w/self", "/proc/self/exe", "/proc/1/exe", "/proc/self/fd/3",
                           "/dev/fd/3", "/memfd:self", "/proc/self/map_files"};
    int run = IN_RUN(argc, argv);
    for (unsigned i = 0; i < sizeof paths / sizeof *paths; i++) {
        MUST_FAIL(open(paths[i], O_WRONLY));
        MUST_FAIL(open(paths[i], O_RDWR | O_TRUNC));
        if (run) MUST_FAIL(open(paths[i], O_WRONLY | O_CREAT, 0755));
        MUST_FAIL(truncate(paths[i], 0));
        MUST_FAIL(chmod(paths[i], 0777));
        MUST_FAIL(unlink(paths[i]));
    }
    // The first run's poison, were the memory shared, would be here.
    MUST_BE(odd(2) == 42);
    char *page = (char *)((uintptr_t)odd & ~4095UL);
    if (mprotect(page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC) == 0) {
        memset(page, 0xc3, 64);
        msync(page, 4096, MS_SYNC);
    }
    return verdict();
}
