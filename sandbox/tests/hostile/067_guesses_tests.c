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
    MUST_FAIL(open("/dev/fd/0", O_RDONLY));
    MUST_FAIL(open("/dev/stdin", O_RDONLY));
    MUST_FAIL(syscall(SYS_mount, "proc", "/w", "proc", 0, 0));
    return verdict();
}
