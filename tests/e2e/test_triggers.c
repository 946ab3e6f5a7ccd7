/* Modes of one's own: each trigger fires where it says, each step does what it says. */
#include "witness.h"

#include <stdio.h>
#include <string.h>

/* Connects without expecting it to go well. */
static bool try_connect(const struct stage *stage, struct client *c)
{
    bool cleartext = stage->seat->tls == CLIENT_CLEARTEXT;
    struct client_options to = { .port = cleartext ? stage->server->http : stage->server->https,
                                 .tls = stage->seat->tls,
                                 .alpn = { stage->seat->h2 ? "h2" : "http/1.1" } };

    return client_connect(c, &to);
}

static void check_end(struct talk *t, bool rst)
{
    check(client_wait_end(&t->c, in_ms(LATE_MS)), "no end: %s", client_story(&t->c));
    check(rst ? t->c.rst && !t->c.fin : t->c.fin, "the wrong end: %s", client_story(&t->c));
}

static void accept_can_reset_before_a_byte_was_read(struct stage *stage)
{
    struct client c;

    set_rules(stage, "[{\"on\":\"accept\",\"do\":[\"rst\"]}]");
    if (try_connect(stage, &c))
        client_wait_end(&c, in_ms(LATE_MS));
    bool reset = c.rst, said = c.raw_in > 0;
    client_close(&c);
    assert_true(reset);
    assert_false(said);
    json_t *fault = ledger_await(stage->server, 0, "fault", "rst");
    assert_string_equal(event_text(fault, "trigger"), "accept");
    json_decref(fault);
}

/* One SETTINGS frame of the connection, and nothing behind it. */
static bool is_settings_alone(const struct buf *in)
{
    const uint8_t *f = buf_bytes(in);
    size_t n = buf_len(in);

    return n >= 9 && f[3] == NGHTTP2_SETTINGS && (h2_get32(f) >> 8) + 9 == n &&
           h2_get32(f + 5) == 0;
}

static void handshake_can_close_before_a_request(struct stage *stage)
{
    struct client c;

    set_rules(stage, "[{\"on\":\"handshake\",\"do\":[\"fin\"]}]");
    try_connect(stage, &c);
    bool ended = client_wait_end(&c, in_ms(LATE_MS)), settings = is_settings_alone(&c.in),
         plain = buf_len(&c.in) > 0, fin = c.fin;
    client_close(&c);
    assert_true(ended);
    assert_true(fin);
    /* Over h2 the server's SETTINGS may have left. */
    check(!plain || (stage->seat->h2 && settings), "the server said something before its FIN");
    json_t *tls = ledger_await(stage->server, 0, "tls_established", NULL);
    json_decref(tls);
}

static void age_counts_from_the_accept(struct stage *stage)
{
    set_rules(stage, "[{\"on\":\"age\",\"after\":\"300ms\",\"do\":[\"fin\"]}]");
    int64_t began = clock_now(), due = began + 300 * NS_PER_MS;
    stage->hurry_ms = 300;
    struct talk *t = talk_open(stage);
    for (int i = 0; i < 2; i++) {
        talk_ask(t, NULL);
        bool answered = talk_answer(t, in_ms(PATIENCE_MS));
        in_time(due);
        check(answered && t->status == 200, "no answer: %s", client_story(&t->c));
        assert_true(client_silent(&t->c, began + 150 * NS_PER_MS));
    }
    check_end(t, false);
    int64_t age = (t->c.fin_at - began) / NS_PER_MS;
    check(age >= 300 && age < 300 + LATE_MS, "ended after %d ms", (int)age);
    check_nothing_read(t);
}

static void a_request_can_be_reset_at_its_headers(struct stage *stage)
{
    struct buf out = { .data = NULL };

    set_rules(stage, "[{\"on\":\"request\",\"at\":\"headers\",\"nth\":\"2-\",\"do\":[\"rst\"]}]");
    struct talk *t = talk_open(stage);
    talk_served(t);
    /* All but the last byte: it is not complete when it is reset. */
    talk_compose(t, &out, "POST", ENTITLEMENT, NULL, "{}");
    client_send(&t->c, buf_bytes(&out), buf_len(&out) - 1);
    buf_free(&out);
    check_end(t, true);
    check_nothing_read(t);
    json_t *lost = ledger_await(stage->server, t->connection, "exchange_lost", NULL);
    json_decref(lost);
}

