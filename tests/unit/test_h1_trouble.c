/* test_h1_trouble.c - the HTTP/1.1 engine: no room, clients that close, ends, and what runs out. */
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "harness/h1_rig.h"
#include "harness/memcheck.h"
#include "harness/memory.h"
#include "harness/sockets.h"
#include "tests/skip.h"

static unsigned at_start; /* descriptors */

/* --- Room and ends */

static void output_waits_for_room(void **state)
{
    static char big[500000];
    struct host t;

    memset(big, 'x', sizeof big);
    host_init(&t, AT_COMPLETE);
    t.response.body = big;
    t.response.body_len = sizeof big;
    t.room = 0;
    host_say(&t, GET GET);
    host_turns();
    assert_string_equal(host_trace(&t), "begin1 " SEEN);
    assert_int_equal(buf_len(&t.out), 0);
    t.room = 1000;
    engine_pump(t.engine);
    host_turns();
    assert_int_equal(buf_len(&t.out), 1000);
    for (int i = 0; i < 300 && host_count(host_trace(&t), "responded ") < 2; i++) {
        t.room = 7000;
        engine_pump(t.engine);
        host_turns();
    }
    assert_string_equal(host_trace(&t), "begin1 " SEEN "responded begin2 " SEEN "responded ");
    assert_int_equal(host_count(host_out(&t), "HTTP/1.1 200 OK\r\n"), 2);
    assert_true(buf_len(&t.out) > 2 * sizeof big);
    host_free(&t);
}

static void an_early_answer_waits_for_room_too(void **state)
{
    struct host t;

    host_init(&t, AT_HEADERS);
    t.room = 10;
    host_say(&t, POST(30));
    host_turns();
    assert_string_equal(host_out(&t), "HTTP/1.1 2");
    assert_ends(host_trace(&t), "headers(POST /p h 2) ");
    t.room = 1000;
    engine_pump(t.engine);
    host_turns();
    assert_ends(host_out(&t), "hello");
    assert_ends(host_trace(&t), "responded finished ");
    host_free(&t);
}

static void a_client_that_closes_is_answered_what_it_asked_in_full(void **state)
{
    static const struct {
        const char *input, *trace;
    } rows[] = {
        { "", "finished " },
        { "\r\n", "finished " },
        { "GET / HT", "begin1 lost finished " },
        { POST(30) "abc", "begin1 headers(POST /p h 2) body lost finished " },
        { GET, "begin1 " SEEN "responded finished " },
        { GET GET, "begin1 " SEEN "responded begin2 " SEEN "responded finished " },
        { GET "GET", "begin1 " SEEN "responded begin2 lost finished " },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int turn = 0; turn < 2; turn++) {
            struct host t;

            host_init(&t, AT_COMPLETE);
            host_say(&t, rows[i].input);
            if (turn || strstr(rows[i].trace, "body"))
                host_turns();
            engine_peer_closed(t.engine);
            host_turns();
            assert_string_equal(host_trace(&t), rows[i].trace);
            host_free(&t);
        }
}

static void a_late_answer_still_reaches_a_client_that_has_closed(void **state)
{
    struct host t;

    host_init(&t, NEVER);
    host_say(&t, GET);
    engine_peer_closed(t.engine);
    host_turns();
    assert_string_equal(host_trace(&t), "begin1 " SEEN);
    engine_respond(t.open, &t.response);
    host_turns();
    assert_ends(host_out(&t), "hello");
    assert_ends(host_trace(&t), "responded finished ");
    host_free(&t);
}

static void shutdown_finishes_what_is_open(void **state)
{
    struct host t;

    host_init(&t, NEVER);
    engine_shutdown(t.engine);
    assert_string_equal(host_trace(&t), "finished ");
    host_free(&t);

    host_init(&t, NEVER);
    host_say(&t, GET GET);
    host_turns();
    engine_shutdown(t.engine);
    host_turns();
    assert_string_equal(host_trace(&t), "begin1 " SEEN);
    engine_respond(t.open, &t.response);
    host_turns();
    assert_string_equal(host_trace(&t), "begin1 " SEEN "responded finished ");
    assert_int_equal(host_count(host_out(&t), "Connection: close\r\n"), 1);
    host_free(&t);
}

static void destroying_loses_what_is_open_wherever_it_is(void **state)
{
    static const char *const inputs[] = { "GET", GET, POST(10), POST(10) "abc", GET GET };

    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++)
        for (int turn = 0; turn < 2; turn++)
            for (int answer = 0; answer < 2; answer++) {
                struct host t;

                host_init(&t, answer ? AT_HEADERS : NEVER);
                t.room = 0;
                host_say(&t, inputs[i]);
                if (turn)
                    host_turns();
                assert_non_null(t.open);
                engine_destroy(t.engine);
                t.engine = NULL;
                assert_ends(host_trace(&t), "lost ");
                host_turns();
                host_free(&t);
            }
}

/* --- Trouble */

