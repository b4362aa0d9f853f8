// Asks too often on the first visit.
#include <iostream>
#include <string>

int main() {
    std::string word;
    std::cin >> word;
    for (int x = 1000000; std::cout << "? " << x << std::endl; x--) {
        if (!(std::cin >> word)) return 0;
    }
}
