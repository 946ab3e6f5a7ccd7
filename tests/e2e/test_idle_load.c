/* Ten thousand idle HTTP/2 connections over TLS, each given goaway-idle: all get their GOAWAY, on
 * time.
 *
 * The clients live in processes of their own, forked before anything is opened; each opens its
 * share, says so through a pipe, and then counts GOAWAYs and FINs until all have come. A client
 * process uses none of cmocka's assertions: it reports numbers.
 */
#include "talk.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROCESSES       4
#define OPEN_MS         180000
#define IDLE_CPU_MS_MAX 100 /* within two seconds of nothing */

struct tally {
    unsigned long opened, goaways, fins;
};

static struct server server;

static int setup(void **state)
{
    server_start(&server, NULL);
    return 0;
}

static int teardown(void **state)
{
    server_stop(&server);
    return 0;
}

/* --- A client process */

static struct h2 scratch_h2; /* big; the connections take turns */

static bool open_one(struct client *c)
{
    struct client_options to = { .port = server.https, .tls = CLIENT_TLS13, .alpn = { "h2" } };
    bool served = false;

    if (client_connect(c, &to)) {
        h2_start(&scratch_h2, c);
        int32_t stream = h2_request(&scratch_h2, "GET", ENTITLEMENT);
        served = h2_wait_stream(&scratch_h2, stream, in_ms(PATIENCE_MS)) &&
                 h2_stream(&scratch_h2, stream)->status == 200;
        h2_free(&scratch_h2);
    }
    if (buf_len(&c->raw) == 0)
        buf_free(&c->raw);
    if (buf_len(&c->in) == 0)
        buf_free(&c->in);
    return served;
}

/* Reads what has come on a connection; true once it has ended. */
static bool read_one(struct client *c, struct tally *tally)
{
    h2_init(&scratch_h2, c);
    while (h2_next(&scratch_h2, clock_now()))
        tally->goaways += scratch_h2.frame.type == NGHTTP2_GOAWAY;
    h2_free(&scratch_h2);
    tally->fins += c->fin;
    return c->fin || c->rst;
}

static void await_goaways(struct client *clients, unsigned long count, struct tally *tally)
{
    int64_t until = in_ms(OPEN_MS);
    unsigned long open = count;
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    for (unsigned long i = 0; i < count; i++) {
        struct epoll_event event = { .events = EPOLLIN, .data.ptr = &clients[i] };
        epoll_ctl(epoll, EPOLL_CTL_ADD, clients[i].fd, &event);
    }
    while (open > 0 && clock_now() < until) {
        struct epoll_event events[64];
        int n = epoll_wait(epoll, events, 64, 1000);
        for (int i = 0; i < n; i++) {
            struct client *c = events[i].data.ptr;
            if (read_one(c, tally)) {
                client_close(c);
                open--;
            }
        }
    }
    close(epoll);
}

static void be_clients(unsigned long count, int from_parent, int to_parent)
{
    struct rlimit limit;
    struct client *clients = calloc(count, sizeof *clients);
    struct tally tally = { .opened = 0 };
    char go;

    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    while (clients && tally.opened < count && open_one(&clients[tally.opened]))
        tally.opened++;
    if (write(to_parent, &tally, sizeof tally) == sizeof tally && read(from_parent, &go, 1) == 1 &&
        clients) {
        await_goaways(clients, tally.opened, &tally);
        if (write(to_parent, &tally, sizeof tally) != sizeof tally)
            _exit(1);
    }
    _exit(0);
}

/* --- The test */

struct process {
    pid_t pid;
    int to, from;
};

static struct process start_process(unsigned long count)
{
    int to[2], from[2];

