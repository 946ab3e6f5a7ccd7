/* Truth by capture: for each way to silence a connection or a listener, which segments went which
 * way, and that nothing else did.
 */
#include <poll.h>

#include "captured.h"
#include "witness.h"

/* --- forget */

/* Without exact, the kernel may ACK just before our RST: a documented limit. */
static void forget_is_silence_until_the_client_speaks_and_then_rst(struct stage *stage)
{
    size_t behind;

    admin_mode(stage->server, "half-open", "{\"idle\":\"300ms\"}");
    struct talk *t = watched(stage, &behind);
    check_fault(stage, t, "half-open", "forget", IDLE_MS);
    quiet(t);
    check_segments(behind, "(ack )?");

    behind = capture_count();
    check_request_draws_rst(t, "forgotten");
    quiet(t);
    check_segments(behind, "data (ACK )?RST-ACK ");
    check_nothing_follows(t);
}

/* The connection is silenced by these steps, without a word. */
static struct talk *silenced(struct stage *stage, const char *steps, size_t *behind)
{
    struct talk *t = settled(stage, behind);
    admin_do(stage->server, t->connection, steps);
    quiet(t);
    check_segments(*behind, "");
    return t;
}

static void forget_answers_the_clients_fin_with_rst(struct stage *stage)
{
    size_t behind;
    struct talk *t = silenced(stage, "[\"forget\"]", &behind);

    client_shut(&t->c);
    check(client_wait_rst(&t->c, in_ms(LATE_MS)), "no RST: %s", client_story(&t->c));
    quiet(t);
    check_segments(behind, "fin (ACK )?RST-ACK ");
}

/* With it, the kernel knows of no connection: its RST has no ACK in it (RFC 9293 3.5.2). */
static void forget_exactly_draws_a_bare_rst(struct stage *stage)
{
    size_t behind;

    admin_needs(stage->server, "repair");
    struct talk *t = silenced(stage, "[{\"forget\":{\"exact\":true}}]", &behind);
    check_request_draws_rst(t, "forgotten");
    quiet(t);
    check_segments(behind, "data RST ");
    check_nothing_follows(t);
}

/* --- black_hole */

/* A request went into the hole, was retransmitted, and nothing was ACKed. */
static struct talk *swallowed(struct stage *stage, size_t *behind)
{
    admin_needs(stage->server, "black_hole");
    struct talk *t = settled(stage, behind);
    admin_do(stage->server, t->connection, "[\"black_hole\"]");
    assert_int_equal(talk_ask(t, "holed"), 0);
    for (int i = 0; i < 3; i++)
        quiet(t);
    check_segments(*behind, "data (data-again ){2,}");
    return t;
}

static void black_hole_acks_nothing_until_it_heals(struct stage *stage)
{
    size_t behind;
    struct talk *t = swallowed(stage, &behind);

    behind = capture_count();
    admin_do(stage->server, t->connection, "[\"heal\"]");
    check(talk_answer(t, in_ms(PATIENCE_MS)), "no answer: %s", client_story(&t->c));
    assert_int_equal(t->status, 200);
    quiet(t);
    /* The first word is the client's: it repeats itself, and only then is answered. */
    check_segments(behind, "(data-again )+(ACK )?(DATA (ack )?)+");
}

static void black_hole_fires_when_idle_and_swallows_the_clients_fin(struct stage *stage)
{
    size_t behind;

    admin_needs(stage->server, "black_hole");
    admin_mode(stage->server, "black-hole", "{\"idle\":\"300ms\"}");
    struct talk *t = watched(stage, &behind);
    check_fault(stage, t, "black-hole", "black_hole", IDLE_MS);
    quiet(t);
    client_shut(&t->c);
    for (int i = 0; i < 3; i++)
        quiet(t);
    check_segments(behind, "(ack )?fin (fin-again ){2,}");
}

static void no_fin_nor_rst_leaves_a_black_hole_that_ends(struct stage *stage)
{
    size_t behind;

    admin_needs(stage->server, "black_hole");
    struct talk *t = silenced(stage, "[\"black_hole\"]", &behind);
    admin_reset(stage->server); /* is answered when the connection has ended; its end is not kept */
    quiet(t);
    check_segments(behind, "");
    /* Nobody is there any more: what the client says now draws the kernel's bare RST. */
    check_request_draws_rst(t, "late");
    check_segments(behind, "data RST ");
}

static void a_retransmission_draws_rst_when_the_hole_is_gone(struct stage *stage)
{
    size_t behind;
    struct talk *t = swallowed(stage, &behind);

    behind = capture_count();
    admin_reset(stage->server);
    check(client_wait_rst(&t->c, in_ms(PATIENCE_MS)), "no RST: %s", client_story(&t->c));
    quiet(t);
    check_segments(behind, "(data-again )+RST ");
}

static void no_fin_nor_rst_leaves_a_black_hole_when_the_server_stops(struct stage *stage)
{
    struct server own = { .pid = 0 };
    size_t behind;

    admin_needs(stage->server, "black_hole");
    server_start(&own, NULL);
    struct stage inner = { .server = &own, .seat = stage->seat };
    struct talk *t = settled(&inner, &behind);
    admin_do(&own, t->connection, "[\"black_hole\"]");
    server_stop(&own);
    quiet(t);
    check_segments(behind, "");
    check_request_draws_rst(t, "late");
    check_segments(behind, "data RST ");
    stage_clear(&inner);
}

