/* test_h1_watch.c - the HTTP/1.1 engine: connections that are watched or held, and served later. */
#include "base/limits.h"

#include "harness/h1_rig.h"

#define STALE_GET      "stale(GET /a?b h 1 whole) stale-complete(GET 0) "
#define STALE_OPEN_GET "stale-open(GET /a?b h 1 whole) stale-open-complete(GET 0) "

static void watching_reports_requests_and_says_nothing(void **state)
{
    struct host t;

    host_init(&t, AT_COMPLETE);
    host_say(&t, GET);
    host_turns();
    host_forget(&t);
    engine_watch(t.engine, WATCH_ONLY);
    host_say(&t, "GET /a?b HT");
    host_say(&t, "TP/1.1\r\nHost: h\r\n\r\n" POST(3) "ab");
    host_say(&t, "cGET /la");
    host_turns();
    assert_string_equal(host_trace(&t), STALE_GET "stale(POST /p h 2 head) stale-body "
                                                  "stale-complete(POST 3) ");
    engine_watch_flush(t.engine, false);
    engine_watch_flush(t.engine, false);
    assert_ends(host_trace(&t), "(POST 3) stale(GET   0 part) ");
    engine_resume(t.engine);
    engine_peer_closed(t.engine);
    host_turns();
    assert_int_equal(host_count(host_trace(&t), "stale("), 3);
    assert_int_equal(buf_len(&t.out), 0);
    host_free(&t);
}

static void a_witness_knows_where_the_stream_stands(void **state)
{
    static const struct {
        const char *before, *after, *trace;
    } rows[] = {
        { POST(20) "GET /", "no HTTP/1.1\r\n\r\n" GET,
          "stale-open-body stale-open-complete(POST 15) " STALE_GET },
        { "POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nGE",
          "T x\r\n0\r\n\r\n" GET, "stale-open-body stale-open-complete(POST 3) " STALE_GET },
        { "GET /half HT", "TP/1.1\r\nHost: h\r\n\r\n" GET,
          "stale-open(GET /half h 1 whole) stale-open-complete(GET 0) " STALE_GET },
        { "", "garbage\r\n\r\n" GET, "stale(   0 part) " },
        { "", "GET /x HTTP/1.1\r\nbad\r\n\r\n", "stale(GET /x  0 part) " },
        { GET GET, GET, STALE_GET STALE_GET },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int how = 0; how < 2; how++) {
            struct host t;

            host_init(&t, NEVER);
            host_say(&t, rows[i].before);
            host_turns();
            host_forget(&t);
            engine_watch(t.engine, how ? WATCH_HOLD : WATCH_ONLY);
            host_say(&t, rows[i].after);
            host_turns();
            assert_string_equal(host_trace(&t), rows[i].trace);
            host_free(&t);
        }
}

static void a_request_that_meets_the_fault_at_its_first_octet_is_reported(void **state)
{
    for (int pipelined = 0; pipelined < 2; pipelined++) {
        struct host t;

        host_init(&t, AT_COMPLETE);
        t.watch = AT_BEGIN;
        if (pipelined) {
            t.watch = NEVER;
            t.answer = NEVER;
            host_say(&t, GET GET);
            host_turns();
            host_forget(&t);
            t.watch = AT_BEGIN;
            engine_respond(t.open, &t.response);
            host_turns();
            assert_string_equal(host_trace(&t), "responded begin2 " STALE_OPEN_GET);
        } else {
            host_say(&t, GET);
            host_turns();
            assert_string_equal(host_trace(&t), "begin1 " STALE_OPEN_GET);
            assert_int_equal(buf_len(&t.out), 0);
        }
        host_free(&t);
    }
}

