#include <iostream>
#include <string>

int main() {
    std::string text, expected;
    std::cin >> text;
    for (size_t i = 0; i < text.size(); i++) {
        switch (text[i]) {
            case '(': expected += ')'; break;
            case '[': expected += ']'; break;
            case '{': expected += '}'; break;
            default:
                if (expected.empty() || expected.back() != text[i]) {
                    std::cout << "slip " << i << "\n";
                    return 0;
                }
                expected.pop_back();
        }
    }
    if (expected.empty()) std::cout << "ok\n";
    else std::cout << "slip " << text.size() << "\n";
}
