#include "solve.h"
#include <cstdlib>
long long solve(const std::vector<long long> &) { abort(); }
