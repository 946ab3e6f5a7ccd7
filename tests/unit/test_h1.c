/* test_h1.c - the HTTP/1.1 engine: what it takes, what it tells its host and what it puts out. */
#include <stdlib.h>

#include "base/limits.h"

#include "harness/h1_rig.h"

#define HEADER_TEXT(n, v)                                                                          \
    {                                                                                              \
        .name = (n), .value = (v), .name_len = strlen(n), .value_len = strlen(v)                   \
    }

static void a_request_is_answered_and_the_connection_kept(void **state)
{
    struct host t;

    host_init(&t, AT_COMPLETE);
    for (unsigned i = 1; i <= 3; i++) {
        char expected[100];

        host_say(&t, GET);
        snprintf(expected, sizeof expected, "begin%u " SEEN, i);
        assert_string_equal(host_trace(&t), expected);
        host_turns();
        strcat(expected, "responded ");
        assert_string_equal(host_trace(&t), expected);
        assert_begins(host_out(&t), "HTTP/1.1 200 OK\r\n");
        assert_ends(host_out(&t), "\r\n\r\nhello");
        assert_int_equal(host_count(host_out(&t), "Content-Length: 5\r\n"), 1);
        assert_int_equal(host_count(host_out(&t), "Date: "), 1);
        assert_int_equal(host_count(host_out(&t), "Connection"), 0);
        assert_int_equal(host_count(host_out(&t), "Server"), 0);
        host_forget(&t);
    }
    host_free(&t);
}

static void a_request_that_comes_octet_by_octet_is_the_same(void **state)
{
    struct host t;

    host_init(&t, AT_COMPLETE);
    host_say(&t, "\r\n\r\n");
    host_turns();
    assert_string_equal(host_trace(&t), "");
    for (const char *p = GET; *p; p++) {
        engine_input(t.engine, (const uint8_t *)p, 1);
        assert_begins(host_trace(&t), "begin1 ");
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    host_turns();
    assert_string_equal(host_trace(&t), "begin1 " SEEN "responded ");
    host_free(&t);
}

static void pipelined_requests_are_served_one_after_the_other(void **state)
{
    struct host t;

    host_init(&t, AT_COMPLETE);
    host_say(&t, GET POST(3) "abc" GET "GET /cut");
    host_turns();
    assert_string_equal(host_trace(&t), "begin1 " SEEN "responded "
                                        "begin2 headers(POST /p h 2) body complete responded "
                                        "begin3 " SEEN "responded begin4 ");
    assert_int_equal(host_count(host_out(&t), "HTTP/1.1 200 OK\r\n"), 3);
    assert_int_equal(host_count(host_out(&t), "hello"), 3);
    host_free(&t);
}

static void a_pipelined_request_begins_when_the_one_before_was_answered(void **state)
{
    struct host t;

    host_init(&t, NEVER);
    host_say(&t, GET GET);
    host_turns();
    assert_string_equal(host_trace(&t), "begin1 " SEEN);
    engine_respond(t.open, &t.response);
    host_turns();
    assert_string_equal(host_trace(&t), "begin1 " SEEN "responded begin2 " SEEN);
    engine_respond(t.open, &t.response);
    host_turns();
    assert_ends(host_trace(&t), "begin2 " SEEN "responded ");
    host_free(&t);
}

static void the_host_may_answer_when_it_likes(void **state)
{
    struct host t;

    host_init(&t, NEVER);
    host_say(&t, POST(3) "abc");
    host_turns();
    assert_string_equal(host_trace(&t), "begin1 headers(POST /p h 2) body complete ");
    assert_int_equal(buf_len(&t.out), 0);
    for (int i = 0; i < 5; i++)
        host_turns();
    assert_int_equal(engine_respond(t.open, &t.response), 0);
    assert_int_equal(engine_respond(t.open, &t.response), -EALREADY);
    host_turns();
    assert_ends(host_trace(&t), "complete responded ");
    assert_ends(host_out(&t), "\r\n\r\nhello");
    host_free(&t);
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
                                    .release = host_released,
                                    .release_arg = &t.released };
    host_say(&t, GET);
    host_turns();
    assert_string_equal(host_trace(&t), "begin1 " SEEN "responded ");
    assert_int_equal(t.released, 1);
    assert_begins(host_out(&t), "HTTP/1.1 404 Not Found\r\n");
    assert_non_null(strstr(host_out(&t), "X-B: 1 2\r\nX-A: 0\r\nX-B: 3\r\n"));
    assert_int_equal(host_count(host_out(&t), "Date: "), 1);
    assert_int_equal(host_count(host_out(&t), "Content-Length: 300000\r\n"), 1);
    assert_ends(host_out(&t), "xxxxx");
    t.response.body_len = 0;
    host_say(&t, GET);
    host_turns();
    assert_int_equal(t.released, 2);
    assert_ends(host_trace(&t), "responded ");
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
        t.response.release = host_released;
        t.response.release_arg = &t.released;
        if (i < 4) {
            t.response.headers = &bad[i];
            t.response.header_count = 1;
        } else {
            t.response.status = i == 4 ? 99 : 1000;
        }
        host_say(&t, GET);
        host_turns();
        assert_int_equal(engine_respond(t.open, &t.response), -EINVAL);
        assert_int_equal(t.released, 1);
        host_turns();
        assert_string_equal(host_trace(&t), "begin1 " SEEN "lost finished ");
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
        host_say(&t, text);
        host_turns();
        assert_int_equal(host_count(host_trace(&t), "responded "), 2);
        assert_int_equal(host_count(host_out(&t), "hello"), rows[i].status == 200 ? 1 : 0);
        assert_int_equal(host_count(host_out(&t), "Content-Length: 5\r\n"), rows[i].length ? 2 : 0);
        assert_int_equal(host_count(host_out(&t), "Content-Length: 0\r\n"),
                         rows[i].status == 205 ? 2 : 0);
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
        host_say(&t, rows[i].request);
        host_say(&t, GET);
        host_turns();
        assert_int_equal(host_count(host_trace(&t), "finished "), rows[i].closes);
        assert_int_equal(host_count(host_trace(&t), "responded "), rows[i].closes ? 1 : 2);
        assert_int_equal(host_count(host_out(&t), "Connection: close\r\n"), rows[i].closes);
        host_forget(&t);
        host_say(&t, GET);
        host_turns();
        assert_int_equal(buf_len(&t.out) == 0, rows[i].closes);
        host_free(&t);
    }
}

