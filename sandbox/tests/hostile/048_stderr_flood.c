// Writes 32 MiB of complaints.
#include "hostile.h"
int main(void) { static char page[65536]; for (int i = 0; i < 512; i++) write(2, page, sizeof page); return verdict(); }
