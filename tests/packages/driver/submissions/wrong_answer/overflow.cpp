#include "solve.h"
long long solve(const std::vector<long long> &values) {
    unsigned sum = 0;
    for (long long value : values) sum += (unsigned)value;
    return (int)sum;
}
