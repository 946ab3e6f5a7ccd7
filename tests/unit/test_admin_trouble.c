/* test_admin_trouble.c - callers of the admin API that say too much, the wrong thing, or nothing;
 * and memory that ends. */
#include "harness/admin_rig.h"

/* --- Oversized, malformed, slow */

static void oversized_bodies_are_refused_after_they_were_read(void **state)
{
    size_t n = CALL_BODY_MAX + 1;
    char *body = malloc(n + 1);
    memset(body, ' ', n);
    body[n] = '\0';
    rig_call("PUT", "/v1/mode", JSON_TYPE, body);
    assert_problem(413, "body", "256 KiB");
    memcpy(body, "{\"mode\":\"a\"}", 12);
    body[CALL_BODY_MAX] = '\0';
    assert_int_equal(rig_call("PUT", "/v1/mode", JSON_TYPE, body), 200);
    free(body);

    int fd = open_client();
    const char *head = "PUT /v1/mode HTTP/1.1\r\nHost: localhost\r\n" JSON_TYPE
                       "Transfer-Encoding: chunked\r\n\r\n";
    char chunk[4096 + 8];
    memcpy(chunk, "1000\r\n", 6);
    memset(chunk + 6, ' ', 4096);
    memcpy(chunk + 4102, "\r\n", 2);
    send_text(fd, head, strlen(head));
    for (int i = 0; i < 65; i++)
        send_text(fd, chunk, 4104);
    send_text(fd, "0\r\n\r\n", 5);
    assert_true(rig_receive(fd, false, PATIENCE_MS));
    assert_problem(413, "body", "256 KiB");
    const char *next = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    send_text(fd, next, strlen(next));
    assert_true(rig_receive(fd, false, PATIENCE_MS));
    assert_int_equal(reply.status, 200);
    close(fd);
}

static void a_body_without_end_is_cut_off(void **state)
{
    static char chunk[65536 + 16];
    int fd = open_client();
    const char *head = "PUT /v1/mode HTTP/1.1\r\nHost: localhost\r\n" JSON_TYPE
                       "Transfer-Encoding: chunked\r\n\r\n";
    memcpy(chunk, "10000\r\n", 7);
    memset(chunk + 7, ' ', 65536);
    memcpy(chunk + 65543, "\r\n", 2);
    send_text(fd, head, strlen(head));
    int i = 0;
    while (i < 1000 && send(fd, "", 0, MSG_NOSIGNAL) == 0 && !reply.closed) {
        send_text(fd, chunk, 65545);
        char byte;
        reply.closed = recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0 ||
                       (errno != EAGAIN && errno != EWOULDBLOCK);
        i++;
    }
    assert_true(reply.closed);
    assert_true(i < 400); /* 16 MiB, and what the kernel had taken */
    close(fd);
    const char *huge =
        "PUT /v1/mode HTTP/1.1\r\nHost: localhost\r\n" JSON_TYPE "Content-Length: 99999999\r\n\r\n";
    assert_int_equal(rig_request(huge, strlen(huge)), 413);
    assert_int_equal(rig_get("/healthz"), 200);
}

