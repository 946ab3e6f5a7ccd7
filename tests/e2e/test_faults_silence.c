/* Faults that say nothing: half-open, black-hole, stall-idle. */
#include "witness.h"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

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

    /* A hole that was long lets the client wait long with its next try: longer than the mode's idle
     * time, which would make the next hole; and this client, busy with another, may be late for
     * that one. The hole stays, the rule goes. */
    json_decref(admin_call(stage->server, 200, "PUT", "/v1/mode",
                           "{\"mode\":\"idle-close\",\"params\":{\"idle\":\"1h\"}}"));

    /* Others are served meanwhile. */
    struct talk *other = talk_open(stage);
    talk_served(other);
    check(client_unacked(&t->c) > 0, "the kernel ACKed what went into the black hole");
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

/* How many of a kind the ledger has of this hole; -1: it does not tell of kinds. */
static json_int_t swallowed(struct stage *stage, uint64_t connection, const char *kind)
{
    uint64_t next;
    json_int_t count = 0;
    json_t *events = admin_events(stage->server, 0, 0, &next), *e, *n;
    size_t i;

    json_array_foreach(events, i, e)
    {
        if (strcmp(event_text(e, "event"), "segments_dropped") != 0 ||
            event_ms(e, "connection") != (double)connection)
            continue;
        n = json_object_get(e, kind);
        count = n && count >= 0 ? count + json_integer_value(n) : -1;
    }
    json_decref(events);
    return count;
}

static void await_swallowed(struct stage *stage, uint64_t connection, const char *kind)
{
    int64_t until = in_ms(PATIENCE_MS);

    while (swallowed(stage, connection, kind) == 0 && clock_now() < until)
        poll(NULL, 0, 20);
    check(swallowed(stage, connection, kind) > 0, "no %s was seen", kind);
}

