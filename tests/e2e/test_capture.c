/* Truth by capture: for each way to end or silence a connection, which segments went which way, and
 * that nothing else did.
 *
 * The test and its server are in a network namespace of their own. Each talk is watched from its
 * answer on; "quiet" gives the server the time to say what it must not.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "capture.h"
#include "witness.h"

#define IDLE_MS  300
#define QUIET_MS 250 /* longer than the kernel waits before it retransmits or ACKs */

static const char *no_capture; /* why, if there is none */

static void capture_port(const struct stage *stage)
{
    const struct server *s = stage->server;

    if (no_capture)
        skip_because(no_capture);
    capture_start(stage->seat->tls == CLIENT_CLEAR ? s->http : s->https);
}

/* A talk that was served, and where on the wire that ended. */
static struct talk *watched(struct stage *stage, size_t *behind)
{
    capture_port(stage);
    struct talk *t = talk_open(stage);
    talk_served(t);
    if (t->seat->h2)
        talk_served(t); /* so that SETTINGS are ACKed */
    *behind = capture_behind(t->raw_answered);
    return t;
}

/* The same with all of it ACKed. */
static struct talk *settled(struct stage *stage, size_t *behind)
{
    struct talk *t = watched(stage, behind);
    int64_t until = in_ms(LATE_MS);

    while (capture_count() == *behind && clock_now() < until)
        poll(NULL, 0, 1);
    check_segments(*behind, "ack ");
    *behind += 1;
    return t;
}

static void quiet(struct talk *t)
{
    poll(NULL, 0, QUIET_MS);
    while (client_look(&t->c, clock_now()))
        ;
}

/* The client goes, where the server has said all it ever will. */
static void check_nothing_follows(struct talk *t)
{
    size_t before = capture_count();

    client_drop(&t->c);
    poll(NULL, 0, QUIET_MS);
    check_segments(before, "(rst-ack )?");
}

static void needs(const struct stage *stage, const char *capability)
{
    if (!admin_capability(stage->server, capability))
        skip_because("the capability is not available here, see /v1/capabilities");
}

/* The segment came no sooner than so long after the answer. */
static void check_never_early(size_t answered, size_t number)
{
    int64_t answer_at = capture_segment(answered - 1)->at;
    double after = (double)(capture_segment(number)->at - answer_at) / NS_PER_MS;

    check(after >= IDLE_MS && after <= IDLE_MS + LATE_MS, "%.3f ms after the answer", after);
}

/* The number of the first segment from here on that came from the server. */
static size_t next_of_server(size_t from)
{
    while (!capture_segment(from)->from_server)
        from++;
    return from;
}

/* It is one record, as long as a close_notify is: an alert (RFC 8446 6), which TLS 1.3 shows as
 * application data with its content type inside and 16 octets of authentication. */
static void check_is_close_notify(const struct talk *t, size_t number)
{
    const struct segment *s = capture_segment(number);
    bool v13 = t->seat->tls == CLIENT_TLS13;

    assert_true(s->from_server);
    check(s->record == (v13 ? 23 : 21), "a TLS record of type %u", s->record);
    assert_int_equal(s->record_len, s->len);
    if (v13)
        assert_int_equal(s->len, 5 + 2 + 1 + 16);
    else
        assert_in_range(s->len, 5 + 2 + 16, 5 + 8 + 2 + 16);
}

/* --- Controls: what an orderly end looks like */

static void an_orderly_end_has_close_notify_and_fin_both_ways(struct stage *stage)
{
    size_t behind;
    struct talk *t = settled(stage, &behind);
    bool tls = t->seat->tls != CLIENT_CLEAR;

    if (tls)
        client_bye(&t->c);
    client_shut(&t->c);
    check(client_wait_fin(&t->c, in_ms(LATE_MS)), "no FIN: %s", client_story(&t->c));
    quiet(t);
    assert_int_equal(t->c.close_notify, tls);
    if (!tls) {
        check_segments(behind, t->seat->h2 ? "fin (ACK )?(DATA (ack )?)?FIN ack " : "fin FIN ack ");
        return;
    }
    /* The kernel ACKs late what the server reads late: then the client repeats its FIN. */
    check_segments(behind, "data (ACK )?(fin (fin-again )?(ACK )?(DATA (ack )?)+FIN ack |"
                           "(DATA (ack )?)+(FIN fin ACK |FIN ack fin ACK |fin (ACK )?FIN ack ))");
    check_nothing_follows(t);
}

