// Compares every peak with all before it.
#include <algorithm>
#include <iostream>
#include <vector>

int main() {
    long long n, x, p, q, m;
    std::cin >> n >> x >> p >> q >> m;
    std::vector<long long> heights;
    std::vector<int> longest;
    for (long long i = 0; i < n; i++) {
        int best = 0;
        for (long long j = 0; j < i; j++) {
            if (heights[j] < x) best = std::max(best, longest[j]);
        }
        heights.push_back(x);
        longest.push_back(best + 1);
        x = (p * x + q) % m;
    }
    std::cout << *std::max_element(longest.begin(), longest.end()) << "\n";
}
