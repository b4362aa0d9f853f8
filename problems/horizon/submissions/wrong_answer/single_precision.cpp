// Seven digits are not enough.
#include <cmath>
#include <cstdio>

int main() {
    float r;
    int n;
    if (std::scanf("%f %d", &r, &n) != 2) return 1;
    for (int i = 0; i < n; i++) {
        float h;
        if (std::scanf("%f", &h) != 1) return 1;
        std::printf("%.9f\n", std::sqrt((r + h) * (r + h) - r * r));
    }
}
