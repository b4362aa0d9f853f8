// Aborts in the middle of the conversation.
#include <cstdlib>
#include <iostream>
#include <string>

int main() {
    std::string answer;
    std::cout << 77777777 << std::endl;
    std::cin >> answer;
    std::abort();
}
