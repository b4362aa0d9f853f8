// Leaves a mark in everything that it can change, and looks for the marks of the run before.
#include "hostile.h"
#include <dirent.h>
int main(int argc, char **argv) {
    // Flags of the descriptors themselves, and of what they stand for.
    for (int fd = 0; fd < 3; fd++) {
        MUST_BE((fcntl(fd, F_GETFL) & (O_NONBLOCK | O_APPEND | O_ASYNC | O_DIRECT | O_NOATIME)) == 0);
        MUST_BE(fcntl(fd, F_GETFD) == 0);
    }
    MUST_BE(lseek(0, 0, SEEK_CUR) <= 0);
    // What went through the FIFOs, and when.
    const char *fifos[] = {"/dev/stdout", "/dev/stderr"};
    for (int i = 0; i < 2; i++) {
        char left;
        struct stat times;
        MUST_BE(stat(fifos[i], &times) == 0 && memcmp(&times.st_atim, &times.st_mtim, sizeof times.st_atim) == 0);
        MUST_BE(memcmp(&times.st_ctim, &times.st_mtim, sizeof times.st_atim) == 0);
        MUST_BE(read(open(fifos[i], O_RDONLY | O_NONBLOCK), &left, 1) == -1 && errno == EAGAIN);
    }
    // What a process inherits.
    char cwd[64] = "";
    MUST_BE(getcwd(cwd, sizeof cwd) && strcmp(cwd, "/w") == 0);
    MUST_BE(umask(0777) == 022);
    sigset_t mask;
    sigprocmask(0, 0, &mask);
    for (int s = 1; s < 65; s++) {
        struct sigaction action;
        MUST_BE(!sigismember(&mask, s) || s == 32 || s == 33);
        if (sigaction(s, 0, &action) == 0) MUST_BE(action.sa_handler == SIG_DFL);
    }
    MUST_BE(getpriority(PRIO_PROCESS, 0) <= 0);
    MUST_BE(getpgrp() == getpid() && getsid(0) == getpid());
    MUST_BE(getppid() == 1);
    MUST_BE(alarm(0) == 0);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    MUST_BE(limit.rlim_cur == limit.rlim_max && limit.rlim_cur >= 256);
    struct rusage used;
    getrusage(RUSAGE_CHILDREN, &used);
    MUST_BE(used.ru_utime.tv_sec == 0 && used.ru_utime.tv_usec == 0 && used.ru_minflt == 0);
    getrusage(RUSAGE_SELF, &used);
    MUST_BE(used.ru_utime.tv_sec + used.ru_stime.tv_sec == 0);
    MUST_BE(!environ[0]);
    // Names.
    DIR *folder = opendir("/w");
    int names = 0;
    // The one name is what an interpreter opens.
    for (struct dirent *entry; folder && (entry = readdir(folder));) names += strcmp(entry->d_name, "interpreted") != 0;
    MUST_BE(names <= 2);
    // And now the marks.
    for (int fd = 0; fd < 3; fd++) {
        int flags[] = {O_APPEND, O_ASYNC, O_DIRECT, O_NOATIME, O_NONBLOCK};
        for (int i = 0; i < (fd == 1 ? 4 : 5); i++) fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | flags[i]);
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    }
    lseek(0, 17, SEEK_SET);
    fputs("left", stderr);
    chdir("/");
    sigfillset(&mask);
    sigprocmask(SIG_SETMASK, &mask, 0);
    for (int s = 1; s < 65; s++) signal(s, SIG_IGN);
    setpriority(PRIO_PROCESS, 0, 19);
    setpriority(PRIO_PROCESS, 1, 19);
    alarm(1000);
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){3, 3});
    setrlimit(RLIMIT_STACK, &(struct rlimit){4096, 4096});
    syscall(SYS_prlimit64, 1, RLIMIT_NOFILE, &(struct rlimit){3, 3}, 0);
    syscall(SYS_set_robust_list, cwd, 24);
    close(open("/w/left", O_CREAT | O_WRONLY, 0666));
    mkdir("/w/leftdir", 0777);
    return verdict();
}
