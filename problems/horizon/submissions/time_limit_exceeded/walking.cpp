// Walks along the line of sight in steps of a micrometre.
#include <cstdio>

int main() {
    double r;
    int n;
    if (std::scanf("%lf %d", &r, &n) != 2) return 1;
    for (int i = 0; i < n; i++) {
        double h;
        if (std::scanf("%lf", &h) != 1) return 1;
        long long steps = 0;
        while (steps * 1e-6 * (steps * 1e-6) < h * (2 * r + h)) steps++;
        std::printf("%.9f\n", steps * 1e-6);
    }
}
