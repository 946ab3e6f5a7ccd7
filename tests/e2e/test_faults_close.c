/* Faults that end an idle connection: idle-close, goaway-idle, reset-idle. */
#include "witness.h"

#define IDLE_MS  200
#define GRACE_MS 150
#define IDLE     "{\"idle\":\"200ms\"}"

static void normal_mode_leaves_an_idle_connection_alone(struct stage *stage)
{
    struct talk *t = talk_open(stage);

    talk_served(t);
    check(client_silent(&t->c, in_ms(IDLE_MS + 300)), "not silent: %s", client_story(&t->c));
    talk_served(t);
    assert_null(ledger_find(stage->server, t->connection, "fault", NULL));
}

static void idle_close_sends_a_bare_fin_and_nothing_else(struct stage *stage)
{
    struct talk *t = served_in_time(stage, "idle-close", IDLE, IDLE_MS);

    check(client_wait_end(&t->c, in_ms(IDLE_MS + LATE_MS)), "no end: %s", client_story(&t->c));
    assert_true(t->c.fin);
    assert_false(t->c.close_notify);
    check_nothing_read(t);
    check_timer(t, t->c.fin_at, IDLE_MS);
    check_end_after(stage, (client_close(&t->c), t),
                    check_fault(stage, t, "idle-close", "fin", IDLE_MS));
}

static void idle_close_sees_a_request_sent_after_its_fin(struct stage *stage)
{
    struct talk *t = served_in_time(stage, "idle-close", IDLE, IDLE_MS);
    check(client_wait_fin(&t->c, in_ms(IDLE_MS + LATE_MS)), "no FIN: %s", client_story(&t->c));

    await_fin_acked(stage, t);
    check_request_draws_rst(t, "after-fin");
    check_stale_request(stage, t, "after-fin", "fin_sent", "acked");
    check_end_after(stage, t, check_fault(stage, t, "idle-close", "fin", IDLE_MS));
}

/* Since the last answer one record came, no longer than that of an alert: a close_notify and
 * nothing else. */
static void check_one_alert_read(const struct talk *t)
{
    enum { HEADER = 5, ALERT = 2, SEALING = 24 }; /* nonce and tag at most */

    check(t->c.raw_in > t->raw_answered + HEADER + ALERT &&
              t->c.raw_in <= t->raw_answered + HEADER + ALERT + SEALING,
          "%d bytes came with the close_notify", (int)(t->c.raw_in - t->raw_answered));
    assert_int_equal(buf_len(&t->c.in), 0);
}

static void idle_close_with_notify_says_close_notify_before_its_fin(struct stage *stage)
{
    struct talk *t =
        served_in_time(stage, "idle-close", "{\"idle\":\"200ms\",\"notify\":true}", IDLE_MS);

    check(client_wait_end(&t->c, in_ms(IDLE_MS + LATE_MS)), "no end: %s", client_story(&t->c));
    assert_true(t->c.fin);
    assert_true(t->c.close_notify);
    check_timer(t, t->c.close_notify_at, IDLE_MS);
    check_timer(t, t->c.fin_at, IDLE_MS);
    assert_true(t->c.fin_at - t->c.close_notify_at < LATE_MS * NS_PER_MS);
    check_one_alert_read(t);
    await_fin_acked(stage, t);
    check_request_draws_rst(t, "after-notify");
    check_stale_request(stage, t, "after-notify", "fin_sent", "acked");
    check_fault(stage, t, "idle-close", "fin", IDLE_MS);
}

static void idle_close_counts_from_the_last_answer(struct stage *stage)
{
    admin_mode(stage->server, "idle-close", "{\"idle\":\"600ms\"}");
    stage->hurry_ms = 600;
    struct talk *t = talk_open(stage);

    for (int i = 0; i < 3; i++) {
        talk_served(t);
        check(client_silent(&t->c, t->asked_at + 250 * NS_PER_MS), "too early: %s",
              client_story(&t->c));
    }
    check(client_wait_fin(&t->c, in_ms(600 + LATE_MS)), "no FIN: %s", client_story(&t->c));
    check_timer(t, t->c.fin_at, 600);
}

static void goaway_idle_says_goaway_and_after_its_grace_fin(struct stage *stage)
{
    struct talk *t =
        served_in_time(stage, "goaway-idle", "{\"idle\":\"200ms\",\"grace\":\"150ms\"}", IDLE_MS);
    t->hurry_ms = IDLE_MS;
    talk_served(t);

    check(h2_wait_frame(&t->h2, NGHTTP2_GOAWAY, in_ms(IDLE_MS + LATE_MS)), "no GOAWAY: %s",
          client_story(&t->c));
    check_timer(t, t->h2.goaway.at, IDLE_MS);
    assert_int_equal(t->h2.goaway.error, NGHTTP2_NO_ERROR);
    assert_int_equal(t->h2.goaway.last, t->stream);
    assert_false(h2_next(&t->h2, in_ms(GRACE_MS + LATE_MS)));
    check(t->c.fin && !t->c.rst, "no FIN after the grace: %s", client_story(&t->c));
    assert_int_equal(t->c.close_notify, stage->seat->tls != CLIENT_CLEARTEXT);
    check_timer(t, t->c.fin_at, IDLE_MS + GRACE_MS);
    assert_int_equal(t->h2.goaways, 1);
    uint64_t goaway = check_fault(stage, t, "goaway-idle", "goaway", 0);
    uint64_t fin = check_fault(stage, t, "goaway-idle", "fin", 0);
    assert_true(goaway < fin);
    client_close(&t->c);
    check_end_after(stage, t, fin);
}

