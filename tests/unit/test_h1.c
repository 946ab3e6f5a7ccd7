/* test_h1.c - the HTTP/1.1 engine: what it takes, what it tells its host and what it puts out.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/limits.h"

#include "h1_rig.h"
#include "harness/memcheck.h"
#include "harness/memory.h"
#include "tests/skip.h"

static int at_start; /* descriptors */

static void a_request_is_answered_and_the_connection_kept(void **state)
{
    struct host t;

    host_init(&t, AT_COMPLETE);
    for (unsigned i = 1; i <= 3; i++) {
        char expected[100];

        say(&t, GET);
        snprintf(expected, sizeof expected, "begin%u " SEEN, i);
        assert_string_equal(trace(&t), expected);
        turns();
        strcat(expected, "responded ");
        assert_string_equal(trace(&t), expected);
        assert_begins(out(&t), "HTTP/1.1 200 OK\r\n");
        assert_ends(out(&t), "\r\n\r\nhello");
        assert_int_equal(count(out(&t), "Content-Length: 5\r\n"), 1);
        assert_int_equal(count(out(&t), "Date: "), 1);
        assert_int_equal(count(out(&t), "Connection"), 0);
        assert_int_equal(count(out(&t), "Server"), 0);
        forget(&t);
    }
    host_free(&t);
}

