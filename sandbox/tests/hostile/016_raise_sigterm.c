// Sends SIGTERM to itself, as if a limit had.
#include "hostile.h"
int main(void) { kill(getpid(), SIGTERM); for (;;) pause(); }
