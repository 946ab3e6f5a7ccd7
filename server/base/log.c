#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/utf8.h"

#define TEXT_SIZE 1024
#define HEAD_SIZE 64
#define LINE_SIZE (HEAD_SIZE + TEXT_SIZE * 4 + 1) /* a byte is at most "\xNN" */

static const char *const level_names[] = {
    [LOG_DEBUG] = "debug", [LOG_INFO] = "info", [LOG_WARN] = "warn", [LOG_ERROR] = "error"
};

static enum log_level lowest = LOG_INFO;

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

static void write_line(enum log_level level, const char *text, size_t len)
{
    char line[LINE_SIZE], at[CLOCK_RFC3339_SIZE];
    clock_rfc3339(clock_wall(clock_now()), at);
    size_t n = (size_t)snprintf(line, HEAD_SIZE, "%s %s ", at, level_names[level]);
    n += escape(text, len, line + n);
    line[n++] = '\n';

    ssize_t written;
    do
        written = write(STDERR_FILENO, line, n);
    while (written < 0 && errno == EINTR);
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
