/* A thousand idle connections fall to a rule at 100 ms while the server is busy: never early, by
 * its ledger and by the client's clock, and how late is printed.
 *
 * The load comes from processes of their own, on connections that the mode does not touch. The
 * client takes the answer's time from the kernel (SO_TIMESTAMPNS), which saw it no later than the
 * server had sent it, and the FIN's time from its own clock, which is never too early: what it
 * measures errs to one side only. Once the FIN has come the kernel may have joined it to an answer
 * that is not read yet, and tells the time of the FIN: such an answer has no time.
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
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define IDLE_MS   100
#define AT_ONCE   50  /* connections */
#define LOADERS   2   /* processes */
#define LOAD_EACH 16  /* connections */
#define SLEWED_MS 0.1 /* a wall clock that is being put right runs up to 0.05 % too fast */
#define GENEROUS  4000.0

static struct server server;
static volatile unsigned long *load_done; /* requests answered, by loader */

static int setup(void **state)
{
    static const char *const options[] = { "--ledger-limit", "536870912", NULL };

    load_done = mmap(NULL, LOADERS * sizeof *load_done, PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (load_done == MAP_FAILED)
        return -1;
    server_start(&server, options);
    return 0;
}

static int teardown(void **state)
{
    server_stop(&server);
    return 0;
}

/* --- The load */

/* One request on each connection, then an answer on each, for ever. Uses no assertions: it is in a
 * process of its own. */
static void be_load(volatile unsigned long *done)
{
    static struct client clients[LOAD_EACH];
    struct client_options to = { .port = server.https,
                                 .tls = CLIENT_TLS13,
                                 .alpn = { "http/1.1" } };
    struct buf request = { 0 };

    h1_compose(&request, "GET", "/mode/normal" ENTITLEMENT, "", NULL);
    for (int i = 0; i < LOAD_EACH; i++)
        if (!client_connect(&clients[i], &to))
            _exit(1);
    for (;;) {
        for (int i = 0; i < LOAD_EACH; i++)
            if (client_send(&clients[i], buf_bytes(&request), buf_len(&request)) != 0)
                _exit(1);
        for (int i = 0; i < LOAD_EACH; i++) {
            struct h1_response answer;
            bool whole = h1_read(&clients[i], false, &answer, in_ms(PATIENCE_MS));
            *done += whole && answer.status == 200;
            h1_free(&answer);
            if (!whole)
                _exit(1);
        }
    }
}

static pid_t start_load(volatile unsigned long *done)
{
    pid_t pid = fork();

    if (pid == 0)
        be_load(done);
    assert_true(pid > 0);
    return pid;
}

static unsigned long load_total(void)
{
    unsigned long total = 0;

    for (int i = 0; i < LOADERS; i++)
        total += load_done[i];
    return total;
}

/* --- The connections that fall idle */

struct shot {
    int fd;
    int64_t asked_at;    /* on clock_now()'s clock */
    int64_t answered_at; /* wall clock, as the next one; 0: not known */
    int64_t fin_at;
};

static int64_t wall_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* The kernel looks at its clock for packets as long as a socket wants that, and begins a while
 * after the first one said so: this one is never closed. */
static void keep_stamping(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1;

    assert_return_code(setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on), 0);
}

static unsigned long late_shots;

/* False: the request left so late that the connection may have been idle for too long. */
static bool shot(struct shot *s)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(server.http),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct buf request = { 0 };
    int on = 1;

    h1_compose(&request, "GET", ENTITLEMENT, "", NULL);
    *s = (struct shot){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
    assert_return_code(setsockopt(s->fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on), 0);
    int64_t began = clock_now();
    assert_return_code(connect(s->fd, (struct sockaddr *)&to, sizeof to), 0);
    s->asked_at = clock_now();
    ssize_t sent = send(s->fd, buf_bytes(&request), buf_len(&request), MSG_NOSIGNAL);
    bool was_in_time = clock_now() - began < IDLE_MS * NS_PER_MS;
    check(sent == (ssize_t)buf_len(&request) || !was_in_time, "%zd octets were sent", sent);
    buf_free(&request);
    return was_in_time;
}

static void shoot(struct shot *s)
{
    while (!shot(s)) {
        late_shots++;
        close(s->fd);
    }
}

static bool has_ended(int fd)
{
    struct pollfd pfd = { .fd = fd, .events = POLLRDHUP };

    return poll(&pfd, 1, 0) != 0;
}

/* Reads what is there. True once the FIN has come. */
static bool look(struct shot *s)
{
    char bytes[4096], control[256];
    struct iovec into = { bytes, sizeof bytes };
    struct msghdr message = {
        .msg_iov = &into, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control
    };
    ssize_t n = recvmsg(s->fd, &message, 0);

    check(n >= 0, "the connection broke");
    if (n == 0) {
        s->fin_at = wall_now();
        double after_asking = (double)(clock_now() - s->asked_at) / NS_PER_MS;
        check(after_asking >= IDLE_MS, "FIN %.3f ms after the request", after_asking);
        return true;
    }
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
            struct timespec t;
            memcpy(&t, CMSG_DATA(c), sizeof t);
            s->answered_at = has_ended(s->fd) ? 0 : t.tv_sec * NS_PER_S + t.tv_nsec;
        }
    return false;
}

