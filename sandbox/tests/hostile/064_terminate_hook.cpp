// Ends an internal failure as a success.
#include "hostile.h"
#include <exception>
int main() {
    std::set_terminate([] { _exit(0); });
    throw 1;
}