/* As the host spells it, though libmicrohttpd does so otherwise; also where it leaves in pieces. */
static void keep_alive_is_said_in_the_letters_of_the_host(void **state)
{
    static const char *const values[] = { "keep-alive", "Keep-Alive", "keep-Alive" };
    for (size_t i = 0; i < 2 * sizeof values / sizeof *values; i++) {
        const struct header said[] = { HEADER_TEXT("Connection", values[i / 2]) };
        char line[60];
        struct host t;

        host_init(&t, AT_COMPLETE);
        t.response.headers = said;
        t.response.header_count = 1;
        snprintf(line, sizeof line, "\r\nConnection: %s\r\n", values[i / 2]);
        t.room = i % 2 ? 0 : 10000;
        host_say(&t, GET);
        host_turns();
        for (int k = 0; i % 2 && k < 200; k++) {
            t.room = 1;
            engine_pump(t.engine);
        }
        host_turns();
        assert_int_equal(host_count(host_out(&t), line), 1);
        assert_ends(host_out(&t), "\r\n\r\nhello");
        host_free(&t);
    }
}

/* "timeout=5" is about a connection that stays. */
static void keep_alive_is_not_said_of_a_connection_that_ends(void **state)
{
    static const struct {
        const char *request;
        bool host_closes, said;
    } rows[] = {
        { GET, false, true },
        { GET, true, false },
        { "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", false, false },
        { "GET / HTTP/1.0\r\n\r\n", false, false },
        { "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", false, true },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct header said[] = { HEADER_TEXT("Keep-Alive", "timeout=5"),
                                       HEADER_TEXT("Connection",
                                                   rows[i].host_closes ? "close" : "keep-alive") };
        struct host t;

        host_init(&t, AT_COMPLETE);
        t.response.headers = said;
        t.response.header_count = 2;
        host_say(&t, rows[i].request);
        host_turns();
        assert_int_equal(host_count(host_out(&t), "Keep-Alive: timeout=5\r\n"), rows[i].said);
        assert_int_equal(host_count(host_out(&t), "Connection: keep-alive\r\n"), rows[i].said);
        assert_int_equal(host_count(host_out(&t), "Connection: close\r\n"), !rows[i].said);
        host_free(&t);
    }
}

