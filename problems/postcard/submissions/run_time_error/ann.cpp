// Dies as Ann, so that Bob is never asked.
#include <cstdlib>

int main() { std::abort(); }
