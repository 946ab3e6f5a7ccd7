/* test_h1_head.c - requests read off a stream: what is taken, refused, and where each ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/h1_head.h"

#include "harness/memory.h"

/* Feeds text in pieces until nothing more is taken; returns how much was. */
static size_t feed(struct h1_head *h, const char *text, size_t len, size_t piece)
{
    size_t used = 0;

    while (used < len && h->at != H1_WHOLE && h->at != H1_BROKEN) {
        size_t n = len - used < piece ? len - used : piece;
        used += h1_head_feed(h, (const uint8_t *)text + used, n);
    }
    return used;
}

static const size_t pieces[] = { 1, 2, 3, 7, 100000 };

#define G   "GET / HTTP/1.1\r\nHost: x\r\n"
#define P   "POST / HTTP/1.1\r\nHost: x\r\n"
#define TEC "Transfer-Encoding: chunked\r\n\r\n"

static void whole_messages_end_where_rfc_9112_says(void **state)
{
    static const struct {
        const char *text; /* a message; "|" is put behind it and must not be taken */
        size_t headers;
    } rows[] = {
        { G "\r\n", 1 },
        { "\r\n\r\n" G "\r\n", 1 },
        { "GET / HTTP/1.1\nHost: x\n\n", 1 },
        { "GET / HTTP/1.0\r\n\r\n", 0 },
        { "GET / HTTP/1.9\r\nhost:\r\n\r\n", 1 },
        { "BREW-COFFEE /pot HTTP/1.1\r\nHost: x\r\n\r\n", 1 },
        { "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 1 },
        { "OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n", 1 },
        { "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 1 },
        { "GET http://a/b?c=d%20e HTTP/1.1\r\nHost: a\r\n\r\n", 1 },
        { "GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\nX-Y: \xff\r\n\r\n", 2 },
        { P "Content-Length: 5\r\n\r\nhello", 2 },
        { P "Content-Length:  0 \r\n\r\n", 2 },
        { P "Content-Length: 000000000000000000000005\r\n\r\nhello", 2 },
        { P "Transfer-Encoding: , chunked ,\r\n\r\n0\r\n\r\n", 2 },
        { P TEC "0\r\n\r\n", 2 },
        { P TEC "5\r\nhello\r\n00000a;x=\"y\"\r\n0123456789\r\n0\r\n\r\n", 2 },
        { P "transfer-encoding: CHUNKED\r\n\r\n1\r\na\r\n0\r\nA: b\r\nC:\r\n\r\n", 2 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t k = 0; k < sizeof pieces / sizeof *pieces; k++) {
            struct h1_head h = { 0 };
            char text[512];
            size_t len = strlen(rows[i].text);

            snprintf(text, sizeof text, "%s|", rows[i].text);
            assert_int_equal(feed(&h, text, len + 1, pieces[k]), len);
            assert_int_equal(h.at, H1_WHOLE);
            assert_int_equal(h.request.header_count, rows[i].headers);
            h1_head_next(&h);
            assert_int_equal(h.at, H1_BETWEEN);
            h1_head_free(&h);
        }
}

static void what_two_parsers_could_read_differently_is_refused(void **state)
{
    static const struct {
        const char *text;
        int status;
    } rows[] = {
        { " GET / HTTP/1.1\r\n", 400 },
        { "\x16\x03\x01", 400 },
        { "G\xc3T / HTTP/1.1\r\n", 400 },
        { "GET\r\nHost: x\r\n\r\n", 400 },
        { "GET /\r\n\r\n", 400 },
        { "GET / a HTTP/1.1\r\n\r\n", 400 },
        { "GET  / HTTP/1.1\r\n\r\n", 400 },
        { "GET / HTTP/1.1 \r\n\r\n", 400 },
        { "GET /\t HTTP/1.1\r\n\r\n", 400 },
        { "GET / http/1.1\r\n\r\n", 400 },
        { "GET / HTTP/1.x\r\n\r\n", 400 },
        { "GET / HTTP/11\r\n\r\n", 400 },
        { "PRI * HTTP/2.0\r\n\r\n", 505 },
        { "GET / HTTP/0.9\r\n\r\n", 505 },
        { "GET / HTTP/1.1\r\n\r\n", 400 },
        { G "Host: x\r\n\r\n", 400 },
        { "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400 },
        { G "A : b\r\n\r\n", 400 },
        { G " folded\r\n\r\n", 400 },
        { G "A: b\r\n\tfolded\r\n\r\n", 400 },
        { G "no colon\r\n\r\n", 400 },
        { G ": no name\r\n\r\n", 400 },
        { G "A: b\rc\r\n\r\n", 400 },
        { G "A: b\x01\r\n\r\n", 400 },
        { G "A\x80: b\r\n\r\n", 400 },
        { P "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", 400 },
        { P "Content-Length: 5, 5\r\n\r\n", 400 },
        { P "Content-Length: +5\r\n\r\n", 400 },
        { P "Content-Length: -1\r\n\r\n", 400 },
        { P "Content-Length: 0x5\r\n\r\n", 400 },
        { P "Content-Length:\r\n\r\n", 400 },
        { P "Content-Length: 99999999999999999999\r\n\r\n", 413 },
        { P "Content-Length: 5\r\n" TEC, 400 },
        { P "Transfer-Encoding: chunked\r\n" TEC, 400 },
        { P "Transfer-Encoding: gzip, chunked\r\n\r\n", 501 },
        { P "Transfer-Encoding: identity\r\n\r\n", 400 },
        { P "Transfer-Encoding:\r\n\r\n", 400 },
        { P "Transfer-Encoding: ,\r\n\r\n", 400 },
        { P "Transfer-Encoding: chunked, gzip\r\n\r\n", 400 },
        { P "Transfer-Encoding: chunked, chunked\r\n\r\n", 400 },
        { P "Transfer-Encoding: chunked, gzip, chunked\r\n\r\n", 400 },
        { P "Transfer-Encoding: xchunked\r\n\r\n", 400 },
        { P "Transfer-Encoding: chunked;q=1\r\n\r\n", 400 },
        { "GET * HTTP/1.1\r\nHost: x\r\n\r\n", 400 },
        { "OPTIONS ** HTTP/1.1\r\nHost: x\r\n\r\n", 400 },
        { "GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n", 400 },
        { "GET a HTTP/1.1\r\nHost: x\r\n\r\n", 400 },
        { "GET x:80 HTTP/1.1\r\nHost: x\r\n\r\n", 400 },
        { "GET ftp://x/ HTTP/1.1\r\nHost: x\r\n\r\n", 400 },
        { "GET http:///a HTTP/1.1\r\nHost: x\r\n\r\n", 400 },
        { "GET http://u@x/ HTTP/1.1\r\nHost: x\r\n\r\n", 400 },
        { "CONNECT x HTTP/1.1\r\nHost: x\r\n\r\n", 400 },
        { "CONNECT /a:1 HTTP/1.1\r\nHost: x\r\n\r\n", 400 },
        { "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400 },
        { "POST / HTTP/1.0\r\n" TEC, 400 },
        { P TEC "\r\n", 400 },
        { P TEC "g\r\n", 400 },
        { P TEC " 5\r\n", 400 },
        { P TEC "-5\r\n", 400 },
        { P TEC "5 \r\n", 400 },
        { P TEC "5\nhello\r\n", 400 },
        { P TEC "5\rhello\r\n", 400 },
        { P TEC "5;a\x01\r\n", 400 },
        { P TEC "5\r\nhello!", 400 },
        { P TEC "5\r\nhello\r5", 400 },
        { P TEC "ffffffffffffffffffff\r\n", 413 },
        { P TEC "0\r\n folded\r\n", 400 },
        { P TEC "0\r\nA b: c\r\n", 400 },
        { P TEC "0\r\nA: \x7f\r\n", 400 },
        { P TEC "0\r\n\rx", 400 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t k = 0; k < sizeof pieces / sizeof *pieces; k++) {
            struct h1_head h = { 0 };

            feed(&h, rows[i].text, strlen(rows[i].text), pieces[k]);
            if (h.at != H1_BROKEN || h.status != rows[i].status)
                fail_msg("row %zu, piece %zu: at %d, status %d (%s)", i, pieces[k], h.at, h.status,
                         rows[i].text);
            assert_non_null(h.why);
            assert_int_equal(h1_head_feed(&h, (const uint8_t *)"GET", 3), 0);
            h1_head_free(&h);
        }
}

static void nul_octets_are_refused_wherever_they_stand(void **state)
{
    /* more line ends than needed, since a NUL may stand in for one */
    static const char text[] = "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n\r\n\r\n";

    for (size_t i = 0; i + 5 < sizeof text; i++) {
        struct h1_head h = { 0 };
        char copy[sizeof text];

        memcpy(copy, text, sizeof text);
        copy[i] = '\0';
        feed(&h, copy, sizeof text - 1, 1000);
        if (h.at != H1_BROKEN)
            fail_msg("a NUL at %zu is taken", i);
        h1_head_free(&h);
    }
}

static void a_head_is_reported_as_it_was_sent(void **state)
{
    static const char text[] =
        "PuT /a?b%23c HTTP/1.1\r\nX-One:1\r\nhOsT:  h:80 \t\r\nx-two: 2 3 \r\n"
        "x-ONE:\r\n\r\n";
    for (size_t k = 0; k < sizeof pieces / sizeof *pieces; k++) {
        struct h1_head h = { 0 };
        const struct header *f;

        feed(&h, text, sizeof text - 1, pieces[k]);
        assert_int_equal(h.at, H1_WHOLE);
        assert_string_equal(h.request.method, "PuT");
        assert_string_equal(h.request.target, "/a?b%23c");
        assert_string_equal(h.request.authority, "h:80");
        assert_int_equal(h.request.header_count, 4);
        f = h.request.headers;
        assert_memory_equal(f[0].name, "X-One", 5);
        assert_memory_equal(f[1].name, "hOsT", 4);
        assert_int_equal(f[1].value_len, 4);
        assert_int_equal(f[2].value_len, 3);
        assert_memory_equal(f[2].value, "2 3", 3);
        assert_memory_equal(f[3].name, "x-ONE", 5);
        assert_int_equal(f[3].value_len, 0);
        assert_ptr_equal(request_header(&h.request, "X-TWO"), &f[2]);
        assert_null(request_header(&h.request, "X-T"));
        assert_int_equal(h.head_len, sizeof text - 1);
        h1_head_free(&h);
    }
}

static void the_authority_of_an_absolute_form_is_the_requests(void **state)
{
    struct h1_head h = { 0 };
    static const char text[] = "GET http://a.example:81?q HTTP/1.1\r\nHost: b\r\n\r\n";

    feed(&h, text, sizeof text - 1, 1000);
    assert_int_equal(h.at, H1_WHOLE);
    assert_string_equal(h.request.target, "http://a.example:81?q");
    assert_string_equal(h.request.authority, "a.example:81");
    h1_head_free(&h);
}

static void only_a_host_and_a_port_are_an_authority(void **state)
{
    static const char *const good[] = {
        "a",         "A.b-c_d~e", "127.0.0.1", "localhost:8443", "x:",          "[::1]",
        "[::1]:443", "[v1.a:b]",  "a%20b",     "a!$&'()*+,;=b",  "[::1.2.3.4]", "xn--a",
    };
    static const char *const bad[] = {
        "",        ":80",   "a/b",   "u@h",  "u:p@h",      "[::1",     "::1",
        "<x>",     "a b",   "a:b",   "a:8_", "[]",         "[a]",      "[::1]x",
        "[::1]:x", "a%2",   "a%zz",  "a\"b", "a#b",        "a?b",      "a\\b",
        "[v1]",    "[v.a]", "[v1.]", "a]",   "[::1%25lo]", "\xc3\xa4", "a,b:1:2",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!request_authority_valid(good[i], strlen(good[i])))
            fail_msg("\"%s\" is refused", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (request_authority_valid(bad[i], strlen(bad[i])))
            fail_msg("\"%s\" is taken", bad[i]);
    assert_false(request_authority_valid("a\0b", 3));
    assert_false(request_authority_valid("[::1\0]", 6));
}

static void white_space_behind_a_value_is_moved_before_it(void **state)
{
    static const char text[] = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length:5 \t \r\n\r\n";
    struct h1_head h = { 0 };

    feed(&h, text, sizeof text - 1, 1000);
    assert_int_equal(h.at, H1_IN_BODY);
    assert_int_equal(h.left, 5);
    assert_memory_equal(h.text.data, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length:   5\r\n\r\n",
                        h.head_len);
    h1_head_free(&h);
}

static void heads_up_to_12_kib_are_taken_and_no_more(void **state)
{
    static const struct {
        size_t target, value;
        int status;
    } rows[] = {
        { 1, 8 * 1024, 0 },         { 8 * 1024, 1, 0 },
        { 1, H1_HEAD_MAX - 32, 0 }, { 1, H1_HEAD_MAX - 31, 431 },
        { 1, 60000, 431 },          { H1_HEAD_MAX, 1, 414 },
        { 60000, 1, 414 },
    };
    static char filler[60001];

    memset(filler, 'x', sizeof filler - 1);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t k = 0; k < sizeof pieces / sizeof *pieces; k++) {
            char *text;
            struct h1_head h = { 0 };
            int len = asprintf(&text, "GET /%.*s HTTP/1.1\r\nHost: x\r\nA: %.*s\r\n\r\n",
                               (int)rows[i].target - 1, filler, (int)rows[i].value, filler);

            feed(&h, text, (size_t)len, pieces[k]);
            if (rows[i].status ? h.status != rows[i].status : h.at != H1_WHOLE)
                fail_msg("row %zu: at %d, status %d, length %d", i, h.at, h.status, len);
            h1_head_free(&h);
            free(text);
        }
}

static void chunk_extensions_and_trailers_are_bounded(void **state)
{
    static const char *const starts[] = { P TEC "1;", P TEC "0\r\nA: " };

    for (size_t i = 0; i < 2; i++) {
        struct h1_head h = { 0 };
        size_t n = 0;

        feed(&h, starts[i], strlen(starts[i]), 1000);
        while (h.at == H1_IN_BODY && n < 100000)
            n += h1_head_feed(&h, (const uint8_t *)"x", 1);
        assert_int_equal(h.status, 431);
        assert_in_range(n, 4000, 4096);
        h1_head_free(&h);
    }
}

static void a_partial_head_gives_what_has_arrived(void **state)
{
    static const struct {
        const char *text, *method, *target, *authority;
        size_t headers;
    } rows[] = {
        { "G", "", "", "", 0 },
        { "GET", "", "", "", 0 },
        { "GET ", "GET", "", "", 0 },
        { "GET /a", "GET", "", "", 0 },
        { "GET /a ", "GET", "/a", "", 0 },
        { "GET /a HTTP/1.1\r\nHost: x", "GET", "/a", "", 0 },
        { "GET /a HTTP/1.1\r\nHost: x\r\n", "GET", "/a", "x", 1 },
        { "GET /a HTTP/1.1\r\nHost: x\r\nA: b\r\nC: d", "GET", "/a", "x", 2 },
        { "GET /a HTTP/1.1\r\nHost: x\r\n\r", "GET", "/a", "x", 1 },
        { "GET /a\r\n", "GET", "/a", "", 0 },
        { "GET /a HTTP/1.1\r\nbroken\r\nHost: x\r\n", "GET", "/a", "", 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct h1_head h = { 0 };

        feed(&h, rows[i].text, strlen(rows[i].text), 1000);
        assert_int_equal(h.at, H1_IN_HEAD);
        assert_int_equal(h1_head_partial(&h), 0);
        assert_string_equal(h.request.method, rows[i].method);
        assert_string_equal(h.request.target, rows[i].target);
        assert_string_equal(h.request.authority, rows[i].authority);
        assert_int_equal(h.request.header_count, rows[i].headers);
        h1_head_free(&h);
    }
}

static void a_copy_continues_where_the_original_stands(void **state)
{
    static const char text[] = P TEC "5\r\nhello\r\n0\r\nA: b\r\n\r\n";

    for (size_t cut = 0; cut < sizeof text - 1; cut++) {
        struct h1_head h = { 0 }, copy;

        feed(&h, text, cut, 1000);
        assert_int_equal(h1_head_copy(&copy, &h), 0);
        h1_head_free(&h);
        feed(&copy, text + cut, sizeof text - 1 - cut, 3);
        assert_int_equal(copy.at, H1_WHOLE);
        h1_head_free(&copy);
    }
}

static void running_out_of_memory_is_told_and_leaks_nothing(void **state)
{
    static const char text[] = G "A: b\r\n\r\n";
    int n = 0;
    bool failed;

    do {
        struct h1_head h = { 0 }, copy = { 0 };

        memory_fails_once_after(n++);
        feed(&h, text, 30, 1000);
        if (h.at == H1_IN_HEAD && h1_head_copy(&copy, &h) == 0) {
            h1_head_free(&h);
            h = copy;
            feed(&h, text + 30, sizeof text - 1 - 30, 1000);
        }
        failed = memory_restore() > 0;
        if (h.at == H1_BROKEN)
            assert_int_equal(h.status, 503);
        else
            assert_int_equal(h.at, failed ? H1_IN_HEAD : H1_WHOLE);
        h1_head_free(&h);
    } while (failed);
    assert_true(n > 3);
}

static void a_partial_head_without_memory_is_told(void **state)
{
    struct h1_head h = { 0 };

    feed(&h, "GET /a HTTP/1.1\r\n", 17, 1000);
    memory_fails_once_after(0);
    assert_int_equal(h1_head_partial(&h), -ENOMEM);
    memory_restore();
    h1_head_free(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_messages_end_where_rfc_9112_says),
        cmocka_unit_test(what_two_parsers_could_read_differently_is_refused),
        cmocka_unit_test(nul_octets_are_refused_wherever_they_stand),
        cmocka_unit_test(a_head_is_reported_as_it_was_sent),
        cmocka_unit_test(the_authority_of_an_absolute_form_is_the_requests),
        cmocka_unit_test(only_a_host_and_a_port_are_an_authority),
        cmocka_unit_test(white_space_behind_a_value_is_moved_before_it),
        cmocka_unit_test(heads_up_to_12_kib_are_taken_and_no_more),
        cmocka_unit_test(chunk_extensions_and_trailers_are_bounded),
        cmocka_unit_test(a_partial_head_gives_what_has_arrived),
        cmocka_unit_test(a_copy_continues_where_the_original_stands),
        cmocka_unit_test(running_out_of_memory_is_told_and_leaks_nothing),
        cmocka_unit_test(a_partial_head_without_memory_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