static void an_idle_connection_stays_as_it_is(struct stage *stage)
{
    size_t behind;
    struct talk *t = settled(stage, &behind);

    check(client_silent(&t->c, in_ms(IDLE_MS)), "not silent: %s", client_story(&t->c));
    check_segments(behind, "");
    talk_served(t);
    quiet(t);
    check_segments(behind, "data (ACK )?(DATA )+ack ");
}

/* --- fin */

static void fin_is_a_bare_fin(struct stage *stage)
{
    size_t behind, stale;

    admin_mode(stage->server, "idle-close", "{\"idle\":\"300ms\"}");
    struct talk *t = watched(stage, &behind);
    check(client_wait_fin(&t->c, in_ms(LATE_MS)), "no FIN: %s", client_story(&t->c));
    quiet(t);
    check_segments(behind, "(ack )?FIN ack ");
    check_never_early(behind, next_of_server(behind));

    stale = capture_count();
    check_request_draws_rst(t, "stale");
    quiet(t);
    check_segments(stale, "data (ACK )?RST-ACK ");
    check_nothing_follows(t);
}

/* With exact the kernel answers for the closed socket: its RST has no ACK in it. */
static void fin_exactly_draws_a_bare_rst(struct stage *stage)
{
    size_t behind, stale;
    struct talk *t = settled(stage, &behind);

    admin_do(stage->server, t->connection, "[{\"fin\":{\"exact\":true}}]");
    check(client_wait_fin(&t->c, in_ms(LATE_MS)), "no FIN: %s", client_story(&t->c));
    quiet(t);
    check_segments(behind, "FIN ack ");
    stale = capture_count();
    check_request_draws_rst(t, "stale");
    quiet(t);
    check_segments(stale, "data RST ");
    check_nothing_follows(t);
}

/* As after tcp_fin_timeout: a keep-alive probe of the client is ACKed before, and draws RST later.
 */
