// Answers questions until the number is found, and logs how many there were.
#include "testlib.h"

int main(int argc, char **argv) {
    registerInteraction(argc, argv);
    long long n = inf.readLong();
    for (int asked = 1;; asked++) {
        long long x = ouf.readLong(1, 1000);
        if (x == n) {
            std::cout << "equal" << std::endl;
            tout << asked << std::endl;
            quitf(_ok, "found after %d", asked);
        }
        if (asked == 2000) quitf(_wa, "never found");
        std::cout << (n < x ? "less" : "more") << std::endl;
    }
}
