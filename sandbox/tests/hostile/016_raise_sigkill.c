// Sends SIGKILL to itself, as if a limit had.
#include "hostile.h"
int main(void) { kill(getpid(), SIGKILL); for (;;) pause(); }
