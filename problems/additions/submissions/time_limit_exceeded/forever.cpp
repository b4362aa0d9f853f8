#include <cstdint>
#include <iostream>

int main() {
    volatile std::int64_t turns = 0;
    for (;;) turns = turns + 1;
}
