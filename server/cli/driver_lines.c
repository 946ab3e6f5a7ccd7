#include "cli/driver_lines.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"

#define REPORT "HANGUP_REPORT"

/* --- Lines */

/* What is wrong with it is said once, the first. */
static void broke(struct driver_lines *d, const char *what)
{
    char where[80];
    if (*d->broken.where)
        return;
    snprintf(where, sizeof where, "%s, line %u", d->from_out ? "stdout" : REPORT, d->lines + 1);
    refuse(&d->broken, where, "{\"driver\":1}, then {\"n\":1,\"step\":\"get\",\"ok\":true,...}",
           "%s", what);
}

static bool has_number(const json_t *line, const char *name)
{
    return json_is_integer(json_object_get(line, name));
}

/* Takes a line that is the driver's. */
static void take(struct driver_lines *d, const char *text, size_t len, const json_t *line)
{
    struct refusal why;
    if (*d->broken.where)
        return;
    if (!json_is_object(line))
        broke(d, "it is no JSON object");
    else if (d->lines == 0 && json_integer_value(json_object_get(line, "driver")) != 1)
        broke(d, "the first line is not {\"driver\":1}");
    else if (d->lines > 0 && !has_number(line, "n"))
        broke(d, "it has no number n");
    else if (d->lines == DRIVER_LINES_MAX)
        broke(d, "there are too many lines");
    if (*d->broken.where)
        return;
    int error = d->line(d->arg, text, len, &why);
    if (error > 0)
        broke(d, why.what);
    else if (error)
        broke(d, strerror(-error));
    d->requests += d->lines > 0;
    d->not_ok += d->lines > 0 && json_is_false(json_object_get(line, "ok"));
    d->lines++;
}

static void take_from_file(struct driver_lines *d, const char *text, size_t len)
{
    json_auto_t *line = NULL;
    if (len && text[len - 1] == '\r')
        len--;
    if (len == 0)
        return;
    if (json_read(text, len, REPORT, &line, NULL) != 0)
        line = NULL;
    take(d, text, len, line);
}

/* --- The file */

int driver_lines_open(struct driver_lines *d)
{
    const char *tmp = getenv("TMPDIR");
    int len = snprintf(d->dir, sizeof d->dir, "%s/hangup-report-XXXXXX",
                       tmp && tmp[0] == '/' && strlen(tmp) < 100 ? tmp : "/tmp");
    if (len < 0 || !mkdtemp(d->dir)) {
        d->dir[0] = '\0';
        return -errno;
    }
    snprintf(d->path, sizeof d->path, "%s/report", d->dir);
    int fd = open(d->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    close(fd);
    return 0;
}

/* What came since it was read last. Returns a descriptor, or -1: there is nothing. */
static int open_grown(struct driver_lines *d)
{
    struct stat about;
    int fd = open(d->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -1;
    if (fstat(fd, &about) == 0 && S_ISREG(about.st_mode) && about.st_size > d->offset)
        return fd;
    if (!S_ISREG(about.st_mode))
        broke(d, "it is no file any more");
    else if (about.st_size < d->offset)
        broke(d, "what was read of it has gone");
    close(fd);
    return -1;
}

/* Cuts whole lines off the front. */
static void cut_lines(struct driver_lines *d, struct buf *part,
                      void (*whole)(struct driver_lines *d, const char *line, size_t len))
{
    const char *end;
    while (buf_len(part) && (end = memchr(buf_bytes(part), '\n', buf_len(part)))) {
        size_t len = (size_t)(end - (const char *)buf_bytes(part));
        whole(d, (const char *)buf_bytes(part), len);
        buf_consume(part, len + 1);
    }
}

void driver_lines_read(struct driver_lines *d, bool over)
{
    char bytes[8192];
    ssize_t n;
    int fd = *d->broken.where ? -1 : open_grown(d);
    if (fd >= 0 && d->from_out)
        broke(d, "the report began on stdout, and continues in the file");
    while (fd >= 0 && !*d->broken.where &&
           (n = pread(fd, bytes, sizeof bytes, (off_t)d->offset)) > 0) {
        d->from_file = true;
        d->offset += n;
        buf_add(&d->part, bytes, (size_t)n);
        cut_lines(d, &d->part, take_from_file);
        if (buf_len(&d->part) > DRIVER_LINE_MAX || d->part.failed)
            broke(d, "it is too long");
    }
    if (fd >= 0)
        close(fd);
    if (over && buf_len(&d->part)) {
        take_from_file(d, (const char *)buf_bytes(&d->part), buf_len(&d->part));
        buf_consume(&d->part, buf_len(&d->part));
    }
}

/* --- stdout */

/* Is it one of the driver's? Then it is taken. */
static bool take_from_out(struct driver_lines *d, const char *text, size_t len)
{
    json_auto_t *line = NULL;
    if (d->from_file || len == 0 || text[0] != '{' || json_read(text, len, "", &line, NULL) != 0)
        return false;
    if (!d->from_out && !has_number(line, "driver"))
        return false;
    if (d->from_out && !has_number(line, "n"))
        return false;
    d->from_out = true;
    take(d, text, len, line);
    return true;
}

void driver_lines_out(struct driver_lines *d, const char *bytes, size_t len, struct buf *shown)
{
    while (len) {
        const char *end = memchr(bytes, '\n', len);
        size_t n = end ? (size_t)(end - bytes) + 1 : len;
        /* A line that is none of ours is shown as it comes, also in parts. */
        bool maybe = buf_len(&d->out_part) || bytes[0] == '{';
        if (d->out_in_line || !maybe || buf_len(&d->out_part) + n > DRIVER_LINE_MAX) {
            buf_add(shown, buf_bytes(&d->out_part), buf_len(&d->out_part));
            buf_consume(&d->out_part, buf_len(&d->out_part));
            buf_add(shown, bytes, n);
            d->out_in_line = !end;
        } else {
            buf_add(&d->out_part, bytes, n);
            if (end) {
                size_t whole = buf_len(&d->out_part);
                const char *line = (const char *)buf_bytes(&d->out_part);
                size_t text = whole - 1 - (whole > 1 && line[whole - 2] == '\r');
                if (!take_from_out(d, line, text))
                    buf_add(shown, line, whole);
                buf_consume(&d->out_part, whole);
            }
        }
        bytes += n;
        len -= n;
    }
}

void driver_lines_out_end(struct driver_lines *d, struct buf *shown)
{
    size_t len = buf_len(&d->out_part);
    if (len && !take_from_out(d, (const char *)buf_bytes(&d->out_part), len))
        buf_add(shown, buf_bytes(&d->out_part), len);
    buf_consume(&d->out_part, len);
}

void driver_lines_close(struct driver_lines *d)
{
    if (*d->path)
        unlink(d->path);
    if (*d->dir)
        rmdir(d->dir); /* what a driver has left there beside it stays */
    buf_free(&d->part);
    buf_free(&d->out_part);
    d->dir[0] = d->path[0] = '\0';
}
