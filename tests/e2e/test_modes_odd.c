/* The catalogue's responses that real servers give, and should not: "close-said-not-done",
 * "extra-response", "eof-body". */
#include "witness.h"

#include <string.h>

/* Asks, and reads the response; its Connection header becomes value. */
static int ask(struct talk *t, char *value, size_t size)
{
    struct h1_response r;

    assert_int_equal(talk_ask(t, NULL), 0);
    bool whole = h1_read(&t->c, false, &r, in_ms(PATIENCE_MS));
    int status = r.status;
    value[0] = '\0';
    if (whole)
        h1_header(&r, "Connection", value, size);
    h1_free(&r);
    check(whole, "no answer: %s", client_story(&t->c));
    t->answered_at = clock_now();
    return status;
}

static struct talk *used_once(struct stage *stage, const char *mode)
{
    admin_mode(stage->server, mode, "{\"nth\":\"2\"}");
    struct talk *t = talk_open(stage);
    talk_served(t);
    check_no_fault(stage, t);
    return t;
}

static void close_said_not_done_goes_on(struct stage *stage)
{
    char value[32];
    struct talk *t = used_once(stage, "close-said-not-done");

    assert_int_equal(ask(t, value, sizeof value), 200);
    assert_string_equal(value, "close");
    check(client_silent(&t->c, in_ms(300)), "not silent: %s", client_story(&t->c));
    uint64_t fault = check_fault(stage, t, "close-said-not-done", "header", 0);
    assert_true(fault < check_event(stage, t, "response_start", 2));
    assert_int_equal(ask(t, value, sizeof value), 200);
    assert_string_equal(value, "");
    assert_null(ledger_find(stage->server, t->connection, "connection_end", NULL));
}

/* Also to a request that asks for the end, and one behind another (pipelined). */
static void close_said_not_done_whatever_the_client_says(struct stage *stage)
{
    struct talk *t = used_once(stage, "close-said-not-done");

    client_text(&t->c, "GET " ENTITLEMENT " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
                       "GET " ENTITLEMENT " HTTP/1.1\r\nHost: x\r\n\r\n");
    for (int i = 0; i < 2; i++) {
        check(talk_answer(t, in_ms(PATIENCE_MS)), "no answer: %s", client_story(&t->c));
        assert_int_equal(t->status, 200);
    }
    talk_served(t);
}

/* The control: what is said is done. */
static void normal_mode_closes_when_it_says_so(struct stage *stage)
{
    char value[32];

    set_rules(stage, "[{\"on\":\"request\",\"over\":\"h1\",\"nth\":2,\"do\":[{\"header\":{\"name\":"
                     "\"Connection\",\"value\":\"close\"}}]}]");
    struct talk *t = talk_open(stage);
    talk_served(t);
    assert_int_equal(ask(t, value, sizeof value), 200);
    assert_string_equal(value, "close");
    check(client_wait_end(&t->c, in_ms(LATE_MS)), "no end: %s", client_story(&t->c));
    assert_true(t->c.fin && !t->c.rst);
}

static void extra_response_comes_behind_the_one_asked_for(struct stage *stage)
{
    char value[32];
    struct talk *t = used_once(stage, "extra-response");

    assert_int_equal(ask(t, value, sizeof value), 200);
    check(talk_answer(t, in_ms(PATIENCE_MS)), "no extra response: %s", client_story(&t->c));
    assert_int_equal(t->status, 408);
    check_fault(stage, t, "extra-response", "inject", 0);
    check(client_silent(&t->c, in_ms(200)), "not silent: %s", client_story(&t->c));
    talk_served(t); /* the server goes on as ever */
}

static void normal_mode_sends_no_extra_response(struct stage *stage)
{
    char value[32];

    admin_mode(stage->server, "normal", NULL);
    struct talk *t = talk_open(stage);
    talk_served(t);
    assert_int_equal(ask(t, value, sizeof value), 200);
    check(client_silent(&t->c, in_ms(200)), "not silent: %s", client_story(&t->c));
    check_no_fault(stage, t);
}

static void eof_body_ends_with_the_connection(struct stage *stage)
{
    for (int notify = 0; notify <= 1; notify++) {
        struct h1_response r;
        char value[32] = "";

        admin_mode(stage->server, "eof-body",
                   notify ? "{\"nth\":\"2\"}" : "{\"nth\":\"2\",\"notify\":false}");
        struct talk *t = talk_open(stage);
        talk_served(t);
        assert_int_equal(talk_ask(t, NULL), 0);
        bool whole = h1_read(&t->c, false, &r, in_ms(PATIENCE_MS)), to_the_end = r.to_the_end,
             close = whole && h1_header(&r, "Connection", value, sizeof value),
             same = whole && strcmp((const char *)buf_bytes(&r.body), "all of it") == 0;
        h1_free(&r);
        check(whole, "no answer: %s", client_story(&t->c));
        assert_true(to_the_end && same && close);
        assert_string_equal(value, "close");
        check(t->c.fin && !t->c.rst, "no FIN: %s", client_story(&t->c));
        assert_int_equal(t->c.close_notify, notify && stage->seat->tls != CLIENT_CLEARTEXT);
        check_fault(stage, t, "eof-body", "fin", 0);
        check_event(stage, t, "response_end", 2);
    }
}

static void a_response_can_come_in_chunks(struct stage *stage)
{
    char value[32] = "";
    struct h1_response r;

    set_rules(stage,
              "[{\"on\":\"request\",\"over\":\"h1\",\"nth\":2,\"do\":[{\"respond\":{\"body\":"
              "\"in a chunk\",\"framing\":\"chunked\"}}]}]");
    struct talk *t = talk_open(stage);
    talk_served(t);
    assert_int_equal(talk_ask(t, NULL), 0);
    bool whole = h1_read(&t->c, false, &r, in_ms(PATIENCE_MS)),
         same = whole && strcmp((const char *)buf_bytes(&r.body), "in a chunk") == 0,
         chunked = whole && h1_header(&r, "Transfer-Encoding", value, sizeof value),
         more = whole && (h1_header(&r, "Connection", value, sizeof value) ||
                          h1_header(&r, "Content-Length", value, sizeof value));
    h1_free(&r);
    check(whole, "no answer: %s", client_story(&t->c));
    assert_true(same && chunked && !more);
    talk_served(t); /* on the same connection */
    assert_int_equal(talk_served_number(t, "connection"), t->connection);
}

static void these_modes_are_not_for_h2(struct stage *stage)
{
    static const char *const modes[] = { "close-said-not-done", "extra-response", "eof-body" };
    for (int i = 0; i < 3; i++) {
        struct talk *t = used_once(stage, modes[i]);
        talk_served(t);
        talk_served(t);
        check_no_fault(stage, t);
    }
}

int main(void)
{
    static const struct scenario list[] = {
        SCENARIO(close_said_not_done_goes_on, SEATS_H1),
        SCENARIO(close_said_not_done_whatever_the_client_says, SEATS_H1),
        SCENARIO(normal_mode_closes_when_it_says_so, SEATS_H1),
        SCENARIO(extra_response_comes_behind_the_one_asked_for, SEATS_H1),
        SCENARIO(normal_mode_sends_no_extra_response, SEATS_H1),
        SCENARIO(eof_body_ends_with_the_connection, SEATS_H1),
        SCENARIO(a_response_can_come_in_chunks, SEATS_H1),
        SCENARIO(these_modes_are_not_for_h2, SEATS_H2),
    };

    return scenarios_run("odd responses", list, sizeof list / sizeof list[0], NULL);
}
