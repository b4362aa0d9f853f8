#include "testlib.h"

int main(int argc, char **argv) {
    registerTestlibCmd(argc, argv);
    while (!ans.seekEof() && !ouf.seekEof()) {
        if (ans.readLong() != ouf.readLong()) quitf(_wa, "numbers differ");
    }
    if (!ans.seekEof() || !ouf.seekEof()) quitf(_wa, "one is longer");
    quitf(_ok, "the same");
}
