#include <cstdio>
int main() {
    long long n;
    volatile long long count = 0;
    if (scanf("%lld", &n) != 1) return 1;
    for (long long i = 0; i < n * {{most}}; i++) count = count + 1;
    __int128 sum = (__int128)n * (n + 1) * (2 * n + 1) / 6;
    printf("%lld\n", (long long)(sum % {{modulus}}));
}
