// Burns before its main function begins, in the resolver of a symbol and in a constructor.
#include "hostile.h"
static void nothing(void) {}
static void (*resolve(void))(void) { for (volatile long i = 0; i < 1L << 62; i++) ; return nothing; }
void early(void) __attribute__((ifunc("resolve")));
__attribute__((constructor)) static void first(void) { for (;;) ; }
int main(void) { early(); puts("ESCAPED"); }