static void a_response_can_be_swallowed_at_its_start(struct stage *stage)
{
    set_rules(stage, "[{\"on\":\"response\",\"at\":\"start\",\"nth\":\"2\",\"do\":[\"fin\"]}]");
    struct talk *t = talk_open(stage);
    talk_served(t);
    assert_int_equal(talk_ask(t, NULL), 0);
    check_end(t, false);
    check_nothing_read(t);
}

/* aiohttp#3507: a complete answer without "close", and the FIN right behind it. */
static void a_fin_can_follow_a_whole_response(struct stage *stage)
{
    set_rules(stage, "[{\"on\":\"response\",\"at\":\"end\",\"do\":[\"fin\"]}]");
    struct talk *t = talk_open(stage);
    talk_served(t);
    check_end(t, false);
    assert_false(t->c.close_notify);
    json_t *end = ledger_await(stage->server, t->connection, "response_end", NULL);
    json_decref(end);
}

static void an_answer_can_be_another_one_so_often(struct stage *stage)
{
    set_rules(stage,
              "[{\"on\":\"request\",\"at\":\"headers\",\"times\":2,\"do\":[{\"respond\":503}]}]");
    struct talk *t = talk_open(stage);
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(talk_ask(t, NULL), 0);
        check(talk_answer(t, in_ms(PATIENCE_MS)), "no answer: %s", client_story(&t->c));
        assert_int_equal(t->status, i <= 2 ? 503 : 200);
    }
}

/* Beside the entitlement's own, which are, and need not be copied. */
static void a_header_that_is_set_is_in_lower_case_on_h2(struct stage *stage)
{
    struct talk *t = talk_open(stage);
    talk_served(t);
    unsigned fields = h2_stream(&t->h2, t->stream)->fields;
    assert_false(h2_stream(&t->h2, t->stream)->capitals);
    set_rules(stage, "[{\"on\":\"request\",\"do\":[{\"header\":{\"name\":\"X-Set\","
                     "\"value\":\"v\"}}]}]");
    t = talk_open(stage);
    talk_served(t);
    assert_int_equal(h2_stream(&t->h2, t->stream)->fields, fields + 1);
    assert_false(h2_stream(&t->h2, t->stream)->capitals);
}

static void rules_can_be_for_one_protocol_alone(struct stage *stage)
{
    set_rules(stage, "[{\"on\":\"reuse\",\"over\":\"h1\",\"do\":[\"rst\"]},"
                     "{\"on\":\"reuse\",\"over\":\"h2\",\"do\":[\"fin\"]}]");
    struct talk *t = talk_open(stage);
    talk_served(t);
    talk_ask(t, NULL);
    check_end(t, !stage->seat->h2);
    check_nothing_read(t);
}

static void stale_use_of_a_stalled_connection_can_draw_rst(struct stage *stage)
{
    set_rules(stage, "[{\"on\":\"idle\",\"after\":\"100ms\",\"do\":[\"stall\"]},"
                     "{\"on\":\"stale\",\"do\":[{\"wait\":\"150ms\"},\"rst\"]}]");
    stage->hurry_ms = 100;
    struct talk *t = talk_open(stage);
    talk_served(t);
    t->hurry_ms = 0;
    check_fault(stage, t, "own", "stall", 100);
    assert_int_equal(talk_ask(t, "stale"), 0);
    check_end(t, true);
    assert_true(t->c.rst_at - t->asked_at >= 150 * NS_PER_MS);
    check_nothing_read(t);
    check_stale_request(stage, t, "stale", "stalled", "");
}

static void a_stall_can_end_by_itself(struct stage *stage)
{
    set_rules(stage, "[{\"on\":\"request\",\"nth\":\"2\",\"do\":[\"stall\",{\"wait\":\"300ms\"},"
                     "\"resume\"]}]");
    struct talk *t = talk_open(stage);
    talk_served(t);
    talk_served(t);
    assert_true(t->answered_at - t->asked_at >= 300 * NS_PER_MS);
    talk_served(t);
}

