/* The log is read back through a socket of packets put in the place of stderr, so that each
 * write(2) is one packet. Refusals, which end up in the log as often, are tested here too. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/refusal.h"

static int reader;
static char line[65536];

static int stderr_to_a_socket(void **state)
{
    int pair[2];
    static int real_stderr = -1;
    if (real_stderr < 0)
        real_stderr = dup(STDERR_FILENO);
    if (*state == &reader) { /* back again */
        close(reader);
        return dup2(real_stderr, STDERR_FILENO) < 0;
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair))
        return -1;
    reader = pair[0];
    *state = &reader;
    int r = dup2(pair[1], STDERR_FILENO);
    close(pair[1]);
    log_set_level(LOG_INFO);
    log_end(); /* of the test before */
    recv(reader, line, sizeof line, 0);
    return r < 0;
}

/* The next line's text behind its time, with its newline; "" when nothing was written. */
static const char *next_line(void)
{
    ssize_t n = recv(reader, line, sizeof line - 1, 0);
    if (n <= 0)
        return "";
    line[n] = '\0';
    assert_true(n > CLOCK_RFC3339_SIZE);
    assert_int_equal(line[n - 1], '\n');
    assert_ptr_equal(strchr(line, '\n'), line + n - 1);
    assert_int_equal(line[10], 'T');
    assert_int_equal(line[26], 'Z');
    assert_int_equal(line[27], ' ');
    return line + CLOCK_RFC3339_SIZE;
}

static void an_entry_is_one_write_with_time_and_level(void **state)
{
    log_line(LOG_INFO, "hello %d", 7);
    assert_string_equal(next_line(), "info hello 7\n");
    log_warn("w");
    assert_string_equal(next_line(), "warn w\n");
    log_error("e");
    assert_string_equal(next_line(), "error e\n");
    assert_string_equal(next_line(), "");
}

static void entries_below_the_level_are_not_written(void **state)
{
    log_debug("quiet");
    assert_string_equal(next_line(), "");
    log_set_level(LOG_DEBUG);
    log_debug("loud");
    assert_string_equal(next_line(), "debug loud\n");
    log_set_level(LOG_ERROR);
    log_warn("quiet");
    struct log_gate gate = { 0 };
    log_sometimes(&gate, LOG_WARN, "quiet");
    assert_string_equal(next_line(), "");
    assert_int_equal(gate.left_out, 0);
}

static void quoted_input_cannot_forge_a_line_or_drive_a_terminal(void **state)
{
    static const struct {
        const char *in, *out;
    } table[] = {
        { "a\nb", "a\\nb" },
        { "\r\x1b[2J\x7f\x01", "\\x0d\\x1b[2J\\x7f\\x01" },
        { "caf\xc3\xa9 \xf0\x9f\x98\x80", "caf\xc3\xa9 \xf0\x9f\x98\x80" },
        { "\xc2\x9b"
          "2J \xc2\xa0",
          "\\xc2\\x9b2J \xc2\xa0" },
        { "\x9b"
          "2J \xff \xc3",
          "\\x9b2J \\xff \\xc3" },
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        char expected[128];
        snprintf(expected, sizeof expected, "info %s\n", table[i].out);
        log_info("%s", table[i].in);
        assert_string_equal(next_line(), expected);
    }
}

static void a_long_entry_is_cut_and_says_so(void **state)
{
    char text[5000];
    memset(text, '\x01', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    log_info("%s", text);
    const char *got = next_line();
    assert_string_equal(got + strlen(got) - 8, "\\x01...\n");

    struct log_gate gate = { .left_out = 12 };
    log_sometimes(&gate, LOG_INFO, "%s", text);
    got = next_line();
    const char *end = "\\x01... (12 more left out)\n";
    assert_string_equal(got + strlen(got) - strlen(end), end);
}

static void a_gate_lets_one_entry_a_second_through_and_counts_the_rest(void **state)
{
    static struct log_gate gate;
    for (int i = 0; i < 100; i++)
        log_sometimes(&gate, LOG_INFO, "entry %d", i);
    assert_string_equal(next_line(), "info entry 0\n");
    assert_string_equal(next_line(), "");
    assert_int_equal(gate.left_out, 99);

    gate.next -= NS_PER_S; /* a second later */
    log_sometimes(&gate, LOG_INFO, "later");
    assert_string_equal(next_line(), "info later (99 more left out)\n");
    assert_int_equal(gate.left_out, 0);

    struct log_gate other = { 0 };
    log_sometimes(&other, LOG_INFO, "elsewhere");
    assert_string_equal(next_line(), "info elsewhere\n");
}

static void logging_leaves_errno_alone_and_never_waits(void **state)
{
    errno = EDOM;
    for (int i = 0; i < 10000; i++) /* more than the socket holds */
        log_info("entry %s", strerror(EDOM));
    assert_int_equal(errno, EDOM);
    assert_string_equal(next_line(), "info entry Numerical argument out of domain\n");
}

/* Fills a pipe that others may hold, too, and so stays blocking. */
static size_t fill(int fd)
{
    char some[PIPE_BUF] = { 0 };
    size_t n = 0;
    while (poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, 0) == 1)
        n += (size_t)write(fd, some, sizeof some);
    return n;
}

