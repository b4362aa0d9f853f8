// Has room for ten thousand parts, and says so.
#include <cstdio>
#include <cstdlib>

int main() {
    static long long parts[10000];
    long long n;
    int count = 0;
    if (scanf("%lld", &n) != 1) return 1;
    for (long long part = 1; n >= part; part++) {
        if (count == 10000) abort();
        parts[count++] = part, n -= part;
    }
    parts[count - 1] += n;
    printf("%d\n", count);
    for (int index = 0; index < count; index++) printf("%lld ", parts[index]);
    puts("");
}
