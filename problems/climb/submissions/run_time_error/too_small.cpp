// Has room for a thousand peaks.
#include <algorithm>
#include <array>
#include <iostream>
#include <vector>

int main() {
    long long n, x, p, q, m;
    std::cin >> n >> x >> p >> q >> m;
    std::array<long long, 1000> heights;
    for (long long i = 0; i < n; i++) {
        heights.at(i) = x;
        x = (p * x + q) % m;
    }
    std::vector<long long> lowest_ends;
    for (long long i = 0; i < n; i++) {
        const auto at = std::lower_bound(lowest_ends.begin(), lowest_ends.end(), heights[i]);
        if (at == lowest_ends.end()) lowest_ends.push_back(heights[i]);
        else *at = heights[i];
    }
    std::cout << lowest_ends.size() << "\n";
}
