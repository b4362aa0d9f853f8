#include "bounds.h"
#include <cstdio>
int main() {
    long long n, sum = 0;
    if (scanf("%lld", &n) != 1) return 1;
    for (long long i = 1; i <= n; i++) sum = (sum + i * i) % MODULUS;
    int brackets[1][1] = {{0}};
    printf("%lld\n", sum + brackets[0][0]);
}
