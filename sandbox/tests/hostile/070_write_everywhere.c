// Writes wherever it can name a place.
#include "hostile.h"
int main(void) {
    const char *paths[] = {"/x", "/usr/x", "/usr/bin/x", "/dev/x", "/tmp/x", "/var/tmp/x", "/dev/shm/x", "/w/x", "x", "/etc/x"};
    for (unsigned i = 0; i < sizeof paths / sizeof *paths; i++) {
        MUST_FAIL(open(paths[i], O_CREAT | O_WRONLY, 0600));
        MUST_FAIL(mkdir(paths[i], 0700));
        MUST_FAIL(symlink("/etc/passwd", paths[i]));
    }
    MUST_FAIL(unlink("/w/self"));
    MUST_FAIL(open("/usr/bin/env", O_WRONLY));
    MUST_FAIL(chmod("/w", 0777));
    return verdict();
}
