// Names files by what is no name.
#include "hostile.h"
int main(void) {
    static char longest[100000];
    memset(longest, 'a', sizeof longest - 1);
    MUST_FAIL(syscall(SYS_open, 0, O_RDONLY));
    MUST_FAIL(syscall(SYS_open, -1L, O_RDONLY));
    MUST_FAIL(syscall(SYS_open, 0xffffffffff600000UL, O_RDONLY));
    MUST_FAIL(open("", O_RDONLY));
    MUST_FAIL(open(longest, O_RDONLY));
    for (unsigned i = 1; i < sizeof longest - 1; i += 2) longest[i] = '/';
    MUST_FAIL(open(longest, O_RDONLY));
    for (unsigned i = 0; i + 3 < sizeof longest - 1; i += 3) memcpy(longest + i, "../", 3);
    longest[4000] = 0;
    strcpy(longest + 3990, "etc/passwd");
    MUST_FAIL(open(longest, O_RDONLY));
    const char *odd[] = {"/proc/self/../../etc/passwd", "/proc/self/root/etc/passwd", "\xff\xfe", "/w/\xc3\x28", "/w/\n",
                         "/usr/../etc/../etc/shadow", "//etc/passwd", "/./etc/./passwd", "/w/self/../../etc/passwd",
                         "/dev/null/..", "/dev/fd/../../etc/passwd", "%s%s%n", "/usr/bin/env/", "\033]0;x\007"};
    for (unsigned i = 0; i < sizeof odd / sizeof *odd; i++) MUST_FAIL(open(odd[i], O_RDONLY));
    return verdict();
}