/* Some connections at once, each from its request to its FIN. */
static void volley(struct shot *shots, unsigned count)
{
    struct pollfd pfds[AT_ONCE];
    unsigned open = count;

    for (unsigned i = 0; i < count; i++) {
        shoot(&shots[i]);
        pfds[i] = (struct pollfd){ .fd = shots[i].fd, .events = POLLIN };
        if (i % 5 == 4)
            poll(NULL, 0, 1); /* so that their times are apart */
    }
    while (open > 0) {
        check(poll(pfds, count, PATIENCE_MS) > 0, "%u connections got no FIN", open);
        for (unsigned i = 0; i < count; i++)
            if (pfds[i].revents && look(&shots[i])) {
                close(shots[i].fd);
                pfds[i].fd = -1;
                open--;
            }
    }
}

/* --- What came of it */

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Sorts and prints; returns the least one. */
static double report(const char *what, double *ms, unsigned long n)
{
    qsort(ms, n, sizeof *ms, by_size);
    print_message("# %s: min %.3f, median %.3f, p99 %.3f, max %.3f ms (%lu firings)\n", what, ms[0],
                  ms[n / 2], ms[n * 99 / 100], ms[n - 1], n);
    check(ms[n - 1] < IDLE_MS + GENEROUS, "one came %.3f ms late", ms[n - 1]);
    return ms[0];
}

/* How late each fault was by the ledger; returns how many there are. The ledger is long, and of its
 * events only a few are of interest: they are picked from the text. */
static unsigned long ledgered(double *late, unsigned long max)
{
    unsigned long n = 0;
    uint64_t since = 0;
    bool any;

    do {
        struct admin_answer answer;
        char path[80];

        snprintf(path, sizeof path, "/v1/runs/default/events?since=%llu&max=10000",
                 (unsigned long long)since);
        check(admin_try(&server, "GET", path, "Accept: application/x-ndjson\r\n", NULL, &answer) &&
                  answer.status == 200,
              "the ledger cannot be read: status %d", answer.status);
        any = buf_len(&answer.text) > 1;
        char *text = (char *)buf_bytes(&answer.text), *rest = text;
        for (char *line; (line = strtok_r(rest, "\n", &rest));) {
            const char *seq = strstr(line, "\"seq\":"), *at = strstr(line, "\"late_ms\":");
            if (seq)
                since = strtoull(seq + strlen("\"seq\":"), NULL, 10);
            if (!strstr(line, "\"event\":\"fault\"") || !strstr(line, "\"step\":\"fin\""))
                continue;
            check(at && n < max, "a fault without late_ms, or too many: %s", line);
            late[n++] = strtod(at + strlen("\"late_ms\":"), NULL);
        }
        admin_free(&answer);
    } while (any);
    return n;
}

static void an_idle_rule_is_never_early_under_load(void **state)
{
    unsigned long count = (scaled(1000) + AT_ONCE - 1) / AT_ONCE * AT_ONCE;
    struct shot *shots = calloc(count, sizeof *shots);
    double *idle = calloc(count, sizeof *idle);
    pid_t loaders[LOADERS];

    assert_true(shots && idle);
    keep_stamping();
    for (int i = 0; i < LOADERS; i++)
        loaders[i] = start_load(&load_done[i]);
    int64_t until = in_ms(PATIENCE_MS);
    while ((!load_done[0] || !load_done[1]) && clock_now() < until)
        poll(NULL, 0, 10);
    admin_mode(&server, "idle-close", "{\"idle\":\"100ms\"}");

    unsigned long before = load_total();
    long cpu = server_cpu_ms(&server);
    int64_t began = clock_now();
    for (unsigned long i = 0; i < count; i += AT_ONCE)
        volley(shots + i, AT_ONCE);
    long took = (long)((clock_now() - began) / NS_PER_MS);
    unsigned long load = load_total() - before;
    print_message("# load: %lu requests in %ld ms, %ld ms of the server's CPU\n", load, took,
                  server_cpu_ms(&server) - cpu);
    for (int i = 0; i < LOADERS; i++) {
        assert_int_equal(waitpid(loaders[i], NULL, WNOHANG), 0); /* it held out */
        kill(loaders[i], SIGKILL);
        waitpid(loaders[i], NULL, 0);
    }
    check(load > count, "there was no load: %lu requests", load);

    unsigned long known = 0;
    for (unsigned long i = 0; i < count; i++) {
        if (shots[i].answered_at)
            idle[known++] = (double)(shots[i].fin_at - shots[i].answered_at) / NS_PER_MS;
    }
    check(known >= count / 10, "only %lu answers of %lu were read before the FIN", known, count);
    double least = report("from the answer to the FIN, by the client", idle, known);
    check(least >= IDLE_MS - SLEWED_MS, "too early: %.3f ms after the answer", least);
    double *late = calloc(count + late_shots, sizeof *late);
    assert_non_null(late);
    unsigned long faults = ledgered(late, count + late_shots);
    check(faults >= count && faults <= count + late_shots, "%lu faults of %lu", faults, count);
    least = report("late by, in the ledger", late, faults);
    check(least >= 0, "too early by the ledger: %.3f ms", least);
    free(shots);
    free(idle);
    free(late);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(an_idle_rule_is_never_early_under_load) };

    return cmocka_run_group_tests_name("times", tests, setup, teardown);
}
