// The interactor's log: at most ten questions.
#include "testlib.h"

int main(int argc, char **argv) {
    registerTestlibCmd(argc, argv);
    int asked = ouf.readInt();
    if (ans.readInt() < 1) quitf(_fail, "the answer is no log");
    if (asked > 10) quitf(_wa, "%d questions", asked);
    quitf(_ok, "%d questions", asked);
}
