// Reads every clock, patches its own vDSO so that time stands still, and burns.
#include "hostile.h"
#include <sys/auxv.h>
#include <x86intrin.h>
int main(void) {
    struct timespec t;
    for (int clock = 0; clock < 12; clock++) clock_gettime(clock, &t);
    volatile uint64_t ticks = __rdtsc();
    unsigned core;
    ticks += __rdtscp(&core);
    char *vdso = (char *)getauxval(AT_SYSINFO_EHDR);
    if (vdso && mprotect(vdso, 4096, PROT_READ | PROT_WRITE | PROT_EXEC) == 0) memset(vdso + 0x600, 0xc3, 0x800);
    for (;;) ;
}
