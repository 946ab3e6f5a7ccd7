/* The tap: which segments it shows, and that it shows no others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/count.h"
#include "tests/skip.h"
#include "wire/caps.h"
#include "wire/tap.h"

#include "harness/loop.h"
#include "harness/memcheck.h"

#define A_WHILE  (30 * REAL_MS)
#define SEEN_MAX 64

static struct tap_segment seen[SEEN_MAX];
static unsigned seen_count;

static void note(void *owner, const struct tap_segment *segment)
{
    assert_true(seen_count < SEEN_MAX);
    seen[seen_count++] = *segment;
}

static unsigned one = 1, two = 2;

static bool are_seen(void *count)
{
    return seen_count >= *(unsigned *)count;
}

static socklen_t set_loopback(union address *at, bool v6)
{
    *at = (union address){ 0 };
    if (v6)
        at->v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback };
    else
        at->v4 = (struct sockaddr_in){ .sin_family = AF_INET,
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    return v6 ? sizeof at->v6 : sizeof at->v4;
}

/* A socket of the loopback address with a port. -1: no IPv6 here. */
static int bound(bool v6, union address *at)
{
    socklen_t len = set_loopback(at, v6);
    int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM, 0);
    if (fd >= 0 && bind(fd, &at->any, len) < 0) {
        close(fd);
        return -1;
    }
    if (fd >= 0)
        getsockname(fd, &at->any, &len);
    return fd;
}

static uint16_t port_of(const union address *at)
{
    return ntohs(at->any.sa_family == AF_INET6 ? at->v6.sin6_port : at->v4.sin_port);
}

static struct tap *open_tap(uint16_t port, uint8_t mask, uint8_t flags)
{
    struct tap *t = NULL;
    struct tap_config config = { .loop = &loop,
                                 .ports = { 1, port },
                                 .port_count = 2,
                                 .mask = mask,
                                 .flags = flags,
                                 .seen = note };
    if (!caps_have(CAP_TAP))
        skip_because(caps_row(CAP_TAP)->why_not);
    seen_count = 0;
    assert_int_equal(tap_open(&config, &t), 0);
    return t;
}

/* One connection with data and an end: to a port that listens, and to one that refuses. */
static void one_syn(bool v6, bool listens)
{
    union address server, client, other_at;
    int listening = bound(v6, &server), fd = bound(v6, &client), other = bound(v6, &other_at);
    socklen_t len = v6 ? sizeof server.v6 : sizeof server.v4;
    if (listening < 0)
        return;
    if (listens)
        assert_int_equal(listen(listening, 1), 0);
    struct tap *t = open_tap(port_of(&server), TAP_SYN | TAP_ACK, TAP_SYN);
    connect(other, &client.any, len); /* a SYN that is none of its business */
    assert_int_equal(connect(fd, &server.any, len), listens ? 0 : -1);
    if (listens)
        assert_int_equal(send(fd, "x", 1, 0), 1);
    close(fd);
    loop_until(&loop, are_seen, &one);
    loop_quiet(&loop, are_seen, &two, A_WHILE);
    assert_int_equal(seen_count, 1);
    assert_int_equal(port_of(&seen[0].from), port_of(&client));
    assert_int_equal(port_of(&seen[0].to), port_of(&server));
    assert_memory_equal(&seen[0].from, &client, len);
    assert_memory_equal(&seen[0].to, &server, len);
    assert_int_equal(seen[0].flags & (TAP_SYN | TAP_ACK | TAP_RST | TAP_FIN), TAP_SYN);
    assert_int_equal(tap_missed(t), 0);
    tap_close(t);
    close(listening);
    close(other);
}

static void a_syn_is_seen_with_its_sender_and_nothing_else_is(void **state)
{
    for (int v6 = 0; v6 < 2; v6++)
        for (int listens = 0; listens < 2; listens++)
            one_syn(v6, listens);
}

static bool five_octets_are_seen(void *unused)
{
    for (unsigned i = 0; i < seen_count; i++)
        if (seen[i].length == 5)
            return true;
    return false;
}

