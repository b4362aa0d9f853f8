// Sends SIGXFSZ to itself, as if a limit had.
#include "hostile.h"
int main(void) { kill(getpid(), SIGXFSZ); for (;;) pause(); }
