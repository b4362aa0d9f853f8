// The package's driver takes the place of this one.
#include <cstdio>
int main() { puts("forged"); }
