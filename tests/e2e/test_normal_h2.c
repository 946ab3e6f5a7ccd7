/* Normal mode over HTTP/2 is impeccable (RFC 9113). */
#include "talk.h"

#include <stdlib.h>
#include <string.h>

static void send_window_update(struct talk *t, int32_t stream, uint32_t by)
{
    uint8_t payload[4];

    h2_put32(payload, by);
    h2_send_frame(&t->h2, NGHTTP2_WINDOW_UPDATE, 0, stream, payload, sizeof payload);
}

static void send_setting(struct talk *t, uint16_t id, uint32_t value)
{
    uint8_t payload[6] = { (uint8_t)(id >> 8), (uint8_t)id };

    h2_put32(payload + 2, value);
    h2_send_frame(&t->h2, NGHTTP2_SETTINGS, 0, 0, payload, sizeof payload);
}

static void a_hundred_streams_at_once_are_served(struct stage *stage)
{
    struct talk *t = talk_open(stage);
    struct buf out = { .data = NULL };

    talk_served(t);
    uint32_t most = t->h2.settings[NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS];
    check(most >= 100, "SETTINGS_MAX_CONCURRENT_STREAMS is %u", most);
    for (int i = 0; i < 100; i++)
        h2_compose_request(&t->h2, &out, "GET", ENTITLEMENT, NULL, NULL);
    client_send(&t->c, buf_bytes(&out), buf_len(&out));
    buf_free(&out);
    for (int32_t id = 3; id <= t->h2.last_stream; id += 2) {
        check(h2_wait_stream(&t->h2, id, in_ms(PATIENCE_MS)), "stream %d: %s", id,
              client_story(&t->c));
        assert_int_equal(h2_stream(&t->h2, id)->status, 200);
    }
    assert_int_equal(t->h2.last_stream, 201);
}

static void settings_and_pings_are_acked(struct stage *stage)
{
    struct talk *t = talk_open(stage);

    talk_served(t);
    assert_true(t->h2.settings_seen);
    assert_true(t->h2.settings_acked);
    h2_send_frame(&t->h2, NGHTTP2_PING, 0, 0, "hang up!", 8);
    assert_true(h2_wait_frame(&t->h2, NGHTTP2_PING, in_ms(PATIENCE_MS)));
    assert_int_equal(t->h2.frame.flags, NGHTTP2_FLAG_ACK);
    assert_memory_equal(t->h2.frame.payload, "hang up!", 8);
    json_t *ping = ledger_await(stage->server, t->connection, "peer_ping", NULL);
    json_decref(ping);
    json_t *settings = ledger_await(stage->server, t->connection, "peer_settings", NULL);
    json_decref(settings);
}

static void a_header_block_may_continue_in_continuation_frames(struct stage *stage)
{
    const char *fields[] = { ":method",    "GET",
                             ":scheme",    stage->seat->tls == CLIENT_CLEARTEXT ? "http" : "https",
                             ":authority", "localhost",
                             ":path",      ENTITLEMENT,
                             "x-long",     "a value of some length",
                             NULL };
    struct talk *t = talk_open(stage);
    struct buf block = { .data = NULL };

    h2_compose_block(&t->h2, &block, fields);
    size_t third = buf_len(&block) / 3;
    t->stream = t->h2.last_stream += 2;
    h2_send_frame(&t->h2, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_STREAM, t->stream, buf_bytes(&block),
                  third);
    h2_send_frame(&t->h2, NGHTTP2_CONTINUATION, 0, t->stream, buf_bytes(&block) + third, third);
    h2_send_frame(&t->h2, NGHTTP2_CONTINUATION, NGHTTP2_FLAG_END_HEADERS, t->stream,
                  buf_bytes(&block) + 2 * third, buf_len(&block) - 2 * third);
    buf_free(&block);
    check(talk_answer(t, in_ms(PATIENCE_MS)), "no answer: %s", client_story(&t->c));
    assert_int_equal(t->status, 200);
}

