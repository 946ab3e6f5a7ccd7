/* A thousand idle connections fall to a rule while the admin API is read as fast as it goes, with
 * thousands of live connections and a long ledger to tell of: how late they are, by the ledger,
 * beside the same without a reader.
 */
#include "talk.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIVE    3000 /* connections that only are there */
#define AT_ONCE 50
#define TRIES   10 /* the machine has other things to do, too */

/* What the machine adds, in ms: to a server that has a processor whenever it wants one, and to one
 * that waits for it like all others. */
#define NOISE_FIRST 1.0
#define NOISE_AMONG 8.0

static struct server server;
static int *live;
static double noise;

static int connect_to(uint16_t port)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0, "cannot connect");
    return fd;
}

static int setup(void **state)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    server_start(&server, NULL);
    /* Then it is its own work that makes it late, or nothing. (A real-time process that is never at
     * rest is stopped by the kernel for some time in each second.) */
    bool is_first = setpriority(PRIO_PROCESS, (id_t)server.pid, -20) == 0;
    noise = is_first ? NOISE_FIRST : NOISE_AMONG;
    live = calloc(LIVE, sizeof *live);
    if (!live)
        return -1;
    for (unsigned long i = 0; i < scaled(LIVE); i++)
        live[i] = connect_to(server.http);
    json_int_t accepted = 0;
    for (int64_t until = in_ms(4 * PATIENCE_MS); accepted < (json_int_t)scaled(LIVE);) {
        json_t *run = admin_call(&server, 200, "GET", "/v1/runs/default", NULL);
        accepted = json_integer_value(json_object_get(run, "connections"));
        json_decref(run);
        check(clock_now() < until, "only %d connections were accepted", (int)accepted);
    }
    return 0;
}

static int teardown(void **state)
{
    for (unsigned long i = 0; i < scaled(LIVE); i++)
        close(live[i]);
    free(live);
    server_stop(&server);
    return 0;
}

/* Reads the API until it is killed, in a process of its own, and looks at nothing of it, as that
 * would take longer than the server does. *calls counts. */
static pid_t start_reading(volatile unsigned *calls)
{
    static const char *const paths[] = { "/v1/connections", "/v1/runs/default/events?max=10000",
                                         "/v1/modes", "/v1/openapi.json" };
    static char bytes[1 << 18];
    pid_t pid = fork();
    check(pid >= 0, "cannot fork");
    if (pid > 0)
        return pid;
    for (unsigned i = 0;; i++) {
        char head[200];
        int fd = connect_to(server.admin);
        int len = snprintf(head, sizeof head,
                           "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                           "Accept: application/x-ndjson, */*;q=0.5\r\n\r\n",
                           paths[i % 4]);
        ssize_t n = send(fd, head, (size_t)len, MSG_NOSIGNAL), all = 0;
        while (n > 0 && (n = read(fd, bytes, sizeof bytes)) > 0)
            all += n;
        if (n < 0 || all < 1000)
            _exit(1);
        close(fd);
        ++*calls;
    }
}

/* Some connections, each from its request to its FIN. */
static void volley(void)
{
    struct pollfd pfds[AT_ONCE];
    struct buf request = { 0 };
    unsigned open = AT_ONCE;

    h1_compose(&request, "GET", ENTITLEMENT, "", NULL);
    for (unsigned i = 0; i < AT_ONCE; i++) {
        pfds[i] = (struct pollfd){ .fd = connect_to(server.http), .events = POLLIN };
        check(send(pfds[i].fd, buf_bytes(&request), buf_len(&request), MSG_NOSIGNAL) > 0, "sent");
        if (i % 5 == 4)
            poll(NULL, 0, 1); /* so that their times are apart */
    }
    buf_free(&request);
    while (open > 0) {
        char bytes[4096];
        check(poll(pfds, AT_ONCE, PATIENCE_MS) > 0, "%u connections got no FIN", open);
        for (unsigned i = 0; i < AT_ONCE; i++)
            if (pfds[i].revents && read(pfds[i].fd, bytes, sizeof bytes) <= 0) {
                close(pfds[i].fd);
                pfds[i].fd = -1;
                open--;
            }
    }
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The 99th percentile of how late the faults behind since were. */
static double lateness(uint64_t since, unsigned long count, const char *what)
{
    double *late = calloc(count, sizeof *late);
    unsigned long n = 0;
    uint64_t before;

    assert_non_null(late);
    do {
        before = since;
        json_t *events = admin_events(&server, since, 0, &since), *event;
        size_t i;
        json_array_foreach(events, i, event) if (strcmp(event_text(event, "event"), "fault") == 0 &&
                                                 strcmp(event_text(event, "step"), "fin") == 0)
        {
            check(n < count, "more faults than connections");
            late[n++] = event_ms(event, "late_ms");
        }
        json_decref(events);
    } while (since > before);
    check(n == count, "%lu faults of %lu", n, count);
    qsort(late, n, sizeof *late, by_size);
    double p99 = late[n * 99 / 100];
    print_message("# %s: median %.3f, p99 %.3f, max %.3f ms late (%lu faults)\n", what, late[n / 2],
                  p99, late[n - 1], n);
    free(late);
    return p99;
}

static double measure(bool reading, const char *what)
{
    unsigned long rounds = (scaled(1000) + AT_ONCE - 1) / AT_ONCE;
    volatile unsigned *calls =
        mmap(NULL, sizeof *calls, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    check(calls != MAP_FAILED, "no memory");
    pid_t reader = reading ? start_reading(calls) : 0;
    uint64_t since = admin_mark(&server, "begin");

    for (unsigned long i = 0; i < rounds; i++)
        volley();
    if (reading) {
        check(waitpid(reader, NULL, WNOHANG) == 0, "the reader gave up");
        kill(reader, SIGKILL);
        waitpid(reader, NULL, 0);
        print_message("# %u calls were answered\n", *calls);
        check(*calls >= rounds, "the API was hardly read: %u calls", *calls);
    }
    munmap((void *)calls, sizeof *calls);
    return lateness(since, rounds * AT_ONCE, what);
}

static void faults_are_in_time_while_the_api_is_read(void **state)
{
    double alone = 0, with = 0;

    json_decref(admin_call(&server, 200, "PUT", "/v1/mode",
                           "{\"mode\":\"idle-close\",\"params\":{\"idle\":\"100ms\"},"
                           "\"apply\":\"new\"}"));
    for (int i = 0; i < TRIES; i++) {
        alone = measure(false, "without a reader");
        with = measure(true, "while the API is read");
        if (with <= 2 * alone + noise)
            return;
    }
    check(false, "p99 is %.3f ms late, and %.3f ms without a reader", with, alone);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(
        faults_are_in_time_while_the_api_is_read) };

    return cmocka_run_group_tests_name("faults under an API that is read", tests, setup, teardown);
}
