#include "solve.h"
#include <numeric>
long long solve(const std::vector<long long> &values) {
    return std::accumulate(values.begin(), values.end(), 0LL);
}
