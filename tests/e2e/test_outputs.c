/* The standard descriptors: closed at the start, or not to be written to. */
#include "check.h"
#include "client.h"
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define END_MS 20000
#define FAILED 2 /* as for bad arguments: it cannot do what it was told */

static char state_dir[80];

static int setup(void **state)
{
    scratch_setup(state);
    snprintf(state_dir, sizeof state_dir, "%s/state", scratch);
    return 0;
}

/* A port that was free just now: without stdout nobody tells which one a server took. */
static const char *free_address(void)
{
    static char address[32];
    struct sockaddr_in name = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof name;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_return_code(bind(fd, (struct sockaddr *)&name, sizeof name), errno);
    assert_return_code(getsockname(fd, (struct sockaddr *)&name, &len), errno);
    close(fd);
    snprintf(address, sizeof address, "127.0.0.1:%u", ntohs(name.sin_port));
    return address;
}

static int scratch_file(const char *name, int flags)
{
    char path[128];

    snprintf(path, sizeof path, "%s/%s", scratch, name);
    int fd = open(path, flags | O_CLOEXEC, 0600);
    assert_return_code(fd, errno);
    return fd;
}

static size_t read_scratch(const char *name, char *out, size_t size)
{
    int fd = scratch_file(name, O_RDONLY);
    ssize_t n = read(fd, out, size - 1);

    close(fd);
    assert_true(n >= 0);
    out[n] = '\0';
    return (size_t)n;
}

/* --- Closed at the start */

static void close_some(void *arg)
{
    for (int fd = 0; fd < 3; fd++)
        if (*(const unsigned *)arg & (1u << fd))
            close(fd);
}

/* Where a descriptor of the process leads; "" when that cannot be known. */
static void leads_to(pid_t pid, int fd, char *out, size_t size)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, fd);
    ssize_t n = readlink(path, out, size - 1);
    out[n > 0 ? n : 0] = '\0';
}

static void serves_and_ends(unsigned closed)
{
    const char *admin = free_address();
    const char *const serve[] = { "serve",       "--https", "off", "--https1", "off",     "--http",
                                  "127.0.0.1:0", "--admin", admin, "--state",  state_dir, NULL };
    const char *const ask[] = { "healthcheck", "--admin", admin, "--wait", "20s", NULL };
    struct buf out = { .data = NULL }, err = { .data = NULL };
    int outs = scratch_file("out", O_WRONLY | O_CREAT | O_TRUNC);
    int log = scratch_file("log", O_WRONLY | O_CREAT | O_TRUNC);
    char text[4096], place[256];

    pid_t pid = server_spawn(serve, outs, log, close_some, &closed);
    close(outs);
    close(log);
    int status = server_run(ask, &out, &err);
    check(status == 0, "%u: no server: %s", closed, (const char *)buf_bytes(&err));
    buf_free(&out);
    buf_free(&err);
    for (int fd = 0; fd < 3; fd++) {
        leads_to(pid, fd, place, sizeof place);
        if (closed & (1u << fd))
            check(!*place || strcmp(place, "/dev/null") == 0, "%u: %d leads to %s", closed, fd,
                  place);
    }
    kill(pid, SIGTERM);
    status = server_await(pid, END_MS);
    check(status == 0, "%u: it ended with status %d", closed, status);

    /* Each of the two has its own lines, and no others. */
    size_t n = read_scratch("out", text, sizeof text);
    check(closed & 2 ? n == 0
                     : strncmp(text, "{\"ready\":", 9) == 0 && strchr(text, '\n') == text + n - 1,
          "%u: stdout: %s", closed, text);
    n = read_scratch("log", text, sizeof text);
    check(closed & 4 ? n == 0 : strstr(text, " info stopping on ") != NULL && !strchr(text, '{'),
          "%u: stderr: %s", closed, text);
}

static void any_of_the_three_may_be_closed_at_the_start(void **state)
{
    for (unsigned closed = 0; closed < 8; closed++)
        serves_and_ends(closed);
}

static void commands_do_with_any_of_them_closed(void **state)
{
    static const char *const commands[][4] = {
        { "--help" }, { "help", "serve" },       { "--version" },
        { "modes" },  { "modes", "--language" }, { "modes", "--cases" },
    };

    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        for (unsigned closed = 0; closed < 8; closed++) {
            int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
            pid_t pid = server_spawn(commands[i], null, null, close_some, &closed);
            close(null);
            int status = server_await(pid, END_MS);
            check(status == 0, "%s with %u closed: status %d", commands[i][0], closed, status);
        }
}

/* --- Not to be written to */

static void ignore_broken_pipes(void *arg)
{
    signal(SIGPIPE, SIG_IGN);
}

/* A pipe that nobody reads. */
static int broken_pipe(void)
{
    int ends[2];

    assert_return_code(pipe2(ends, O_CLOEXEC), errno);
    close(ends[0]);
    return ends[1];
}

