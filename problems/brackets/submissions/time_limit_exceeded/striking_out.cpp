// Strikes out pairs one at a time, and looks for the next one from the start; then tries every beginning.
#include <iostream>
#include <string>

static bool could_begin(std::string text) {
    for (bool changed = true; changed;) {
        changed = false;
        for (size_t i = 0; i + 1 < text.size(); i++) {
            const std::string pair = text.substr(i, 2);
            if (pair == "()" || pair == "[]" || pair == "{}") {
                text.erase(i, 2);
                changed = true;
                break;
            }
        }
    }
    return text.find_first_of(")]}") == std::string::npos;
}

int main() {
    std::string text;
    std::cin >> text;
    size_t length = text.size();
    while (!could_begin(text.substr(0, length))) length--;
    std::string rest = text;
    for (bool changed = true; changed;) {
        changed = false;
        for (const char* pair : {"()", "[]", "{}"}) {
            const size_t i = rest.find(pair);
            if (i != std::string::npos) {
                rest.erase(i, 2);
                changed = true;
            }
        }
    }
    if (rest.empty()) std::cout << "ok\n";
    else std::cout << "slip " << length << "\n";
}
