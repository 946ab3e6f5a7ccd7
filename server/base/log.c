#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/utf8.h"

#define TEXT_SIZE 1000
#define HEAD_SIZE 64
#define LINE_SIZE (HEAD_SIZE + TEXT_SIZE * 4 + 1) /* a byte is at most "\xNN" */

static_assert(LINE_SIZE <= PIPE_BUF, "a pipe takes a line whole or not at all");

static const char *const level_names[] = {
    [LOG_DEBUG] = "debug", [LOG_INFO] = "info", [LOG_WARN] = "warn", [LOG_ERROR] = "error"
};

static enum log_level lowest = LOG_INFO;
static unsigned long dropped; /* lines, since the last one that was written */

void log_set_level(enum log_level level)
{
    lowest = level;
}

/* C0, DEL, and C1, which some terminals obey too. */
static bool is_control(const uint8_t *p, size_t len)
{
    return p[0] < 0x20 || p[0] == 0x7f || (len == 2 && p[0] == 0xc2 && p[1] < 0xa0);
}

/* Copies text with its control characters, and bytes that are not UTF-8, as \n, \xNN. */
static size_t escape(const char *text, size_t n, char *out)
{
    size_t used = 0;
    for (size_t i = 0; i < n;) {
        const uint8_t *p = (const uint8_t *)text + i;
        size_t len = utf8_sequence(p, n - i);
        if (len && !is_control(p, len)) {
            memcpy(out + used, p, len);
            used += len;
            i += len;
            continue;
        }
        if (*p == '\n')
            used += (size_t)sprintf(out + used, "\\n");
        else
            used += (size_t)sprintf(out + used, "\\x%02x", *p);
        i++;
    }
    return used;
}

/* Writes without waiting. stderr may be shared with other programs, so it is not made non-blocking,
 * but asked each time: a socket and a pipe by the call itself, where the kernel can, anything else
 * beforehand. A pipe or terminal that takes anything takes PIPE_BUF bytes. */
static bool write_now(const char *line, size_t n)
{
    struct stat is;
    struct iovec all = { (void *)line, n };
    struct pollfd can = { .fd = STDERR_FILENO, .events = POLLOUT };
    ssize_t written = -1;
    if (fstat(STDERR_FILENO, &is) != 0)
        return false;
    if (S_ISSOCK(is.st_mode))
        return send(STDERR_FILENO, line, n, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)n;
    if (S_ISFIFO(is.st_mode)) {
        written = pwritev2(STDERR_FILENO, &all, 1, -1, RWF_NOWAIT);
        if (written >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS && errno != EINVAL))
            return written == (ssize_t)n;
    }
    if (!S_ISREG(is.st_mode) && (poll(&can, 1, 0) != 1 || !(can.revents & POLLOUT)))
        return false;
    do
        written = write(STDERR_FILENO, line, n);
    while (written < 0 && errno == EINTR);
    return written == (ssize_t)n;
}

static size_t write_head(enum log_level level, char line[HEAD_SIZE])
{
    char at[CLOCK_RFC3339_SIZE];
    clock_rfc3339(clock_wall(clock_now()), at);
    return (size_t)snprintf(line, HEAD_SIZE, "%s %s ", at, level_names[level]);
}

/* Says that lines are missing, if any are. False: that could not be written either. */
static bool tell_dropped(void)
{
    char line[HEAD_SIZE + 64];
    if (!dropped)
        return true;
    size_t n = write_head(LOG_WARN, line);
    n += (size_t)snprintf(line + n, sizeof line - n,
                          "lines dropped because stderr took no more: %lu\n", dropped);
    if (!write_now(line, n))
        return false;
    dropped = 0;
    return true;
}

static void write_line(enum log_level level, const char *text, size_t len)
{
    char line[LINE_SIZE];
    size_t n = write_head(level, line);
    n += escape(text, len, line + n);
    line[n++] = '\n';
    if (!tell_dropped() || !write_now(line, n))
        dropped++;
}

/* One entry. A text that is too long ends with "..."; errno is left as it was. */
__attribute__((format(printf, 3, 0))) static void
write_entry(enum log_level level, unsigned left_out, const char *format, va_list args)
{
    int saved = errno;
    char text[TEXT_SIZE], tail[48] = "";
    size_t tail_len = 0;
    if (left_out)
        tail_len = (size_t)snprintf(tail, sizeof tail, " (%u more left out)", left_out);

    int n = vsnprintf(text, TEXT_SIZE, format, args);
    size_t len = n > 0 ? (size_t)n : 0;
    size_t room = TEXT_SIZE - 1 - tail_len;
    if (len > room) {
        len = room;
        memcpy(text + len - 3, "...", 3);
    }
    memcpy(text + len, tail, tail_len);
    write_line(level, text, len + tail_len);
    errno = saved;
}

void log_end(void)
{
    int saved = errno;
    tell_dropped();
    errno = saved;
}

void log_line(enum log_level level, const char *format, ...)
{
    if (level < lowest)
        return;
    va_list args;
    va_start(args, format);
    write_entry(level, 0, format, args);
    va_end(args);
}

void log_sometimes(struct log_gate *gate, enum log_level level, const char *format, ...)
{
    if (level < lowest)
        return;
    int64_t now = clock_now();
    if (now < gate->next) {
        gate->left_out++;
        return;
    }
    va_list args;
    va_start(args, format);
    write_entry(level, gate->left_out, format, args);
    va_end(args);
    gate->next = now + NS_PER_S;
    gate->left_out = 0;
}