/* Every allocation of a connection's life fails once. The host's own come out of reserved memory.
 */
static void running_out_of_memory_harms_one_connection_at_most(void **state)
{
    bool failed;

    for (int n = 0;; n++) {
        struct host t = { .room = SIZE_MAX, .answer = AT_COMPLETE, .response = OK_RESPONSE };
        unsigned ends;

        buf_reserve(&t.trace, 10000);
        buf_reserve(&t.out, 10000);
        memory_fails_once_after(n);
        if (h1_create(&host_calls, &t, &t.engine) == 0) {
            host_say(&t, POST(3) "ab");
            host_turns();
            host_say(&t, "c" GET "GET");
            host_turns();
            engine_watch(t.engine, WATCH_HOLD);
            host_say(&t, " /a?b HTTP/1.1\r\nHost: h\r\n\r\n");
            engine_resume(t.engine);
            host_turns();
        }
        failed = memory_restore() > 0;
        ends = host_count(host_trace(&t), "responded ") + host_count(host_trace(&t), "lost ");
        assert_int_equal(host_count(host_trace(&t), "begin"), ends + (t.open != NULL));
        if (!failed)
            assert_int_equal(host_count(host_trace(&t), "responded "), 3);
        host_free(&t);
        host_turns();
        if (!failed)
            break;
        assert_true(n < 200);
    }
}

/* More than are in stock wait for room to leave. */
static void without_descriptors_an_answer_is_the_last_one(void **state)
{
    struct rlimit limit, none;
    static struct host holders[200], t;
    if (under_memcheck())
        skip_because("valgrind keeps descriptors of its own behind the limit");
    struct host *last = &holders[199];

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    for (size_t i = 0; i < 200; i++) {
        host_init(&holders[i], AT_COMPLETE);
        holders[i].room = 0;
        host_say(&holders[i], GET);
        host_turns();
    }
    last->room = SIZE_MAX;
    engine_pump(last->engine);
    host_turns();
    assert_string_equal(host_trace(last), "begin1 " SEEN "responded finished ");
    assert_begins(host_out(last), "HTTP/1.1 200 OK\r\n");
    assert_non_null(strstr(host_out(last), "Connection: close\r\n"));
    assert_ends(host_out(last), "hello");
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);

    host_init(&t, AT_COMPLETE);
    host_say(&t, GET);
    host_turns();
    assert_ends(host_trace(&t), "complete responded ");
    host_free(&t);
    for (size_t i = 0; i < 200; i++)
        host_free(&holders[i]);
}

/* What there is of connections of libmicrohttpd is closed by and by, all but the stock. */
static bool only_stock_is_left(void *unused)
{
    return open_descriptors() <= at_start + 2 * 16;
}

static void a_thousand_connections_leave_nothing_behind(void **state)
{
    static struct host hosts[1000];
    for (int i = 0; i < 1000; i++) {
        host_init(&hosts[i], i % 3 ? AT_COMPLETE : NEVER);
        host_say(&hosts[i], i % 5 ? GET : POST(10) "abc");
        if (i % 50 == 0)
            host_turns();
    }
    host_turns();
    for (int i = 0; i < 1000; i++)
        host_free(&hosts[i]);
    loop_until(&loop, only_stock_is_left, NULL);
    assert_true(open_descriptors() >= at_start);
}

/* However many are open: it is given a request when that is whole and answered. */
static void a_request_that_is_coming_or_waits_costs_libmicrohttpd_nothing(void **state)
{
    static struct host hosts[200];
    int before;

    loop_until(&loop, only_stock_is_left, NULL);
    before = open_descriptors();
    for (int i = 0; i < 200; i++) {
        host_init(&hosts[i], NEVER);
        host_say(&hosts[i], i % 2 ? POST(100) "abc" : GET);
        host_turns();
    }
    assert_int_equal(open_descriptors(), before);
    for (int i = 0; i < 200; i++) {
        if (i % 2)
            assert_int_equal(hosts[i].body_bytes, 3);
        host_free(&hosts[i]);
    }
}

static int set_up(void **state)
{
    int err = host_set_up(state);

    at_start = open_descriptors();
    return err;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(output_waits_for_room),
        cmocka_unit_test(an_early_answer_waits_for_room_too),
        cmocka_unit_test(a_client_that_closes_is_answered_what_it_asked_in_full),
        cmocka_unit_test(a_late_answer_still_reaches_a_client_that_has_closed),
        cmocka_unit_test(shutdown_finishes_what_is_open),
        cmocka_unit_test(destroying_loses_what_is_open_wherever_it_is),
        cmocka_unit_test(running_out_of_memory_harms_one_connection_at_most),
        cmocka_unit_test(without_descriptors_an_answer_is_the_last_one),
        cmocka_unit_test(a_thousand_connections_leave_nothing_behind),
        cmocka_unit_test(a_request_that_is_coming_or_waits_costs_libmicrohttpd_nothing),
    };
    return cmocka_run_group_tests(tests, set_up, host_tear_down);
}