static void refuses(const char *const *arguments, int out, const char *why)
{
    char text[8192];
    int log = scratch_file("log", O_WRONLY | O_CREAT | O_TRUNC);
    pid_t pid = server_spawn(arguments, out, log, ignore_broken_pipes, NULL);

    close(out);
    close(log);
    int status = server_await(pid, END_MS);
    if (status < 0) {
        kill(pid, SIGKILL);
        server_await(pid, END_MS);
    }
    size_t n = read_scratch("log", text, sizeof text);
    check(status == FAILED, "%s: status %d: %s", arguments[0], status, text);
    const char *last = memrchr(text, '\n', n ? n - 1 : 0);
    last = last ? last + 1 : text;
    check(strncmp(last, "hangup ", 7) == 0 && strstr(last, why), "%s: the last line is: %s",
          arguments[0], last);
}

static void what_cannot_be_written_to_stdout_is_an_error(void **state)
{
    static const char event[] = "{\"seq\":1,\"at\":\"2026-11-30T04:45:08.315257Z\",\"ms\":1.5,"
                                "\"event\":\"run_end\",\"reason\":\"finished\"}\n";
    char ledger[128];
    snprintf(ledger, sizeof ledger, "%s/ledger", scratch);
    const char *const commands[][16] = {
        { "serve", "--https", "127.0.0.1:0", "--https1", "127.0.0.1:0", "--http", "127.0.0.1:0",
          "--admin", "127.0.0.1:0", "--state", state_dir },
        { "--help" },
        { "-h" },
        { "help" },
        { "help", "modes" },
        { "serve", "--help" },
        { "--version" },
        { "modes" },
        { "modes", "nginx" },
        { "modes", "--json" },
        { "modes", "--language" },
        { "modes", "--cases" },
        { "modes", "--case", "1" },
        /* These have statuses of their own for what they found. */
        { "prove", "--mode", "normal", "--no-control", "--state", state_dir, "--", "true" },
        { "verdict", ledger },
        { "verdict", ledger, "--json" },
    };

    int fd = scratch_file("ledger", O_WRONLY | O_CREAT | O_TRUNC);
    assert_int_equal(write(fd, event, sizeof event - 1), sizeof event - 1);
    close(fd);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
        assert_return_code(full, errno);
        refuses(commands[i], full, "No space left on device");
        refuses(commands[i], broken_pipe(), "Broken pipe");
    }
}

static void an_error_that_cannot_be_written_changes_no_status(void **state)
{
    static const struct {
        const char *arguments[4];
        int status;
    } cases[] = {
        { { "healthcheck", "--admin", "127.0.0.1:1" }, 1 },
        { { "dance" }, FAILED },
        { { "serve", "--no-such", "1" }, FAILED },
        { { "modes", "no-such" }, FAILED },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
        pid_t pid = server_spawn(cases[i].arguments, full, full, ignore_broken_pipes, NULL);
        close(full);
        assert_int_equal(server_await(pid, END_MS), cases[i].status);
        int pipe = broken_pipe();
        pid = server_spawn(cases[i].arguments, pipe, pipe, ignore_broken_pipes, NULL);
        close(pipe);
        assert_int_equal(server_await(pid, END_MS), cases[i].status);
    }
}

/* --- A terminal */

static void on_a_terminal_the_addresses_are_for_people(void **state)
{
    const char *const serve[] = { "serve",      "--https", "127.0.0.1:0", "--https1",    "off",
                                  "--http",     "off",     "--admin",     "127.0.0.1:0", "--mode",
                                  "idle-close", "--state", state_dir,     NULL };
    char text[4096] = "";
    size_t n = 0;
    int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

    assert_true(terminal >= 0 && grantpt(terminal) == 0 && unlockpt(terminal) == 0);
    int slave = open(ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
    int log = scratch_file("log", O_WRONLY | O_CREAT | O_TRUNC);
    assert_return_code(slave, errno);
    pid_t pid = server_spawn(serve, slave, log, NULL, NULL);
    close(slave);
    close(log);
    while (n < sizeof text - 1 && !strstr(text, "add-root-cert")) {
        ssize_t more = read(terminal, text + n, sizeof text - 1 - n);
        if (more <= 0)
            break;
        n += (size_t)more;
        text[n] = '\0';
    }
    kill(pid, SIGTERM);
    assert_int_equal(server_await(pid, END_MS), 0);
    close(terminal);
    check(strstr(text, "mode idle-close") && strstr(text, "  https://localhost:") &&
              strstr(text, "/api/entitlement/get") && strstr(text, "  http://localhost:") &&
              strstr(text, "/state/ca.pem' https://localhost:") && !strchr(text, '{'),
          "it said: %s", text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_of_the_three_may_be_closed_at_the_start),
        cmocka_unit_test(commands_do_with_any_of_them_closed),
        cmocka_unit_test(what_cannot_be_written_to_stdout_is_an_error),
        cmocka_unit_test(an_error_that_cannot_be_written_changes_no_status),
        cmocka_unit_test(on_a_terminal_the_addresses_are_for_people),
    };

    return cmocka_run_group_tests_name("the standard descriptors", tests, setup, scratch_teardown);
}