static void an_answer_waits_for_the_clients_window(struct stage *stage)
{
    struct talk *t = talk_open(stage);

    send_setting(t, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0);
    talk_ask(t, NULL);
    assert_true(h2_wait_frame(&t->h2, NGHTTP2_HEADERS, in_ms(PATIENCE_MS)));
    assert_false(h2_wait_frame(&t->h2, NGHTTP2_DATA, in_ms(200)));

    send_window_update(t, t->stream, 10);
    assert_true(h2_wait_frame(&t->h2, NGHTTP2_DATA, in_ms(PATIENCE_MS)));
    assert_int_equal(t->h2.frame.length, 10);
    assert_false(h2_wait_frame(&t->h2, NGHTTP2_DATA, in_ms(200)));

    send_window_update(t, t->stream, 100000);
    check(talk_answer(t, in_ms(PATIENCE_MS)), "no answer: %s", client_story(&t->c));
    assert_int_equal(t->status, 200);
}

/* Opens a POST and sends its body as fast as the server's windows allow; true when it was all sent,
 * false when the stream ended before. */
static bool upload(struct talk *t, size_t total)
{
    const char *fields[] = { ":method",    "POST",      ":scheme", t->c.tls ? "https" : "http",
                             ":authority", "localhost", ":path",   ENTITLEMENT,
                             NULL };
    static const uint8_t filler[16384];
    uint32_t initial = t->h2.settings[NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE];
    int64_t window = initial ? initial : 65535, sent = 0;
    struct buf block = { .data = NULL };

    t->stream = t->h2.last_stream += 2;
    h2_compose_block(&t->h2, &block, fields);
    h2_send_frame(&t->h2, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, t->stream, buf_bytes(&block),
                  buf_len(&block));
    buf_free(&block);
    struct h2_stream *stream = h2_stream(&t->h2, t->stream);
    while (total > 0 && !stream->ended && !stream->reset) {
        int64_t n = total < sizeof filler ? (int64_t)total : (int64_t)sizeof filler;
        if (sent + n <= window && t->h2.uploaded + n <= 65535 + t->h2.connection_window) {
            total -= (size_t)n;
            sent += n;
            t->h2.uploaded += n;
            h2_send_frame(&t->h2, NGHTTP2_DATA, total ? 0 : NGHTTP2_FLAG_END_STREAM, t->stream,
                          filler, (size_t)n);
            continue;
        }
        check(h2_next(&t->h2, in_ms(PATIENCE_MS)), "the window stays shut: %s",
              client_story(&t->c));
        if (t->h2.frame.type == NGHTTP2_WINDOW_UPDATE && t->h2.frame.stream == t->stream)
            window += h2_get32(t->h2.frame.payload);
    }
    return total == 0;
}

static void a_long_body_is_read_as_the_windows_open(struct stage *stage)
{
    struct talk *t = talk_open(stage);

    talk_served(t);
    assert_true(upload(t, 900000));
    check(talk_answer(t, in_ms(PATIENCE_MS)), "no answer: %s", client_story(&t->c));
    assert_int_equal(t->status, 200);
    talk_served(t);
}

static void a_body_too_long_is_refused_with_413_and_the_connection_serves_on(struct stage *stage)
{
    struct talk *t = talk_open(stage);

    talk_served(t);
    upload(t, 2 * 1024 * 1024);
    struct h2_stream *stream = h2_stream(&t->h2, t->stream);
    h2_wait_stream(&t->h2, t->stream, in_ms(PATIENCE_MS));
    assert_int_equal(stream->status, 413);
    assert_true(stream->ended);
    talk_served(t);
}

static void head_is_answered_with_headers_alone(struct stage *stage)
{
    struct talk *t = talk_open(stage);

    talk_ask_for(t, "HEAD", ENTITLEMENT, NULL, NULL);
    assert_true(talk_answer(t, in_ms(PATIENCE_MS)));
    assert_int_equal(t->status, 200);
    assert_int_equal(buf_len(&t->body), 0);
}

