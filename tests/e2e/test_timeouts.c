/* Clients that are silent in the middle of something are ended after a while, and those that have
 * nothing to say are not; a rule's silence is never cut short. The server's timeouts are short
 * here.
 */
#include "witness.h"

#include <errno.h>
#include <linux/filter.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define HANDSHAKE_MS 400
#define HEADER_MS    500
#define BODY_MS      600
#define LONGER_MS    (BODY_MS + 400) /* than each of them */

static const char *const options[] = { "--handshake-timeout",
                                       "400ms",
                                       "--header-timeout",
                                       "500ms",
                                       "--body-timeout",
                                       "600ms",
                                       "--tcp-keepalive",
                                       "1s",
                                       NULL };

/* A connection that is ended with FIN, no sooner than ms after since, and why. */
static void check_timeout(struct stage *stage, struct client *c, int64_t since, int64_t ms,
                          const char *why)
{
    check(client_wait_end(c, since + (ms + LATE_MS) * NS_PER_MS), "%s: no end: %s", why,
          client_story(c));
    check(c->fin && !c->rst, "%s: no FIN: %s", why, client_story(c));
    check(c->fin_at - since >= ms * NS_PER_MS, "%s: after %lld ms", why,
          (long long)((c->fin_at - since) / NS_PER_MS));
    client_close(c);
    json_t *end = ledger_await(stage->server, 0, "connection_end", NULL);
    assert_string_equal(event_text(end, "by"), "server");
    assert_string_equal(event_text(end, "how"), "fin");
    assert_string_equal(event_text(end, "why"), why);
    json_decref(end);
}

/* --- HTTP/1.1 and TLS, by bytes */

static const struct {
    bool tls;          /* on a TLS port, and yet in cleartext */
    const char *bytes; /* what the client sends and no more; "": nothing */
    int64_t ms;
    const char *why;
} halves[] = {
    { false, "", HEADER_MS, "header timeout" },
    { false, "G", HEADER_MS, "header timeout" },
    { false, "PRI * HTT", HEADER_MS, "header timeout" }, /* h2's preface, perhaps */
    { false, "GET " ENTITLEMENT " HTTP/1.1\r\nHost: localhost\r\nX-Half", HEADER_MS,
      "header timeout" },
    { false, "PUT " ENTITLEMENT " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf",
      BODY_MS, "body timeout" },
    { false,
      "PUT " ENTITLEMENT " HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n",
      BODY_MS, "body timeout" },
    { true, "", HANDSHAKE_MS, "handshake timeout" },
    { true, "\x16\x03\x01\x01\x00\x01", HANDSHAKE_MS, "handshake timeout" }, /* a ClientHello's */
};

static void half_a_message_is_not_waited_for(struct stage *stage)
{
    for (size_t i = 0; i < sizeof halves / sizeof *halves; i++) {
        struct client c;
        struct client_options to = { .port = halves[i].tls ? stage->server->https
                                                           : stage->server->http };
        size_t len = halves[i].tls && *halves[i].bytes ? 6 : strlen(halves[i].bytes);
        admin_reset(stage->server);
        int64_t since = clock_now();
        assert_true(client_connect(&c, &to));
        int sent = client_send(&c, halves[i].bytes, len);
        if (clock_now() - since >= halves[i].ms * NS_PER_MS)
            client_close(&c);
        in_time(since + halves[i].ms * NS_PER_MS);
        assert_int_equal(sent, 0);
        check_timeout(stage, &c, since, halves[i].ms, halves[i].why);
    }
}

static void an_unused_connection_is_ended(struct stage *stage)
{
    int64_t since = clock_now();
    stage->hurry_ms = HANDSHAKE_MS;
    struct talk *t = talk_open(stage);
    check_timeout(stage, &t->c, since, HEADER_MS, "header timeout");
}

/* A connection whose handshake and first request were in time. */
static struct talk *served(struct stage *stage)
{
    stage->hurry_ms = HANDSHAKE_MS;
    struct talk *t = talk_open(stage);
    talk_served(t);
    stage->hurry_ms = t->hurry_ms = 0;
    return t;
}

/* The first one was served, the second is only half there. */
static void half_a_later_header_section_is_not_waited_for(struct stage *stage)
{
    struct talk *t = served(stage);
    check(client_silent(&t->c, in_ms(LONGER_MS)), "not left alone: %s", client_story(&t->c));
    int64_t since = clock_now();
    client_text(&t->c, "GET /half HTTP/1.1\r\n");
    check_timeout(stage, &t->c, since, HEADER_MS, "header timeout");
}