    assert_return_code(pipe2(to, O_CLOEXEC), 0);
    assert_return_code(pipe2(from, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(to[1]);
        close(from[0]);
        be_clients(count, to[0], from[1]);
    }
    close(to[0]);
    close(from[1]);
    assert_true(pid > 0);
    return (struct process){ .pid = pid, .to = to[1], .from = from[0] };
}

static struct tally hear(const struct process *p)
{
    struct pollfd pfd = { .fd = p->from, .events = POLLIN };
    struct tally tally = { .opened = 0 };

    check(poll(&pfd, 1, OPEN_MS) == 1 && read(p->from, &tally, sizeof tally) == sizeof tally,
          "a client process says nothing");
    return tally;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* How late the goaways were, by the ledger. */
static void report_lateness(unsigned long count)
{
    double *late = calloc(count, sizeof *late);
    unsigned long n = 0;
    uint64_t since = 0;
    size_t got;

    assert_non_null(late);
    do {
        json_t *events = admin_events(&server, since, 0, &since), *event;
        size_t i;
        got = json_array_size(events);
        json_array_foreach(events, i, event) if (n < count &&
                                                 strcmp(event_text(event, "event"), "fault") == 0 &&
                                                 strcmp(event_text(event, "step"), "goaway") == 0)
            late[n++] = event_ms(event, "late_ms");
        json_decref(events);
    } while (got > 0);
    qsort(late, n, sizeof *late, by_size);
    if (n > 0)
        print_message("# GOAWAY late by: min %.3f, median %.3f, p99 %.3f, max %.3f ms (%lu)\n",
                      late[0], late[n / 2], late[n * 99 / 100], late[n - 1], n);
    double first = n > 0 ? late[0] : -1;
    free(late);
    assert_int_equal(n, count);
    check(first >= 0, "one came early: %.3f ms", first);
}

static void idle_connections_all_get_their_goaway(void **state)
{
    struct process processes[PROCESSES];
    unsigned long share = scaled(10000) / PROCESSES + 1, count = share * PROCESSES, opened = 0,
                  goaways = 0, fins = 0;
    char body[200];

    long rss = server_rss(&server);
    int64_t began = clock_now();
    for (int i = 0; i < PROCESSES; i++)
        processes[i] = start_process(share);
    for (int i = 0; i < PROCESSES; i++)
        opened += hear(&processes[i]).opened;
    int64_t took = clock_now() - began;
    assert_int_equal(opened, count);
    long rss_per = (server_rss(&server) - rss) * 10 / (long)count;

    long cpu = server_cpu_ms(&server);
    poll(NULL, 0, 2000); /* the idleness that is measured */
    cpu = server_cpu_ms(&server) - cpu;
    print_message("# %lu idle h2 TLS connections, opened in %.1f s: %ld.%ld kB RSS each (ledger "
                  "included), %ld ms CPU in 2 s\n",
                  count, (double)took / NS_PER_S, rss_per / 10, rss_per % 10, cpu);
    check(cpu <= IDLE_CPU_MS_MAX, "%ld ms of CPU in two idle seconds", cpu);

    /* Each is due at its own time: as spread as they were opened. */
    snprintf(body, sizeof body,
             "{\"mode\":\"goaway-idle\",\"params\":{\"idle\":\"%lldms\",\"grace\":\"500ms\"},"
             "\"apply\":\"all\"}",
             (long long)(clock_now() - began) / NS_PER_MS + 1000);
    json_decref(admin_call(&server, 200, "PUT", "/v1/mode", body));
    for (int i = 0; i < PROCESSES; i++)
        assert_int_equal(write(processes[i].to, "g", 1), 1);
    for (int i = 0; i < PROCESSES; i++) {
        struct tally tally = hear(&processes[i]);
        goaways += tally.goaways;
        fins += tally.fins;
        close(processes[i].to);
        close(processes[i].from);
        waitpid(processes[i].pid, NULL, 0);
    }
    assert_int_equal(goaways, count);
    assert_int_equal(fins, count);
    report_lateness(count);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(idle_connections_all_get_their_goaway) };

    return cmocka_run_group_tests_name("idle load", tests, setup, teardown);
}
