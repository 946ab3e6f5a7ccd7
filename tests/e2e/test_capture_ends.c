/* Truth by capture: for each way to end a connection, which segments went which way, and that
 * nothing else did.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "captured.h"
#include "witness.h"

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
    bool tls = t->seat->tls != CLIENT_CLEARTEXT;

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

/* The FIN of a mode that closes idle connections has come. */
static struct talk *closed_when_idle(struct stage *stage, const char *params, size_t *behind)
{
    admin_mode(stage->server, "idle-close", params);
    struct talk *t = watched(stage, behind);
    check(client_wait_fin(&t->c, in_ms(LATE_MS)), "no FIN: %s", client_story(&t->c));
    quiet(t);
    return t;
}

static void stale_request_draws_our_rst(struct talk *t)
{
    size_t stale = capture_count();
    check_request_draws_rst(t, "stale");
    quiet(t);
    check_segments(stale, "data (ACK )?RST-ACK ");
}

static void fin_is_a_bare_fin(struct stage *stage)
{
    size_t behind;
    struct talk *t = closed_when_idle(stage, "{\"idle\":\"300ms\"}", &behind);

    check_segments(behind, "(ack )?FIN ack ");
    check_never_early(behind, next_of_server(behind));
    stale_request_draws_our_rst(t);
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
    int64_t over_at = in_ms(1500);
    admin_do(stage->server, t->connection, "[\"fin\"]");
    check(client_wait_fin(&t->c, in_ms(LATE_MS)), "no FIN: %s", client_story(&t->c));
    setsockopt(t->c.fd, IPPROTO_TCP, TCP_KEEPIDLE, &on, sizeof on);
    setsockopt(t->c.fd, IPPROTO_TCP, TCP_KEEPINTVL, &on, sizeof on);
    setsockopt(t->c.fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    in_time(over_at - NS_PER_S); /* the first probe is */
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

    for (int i = 0; i < STAGE_TALKS - 1 && after >= 40; i++)
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
    size_t behind;
    struct talk *t = closed_when_idle(stage, "{\"idle\":\"300ms\",\"notify\":true}", &behind);

    assert_int_equal(t->c.close_notify, t->seat->tls != CLIENT_CLEARTEXT);
    if (t->c.close_notify) {
        check_segments(behind, "(ack )?DATA (ack )?FIN ack ");
        check_is_close_notify(t, next_of_server(behind));
    } else {
        check_segments(behind, "(ack )?FIN ack ");
    }
    check_never_early(behind, next_of_server(behind));
    stale_request_draws_our_rst(t);
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

#define SEATS_MOST (SEATS_ALL & ~SEAT_H1_TLS12)

int main(void)
{
    static const struct scenario list[] = {
        SCENARIO(an_orderly_end_has_close_notify_and_fin_both_ways, SEATS_ALL),
        SCENARIO(an_idle_connection_stays_as_it_is, SEATS_MOST),
        SCENARIO(fin_is_a_bare_fin, SEATS_ALL),
        SCENARIO(fin_is_answered_with_fin_and_that_is_all, SEAT_H1_CLEARTEXT | SEAT_H2_TLS),
        SCENARIO(fin_with_notify_is_one_alert_and_then_fin, SEATS_ALL),
        SCENARIO(rst_is_one_rst, SEATS_MOST),
        SCENARIO(rst_on_demand_is_one_rst, SEAT_H1_CLEARTEXT | SEAT_H2_TLS),
        SCENARIO(rst_behind_a_response_does_not_wait_for_the_ack, SEATS_MOST),
        SCENARIO(rst_with_drain_comes_when_all_is_acked, SEATS_MOST),
        SCENARIO(fin_exactly_draws_a_bare_rst, SEATS_MOST),
        SCENARIO(after_fin_wait_a_probe_draws_a_bare_rst, SEATS_MOST),
        SCENARIO(half_a_request_behind_a_fin_draws_rst_at_once, SEATS_MOST),
    };

    captured_enter();
    return scenarios_run("truth by capture: ends", list, sizeof list / sizeof list[0], NULL);
}
