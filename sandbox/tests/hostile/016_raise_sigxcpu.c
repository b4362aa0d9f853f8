// Sends SIGXCPU to itself, as if a limit had.
#include "hostile.h"
int main(void) { kill(getpid(), SIGXCPU); for (;;) pause(); }
