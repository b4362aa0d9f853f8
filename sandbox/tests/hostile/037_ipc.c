// Leaves memory and messages for the next run.
#include "hostile.h"
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
int main(void) {
    MUST_FAIL(shmget(77, 4096, IPC_CREAT | 0600));
    MUST_FAIL(semget(77, 1, IPC_CREAT | 0600));
    MUST_FAIL(msgget(77, IPC_CREAT | 0600));
    MUST_FAIL(syscall(SYS_mq_open, "x", O_CREAT | O_RDWR, 0600, 0));
    MUST_FAIL(open("/dev/shm/x", O_CREAT | O_RDWR, 0600));
    return verdict();
}
