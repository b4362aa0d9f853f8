#include <algorithm>
#include <iostream>
#include <vector>

int main() {
    int n;
    std::cin >> n;
    std::vector<long long> x(n);
    for (auto& y : x) std::cin >> y;
    long long first = x[0];
    std::sort(x.begin(), x.end());
    std::cout << std::lower_bound(x.begin(), x.end(), first) - x.begin() + 1 << "\n";
}
