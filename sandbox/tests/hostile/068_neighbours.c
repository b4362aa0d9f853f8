// Looks for anything of other submissions in all places that might be shared.
#include "hostile.h"
#include <dirent.h>
static void only(const char *path, const char *allowed) {
    DIR *folder = opendir(path);
    if (!folder) return;
    for (struct dirent *entry; (entry = readdir(folder));) {
        char word[300];
        snprintf(word, sizeof word, " %s ", entry->d_name);
        if (!strstr(allowed, word)) { printf("ESCAPED %s/%s\n", path, entry->d_name); escaped = 1; }
    }
    closedir(folder);
}
int main(void) {
    only("/", " . .. dev etc bin lib lib64 usr tmp w ");
    only("/etc", " . .. alternatives ");
    only("/dev", " . .. full null random urandom zero ");
    only("/w", " . .. interpreted ");
    only("/tmp", " . .. ");
    only("/dev/shm", " . .. ");
    only("/var/tmp", " none ");
    only("/dev/mqueue", " none ");
    MUST_FAIL(open("/var", O_RDONLY));
    MUST_FAIL(open("/run", O_RDONLY));
    // For whoever comes next, where there is a place to leave it.
    close(open("/tmp/left", O_CREAT | O_WRONLY, 0666));
    close(open("/w/left", O_CREAT | O_WRONLY, 0666));
    close(open("/dev/shm/left", O_CREAT | O_WRONLY, 0666));
    return verdict();
}
