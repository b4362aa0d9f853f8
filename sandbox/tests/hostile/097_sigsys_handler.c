// Catches SIGSYS to survive a forbidden call.
#include "hostile.h"
static void on(int s) { (void)s; puts("ESCAPED"); }
int main(void) { signal(SIGSYS, on); syscall(0x40000000 | SYS_getpid); puts("ESCAPED"); }
