// Thinks for ever on the second visit.
#include <iostream>
#include <string>

int main() {
    std::string word;
    std::cin >> word;
    if (word == "first") {
        std::cout << "! a" << std::endl;
        return 0;
    }
    for (volatile int i = 0;; i = i + 1) {
    }
}
