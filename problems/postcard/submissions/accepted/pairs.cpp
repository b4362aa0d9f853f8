// A bit is xy or yx, so that no letter stands three times in a row.
#include <iostream>
#include <string>

int main() {
    std::string word;
    std::cin >> word;
    if (word == "write") {
        int number;
        std::cin >> number;
        for (int bit = 0; bit < 30; bit++) std::cout << (number >> bit & 1 ? "yx" : "xy");
        std::cout << "\n";
    } else {
        std::string card;
        std::cin >> card;
        int number = 0;
        for (int bit = 0; bit < 30; bit++) number |= (card[2 * bit] == 'y') << bit;
        std::cout << number << "\n";
    }
}
