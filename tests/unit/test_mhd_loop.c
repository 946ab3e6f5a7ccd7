/* test_mhd_loop.c - a libmicrohttpd daemon inside the libuv loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "engine/mhd_loop.h"

#include "harness/loop.h"

static struct mhd_loop *m;
static unsigned requests, runs, closed;
static bool suspend;
static struct MHD_Connection *suspended;

static enum MHD_Result answer(void *arg, struct MHD_Connection *c, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *n, void **request)
{
    struct MHD_Response *r;
    enum MHD_Result result;

    assert_string_equal(arg, "arg");
    if (!*request) {
        *request = c;
        return MHD_YES;
    }
    if (suspend) {
        suspend = false;
        suspended = c;
        MHD_suspend_connection(c);
        return MHD_YES;
    }
    requests++;
    mhd_loop_run(m); /* does nothing in here */
    r = MHD_create_response_from_buffer(2, (void *)"ok", MHD_RESPMEM_PERSISTENT);
    result = MHD_queue_response(c, 200, r);
    MHD_destroy_response(r);
    return result;
}

static void on_connection(void *arg, struct MHD_Connection *c, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    closed += code == MHD_CONNECTION_NOTIFY_CLOSED;
}

static void after(void *arg)
{
    assert_ptr_equal(arg, &runs);
    runs++;
}

static void on_tick(uv_timer_t *timer)
{
}

/* Runs the loop, at most so many ms. The timer repeats: libuv counts from when the loop ran last,
 * so it may be due before the poll, and one that is over does not end the poll. */
static void turn(unsigned ms)
{
    uv_timer_t timer;

    uv_timer_init(&loop, &timer);
    uv_timer_start(&timer, on_tick, ms, ms);
    uv_run(&loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
}

static int add(void)
{
    struct sockaddr_in peer = { .sin_family = AF_INET };
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(mhd_loop_add(m, ends[1], (struct sockaddr *)&peer, sizeof peer), 0);
    return ends[0];
}

#define GET "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

/* What the daemon answers within a while, "" if nothing. */
static const char *answer_on(int fd, unsigned ms)
{
    static char text[1000];
    ssize_t n = -1;

    for (unsigned i = 0; i < ms / 10 && (n = recv(fd, text, sizeof text - 1, 0)) < 0; i++)
        turn(10);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

static int start(unsigned flags, const struct MHD_OptionItem *options)
{
    requests = runs = closed = 0;
    assert_int_equal(loop_start(NULL), 0);
    return mhd_loop_start(&loop, flags, answer, (void *)"arg", options, &m);
}

static void stop(void)
{
    mhd_loop_stop(m);
    assert_int_equal(loop_stop(NULL), 0);
}

static void a_request_is_answered_without_a_kick(void **state)
{
    int fd;

    assert_int_equal(start(MHD_USE_ERROR_LOG, NULL), 0);
    fd = add();
    for (int i = 0; i < 3; i++) {
        assert_int_equal(send(fd, GET, strlen(GET), 0), strlen(GET));
        assert_memory_equal(answer_on(fd, 2000), "HTTP/1.1 200 OK\r\n", 17);
    }
    assert_int_equal(requests, 3);
    stop();
    assert_int_equal(recv(fd, (char[1]){ 0 }, 1, 0), 0);
    close(fd);
}

static void a_driven_daemon_runs_only_when_it_is_kicked(void **state)
{
    int fd;

    assert_int_equal(start(0, NULL), 0);
    mhd_loop_drive(m, after, &runs);
    fd = add();
    assert_int_equal(send(fd, GET, strlen(GET), 0), strlen(GET));
    assert_string_equal(answer_on(fd, 50), "");
    assert_int_equal(runs, 0);
    mhd_loop_kick(m);
    mhd_loop_kick(m);
    uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(runs, 1);
    assert_memory_equal(answer_on(fd, 1000), "HTTP/1.1 200 OK\r\n", 17);
    send(fd, GET, strlen(GET), 0);
    mhd_loop_run(m);
    assert_int_equal(runs, 2);
    assert_int_equal(requests, 2);
    stop();
    close(fd);
}

static void kick_it(uv_timer_t *timer)
{
    mhd_loop_kick(m);
}

static void a_kick_from_a_timer_is_not_slept_over(void **state)
{
    uv_timer_t timer;
    uint64_t began;

    assert_int_equal(start(0, NULL), 0);
    mhd_loop_drive(m, after, &runs);
    uv_timer_init(&loop, &timer);
    began = uv_hrtime();
    uv_timer_start(&timer, kick_it, 10, 5000);
    while (runs == 0 &&
           uv_hrtime() - began < UINT64_C(3000000000)) /* nothing else wakes the loop */
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(runs, 1);
    uv_close((uv_handle_t *)&timer, NULL);
    stop();
}

static void a_resumed_connection_is_served(void **state)
{
    int fd;

    assert_int_equal(start(MHD_ALLOW_SUSPEND_RESUME, NULL), 0);
    fd = add();
    suspend = true;
    send(fd, GET, strlen(GET), 0);
    assert_string_equal(answer_on(fd, 50), "");
    assert_non_null(suspended);
    MHD_resume_connection(suspended);
    mhd_loop_kick(m);
    assert_memory_equal(answer_on(fd, 1000), "HTTP/1.1 200 OK\r\n", 17);
    stop();
    close(fd);
}

static void the_timeouts_of_the_daemon_are_honoured(void **state)
{
    const struct MHD_OptionItem options[] = {
        { MHD_OPTION_CONNECTION_TIMEOUT, 1, NULL },
        { MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)on_connection, NULL },
        { MHD_OPTION_END, 0, NULL },
    };
    int fd;

    assert_int_equal(start(0, options), 0);
    fd = add();
    send(fd, "GET", 3, 0);
    for (int i = 0; i < 50 && !closed; i++)
        turn(100);
    assert_int_equal(closed, 1);
    assert_int_equal(recv(fd, (char[1]){ 0 }, 1, 0), 0);
    stop();
    close(fd);
}

static void a_socket_that_is_not_taken_is_closed(void **state)
{
    const struct MHD_OptionItem options[] = {
        { MHD_OPTION_CONNECTION_LIMIT, 1, NULL },
        { MHD_OPTION_END, 0, NULL },
    };
    struct sockaddr_in peer = { .sin_family = AF_INET };
    int fd, ends[2];

    assert_int_equal(start(0, options), 0);
    fd = add();
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    assert_true(mhd_loop_add(m, ends[1], (struct sockaddr *)&peer, sizeof peer) < 0);
    assert_int_equal(recv(ends[0], (char[1]){ 0 }, 1, 0), 0);
    close(ends[0]);
    stop();
    close(fd);
}

/* What it has to say of that goes to the log, so that it is known to have tried. */
static void tcp_options_are_tried_once_on_a_unix_socket(void **state)
{
    char said[8000] = "";
    int log[2], fd, kept = dup(STDERR_FILENO);

    assert_int_equal(pipe2(log, O_NONBLOCK | O_CLOEXEC), 0);
    assert_true(kept >= 0 && dup2(log[1], STDERR_FILENO) >= 0);
    log_set_level(LOG_DEBUG);
    log_debug("first");
    assert_int_equal(start(MHD_USE_ERROR_LOG, NULL), 0);
    fd = add();
    for (int i = 0; i < 3; i++) {
        assert_int_equal(send(fd, GET, strlen(GET), 0), strlen(GET));
        assert_memory_equal(answer_on(fd, 2000), "HTTP/1.1 200 OK\r\n", 17);
    }
    stop();
    log_set_level(LOG_INFO);
    dup2(kept, STDERR_FILENO);
    assert_true(read(log[0], said, sizeof said - 1) > 0);
    assert_non_null(strstr(said, "first"));
    assert_null(strstr(said, "TCP_"));

    errno = 0; /* all else is as ever */
    assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int)), -1);
    assert_int_equal(errno, ENOPROTOOPT);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &(int){ 9000 }, sizeof(int)), 0);
    close(fd);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &(int){ 9000 }, sizeof(int)), -1);
    assert_int_equal(errno, EBADF);
    close(kept);
    close(log[0]);
    close(log[1]);
}

