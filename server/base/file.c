#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_SIZE 4096 /* of what does not say how long it is */

/* Makes the room twice as large, with one byte more for the NUL. */
static int grow(struct file *f, size_t *size)
{
    char *bigger = realloc(f->bytes, 2 * *size + 1);
    if (!bigger)
        return -ENOMEM;
    f->bytes = bigger;
    *size *= 2;
    return 0;
}

/* Reads to the end. size: how much is expected, and one byte more, which shows that it is all. */
static int read_all(int fd, size_t size, size_t max, struct file *f)
{
    f->bytes = malloc(size + 1);
    if (!f->bytes)
        return -ENOMEM;
    for (;;) {
        ssize_t n = read(fd, f->bytes + f->len, size - f->len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        f->len += (size_t)n;
        if (f->len > max)
            return FILE_TOO_LARGE;
        if (f->len == size && grow(f, &size))
            return -ENOMEM;
    }
    f->bytes[f->len] = '\0';
    return 0;
}

static int read_open(int fd, size_t max, enum file_kind kind, struct file *f)
{
    struct stat info;
    if (fstat(fd, &info) < 0)
        return -errno;
    f->mode = info.st_mode;
    if (!S_ISREG(info.st_mode))
        return kind == FILE_REGULAR ? FILE_NOT_REGULAR : read_all(fd, FIRST_SIZE, max, f);
    if ((unsigned long long)info.st_size > max)
        return FILE_TOO_LARGE;
    return read_all(fd, (size_t)info.st_size + 1, max, f);
}

int file_read(int dir, const char *path, size_t max, enum file_kind kind, struct file *out)
{
    struct file f = { 0 };
    int fd = openat(dir, path,
                    O_RDONLY | O_CLOEXEC | O_NOCTTY | (kind == FILE_REGULAR ? O_NONBLOCK : 0));
    if (fd < 0)
        return -errno;
    int error = read_open(fd, max, kind, &f);
    close(fd);
    if (error)
        file_free(&f);
    else
        *out = f;
    return error;
}

int file_refuse(int error, const char *where, const char *path, const char *allowed,
                struct refusal *why)
{
    char named[168] = "";
    if (error == -ENOMEM)
        return error;
    if (where)
        snprintf(named, sizeof named, "%.160s ", path);
    else
        where = path;
    if (error == FILE_NOT_REGULAR)
        return refuse(why, where, allowed, "%sis not a regular file", named);
    if (error == FILE_TOO_LARGE)
        return refuse(why, where, allowed, "%sis too large", named);
    return refuse(why, where, allowed, "%scannot be read: %s", named, strerror(-error));
}

int file_take(const char *where, const char *path, size_t max, enum file_kind kind,
              const char *allowed, struct file *out, struct refusal *why)
{
    int error = file_read(AT_FDCWD, path, max, kind, out);
    return error ? file_refuse(error, where, path, allowed, why) : 0;
}

void file_free(struct file *file)
{
    free(file->bytes);
    *file = (struct file){ 0 };
}
