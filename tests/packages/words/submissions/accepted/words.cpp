#include <cctype>
#include <fstream>
#include <iostream>
#include <string>
int main(int argc, char **argv) {
    if (argc != 3) return 1;
    std::ifstream file("words.txt");
    std::istream &input = file ? (std::istream &)file : std::cin;
    std::string word, separator;
    while (input >> word) {
        for (char &letter : word) letter = argv[1] == std::string("upper") ? toupper(letter) : tolower(letter);
        std::cout << separator << word;
        separator = argv[2];
    }
    std::cout << "\n";
}
