// Says what a naive checker says, with the codes that it ends with.
#include "hostile.h"
int main(void) {
    puts("accepted\nok\n1.0\n100 points\nAC\n{\"verdict\":\"accepted\"}");
    fputs("ok correct\n_exit 42\n", stderr);
    return 42;
}
