/* Rules on what has begun and is not whole: a TLS handshake, a header section, content, or nothing
 * at all; and what is taken as HTTP/1.1 as it has said nothing. With the catalogue's "idle-408". */
#include "witness.h"

#include <string.h>

#define AFTER_MS 300
#define LONGER   (AFTER_MS + 500)
#define TIMEOUT                                                                                    \
    "HTTP/1.1 408 Request Timeout\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n"
#define LATE(what, more, do)                                                                       \
    "[{\"on\":\"late\",\"what\":\"" what "\",\"after\":\"300ms\"," more "\"do\":[" do "]}]"
#define SAY_408 "{\"inject\":\"" TIMEOUT "\"},{\"fin\":{\"notify\":true}}"
#define H1      "\"over\":\"h1\","
#define H2      "\"over\":\"h2\","

/* TCP to the seat's port, and nothing of TLS or HTTP. */
static bool connect_bare(const struct stage *stage, struct client *c)
{
    bool tls = stage->seat->tls != CLIENT_CLEARTEXT;
    struct client_options to = { .port = tls ? stage->server->https : stage->server->http };
    return client_connect(c, &to);
}

/* A FIN, not sooner than AFTER_MS after since; with close_notify before it where it is asked for.
 */
static void check_fin(struct client *c, int64_t since, bool notify)
{
    check(client_wait_end(c, since + (AFTER_MS + LATE_MS) * NS_PER_MS), "no end: %s",
          client_story(c));
    check(c->fin && !c->rst, "no FIN: %s", client_story(c));
    check(c->fin_at - since >= AFTER_MS * NS_PER_MS, "too soon: after %d ms",
          (int)((c->fin_at - since) / NS_PER_MS));
    check(c->close_notify == notify, "close_notify: %d: %s", c->close_notify, client_story(c));
}

/* The fault is this rule's, and not late by much. */
static void check_trigger(const struct stage *stage, uint64_t connection, const char *step)
{
    json_t *fault = ledger_await(stage->server, connection, "fault", step);
    assert_string_equal(event_text(fault, "trigger"), "late");
    check(event_ms(fault, "late_ms") >= 0 && event_ms(fault, "late_ms") <= LATE_MS,
          "late_ms is %.3f", event_ms(fault, "late_ms"));
    json_decref(fault);
}

/* Exactly the response that was injected, and nothing else. */
static void check_408(struct client *c)
{
    struct h1_response r;
    char value[32] = "";
    bool whole = h1_read(c, false, &r, in_ms(PATIENCE_MS));
    int status = r.status;
    if (whole)
        h1_header(&r, "Connection", value, sizeof value);
    h1_free(&r);
    check(whole, "no response: %s", client_story(c));
    assert_int_equal(status, 408);
    assert_string_equal(value, "close");
    assert_int_equal(buf_len(&c->in), 0);
}

static bool is_tls(const struct stage *stage)
{
    return stage->seat->tls != CLIENT_CLEARTEXT;
}

/* --- Nothing */

static void a_connection_without_a_request_can_be_ended(struct stage *stage)
{
    set_rules(stage, LATE("nothing", "", "{\"fin\":{\"notify\":true}}"));
    int64_t since = clock_now();
    struct talk *t = talk_open(stage);
    check_fin(&t->c, since, is_tls(stage));
    check_trigger(stage, 0, "fin");
}

static void a_connection_that_was_used_may_stay(struct stage *stage)
{
    set_rules(stage, LATE("nothing", "", "\"rst\""));
    stage->hurry_ms = AFTER_MS;
    struct talk *t = talk_open(stage);
    talk_served(t);
    t->hurry_ms = 0;
    check(client_silent(&t->c, in_ms(LONGER)), "not silent: %s", client_story(&t->c));
    talk_served(t);
    check_no_fault(stage, t);
}

