#include <cstdio>
#include <cstdlib>
int main() {
    long long n;
    if (scanf("%lld", &n) != 1 || n >= {{most}}) abort();
    __int128 sum = (__int128)n * (n + 1) * (2 * n + 1) / 6;
    printf("%lld\n", (long long)(sum % {{modulus}}));
}