static void a_request_that_comes_octet_by_octet_is_the_same(void **state)
{
    struct host t;

    host_init(&t, AT_COMPLETE);
    say(&t, "\r\n\r\n");
    turns();
    assert_string_equal(trace(&t), "");
    for (const char *p = GET; *p; p++) {
        engine_input(t.engine, (const uint8_t *)p, 1);
        assert_begins(trace(&t), "begin1 ");
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    turns();
    assert_string_equal(trace(&t), "begin1 " SEEN "responded ");
    host_free(&t);
}

static void pipelined_requests_are_served_one_after_the_other(void **state)
{
    struct host t;

    host_init(&t, AT_COMPLETE);
    say(&t, GET POST(3) "abc" GET "GET /cut");
    turns();
    assert_string_equal(trace(&t), "begin1 " SEEN "responded "
                                   "begin2 headers(POST /p h 2) body complete responded "
                                   "begin3 " SEEN "responded begin4 ");
    assert_int_equal(count(out(&t), "HTTP/1.1 200 OK\r\n"), 3);
    assert_int_equal(count(out(&t), "hello"), 3);
    host_free(&t);
}

static void a_pipelined_request_begins_when_the_one_before_was_answered(void **state)
{
    struct host t;

    host_init(&t, NEVER);
    say(&t, GET GET);
    turns();
    assert_string_equal(trace(&t), "begin1 " SEEN);
    engine_respond(t.open, &t.response);
    turns();
    assert_string_equal(trace(&t), "begin1 " SEEN "responded begin2 " SEEN);
    engine_respond(t.open, &t.response);
    turns();
    assert_ends(trace(&t), "begin2 " SEEN "responded ");
    host_free(&t);
}

static void the_host_may_answer_when_it_likes(void **state)
{
    struct host t;

    host_init(&t, NEVER);
    say(&t, POST(3) "abc");
    turns();
    assert_string_equal(trace(&t), "begin1 headers(POST /p h 2) body complete ");
    assert_int_equal(buf_len(&t.out), 0);
    for (int i = 0; i < 5; i++)
        turns();
    assert_int_equal(engine_respond(t.open, &t.response), 0);
    assert_int_equal(engine_respond(t.open, &t.response), -EALREADY);
    turns();
    assert_ends(trace(&t), "complete responded ");
    assert_ends(out(&t), "\r\n\r\nhello");
    host_free(&t);
}

static void released(void *arg)
{
    (*(unsigned *)arg)++;
}

static void borrowed_bodies_are_released_once_and_headers_kept_in_order(void **state)
{
    static char big[300000];
    const struct header headers[] = { { "X-B", "1 2", 3, 3 },
                                      { "X-A", "0", 3, 1 },
                                      { "X-B", "3", 3, 1 },
                                      { "Date", "x", 4, 1 },
                                      { "Content-Length", "1", 14, 1 } };
    struct host t;

    memset(big, 'x', sizeof big);
    host_init(&t, AT_COMPLETE);
    t.response = (struct response){ .status = 404,
                                    .headers = headers,
                                    .header_count = 5,
                                    .body = big,
                                    .body_len = sizeof big,
                                    .release = released,
                                    .release_arg = &t.released };
    say(&t, GET);
    turns();
    assert_string_equal(trace(&t), "begin1 " SEEN "responded ");
    assert_int_equal(t.released, 1);
    assert_begins(out(&t), "HTTP/1.1 404 Not Found\r\n");
    assert_non_null(strstr(out(&t), "X-B: 1 2\r\nX-A: 0\r\nX-B: 3\r\n"));
    assert_int_equal(count(out(&t), "Date: "), 1);
    assert_int_equal(count(out(&t), "Content-Length: 300000\r\n"), 1);
    assert_ends(out(&t), "xxxxx");
    t.response.body_len = 0;
    say(&t, GET);
    turns();
    assert_int_equal(t.released, 2);
    assert_ends(trace(&t), "responded ");
    host_free(&t);
}

static void a_response_that_http_cannot_carry_loses_the_exchange(void **state)
{
    static const struct header bad[] = {
        { "A", "b\r\nC: d", 1, 7 }, { "A B", "c", 3, 1 }, { "", "c", 0, 1 }, { "A", "b\0c", 1, 3 }
    };
    for (size_t i = 0; i < 6; i++) {
        struct host t;

        host_init(&t, NEVER);
        t.response.release = released;
        t.response.release_arg = &t.released;
        if (i < 4) {
            t.response.headers = &bad[i];
            t.response.header_count = 1;
        } else {
            t.response.status = i == 4 ? 99 : 1000;
        }
        say(&t, GET);
        turns();
        assert_int_equal(engine_respond(t.open, &t.response), -EINVAL);
        assert_int_equal(t.released, 1);
        turns();
        assert_string_equal(trace(&t), "begin1 " SEEN "lost finished ");
        host_free(&t);
    }
}

static void head_and_statuses_without_a_body_have_none(void **state)
{
    static const struct {
        const char *method;
        int status;
        bool length;
    } rows[] = {
        { "HEAD", 200, true },
        { "GET", 204, false },
        { "GET", 205, false },
        { "GET", 304, true },
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct host t;
        char text[100];

        host_init(&t, AT_COMPLETE);
        t.response.status = rows[i].status;
        snprintf(text, sizeof text, "%s / HTTP/1.1\r\nHost: h\r\n\r\n" GET, rows[i].method);
        say(&t, text);
        turns();
        assert_int_equal(count(trace(&t), "responded "), 2);
        assert_int_equal(count(out(&t), "hello"), rows[i].status == 200 ? 1 : 0);
        assert_int_equal(count(out(&t), "Content-Length: 5\r\n"), rows[i].length ? 2 : 0);
        assert_int_equal(count(out(&t), "Content-Length: 0\r\n"), rows[i].status == 205 ? 2 : 0);
        host_free(&t);
    }
}

static void the_connection_ends_when_the_protocol_says_so(void **state)
{
    static const struct {
        const char *request;
        bool closes;
    } rows[] = {
        { "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", true },
        { "GET / HTTP/1.1\r\nHost: h\r\nConnection: Foo, Close \r\n\r\n", true },
        { "GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\n\r\n", false },
        { "GET / HTTP/1.0\r\n\r\n", true },
        { "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct host t;

        host_init(&t, AT_COMPLETE);
        say(&t, rows[i].request);
        say(&t, GET);
        turns();
        assert_int_equal(count(trace(&t), "finished "), rows[i].closes);
        assert_int_equal(count(trace(&t), "responded "), rows[i].closes ? 1 : 2);
        assert_int_equal(count(out(&t), "Connection: close\r\n"), rows[i].closes);
        forget(&t);
        say(&t, GET);
        turns();
        assert_int_equal(buf_len(&t.out) == 0, rows[i].closes);
        host_free(&t);
    }
}

static void bodies_arrive_decoded_and_in_full(void **state)
{
    struct host t;
    char *big = malloc(700001);

    host_init(&t, AT_COMPLETE);
    say(&t, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked \r\n\r\n");
    say(&t, "5\r\nhel");
    turns();
    assert_int_equal(t.body_bytes, 3);
    say(&t, "lo\r\n00003;x=y\r\nabc\r\n0\r\nTrailer: x\r\n\r\n");
    turns();
    assert_string_equal(trace(&t), "begin1 headers(POST / h 2) body complete responded ");
    assert_int_equal(t.body_bytes, 8);
    forget(&t);

    memset(big, 'x', 700000);
    big[700000] = '\0';
    say(&t, POST(2100000));
    for (int i = 0; i < 3; i++)
        say(&t, big);
    turns();
    for (int i = 0; i < 50 && t.open; i++)
        turns();
    assert_string_equal(trace(&t), "begin2 headers(POST /p h 2) body complete responded ");
    assert_int_equal(t.body_bytes, 2100000);
    say(&t, GET);
    turns();
    assert_ends(trace(&t), "begin3 " SEEN "responded ");
    free(big);
    host_free(&t);
}

#define EXPECT "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"

static void expect_100_continue_is_answered_before_the_body(void **state)
{
    struct host t;

    host_init(&t, AT_COMPLETE);
    say(&t, EXPECT);
    turns();
    assert_string_equal(out(&t), "HTTP/1.1 100 Continue\r\n\r\n");
    say(&t, "abc");
    turns();
    assert_string_equal(trace(&t), "begin1 headers(POST /p h 3) body complete responded ");
    assert_begins(out(&t), "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n");
    host_free(&t);
}

static void an_early_answer_ends_the_connection(void **state)
{
    static const struct {
        enum when when;
        const char *input, *trace;
    } rows[] = {
        { AT_BEGIN, "P", "begin1 responded finished " },
        { AT_BEGIN, GET, "begin1 responded finished " },
        { AT_HEADERS, EXPECT, "begin1 headers(POST /p h 3) responded finished " },
        { AT_HEADERS, POST(30) "abc", "begin1 headers(POST /p h 2) responded finished " },
        { AT_BODY, POST(30) "abc", "begin1 headers(POST /p h 2) body responded finished " },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct host t;

        host_init(&t, rows[i].when);
        t.response.status = 413;
        say(&t, rows[i].input);
        turns();
        assert_string_equal(trace(&t), rows[i].trace);
        assert_begins(out(&t), "HTTP/1.1 413 Content Too Large\r\n");
        assert_int_equal(count(out(&t), "HTTP/1.1"), 1);
        assert_non_null(strstr(out(&t), "Connection: close\r\n"));
        assert_ends(out(&t), "Content-Length: 5\r\n\r\nhello");
        forget(&t);
        say(&t, "more of the body, which nobody wants");
        turns();
        assert_string_equal(trace(&t), "");
        host_free(&t);
    }
}

/* However the octets come: an answer is early when the content was not read, whether it is there or
 * not. */
static void an_answer_to_a_whole_request_in_headers_keeps_the_connection(void **state)
{
    struct host t;

    host_init(&t, AT_HEADERS);
    say(&t, GET);
    say(&t, POST(3) "abc");
    turns();
    assert_string_equal(trace(&t), "begin1 " SEEN "responded "
                                   "begin2 headers(POST /p h 2) responded finished ");
    host_free(&t);
}

static void what_is_not_http_is_refused(void **state)
{
    static const struct {
        const char *input, *status, *trace;
    } rows[] = {
        { "\x16\x03\x01\x02", "400", "begin1 error lost finished " },
        { "GET / HTTP/1.1\r\n\r\n", "400", "begin1 error lost finished " },
        { "PRI * HTTP/2.0\r\n\r\n", "505", "begin1 limit lost finished " },
        { "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "501",
          "begin1 limit lost finished " },
        { "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nx", "400",
          "begin1 headers(POST / h 2) error lost finished " },
        { GET "nonsense\r\n", "400", "begin1 " SEEN "responded begin2 error lost finished " },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct host t;
        const char *answer;

        host_init(&t, AT_COMPLETE);
        say(&t, rows[i].input);
        turns();
        assert_string_equal(trace(&t), rows[i].trace);
        answer = strstr(out(&t), "hello");
        answer = answer ? answer + 5 : out(&t);
        assert_begins(answer, "HTTP/1.1 ");
        assert_begins(answer + 9, rows[i].status);
        assert_non_null(strstr(answer, "Connection: close\r\n"));
        host_free(&t);
    }
}

/* n header lines, or one long one */
static char *large_head(size_t lines, size_t each)
{
    struct buf b = { 0 };

    buf_text(&b, "GET / HTTP/1.1\r\nHost: h\r\n");
    for (size_t i = 0; i < lines; i++)
        buf_printf(&b, "X%zu: %0*d\r\n", i, (int)each, 0);
    buf_add(&b, "\r\n", 3);
    return (char *)b.data;
}

static void large_header_sections_are_served_up_to_a_limit_and_refused_beyond(void **state)
{
    static const struct {
        size_t lines, each;
        const char *trace, *status;
    } rows[] = {
        { 1, 8 * 1024, "begin1 headers(GET / h 2) complete responded ", "200" },
        { 50, 180, "begin1 headers(GET / h 51) complete responded ", "200" },
        { 1, 12000, "begin1 headers(GET / h 2) complete responded ", "200" },
        { 1, 13000, "begin1 limit lost finished ", "431" },
        { 400, 40, "begin1 limit lost finished ", "431" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *text = large_head(rows[i].lines, rows[i].each);
        struct host t;

        host_init(&t, AT_COMPLETE);
        for (int k = 0; k < 2; k++) {
            forget(&t);
            say(&t, text);
            turns();
        }
        if (rows[i].status[0] == '2') {
            assert_begins(trace(&t), "begin2 ");
            assert_ends(trace(&t), rows[i].trace + strlen("begin1 "));
            assert_begins(out(&t) + 9, rows[i].status);
        }
        host_free(&t);

        host_init(&t, AT_COMPLETE);
        say(&t, text);
        turns();
        assert_string_equal(trace(&t), rows[i].trace);
        assert_begins(out(&t) + 9, rows[i].status);
        host_free(&t);
        free(text);
    }
}

static void queries_and_cookies_need_no_memory_of_libmicrohttpds(void **state)
{
    struct host t;
    struct buf b = { 0 };

    buf_text(&b, "GET /?");
    for (int i = 0; i < 4000; i++)
        buf_text(&b, "a&");
    buf_text(&b, " HTTP/1.1\r\nHost: h\r\ncookie: ");
    for (int i = 0; i < 600; i++)
        buf_text(&b, "a=b; ");
    buf_add(&b, "\r\n\r\n", 5);
    host_init(&t, AT_COMPLETE);
    say(&t, (const char *)buf_bytes(&b));
    turns();
    assert_ends(trace(&t), "a&a& h 2) complete responded ");
    buf_free(&b);
    host_free(&t);
}

/* What its pool has no room for is not given to it. */
static void large_framing_headers_and_methods_are_no_matter_for_libmicrohttpd(void **state)
{
    struct buf b = { 0 };
    struct host t;

    buf_text(&b, "GET / HTTP/1.1\r\nHost: h\r\nConnection: ");
    for (int i = 0; i < 2000; i++)
        buf_text(&b, "tok, ");
    buf_add(&b, "x\r\n\r\n", 6);
    host_init(&t, AT_COMPLETE);
    say(&t, (const char *)buf_bytes(&b));
    turns();
    assert_string_equal(trace(&t), "begin1 headers(GET / h 2) complete responded ");
    forget(&t);
    buf_free(&b);
    for (int i = 0; i < 10000; i++)
        buf_text(&b, "M");
    buf_text(&b, " / HTTP/1.1\r\nHost: h\r\n\r\n");
    buf_add(&b, "", 1);
    say(&t, (const char *)buf_bytes(&b));
    turns();
    assert_ends(trace(&t), "/ h 1) complete responded finished ");
    assert_begins(out(&t), "HTTP/1.1 200 ");
    host_free(&t);
    buf_free(&b);
}

static void a_thousand_header_lines_are_no_matter(void **state)
{
    char *text = large_head(1000, 1);
    struct host t;

    host_init(&t, AT_COMPLETE);
    say(&t, text);
    turns();
    assert_string_equal(trace(&t), "begin1 headers(GET / h 1001) complete responded ");
    host_free(&t);
    free(text);
}

static void output_waits_for_room(void **state)
{
    static char big[500000];
    struct host t;

    memset(big, 'x', sizeof big);
    host_init(&t, AT_COMPLETE);
    t.response.body = big;
    t.response.body_len = sizeof big;
    t.room = 0;
    say(&t, GET GET);
    turns();
    assert_string_equal(trace(&t), "begin1 " SEEN);
    assert_int_equal(buf_len(&t.out), 0);
    t.room = 1000;
    engine_pump(t.engine);
    turns();
    assert_int_equal(buf_len(&t.out), 1000);
    for (int i = 0; i < 300 && count(trace(&t), "responded ") < 2; i++) {
        t.room = 7000;
        engine_pump(t.engine);
        turns();
    }
    assert_string_equal(trace(&t), "begin1 " SEEN "responded begin2 " SEEN "responded ");
    assert_int_equal(count(out(&t), "HTTP/1.1 200 OK\r\n"), 2);
    assert_true(buf_len(&t.out) > 2 * sizeof big);
    host_free(&t);
}

static void an_early_answer_waits_for_room_too(void **state)
{
    struct host t;

    host_init(&t, AT_HEADERS);
    t.room = 10;
    say(&t, POST(30));
    turns();
    assert_string_equal(out(&t), "HTTP/1.1 2");
    assert_ends(trace(&t), "headers(POST /p h 2) ");
    t.room = 1000;
    engine_pump(t.engine);
    turns();
    assert_ends(out(&t), "hello");
    assert_ends(trace(&t), "responded finished ");
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
            say(&t, rows[i].input);
            if (turn || strstr(rows[i].trace, "body"))
                turns();
            engine_peer_closed(t.engine);
            turns();
            assert_string_equal(trace(&t), rows[i].trace);
            host_free(&t);
        }
}

static void a_late_answer_still_reaches_a_client_that_has_closed(void **state)
{
    struct host t;

    host_init(&t, NEVER);
    say(&t, GET);
    engine_peer_closed(t.engine);
    turns();
    assert_string_equal(trace(&t), "begin1 " SEEN);
    engine_respond(t.open, &t.response);
    turns();
    assert_ends(out(&t), "hello");
    assert_ends(trace(&t), "responded finished ");
    host_free(&t);
}

static void shutdown_finishes_what_is_open(void **state)
{
    struct host t;

    host_init(&t, NEVER);
    engine_shutdown(t.engine);
    assert_string_equal(trace(&t), "finished ");
    host_free(&t);

    host_init(&t, NEVER);
    say(&t, GET GET);
    turns();
    engine_shutdown(t.engine);
    turns();
    assert_string_equal(trace(&t), "begin1 " SEEN);
    engine_respond(t.open, &t.response);
    turns();
    assert_string_equal(trace(&t), "begin1 " SEEN "responded finished ");
    assert_int_equal(count(out(&t), "Connection: close\r\n"), 1);
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
                say(&t, inputs[i]);
                if (turn)
                    turns();
                assert_non_null(t.open);
                engine_destroy(t.engine);
                t.engine = NULL;
                assert_ends(trace(&t), "lost ");
                turns();
                host_free(&t);
            }
}

/* --- Watching */

#define STALE_GET      "stale(GET /a?b h 1 whole) stale-complete(GET 0) "
#define STALE_OPEN_GET "stale-open(GET /a?b h 1 whole) stale-open-complete(GET 0) "

static void watching_reports_requests_and_says_nothing(void **state)
{
    struct host t;

    host_init(&t, AT_COMPLETE);
    say(&t, GET);
    turns();
    forget(&t);
    engine_watch(t.engine, WATCH_ONLY);
    say(&t, "GET /a?b HT");
    say(&t, "TP/1.1\r\nHost: h\r\n\r\n" POST(3) "ab");
    say(&t, "cGET /la");
    turns();
    assert_string_equal(trace(&t), STALE_GET "stale(POST /p h 2 head) stale-body "
                                             "stale-complete(POST 3) ");
    engine_watch_flush(t.engine, false);
    engine_watch_flush(t.engine, false);
    assert_ends(trace(&t), "(POST 3) stale(GET   0 part) ");
    engine_resume(t.engine);
    engine_peer_closed(t.engine);
    turns();
    assert_int_equal(count(trace(&t), "stale("), 3);
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
            say(&t, rows[i].before);
            turns();
            forget(&t);
            engine_watch(t.engine, how ? WATCH_HOLD : WATCH_ONLY);
            say(&t, rows[i].after);
            turns();
            assert_string_equal(trace(&t), rows[i].trace);
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
            say(&t, GET GET);
            turns();
            forget(&t);
            t.watch = AT_BEGIN;
            engine_respond(t.open, &t.response);
            turns();
            assert_string_equal(trace(&t), "responded begin2 " STALE_OPEN_GET);
        } else {
            say(&t, GET);
            turns();
            assert_string_equal(trace(&t), "begin1 " STALE_OPEN_GET);
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
            say(&t, rows[i].before);
            if (turn)
                turns();
            forget(&t);
            engine_watch(t.engine, WATCH_HOLD);
            say(&t, rows[i].during);
            turns();
            assert_string_equal(trace(&t), rows[i].stale);
            if (t.open && turn && *rows[i].before == 'G' && strstr(rows[i].before, "\r\n\r\n"))
                engine_respond(t.open, &t.response);
            t.answer = AT_COMPLETE;
            turns();
            assert_int_equal(buf_len(&t.out), 0);
            engine_resume(t.engine);
            turns();
            assert_ends(trace(&t), "begin2 " SEEN "responded ");
            assert_int_equal(count(out(&t), "HTTP/1.1 200 OK\r\n"), 2);
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
    say(&t, GET);
    turns();
    assert_int_equal(buf_len(&t.out), 50000);
    engine_watch(t.engine, WATCH_HOLD);
    t.room = SIZE_MAX;
    engine_pump(t.engine);
    turns();
    assert_int_equal(buf_len(&t.out), 50000);
    engine_resume(t.engine);
    turns();
    assert_true(buf_len(&t.out) > sizeof big);
    assert_string_equal(trace(&t), "begin1 " SEEN "responded ");
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
            say(&t, POST(3) "abc" GET);
            turns();
            assert_int_equal(buf_len(&t.out), 0);
            seen = trace(&t);
            assert_int_equal(count(seen, "responded") + count(seen, "lost"), 0);
            assert_int_equal(count(seen, STALE_GET), 1);
            assert_int_equal(count(seen, "stale-open(POST"), whens[i] == AT_BEGIN);
            assert_int_equal(count(seen, "stale-open-body"), whens[i] < AT_BODY);
            assert_int_equal(count(seen, "stale-open-complete(POST"), whens[i] != AT_COMPLETE);
            assert_int_equal(count(seen, "headers"), whens[i] != AT_BEGIN);
            assert_int_equal(count(seen, " complete"), whens[i] == AT_COMPLETE);
            t.watch = NEVER;
            engine_resume(t.engine);
            turns();
            assert_int_equal(count(trace(&t), "responded "), how ? 2 : 0);
            host_free(&t);
        }
}

static void holding_may_turn_into_watching(void **state)
{
    struct host t;

    host_init(&t, AT_COMPLETE);
    engine_watch(t.engine, WATCH_HOLD);
    say(&t, GET "GET /x HT");
    engine_watch(t.engine, WATCH_ONLY);
    engine_watch(t.engine, WATCH_HOLD);
    say(&t, "TP/1.1\r\nHost: h\r\n\r\n");
    engine_resume(t.engine);
    turns();
    assert_string_equal(trace(&t), STALE_GET "stale(GET /x h 1 whole) stale-complete(GET 0) ");
    host_free(&t);
}

static void answers_while_watching_are_taken_without_effect(void **state)
{
    struct host t;

    host_init(&t, NEVER);
    t.response.release = released;
    t.response.release_arg = &t.released;
    say(&t, GET);
    turns();
    engine_watch(t.engine, WATCH_ONLY);
    assert_int_equal(engine_respond(t.open, &t.response), 0);
    assert_int_equal(t.released, 1);
    turns();
    assert_int_equal(buf_len(&t.out), 0);
    host_free(&t);
}

static void a_client_that_closes_while_held_is_served_afterwards(void **state)
{
    struct host t;

    host_init(&t, AT_COMPLETE);
    engine_watch(t.engine, WATCH_HOLD);
    say(&t, GET);
    engine_peer_closed(t.engine);
    turns();
    engine_resume(t.engine);
    turns();
    assert_string_equal(trace(&t), STALE_GET "begin1 " SEEN "responded finished ");
    host_free(&t);
}

/* --- Bounds and trouble */

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
            say(&t, GET);
            n++;
        }
        assert_in_range(n * strlen(GET), LIMIT_HELD, LIMIT_HELD + 100);
        say(&t, GET); /* what the host has read already fits in any case */
        n++;
        t.answer = AT_COMPLETE;
        if (held)
            engine_resume(t.engine);
        else
            engine_respond(t.open, &t.response);
        for (int i = 0; i < 3000 && t.responded < n; i++)
            turns();
        assert_int_equal(t.responded, n);
        assert_int_equal(count(trace(&t), "error ") + count(trace(&t), "lost "), 0);
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
        turns(); /* begins what was whole, and waits for the answer to that */
        engine_watch(t.engine, WATCH_HOLD);
        engine_input(t.engine, (const uint8_t *)input + first, strlen(input) - first);
        engine_resume(t.engine);
        t.answer = AT_COMPLETE;
        if (t.open && count(trace(&t), " complete"))
            engine_respond(t.open, &t.response);
        turns();
        const char *seen = trace(&t);
        assert_int_equal(count(seen, "responded "), 3);
        assert_int_equal(count(seen, "(POST /p h 2 head)"), 1);
        assert_int_equal(count(seen, "-complete(POST 3)"), 1);
        assert_in_range(count(seen, "(GET /a?b h 1 whole)"), 2, 2);
        host_free(&t);
    }
}

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
        if (h1_create(&calls, &t, &t.engine) == 0) {
            say(&t, POST(3) "ab");
            turns();
            say(&t, "c" GET "GET");
            turns();
            engine_watch(t.engine, WATCH_HOLD);
            say(&t, " /a?b HTTP/1.1\r\nHost: h\r\n\r\n");
            engine_resume(t.engine);
            turns();
        }
        failed = memory_restore() > 0;
        ends = count(trace(&t), "responded ") + count(trace(&t), "lost ");
        assert_int_equal(count(trace(&t), "begin"), ends + (t.open != NULL));
        if (!failed)
            assert_int_equal(count(trace(&t), "responded "), 3);
        host_free(&t);
        turns();
        if (!failed)
            break;
        assert_true(n < 200);
    }
}

