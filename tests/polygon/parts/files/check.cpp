// As many points as a tenth of the number that is printed, which may be n at most.
#include "testlib.h"

int main(int argc, char **argv) {
    registerTestlibCmd(argc, argv);
    long long n = inf.readLong();
    if (ans.readLong() != n) quitf(_fail, "the answer is wrong");
    long long a = ouf.readLong(0, n);
    quitp(a / 10.0, "so many");
}
