// Answers guesses, as many as the package allows.
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>

static std::string feedback;

[[noreturn]] static void judge(int code, const std::string& message) {
    std::ofstream(feedback + "judgemessage.txt") << message << '\n';
    std::exit(code);
}

int main(int argc, char** argv) {
    // input, answer, feedback directory, and the package's flags.
    if (argc != 6 || std::string(argv[4]) != "guesses") return 1;
    feedback = argv[3];
    const int most = std::atoi(argv[5]);
    std::ifstream input(argv[1]);
    long long number;
    if (!(input >> number)) return 1;

    for (int count = 1; count <= most; count++) {
        std::string word;
        if (!(std::cin >> word)) judge(43, "no guess " + std::to_string(count));
        char* end;
        const long long guess = std::strtoll(word.c_str(), &end, 10);
        if (*end || guess < 1 || guess > 1000000000) judge(43, "guess " + std::to_string(count) + " is no number in range");
        if (guess == number) {
            std::cout << "correct" << std::endl;
            if (std::cin >> word) judge(43, "goes on after the right guess");
            judge(42, "guessed in " + std::to_string(count));
        }
        std::cout << (guess < number ? "higher" : "lower") << std::endl;
    }
    judge(43, "too many guesses");
}
