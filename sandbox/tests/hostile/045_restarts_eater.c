// A parent starts a child that eats memory, and another whenever one dies of it.
#include "hostile.h"
int main(void) {
    for (;;) {
        pid_t child = fork();
        if (child < 0) return verdict();
        if (child == 0)
            for (;;) {
                char *p = mmap(0, 16 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                if (p == MAP_FAILED) _exit(0);
                memset(p, 1, 16 << 20);
            }
        waitpid(child, 0, 0);
    }
}