/* The preface and SETTINGS are no request. */
static void over_h2_nothing_is_late_when_no_stream_was_opened(struct stage *stage)
{
    set_rules(stage, LATE("nothing", H2, "\"goaway\",{\"fin\":{\"notify\":true}}"));
    int64_t since = clock_now();
    struct talk *t = talk_open(stage);
    assert_true(h2_wait_frame(&t->h2, NGHTTP2_GOAWAY, in_ms(AFTER_MS + LATE_MS)));
    assert_int_equal(t->h2.goaway.last, 0);
    check_fin(&t->c, since, is_tls(stage));
    check_trigger(stage, 0, "goaway");
}

/* --- Before the protocol is known */

static const char *const timed[] = {
    LATE("nothing", H1, SAY_408),
    "[{\"on\":\"idle\",\"after\":\"300ms\"," H1 "\"do\":[" SAY_408 "]}]",
    "[{\"on\":\"age\",\"after\":\"300ms\"," H1 "\"do\":[" SAY_408 "]}]",
};

static void silence_in_cleartext_is_taken_as_h1(struct stage *stage)
{
    for (size_t i = 0; i < sizeof timed / sizeof *timed; i++) {
        struct client c;
        set_rules(stage, timed[i]);
        int64_t since = clock_now();
        assert_true(connect_bare(stage, &c));
        check_408(&c);
        check_fin(&c, since, false);
        client_close(&c);
    }
}

static void rules_for_h2_leave_silence_in_cleartext_alone(struct stage *stage)
{
    struct client c;
    set_rules(stage,
              "[{\"on\":\"idle\",\"after\":\"300ms\"," H2 "\"do\":[\"goaway\",\"fin\"]},"
              "{\"on\":\"late\",\"what\":\"nothing\",\"after\":\"300ms\"," H2 "\"do\":[\"fin\"]}]");
    assert_true(connect_bare(stage, &c));
    bool silent = client_silent(&c, in_ms(LONGER));
    client_close(&c);
    assert_true(silent);
}

/* It may be a request, or the preface of HTTP/2: until that is known it is a request's. */
static void one_byte_in_cleartext_is_half_a_header_section(struct stage *stage)
{
    struct client c;
    set_rules(stage, "[{\"on\":\"late\",\"what\":\"nothing\",\"after\":\"100ms\",\"do\":[\"rst\"]},"
                     "{\"on\":\"late\",\"what\":\"head\",\"after\":\"300ms\"," H1 "\"do\":[" SAY_408
                     "]}]");
    int64_t since = clock_now();
    assert_true(connect_bare(stage, &c));
    client_text(&c, "P");
    if (clock_now() - since >= 100 * NS_PER_MS)
        client_close(&c);
    in_time(since + 100 * NS_PER_MS);
    check_408(&c);
    check_fin(&c, since, false);
    client_close(&c);
}

/* --- Half a header section, half a body */

static void half_a_header_section_can_draw_a_408(struct stage *stage)
{
    set_rules(stage, LATE("head", H1, SAY_408));
    struct talk *t = talk_open(stage);
    talk_served(t);
    check(client_silent(&t->c, in_ms(LONGER)), "idle is not late: %s", client_story(&t->c));
    int64_t since = clock_now();
    client_text(&t->c, "GET " ENTITLEMENT " HTTP/1.1\r\nHost: lo");
    check_408(&t->c);
    check_fin(&t->c, since, is_tls(stage));
    check_trigger(stage, t->connection, "inject");
    check_lost(stage, t, 2, "begun");
    check_request_draws_rst(t, "behind");
}

static void half_a_body_can_draw_a_408(struct stage *stage)
{
    set_rules(stage, LATE("body", H1, SAY_408));
    struct talk *t = talk_open(stage);
    talk_served(t);
    int64_t since = clock_now();
    client_text(&t->c, "PUT " ENTITLEMENT " HTTP/1.1\r\nHost: l\r\nContent-Length: 9\r\n\r\nhalf");
    check_408(&t->c);
    check_fin(&t->c, since, is_tls(stage));
    check_trigger(stage, t->connection, "fin");
    check_lost(stage, t, 2, "headers");
    check_not_processed(stage, t, 2);
}