/* With a barrier a PING follows the GOAWAY at once, and the ledger has both it and its ACK; without
 * one there is none. */
static void goaway_idle_can_send_a_ping_behind(struct stage *stage)
{
    for (int barrier = 0; barrier < 2; barrier++) {
        char params[80];
        snprintf(params, sizeof params, "{\"idle\":\"200ms\",\"grace\":\"150ms\",\"barrier\":%s}",
                 barrier ? "true" : "false");
        struct talk *t = served_in_time(stage, "goaway-idle", params, IDLE_MS);
        check(h2_wait_frame(&t->h2, NGHTTP2_GOAWAY, in_ms(PATIENCE_MS)), "no GOAWAY: %s",
              client_story(&t->c));
        assert_int_equal(h2_wait_frame(&t->h2, NGHTTP2_PING, in_ms(PATIENCE_MS)), barrier);
        json_t *fault = ledger_await(stage->server, t->connection, "fault", "goaway"),
               *sent = ledger_find(stage->server, t->connection, "ping_sent", NULL);
        assert_int_equal(sent != NULL, barrier);
        if (barrier) {
            json_t *acked = ledger_await(stage->server, t->connection, "peer_ping_ack", NULL);
            assert_true(event_ms(sent, "fault") == event_ms(fault, "seq"));
            assert_string_equal(event_text(acked, "opaque"), event_text(sent, "opaque"));
            assert_true(event_ms(acked, "seq") > event_ms(sent, "seq"));
            json_decref(acked);
        }
        json_decref(sent);
        json_decref(fault);
    }
}

static void goaway_idle_ends_h1_with_an_orderly_fin(struct stage *stage)
{
    struct talk *t =
        served_in_time(stage, "goaway-idle", "{\"idle\":\"200ms\",\"grace\":\"150ms\"}", IDLE_MS);

    check(client_wait_end(&t->c, in_ms(IDLE_MS + LATE_MS)), "no end: %s", client_story(&t->c));
    assert_true(t->c.fin);
    assert_int_equal(t->c.close_notify, stage->seat->tls != CLIENT_CLEARTEXT);
    check_timer(t, t->c.fin_at, IDLE_MS);
    check_fault(stage, t, "goaway-idle", "fin", IDLE_MS);
}

static void after_goaway_a_new_stream_is_ledgered_and_never_answered(struct stage *stage)
{
    struct talk *t =
        served_in_time(stage, "goaway-idle", "{\"idle\":\"200ms\",\"grace\":\"never\"}", IDLE_MS);
    check(h2_wait_frame(&t->h2, NGHTTP2_GOAWAY, in_ms(IDLE_MS + LATE_MS)), "no GOAWAY: %s",
          client_story(&t->c));

    assert_int_equal(talk_ask(t, "after-goaway"), 0);
    check(client_silent(&t->c, in_ms(300)), "not silent: %s", client_story(&t->c));
    json_t *stale = ledger_await(stage->server, t->connection, "stale_request", NULL);
    assert_string_equal(event_text(stale, "idempotency_key"), "after-goaway");
    assert_int_equal(json_integer_value(json_object_get(stale, "stream")), t->stream);
    json_decref(stale);
}

static void reset_idle_sends_rst_and_nothing_else(struct stage *stage)
{
    struct talk *t = served_in_time(stage, "reset-idle", IDLE, IDLE_MS);

    check(client_wait_end(&t->c, in_ms(IDLE_MS + LATE_MS)), "no end: %s", client_story(&t->c));
    assert_true(t->c.rst);
    assert_false(t->c.fin);
    check_nothing_read(t);
    check_timer(t, t->c.rst_at, IDLE_MS);
    check_end_after(stage, t, check_fault(stage, t, "reset-idle", "rst", IDLE_MS));
}

int main(void)
{
    static const struct scenario list[] = {
        SCENARIO(normal_mode_leaves_an_idle_connection_alone, SEATS_ALL),
        SCENARIO(idle_close_sends_a_bare_fin_and_nothing_else, SEATS_ALL),
        SCENARIO(idle_close_sees_a_request_sent_after_its_fin, SEATS_ALL),
        SCENARIO(idle_close_with_notify_says_close_notify_before_its_fin, SEATS_TLS),
        SCENARIO(idle_close_counts_from_the_last_answer, SEAT_H1_CLEARTEXT | SEAT_H2_TLS),
        SCENARIO(goaway_idle_says_goaway_and_after_its_grace_fin, SEATS_H2),
        SCENARIO(goaway_idle_can_send_a_ping_behind, SEATS_H2),
        SCENARIO(goaway_idle_ends_h1_with_an_orderly_fin, SEATS_H1),
        SCENARIO(after_goaway_a_new_stream_is_ledgered_and_never_answered, SEATS_H2),
        SCENARIO(reset_idle_sends_rst_and_nothing_else, SEATS_ALL),
    };

    return scenarios_run("faults that close", list, sizeof list / sizeof list[0], NULL);
}
