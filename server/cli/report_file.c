#include "cli/report_file.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int report_file_refuse(struct refusal *why, const char *option, const char *path, int error)
{
    return refuse(why, option, "a file that can be written", "%.160s: %s", path, strerror(error));
}

int report_file_close(FILE *file, const char *option, const char *path, struct refusal *why)
{
    struct stat is;
    bool regular = fstat(fileno(file), &is) == 0 && S_ISREG(is.st_mode);
    int error = fflush(file) != 0 || ferror(file) ? (errno ? errno : EIO) : 0;
    if (fclose(file) != 0 && !error)
        error = errno;
    if (!error)
        return 0;
    if (regular)
        unlink(path);
    return report_file_refuse(why, option, path, error);
}

int report_file_write(const char *option, const char *path, const char *how, const struct buf *text,
                      struct refusal *why)
{
    FILE *file = fopen(path, how);
    if (!file)
        return report_file_refuse(why, option, path, errno);
    errno = 0;
    fwrite(buf_bytes(text), 1, buf_len(text), file);
    return report_file_close(file, option, path, why);
}
