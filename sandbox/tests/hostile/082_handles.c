// Opens files by handles that no path leads to.
#include "hostile.h"
int main(void) {
    struct { struct file_handle head; char room[128]; } handle;
    memset(&handle, 0, sizeof handle);
    handle.head.handle_bytes = 128;
    int mount;
    MUST_DENY(name_to_handle_at(AT_FDCWD, "/usr", &handle.head, &mount, 0));
    MUST_DENY(name_to_handle_at(AT_FDCWD, "/w", &handle.head, &mount, 0));
    handle.head.handle_bytes = 8;
    handle.head.handle_type = 1;
    for (uint32_t inode = 1; inode < 64; inode++) {
        memcpy(handle.head.f_handle, &inode, sizeof inode);
        int folder = open("/usr", O_RDONLY);
        MUST_DENY(open_by_handle_at(folder, &handle.head, O_RDONLY));
        close(folder);
        MUST_DENY(open_by_handle_at(AT_FDCWD, &handle.head, O_RDONLY));
    }
    return verdict();
}
