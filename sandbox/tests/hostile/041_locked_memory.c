// Locks memory, and takes huge pages.
#include "hostile.h"
int main(void) {
    MUST_FAIL(mlockall(MCL_CURRENT | MCL_FUTURE));
    MUST_FAIL(mmap(0, 2 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0));
    return verdict();
}
