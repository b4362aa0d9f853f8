// Guesses where tests, answers, other processes and the judge might be.
#include "hostile.h"
int main(void) {
    const char *folders[] = {"", "/", "/w/", "/w/../", "../", "../../", "../../../../../../", "/problems/", "/data/",
                             "/home/judge/", "/var/lib/judge/", "/tmp/", "/work/", "/mnt/", "/srv/", "/opt/"};
    const char *names[] = {"1.in", "1.out", "1.ans", "01.in", "data/secret/1.ans", "secret/1.ans", "test1.out", "input",
                           "answer", "output.txt", "input.txt", "problem.yaml", "config.yaml", "judge.log", "main.c"};
    char path[256];
    for (unsigned i = 0; i < sizeof folders / sizeof *folders; i++)
        for (unsigned j = 0; j < sizeof names / sizeof *names; j++) {
            snprintf(path, sizeof path, "%s%s", folders[i], names[j]);
            if (open(path, O_RDONLY) >= 0) { printf("ESCAPED %s\n", path); escaped = 1; }
        }
    const char *links[] = {"cwd", "root", "fd/0", "fd/3", "environ", "mem", "maps", "exe", "task", "ns/mnt", "map_files",
                           "cmdline", "status", "stat", "mountinfo", "cgroup", "fdinfo/0", "stack", "auxv"};
    const char *who[] = {"self", "thread-self", "1", "2", "3", "100", "self/task/1"};
    for (unsigned i = 0; i < sizeof who / sizeof *who; i++)
        for (unsigned j = 0; j < sizeof links / sizeof *links; j++) {
            snprintf(path, sizeof path, "/proc/%s/%s", who[i], links[j]);
            if (open(path, O_RDONLY) >= 0) { printf("ESCAPED %s\n", path); escaped = 1; }
            if (readlink(path, path, sizeof path) >= 0) { printf("ESCAPED %s\n", path); escaped = 1; }
        }
    // The input has a name, and nothing can be left in it or about it.
    MUST_FAIL(open("/dev/fd/0", O_RDWR));
    MUST_FAIL(open("/dev/stdin", O_WRONLY));
    MUST_FAIL(open("/dev/stdin", O_RDONLY | O_TRUNC));
    MUST_FAIL(truncate("/dev/stdin", 0));
    MUST_FAIL(chmod("/dev/stdin", 0666));
    MUST_FAIL(utimensat(AT_FDCWD, "/dev/stdin", NULL, 0));
    MUST_FAIL(syscall(SYS_setxattr, "/dev/stdin", "user.x", "x", 1, 0));
    MUST_FAIL(unlink("/dev/stdin"));
    MUST_FAIL(rename("/dev/stdin", "/dev/x"));
    MUST_FAIL(link("/dev/stdin", "/w/x"));
    // So has the output, and nothing can be left about it.
    int named = open("/dev/fd/1", O_WRONLY | O_CREAT | O_TRUNC, 0666);
    MUST_BE(named >= 0);
    MUST_FAIL(fchmod(named, 0666));
    MUST_FAIL(futimens(named, NULL));
    MUST_FAIL(fchmod(2, 0666));
    MUST_FAIL(futimens(2, NULL));
    MUST_FAIL(chmod("/dev/stdout", 0666));
    MUST_FAIL(utimensat(AT_FDCWD, "/dev/stdout", NULL, 0));
    MUST_FAIL(syscall(SYS_setxattr, "/dev/stdout", "user.x", "x", 1, 0));
    MUST_FAIL(unlink("/dev/stdout"));
    MUST_FAIL(rename("/dev/stdout", "/dev/x"));
    MUST_FAIL(link("/dev/stdout", "/w/x"));
    MUST_FAIL(open("/dev/fd/3", O_RDONLY));
    MUST_FAIL(syscall(SYS_mount, "proc", "/w", "proc", 0, 0));
    return verdict();
}