static void what_was_held_is_served_as_if_it_had_just_come(void **state)
{
    static const struct {
        const char *before, *during, *stale;
    } rows[] = {
        { "", GET GET, STALE_GET STALE_GET },
        { "GET /a?b HTTP", "/1.1\r\nHost: h\r\n\r\n" GET, STALE_OPEN_GET STALE_GET },
        { GET, GET, STALE_GET },
        { GET GET, "", STALE_GET },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int turn = 0; turn < 2; turn++) {
            struct host t;

            host_init(&t, turn ? NEVER : AT_COMPLETE);
            host_say(&t, rows[i].before);
            if (turn)
                host_turns();
            host_forget(&t);
            engine_watch(t.engine, WATCH_HOLD);
            host_say(&t, rows[i].during);
            host_turns();
            assert_string_equal(host_trace(&t), rows[i].stale);
            if (t.open && turn && *rows[i].before == 'G' && strstr(rows[i].before, "\r\n\r\n"))
                engine_respond(t.open, &t.response);
            t.answer = AT_COMPLETE;
            host_turns();
            assert_int_equal(buf_len(&t.out), 0);
            engine_resume(t.engine);
            host_turns();
            assert_ends(host_trace(&t), "begin2 " SEEN "responded ");
            assert_int_equal(host_count(host_out(&t), "HTTP/1.1 200 OK\r\n"), 2);
            host_free(&t);
        }
}

static void the_answer_being_sent_is_held_back(void **state)
{
    static char big[200000];
    struct host t;

    memset(big, 'x', sizeof big);
    host_init(&t, AT_COMPLETE);
    t.response.body = big;
    t.response.body_len = sizeof big;
    t.room = 50000;
    host_say(&t, GET);
    host_turns();
    assert_int_equal(buf_len(&t.out), 50000);
    engine_watch(t.engine, WATCH_HOLD);
    t.room = SIZE_MAX;
    engine_pump(t.engine);
    host_turns();
    assert_int_equal(buf_len(&t.out), 50000);
    engine_resume(t.engine);
    host_turns();
    assert_true(buf_len(&t.out) > sizeof big);
    assert_string_equal(host_trace(&t), "begin1 " SEEN "responded ");
    host_free(&t);
}

static void watching_from_any_callback_stops_everything(void **state)
{
    static const enum when whens[] = { AT_BEGIN, AT_HEADERS, AT_BODY, AT_COMPLETE };

    for (int i = 0; i < 4; i++)
        for (int how = 0; how < 2; how++) {
            struct host t;
            const char *seen;

            host_init(&t, AT_COMPLETE);
            t.watch = whens[i];
            t.watch_how = how ? WATCH_HOLD : WATCH_ONLY;
            host_say(&t, POST(3) "abc" GET);
            host_turns();
            assert_int_equal(buf_len(&t.out), 0);
            seen = host_trace(&t);
            assert_int_equal(host_count(seen, "responded") + host_count(seen, "lost"), 0);
            assert_int_equal(host_count(seen, STALE_GET), 1);
            assert_int_equal(host_count(seen, "stale-open(POST"), whens[i] == AT_BEGIN);
            assert_int_equal(host_count(seen, "stale-open-body"), whens[i] < AT_BODY);
            assert_int_equal(host_count(seen, "stale-open-complete(POST"), whens[i] != AT_COMPLETE);
            assert_int_equal(host_count(seen, "headers"), whens[i] != AT_BEGIN);
            assert_int_equal(host_count(seen, " complete"), whens[i] == AT_COMPLETE);
            t.watch = NEVER;
            engine_resume(t.engine);
            host_turns();
            assert_int_equal(host_count(host_trace(&t), "responded "), how ? 2 : 0);
            host_free(&t);
        }
}

static void holding_may_turn_into_watching(void **state)
{
    struct host t;

    host_init(&t, AT_COMPLETE);
    engine_watch(t.engine, WATCH_HOLD);
    host_say(&t, GET "GET /x HT");
    engine_watch(t.engine, WATCH_ONLY);
    engine_watch(t.engine, WATCH_HOLD);
    host_say(&t, "TP/1.1\r\nHost: h\r\n\r\n");
    engine_resume(t.engine);
    host_turns();
    assert_string_equal(host_trace(&t), STALE_GET "stale(GET /x h 1 whole) stale-complete(GET 0) ");
    host_free(&t);
}