static void a_black_hole_can_heal_by_itself(struct stage *stage)
{
    admin_needs(stage->server, "black_hole");
    set_rules(stage, "[{\"on\":\"idle\",\"after\":\"100ms\",\"times\":1,\"do\":[\"black_hole\","
                     "{\"wait\":\"500ms\"},\"heal\"]}]");
    stage->hurry_ms = 100;
    struct talk *t = talk_open(stage);
    talk_served(t);
    t->hurry_ms = 0;
    int64_t healed = t->asked_at + 600 * NS_PER_MS;
    check_fault(stage, t, "own", "black_hole", 100);
    assert_int_equal(talk_ask(t, NULL), 0);
    bool silent = client_silent(&t->c, in_ms(200)), unacked = client_unacked(&t->c);
    in_time(healed);
    assert_true(silent && unacked);
    check(talk_answer(t, in_ms(PATIENCE_MS)), "no answer: %s", client_story(&t->c));
    assert_int_equal(t->status, 200);
}

/* Idle is only what has no request under way, be it only begun. */
static void a_request_under_way_is_not_idle(struct stage *stage)
{
    struct buf out = { .data = NULL };

    struct talk *t = served_in_time(stage, "idle-close", "{\"idle\":\"200ms\"}", 200);
    talk_compose(t, &out, "POST", ENTITLEMENT, NULL, "{}");
    client_send(&t->c, buf_bytes(&out), 12);
    int64_t due = t->asked_at + 200 * NS_PER_MS;
    if (clock_now() >= due)
        buf_free(&out);
    in_time(due);
    check(client_silent(&t->c, in_ms(500)), "not silent: %s", client_story(&t->c));
    t->asked_at = clock_now();
    client_send(&t->c, buf_bytes(&out) + 12, buf_len(&out) - 12);
    buf_free(&out);
    check(talk_answer(t, in_ms(PATIENCE_MS)), "no answer: %s", client_story(&t->c));
    check_end(t, false);
    check_timer(t, t->c.fin_at, 200);
}

static void one_stream_under_way_keeps_its_connection_busy(struct stage *stage)
{
    set_rules(stage, "[{\"on\":\"request\",\"at\":\"headers\",\"nth\":\"1\",\"do\":[{\"delay\":"
                     "\"500ms\"}]},{\"on\":\"idle\",\"after\":\"150ms\",\"over\":\"h2\",\"do\":["
                     "\"goaway\",\"fin\"]}]");
    stage->hurry_ms = 150;
    struct talk *t = talk_open(stage);
    talk_ask(t, NULL);
    int32_t slow = t->stream;
    talk_served(t);
    assert_true(h2_wait_stream(&t->h2, slow, in_ms(PATIENCE_MS)));
    assert_int_equal(h2_stream(&t->h2, slow)->status, 200);
    assert_int_equal(t->h2.goaways, 0);
    assert_true(h2_wait_frame(&t->h2, NGHTTP2_GOAWAY, in_ms(LATE_MS)));
    assert_int_equal(t->h2.goaway.last, t->stream);
    check_end(t, false);
}

int main(void)
{
    static const struct scenario list[] = {
        SCENARIO(accept_can_reset_before_a_byte_was_read, SEATS_ALL),
        SCENARIO(handshake_can_close_before_a_request, SEATS_TLS),
        SCENARIO(age_counts_from_the_accept, SEATS_ALL),
        SCENARIO(a_request_can_be_reset_at_its_headers, SEATS_ALL),
        SCENARIO(a_response_can_be_swallowed_at_its_start, SEATS_ALL),
        SCENARIO(a_fin_can_follow_a_whole_response, SEATS_ALL),
        SCENARIO(an_answer_can_be_another_one_so_often, SEATS_ALL),
        SCENARIO(a_header_that_is_set_is_in_lower_case_on_h2, SEATS_H2),
        SCENARIO(rules_can_be_for_one_protocol_alone, SEATS_ALL),
        SCENARIO(stale_use_of_a_stalled_connection_can_draw_rst, SEATS_ALL),
        SCENARIO(a_stall_can_end_by_itself, SEATS_ALL),
        SCENARIO(a_black_hole_can_heal_by_itself, SEATS_ALL),
        SCENARIO(a_request_under_way_is_not_idle, SEATS_ALL),
        SCENARIO(one_stream_under_way_keeps_its_connection_busy, SEATS_H2),
    };

    return scenarios_run("triggers and steps", list, sizeof list / sizeof list[0], NULL);
}
