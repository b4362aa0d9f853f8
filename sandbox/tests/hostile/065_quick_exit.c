// Writes its answer and ends past all handlers, with a code.
#include "hostile.h"
static void never(void) { puts("ESCAPED"); fflush(stdout); }
static void code(void) { _exit(7); }
int main(void) { puts("42"); fflush(stdout); atexit(never); at_quick_exit(code); quick_exit(0); }
