/* Listeners: what an address text means, what is refused, that both families accept, and how SYNs
 * are answered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/capability.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/timer.h"
#include "tests/skip.h"
#include "wire/caps.h"
#include "wire/filter.h"
#include "wire/listener.h"

#include "harness/loop.h"

static unsigned accepted_count;

static void accepted(void *owner, int fd, const struct sockaddr *peer, socklen_t len)
{
    assert_ptr_equal(owner, &accepted_count);
    accepted_count++;
    close(fd);
}

static bool are_accepted(void *count)
{
    return accepted_count == *(unsigned *)count;
}

static int open_on(const char *address, struct listener **l, struct refusal *why)
{
    return listener_open(&loop, "https", address, accepted, &accepted_count, l, why);
}

static void close_listener(struct listener *l)
{
    listener_close(l);
    uv_run(&loop, UV_RUN_NOWAIT);
}

static void an_unusable_address_is_refused_and_the_option_named(void **state)
{
    static const char *const bad[] = {
        "",       ":",     ":65536", "8443x", "example.org:1",    "1.2.3:80",  "[::1:80",
        "::1:80", "[::1]", "[zz]:1", ":-1",   "127.0.0.1:123456", "localhost", "203.0.113.7:0"
    };
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct listener *l = NULL;
        struct refusal why = { 0 };
        assert_int_equal(open_on(bad[i], &l, &why), BAD_INPUT);
        assert_string_equal(why.where, "--https");
        assert_true(why.what[0] && why.allowed[0]);
        assert_null(l);
    }
}

static void an_address_in_use_is_refused(void **state)
{
    struct listener *first, *second = NULL;
    struct refusal why;
    assert_int_equal(open_on("127.0.0.1:0", &first, &why), 0);
    assert_int_equal(open_on(listener_address(first, 0), &second, &why), BAD_INPUT);
    assert_non_null(strstr(why.what, "in use"));
    close_listener(first);
}

static void connect_to(int family, uint16_t port)
{
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6,
                               .sin6_port = htons(port),
                               .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    struct sockaddr_in v4 = { .sin_family = AF_INET,
                              .sin_port = htons(port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(family, SOCK_STREAM, 0);
    int error = family == AF_INET6 ? connect(fd, (struct sockaddr *)&v6, sizeof v6)
                                   : connect(fd, (struct sockaddr *)&v4, sizeof v4);
    assert_int_equal(error, 0);
    unsigned expected = accepted_count + 1;
    loop_until(&loop, are_accepted, &expected);
    close(fd);
}

static bool machine_has_ipv6(void)
{
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    bool has = fd >= 0 && bind(fd, (struct sockaddr *)&v6, sizeof v6) == 0;
    close(fd);
    return has;
}

static void every_address_and_localhost_accept_both_families(void **state)
{
    static const char *const both[] = { ":0", "0", "localhost:0" };
    for (unsigned i = 0; i < sizeof both / sizeof *both; i++) {
        struct listener *l;
        struct refusal why;
        assert_int_equal(open_on(both[i], &l, &why), 0);
        assert_int_not_equal(listener_port(l), 0);
        connect_to(AF_INET, listener_port(l));
        if (machine_has_ipv6())
            connect_to(AF_INET6, listener_port(l));
        close_listener(l);
    }
}

static void addresses_are_told_with_the_port_that_the_kernel_chose(void **state)
{
    struct listener *l;
    struct refusal why;
    char expected[32];
    assert_int_equal(open_on("127.0.0.1:0", &l, &why), 0);
    snprintf(expected, sizeof expected, "127.0.0.1:%u", listener_port(l));
    assert_string_equal(listener_address(l, 0), expected);
    assert_null(listener_address(l, 1));
    assert_string_equal(listener_name(l), "https");
    close_listener(l);
}

/* --- How SYNs are answered. One listener, whose connections are kept; clients try with the loop
 * running. */

#define IN_TIME   (5 * NS_PER_S)
#define LONG_TIME (300 * NS_PER_MS) /* far more than a connection over loopback takes */

