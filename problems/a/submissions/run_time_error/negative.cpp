// Does not expect a sum below zero.
#include <cstdlib>
#include <iostream>

int main() {
    long long a, b;
    std::cin >> a >> b;
    if (a + b < 0) std::abort();
    std::cout << a + b << "\n";
}
