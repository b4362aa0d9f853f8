#include <iostream>
#include <string>

int main() {
    std::string word;
    std::cin >> word;
    if (word == "first") {
        int low = 1, high = 1000000;
        while (low < high) {
            int middle = (low + high) / 2;
            std::cout << "? " << middle << std::endl;
            std::cin >> word;
            if (word == "more") low = middle + 1;
            else high = middle;
        }
        std::string note;
        for (; low > 0; low /= 26) note += char('a' + low % 26);
        std::cout << "! " << note << std::endl;
    } else {
        std::cin >> word;
        int number = 0;
        for (int place = int(word.size()) - 1; place >= 0; place--) number = number * 26 + (word[place] - 'a');
        std::cout << "! " << number << std::endl;
    }
}