static void rubbish_does_no_harm(void **state)
{
    static const char *const texts[] = {
        "\r\n\r\n",
        "GET\r\n\r\n",
        "GET /healthz\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost\r\n\r\n",
        "GET /healthz HTTP/1.1\r\n\r\n",
        "GET /healthz HTTP/9.9\r\nHost: localhost\r\n\r\n",
        "PUT /v1/mode HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
        "PUT /v1/mode HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "PUT /v1/mode HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n{",
        "GET /v1/runs/default/events?wait=60s HTTP/1.1\r\nHost: localhost\r\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        int fd = open_client();
        send_text(fd, texts[i], strlen(texts[i]));
        loop_settle(&loop);
        close(fd);
    }
    unsigned seed = 1;
    for (unsigned i = 0; i < rounds_of(300); i++) {
        char text[200] = "GET /v1/runs/default/events?since=0 HTTP/1.1\r\nHost: localhost\r\n"
                         "Accept: application/json\r\nContent-Length: 3\r\n\r\nabc";
        size_t n = strlen(text);
        for (int k = 0; k < 3; k++)
            text[(unsigned)rand_r(&seed) % n] = (char)rand_r(&seed);
        int fd = open_client();
        send_text(fd, text, n);
        loop_settle(&loop);
        close(fd);
    }
    char *big = malloc(100001);
    memset(big, 'h', 100000);
    memcpy(big, "GET /", 5);
    big[100000] = '\0';
    rig_request(big, 100000);
    free(big);
    assert_int_equal(rig_get("/healthz"), 200);
}

/* What two parsers may read differently is refused, however it comes in pieces. */
static void what_rfc_9112_forbids_is_refused(void **state)
{
#define HEALTH "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
#define RESET  "POST /v1/reset HTTP/1.1\r\nHost: localhost\r\n"
    static const struct {
        const char *text;
        size_t len;
        int status;
    } rows[] = {
#define ROW(text, status) { text, sizeof(text) - 1, status }
        ROW(HEALTH "\r\n", 200),
        ROW(HEALTH "Content-Length: 0\r\nContent-Length: 0\r\n\r\n", 400),
        ROW(RESET "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        ROW(RESET "Transfer-Encoding: chunked, gzip\r\n\r\n", 400),
        ROW(RESET "Transfer-Encoding: gzip, chunked\r\n\r\n", 501),
        ROW(RESET "Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        ROW(HEALTH "X : y\r\n\r\n", 400),
        ROW(HEALTH "X: a\0b\r\n\r\n", 400),
        ROW(HEALTH "X: a\rb\r\n\r\n", 400),
        ROW(HEALTH "X: a\r\n folded\r\n\r\n", 400),
        ROW(HEALTH "no colon\r\n\r\n", 400),
        ROW(HEALTH "Host: localhost\r\n\r\n", 400),
        ROW("GET /healthz HTTP/1.1\r\n\r\n", 400),
        ROW("GET /healthz HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
        ROW("GET /healthz#a HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        ROW("GET * HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        ROW("GET /healthz HTTP/2.0\r\nHost: localhost\r\n\r\n", 505),
        ROW("\x16\x03\x01\x02", 400),
    };
    static const size_t pieces[] = { 1, 7, 1000 };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t k = 0; k < sizeof pieces / sizeof *pieces; k++) {
            int fd = open_client();
            send_text(fd, HEALTH "\r\n", sizeof HEALTH + 1);
            assert_true(rig_receive(fd, false, PATIENCE_MS));
            assert_int_equal(reply.status, 200);
            for (size_t at = 0; at < rows[i].len; at += pieces[k]) {
                size_t left = rows[i].len - at;
                send_text(fd, rows[i].text + at, left < pieces[k] ? left : pieces[k]);
            }
            if (!rig_receive(fd, false, PATIENCE_MS))
                fail_msg("row %zu pieces %zu closed %d", i, pieces[k], reply.closed);
            if (reply.status != rows[i].status)
                fail_msg("row %zu, pieces of %zu: %d %s", i, pieces[k], reply.status, reply.body);
            if (rows[i].status != 200) {
                assert_string_equal(reply_field("Content-Type"), "application/problem+json");
                assert_string_equal(reply_field("Connection"), "close");
                assert_false(rig_receive(fd, false, PATIENCE_MS));
                assert_true(reply.closed);
            }
            close(fd);
        }
    assert_int_equal(the_run.resets, 0);
}

static char got[4000];
static size_t got_len;

/* Reads what there is. Is it all? */
static bool has_ended(void *fd)
{
    ssize_t part = recv(*(int *)fd, got + got_len, sizeof got - 1 - got_len, MSG_DONTWAIT);
    got_len += part > 0 ? (size_t)part : 0;
    got[got_len] = '\0';
    return part == 0;
}

static void what_was_asked_before_is_answered_first(void **state)
{
    static const char text[] = HEALTH "\r\n" HEALTH "\r\n" HEALTH "X : y\r\n\r\n" HEALTH "\r\n";
    int fd = open_client();
    got_len = 0;
    send_text(fd, text, sizeof text - 1);
    loop_until(&loop, has_ended, &fd);
    const char *at = got;
    static const char *const lines[] = { "HTTP/1.1 200", "HTTP/1.1 200", "HTTP/1.1 400" };
    for (int i = 0; i < 3; i++) {
        at = strstr(at, "HTTP/1.1 ");
        assert_non_null(at);
        assert_memory_equal(at, lines[i], strlen(lines[i]));
        at += 9;
    }
    assert_null(strstr(at, "HTTP/1.1 "));
    close(fd);
}

/* It is answered well, and then the connection is closed. */
static void assert_answered_last(int fd)
{
    assert_true(rig_receive(fd, false, PATIENCE_MS));
    assert_int_equal(reply.status, 200);
    assert_false(rig_receive(fd, false, PATIENCE_MS));
    assert_true(reply.closed);
    close(fd);
}

/* The end of its sending side comes with the request, or behind it. */
static void a_caller_that_has_said_all_is_answered(void **state)
{
    for (int behind = 0; behind < 2; behind++) {
        int fd = open_client();
        send_text(fd, HEALTH "\r\n", sizeof HEALTH + 1);
        if (behind)
            loop_settle(&loop);
        shutdown(fd, SHUT_WR);
        assert_answered_last(fd);
    }
}

static void a_slow_caller_is_cut_off_and_others_are_served(void **state)
{
    call_patience.request = 200 * NS_PER_MS;
    int silent = open_client(), dripping = open_client();
    int64_t began = clock_now();
    const char *text = "PUT /v1/mode HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n";
    size_t sent = 0;
    bool silent_closed = false, dripping_closed = false;
    while ((!silent_closed || !dripping_closed) && clock_now() - began < PATIENCE) {
        char byte;
        if (!dripping_closed && sent < strlen(text))
            send_text(dripping, text + sent++, 1);
        loop_run(5 * REAL_MS); /* how slowly it says it */
        silent_closed |= recv(silent, &byte, 1, MSG_DONTWAIT) == 0;
        dripping_closed |= recv(dripping, &byte, 1, MSG_DONTWAIT) == 0;
    }
    assert_true(silent_closed && dripping_closed);
    assert_true(clock_now() - began >= 200 * NS_PER_MS);
    close(silent);
    close(dripping);
    assert_int_equal(rig_get("/healthz"), 200);
}

static void an_idle_connection_is_kept_for_a_while(void **state)
{
    call_patience.request = 400 * NS_PER_MS;
    call_patience.idle = 3600 * NS_PER_S;
    const char *text = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    int fd = open_client();
    send_text(fd, text, strlen(text));
    assert_true(rig_receive(fd, false, PATIENCE_MS));
    loop_run(600 * REAL_MS); /* more than a request may take */
    call_patience.idle = 100 * NS_PER_MS;
    send_text(fd, text, strlen(text));
    assert_answered_last(fd);
}

static void more_connections_than_allowed_do_no_harm(void **state)
{
    int fds[300];
    for (int i = 0; i < 300; i++) {
        fds[i] = open_client();
        loop_settle(&loop);
    }
    for (int i = 0; i < 300; i++)
        close(fds[i]);
    loop_settle(&loop);
    assert_int_equal(rig_get("/healthz"), 200);
}

/* --- Memory */

static void any_allocation_may_fail(void **state)
{
    static const struct {
        const char *method, *target, *body;
    } rows[] = {
        { "GET", "/v1", NULL },
        { "GET", "/v1/modes", NULL },
        { "PUT", "/v1/mode", "{\"mode\":\"a\",\"params\":{\"b\":1}}" },
        { "PUT", "/v1/mode", "{\"mode\":7}" },
        { "GET", "/v1/runs/default/events", NULL },
        { "GET", "/v1/runs/default/events?since=1&wait=10ms", NULL },
        { "GET", "/v1/connections/7", NULL },
        { "POST", "/v1/reset", NULL },
    };
    rig_commit("x");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool failed = true;
        for (long n = 0; failed && n < 100000; n = next_failing(n)) { /* many in a long list */
            char text[300];
            int len = snprintf(
                text, sizeof text,
                "%s %s HTTP/1.1\r\nHost: localhost\r\n" JSON_TYPE "Content-Length: %zu\r\n\r\n%s",
                rows[i].method, rows[i].target, rows[i].body ? strlen(rows[i].body) : 0,
                rows[i].body ? rows[i].body : "");
            failed = call_short_of_memory(text, (size_t)len, n, false);
            assert_true(reply.status || reply.closed);
        }
        assert_false(failed);
        assert_int_equal(rig_get("/healthz"), 200);
    }
}

/* Also of what is kept for later calls. */
static void without_memory_nothing_is_left_out(void **state)
{
    static const char document[] = "{\"name\":\"mine\",\"summary\":\"s\",\"client_sees\":\"c\","
                                   "\"basis\":\"b\",\"exercises\":[],\"params\":{},\"rules\":[]}";
    static const char *const targets[] = { "/v1", "/v1/capabilities", "/v1/language", "/v1/modes" };
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        char text[100];
        int len =
            snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", targets[i]);
        assert_int_equal(rig_get(targets[i]), 200);
        json_auto_t *whole = json_incref(reply.json);
        assert_int_equal(rig_call("PUT", "/v1/modes/mine", JSON_TYPE, document), 201);
        assert_int_equal(rig_call("DELETE", "/v1/modes/mine", "", NULL), 204); /* made anew */
        bool failed = true;
        unsigned refused = 0;
        for (long n = 0; failed && n < 100000; n = next_failing(n)) {
            failed = call_short_of_memory(text, (size_t)len, n, false);
            if (reply.status == 200 && reply.body)
                assert_true(json_equal(reply.json, whole));
            refused += failed && reply.status != 200;
        }
        assert_false(failed);
        assert_in_range(refused, 10, 10000);
    }
}

int main(void)
{
    caps_probe();
    memory_for_jansson(true);
#define SERVED(f) cmocka_unit_test_setup_teardown(f, rig_set_up, rig_tear_down)
    const struct CMUnitTest tests[] = {
        SERVED(oversized_bodies_are_refused_after_they_were_read),
        SERVED(a_body_without_end_is_cut_off),
        SERVED(rubbish_does_no_harm),
        SERVED(what_rfc_9112_forbids_is_refused),
        SERVED(what_was_asked_before_is_answered_first),
        SERVED(a_caller_that_has_said_all_is_answered),
        SERVED(a_slow_caller_is_cut_off_and_others_are_served),
        SERVED(an_idle_connection_is_kept_for_a_while),
        SERVED(more_connections_than_allowed_do_no_harm),
        SERVED(any_allocation_may_fail),
        SERVED(without_memory_nothing_is_left_out),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    forget_reply();
    return failed;
}
