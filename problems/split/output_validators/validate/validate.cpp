// Accepts every split of n into the jury's number of different positive integers.
#include "validate.h"

#include <set>

int main(int argc, char** argv) {
    // input, answer, feedback directory, and the package's flags.
    if (argc != 6 || std::string(argv[4]) != "largest") return 1;
    std::ifstream input(argv[1]), answer(argv[2]);
    feedback = argv[3];
    const long long largest = std::stoll(argv[5]);
    long long n, most;
    if (!(input >> n) || !(answer >> most)) return 1;

    long long count;
    if (!(std::cin >> count)) refuse("there is no number of parts");
    if (count != most) refuse("claims " + std::to_string(count) + " parts instead of " + std::to_string(most));
    std::set<long long> parts;
    long long sum = 0;
    for (long long index = 1; index <= count; index++) {
        long long part;
        if (!(std::cin >> part)) refuse("part " + std::to_string(index) + " is missing or no number");
        if (part < 1 || part > largest) refuse("part " + std::to_string(index) + " is out of range");
        if (!parts.insert(part).second) refuse("part " + std::to_string(index) + " is there twice");
        sum += part;
    }
    if (sum != n) refuse("the parts sum up to " + std::to_string(sum));
    std::string rest;
    if (std::cin >> rest) refuse("there is more output than parts");
    accept("a split into " + std::to_string(count) + " parts");
}
