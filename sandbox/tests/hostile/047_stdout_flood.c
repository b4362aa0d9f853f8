// Writes for ever.
#include "hostile.h"
int main(void) { static char page[65536]; for (;;) if (write(1, page, sizeof page) < 0) return 1; }