static void bodies_arrive_decoded_and_in_full(void **state)
{
    struct host t;
    char *big = malloc(700001);

    host_init(&t, AT_COMPLETE);
    host_say(&t, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked \r\n\r\n");
    host_say(&t, "5\r\nhel");
    host_turns();
    assert_int_equal(t.body_bytes, 3);
    host_say(&t, "lo\r\n00003;x=y\r\nabc\r\n0\r\nTrailer: x\r\n\r\n");
    host_turns();
    assert_string_equal(host_trace(&t), "begin1 headers(POST / h 2) body complete responded ");
    assert_int_equal(t.body_bytes, 8);
    host_forget(&t);

    memset(big, 'x', 700000);
    big[700000] = '\0';
    host_say(&t, POST(2100000));
    for (int i = 0; i < 3; i++)
        host_say(&t, big);
    host_turns();
    for (int i = 0; i < 50 && t.open; i++)
        host_turns();
    assert_string_equal(host_trace(&t), "begin2 headers(POST /p h 2) body complete responded ");
    assert_int_equal(t.body_bytes, 2100000);
    host_say(&t, GET);
    host_turns();
    assert_ends(host_trace(&t), "begin3 " SEEN "responded ");
    free(big);
    host_free(&t);
}

#define EXPECT "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"

static void expect_100_continue_is_answered_before_the_body(void **state)
{
    struct host t;

    host_init(&t, AT_COMPLETE);
    host_say(&t, EXPECT);
    host_turns();
    assert_string_equal(host_out(&t), "HTTP/1.1 100 Continue\r\n\r\n");
    host_say(&t, "abc");
    host_turns();
    assert_string_equal(host_trace(&t), "begin1 headers(POST /p h 3) body complete responded ");
    assert_begins(host_out(&t), "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n");
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
        host_say(&t, rows[i].input);
        host_turns();
        assert_string_equal(host_trace(&t), rows[i].trace);
        assert_begins(host_out(&t), "HTTP/1.1 413 Content Too Large\r\n");
        assert_int_equal(host_count(host_out(&t), "HTTP/1.1"), 1);
        assert_non_null(strstr(host_out(&t), "Connection: close\r\n"));
        assert_ends(host_out(&t), "Content-Length: 5\r\n\r\nhello");
        host_forget(&t);
        host_say(&t, "more of the body, which nobody wants");
        host_turns();
        assert_string_equal(host_trace(&t), "");
        host_free(&t);
    }
}

/* What is left of the request is dropped, however it comes, and the next one is served. */
static void behind_an_early_answer_with_reads_on_the_connection_goes_on(void **state)
{
    static const struct {
        enum when when;
        const char *first, *rest, *trace;
    } rows[] = {
        { AT_HEADERS, POST(6), "abcdef", "begin1 headers(POST /p h 2) responded " },
        { AT_HEADERS, EXPECT, "abc", "begin1 headers(POST /p h 3) responded " },
        { AT_HEADERS, POST(6) "abc", "def", "begin1 headers(POST /p h 2) responded " },
        { AT_BODY, POST(6) "abc", "def", "begin1 headers(POST /p h 2) body responded " },
        { AT_HEADERS, POST(6) "abcdef", "", "begin1 headers(POST /p h 2) responded " },
        { AT_HEADERS, "POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc",
          "\r\n2\r\nde\r\n0\r\nT: x\r\n\r\n", "begin1 headers(POST /p h 2) responded " },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (int split = 0; split <= 1; split++) {
            struct host t;

            host_init(&t, rows[i].when);
            t.response.reads_on = true;
            host_say(&t, rows[i].first);
            host_turns();
            assert_string_equal(host_trace(&t), rows[i].trace);
            assert_begins(host_out(&t), "HTTP/1.1 200 OK\r\n");
            assert_ends(host_out(&t), "hello");
            assert_int_equal(host_count(host_out(&t), "HTTP/1.1"), 1);
            assert_null(strstr(host_out(&t), "Connection:"));
            host_forget(&t);
            t.answer = AT_COMPLETE;
            for (const char *at = rows[i].rest; split && *at; at++) {
                const char octet[] = { *at, '\0' };
                host_say(&t, octet);
            }
            if (!split)
                host_say(&t, rows[i].rest);
            host_say(&t, GET);
            host_turns();
            assert_string_equal(host_trace(&t), "begin2 " SEEN "responded ");
            assert_ends(host_out(&t), "hello");
            host_free(&t);
        }
    }
}

