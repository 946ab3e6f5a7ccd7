#include "wire/filter.h"

#include <errno.h>
#include <linux/filter.h>
#include <sys/socket.h>

int filter_drop_all(int fd)
{
    struct sock_filter drop_all = BPF_STMT(BPF_RET | BPF_K, 0);
    struct sock_fprog program = { .len = 1, .filter = &drop_all };
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0 ? -errno : 0;
}

int filter_none(int fd)
{
    int ignored = 0;
    if (setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &ignored, sizeof ignored) == 0 ||
        errno == ENOENT)
        return 0;
    return -errno;
}
