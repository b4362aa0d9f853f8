// Guesses right and goes on.
#include <iostream>
#include <string>

int main() {
    long long low = 1, high = 1000000000;
    std::string answer;
    do {
        const long long guess = (low + high) / 2;
        std::cout << guess << std::endl;
        if (!(std::cin >> answer)) return 1;
        (answer == "higher" ? low : high) = answer == "higher" ? guess + 1 : guess - 1;
    } while (answer != "correct");
    std::cout << "thank you" << std::endl;
}
