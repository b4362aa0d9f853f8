// The oracle: answers on the first visit, hands the word on, and listens on the second.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <string>

static std::string feedback;

[[noreturn]] static void refuse(const std::string &why) {
    std::ofstream(feedback + "judgemessage.txt", std::ios::app) << why << "\n";
    std::exit(43);
}

int main(int argc, char **argv) {
    if (argc < 4) return 1;
    feedback = argv[3];
    std::ifstream input(argv[1]);
    std::string word, sign;
    long number = 0;
    if (!(input >> word)) return 1;
    if (word == "again") {
        if (!(input >> word)) return 1;
        if (!(std::ifstream(feedback + "number") >> number)) return 1;
        std::cout << "again " << word << std::endl;
        long told;
        if (!(std::cin >> sign >> told) || sign != "!") refuse("no answer on the second visit");
        if (told != number) refuse("the answer is " + std::to_string(told));
        return std::cin >> sign ? (refuse("more than an answer"), 1) : 42;
    }
    number = std::atol(word.c_str());
    std::cout << "first" << std::endl;
    for (int asked = 0; std::cin >> sign; asked++) {
        if (sign == "!") {
            if (!(std::cin >> word) || word.size() > 5) refuse("no word of at most 5 letters");
            for (char letter : word) {
                if (letter < 'a' || letter > 'z') refuse("a word of other letters");
            }
            std::ofstream(feedback + "number") << number << "\n";
            std::ofstream(feedback + "nextpass.in") << "again " << word << "\n";
            return 42;
        }
        long x;
        if (sign != "?" || !(std::cin >> x)) refuse("neither a question nor a word");
        if (asked == 20) refuse("more than 20 questions");
        std::cout << (number < x ? "less" : number > x ? "more" : "equal") << std::endl;
    }
    refuse("no word on the first visit");
}