/* Whole in time, and slow: each part waits for less than it may. */
static void what_comes_in_time_is_served(struct stage *stage)
{
    struct buf out = { .data = NULL };
    set_rules(stage, "[{\"on\":\"late\",\"what\":\"head\",\"after\":\"300ms\",\"do\":[\"rst\"]},"
                     "{\"on\":\"late\",\"what\":\"body\",\"after\":\"300ms\",\"do\":[\"rst\"]}]");
    struct talk *t = talk_open(stage);
    talk_served(t);
    talk_compose(t, &out, "POST", ENTITLEMENT, NULL, "0123456789");
    int64_t began = clock_now();
    client_send(&t->c, buf_bytes(&out), buf_len(&out) - 5);
    if (clock_now() < began + 200 * NS_PER_MS)
        client_silent(&t->c, began + 200 * NS_PER_MS);
    client_send(&t->c, buf_bytes(&out) + buf_len(&out) - 5, 5);
    buf_free(&out);
    in_time(began + AFTER_MS * NS_PER_MS);
    check(talk_answer(t, in_ms(PATIENCE_MS)) && t->status == 200, "%s", client_story(&t->c));
    check(client_silent(&t->c, in_ms(LONGER)), "not silent: %s", client_story(&t->c));
    check_no_fault(stage, t);
}

/* --- HTTP/2 */

static void send_frame(struct client *c, uint8_t type, uint8_t flags, uint8_t stream,
                       const void *payload, size_t n)
{
    const uint8_t head[9] = { 0, 0, (uint8_t)n, type, flags, 0, 0, 0, stream };
    assert_int_equal(client_send(c, head, sizeof head), 0);
    assert_int_equal(client_send(c, payload, n), 0);
}

/* :method POST, :scheme http, :path /, :authority l (RFC 7541) */
static const uint8_t post[] = { 0x83, 0x86, 0x84, 0x41, 0x01, 'l' };

static void half_a_header_section_can_draw_goaway(struct stage *stage)
{
    set_rules(stage, LATE("head", H2, "\"goaway\",{\"fin\":{\"notify\":true}}"));
    struct talk *t = talk_open(stage);
    talk_served(t);
    int64_t since = clock_now();
    send_frame(&t->c, NGHTTP2_HEADERS, NGHTTP2_FLAG_NONE, 9, post, sizeof post);
    assert_true(h2_wait_frame(&t->h2, NGHTTP2_GOAWAY, in_ms(AFTER_MS + LATE_MS)));
    check_fin(&t->c, since, is_tls(stage));
    check_trigger(stage, t->connection, "goaway");
}

/* Of two streams the late one alone; the connection goes on. */
static void a_late_stream_can_be_reset_alone(struct stage *stage)
{
    static const struct {
        const char *rules;
        uint8_t flags;
    } rows[] = {
        { LATE("body", H2, "{\"rst_stream\":\"PROTOCOL_ERROR\"}"), NGHTTP2_FLAG_END_HEADERS },
        { LATE("body", H2 "\"nth\":\"2-\",", "{\"rst_stream\":\"PROTOCOL_ERROR\"}"),
          NGHTTP2_FLAG_END_HEADERS },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        set_rules(stage, rows[i].rules);
        struct talk *t = talk_open(stage);
        talk_served(t);
        int64_t since = clock_now();
        send_frame(&t->c, NGHTTP2_HEADERS, rows[i].flags, 9, post, sizeof post);
        send_frame(&t->c, NGHTTP2_DATA, NGHTTP2_FLAG_NONE, 9, "half", 4);
        bool reset = false;
        while (!reset && h2_next(&t->h2, since + (AFTER_MS + LATE_MS) * NS_PER_MS))
            reset = t->h2.frame.type == NGHTTP2_RST_STREAM && t->h2.frame.stream == 9 &&
                    h2_get32(t->h2.frame.payload) == NGHTTP2_PROTOCOL_ERROR;
        check(reset, "no RST_STREAM: %s", client_story(&t->c));
        check(clock_now() - since >= AFTER_MS * NS_PER_MS, "too soon");
        check_trigger(stage, t->connection, "rst_stream");
        check(client_silent(&t->c, in_ms(LONGER)), "not silent: %s", client_story(&t->c));
    }
}

/* --- Handshake */

