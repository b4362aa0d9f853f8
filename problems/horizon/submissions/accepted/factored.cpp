// h * (2r + h) loses nothing; (r + h)^2 - r^2 would.
#include <cmath>
#include <cstdio>

int main() {
    double r;
    int n;
    if (std::scanf("%lf %d", &r, &n) != 2) return 1;
    for (int i = 0; i < n; i++) {
        double h;
        if (std::scanf("%lf", &h) != 1) return 1;
        std::printf("%.9f\n", std::sqrt(h * (2 * r + h)));
    }
}
