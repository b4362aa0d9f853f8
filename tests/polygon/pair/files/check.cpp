// Two positive numbers with the sum n. Those whose sum is one less are half right.
#include "testlib.h"

int main(int argc, char **argv) {
    registerTestlibCmd(argc, argv);
    long long n = inf.readLong();
    if (ans.readLong() + ans.readLong() != n) quitf(_fail, "the answer is wrong");
    long long a = ouf.readLong(1, n), b = ouf.readLong(1, n);
    if (a + b == n - 1) quitp(50, "almost");
    if (a + b != n) quitf(_wa, "%lld is not %lld", a + b, n);
    quitf(_ok, "%lld", n);
}
