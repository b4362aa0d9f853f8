// Leaves memory and messages for the next run.
#include "hostile.h"
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
int main(int argc, char **argv) {
    MUST_FAIL(shmget(77, 4096, IPC_CREAT | 0600));
    MUST_FAIL(semget(77, 1, IPC_CREAT | 0600));
    MUST_FAIL(msgget(77, IPC_CREAT | 0600));
    MUST_FAIL(syscall(SYS_mq_open, "x", O_CREAT | O_RDWR, 0600, 0));
    // A build has what dies with it: round two must not find what round one has left.
    if (argc > 1 && strcmp(argv[1], "build") == 0) {
        MUST_BE(open("/dev/shm/x", O_CREAT | O_EXCL | O_RDWR, 0600) >= 0);
    } else {
        MUST_FAIL(open("/dev/shm/x", O_CREAT | O_RDWR, 0600));
    }
    return verdict();
}
