/* Each way in which an exchange is lost, from the client's bytes to what the ledger says of it: to
 * what it was lost (lost_by), and how much of its content had been read.
 */
#include "witness.h"

#include <string.h>

#define HOLD      "slow-first-byte", "{\"delay\":\"30s\"}"
#define HEAD      "POST " ENTITLEMENT " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n"
#define BODY_PART "0123456789"

/* What the client does; the request has been sent, and in HOLD is held. */
struct way {
    const char *name;
    unsigned seats;
    const char *mode, *params;
    void (*act)(struct stage *stage, struct talk *t);
    const char *lost_by;
    int body_bytes;    /* -1: none is told */
    bool whole;        /* a whole GET is sent; else a part of a POST */
    const char *fault; /* the step that is named; NULL: none */
};

static void do_nothing(struct stage *stage, struct talk *t)
{
}

static void send_fin(struct stage *stage, struct talk *t)
{
    client_shut(&t->c);
}

static void send_rst(struct stage *stage, struct talk *t)
{
    client_drop(&t->c);
}

static void send_cancel(struct stage *stage, struct talk *t)
{
    uint8_t cancel[4];
    h2_put32(cancel, NGHTTP2_CANCEL);
    h2_send_frame(&t->h2, NGHTTP2_RST_STREAM, 0, t->stream, cancel, sizeof cancel);
}

static void send_goaway(struct stage *stage, struct talk *t)
{
    static const uint8_t nothing[8];
    h2_send_frame(&t->h2, NGHTTP2_GOAWAY, 0, 0, nothing, sizeof nothing);
    client_shut(&t->c);
}

static void send_garbage(struct stage *stage, struct talk *t)
{
    uint8_t zero[4] = { 0 };
    h2_send_frame(&t->h2, NGHTTP2_WINDOW_UPDATE, 0, 0, zero, sizeof zero);
}

static void do_fin(struct stage *stage, struct talk *t)
{
    admin_do(stage->server, t->connection, "[\"fin\"]");
}

static void do_rst(struct stage *stage, struct talk *t)
{
    admin_do(stage->server, t->connection, "[\"rst\"]");
}

static void reset_all(struct stage *stage, struct talk *t)
{
    admin_do(stage->server, t->connection, "[\"stall\"]");
    json_decref(ledger_await(stage->server, t->connection, "fault_done", "stall"));
    json_decref(admin_call(stage->server, 200, "PUT", "/v1/mode", "{\"mode\":\"normal\"}"));
}

static const struct way ways[] = {
    { "FIN", SEATS_H1, "normal", "{}", send_fin, "client_fin", 10, false, NULL },
    { "FIN on a stream", SEATS_H2, "normal", "{}", send_fin, "client_fin", 10, false, NULL },
    { "RST", SEAT_H1_CLEARTEXT | SEAT_H2_CLEARTEXT, HOLD, send_rst, "client_rst", -1, true,
      "delay" },
    { "cancel", SEATS_H2, HOLD, send_cancel, "client_cancel", -1, true, "delay" },
    { "cancel of half", SEATS_H2, "normal", "{}", send_cancel, "client_cancel", 10, false, NULL },
    { "GOAWAY", SEATS_H2, "normal", "{}", send_goaway, "client_goaway", 10, false, NULL },
    { "protocol", SEATS_H2, HOLD, send_garbage, "protocol", -1, true, "delay" },
    { "fin", SEATS_ALL, HOLD, do_fin, "fault", -1, true, "fin" },
    { "fin in a half", SEATS_ALL, "normal", "{}", do_fin, "fault", 10, false, "fin" },
    { "rst", SEATS_ALL, HOLD, do_rst, "fault", -1, true, "rst" },
    { "rst_stream", SEATS_H2, "rst-stream", "{\"nth\":\"1-\"}", do_nothing, "fault", -1, true,
      "rst_stream" },
    { "refused", SEATS_H2, "refuse-stream", "{\"nth\":\"1-\"}", do_nothing, "fault", -1, true,
      "rst_stream" },
    { "timeout", SEATS_ALL, "normal", "{}", do_nothing, "timeout", 10, false, NULL },
    { "normal for all", SEATS_ALL, HOLD, reset_all, "shutdown", -1, true, "stall" },
};

static void send_request(struct talk *t, bool whole)
{
    struct buf out = { .data = NULL };

    if (whole) {
        assert_int_equal(talk_ask(t, NULL), 0);
        return;
    }
    if (t->seat->h2) {
        const char *extra[] = { "content-length", "100", NULL };
        struct buf request = { .data = NULL };
        t->stream = h2_compose_request(&t->h2, &request, "POST", ENTITLEMENT, extra, BODY_PART);
        /* The DATA frame is the last: without END_STREAM. */
        request.data[request.end - strlen(BODY_PART) - 5] = 0;
        buf_add(&out, buf_bytes(&request), buf_len(&request));
        buf_free(&request);
    } else {
        buf_text(&out, HEAD BODY_PART);
    }
    assert_int_equal(client_send(&t->c, buf_bytes(&out), buf_len(&out)), 0);
    buf_free(&out);
}

