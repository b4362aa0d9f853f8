#include <cstdio>
#include <vector>
#include "solve.h"
int main() {
    int n;
    if (scanf("%d", &n) != 1) return 1;
    std::vector<long long> values(n);
    for (long long &value : values)
        if (scanf("%lld", &value) != 1) return 1;
    printf("%lld\n", solve(values));
}
