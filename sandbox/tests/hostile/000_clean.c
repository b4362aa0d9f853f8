// The program that must run the same after every attack.
#include "hostile.h"
int main(void) { return verdict(); }
