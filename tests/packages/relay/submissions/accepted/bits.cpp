#include "relay.h"
std::string encode(long long number) {
    std::string word;
    for (; number > 0; number /= 2) word += number % 2 ? 'b' : 'a';
    return word;
}
long long decode(const std::string &word) {
    long long number = 0;
    for (size_t i = word.size(); i-- > 0;) number = number * 2 + (word[i] == 'b');
    return number;
}