/* What a pipe holds from its at-th byte on, as text. */
static const char *drain(int fd, size_t at)
{
    size_t n = 0;
    while (poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 0) == 1) {
        ssize_t got = read(fd, line + n, sizeof line - 1 - n);
        if (got <= 0)
            break;
        size_t skip = (size_t)got < at ? (size_t)got : at;
        memmove(line + n, line + n + skip, (size_t)got - skip);
        at -= skip;
        n += (size_t)got - skip;
    }
    line[n] = '\0';
    return line;
}

static void lines_that_a_full_pipe_does_not_take_are_dropped_and_counted(void **state)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    size_t full = fill(ends[1]);
    alarm(20); /* it would wait for ever */
    errno = EDOM;
    for (int i = 0; i < 1000; i++)
        log_info("lost %d", i);
    assert_int_equal(errno, EDOM);
    assert_string_equal(drain(ends[0], full), "");
    log_info("after");
    const char *got = drain(ends[0], 0), *second = strchr(got, '\n') + 1;
    assert_string_equal(strchr(got + CLOCK_RFC3339_SIZE, '\n'), second - 1);
    const char *told = "warn lines dropped because stderr took no more: 1000\n";
    assert_memory_equal(got + CLOCK_RFC3339_SIZE, told, strlen(told));
    assert_string_equal(second + CLOCK_RFC3339_SIZE, "info after\n");
    log_info("and on");
    assert_string_equal(drain(ends[0], 0) + CLOCK_RFC3339_SIZE, "info and on\n");

    full = fill(ends[1]);
    log_info("lost");
    log_end(); /* is lost as well, and counted once */
    assert_string_equal(drain(ends[0], full), "");
    log_end();
    assert_string_equal(drain(ends[0], 0) + CLOCK_RFC3339_SIZE,
                        "warn lines dropped because stderr took no more: 1\n");
    log_end();
    assert_string_equal(drain(ends[0], 0), "");
    assert_false(fcntl(ends[1], F_GETFL) & O_NONBLOCK);
    alarm(0);
    close(ends[0]);
    close(ends[1]);
}

/* A line never needs more room than what a writable pipe has for sure. */
static void no_line_is_longer_than_a_pipe_takes_whole(void **state)
{
    char text[5000];
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    memset(text, '\x01', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    log_info("%s", text);
    const char *got = drain(ends[0], 0);
    assert_true(strlen(got) <= PIPE_BUF);
    assert_string_equal(got + strlen(got) - 4, "...\n");
    close(ends[0]);
    close(ends[1]);
}

static void a_refusal_says_where_what_and_what_is_allowed(void **state)
{
    struct refusal why;
    memset(&why, 'x', sizeof why);
    assert_int_equal(refuse(&why, "$.rules[0].after", "a duration", "%d is a number", 7),
                     BAD_INPUT);
    assert_string_equal(why.where, "$.rules[0].after");
    assert_string_equal(why.what, "7 is a number");
    assert_string_equal(why.allowed, "a duration");

    assert_int_equal(refuse(&why, "--https", NULL, "%s", why.what), BAD_INPUT);
    assert_string_equal(why.what, "7 is a number");
    assert_string_equal(why.allowed, "");
    assert_int_equal(refuse(NULL, "--https", NULL, "nobody asks"), BAD_INPUT);
}

static void a_refusal_too_long_is_cut_between_characters(void **state)
{
    char text[2000];
    for (size_t shift = 0; shift < 4; shift++) {
        memset(text, 'x', sizeof text);
        for (size_t i = shift; i + 4 < sizeof text; i += 4)
            memcpy(text + i, "\xf0\x9f\x98\x80", 4);
        text[sizeof text - 1] = '\0';
        struct refusal why;
        refuse(&why, text, text, "%s", text);
        size_t room[] = { sizeof why.where - 1, sizeof why.what - 1, sizeof why.allowed - 1 };
        const char *cut[] = { why.where, why.what, why.allowed };
        for (int i = 0; i < 3; i++)
            assert_int_equal(strlen(cut[i]), shift + (room[i] - shift) / 4 * 4);
    }

    struct refusal why;
    refuse(&why, "", NULL, "%s", "caf\xc3\xa9");
    assert_string_equal(why.what, "caf\xc3\xa9");
    refuse(&why, "", NULL, "%s", "\x80\x80");
    assert_string_equal(why.what, "\x80\x80");
}

#define LOG_TEST(test) cmocka_unit_test_setup_teardown(test, stderr_to_a_socket, stderr_to_a_socket)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOG_TEST(an_entry_is_one_write_with_time_and_level),
        LOG_TEST(entries_below_the_level_are_not_written),
        LOG_TEST(quoted_input_cannot_forge_a_line_or_drive_a_terminal),
        LOG_TEST(a_long_entry_is_cut_and_says_so),
        LOG_TEST(a_gate_lets_one_entry_a_second_through_and_counts_the_rest),
        LOG_TEST(logging_leaves_errno_alone_and_never_waits),
        LOG_TEST(lines_that_a_full_pipe_does_not_take_are_dropped_and_counted),
        LOG_TEST(no_line_is_longer_than_a_pipe_takes_whole),
        cmocka_unit_test(a_refusal_says_where_what_and_what_is_allowed),
        cmocka_unit_test(a_refusal_too_long_is_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
