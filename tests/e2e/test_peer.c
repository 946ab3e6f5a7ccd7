/* Rules on what the client says: frames of HTTP/2, counted or not, its close_notify and its FIN.
 * With the catalogue's "ping-strict" and "chatty-idle". */
#include "frames.h"
#include "witness.h"

#include <string.h>

#define PEER(what, more, do) "[{\"on\":\"peer\",\"what\":\"" what "\"," more "\"do\":[" do "]}]"
#define H2                   "\"over\":\"h2\","
#define SHORT_MS             200
#define SPACING              "300ms"
#define SPACED_MS            450

static void check_peer(const struct stage *stage, const struct talk *t, const char *step)
{
    json_t *fault = ledger_await(stage->server, t->connection, "fault", step);
    assert_string_equal(event_text(fault, "trigger"), "peer");
    json_decref(fault);
}

/* Each of these frames, when it is sent by itself, draws the GOAWAY, and no other one does. */
static void each_frame_can_draw_a_fault(struct stage *stage)
{
    static const struct {
        const char *what;
        uint8_t type, flags;
        size_t len;
        const char *payload;
        bool on_stream;
    } frames[] = {
        { "ping", NGHTTP2_PING, 0, 8, "12345678", false },
        { "settings", NGHTTP2_SETTINGS, 0, 0, "", false },
        { "goaway", NGHTTP2_GOAWAY, 0, 8, "\0\0\0\0\0\0\0\0", false },
        { "rst_stream", NGHTTP2_RST_STREAM, 0, 4, "\0\0\0\010", true },
        { "window_update", NGHTTP2_WINDOW_UPDATE, 0, 4, "\0\0\0\1", false },
    };
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++) {
        char rules[256];
        snprintf(rules, sizeof rules,
                 PEER("%s", H2, "{\"goaway\":{\"error\":\"CONNECT_ERROR\",\"debug\":\"it\"}}"),
                 frames[i].what);
        set_rules(stage, rules);
        struct talk *t = talk_open(stage);
        frame_post_begun(t, "open"); /* a stream to reset; no frame of these */
        for (size_t k = 0; k <= sizeof frames / sizeof *frames; k++) {
            size_t other = (i + 1 + k) % (sizeof frames / sizeof *frames);
            bool own = other == i;
            if (!own && (frames[other].on_stream || frames[other].type == NGHTTP2_GOAWAY))
                continue; /* they end what the others need */
            h2_send_frame(&t->h2, frames[other].type, frames[other].flags,
                          frames[other].on_stream ? t->stream : 0, frames[other].payload,
                          frames[other].len);
            if (own)
                break;
        }
        check(h2_wait_frame(&t->h2, NGHTTP2_GOAWAY, in_ms(PATIENCE_MS)), "%s: no GOAWAY: %s",
              frames[i].what, client_story(&t->c));
        assert_int_equal(t->h2.goaway.error, NGHTTP2_CONNECT_ERROR);
        check_peer(stage, t, "goaway");
        talk_close(t);
    }
}

static void acks_can_draw_a_fault(struct stage *stage)
{
    set_rules(stage,
              "[{\"on\":\"response\",\"over\":\"h2\",\"do\":[\"ping\"]},"
              "{\"on\":\"peer\",\"what\":\"ping_ack\",\"over\":\"h2\",\"do\":[\"goaway\"]}]");
    struct talk *t = talk_open(stage);
    talk_served(t);
    check(h2_wait_frame(&t->h2, NGHTTP2_GOAWAY, in_ms(PATIENCE_MS)), "no GOAWAY: %s",
          client_story(&t->c));
    check_peer(stage, t, "goaway");

    set_rules(stage, PEER("settings_ack", H2, "\"rst\""));
    t = talk_open(stage);
    talk_ask(t, NULL);
    while (h2_next(&t->h2, in_ms(PATIENCE_MS)))
        ;
    check(t->c.rst, "no RST: %s", client_story(&t->c));
}

