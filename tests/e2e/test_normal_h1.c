/* Normal mode over HTTP/1.1 is impeccable (RFC 9112). */
#include "talk.h"

#include <string.h>

#define HOST "Host: localhost\r\n"

/* Reads a response, checks its status, and hands it over; free with h1_free. */
static struct h1_response expect(struct talk *t, int status, bool head)
{
    struct h1_response r;

    bool whole = h1_read(&t->c, head, &r, in_ms(PATIENCE_MS));
    check(whole, "no whole response (want %d): %s", status, client_story(&t->c));
    assert_int_equal(r.status, status);
    assert_int_equal(r.minor, 1);
    return r;
}

static void expect_only(struct talk *t, int status)
{
    struct h1_response r = expect(t, status, false);

    h1_free(&r);
}

/* The server closes orderly: close_notify, FIN. */
static void expect_close(struct talk *t)
{
    check(client_wait_end(&t->c, in_ms(PATIENCE_MS)), "no end: %s", client_story(&t->c));
    assert_true(t->c.fin);
    assert_false(t->c.rst);
    assert_int_equal(t->c.close_notify, t->seat->tls != CLIENT_CLEARTEXT);
}

static void says(const struct h1_response *r, const char *name, const char *wanted)
{
    char value[256];

    check(h1_header(r, name, value, sizeof value), "no %s in %s", name,
          (const char *)buf_bytes(&r->head));
    if (wanted)
        assert_string_equal(value, wanted);
}

static void a_connection_is_kept_and_its_requests_counted(struct stage *stage)
{
    struct talk *t = talk_open(stage);

    for (uint64_t i = 1; i <= 5; i++) {
        talk_served(t);
        assert_int_equal(talk_served_number(t, "exchange"), i);
    }
}

static void an_answer_has_its_date_length_and_type(struct stage *stage)
{
    struct talk *t = talk_open(stage);
    char value[8];

    client_text(&t->c, "GET " ENTITLEMENT " HTTP/1.1\r\n" HOST "\r\n");
    struct h1_response r = expect(t, 200, false);
    says(&r, "Date", NULL);
    says(&r, "Content-Length", NULL);
    says(&r, "Content-Type", "application/json");
    assert_false(h1_header(&r, "Connection", value, sizeof value));
    h1_free(&r);
}

static void pipelined_requests_are_answered_in_order(struct stage *stage)
{
    struct talk *t = talk_open(stage);
    struct buf out = { .data = NULL };

    talk_compose(t, &out, "GET", ENTITLEMENT, NULL, NULL);
    talk_compose(t, &out, "POST", ENTITLEMENT, NULL, "{\"n\":2}");
    talk_compose(t, &out, "GET", "/nowhere", NULL, NULL);
    talk_compose(t, &out, "GET", ENTITLEMENT, NULL, NULL);
    client_send(&t->c, buf_bytes(&out), buf_len(&out));
    buf_free(&out);
    for (uint64_t i = 1; i <= 4; i++) {
        check(talk_answer(t, in_ms(PATIENCE_MS)), "no answer %d: %s", (int)i, client_story(&t->c));
        assert_int_equal(t->status, i == 3 ? 404 : 200);
        if (i != 3)
            assert_int_equal(talk_served_number(t, "exchange"), i);
    }
}

static void head_is_answered_without_a_body(struct stage *stage)
{
    struct talk *t = talk_open(stage);

    client_text(&t->c, "HEAD " ENTITLEMENT " HTTP/1.1\r\n" HOST "\r\n");
    struct h1_response r = expect(t, 200, true);
    says(&r, "Content-Length", NULL);
    h1_free(&r);
    talk_served(t);
}