static void check_way(struct stage *stage, const struct way *way)
{
    admin_reset(stage->server);
    admin_mode(stage->server, way->mode, way->params);
    struct talk *t = talk_open(stage);
    send_request(t, way->whole);
    json_t *request = ledger_await(stage->server, 0, "request", NULL);
    t->connection = (uint64_t)json_integer_value(json_object_get(request, "connection"));
    if (way->whole && way->act != do_nothing)
        json_decref(ledger_await(stage->server, t->connection, "request_complete", NULL));
    way->act(stage, t);
    json_t *lost = ledger_await(stage->server, t->connection, "exchange_lost", NULL);
    const json_t *read = json_object_get(lost, "body_bytes");
    check(strcmp(event_text(lost, "lost_by"), way->lost_by) == 0, "%s: it is lost by %s", way->name,
          event_text(lost, "lost_by"));
    check(way->body_bytes < 0 ? !read : json_integer_value(read) == way->body_bytes,
          "%s: %d octets of its content were read", way->name, (int)json_integer_value(read));
    check(!json_object_get(lost, "fault") == !way->fault, "%s: a fault is named, or none",
          way->name);
    if (!way->whole)
        check(!json_object_get(lost, "blocked_by_window") == !t->seat->h2 &&
                  !event_true(lost, "blocked_by_window"),
              "%s: its window was open", way->name);
    json_decref(lost);
    json_decref(request);
}

static void each_loss_says_by_what(struct stage *stage)
{
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        unsigned seat = stage->seat->h2 ? (stage->seat->tls == CLIENT_CLEARTEXT ? SEAT_H2_CLEARTEXT
                                                                                : SEAT_H2_TLS)
                        : stage->seat->tls == CLIENT_CLEARTEXT ? SEAT_H1_CLEARTEXT
                                                               : SEAT_H1_TLS;
        if (!(ways[i].seats & seat))
            continue;
        check_way(stage, &ways[i]);
        stage_clear(stage);
    }
}

static void a_limit_is_none_of_the_clients_faults(struct stage *stage)
{
    static char line[13 * 1024];
    struct talk *t = talk_open(stage);

    memset(line, 'x', sizeof line - 1);
    client_text(&t->c, "GET /");
    client_text(&t->c, line);
    json_t *lost = ledger_await(stage->server, 0, "exchange_lost", NULL);
    assert_string_equal(event_text(lost, "lost_by"), "limit");
    json_decref(lost);
}

static void a_broken_request_is_lost_by_protocol(struct stage *stage)
{
    struct talk *t = talk_open(stage);

    client_text(&t->c, "GET no-path HTTP/1.1\r\nHost: x\r\n\r\n");
    json_t *lost = ledger_await(stage->server, 0, "exchange_lost", NULL);
    assert_string_equal(event_text(lost, "lost_by"), "protocol");
    json_decref(lost);
}

static void content_that_waits_for_a_window_is_told(struct stage *stage)
{
    admin_mode(stage->server, "window-zero", "{}");
    struct talk *t = talk_open(stage);
    const char *fields[] = { ":method",   "POST",       ":scheme",   "http", ":path",
                             ENTITLEMENT, ":authority", "localhost", NULL };
    struct buf block = { .data = NULL };

    while (!t->h2.settings_seen && h2_next(&t->h2, in_ms(PATIENCE_MS)))
        ;
    h2_compose_block(&t->h2, &block, fields);
    t->stream = 1;
    h2_send_frame(&t->h2, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, buf_bytes(&block),
                  buf_len(&block));
    buf_free(&block);
    json_decref(ledger_await(stage->server, 0, "request", NULL));
    send_cancel(stage, t);
    json_t *lost = ledger_await(stage->server, 0, "exchange_lost", NULL);
    assert_string_equal(event_text(lost, "lost_by"), "client_cancel");
    assert_true(event_true(lost, "blocked_by_window"));
    assert_int_equal(event_ms(lost, "body_bytes"), 0);
    json_decref(lost);
}

int main(void)
{
    static const struct scenario list[] = {
        SCENARIO(each_loss_says_by_what,
                 SEAT_H1_CLEARTEXT | SEAT_H1_TLS | SEAT_H2_CLEARTEXT | SEAT_H2_TLS),
        SCENARIO(a_limit_is_none_of_the_clients_faults, SEAT_H1_CLEARTEXT),
        SCENARIO(a_broken_request_is_lost_by_protocol, SEAT_H1_CLEARTEXT),
        SCENARIO(content_that_waits_for_a_window_is_told, SEAT_H2_CLEARTEXT),
    };
    static const char *const options[] = { "--body-timeout", "700ms", NULL };

    return scenarios_run("to what exchanges are lost", list, sizeof list / sizeof list[0], options);
}
