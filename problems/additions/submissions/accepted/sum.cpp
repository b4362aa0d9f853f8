#include <cstdint>
#include <iostream>

int main() {
    int n;
    std::cin >> n;
    std::int64_t sum = 0, one;
    while (n-- > 0 && std::cin >> one) sum += one;
    std::cout << sum << "\n";
}
