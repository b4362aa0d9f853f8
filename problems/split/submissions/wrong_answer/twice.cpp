// Makes a part of its own of what is left, which may be there already.
#include <cstdio>
#include <vector>

int main() {
    long long n;
    if (scanf("%lld", &n) != 1) return 1;
    std::vector<long long> parts;
    for (long long part = 1; n >= part; part++) parts.push_back(part), n -= part;
    if (n > 0) parts.push_back(n);
    printf("%zu\n", parts.size());
    for (long long part : parts) printf("%lld ", part);
    puts("");
}
