#include "solve.h"
long long solve(const std::vector<long long> &values) {
    long long sum = 0;
    for (long long value : values) sum += value;
    return sum;
}
