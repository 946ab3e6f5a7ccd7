/* log.h - what the server says about itself, one line an entry, on stderr. It waits for nobody:
 * what stderr does not take at once (a pipe or a terminal that nobody reads) is dropped, and the
 * next line that gets through says how many were.
 */
#pragma once

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* Entries below this level are not written. Default LOG_INFO. */
void log_set_level(enum log_level level);

/* Writes "<RFC 3339 time> <level> <text>\n", at most PIPE_BUF bytes, at once. Control characters in
 * the text are escaped, so that input quoted in it cannot forge a line. */
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* As log_line, but at most one entry a second from each place: *gate is the place's own static
 * variable, zero at first. The next entry says how many were left out. */
struct log_gate {
    long long next;
    unsigned left_out;
};
void log_sometimes(struct log_gate *gate, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The process is about to end: says how many lines were dropped, if that can be written by now. */
void log_end(void);

#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)
#define log_info(...)  log_line(LOG_INFO, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
