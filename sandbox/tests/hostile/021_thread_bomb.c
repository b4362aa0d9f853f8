// Makes threads until it cannot.
#include "hostile.h"
static void *wait_for_ever(void *p) { for (;;) pause(); return p; }
int main(void) {
    int made = 0;
    pthread_t t;
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 65536);
    while (made < 100000 && pthread_create(&t, &small, wait_for_ever, 0) == 0) made++;
    if (made > 64) escaped = 1;
    return verdict();
}