static struct listener *kept;
static int kept_fds[8];
static uint16_t kept_ports[8]; /* of their clients */
static unsigned kept_count;
static bool refuse_the_next;

static void keep(void *owner, int fd, const struct sockaddr *peer, socklen_t len)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)peer; /* v6: the port is there too */
    assert_true(kept_count < 8);
    kept_ports[kept_count] = ntohs(v4->sin_port);
    kept_fds[kept_count++] = fd;
    if (refuse_the_next)
        assert_int_equal(listener_answer(kept, LISTENER_REFUSES), 0);
}

static void close_kept(void)
{
    while (kept_count)
        close(kept_fds[--kept_count]);
}

static void open_kept(const char *address)
{
    struct refusal why;
    refuse_the_next = false;
    assert_int_equal(listener_open(&loop, "https", address, keep, NULL, &kept, &why), 0);
}

static void shut_kept(void)
{
    close_kept();
    close_listener(kept);
}

/* Begins to connect. The loop does not run. */
static int begin(int family)
{
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6,
                               .sin6_port = htons(listener_port(kept)),
                               .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    struct sockaddr_in v4 = { .sin_family = AF_INET,
                              .sin_port = htons(listener_port(kept)),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    if (family == AF_INET6)
        connect(fd, (struct sockaddr *)&v6, sizeof v6);
    else
        connect(fd, (struct sockaddr *)&v4, sizeof v4);
    return fd;
}

/* What became of it within ns: 0 connected, ECONNREFUSED ..., ETIMEDOUT: nothing yet. */
static bool is_decided(void *fd)
{
    struct pollfd one = { .fd = *(int *)fd, .events = POLLOUT };
    return poll(&one, 1, 0) > 0;
}

static int outcome(int fd, int64_t ns)
{
    if (!loop_wait(&loop, is_decided, &fd, ns))
        return ETIMEDOUT;
    int error = 0;
    socklen_t len = sizeof error;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
    return error;
}

static int attempt(int family, int64_t ns)
{
    int fd = begin(family);
    int error = outcome(fd, ns);
    close(fd);
    return error;
}

static bool are_kept(void *count)
{
    return kept_count >= *(unsigned *)count;
}

static void run_until_kept(unsigned count)
{
    loop_until(&loop, are_kept, &count);
    assert_int_equal(kept_count, count);
}

/* The client's bytes arrive at the socket that was handed over, and the other way round. */
static void carries_bytes(int client, int server)
{
    char byte = 0;
    struct pollfd at_server = { .fd = server, .events = POLLIN };
    struct pollfd at_client = { .fd = client, .events = POLLIN };
    assert_int_equal(send(client, "c", 1, MSG_NOSIGNAL), 1);
    assert_int_equal(poll(&at_server, 1, 2000), 1);
    assert_int_equal(recv(server, &byte, 1, 0), 1);
    assert_int_equal(byte, 'c');
    assert_int_equal(send(server, "s", 1, MSG_NOSIGNAL), 1);
    assert_int_equal(poll(&at_client, 1, 2000), 1);
    assert_int_equal(recv(client, &byte, 1, 0), 1);
    assert_int_equal(byte, 's');
}

static uint16_t port_of_client(int fd)
{
    struct sockaddr_in6 at;
    socklen_t len = sizeof at;
    getsockname(fd, (struct sockaddr *)&at, &len);
    return ntohs(at.sin6_port); /* where sin_port is, too */
}

/* Which families a listener on the address accepts. */
static unsigned families_of(const char *address, int *families)
{
    unsigned n = 0;
    if (!strchr(address, '['))
        families[n++] = AF_INET;
    if (!strchr(address, '.') && machine_has_ipv6())
        families[n++] = AF_INET6;
    return n;
}

/* Another program wants the port, and knows all the tricks. */
static int error_of_another_that_binds(int family)
{
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(listener_port(kept)) };
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(listener_port(kept)) };
    int fd = socket(family, SOCK_STREAM, 0), on = 1, error = 0;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if ((family == AF_INET6 ? bind(fd, (struct sockaddr *)&v6, sizeof v6)
                            : bind(fd, (struct sockaddr *)&v4, sizeof v4)) < 0 ||
        listen(fd, 1) < 0)
        error = errno;
    close(fd);
    return error;
}

