// The lowest height at which a climb of each length can end; n log n.
#include <algorithm>
#include <iostream>
#include <vector>

int main() {
    long long n, x, p, q, m;
    std::cin >> n >> x >> p >> q >> m;
    std::vector<long long> lowest_ends;
    for (long long i = 0; i < n; i++) {
        const auto at = std::lower_bound(lowest_ends.begin(), lowest_ends.end(), x);
        if (at == lowest_ends.end()) lowest_ends.push_back(x);
        else *at = x;
        x = (p * x + q) % m;
    }
    std::cout << lowest_ends.size() << "\n";
}
