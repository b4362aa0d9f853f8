// Counts each kind of bracket by itself: takes ([)] for well formed.
#include <iostream>
#include <string>

int main() {
    std::string text;
    std::cin >> text;
    const std::string open = "([{", close = ")]}";
    int count[3] = {0, 0, 0};
    for (size_t i = 0; i < text.size(); i++) {
        for (int kind = 0; kind < 3; kind++) {
            count[kind] += (text[i] == open[kind]) - (text[i] == close[kind]);
            if (count[kind] < 0) {
                std::cout << "slip " << i << "\n";
                return 0;
            }
        }
    }
    if (count[0] + count[1] + count[2] == 0) std::cout << "ok\n";
    else std::cout << "slip " << text.size() << "\n";
}
