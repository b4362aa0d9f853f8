// Wants huge pages, whose cost depends on the host, and pages that are merged with those of others.
#include "hostile.h"
int main(void) {
    const long size = 32 << 20;
    char *room = mmap(0, 2 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *p = (char *)(((uintptr_t)room + (2 << 20) - 1) & ~((uintptr_t)(2 << 20) - 1));
    struct rusage before, after;
    madvise(p, size, MADV_HUGEPAGE);
    madvise(p, size, 25 /* MADV_COLLAPSE */);
    getrusage(RUSAGE_SELF, &before);
    for (long i = 0; i < size; i += 4096) p[i] = 1;
    getrusage(RUSAGE_SELF, &after);
    // One fault for each small page: none was huge.
    printf("%ld faults\n", after.ru_minflt - before.ru_minflt);
    MUST_BE(after.ru_minflt - before.ru_minflt >= size / 4096);
    MUST_DENY(madvise(p, size, MADV_MERGEABLE));
    return verdict();
}
