// Stops itself.
#include "hostile.h"
int main(void) { kill(getpid(), SIGSTOP); for (;;) pause(); }
