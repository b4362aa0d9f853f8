#include "testlib.h"

int main(int argc, char **argv) {
    registerGen(argc, argv, 1);
    std::cout << argv[1] << "\n";
}
