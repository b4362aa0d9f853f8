// Burns in eight threads.
#include "hostile.h"
static void *burn(void *p) { for (;;) ; return p; }
int main(void) {
    pthread_t t;
    for (int i = 0; i < 8; i++) if (pthread_create(&t, 0, burn, 0)) puts("thread denied");
    burn(0);
}
