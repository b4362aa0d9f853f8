// Prints all that a program might tell by which test it is given: what it is, where, as whom, with what.
#include "hostile.h"
int main(int argc, char **argv) {
    char cwd[64] = "";
    getcwd(cwd, sizeof cwd);
    printf("argc %d:", argc);
    for (int i = 0; i < argc; i++) printf(" %s", argv[i]);
    printf("\nparent %d, uid %d %d, gid %d %d, cwd %s, env", getppid(), getuid(), geteuid(), getgid(), getegid(), cwd);
    for (char **e = environ; *e; e++) printf(" %s", *e);
    printf("\ndescriptors");
    for (int fd = 0; fd < 256; fd++) if (fcntl(fd, F_GETFD) != -1) printf(" %d:%x", fd, fcntl(fd, F_GETFL));
    struct rusage children;
    getrusage(RUSAGE_CHILDREN, &children);
    printf("\nchildren %ld %ld", (long)children.ru_utime.tv_usec, children.ru_minflt);
    for (int resource = 0; resource < RLIM_NLIMITS; resource++) {
        struct rlimit limit;
        getrlimit(resource, &limit);
        printf(" %ld/%ld", (long)limit.rlim_cur, (long)limit.rlim_max);
    }
    printf("\nclocks of the parent");
    for (int clock = -16; clock < -8; clock++) {
        struct timespec time = {0};
        printf(" %d %ld", clock_gettime(clock, &time), (long)time.tv_nsec);
    }
    struct stat in;
    fstat(0, &in);
    printf("\ninput %o %ld %ld", in.st_mode, (long)in.st_nlink, (long)in.st_size);
    puts("");
    return 0;
}
