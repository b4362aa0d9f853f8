#include "solve.h"
#include <cstdio>
long long solve(const std::vector<long long> &values) {
    FILE *limits = fopen("limits.txt", "r");
    int most = 0;
    if (!limits || fscanf(limits, "%d", &most) != 1 || values.size() > (size_t)most) return -1;
    long long sum = 0;
    for (long long value : values) sum += value;
    return sum;
}