static const char *const kinds[] = { "127.0.0.1:0", "localhost:0", ":0", "[::1]:0" };

static void a_refusing_listener_answers_with_rst_keeps_its_port_and_comes_back(void **state)
{
    for (unsigned k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        int families[2];
        unsigned n = families_of(kinds[k], families);
        if (!n)
            continue;
        open_kept(kinds[k]);
        uint16_t port = listener_port(kept);
        int old = begin(families[0]);
        run_until_kept(1);
        for (int round = 0; round < 3; round++) {
            assert_int_equal(listener_answer(kept, LISTENER_REFUSES), 0);
            assert_int_equal(listener_answer(kept, LISTENER_REFUSES), 0);
            for (unsigned i = 0; i < n; i++) {
                assert_int_equal(attempt(families[i], IN_TIME), ECONNREFUSED);
                assert_int_equal(error_of_another_that_binds(families[i]), EADDRINUSE);
            }
            carries_bytes(old, kept_fds[0]);
            assert_int_equal(listener_answer(kept, LISTENER_ACCEPTS), 0);
            for (unsigned i = 0; i < n; i++) {
                unsigned before = kept_count;
                int fd = begin(families[i]);
                assert_int_equal(outcome(fd, IN_TIME), 0);
                run_until_kept(before + 1);
                carries_bytes(fd, kept_fds[before]);
                close(kept_fds[--kept_count]); /* ours first: TIME_WAIT on the port */
                close(fd);
            }
        }
        assert_int_equal(listener_port(kept), port);
        close(old);
        shut_kept();
    }
}

static void what_the_kernel_accepted_before_is_handed_over_in_order(void **state)
{
    int clients[3];
    open_kept("127.0.0.1:0");
    for (int i = 0; i < 3; i++) {
        clients[i] = begin(AF_INET);
        struct pollfd one = { .fd = clients[i], .events = POLLOUT };
        assert_int_equal(poll(&one, 1, 2000), 1);
    }
    assert_int_equal(listener_answer(kept, LISTENER_REFUSES), 0);
    assert_int_equal(kept_count, 0); /* never from inside the call */
    assert_int_equal(attempt(AF_INET, IN_TIME), ECONNREFUSED);
    run_until_kept(3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(kept_ports[i], port_of_client(clients[i]));
        carries_bytes(clients[i], kept_fds[i]);
        close(clients[i]);
    }
    shut_kept();
}

static void an_owner_may_refuse_from_inside_accepted(void **state)
{
    open_kept("localhost:0");
    refuse_the_next = true;
    int first = begin(AF_INET);
    run_until_kept(1);
    assert_int_equal(attempt(AF_INET, IN_TIME), ECONNREFUSED);
    carries_bytes(first, kept_fds[0]);
    close(first);
    shut_kept();
}

static void a_listener_may_close_with_connections_set_aside(void **state)
{
    char byte;
    open_kept("127.0.0.1:0");
    int fd = begin(AF_INET);
    assert_int_equal(listener_answer(kept, LISTENER_REFUSES), 0);
    shut_kept();
    assert_int_equal(kept_count, 0);
    assert_int_equal(outcome(fd, IN_TIME), 0);
    assert_int_equal(recv(fd, &byte, 1, 0), 0);
    close(fd);
}

