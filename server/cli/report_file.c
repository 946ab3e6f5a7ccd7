#include "cli/report_file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/standard.h"

int report_file_try(const char *path)
{
    sigset_t all, before;
    int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC), error = fd < 0 ? errno : 0;
    if (fd < 0 && error == ENOENT) {
        sigfillset(&all);
        sigprocmask(SIG_BLOCK, &all, &before); /* none ends us while it is there */
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        error = fd < 0 ? errno : 0;
        if (fd >= 0)
            unlink(path);
        sigprocmask(SIG_SETMASK, &before, NULL);
    }
    if (fd >= 0)
        close(fd);
    bool later = error == ENXIO || /* a FIFO that nobody reads yet */
                 error == EEXIST;  /* a link to what is still to be made */
    return later ? 0 : error;
}

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

int report_file_write(const struct report_file *file, const struct buf *text, struct refusal *why)
{
    FILE *to = fopen(file->path, file->how);
    if (!to)
        return report_file_refuse(why, file->option, file->path, errno);
    errno = 0;
    standard_write(text, to);
    return report_file_close(to, file->option, file->path, why);
}

void report_file_kinds(const char *junit, const char *html, const char *markdown,
                       struct report_file out[REPORT_FILES])
{
    out[0] = (struct report_file){ "--junit", junit, "we", report_junit };
    out[1] = (struct report_file){ "--html", html, "we", report_html };
    out[2] = (struct report_file){ "--markdown", markdown, "ae", report_markdown };
}