static void a_count_fires_at_each_so_many_th(struct stage *stage)
{
    set_rules(stage, PEER("ping", H2 "\"count\":3,", "\"goaway_notice\""));
    struct talk *t = talk_open(stage);
    talk_served(t);
    for (unsigned i = 1; i <= 6; i++) {
        frame_ping_acked(t);
        if (i % 3 == 0)
            frame_goaway(t, NGHTTP2_NO_ERROR, FRAMES_LAST_MAX, "");
    }
    talk_served(t);
    assert_int_equal(t->h2.goaways, 2);
}

static void within_a_time_counts_only_what_came_in_it(struct stage *stage)
{
    set_rules(stage, PEER("ping", H2 "\"count\":3,\"within\":\"300ms\",", "\"goaway\""));
    struct talk *t = talk_open(stage);
    talk_served(t);
    for (unsigned i = 0; i < 4; i++) { /* two in any 300 ms */
        frame_ping_acked(t);
        check(client_silent(&t->c, in_ms(SHORT_MS)), "not silent: %s", client_story(&t->c));
    }
    check(client_silent(&t->c, in_ms(SHORT_MS)), "not silent: %s", client_story(&t->c));
    check_no_fault(stage, t);
    int64_t before = clock_now();
    for (unsigned i = 0; i < 3; i++)
        frame_ping_acked(t);
    in_time(before + 300 * NS_PER_MS);
    frame_goaway(t, NGHTTP2_NO_ERROR, t->stream, "");
}

static void the_clients_fin_can_draw_a_fault(struct stage *stage)
{
    set_rules(stage, PEER("fin", "", "\"rst\""));
    struct talk *t = talk_open(stage);
    talk_served(t);
    client_shut(&t->c);
    check(client_wait_end(&t->c, in_ms(PATIENCE_MS)), "no end: %s", client_story(&t->c));
    check(t->c.rst, "no RST: %s", client_story(&t->c));
    check_peer(stage, t, "rst");
}

static void the_clients_fin_can_be_left_without_an_answer(struct stage *stage)
{
    set_rules(stage, PEER("fin", "", "\"stall\""));
    struct talk *t = talk_open(stage);
    talk_served(t);
    client_shut(&t->c);
    json_decref(ledger_await(stage->server, t->connection, "peer_fin", NULL));
    check(client_silent(&t->c, in_ms(400)), "not silent: %s", client_story(&t->c));
    check_peer(stage, t, "stall");
}

static void the_clients_close_notify_can_draw_a_fault(struct stage *stage)
{
    set_rules(stage, PEER("close_notify", "", "\"rst\""));
    struct talk *t = talk_open(stage);
    talk_served(t);
    client_bye(&t->c);
    check(client_wait_end(&t->c, in_ms(PATIENCE_MS)), "no end: %s", client_story(&t->c));
    check(t->c.rst, "no RST: %s", client_story(&t->c));
    check_peer(stage, t, "rst");
}

static void what_the_client_says_behind_our_fin_fires_nothing(struct stage *stage)
{
    set_rules(stage, "[{\"on\":\"response\",\"do\":[\"fin\"]},"
                     "{\"on\":\"peer\",\"what\":\"fin\",\"do\":[\"rst\"]}]");
    struct talk *t = talk_open(stage);
    talk_served(t);
    check(client_wait_end(&t->c, in_ms(PATIENCE_MS)), "no end: %s", client_story(&t->c));
    talk_close(t);
    json_decref(ledger_await(stage->server, t->connection, "connection_end", NULL));
    assert_null(ledger_find(stage->server, t->connection, "fault", "rst"));
}

static void in_mode_normal_nothing_of_it_happens(struct stage *stage)
{
    struct talk *t = served_once(stage, "normal", NULL);
    for (unsigned i = 0; i < 20; i++)
        frame_ping_acked(t);
    talk_served(t);
    check_no_fault(stage, t);
}

/* --- ping-strict */

static void check_too_many(struct stage *stage, struct talk *t)
{
    frame_goaway(t, NGHTTP2_ENHANCE_YOUR_CALM, t->stream, "too_many_pings");
    frames_end(t);
    assert_int_equal(t->h2.goaways, 1);
    check_fault(stage, t, "ping-strict", "goaway", 0);
    check_peer(stage, t, "goaway");
}