static void answers_while_watching_are_taken_without_effect(void **state)
{
    struct host t;

    host_init(&t, NEVER);
    t.response.release = host_released;
    t.response.release_arg = &t.released;
    host_say(&t, GET);
    host_turns();
    engine_watch(t.engine, WATCH_ONLY);
    assert_int_equal(engine_respond(t.open, &t.response), 0);
    assert_int_equal(t.released, 1);
    host_turns();
    assert_int_equal(buf_len(&t.out), 0);
    host_free(&t);
}

static void a_client_that_closes_while_held_is_served_afterwards(void **state)
{
    struct host t;

    host_init(&t, AT_COMPLETE);
    engine_watch(t.engine, WATCH_HOLD);
    host_say(&t, GET);
    engine_peer_closed(t.engine);
    host_turns();
    engine_resume(t.engine);
    host_turns();
    assert_string_equal(host_trace(&t), STALE_GET "begin1 " SEEN "responded finished ");
    host_free(&t);
}

/* What is not served yet is kept; the engine says when it is enough, and when there is room again,
 * and loses nothing. */
static void what_is_pipelined_or_held_is_bounded_by_the_host_and_lost_never(void **state)
{
    for (int held = 0; held < 2; held++) {
        struct host t;
        unsigned n = 0;

        host_init(&t, NEVER);
        if (held)
            engine_watch(t.engine, WATCH_HOLD);
        while (!engine_full(t.engine)) {
            host_say(&t, GET);
            n++;
        }
        assert_in_range(n * strlen(GET), LIMIT_HELD, LIMIT_HELD + 100);
        host_say(&t, GET); /* what the host has read already fits in any case */
        n++;
        t.answer = AT_COMPLETE;
        if (held)
            engine_resume(t.engine);
        else
            engine_respond(t.open, &t.response);
        for (int i = 0; i < 3000 && t.responded < n; i++)
            host_turns();
        assert_int_equal(t.responded, n);
        assert_int_equal(host_count(host_trace(&t), "error ") + host_count(host_trace(&t), "lost "),
                         0);
        assert_int_equal(t.has_room, 1);
        assert_false(engine_full(t.engine));
        host_free(&t);
    }
}

/* Held again before all of it was served: what was reported once is not reported again. */
static void what_is_held_twice_is_reported_once(void **state)
{
    static const char input[] = GET POST(3) "abc" GET;

    for (size_t first = 0; first <= strlen(input); first++) {
        struct host t;

        host_init(&t, NEVER);
        engine_watch(t.engine, WATCH_HOLD);
        engine_input(t.engine, (const uint8_t *)input, first);
        engine_resume(t.engine);
        host_turns(); /* begins what was whole, and waits for the answer to that */
        engine_watch(t.engine, WATCH_HOLD);
        engine_input(t.engine, (const uint8_t *)input + first, strlen(input) - first);
        engine_resume(t.engine);
        t.answer = AT_COMPLETE;
        if (t.open && host_count(host_trace(&t), " complete"))
            engine_respond(t.open, &t.response);
        host_turns();
        const char *seen = host_trace(&t);
        assert_int_equal(host_count(seen, "responded "), 3);
        assert_int_equal(host_count(seen, "(POST /p h 2 head)"), 1);
        assert_int_equal(host_count(seen, "-complete(POST 3)"), 1);
        assert_in_range(host_count(seen, "(GET /a?b h 1 whole)"), 2, 2);
        host_free(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(watching_reports_requests_and_says_nothing),
        cmocka_unit_test(a_witness_knows_where_the_stream_stands),
        cmocka_unit_test(a_request_that_meets_the_fault_at_its_first_octet_is_reported),
        cmocka_unit_test(what_was_held_is_served_as_if_it_had_just_come),
        cmocka_unit_test(the_answer_being_sent_is_held_back),
        cmocka_unit_test(watching_from_any_callback_stops_everything),
        cmocka_unit_test(holding_may_turn_into_watching),
        cmocka_unit_test(answers_while_watching_are_taken_without_effect),
        cmocka_unit_test(a_client_that_closes_while_held_is_served_afterwards),
        cmocka_unit_test(what_is_pipelined_or_held_is_bounded_by_the_host_and_lost_never),
        cmocka_unit_test(what_is_held_twice_is_reported_once),
    };
    return cmocka_run_group_tests(tests, host_set_up, host_tear_down);
}
