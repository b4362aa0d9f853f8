// Crashes on the first visit, so that there is no second.
#include <cstdlib>

int main() { std::abort(); }