static void a_dropping_listener_says_nothing_until_it_accepts_again(void **state)
{
    if (!caps_have(CAP_BLACK_HOLE))
        skip_because(caps_row(CAP_BLACK_HOLE)->why_not);
    static const char *const both[] = { "localhost:0", ":0" };
    for (unsigned k = 0; k < sizeof both / sizeof *both; k++) {
        int families[2], fds[2];
        unsigned n = families_of(both[k], families);
        open_kept(both[k]);
        for (unsigned i = 0; i < n; i++)
            assert_int_equal(attempt(families[i], IN_TIME), 0);
        run_until_kept(n);
        close_kept();
        assert_int_equal(listener_answer(kept, LISTENER_DROPS), 0);
        for (unsigned i = 0; i < n; i++) {
            fds[i] = begin(families[i]);
            assert_int_equal(outcome(fds[i], LONG_TIME), ETIMEDOUT);
        }
        assert_int_equal(kept_count, 0);
        assert_int_equal(listener_answer(kept, LISTENER_ACCEPTS), 0);
        for (unsigned i = 0; i < n; i++) { /* a SYN is sent again after 1 s */
            assert_int_equal(outcome(fds[i], IN_TIME), 0);
            run_until_kept(i + 1);
            carries_bytes(fds[i], kept_fds[i]);
            close(fds[i]);
        }
        shut_kept();
    }
}

static void what_was_accepted_before_the_drops_is_handed_over_and_hears(void **state)
{
    if (!caps_have(CAP_BLACK_HOLE))
        skip_because(caps_row(CAP_BLACK_HOLE)->why_not);
    open_kept("127.0.0.1:0");
    int fd = begin(AF_INET);
    assert_int_equal(listener_answer(kept, LISTENER_DROPS), 0);
    run_until_kept(1);
    carries_bytes(fd, kept_fds[0]);
    close(fd);
    shut_kept();
}

static void every_way_of_answering_follows_every_other(void **state)
{
    static const enum listener_answer ways[] = {
        LISTENER_REFUSES, LISTENER_DROPS, LISTENER_REFUSES,
        LISTENER_ACCEPTS, LISTENER_DROPS, LISTENER_ACCEPTS
    };
    static const int seen[] = {
        [LISTENER_ACCEPTS] = 0, [LISTENER_REFUSES] = ECONNREFUSED, [LISTENER_DROPS] = ETIMEDOUT
    };
    if (!caps_have(CAP_BLACK_HOLE))
        skip_because(caps_row(CAP_BLACK_HOLE)->why_not);
    open_kept("127.0.0.1:0");
    for (unsigned i = 0; i < sizeof ways / sizeof *ways; i++) {
        assert_int_equal(listener_answer(kept, ways[i]), 0);
        assert_int_equal(attempt(AF_INET, LONG_TIME), seen[ways[i]]);
    }
    run_until_kept(2);
    shut_kept();
}

static void have_net_admin(bool have)
{
    cap_t caps = cap_get_proc();
    cap_value_t which = CAP_NET_ADMIN;
    cap_set_flag(caps, CAP_EFFECTIVE, 1, &which, have ? CAP_SET : CAP_CLEAR);
    cap_set_proc(caps);
    cap_free(caps);
}

static void without_the_capability_dropping_is_refused_and_nothing_changed(void **state)
{
    open_kept("localhost:0");
    have_net_admin(false);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bool anybody_may = filter_drop_all(fd) == 0;
    int while_accepting = listener_answer(kept, LISTENER_DROPS);
    int seen_accepting = attempt(AF_INET, IN_TIME);
    listener_answer(kept, LISTENER_REFUSES);
    int while_refusing = listener_answer(kept, LISTENER_DROPS);
    have_net_admin(true);
    close(fd);
    if (anybody_may) {
        shut_kept();
        skip_because("this kernel lets everybody attach a filter");
    }
    assert_int_equal(while_accepting, -EPERM);
    assert_int_equal(seen_accepting, 0);
    assert_int_equal(while_refusing, -EPERM);
    assert_int_equal(attempt(AF_INET, IN_TIME), ECONNREFUSED);
    assert_int_equal(listener_answer(kept, LISTENER_ACCEPTS), 0);
    assert_int_equal(attempt(AF_INET, IN_TIME), 0);
    run_until_kept(2);
    shut_kept();
}

static void pauses(void *owner)
{
    ++*(unsigned *)owner;
}

static void reached(struct timer *m, int64_t late)
{
    uv_stop(&loop);
}

/* How often something wakes the loop up in that time. */
static unsigned turns_of_the_loop_in(int64_t ns)
{
    struct timer end = { .reached = reached };
    unsigned turns = 0;
    timer_at(&end, clock_now() + ns);
    while (timer_armed(&end)) {
        uv_run(&loop, UV_RUN_ONCE);
        turns++;
    }
    return turns;
}

