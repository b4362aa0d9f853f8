// Writes its answer, and crashes while it is torn down.
#include "hostile.h"
struct Bomb { ~Bomb() { raise(SIGSEGV); } } bomb;
int main() { puts("42"); fflush(stdout); return 0; }
