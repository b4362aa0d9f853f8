// Looks through all of its memory for a number that opens the calls which only the sandbox may make.
#include "hostile.h"
#include <setjmp.h>
static sigjmp_buf back;
static void again(int s) { (void)s; siglongjmp(back, 1); }

static void try_key(uint64_t key) {
    // Each takes the key in its last argument, and would work with it.
    if (syscall(SYS_memfd_create, "key", 0, 0, 0, 0, key) != -1 || syscall(SYS_setsid, 0, 0, 0, 0, 0, key) != -1 ||
        syscall(SYS_pidfd_open, getpid(), 0, 0, 0, 0, key) != -1 || errno != ENOSYS) {
        printf("ESCAPED with %lx, %d\n", key, errno);
        escaped = 1;
    }
}

// What calls leave in registers.
static void try_registers(void) {
    register uint64_t rdi __asm__("rdi"), rsi __asm__("rsi"), r8 __asm__("r8"), r9 __asm__("r9"), r10 __asm__("r10");
    __asm__ volatile("" : "=r"(rdi), "=r"(rsi), "=r"(r8), "=r"(r9), "=r"(r10));
    uint64_t all[] = {rdi, rsi, r8, r9, r10};
    for (int i = 0; i < 5; i++) try_key(all[i]);
}

int main(void) {
    try_registers();
    signal(SIGSEGV, again);
    signal(SIGBUS, again);
    volatile uint64_t words = 0, pages = 0;
    // The program, its heap, and what is mapped at the top; each with what is around it.
    uintptr_t near[] = {(uintptr_t)&escaped, (uintptr_t)main, (uintptr_t)malloc(1), (uintptr_t)sbrk(0), (uintptr_t)near,
                        (uintptr_t)environ, (uintptr_t)mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)};
    for (unsigned i = 0; i < sizeof near / sizeof *near; i++) {
        // One place in each page first: most pages are not there.
        for (volatile uintptr_t page = (near[i] & ~4095UL) - (2 << 20); page < near[i] + (2 << 20); page += 4096) {
            unsigned char there;
            if (mincore((void *)page, 4096, &there) == -1) continue;
            pages++;
            if (sigsetjmp(back, 1)) continue;
            for (uint64_t *word = (uint64_t *)page; word < (uint64_t *)(page + 4096); word++) {
                if (*word >> 48) {  // No pointer.
                    words++;
                    try_key(*word);
                }
            }
        }
    }
    printf("%s\n", words > 100 && pages > 10 ? "looked" : "ESCAPED: there was nothing to look at");
    return verdict();
}
