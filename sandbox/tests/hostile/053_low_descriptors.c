// Closes its three descriptors and opens files in their places.
#include "hostile.h"
int main(int argc, char **argv) {
    close(0);
    close(1);
    close(2);
    const char *path = IN_RUN(argc, argv) ? "/dev/null" : "/w/x";
    for (int i = 0; i < 3; i++)
        if (open(path, O_RDWR | O_CREAT, 0600) != i) return 1;
    for (int i = 0; i < 3; i++)
        if (write(i, "ESCAPED\n", 8) != 8) return 2;
    return 0;
}
