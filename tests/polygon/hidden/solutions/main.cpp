#include <iostream>
#include <string>

int main() {
    int low = 1, high = 1000;
    std::string said;
    do {
        int x = (low + high) / 2;
        std::cout << x << std::endl;
        std::cin >> said;
        if (said == "less") high = x - 1;
        else low = x + 1;
    } while (said != "equal");
}
