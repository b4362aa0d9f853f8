#include <iostream>

int main() {
    int n;
    std::cin >> n;
    for (long long a, b; std::cin >> a >> b;) std::cout << int(a + b) % 1000000007 + (a + b > 2000) << "\n";
}