static void connection_close_is_honoured_and_answered(struct stage *stage)
{
    struct talk *t = talk_open(stage);

    client_text(&t->c, "GET " ENTITLEMENT " HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
    struct h1_response r = expect(t, 200, false);
    says(&r, "Connection", "close");
    h1_free(&r);
    expect_close(t);
}

static void expect_100_continue_is_answered_before_the_body(struct stage *stage)
{
    struct talk *t = talk_open(stage);

    client_text(&t->c, "POST " ENTITLEMENT " HTTP/1.1\r\n" HOST
                       "Content-Length: 4\r\nExpect: 100-continue\r\n\r\n");
    expect_only(t, 100);
    assert_true(client_silent(&t->c, in_ms(100)));
    client_text(&t->c, "null");
    expect_only(t, 200);
    talk_served(t);
}

static void a_chunked_request_body_is_read(struct stage *stage)
{
    struct talk *t = talk_open(stage);

    client_text(&t->c, "POST " ENTITLEMENT " HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
                       "5\r\n{\"a\":\r\n");
    assert_true(client_silent(&t->c, in_ms(100)));
    client_text(&t->c, "2;ext=1\r\n1}\r\n0\r\nTrailer: x\r\n\r\n");
    expect_only(t, 200);
    talk_served(t);
    json_t *complete = ledger_await(stage->server, t->connection, "request_complete", NULL);
    assert_int_equal(json_integer_value(json_object_get(complete, "body_bytes")), 7);
    json_decref(complete);
}

static void http_1_0_is_answered_and_closed(struct stage *stage)
{
    struct talk *t = talk_open(stage);

    client_text(&t->c, "GET " ENTITLEMENT " HTTP/1.0\r\n\r\n");
    expect_only(t, 200);
    expect_close(t);
}

static void a_request_may_come_byte_by_byte(struct stage *stage)
{
    struct talk *t = talk_open(stage);
    struct buf out = { .data = NULL };

    for (int k = 0; k < 2; k++) {
        talk_compose(t, &out, "POST", ENTITLEMENT, "slow", "{}");
        for (size_t i = 0; i < buf_len(&out); i++)
            assert_int_equal(client_send(&t->c, buf_bytes(&out) + i, 1), 0);
        buf_free(&out);
        check(talk_answer(t, in_ms(PATIENCE_MS)), "no answer: %s", client_story(&t->c));
        assert_int_equal(t->status, 200);
    }
}

static void empty_lines_before_a_request_are_skipped(struct stage *stage)
{
    struct talk *t = talk_open(stage);

    client_text(&t->c, "\r\nGET " ENTITLEMENT " HTTP/1.1\r\n" HOST "\r\n");
    expect_only(t, 200);
}

static void a_client_that_has_sent_its_fin_is_still_answered(struct stage *stage)
{
    struct talk *t = talk_open(stage);

    client_text(&t->c, "GET " ENTITLEMENT " HTTP/1.1\r\n" HOST "\r\n");
    if (t->c.tls)
        client_bye(&t->c);
    client_shut(&t->c);
    expect_only(t, 200);
    expect_close(t);
}

static void a_client_that_closes_is_closed_towards(struct stage *stage)
{
    struct talk *t = talk_open(stage);

    talk_served(t);
    client_shut(&t->c);
    expect_close(t);
    json_t *fin = ledger_await(stage->server, t->connection, "peer_fin", NULL);
    json_decref(fin);
    json_t *end = ledger_await(stage->server, t->connection, "connection_end", NULL);
    assert_int_equal(json_integer_value(json_object_get(end, "exchanges")), 1);
    json_decref(end);
}

static void unknown_paths_and_methods_have_json_bodies(struct stage *stage)
{
    static const struct {
        const char *method, *target;
        int status;
        bool allow;
    } cases[] = {
        { "GET", "/nowhere", 404, false },
        { "GET", "/", 404, false },
        { "DELETE", ENTITLEMENT, 405, true },
        { "PATCH", ENTITLEMENT, 405, true },
        { "GET", ENTITLEMENT "?device=tv", 200, false },
    };
    struct talk *t = talk_open(stage);

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf out = { .data = NULL };
        char allow[80];

        h1_compose(&out, cases[i].method, cases[i].target, "", NULL);
        client_send(&t->c, buf_bytes(&out), buf_len(&out));
        buf_free(&out);
        struct h1_response r = expect(t, cases[i].status, false);
        json_t *json = json_loads((const char *)buf_bytes(&r.body), 0, NULL);
        check(json, "no JSON: %s", (const char *)buf_bytes(&r.body));
        json_decref(json);
        assert_int_equal(h1_header(&r, "Allow", allow, sizeof allow), cases[i].allow);
        if (cases[i].allow)
            assert_string_equal(allow, "GET, HEAD, POST, OPTIONS");
        if (cases[i].status != 200)
            says(&r, "Content-Type", "application/problem+json");
        h1_free(&r);
    }
}

static void the_ledger_tells_the_exchange_from_begin_to_end(struct stage *stage)
{
    static const char *const order[] = { "connection_open", "request", "request_complete",
                                         "response_start", "response_end" };
    struct talk *t = talk_open(stage);
    uint64_t before = 0;

    assert_int_equal(talk_ask(t, "told"), 0);
    assert_true(talk_answer(t, in_ms(PATIENCE_MS)));
    t->connection = talk_served_number(t, "connection");
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        json_t *event = ledger_await(stage->server, t->connection, order[i], NULL);
        uint64_t seq = (uint64_t)json_integer_value(json_object_get(event, "seq"));
        check(seq > before, "%s is out of order", order[i]);
        before = seq;
        json_decref(event);
    }
    json_t *request = ledger_await(stage->server, t->connection, "request", NULL);
    assert_string_equal(event_text(request, "method"), "GET");
    assert_string_equal(event_text(request, "target"), ENTITLEMENT);
    assert_string_equal(event_text(request, "idempotency_key"), "told");
    json_t *headers = json_object_get(request, "headers");
    assert_int_equal(json_array_size(headers), 2);
    assert_string_equal(json_string_value(json_array_get(headers, 0)), "Host");
    assert_string_equal(json_string_value(json_array_get(headers, 1)), "Idempotency-Key");
    json_decref(request);
}

int main(void)
{
    static const struct scenario list[] = {
        SCENARIO(a_connection_is_kept_and_its_requests_counted, SEATS_H1),
        SCENARIO(an_answer_has_its_date_length_and_type, SEAT_H1_CLEARTEXT),
        SCENARIO(pipelined_requests_are_answered_in_order, SEATS_H1),
        SCENARIO(head_is_answered_without_a_body, SEATS_H1),
        SCENARIO(connection_close_is_honoured_and_answered, SEATS_H1),
        SCENARIO(expect_100_continue_is_answered_before_the_body, SEATS_H1),
        SCENARIO(a_chunked_request_body_is_read, SEATS_H1),
        SCENARIO(http_1_0_is_answered_and_closed, SEATS_H1),
        SCENARIO(a_request_may_come_byte_by_byte, SEATS_H1),
        SCENARIO(empty_lines_before_a_request_are_skipped, SEAT_H1_CLEARTEXT),
        SCENARIO(a_client_that_has_sent_its_fin_is_still_answered, SEATS_H1),
        SCENARIO(a_client_that_closes_is_closed_towards, SEATS_H1),
        SCENARIO(unknown_paths_and_methods_have_json_bodies, SEAT_H1_CLEARTEXT),
        SCENARIO(the_ledger_tells_the_exchange_from_begin_to_end, SEATS_H1),
    };

    return scenarios_run("normal mode over HTTP/1.1", list, sizeof list / sizeof list[0], NULL);
}