static void a_handshake_that_does_not_come_can_be_ended(struct stage *stage)
{
    static const char *const begun[] = { "", "\x16\x03\x01\x01\x00\x01" };
    for (size_t i = 0; i < 2; i++) {
        struct client c;
        set_rules(stage, LATE("handshake", "", "\"fin\""));
        int64_t since = clock_now();
        assert_true(connect_bare(stage, &c));
        client_send(&c, begun[i], i ? 6 : 0);
        check_fin(&c, since, false);
        check(c.raw_in == 0, "%llu bytes came", (unsigned long long)c.raw_in);
        client_close(&c);
        check_trigger(stage, 0, "fin");
    }
}

static void a_handshake_that_is_done_is_not_late(struct stage *stage)
{
    set_rules(stage, LATE("handshake", "", "\"rst\""));
    stage->hurry_ms = AFTER_MS;
    struct talk *t = talk_open(stage);
    talk_served(t);
    t->hurry_ms = 0;
    check(client_silent(&t->c, in_ms(LONGER)), "not silent: %s", client_story(&t->c));
    check_no_fault(stage, t);
}

/* --- Control, and other modes */

static void in_mode_normal_nothing_is_late(struct stage *stage)
{
    admin_mode(stage->server, "normal", NULL);
    struct client bare;
    assert_true(connect_bare(stage, &bare));
    struct talk *unused = talk_open(stage), *t = talk_open(stage);
    talk_served(t);
    if (!stage->seat->h2)
        client_text(&t->c, "GET " ENTITLEMENT " HTTP/1.1\r\nHost: lo");
    bool silent = client_silent(&bare, in_ms(LONGER));
    client_close(&bare);
    assert_true(silent);
    while (stage->seat->h2 && h2_next(&unused->h2, in_ms(10)))
        ;
    check(client_silent(&unused->c, in_ms(50)), "not silent: %s", client_story(&unused->c));
    check(client_silent(&t->c, in_ms(50)), "not silent: %s", client_story(&t->c));
    check_no_fault(stage, t);
}

/* What has begun counts from its beginning, and is due at once when it is late already. */
static void a_mode_that_is_set_meanwhile_counts_from_the_beginning(struct stage *stage)
{
    admin_mode(stage->server, "normal", NULL);
    struct talk *t = talk_open(stage);
    talk_served(t);
    client_text(&t->c, "GET " ENTITLEMENT " HTTP/1.1\r\nHost: lo");
    check(client_silent(&t->c, in_ms(LONGER)), "not silent: %s", client_story(&t->c));
    set_rules(stage, LATE("head", H1, SAY_408)); /* for those to come */
    check(client_silent(&t->c, in_ms(100)), "not silent: %s", client_story(&t->c));
    json_decref(
        admin_call(stage->server, 200, "PUT", "/v1/mode", "{\"mode\":\"own\",\"apply\":\"all\"}"));
    check_408(&t->c);
    check(client_wait_end(&t->c, in_ms(LATE_MS)) && t->c.fin, "no FIN: %s", client_story(&t->c));
    check_trigger(stage, t->connection, "fin");
}

/* Out of service nothing is late; the time begins when that is over. */
static void a_stall_stops_the_time(struct stage *stage)
{
    set_rules(stage, "[{\"on\":\"request\",\"at\":\"first_byte\",\"nth\":2,\"do\":[\"stall\","
                     "{\"wait\":\"600ms\"},\"resume\"]},"
                     "{\"on\":\"late\",\"what\":\"head\",\"after\":\"300ms\"," H1 "\"do\":[" SAY_408
                     "]}]");
    struct talk *t = talk_open(stage);
    talk_served(t);
    int64_t since = clock_now();
    client_text(&t->c, "GET " ENTITLEMENT " HTTP/1.1\r\nHost: lo");
    check_408(&t->c);
    check(client_wait_end(&t->c, in_ms(LATE_MS)) && t->c.fin, "no FIN: %s", client_story(&t->c));
    check(t->c.fin_at - since >= (600 + AFTER_MS) * NS_PER_MS, "too soon");
}

/* --- idle-408 */

