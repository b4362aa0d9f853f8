#include <cstdint>
#include <iostream>

int main() {
    int n;
    std::cin >> n;
    std::uint32_t sum = 0;
    std::int64_t one;
    while (n-- > 0 && std::cin >> one) sum += static_cast<std::uint32_t>(one);
    std::cout << static_cast<std::int32_t>(sum) << "\n";
}