static void ping_strict_tolerates_two_as_grpc_does(struct stage *stage)
{
    struct talk *t = served_once(stage, "ping-strict", NULL);
    for (unsigned i = 0; i < 4; i++) /* the first has none before it, and then two are tolerated */
        frame_ping_acked(t);
    check_too_many(stage, t);
}

static void ping_strict_forgets_them_at_a_response(struct stage *stage)
{
    struct talk *t = served_once(stage, "ping-strict", NULL);
    for (unsigned i = 0; i < 4; i++) {
        for (unsigned k = 0; k < 3; k++)
            frame_ping_acked(t);
        talk_served(t);
    }
    check_no_fault(stage, t);
}

static void ping_strict_lets_pings_pass_that_come_slowly(struct stage *stage)
{
    struct talk *t =
        served_once(stage, "ping-strict", "{\"interval\":\"" SPACING "\",\"strikes\":1}");
    for (unsigned i = 0; i < 3; i++) {
        frame_ping_acked(t);
        check(client_silent(&t->c, in_ms(SPACED_MS)), "not silent: %s", client_story(&t->c));
    }
    check_no_fault(stage, t);
    int64_t before = clock_now();
    frame_ping_acked(t);
    frame_ping_acked(t);
    in_time(before + 300 * NS_PER_MS);
    check_too_many(stage, t);
}

/* --- chatty-idle */

static void chatty_idle_pings_again_and_again(struct stage *stage)
{
    struct talk *t = served_once(stage, "chatty-idle", "{\"idle\":\"300ms\",\"every\":\"200ms\"}");
    int64_t before = t->asked_at, least = 300;
    for (unsigned i = 0; i < 4; i++) {
        const struct h2_frame *f = frame_next(t, NGHTTP2_PING, 0); /* which the client ACKs */
        assert_int_equal(f->flags, 0);
        check(f->at - before >= least * NS_PER_MS, "PING %u came too soon: after %d ms", i,
              (int)((f->at - before) / NS_PER_MS));
        before = f->at;
        least = 200;
    }
    talk_served(t);
    check_fault(stage, t, "chatty-idle", "ping", 0);
}

static void chatty_idle_waits_for_the_ack(struct stage *stage)
{
    struct talk *t = served_once(stage, "chatty-idle", "{\"idle\":\"300ms\",\"every\":\"100ms\"}");
    t->h2.no_acks = true;
    frame_next(t, NGHTTP2_PING, 0);
    frames_none(t, 500);
}

static void in_mode_normal_no_ping_comes(struct stage *stage)
{
    struct talk *t = served_once(stage, "normal", NULL);
    frames_none(t, 800);
    check_no_fault(stage, t);
}

int main(void)
{
    static const struct scenario list[] = {
        SCENARIO(each_frame_can_draw_a_fault, SEATS_H2),
        SCENARIO(acks_can_draw_a_fault, SEATS_H2),
        SCENARIO(a_count_fires_at_each_so_many_th, SEATS_H2),
        SCENARIO(within_a_time_counts_only_what_came_in_it, SEATS_H2),
        SCENARIO(the_clients_fin_can_draw_a_fault, SEATS_ALL),
        SCENARIO(the_clients_fin_can_be_left_without_an_answer, SEATS_ALL),
        SCENARIO(the_clients_close_notify_can_draw_a_fault, SEATS_TLS),
        SCENARIO(what_the_client_says_behind_our_fin_fires_nothing, SEATS_ALL),
        SCENARIO(in_mode_normal_nothing_of_it_happens, SEATS_H2),
        SCENARIO(ping_strict_tolerates_two_as_grpc_does, SEATS_H2),
        SCENARIO(ping_strict_forgets_them_at_a_response, SEATS_H2),
        SCENARIO(ping_strict_lets_pings_pass_that_come_slowly, SEATS_H2),
        SCENARIO(chatty_idle_pings_again_and_again, SEATS_H2),
        SCENARIO(chatty_idle_waits_for_the_ack, SEATS_H2),
        SCENARIO(in_mode_normal_no_ping_comes, SEATS_H2),
    };
    return scenarios_run("peer", list, sizeof list / sizeof *list, NULL);
}