static int open_descriptors(void)
{
    int n = 0;

    for (int fd = 0; fd < 1000; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
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
        say(&holders[i], GET);
        turns();
    }
    last->room = SIZE_MAX;
    engine_pump(last->engine);
    turns();
    assert_string_equal(trace(last), "begin1 " SEEN "responded finished ");
    assert_begins(out(last), "HTTP/1.1 200 OK\r\n");
    assert_non_null(strstr(out(last), "Connection: close\r\n"));
    assert_ends(out(last), "hello");
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);

    host_init(&t, AT_COMPLETE);
    say(&t, GET);
    turns();
    assert_ends(trace(&t), "complete responded ");
    host_free(&t);
    for (size_t i = 0; i < 200; i++)
        host_free(&holders[i]);
}

static void a_thousand_connections_leave_nothing_behind(void **state)
{
    static struct host hosts[1000];
    for (int i = 0; i < 1000; i++) {
        host_init(&hosts[i], i % 3 ? AT_COMPLETE : NEVER);
        say(&hosts[i], i % 5 ? GET : POST(10) "abc");
        if (i % 50 == 0)
            turns();
    }
    turns();
    for (int i = 0; i < 1000; i++)
        host_free(&hosts[i]);
    for (int i = 0; i < 1000 && open_descriptors() > at_start + 2 * 16; i++) {
        turns();
        usleep(10000); /* the stock is closed by and by */
    }
    assert_in_range(open_descriptors(), at_start, at_start + 2 * 16);
}