/* One client alone, whatever it sends: with how much data, and when. */
static void one_client(bool v6)
{
    union address server, client, other_at;
    int listening = bound(v6, &server), fd = bound(v6, &client), other = bound(v6, &other_at);
    socklen_t len = v6 ? sizeof server.v6 : sizeof server.v4;
    struct tap *t = NULL;
    struct tap_config config = { .loop = &loop,
                                 .ports = { port_of(&server) },
                                 .port_count = 1,
                                 .from_port = listening < 0 ? 0 : port_of(&client),
                                 .seen = note };
    if (listening < 0)
        return;
    if (!caps_have(CAP_TAP))
        skip_because(caps_row(CAP_TAP)->why_not);
    assert_int_equal(listen(listening, 2), 0);
    assert_int_equal(connect(other, &server.any, len), 0);
    assert_int_equal(connect(fd, &server.any, len), 0);
    seen_count = 0;
    assert_int_equal(tap_open(&config, &t), 0);
    int64_t before = clock_now();
    assert_int_equal(send(other, "others", 6, 0), 6);
    assert_int_equal(send(fd, "12345", 5, 0), 5);
    loop_until(&loop, five_octets_are_seen, NULL);
    for (unsigned i = 0; i < seen_count; i++) {
        assert_memory_equal(&seen[i].from, &client, len);
        assert_true(seen[i].length == 5 || seen[i].length == 0);
        assert_true(seen[i].at >= before - NS_PER_MS && seen[i].at <= clock_now());
    }
    tap_close(t);
    close(fd);
    close(other);
    close(listening);
}

static void one_client_can_be_looked_at_alone(void **state)
{
    for (int v6 = 0; v6 < 2; v6++)
        one_client(v6);
}

/* As it is to serve for dead connections, too. */
static void other_flags_can_be_asked_for(void **state)
{
    union address server, client;
    int listening = bound(false, &server), fd = bound(false, &client);
    assert_int_equal(listen(listening, 1), 0);
    struct tap *t = open_tap(port_of(&server), TAP_FIN, TAP_FIN);
    assert_int_equal(connect(fd, &server.any, sizeof server.v4), 0);
    loop_quiet(&loop, are_seen, &one, A_WHILE);
    shutdown(fd, SHUT_WR);
    tap_look(t); /* without the loop */
    assert_int_equal(seen_count, 1);
    assert_true(seen[0].flags & TAP_FIN);
    tap_close(t);
    close(fd);
    close(listening);
}

static void more_ports_than_it_takes_are_refused(void **state)
{
    struct tap *t;
    struct tap_config config = { .loop = &loop, .port_count = TAP_PORTS_MAX + 1 };
    assert_int_equal(tap_open(&config, &t), -EINVAL);
    tap_close(NULL);
}

/* The program that the kernel is given is right for every number of ports. */
static void every_number_of_ports_works(void **state)
{
    for (unsigned count = 1; count <= TAP_PORTS_MAX; count++)
        for (unsigned place = 0; place < count; place++) {
            union address server;
            struct tap *t = NULL;
            int unused = bound(false, &server), fd = socket(AF_INET, SOCK_STREAM, 0);
            struct tap_config config = { .loop = &loop,
                                         .port_count = count,
                                         .mask = TAP_SYN | TAP_ACK,
                                         .flags = TAP_SYN,
                                         .seen = note };
            config.ports[place] = port_of(&server);
            if (!caps_have(CAP_TAP))
                skip_because(caps_row(CAP_TAP)->why_not);
            seen_count = 0;
            assert_int_equal(tap_open(&config, &t), 0);
            connect(fd, &server.any, sizeof server.v4);
            tap_look(t);
            assert_int_equal(seen_count, 1);
            tap_close(t);
            close(fd);
            close(unused);
        }
}

/* There are as many as black holes, and they may end at once. The best of some tries, as a machine
 * that does other things can only make it slower. */
static void the_loop_does_not_wait_for_the_end_of_taps(void **state)
{
    struct tap *taps[20];
    int64_t least = INT64_MAX;
    if (under_memcheck())
        skip_because("valgrind says nothing about time");
    for (int tries = 0; tries < 5; tries++) {
        for (unsigned i = 0; i < COUNT(taps); i++)
            taps[i] = open_tap(2, TAP_SYN, TAP_SYN);
        int64_t before = clock_now();
        for (unsigned i = 0; i < COUNT(taps); i++)
            tap_close(taps[i]);
        int64_t took = clock_now() - before;
        least = took < least ? took : least;
        loop_settle(&loop);
    }
    if (least > (int64_t)COUNT(taps) * NS_PER_MS)
        fail_msg("%.3f ms for %zu", (double)least / NS_PER_MS, COUNT(taps));
}

static int start(void **state)
{
    caps_probe();
    return loop_start(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_syn_is_seen_with_its_sender_and_nothing_else_is),
        cmocka_unit_test(other_flags_can_be_asked_for),
        cmocka_unit_test(one_client_can_be_looked_at_alone),
        cmocka_unit_test(more_ports_than_it_takes_are_refused),
        cmocka_unit_test(every_number_of_ports_works),
        cmocka_unit_test(the_loop_does_not_wait_for_the_end_of_taps),
    };
    return cmocka_run_group_tests(tests, start, loop_stop);
}
