// Has room for a thousand eyes.
#include <array>
#include <cmath>
#include <cstdio>

int main() {
    std::array<double, 1000> heights;
    double r;
    int n;
    if (std::scanf("%lf %d", &r, &n) != 2) return 1;
    for (int i = 0; i < n; i++) {
        if (std::scanf("%lf", &heights.at(i)) != 1) return 1;
    }
    for (int i = 0; i < n; i++) std::printf("%.9f\n", std::sqrt(heights[i] * (2 * r + heights[i])));
}
