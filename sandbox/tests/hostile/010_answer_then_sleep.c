// Prints an answer, then waits for ever.
#include "hostile.h"
int main(void) { puts("42"); fflush(stdout); for (;;) sleep(1000); }