static void after_fin_wait_a_probe_draws_a_bare_rst(struct stage *stage)
{
    static const char mode[] = "{\"name\":\"waits\",\"summary\":\"-\",\"closing\":"
                               "{\"fin_wait\":\"1500ms\"},\"rules\":[]}";
    size_t behind;
    int on = 1;

    json_decref(admin_call(stage->server, 201, "PUT", "/v1/modes/waits", mode));
    admin_mode(stage->server, "waits", NULL);
    json_decref(admin_call(stage->server, 204, "DELETE", "/v1/modes/waits", NULL));
    struct talk *t = settled(stage, &behind);
    admin_do(stage->server, t->connection, "[\"fin\"]");
    check(client_wait_fin(&t->c, in_ms(LATE_MS)), "no FIN: %s", client_story(&t->c));
    setsockopt(t->c.fd, IPPROTO_TCP, TCP_KEEPIDLE, &on, sizeof on);
    setsockopt(t->c.fd, IPPROTO_TCP, TCP_KEEPINTVL, &on, sizeof on);
    setsockopt(t->c.fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    check(client_wait_rst(&t->c, in_ms(PATIENCE_MS)), "no RST: %s", client_story(&t->c));
    quiet(t);
    check_segments(behind, "FIN ack (ack ACK )+ack RST ");
}

/* A head and a body in two writes: the RST comes with the first. Returns after how many ms. */
static double half_a_request_until_rst(struct stage *stage)
{
    size_t behind, stale;
    struct talk *t = settled(stage, &behind);

    admin_do(stage->server, t->connection, "[\"fin\"]");
    check(client_wait_fin(&t->c, in_ms(LATE_MS)), "no FIN: %s", client_story(&t->c));
    stale = capture_count();
    client_text(&t->c, "P");
    check(client_wait_rst(&t->c, in_ms(LATE_MS)), "no RST: %s", client_story(&t->c));
    quiet(t);
    check_segments(stale, "(ack )?data (ACK )?RST-ACK ");
    while (capture_segment(stale)->len == 0)
        stale++;
    int64_t data_at = capture_segment(stale)->at;
    return (double)(capture_segment(capture_count() - 1)->at - data_at) / NS_PER_MS;
}

/* Before the kernel ACKs it: an ACK that is put off comes after 40 ms. A server that gets no
 * processor is late now and then. */
static void half_a_request_behind_a_fin_draws_rst_at_once(struct stage *stage)
{
    double after = 40;

    for (int i = 0; i < 3 && after >= 40; i++)
        after = half_a_request_until_rst(stage);
    check(after < 40, "RST after %.3f ms", after);
}

static void fin_is_answered_with_fin_and_that_is_all(struct stage *stage)
{
    size_t behind;
    struct talk *t = settled(stage, &behind);

    admin_do(stage->server, t->connection, "[\"fin\"]");
    check(client_wait_fin(&t->c, in_ms(LATE_MS)), "no FIN: %s", client_story(&t->c));
    client_shut(&t->c);
    quiet(t);
    check_segments(behind, "FIN (ack )?fin ACK ");
}

static void fin_with_notify_is_one_alert_and_then_fin(struct stage *stage)
{
    size_t behind, stale;

    admin_mode(stage->server, "idle-close", "{\"idle\":\"300ms\",\"notify\":true}");
    struct talk *t = watched(stage, &behind);
    check(client_wait_fin(&t->c, in_ms(LATE_MS)), "no FIN: %s", client_story(&t->c));
    quiet(t);
    assert_int_equal(t->c.close_notify, t->seat->tls != CLIENT_CLEAR);
    if (t->c.close_notify) {
        check_segments(behind, "(ack )?DATA (ack )?FIN ack ");
        check_is_close_notify(t, next_of_server(behind));
    } else {
        check_segments(behind, "(ack )?FIN ack ");
    }
    check_never_early(behind, next_of_server(behind));

    stale = capture_count();
    check_request_draws_rst(t, "stale");
    quiet(t);
    check_segments(stale, "data (ACK )?RST-ACK ");
}

/* --- rst */

static void rst_is_one_rst(struct stage *stage)
{
    size_t behind;

    admin_mode(stage->server, "reset-idle", "{\"idle\":\"300ms\"}");
    struct talk *t = watched(stage, &behind);
    check(client_wait_rst(&t->c, in_ms(LATE_MS)), "no RST: %s", client_story(&t->c));
    quiet(t);
    check_segments(behind, "(ack )?RST-ACK ");
    check_never_early(behind, next_of_server(behind));
    check_nothing_follows(t);
}

static void rst_on_demand_is_one_rst(struct stage *stage)
{
    size_t behind;
    struct talk *t = settled(stage, &behind);

    admin_do(stage->server, t->connection, "[\"rst\"]");
    check(client_wait_rst(&t->c, in_ms(LATE_MS)), "no RST: %s", client_story(&t->c));
    quiet(t);
    check_segments(behind, "RST-ACK ");
    check_nothing_follows(t);
}

/* A mode of the test's own: "rst", as given, at the end of the response of this number. */
static void rst_behind_a_response(struct stage *stage, const char *rst, int nth)
{
    char body[256];

    snprintf(body, sizeof body,
             "{\"name\":\"capture-rst\",\"summary\":\"RST behind a response.\",\"rules\":["
             "{\"on\":\"response\",\"nth\":\"%d\",\"do\":[%s]}]}",
             nth, rst);
    json_decref(admin_call(stage->server, 201, "PUT", "/v1/modes/capture-rst", body));
    admin_mode(stage->server, "capture-rst", NULL);
    json_decref(admin_call(stage->server, 204, "DELETE", "/v1/modes/capture-rst", NULL));
}

/* Returns whether the client had ACKed all of the response when the RST behind it came. */
static bool acked_before_rst(struct stage *stage, const char *rst)
{
    size_t behind, last;

    rst_behind_a_response(stage, rst, stage->seat->h2 ? 4 : 3);
    struct talk *t = settled(stage, &behind);
    talk_served(t);
    behind = capture_behind(t->raw_answered);
    assert_int_equal(talk_ask(t, NULL), 0);
    check(client_wait_rst(&t->c, in_ms(LATE_MS)), "no RST: %s", client_story(&t->c));
    assert_true(t->c.raw_in > t->raw_answered);
    quiet(t);
    check_segments(behind, "(ack )?data (ACK )?(DATA (ack )?)+RST-ACK ");
    last = capture_count() - 1;
    uint32_t reset_at = capture_segment(last)->seq;
    const struct segment *before = capture_segment(last - 1);
    bool acked = !before->from_server && before->ack == reset_at;
    check_nothing_follows(t);
    return acked;
}

/* The client's kernel, in the middle of a conversation, puts its ACK off: time enough for an RST.
 */
static void rst_behind_a_response_does_not_wait_for_the_ack(struct stage *stage)
{
    assert_false(acked_before_rst(stage, "\"rst\""));
}

static void rst_with_drain_comes_when_all_is_acked(struct stage *stage)
{
    assert_true(acked_before_rst(stage, "{\"rst\":{\"drain\":true}}"));
}

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

static void forget_answers_the_clients_fin_with_rst(struct stage *stage)
{
    size_t behind;
    struct talk *t = settled(stage, &behind);

    admin_do(stage->server, t->connection, "[\"forget\"]");
    quiet(t);
    check_segments(behind, "");
    client_shut(&t->c);
    check(client_wait_rst(&t->c, in_ms(LATE_MS)), "no RST: %s", client_story(&t->c));
    quiet(t);
    check_segments(behind, "fin (ACK )?RST-ACK ");
}

/* With it, the kernel knows of no connection: its RST has no ACK in it (RFC 9293 3.5.2). */
static void forget_exactly_draws_a_bare_rst(struct stage *stage)
{
    size_t behind;

    needs(stage, "repair");
    struct talk *t = settled(stage, &behind);
    admin_do(stage->server, t->connection, "[{\"forget\":{\"exact\":true}}]");
    quiet(t);
    check_segments(behind, "");
    check_request_draws_rst(t, "forgotten");
    quiet(t);
    check_segments(behind, "data RST ");
    check_nothing_follows(t);
}

/* --- black_hole */

/* A request went into the hole, was retransmitted, and nothing was ACKed. */
static struct talk *swallowed(struct stage *stage, size_t *behind)
{
    needs(stage, "black_hole");
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

    needs(stage, "black_hole");
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

    needs(stage, "black_hole");
    struct talk *t = settled(stage, &behind);
    admin_do(stage->server, t->connection, "[\"black_hole\"]");
    quiet(t);
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

    needs(stage, "black_hole");
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

    needs(stage, "black_hole");
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
        SCENARIO(an_orderly_end_has_close_notify_and_fin_both_ways, SEATS_ALL),
        SCENARIO(an_idle_connection_stays_as_it_is, SEATS_MOST),
        SCENARIO(fin_is_a_bare_fin, SEATS_ALL),
        SCENARIO(fin_is_answered_with_fin_and_that_is_all, SEAT_H1_CLEAR | SEAT_H2_TLS),
        SCENARIO(fin_with_notify_is_one_alert_and_then_fin, SEATS_ALL),
        SCENARIO(rst_is_one_rst, SEATS_MOST),
        SCENARIO(rst_on_demand_is_one_rst, SEAT_H1_CLEAR | SEAT_H2_TLS),
        SCENARIO(rst_behind_a_response_does_not_wait_for_the_ack, SEATS_MOST),
        SCENARIO(rst_with_drain_comes_when_all_is_acked, SEATS_MOST),
        SCENARIO(forget_is_silence_until_the_client_speaks_and_then_rst, SEATS_MOST),
        SCENARIO(forget_answers_the_clients_fin_with_rst, SEAT_H1_CLEAR | SEAT_H2_TLS),
        SCENARIO(fin_exactly_draws_a_bare_rst, SEATS_MOST),
        SCENARIO(after_fin_wait_a_probe_draws_a_bare_rst, SEATS_MOST),
        SCENARIO(half_a_request_behind_a_fin_draws_rst_at_once, SEATS_MOST),
        SCENARIO(forget_exactly_draws_a_bare_rst, SEATS_MOST),
        SCENARIO(black_hole_acks_nothing_until_it_heals, SEATS_MOST),
        SCENARIO(black_hole_fires_when_idle_and_swallows_the_clients_fin,
                 SEAT_H1_CLEAR | SEAT_H2_TLS),
        SCENARIO(no_fin_nor_rst_leaves_a_black_hole_that_ends, SEATS_MOST),
        SCENARIO(a_retransmission_draws_rst_when_the_hole_is_gone, SEAT_H1_TLS | SEAT_H2_CLEAR),
        SCENARIO(no_fin_nor_rst_leaves_a_black_hole_when_the_server_stops,
                 SEAT_H1_CLEAR | SEAT_H2_TLS),
        SCENARIO(stall_acks_and_answers_nothing_until_resumed, SEATS_MOST),
        SCENARIO(stall_acks_the_clients_fin_and_keeps_its_own, SEAT_H1_CLEAR | SEAT_H2_TLS),
        SCENARIO(refused_syns_are_answered_with_rst_and_nothing_else, SEAT_H1_CLEAR | SEAT_H1_TLS),
        SCENARIO(dropped_syns_are_not_answered_until_it_ends, SEAT_H1_CLEAR),
    };

    no_capture = capture_enter();
    return scenarios_run("truth by capture", list, sizeof list / sizeof list[0], NULL);
}
