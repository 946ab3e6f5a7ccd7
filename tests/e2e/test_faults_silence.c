/* Faults that say nothing: half-open, black-hole, stall-idle. */
#include "witness.h"

#define IDLE_MS 200
#define IDLE    "{\"idle\":\"200ms\"}"

/* The fault is in force, and the client has noticed nothing. */
static struct talk *silenced(struct stage *stage, const char *mode, const char *step)
{
    struct talk *t = served_in_time(stage, mode, IDLE, IDLE_MS);
    check(client_silent(&t->c, t->answered_at + IDLE_MS * NS_PER_MS), "not silent: %s",
          client_story(&t->c));
    check_fault(stage, t, mode, step, IDLE_MS);
    check(client_silent(&t->c, in_ms(150)), "not silent: %s", client_story(&t->c));
    check_nothing_read(t);
    return t;
}

static void half_open_answers_the_next_request_with_rst(struct stage *stage)
{
    struct talk *t = silenced(stage, "half-open", "forget");

    check_request_draws_rst(t, "half-open");
    assert_false(t->c.fin);
    check_stale_request(stage, t, "half-open", "forgotten", "");
    check_end_after(stage, t, check_fault(stage, t, "half-open", "forget", IDLE_MS));
}

static void half_open_answers_the_clients_fin_with_rst(struct stage *stage)
{
    struct talk *t = silenced(stage, "half-open", "forget");

    client_shut(&t->c);
    check(client_wait_rst(&t->c, in_ms(LATE_MS)), "no RST: %s", client_story(&t->c));
    check_nothing_read(t);
}

static void stall_idle_acks_a_request_and_answers_when_resumed(struct stage *stage)
{
    struct talk *t = silenced(stage, "stall-idle", "stall");

    assert_int_equal(talk_ask(t, "stalled"), 0);
    check(client_wait_acked(&t->c, in_ms(LATE_MS)), "the request was not ACKed");
    check(client_silent(&t->c, in_ms(300)), "not silent: %s", client_story(&t->c));
    check_nothing_read(t);
    check_stale_request(stage, t, "stalled", "stalled", "");

    admin_do(stage->server, t->connection, "[\"resume\"]");
    check(talk_answer(t, in_ms(PATIENCE_MS)), "no answer after resume: %s", client_story(&t->c));
    assert_int_equal(t->status, 200);
}

static void stall_idle_lets_the_clients_fin_pass_without_a_word(struct stage *stage)
{
    struct talk *t = silenced(stage, "stall-idle", "stall");

    client_shut(&t->c);
    check(client_wait_acked(&t->c, in_ms(LATE_MS)), "the FIN was not ACKed");
    check(client_silent(&t->c, in_ms(300)), "not silent: %s", client_story(&t->c));
    json_t *fin = ledger_await(stage->server, t->connection, "peer_fin", NULL);
    json_decref(fin);
}

static void black_hole_acks_nothing_until_healed(struct stage *stage)
{
    admin_needs(stage->server, "black_hole");
    struct talk *t = silenced(stage, "black-hole", "black_hole");

    assert_int_equal(talk_ask(t, "holed"), 0);
    check(client_silent(&t->c, in_ms(300)), "not silent: %s", client_story(&t->c));
    check(client_unacked(&t->c) > 0, "the kernel ACKed what went into the black hole");
    json_t *dropped = ledger_await(stage->server, t->connection, "segments_dropped", NULL);
    assert_true(event_ms(dropped, "total") >= 1);
    json_decref(dropped);
    assert_null(ledger_find(stage->server, t->connection, "stale_request", NULL));

    /* Others are served meanwhile. */
    struct talk *other = talk_open(stage);
    talk_served(other);
    check(client_unacked(&t->c) > 0, "the kernel ACKed what went into the black hole");

    /* A hole that was long lets the client wait long with its next try: longer than the mode's idle
     * time, which would make the next hole. The hole stays, the rule goes. */
    json_decref(admin_call(stage->server, 200, "PUT", "/v1/mode",
                           "{\"mode\":\"idle-close\",\"params\":{\"idle\":\"1h\"}}"));
    admin_do(stage->server, t->connection, "[\"heal\"]");
    check(talk_answer(t, in_ms(PATIENCE_MS)), "no answer after heal: %s", client_story(&t->c));
    assert_int_equal(t->status, 200);
    check_stale_request(stage, t, "holed", "black_holed", "");
    check_fault(stage, t, "black-hole", "black_hole", IDLE_MS);
}

static void black_hole_swallows_the_clients_fin(struct stage *stage)
{
    admin_needs(stage->server, "black_hole");
    struct talk *t = silenced(stage, "black-hole", "black_hole");

    client_shut(&t->c);
    check(client_silent(&t->c, in_ms(300)), "not silent: %s", client_story(&t->c));
    check(client_unacked(&t->c) > 0, "the kernel ACKed a FIN that went into the black hole");
    assert_null(ledger_find(stage->server, t->connection, "peer_fin", NULL));
    check_nothing_read(t);
}

static void reset_of_the_run_lets_a_stalled_connection_go(struct stage *stage)
{
    struct talk *t = silenced(stage, "stall-idle", "stall");

    admin_reset(stage->server);
    check(client_wait_end(&t->c, in_ms(LATE_MS)), "no end: %s", client_story(&t->c));
}

int main(void)
{
    static const struct scenario list[] = {
        SCENARIO(half_open_answers_the_next_request_with_rst, SEATS_ALL),
        SCENARIO(half_open_answers_the_clients_fin_with_rst, SEATS_ALL),
        SCENARIO(stall_idle_acks_a_request_and_answers_when_resumed, SEATS_ALL),
        SCENARIO(stall_idle_lets_the_clients_fin_pass_without_a_word, SEATS_ALL),
        SCENARIO(black_hole_acks_nothing_until_healed, SEATS_ALL),
        SCENARIO(black_hole_swallows_the_clients_fin, SEAT_H1_CLEAR | SEAT_H2_TLS),
        SCENARIO(reset_of_the_run_lets_a_stalled_connection_go, SEAT_H1_CLEAR | SEAT_H2_TLS),
    };

    return scenarios_run("faults that say nothing", list, sizeof list / sizeof list[0], NULL);
}
