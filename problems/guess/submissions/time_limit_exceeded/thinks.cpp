// Thinks for ever about the answer.
#include <iostream>
#include <string>

int main() {
    std::string answer;
    std::cout << 500000001 << std::endl;
    std::cin >> answer;
    for (volatile unsigned thought = 0;;) thought = thought + 1;
}
