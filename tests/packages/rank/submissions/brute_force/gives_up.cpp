#include <cstdlib>
#include <iostream>
#include <vector>

int main() {
    int n;
    std::cin >> n;
    if (n > 100) std::abort();
    std::vector<int> x(n);
    for (auto& y : x) std::cin >> y;
    int place = 0;
    for (int y : x) place += y <= x[0];
    std::cout << place << "\n";
}