/* However many are open: it is given a request when that is whole and answered. */
static void a_request_that_is_coming_or_waits_costs_libmicrohttpd_nothing(void **state)
{
    static struct host hosts[200];
    int before;

    for (int i = 0; i < 1000 && open_descriptors() > at_start + 2 * 16; i++) {
        turns();
        usleep(10000);
    }
    before = open_descriptors();
    for (int i = 0; i < 200; i++) {
        host_init(&hosts[i], NEVER);
        say(&hosts[i], i % 2 ? POST(100) "abc" : GET);
        turns();
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
    int err = loop_set_up(state);

    at_start = open_descriptors();
    return err;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_answered_and_the_connection_kept),
        cmocka_unit_test(a_request_that_comes_octet_by_octet_is_the_same),
        cmocka_unit_test(pipelined_requests_are_served_one_after_the_other),
        cmocka_unit_test(a_pipelined_request_begins_when_the_one_before_was_answered),
        cmocka_unit_test(the_host_may_answer_when_it_likes),
        cmocka_unit_test(borrowed_bodies_are_released_once_and_headers_kept_in_order),
        cmocka_unit_test(a_response_that_http_cannot_carry_loses_the_exchange),
        cmocka_unit_test(head_and_statuses_without_a_body_have_none),
        cmocka_unit_test(the_connection_ends_when_the_protocol_says_so),
        cmocka_unit_test(bodies_arrive_decoded_and_in_full),
        cmocka_unit_test(expect_100_continue_is_answered_before_the_body),
        cmocka_unit_test(an_early_answer_ends_the_connection),
        cmocka_unit_test(an_answer_to_a_whole_request_in_headers_keeps_the_connection),
        cmocka_unit_test(what_is_not_http_is_refused),
        cmocka_unit_test(large_header_sections_are_served_up_to_a_limit_and_refused_beyond),
        cmocka_unit_test(queries_and_cookies_need_no_memory_of_libmicrohttpds),
        cmocka_unit_test(large_framing_headers_and_methods_are_no_matter_for_libmicrohttpd),
        cmocka_unit_test(a_thousand_header_lines_are_no_matter),
        cmocka_unit_test(output_waits_for_room),
        cmocka_unit_test(an_early_answer_waits_for_room_too),
        cmocka_unit_test(a_client_that_closes_is_answered_what_it_asked_in_full),
        cmocka_unit_test(a_late_answer_still_reaches_a_client_that_has_closed),
        cmocka_unit_test(shutdown_finishes_what_is_open),
        cmocka_unit_test(destroying_loses_what_is_open_wherever_it_is),
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
        cmocka_unit_test(running_out_of_memory_harms_one_connection_at_most),
        cmocka_unit_test(without_descriptors_an_answer_is_the_last_one),
        cmocka_unit_test(a_thousand_connections_leave_nothing_behind),
        cmocka_unit_test(a_request_that_is_coming_or_waits_costs_libmicrohttpd_nothing),
    };
    return cmocka_run_group_tests(tests, set_up, loop_tear_down);
}