/* Each of them in time, all of them longer than any of the timeouts. */
static void slow_clients_are_served(struct stage *stage)
{
    struct buf out = { .data = NULL };
    stage->hurry_ms = HANDSHAKE_MS;
    struct talk *t = talk_open(stage);
    talk_compose(t, &out, "POST", ENTITLEMENT, NULL, "0123456789");
    size_t len = buf_len(&out), head = len - 10;
    uint8_t bytes[200];
    assert_true(len <= sizeof bytes);
    memcpy(bytes, buf_bytes(&out), len);
    buf_free(&out);
    for (size_t sent = 0; sent < len;) {
        size_t n = sent < head ? head - sent : 2;
        int64_t now = clock_now();
        int error = client_send(&t->c, bytes + sent, n);
        talk_in_time(t);
        assert_int_equal(error, 0);
        sent += n;
        if (sent < len)
            check(client_silent(&t->c, now + BODY_MS / 2 * NS_PER_MS), "%s", client_story(&t->c));
        t->asked_at = now;
        t->hurry_ms = BODY_MS;
    }
    check(talk_answer(t, in_ms(PATIENCE_MS)) && t->status == 200, "%s", client_story(&t->c));
}

static void an_idle_connection_stays_open(struct stage *stage)
{
    struct talk *t = served(stage);
    check(client_silent(&t->c, in_ms(2 * LONGER_MS)), "%s", client_story(&t->c));
    talk_served(t);
}

/* --- HTTP/2 */

/* A frame header that says so, and a payload that may be less. */
static void send_frame(struct client *c, size_t len, uint8_t type, uint8_t flags, uint8_t stream,
                       const void *payload, size_t n)
{
    const uint8_t head[9] = { 0, 0, (uint8_t)len, type, flags, 0, 0, 0, stream };
    assert_int_equal(client_send(c, head, sizeof head), 0);
    assert_int_equal(client_send(c, payload, n), 0);
}

/* :method POST, :scheme http, :path /, :authority l (RFC 7541) */
static const uint8_t post[] = { 0x83, 0x86, 0x84, 0x41, 0x01, 'l' };

static void half_a_header_section_ends_with_goaway(struct stage *stage)
{
    static const struct {
        uint8_t flags;
        size_t sent;
    } rows[] = {
        { NGHTTP2_FLAG_NONE, sizeof post }, /* CONTINUATION is missing */
        { NGHTTP2_FLAG_END_HEADERS, 2 },    /* half a frame */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        admin_reset(stage->server);
        struct talk *t = served(stage);
        int64_t since = clock_now();
        send_frame(&t->c, sizeof post, NGHTTP2_HEADERS, rows[i].flags, 9, post, rows[i].sent);
        in_time(since + HEADER_MS * NS_PER_MS);
        bool goaway = false;
        while (h2_next(&t->h2, since + (HEADER_MS + LATE_MS) * NS_PER_MS))
            goaway |= t->h2.frame.type == NGHTTP2_GOAWAY;
        check(goaway, "no GOAWAY: %s", client_story(&t->c));
        check_timeout(stage, &t->c, since, HEADER_MS, "header timeout");
    }
}

static void half_a_body_resets_its_stream_alone(struct stage *stage)
{
    struct talk *t = served(stage);
    int64_t since = clock_now();
    send_frame(&t->c, sizeof post, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 9, post, sizeof post);
    send_frame(&t->c, 4, NGHTTP2_DATA, NGHTTP2_FLAG_NONE, 9, "half", 4);
    bool reset = false;
    while (!reset && h2_next(&t->h2, since + (BODY_MS + LATE_MS) * NS_PER_MS))
        reset = t->h2.frame.type == NGHTTP2_RST_STREAM && t->h2.frame.stream == 9;
    check(reset, "no RST_STREAM: %s", client_story(&t->c));
    check(clock_now() - since >= BODY_MS * NS_PER_MS, "too soon");
    json_t *lost = ledger_await(stage->server, t->connection, "exchange_lost", NULL);
    assert_string_equal(event_text(lost, "why"), "body timeout");
    json_decref(lost);
    check(client_silent(&t->c, in_ms(LONGER_MS)), "%s", client_story(&t->c));
}

/* --- What a rule holds is left to it */

