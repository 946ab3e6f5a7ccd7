#include "cli/standard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/auxv.h>
#include <unistd.h>

static bool was_closed(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0)
        return errno == EBADF;
    /* In a program with file capabilities the C library has filled the gap already, with something
     * that cannot be used in the right direction. */
    return getauxval(AT_SECURE) &&
           (flags & O_ACCMODE) == (fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

int standard_open(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (!was_closed(fd))
            continue;
        int null = open("/dev/null", O_RDWR); /* the lowest number that is free */
        if (null < 0 || (null != fd && dup2(null, fd) < 0))
            return -errno;
        if (null != fd)
            close(null);
    }
    return 0;
}

int standard_flush(void)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 0;
    if (errno)
        return -errno;
    /* It failed earlier, and stdio has not kept why: what becomes of an octet more tells. */
    return write(STDOUT_FILENO, "\n", 1) < 0 ? -errno : -EIO;
}

void standard_write(const struct buf *text, FILE *to)
{
    if (buf_len(text))
        fwrite(buf_bytes(text), 1, buf_len(text), to);
}