/* How many descriptors the loop's epoll has, by what Linux tells of it. */
static unsigned polled(void)
{
    char path[64], line[200];
    unsigned count = 0;

    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", uv_backend_fd(&loop));
    FILE *info = fopen(path, "r");
    assert_non_null(info);
    while (fgets(line, sizeof line, info))
        count += strncmp(line, "tfd:", 4) == 0;
    fclose(info);
    return count;
}

/* libmicrohttpd's epoll stays open by a copy of its descriptor, so that epoll does not forget it by
 * itself when libmicrohttpd closes it. */
static void nothing_that_is_closed_is_polled(void **state)
{
    int copies[64], n = 0;

    assert_int_equal(start(0, NULL), 0);
    turn(10);
    unsigned before = polled();
    for (int fd = 3; fd < 67; fd++)
        copies[n++] = dup(fd);
    mhd_loop_stop(m);
    turn(10);
    assert_int_equal(polled(), before - 1);
    while (n > 0)
        close(copies[--n]);
    assert_int_equal(loop_stop(NULL), 0);
}

static void stopping_nothing_is_fine(void **state)
{
    mhd_loop_stop(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_answered_without_a_kick),
        cmocka_unit_test(a_driven_daemon_runs_only_when_it_is_kicked),
        cmocka_unit_test(a_kick_from_a_timer_is_not_slept_over),
        cmocka_unit_test(a_resumed_connection_is_served),
        cmocka_unit_test(the_timeouts_of_the_daemon_are_honoured),
        cmocka_unit_test(a_socket_that_is_not_taken_is_closed),
        cmocka_unit_test(tcp_options_are_tried_once_on_a_unix_socket),
        cmocka_unit_test(nothing_that_is_closed_is_polled),
        cmocka_unit_test(stopping_nothing_is_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
