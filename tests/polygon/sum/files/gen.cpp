#include "testlib.h"

int main(int argc, char **argv) {
    registerGen(argc, argv, 1);
    int n = std::atoi(argv[1]), most = std::atoi(argv[2]);
    std::cout << n << "\n";
    for (int i = 0; i < n; i++) {
        long long a = rnd.next(-most, most);
        std::cout << a << " " << rnd.next(-most, most) << "\n";
    }
}