static void no_answer_carries_connection_headers(struct stage *stage)
{
    static const char *const targets[] = { ENTITLEMENT, "/nowhere" };
    struct talk *t = talk_open(stage);

    for (size_t i = 0; i < 2; i++) {
        int32_t stream = h2_request(&t->h2, "GET", targets[i]);
        assert_true(h2_wait_stream(&t->h2, stream, in_ms(PATIENCE_MS)));
        assert_false(h2_stream(&t->h2, stream)->hop_by_hop);
    }
    int32_t stream = h2_request(&t->h2, "DELETE", ENTITLEMENT);
    assert_true(h2_wait_stream(&t->h2, stream, in_ms(PATIENCE_MS)));
    assert_int_equal(h2_stream(&t->h2, stream)->status, 405);
}

static void frames_of_unknown_types_are_ignored(struct stage *stage)
{
    struct talk *t = talk_open(stage);

    h2_send_frame(&t->h2, 0xee, 0xff, 0, "who knows", 9);
    h2_send_frame(&t->h2, 0xee, 0xff, 1, "who knows", 9);
    talk_served(t);
}

static void a_request_may_come_byte_by_byte(struct stage *stage)
{
    struct talk *t = talk_open(stage);
    struct buf out = { .data = NULL };

    talk_compose(t, &out, "POST", ENTITLEMENT, "slow", "{}");
    for (size_t i = 0; i < buf_len(&out); i++)
        assert_int_equal(client_send(&t->c, buf_bytes(&out) + i, 1), 0);
    buf_free(&out);
    check(talk_answer(t, in_ms(PATIENCE_MS)), "no answer: %s", client_story(&t->c));
    assert_int_equal(t->status, 200);
}

static void what_the_client_says_of_streams_is_ledgered(struct stage *stage)
{
    uint8_t cancel[4] = { 0, 0, 0, NGHTTP2_CANCEL };
    uint8_t goaway[8] = { 0 };
    struct talk *t = talk_open(stage);

    talk_served(t);
    /* A stream that stays open, so that there is something to reset. */
    send_setting(t, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0);
    int32_t stream = h2_request(&t->h2, "GET", ENTITLEMENT);
    assert_true(h2_wait_frame(&t->h2, NGHTTP2_HEADERS, in_ms(PATIENCE_MS)));
    h2_send_frame(&t->h2, NGHTTP2_RST_STREAM, 0, stream, cancel, sizeof cancel);
    h2_send_frame(&t->h2, NGHTTP2_GOAWAY, 0, 0, goaway, sizeof goaway);

    json_t *reset = ledger_await(stage->server, t->connection, "peer_rst_stream", NULL);
    assert_int_equal(json_integer_value(json_object_get(reset, "stream")), stream);
    assert_string_equal(event_text(reset, "error"), "CANCEL");
    json_decref(reset);
    json_t *lost = ledger_await(stage->server, t->connection, "exchange_lost", NULL);
    json_decref(lost);
    json_t *away = ledger_await(stage->server, t->connection, "peer_goaway", NULL);
    assert_string_equal(event_text(away, "error"), "NO_ERROR");
    json_decref(away);
}

int main(void)
{
    static const struct scenario list[] = {
        SCENARIO(a_hundred_streams_at_once_are_served, SEATS_H2),
        SCENARIO(settings_and_pings_are_acked, SEATS_H2),
        SCENARIO(a_header_block_may_continue_in_continuation_frames, SEATS_H2),
        SCENARIO(an_answer_waits_for_the_clients_window, SEATS_H2),
        SCENARIO(a_long_body_is_read_as_the_windows_open, SEATS_H2),
        SCENARIO(a_body_too_long_is_refused_with_413_and_the_connection_serves_on, SEATS_H2),
        SCENARIO(head_is_answered_with_headers_alone, SEATS_H2),
        SCENARIO(no_answer_carries_connection_headers, SEATS_H2),
        SCENARIO(frames_of_unknown_types_are_ignored, SEATS_H2),
        SCENARIO(a_request_may_come_byte_by_byte, SEATS_H2),
        SCENARIO(what_the_client_says_of_streams_is_ledgered, SEATS_H2),
    };

    return scenarios_run("normal mode over HTTP/2", list, sizeof list / sizeof list[0], NULL);
}