static const struct {
    const char *rules;
    const char *bytes; /* what the client sends and no more */
} holds[] = {
    { "{\"on\":\"request\",\"at\":\"headers\",\"do\":[\"hold\"]}",
      "PUT / HTTP/1.1\r\nHost: l\r\nContent-Length: 9\r\n\r\nhalf" },
    { "{\"on\":\"request\",\"at\":\"headers\",\"do\":[{\"delay\":\"1h\"}]}",
      "PUT / HTTP/1.1\r\nHost: l\r\nContent-Length: 9\r\n\r\nhalf" },
    { "{\"on\":\"request\",\"at\":\"first_byte\",\"do\":[\"stall\"]}", "GET / HT" },
    { "{\"on\":\"request\",\"at\":\"first_byte\",\"do\":[\"forget\"]}", "" },
    { "{\"on\":\"request\",\"at\":\"first_byte\",\"do\":[{\"wait\":\"1h\"},\"rst\"]}", "GET / HT" },
    { "{\"on\":\"accept\",\"do\":[\"stall\"]}", "" },
    { "{\"on\":\"accept\",\"do\":[{\"throttle\":{\"rate\":10}}]}", "GET / HT" },
    { "{\"on\":\"accept\",\"do\":[{\"drip\":{\"chunk\":1,\"every\":\"1s\"}}]}", "GET / HT" },
    { "{\"on\":\"accept\",\"do\":[{\"cut\":{\"after\":10}}]}", "GET / HT" },
    { "{\"on\":\"idle\",\"after\":\"1h\",\"do\":[\"fin\"]}", "" },
    { "{\"on\":\"age\",\"after\":\"1h\",\"do\":[\"fin\"]}", "" },
    { "{\"on\":\"mark\",\"name\":\"x\",\"do\":[\"fin\"]}", "" },
};

static void what_a_rule_holds_is_left_to_it(struct stage *stage)
{
    enum { COUNT = sizeof holds / sizeof *holds };
    static struct client clients[COUNT];
    char text[300];
    for (int i = 0; i < COUNT; i++) {
        struct client_options to = { .port = stage->server->http };
        struct admin_answer answer;
        snprintf(text, sizeof text, "{\"name\":\"holding\",\"summary\":\"x\",\"rules\":[%s]}",
                 holds[i].rules);
        assert_true(admin_try(stage->server, "PUT", "/v1/modes/holding", NULL, text, &answer));
        check(answer.status < 300, "%s: %d %s", holds[i].rules, answer.status,
              (const char *)buf_bytes(&answer.text));
        admin_free(&answer);
        admin_mode(stage->server, "holding", NULL);
        int64_t since = clock_now();
        assert_true(client_connect(&clients[i], &to));
        client_text(&clients[i], holds[i].bytes);
        bool late = clock_now() - since >= HEADER_MS * NS_PER_MS;
        for (int k = 0; late && k <= i; k++)
            client_close(&clients[k]);
        in_time(since + HEADER_MS * NS_PER_MS);
    }
    int64_t until = in_ms(LONGER_MS);
    for (int i = 0; i < COUNT; i++)
        check(client_silent(&clients[i], until), "%s: %s", holds[i].rules,
              client_story(&clients[i]));
    /* and when it is over, the time begins */
    int64_t since = clock_now();
    json_decref(admin_call(stage->server, 200, "PUT", "/v1/mode", "{\"mode\":\"normal\"}"));
    check(client_wait_end(&clients[0], in_ms(BODY_MS + LATE_MS)), "%s", client_story(&clients[0]));
    check(clients[0].fin_at - since >= BODY_MS * NS_PER_MS, "ended too soon");
    for (int i = 0; i < COUNT; i++)
        client_close(&clients[i]);
}

/* A stall within a request: its time begins when the stall is over. */
static void a_stall_that_ends_leaves_the_client_its_time(struct stage *stage)
{
    struct admin_answer answer;
    char path[64];
    admin_mode(stage->server, "normal", NULL);
    struct talk *t = served(stage);
    snprintf(path, sizeof path, "/v1/connections/%llu/do", (unsigned long long)t->connection);
    int64_t since = clock_now();
    client_text(&t->c, "GET /half HTTP/1.1\r\n");
    admin_try(stage->server, "POST", path, NULL,
              "{\"do\":[\"stall\",{\"wait\":\"1s\"},\"resume\"]}", &answer);
    int status = answer.status;
    admin_free(&answer);
    in_time(since + HEADER_MS * NS_PER_MS);
    assert_int_equal(status, 200);
    check_timeout(stage, &t->c, since, 1000 + HEADER_MS, "header timeout");
}

/* --- Clients that have vanished: their kernel sees nothing of ours any more */

