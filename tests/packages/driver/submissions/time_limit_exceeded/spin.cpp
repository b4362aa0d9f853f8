#include "solve.h"
long long solve(const std::vector<long long> &values) {
    volatile long long sum = 0;
    for (;;) sum = sum + values[0];
}