/* Without descriptors, what waits in the kernel cannot be set aside: then all stays as it is. */
static void without_descriptors_nobody_who_waits_is_reset(void **state)
{
    struct rlimit all, none;
    unsigned paused = 0;
    open_kept("127.0.0.1:0");
    int fd = begin(AF_INET);
    int lowest = dup(0);
    close(lowest);
    getrlimit(RLIMIT_NOFILE, &all);
    none = (struct rlimit){ .rlim_cur = (rlim_t)lowest, .rlim_max = all.rlim_max };
    setrlimit(RLIMIT_NOFILE, &none);
    listener_set_out_of_descriptors(pauses, &paused);
    log_set_level(LOG_ERROR);
    int refused = listener_answer(kept, LISTENER_REFUSES);
    loop_until(&loop, is_counted, &paused);
    setrlimit(RLIMIT_NOFILE, &all);
    listener_set_out_of_descriptors(NULL, NULL);
    assert_int_equal(refused, -EMFILE);

    /* In the pause it refuses, since there are descriptors; and still does when the pause is over:
     * a listener that is watched though it refuses would make the loop spin. */
    assert_int_equal(listener_answer(kept, LISTENER_REFUSES), 0);
    run_until_kept(1);
    carries_bytes(fd, kept_fds[0]);
    assert_int_equal(attempt(AF_INET, IN_TIME), ECONNREFUSED);
    assert_true(turns_of_the_loop_in(250 * NS_PER_MS) < 20);
    assert_int_equal(listener_answer(kept, LISTENER_ACCEPTS), 0);
    assert_int_equal(attempt(AF_INET, IN_TIME), 0);
    run_until_kept(2);
    close(fd);
    shut_kept();
}

static void a_shortage_is_told_anew_behind_the_last_listener(void **state)
{
    struct rlimit all;
    getrlimit(RLIMIT_NOFILE, &all);
    for (int i = 0; i < 2; i++) {
        unsigned paused = 0;
        open_kept("127.0.0.1:0");
        int fd = begin(AF_INET);
        int lowest = dup(0);
        close(lowest);
        struct rlimit none = { .rlim_cur = (rlim_t)lowest, .rlim_max = all.rlim_max };
        setrlimit(RLIMIT_NOFILE, &none);
        listener_set_out_of_descriptors(pauses, &paused);
        /* Longer than a pause: behind it, it must not be told again. */
        turns_of_the_loop_in(150 * NS_PER_MS);
        setrlimit(RLIMIT_NOFILE, &all);
        listener_set_out_of_descriptors(NULL, NULL);
        shut_kept();
        close(fd);
        assert_int_equal(paused, 1);
    }
}

static int set_up(void **state)
{
    caps_probe();
    return loop_start(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unusable_address_is_refused_and_the_option_named),
        cmocka_unit_test(an_address_in_use_is_refused),
        cmocka_unit_test(every_address_and_localhost_accept_both_families),
        cmocka_unit_test(addresses_are_told_with_the_port_that_the_kernel_chose),
        cmocka_unit_test(a_refusing_listener_answers_with_rst_keeps_its_port_and_comes_back),
        cmocka_unit_test(what_the_kernel_accepted_before_is_handed_over_in_order),
        cmocka_unit_test(an_owner_may_refuse_from_inside_accepted),
        cmocka_unit_test(a_listener_may_close_with_connections_set_aside),
        cmocka_unit_test(a_dropping_listener_says_nothing_until_it_accepts_again),
        cmocka_unit_test(what_was_accepted_before_the_drops_is_handed_over_and_hears),
        cmocka_unit_test(every_way_of_answering_follows_every_other),
        cmocka_unit_test(without_the_capability_dropping_is_refused_and_nothing_changed),
        cmocka_unit_test(without_descriptors_nobody_who_waits_is_reset),
        cmocka_unit_test(a_shortage_is_told_anew_behind_the_last_listener),
    };
    return cmocka_run_group_tests(tests, set_up, loop_stop);
}
