// Only 16 bits come through: wrong in the second pass.
#include <iostream>
#include <string>

int main() {
    std::string word, what;
    std::cin >> word >> what;
    if (word == "write") {
        int number = std::stoi(what);
        for (int bit = 0; bit < 16; bit++) std::cout << (number >> bit & 1 ? "yx" : "xy");
    } else {
        int number = 0;
        for (int bit = 0; bit < 16; bit++) number |= (what[2 * bit] == 'y') << bit;
        std::cout << number;
    }
}
