// Stays under the cap and replaces what dies.
#include "hostile.h"
int main(void) {
    for (;;) { pid_t child = fork(); if (child > 0) _exit(0); }
}