/* --- stall */

static void stall_acks_and_answers_nothing_until_resumed(struct stage *stage)
{
    size_t behind;

    admin_mode(stage->server, "stall-idle", "{\"idle\":\"300ms\"}");
    struct talk *t = watched(stage, &behind);
    check_fault(stage, t, "stall-idle", "stall", IDLE_MS);
    quiet(t);
    check_segments(behind, "(ack )?");

    behind = capture_count();
    assert_int_equal(talk_ask(t, "stalled"), 0);
    quiet(t);
    check_segments(behind, "data ACK ");
    check(capture_segment(behind + 1)->window > 0, "the window is closed");

    admin_do(stage->server, t->connection, "[\"resume\"]");
    check(talk_answer(t, in_ms(PATIENCE_MS)), "no answer: %s", client_story(&t->c));
    quiet(t);
    check_segments(behind, "data ACK (DATA (ack )?)+");
}

static void stall_acks_the_clients_fin_and_keeps_its_own(struct stage *stage)
{
    size_t behind;
    struct talk *t = settled(stage, &behind);

    admin_do(stage->server, t->connection, "[\"stall\"]");
    client_shut(&t->c);
    quiet(t);
    check_segments(behind, "fin ACK ");
}

/* --- Listeners */

static void listens_again(struct stage *stage)
{
    size_t behind = capture_count();

    admin_mode(stage->server, "normal", NULL);
    talk_served(talk_open(stage));
    check_segments(behind, "syn SYN ack data .*DATA (ack )?");
}

static void refused_syns_are_answered_with_rst_and_nothing_else(struct stage *stage)
{
    bool connected;

    capture_port(stage);
    admin_mode(stage->server, "refuse", "{\"for\":\"never\"}");
    check_segments(0, "");
    for (int i = 0; i < 3; i++) {
        struct talk *t = talk_try(stage, LATE_MS, &connected);
        assert_false(connected);
        assert_true(t->c.rst);
    }
    poll(NULL, 0, QUIET_MS);
    check_segments(0, "(syn RST-ACK ){3}");
    listens_again(stage);
}

/* The client's kernel sends its SYN again after 1 s, and 2 s later at the latest. */
static void dropped_syns_are_not_answered_until_it_ends(struct stage *stage)
{
    size_t behind;
    bool connected;

    admin_needs(stage->server, "black_hole");
    capture_port(stage);
    admin_mode(stage->server, "syn-drop", "{\"for\":\"never\"}");
    talk_try(stage, 1400, &connected);
    assert_false(connected);
    check_segments(0, "syn syn-again ");

    behind = capture_count();
    admin_mode(stage->server, "normal", NULL);
    check_segments(behind, "(syn-again SYN ack )?");
    for (int64_t until = in_ms(PATIENCE_MS); capture_count() < behind + 3 && clock_now() < until;)
        poll(NULL, 0, 10);
    check_segments(behind, "syn-again SYN ack ");
    listens_again(stage);
}

#define SEATS_MOST (SEATS_ALL & ~SEAT_H1_TLS12)

int main(void)
{
    static const struct scenario list[] = {
        SCENARIO(forget_is_silence_until_the_client_speaks_and_then_rst, SEATS_MOST),
        SCENARIO(forget_answers_the_clients_fin_with_rst, SEAT_H1_CLEARTEXT | SEAT_H2_TLS),
        SCENARIO(forget_exactly_draws_a_bare_rst, SEATS_MOST),
        SCENARIO(black_hole_acks_nothing_until_it_heals, SEATS_MOST),
        SCENARIO(black_hole_fires_when_idle_and_swallows_the_clients_fin,
                 SEAT_H1_CLEARTEXT | SEAT_H2_TLS),
        SCENARIO(no_fin_nor_rst_leaves_a_black_hole_that_ends, SEATS_MOST),
        SCENARIO(a_retransmission_draws_rst_when_the_hole_is_gone, SEAT_H1_TLS | SEAT_H2_CLEARTEXT),
        SCENARIO(no_fin_nor_rst_leaves_a_black_hole_when_the_server_stops,
                 SEAT_H1_CLEARTEXT | SEAT_H2_TLS),
        SCENARIO(stall_acks_and_answers_nothing_until_resumed, SEATS_MOST),
        SCENARIO(stall_acks_the_clients_fin_and_keeps_its_own, SEAT_H1_CLEARTEXT | SEAT_H2_TLS),
        SCENARIO(refused_syns_are_answered_with_rst_and_nothing_else,
                 SEAT_H1_CLEARTEXT | SEAT_H1_TLS),
        SCENARIO(dropped_syns_are_not_answered_until_it_ends, SEAT_H1_CLEARTEXT),
    };

    captured_enter();
    return scenarios_run("truth by capture: silence", list, sizeof list / sizeof list[0], NULL);
}