static void vanish(struct client *c)
{
    struct sock_filter drop_all = BPF_STMT(BPF_RET | BPF_K, 0);
    struct sock_fprog program = { .len = 1, .filter = &drop_all };
    int error = setsockopt(c->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
    if (error < 0 && errno == EPERM)
        skip_because("this kernel lets no ordinary user attach a filter (CAP_NET_ADMIN)");
    assert_return_code(error, errno);
}

static void await_vanished(struct stage *stage, uint64_t connection, const char *how)
{
    int64_t until = in_ms(7000 + LATE_MS); /* a second, and six probes a second apart */
    json_t *end = NULL;
    while (!end && clock_now() < until) {
        poll(NULL, 0, 50);
        end = ledger_find(stage->server, connection, "connection_end", NULL);
    }
    check(end, "%s: it is still there", how);
    assert_string_equal(event_text(end, "by"), "network");
    assert_string_equal(event_text(end, "how"), how);
    json_decref(end);
}

static void a_client_that_has_vanished_is_noticed(struct stage *stage)
{
    struct talk *stalled = served(stage), *idle = served(stage), *alive = served(stage);
    admin_do(stage->server, stalled->connection, "[\"stall\"]");
    /* What is not ACKed by then it would continue to retransmit: it had not vanished. */
    check(client_wait_acked(&stalled->c, in_ms(LATE_MS)), "what it has sent is not ACKed");
    check(client_wait_acked(&idle->c, in_ms(LATE_MS)), "what it has sent is not ACKed");
    vanish(&stalled->c);
    vanish(&idle->c);
    await_vanished(stage, idle->connection, "keep-alive probes unanswered");
    json_t *end = ledger_find(stage->server, stalled->connection, "connection_end", NULL);
    check(!end, "probes in a fault");
    talk_served(alive);
}

static void an_answer_that_is_never_acknowledged_is_noticed(struct stage *stage)
{
    admin_mode(stage->server, "slow-first-byte", "{\"delay\":\"400ms\"}");
    stage->hurry_ms = HANDSHAKE_MS;
    struct talk *t = talk_open(stage);
    assert_int_equal(talk_ask(t, "never-acked"), 0);
    check(client_wait_acked(&t->c, in_ms(LATE_MS)), "the request was not ACKed");
    vanish(&t->c);
    in_time(t->asked_at + 400 * NS_PER_MS); /* the answer came later */
    json_t *asked = ledger_await_key(stage->server, 0, "never-acked");
    uint64_t connection = (uint64_t)event_ms(asked, "connection");
    json_decref(asked);
    await_vanished(stage, connection, "what was sent is not acknowledged");
}

/* It does not read, and its kernel says so each time it is asked. */
static void a_client_that_only_does_not_read_is_left_alone(struct stage *stage)
{
    stage->hurry_ms = HEADER_MS;
    struct talk *t = talk_open(stage);
    struct buf many = { .data = NULL };
    for (int i = 0; i < 20000; i++)
        h1_compose(&many, "GET", ENTITLEMENT, "", NULL);
    client_fill(&t->c, buf_bytes(&many), buf_len(&many));
    buf_free(&many);
    talk_in_time(t);
    json_t *end = NULL;
    int64_t until = in_ms(4000); /* twice as long as for what is not ACKed */
    while (!end && clock_now() < until)
        end = ledger_find(stage->server, 0, "connection_end", NULL);
    check(!end, "it was ended: %s", event_text(end, "how"));
}

int main(void)
{
    static const struct scenario list[] = {
        SCENARIO(half_a_message_is_not_waited_for, SEAT_H1_CLEARTEXT),
        SCENARIO(an_unused_connection_is_ended, SEATS_ALL),
        SCENARIO(half_a_later_header_section_is_not_waited_for, SEATS_H1),
        SCENARIO(slow_clients_are_served, SEATS_H1),
        SCENARIO(an_idle_connection_stays_open, SEATS_ALL),
        SCENARIO(half_a_header_section_ends_with_goaway, SEATS_H2),
        SCENARIO(half_a_body_resets_its_stream_alone, SEATS_H2),
        SCENARIO(what_a_rule_holds_is_left_to_it, SEAT_H1_CLEARTEXT),
        SCENARIO(a_stall_that_ends_leaves_the_client_its_time, SEATS_H1),
        SCENARIO(a_client_that_has_vanished_is_noticed, SEAT_H1_CLEARTEXT | SEAT_H2_TLS),
        SCENARIO(an_answer_that_is_never_acknowledged_is_noticed, SEAT_H1_CLEARTEXT | SEAT_H2_TLS),
        SCENARIO(a_client_that_only_does_not_read_is_left_alone, SEAT_H1_CLEARTEXT),
    };
    return scenarios_run("timeouts", list, sizeof list / sizeof *list, options);
}
