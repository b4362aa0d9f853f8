// Its main thread ends; another goes on burning.
#include "hostile.h"
static void *burn(void *p) { for (;;) ; return p; }
int main(void) { pthread_t t; if (pthread_create(&t, 0, burn, 0)) burn(0); pthread_exit(0); }
