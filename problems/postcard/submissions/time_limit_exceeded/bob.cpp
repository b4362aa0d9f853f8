// Quick as Ann; as Bob it never ends.
#include <iostream>
#include <string>

int main() {
    std::string word;
    std::cin >> word;
    if (word == "write") {
        std::cout << "xy\n";
    } else {
        for (volatile int i = 0;; i = i + 1) {
        }
    }
}