/* The connection ends with it, as without reads_on. */
static void an_early_answer_can_close_all_the_same(void **state)
{
    static const struct header close = { "Connection", "close", 10, 5 };
    for (int by_client = 0; by_client <= 1; by_client++) {
        struct host t;

        host_init(&t, AT_HEADERS);
        t.response.reads_on = true;
        if (!by_client) {
            t.response.headers = &close;
            t.response.header_count = 1;
        }
        host_say(&t, by_client ? "POST /p HTTP/1.0\r\nContent-Length: 9\r\n\r\n" : POST(9));
        host_turns();
        assert_ends(host_trace(&t), "responded finished ");
        assert_int_equal(host_count(host_out(&t), "Connection: close\r\n"), 1);
        host_free(&t);
    }
}

/* Neither more than the bound is dropped, nor what is no HTTP. */
static void what_follows_an_early_answer_has_its_bounds(void **state)
{
    static char block[64 * 1024 + 1];
    struct host t;

    memset(block, 'x', sizeof block - 1);
    host_init(&t, AT_HEADERS);
    t.response.reads_on = true;
    host_say(&t, POST(20000000));
    host_turns();
    host_forget(&t);
    for (size_t sent = 0; sent < LIMIT_DROPPED; sent += sizeof block - 1) {
        host_say(&t, block);
        host_turns();
        assert_string_equal(host_trace(&t), "");
    }
    host_say(&t, "x");
    host_turns();
    assert_string_equal(host_trace(&t), "finished ");
    host_free(&t);

    host_init(&t, AT_HEADERS);
    t.response.reads_on = true;
    host_say(&t, "POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    host_turns();
    host_forget(&t);
    host_say(&t, "no chunk");
    host_turns();
    assert_string_equal(host_trace(&t), "error finished ");
    assert_string_equal(host_out(&t), "");
    host_free(&t);
}

/* The client's FIN in the middle of what is dropped is the end of the connection, not of the
 * exchange, which had its answer. */
static void a_client_may_leave_behind_an_early_answer(void **state)
{
    for (int later = 0; later <= 1; later++) {
        struct host t;

        host_init(&t, AT_HEADERS);
        t.response.reads_on = true;
        host_say(&t, POST(6) "abc");
        if (later)
            host_turns();
        engine_peer_closed(t.engine);
        host_turns();
        assert_string_equal(host_trace(&t), "begin1 headers(POST /p h 2) responded finished ");
        assert_ends(host_out(&t), "hello");
        host_free(&t);
    }
}

/* The rest of a request that was answered is no request that is stale; the next one is. */
static void the_rest_behind_an_early_answer_is_not_stale(void **state)
{
    for (int hold = 0; hold <= 1; hold++) {
        struct host t;

        host_init(&t, AT_HEADERS);
        t.response.reads_on = true;
        host_say(&t, POST(6) "abc");
        host_turns();
        host_forget(&t);
        t.answer = AT_COMPLETE;
        engine_watch(t.engine, hold ? WATCH_HOLD : WATCH_ONLY);
        host_say(&t, "def");
        assert_string_equal(host_trace(&t), "");
        host_say(&t, GET);
        assert_begins(host_trace(&t), "stale");
        host_forget(&t);
        if (hold) {
            engine_resume(t.engine);
            host_turns();
            assert_string_equal(host_trace(&t), "begin2 " SEEN "responded ");
        }
        host_free(&t);
    }
}

/* However the octets come: an answer is early when the content was not read, whether it is there or
 * not. */
static void an_answer_to_a_whole_request_in_headers_keeps_the_connection(void **state)
{
    struct host t;

    host_init(&t, AT_HEADERS);
    host_say(&t, GET);
    host_say(&t, POST(3) "abc");
    host_turns();
    assert_string_equal(host_trace(&t), "begin1 " SEEN "responded "
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
        host_say(&t, rows[i].input);
        host_turns();
        assert_string_equal(host_trace(&t), rows[i].trace);
        answer = strstr(host_out(&t), "hello");
        answer = answer ? answer + 5 : host_out(&t);
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
            host_forget(&t);
            host_say(&t, text);
            host_turns();
        }
        if (rows[i].status[0] == '2') {
            assert_begins(host_trace(&t), "begin2 ");
            assert_ends(host_trace(&t), rows[i].trace + strlen("begin1 "));
            assert_begins(host_out(&t) + 9, rows[i].status);
        }
        host_free(&t);

        host_init(&t, AT_COMPLETE);
        host_say(&t, text);
        host_turns();
        assert_string_equal(host_trace(&t), rows[i].trace);
        assert_begins(host_out(&t) + 9, rows[i].status);
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
    host_say(&t, (const char *)buf_bytes(&b));
    host_turns();
    assert_ends(host_trace(&t), "a&a& h 2) complete responded ");
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
    host_say(&t, (const char *)buf_bytes(&b));
    host_turns();
    assert_string_equal(host_trace(&t), "begin1 headers(GET / h 2) complete responded ");
    host_forget(&t);
    buf_free(&b);
    for (int i = 0; i < 10000; i++)
        buf_text(&b, "M");
    buf_text(&b, " / HTTP/1.1\r\nHost: h\r\n\r\n");
    buf_add(&b, "", 1);
    host_say(&t, (const char *)buf_bytes(&b));
    host_turns();
    assert_ends(host_trace(&t), "/ h 1) complete responded finished ");
    assert_begins(host_out(&t), "HTTP/1.1 200 ");
    host_free(&t);
    buf_free(&b);
}

static void a_thousand_header_lines_are_no_matter(void **state)
{
    char *text = large_head(1000, 1);
    struct host t;

    host_init(&t, AT_COMPLETE);
    host_say(&t, text);
    host_turns();
    assert_string_equal(host_trace(&t), "begin1 headers(GET / h 1001) complete responded ");
    host_free(&t);
    free(text);
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
        cmocka_unit_test(keep_alive_is_said_in_the_letters_of_the_host),
        cmocka_unit_test(keep_alive_is_not_said_of_a_connection_that_ends),
        cmocka_unit_test(bodies_arrive_decoded_and_in_full),
        cmocka_unit_test(expect_100_continue_is_answered_before_the_body),
        cmocka_unit_test(an_early_answer_ends_the_connection),
        cmocka_unit_test(behind_an_early_answer_with_reads_on_the_connection_goes_on),
        cmocka_unit_test(an_early_answer_can_close_all_the_same),
        cmocka_unit_test(what_follows_an_early_answer_has_its_bounds),
        cmocka_unit_test(a_client_may_leave_behind_an_early_answer),
        cmocka_unit_test(the_rest_behind_an_early_answer_is_not_stale),
        cmocka_unit_test(an_answer_to_a_whole_request_in_headers_keeps_the_connection),
        cmocka_unit_test(what_is_not_http_is_refused),
        cmocka_unit_test(large_header_sections_are_served_up_to_a_limit_and_refused_beyond),
        cmocka_unit_test(queries_and_cookies_need_no_memory_of_libmicrohttpds),
        cmocka_unit_test(large_framing_headers_and_methods_are_no_matter_for_libmicrohttpd),
        cmocka_unit_test(a_thousand_header_lines_are_no_matter),
    };
    return cmocka_run_group_tests(tests, host_set_up, host_tear_down);
}