/* A probe, and a FIN, are no request; without a tap nobody knows what they were. */
static void what_a_black_hole_swallows_is_told_by_kind(struct stage *stage)
{
    int on = 1;

    admin_needs(stage->server, "black_hole");
    struct talk *t = silenced(stage, "black-hole", "black_hole");
    setsockopt(t->c.fd, IPPROTO_TCP, TCP_KEEPIDLE, &on, sizeof on);
    setsockopt(t->c.fd, IPPROTO_TCP, TCP_KEEPINTVL, &on, sizeof on);
    setsockopt(t->c.fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    if (!admin_capability(stage->server, "tap")) {
        json_t *event = ledger_await(stage->server, t->connection, "segments_dropped", NULL);
        assert_int_equal(swallowed(stage, t->connection, "probes"), -1);
        json_decref(event);
        return;
    }
    await_swallowed(stage, t->connection, "probes");
    assert_int_equal(swallowed(stage, t->connection, "data"), 0);
    assert_int_equal(swallowed(stage, t->connection, "fins"), 0);

    struct talk *ends = silenced(stage, "black-hole", "black_hole");
    client_shut(&ends->c);
    await_swallowed(stage, ends->connection, "fins");
    assert_int_equal(swallowed(stage, ends->connection, "data"), 0);
    assert_int_equal(swallowed(stage, ends->connection, "probes"), 0);

    struct talk *asks = silenced(stage, "black-hole", "black_hole");
    assert_int_equal(talk_ask(asks, "into-the-hole"), 0);
    int sent = 0;
    assert_int_equal(ioctl(asks->c.fd, SIOCOUTQ, &sent), 0);
    await_swallowed(stage, asks->connection, "data");
    json_t *event = ledger_await(stage->server, asks->connection, "segments_dropped", NULL);
    json_t *fault = ledger_await(stage->server, asks->connection, "fault", "black_hole");
    assert_int_equal(event_ms(event, "data_bytes"), sent);
    assert_true(event_ms(event, "first_data_ms") > event_ms(fault, "ms"));
    assert_true(event_ms(event, "first_data_ms") <= event_ms(event, "ms"));
    json_decref(event);
    json_decref(fault);
    assert_int_equal(swallowed(stage, asks->connection, "fins"), 0);
    assert_int_equal(swallowed(stage, asks->connection, "probes"), 0);
    assert_int_equal(swallowed(stage, asks->connection, "rsts"), 0);
}

/* A client that has left may get the same port again: its SYN goes the same way, and is no probe.
 */
static void the_next_connection_from_a_swallowed_ones_port_is_swallowed(struct stage *stage)
{
    struct client_options to = { .port = stage->server->http, .source_port = client_free_port() };
    struct client c;

    admin_needs(stage->server, "black_hole");
    admin_needs(stage->server, "tap");
    admin_mode(stage->server, "black-hole", NULL);
    assert_true(client_connect(&c, &to));
    json_t *done = ledger_await(stage->server, 0, "fault_done", "black_hole");
    uint64_t connection = (uint64_t)json_integer_value(json_object_get(done, "connection"));
    json_decref(done);
    client_drop(&c);
    to.patience_ms = 200;
    check(!client_connect(&c, &to), "the SYN was answered");
    check(!c.rst, "the SYN was refused");
    client_close(&c);
    await_swallowed(stage, connection, "syns");
    assert_int_equal(swallowed(stage, connection, "rsts"), 1);
    assert_int_equal(swallowed(stage, connection, "data"), 0);
    assert_int_equal(swallowed(stage, connection, "probes"), 0);
    assert_int_equal(swallowed(stage, connection, "acks"), 0);
}

/* How many requests with this key are told as sent into a black hole. */
static unsigned came_out(struct stage *stage, const struct talk *t, const char *key)
{
    uint64_t next;
    unsigned count = 0;
    json_t *events = admin_events(stage->server, 0, 0, &next), *e;
    size_t i;

    json_array_foreach(events, i, e)
    {
        count += strcmp(event_text(e, "event"), "stale_request") == 0 &&
                 event_ms(e, "connection") == (double)t->connection &&
                 strcmp(event_text(e, "sent_into"), "black_holed") == 0 &&
                 strcmp(event_text(e, "idempotency_key"), key) == 0;
    }
    json_decref(events);
    return count;
}

/* Pipelined, or on streams: all that was sent into the hole is told so, and nothing that was sent
 * behind it, though it waits for what was. */
static void each_request_that_a_black_hole_kept_back_is_told(struct stage *stage)
{
    static const char *const keys[] = { "one", "two", "three", "healed" };
    struct buf two = { .data = NULL };

    admin_needs(stage->server, "black_hole");
    struct talk *t = silenced(stage, "black-hole", "black_hole");
    bool tap = admin_capability(stage->server, "tap");
    int32_t streams[4];
    talk_compose(t, &two, "GET", ENTITLEMENT, keys[0], NULL);
    streams[0] = t->stream;
    talk_compose(t, &two, "GET", ENTITLEMENT, keys[1], NULL);
    streams[1] = t->stream;
    assert_int_equal(client_send(&t->c, buf_bytes(&two), buf_len(&two)), 0);
    buf_free(&two);
    assert_int_equal(talk_ask(t, keys[2]), 0);
    streams[2] = t->stream;
    check(client_silent(&t->c, in_ms(300)), "not silent: %s", client_story(&t->c));
    json_decref(admin_call(stage->server, 200, "PUT", "/v1/mode",
                           "{\"mode\":\"idle-close\",\"params\":{\"idle\":\"1h\"}}"));
    admin_do(stage->server, t->connection, "[\"heal\"]");
    assert_int_equal(talk_ask(t, keys[3]), 0);
    bool waits = client_unacked(&t->c) > 0; /* its kernel has yet to send again */
    streams[3] = t->stream;
    for (int i = 0; i < 4; i++) {
        t->stream = streams[i];
        check(talk_answer(t, in_ms(PATIENCE_MS)), "no answer: %s", client_story(&t->c));
        assert_int_equal(t->status, 200);
    }
    talk_served(t);
    for (int i = 0; i < 2; i++)
        check(came_out(stage, t, keys[i]) == 1, "%s: told %u times", keys[i],
              came_out(stage, t, keys[i]));
    if (!tap) /* it is not known what came behind the first reading */
        return;
    check(came_out(stage, t, keys[2]) == 1, "not told");
    check(!waits || came_out(stage, t, keys[3]) == 0, "told, though it was sent later");
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
        SCENARIO(black_hole_swallows_the_clients_fin, SEAT_H1_CLEARTEXT | SEAT_H2_TLS),
        SCENARIO(what_a_black_hole_swallows_is_told_by_kind, SEATS_ALL),
        SCENARIO(the_next_connection_from_a_swallowed_ones_port_is_swallowed, SEAT_H1_CLEARTEXT),
        SCENARIO(each_request_that_a_black_hole_kept_back_is_told, SEATS_ALL),
        SCENARIO(reset_of_the_run_lets_a_stalled_connection_go, SEAT_H1_CLEARTEXT | SEAT_H2_TLS),
    };

    return scenarios_run("faults that say nothing", list, sizeof list / sizeof list[0], NULL);
}