static void idle_408_ends_unused_connections_with_a_response(struct stage *stage)
{
    admin_mode(stage->server, "idle-408", "{\"unused\":\"300ms\",\"idle\":\"never\"}");
    int64_t since = clock_now();
    struct talk *t = talk_open(stage);
    check_408(&t->c);
    check_fin(&t->c, since, is_tls(stage));
    check_trigger(stage, 0, "inject");
}

static void idle_408_ends_idle_connections_with_a_response(struct stage *stage)
{
    struct talk *t =
        served_in_time(stage, "idle-408", "{\"idle\":\"300ms\",\"unused\":\"never\"}", AFTER_MS);
    check_408(&t->c);
    check(client_wait_end(&t->c, in_ms(LATE_MS)) && t->c.fin, "no FIN: %s", client_story(&t->c));
    check_timer(t, t->c.fin_at, AFTER_MS);
    assert_int_equal(t->c.close_notify, is_tls(stage));
    check_fault(stage, t, "idle-408", "inject", AFTER_MS);
    uint64_t fin = check_fault(stage, t, "idle-408", "fin", AFTER_MS);
    await_fin_acked(stage, t);
    check_request_draws_rst(t, "behind");
    check_stale_request(stage, t, "behind", "fin_sent", "acked");
    check_end_after(stage, t, fin);
}

static void idle_408_leaves_used_connections_alone_if_told(struct stage *stage)
{
    struct talk *t =
        served_in_time(stage, "idle-408", "{\"idle\":\"never\",\"unused\":\"300ms\"}", AFTER_MS);
    t->hurry_ms = 0;
    check(client_silent(&t->c, in_ms(LONGER)), "not silent: %s", client_story(&t->c));
    talk_served(t);
    check_no_fault(stage, t);
}

static void idle_408_is_not_for_h2(struct stage *stage)
{
    admin_mode(stage->server, "idle-408", "{\"idle\":\"300ms\",\"unused\":\"300ms\"}");
    struct talk *t = talk_open(stage);
    talk_served(t);
    check(client_silent(&t->c, in_ms(LONGER)), "not silent: %s", client_story(&t->c));
    talk_served(t);
    check_no_fault(stage, t);
}

int main(void)
{
    static const struct scenario list[] = {
        SCENARIO(a_connection_without_a_request_can_be_ended, SEATS_ALL),
        SCENARIO(a_connection_that_was_used_may_stay, SEATS_ALL),
        SCENARIO(over_h2_nothing_is_late_when_no_stream_was_opened, SEATS_H2),
        SCENARIO(silence_in_cleartext_is_taken_as_h1, SEAT_H1_CLEARTEXT),
        SCENARIO(rules_for_h2_leave_silence_in_cleartext_alone, SEAT_H1_CLEARTEXT),
        SCENARIO(one_byte_in_cleartext_is_half_a_header_section, SEAT_H1_CLEARTEXT),
        SCENARIO(half_a_header_section_can_draw_a_408, SEATS_H1),
        SCENARIO(half_a_body_can_draw_a_408, SEATS_H1),
        SCENARIO(what_comes_in_time_is_served, SEATS_ALL),
        SCENARIO(half_a_header_section_can_draw_goaway, SEATS_H2),
        SCENARIO(a_late_stream_can_be_reset_alone, SEATS_H2),
        SCENARIO(a_handshake_that_does_not_come_can_be_ended, SEAT_H1_TLS),
        SCENARIO(a_handshake_that_is_done_is_not_late, SEATS_TLS),
        SCENARIO(in_mode_normal_nothing_is_late, SEATS_ALL),
        SCENARIO(a_mode_that_is_set_meanwhile_counts_from_the_beginning, SEATS_H1),
        SCENARIO(a_stall_stops_the_time, SEATS_H1),
        SCENARIO(idle_408_ends_unused_connections_with_a_response, SEATS_H1),
        SCENARIO(idle_408_ends_idle_connections_with_a_response, SEATS_H1),
        SCENARIO(idle_408_leaves_used_connections_alone_if_told, SEATS_H1),
        SCENARIO(idle_408_is_not_for_h2, SEATS_H2),
    };
    return scenarios_run("late", list, sizeof list / sizeof *list, NULL);
}
