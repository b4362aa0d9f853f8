// 1, 2, 3, ... as long as there is enough; what is left goes to the last.
#include <cstdio>
#include <vector>

int main() {
    long long n;
    if (scanf("%lld", &n) != 1) return 1;
    std::vector<long long> parts;
    for (long long part = 1; n >= part; part++) parts.push_back(part), n -= part;
    parts.back() += n;
    printf("%zu\n", parts.size());
    for (long long part : parts) printf("%lld ", part);
    puts("");
}
