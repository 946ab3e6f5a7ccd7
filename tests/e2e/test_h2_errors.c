/* The protocol errors that RFC 9113 asks for: GOAWAY and the end, or RST_STREAM and the connection
 * serves on. */
#include "talk.h"

/* A frame to send; payloads with a NUL inside are given with their length. */
struct shot {
    uint8_t type, flags;
    int32_t stream;
    const char *payload;
    size_t n;
};

/* Literal fields without indexing, so that the tables below can hold blocks as text. GET / HTTPS
 * are from the static table. */
#define GET       "\x82"
#define HTTP      "\x86"
#define PATH      "\x84"
#define AUTHORITY "\x01\x09localhost"
#define REQUEST   GET HTTP PATH AUTHORITY
#define BLOCK(s)  s, sizeof(s) - 1

static const uint8_t END = NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM;

static const struct {
    const char *name;
    struct shot shots[3];
    uint32_t error;
} connection_errors[] = {
    { "DATA on stream 0", { { NGHTTP2_DATA, 0, 0, BLOCK("x") } }, NGHTTP2_PROTOCOL_ERROR },
    { "DATA on an idle stream", { { NGHTTP2_DATA, 0, 1, BLOCK("x") } }, NGHTTP2_PROTOCOL_ERROR },
    { "HEADERS on stream 0",
      { { NGHTTP2_HEADERS, END, 0, BLOCK(REQUEST) } },
      NGHTTP2_PROTOCOL_ERROR },
    { "HEADERS on an even stream",
      { { NGHTTP2_HEADERS, END, 2, BLOCK(REQUEST) } },
      NGHTTP2_PROTOCOL_ERROR },
    { "SETTINGS on a stream", { { NGHTTP2_SETTINGS, 0, 1, BLOCK("") } }, NGHTTP2_PROTOCOL_ERROR },
    { "SETTINGS of a wrong length",
      { { NGHTTP2_SETTINGS, 0, 0, BLOCK("12345") } },
      NGHTTP2_FRAME_SIZE_ERROR },
    { "a SETTINGS ACK with a payload",
      { { NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, BLOCK("\0\3\0\0\0\1") } },
      NGHTTP2_FRAME_SIZE_ERROR },
    { "ENABLE_PUSH of 2",
      { { NGHTTP2_SETTINGS, 0, 0, BLOCK("\0\2\0\0\0\2") } },
      NGHTTP2_PROTOCOL_ERROR },
    { "INITIAL_WINDOW_SIZE of 2^31",
      { { NGHTTP2_SETTINGS, 0, 0, BLOCK("\0\4\x80\0\0\0") } },
      NGHTTP2_FLOW_CONTROL_ERROR },
    { "MAX_FRAME_SIZE of 100",
      { { NGHTTP2_SETTINGS, 0, 0, BLOCK("\0\5\0\0\0\x64") } },
      NGHTTP2_PROTOCOL_ERROR },
    { "PING of a wrong length",
      { { NGHTTP2_PING, 0, 0, BLOCK("1234567") } },
      NGHTTP2_FRAME_SIZE_ERROR },
    { "PING on a stream", { { NGHTTP2_PING, 0, 1, BLOCK("12345678") } }, NGHTTP2_PROTOCOL_ERROR },
    { "WINDOW_UPDATE of nothing",
      { { NGHTTP2_WINDOW_UPDATE, 0, 0, BLOCK("\0\0\0\0") } },
      NGHTTP2_PROTOCOL_ERROR },
    { "WINDOW_UPDATE beyond 2^31-1",
      { { NGHTTP2_WINDOW_UPDATE, 0, 0, BLOCK("\x7f\xff\xff\xff") } },
      NGHTTP2_FLOW_CONTROL_ERROR },
    { "RST_STREAM on an idle stream",
      { { NGHTTP2_RST_STREAM, 0, 1, BLOCK("\0\0\0\x8") } },
      NGHTTP2_PROTOCOL_ERROR },
    { "RST_STREAM of a wrong length",
      { { NGHTTP2_RST_STREAM, 0, 1, BLOCK("\0\0\x8") } },
      NGHTTP2_FRAME_SIZE_ERROR },
    { "GOAWAY on a stream",
      { { NGHTTP2_GOAWAY, 0, 1, BLOCK("\0\0\0\0\0\0\0\0") } },
      NGHTTP2_PROTOCOL_ERROR },
    { "PUSH_PROMISE from a client",
      { { NGHTTP2_PUSH_PROMISE, NGHTTP2_FLAG_END_HEADERS, 1, BLOCK("\0\0\0\2" REQUEST) } },
      NGHTTP2_PROTOCOL_ERROR },
    { "CONTINUATION out of nowhere",
      { { NGHTTP2_CONTINUATION, NGHTTP2_FLAG_END_HEADERS, 1, BLOCK(REQUEST) } },
      NGHTTP2_PROTOCOL_ERROR },
    { "PING inside a header block",
      { { NGHTTP2_HEADERS, NGHTTP2_FLAG_END_STREAM, 1, BLOCK(REQUEST) },
        { NGHTTP2_PING, 0, 0, BLOCK("12345678") } },
      NGHTTP2_PROTOCOL_ERROR },
    { "a header block that cannot be decoded",
      { { NGHTTP2_HEADERS, END, 1, BLOCK("\xff\xff\xff\xff\xff\xff\xff\xff") } },
      NGHTTP2_COMPRESSION_ERROR },
    { "DATA behind END_STREAM",
      { { NGHTTP2_HEADERS, END, 1, BLOCK(REQUEST) }, { NGHTTP2_DATA, 0, 1, BLOCK("x") } },
      NGHTTP2_STREAM_CLOSED },
    { "HEADERS on a lower stream",
      { { NGHTTP2_HEADERS, END, 3, BLOCK(REQUEST) }, { NGHTTP2_HEADERS, END, 1, BLOCK(REQUEST) } },
      NGHTTP2_PROTOCOL_ERROR },
    { "padding longer than the frame",
      { { NGHTTP2_HEADERS, END, 1, BLOCK(REQUEST) },
        { NGHTTP2_HEADERS, END | NGHTTP2_FLAG_PADDED, 3, BLOCK("\xff" REQUEST) } },
      NGHTTP2_PROTOCOL_ERROR },
};

/* RFC 9113 8.1.1, 8.2, 8.3: malformed requests, treated as a stream error. */
static const struct {
    const char *name, *block;
    size_t n;
} stream_errors[] = {
    { "an upper-case name", BLOCK(REQUEST "\x00\x05Upper\x01v") },
    { "no :path", BLOCK(GET HTTP AUTHORITY) },
    { "no :method", BLOCK(HTTP PATH AUTHORITY) },
    { "no :scheme", BLOCK(GET PATH AUTHORITY) },
    { "an empty :path", BLOCK(GET HTTP "\x04\x00" AUTHORITY) },
    { "a fragment in :path", BLOCK(GET HTTP "\x04\x03/#a" AUTHORITY) },
    { "two :method", BLOCK(GET GET HTTP PATH AUTHORITY) },
    { "a pseudo-header after a field", BLOCK(GET HTTP PATH "\x00\x01x\x01y" AUTHORITY) },
    { "an unknown pseudo-header", BLOCK(REQUEST "\x00\x05:nope\x01v") },
    { ":status in a request", BLOCK("\x88" REQUEST) },
    { "Connection", BLOCK(REQUEST "\x00\x0a"
                                  "connection"
                                  "\x05"
                                  "close") },
    { "Transfer-Encoding", BLOCK(REQUEST "\x00\x11"
                                         "transfer-encoding"
                                         "\x07"
                                         "chunked") },
    { "TE other than trailers", BLOCK(REQUEST "\x00\x02"
                                              "te"
                                              "\x04"
                                              "gzip") },
};

static struct talk *shoot(struct stage *stage, const struct shot *shots, size_t count)
{
    struct talk *t = talk_open(stage);

    for (size_t i = 0; i < count && shots[i].payload; i++)
        h2_send_frame(&t->h2, shots[i].type, shots[i].flags, shots[i].stream, shots[i].payload,
                      shots[i].n);
    return t;
}

static void check_goaway(struct talk *t, const char *name, uint32_t error)
{
    check(h2_wait_frame(&t->h2, NGHTTP2_GOAWAY, in_ms(PATIENCE_MS)), "%s: no GOAWAY: %s", name,
          client_story(&t->c));
    check(t->h2.goaway.error == error, "%s: GOAWAY with %s", name,
          nghttp2_http2_strerror(t->h2.goaway.error));
    check(client_wait_end(&t->c, in_ms(PATIENCE_MS)), "%s: no end: %s", name, client_story(&t->c));
    check(t->c.fin, "%s: the GOAWAY was followed by a RST: %s", name, client_story(&t->c));
}

static void connection_errors_draw_goaway_and_the_end(struct stage *stage)
{
    for (size_t i = 0; i < sizeof connection_errors / sizeof connection_errors[0]; i++) {
        struct talk *t = shoot(stage, connection_errors[i].shots, 3);
        check_goaway(t, connection_errors[i].name, connection_errors[i].error);
        stage_clear(stage);
    }
    json_t *error = ledger_await(stage->server, 0, "protocol_error", NULL);
    json_decref(error);
}

static void an_oversized_frame_draws_frame_size_error(struct stage *stage)
{
    static const uint8_t zeros[16385];
    struct talk *t = talk_open(stage);

    h2_send_frame(&t->h2, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, zeros, sizeof zeros);
    check_goaway(t, "an oversized frame", NGHTTP2_FRAME_SIZE_ERROR);
}

static void malformed_requests_draw_rst_stream_and_others_are_served(struct stage *stage)
{
    struct talk *t = talk_open(stage);

    for (size_t i = 0; i < sizeof stream_errors / sizeof stream_errors[0]; i++) {
        int32_t id = t->h2.last_stream += 2;
        h2_send_frame(&t->h2, NGHTTP2_HEADERS, END, id, stream_errors[i].block, stream_errors[i].n);
        check(h2_wait_stream(&t->h2, id, in_ms(PATIENCE_MS)), "%s: nothing: %s",
              stream_errors[i].name, client_story(&t->c));
        struct h2_stream *stream = h2_stream(&t->h2, id);
        check(stream->reset ? stream->error == NGHTTP2_PROTOCOL_ERROR : stream->status == 400,
              "%s: %s, status %d", stream_errors[i].name,
              stream->reset ? nghttp2_http2_strerror(stream->error) : "not reset", stream->status);
    }
    talk_served(t);
    assert_int_equal(t->h2.goaways, 0);
}

static void data_after_the_end_of_a_stream_draws_stream_closed(struct stage *stage)
{
    struct talk *t = talk_open(stage);
    struct buf out = { .data = NULL };

    talk_served(t);
    int32_t stream = h2_compose_request(&t->h2, &out, "GET", ENTITLEMENT, NULL, NULL);
    h2_compose_frame(&out, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, stream, "late", 4);
    client_send(&t->c, buf_bytes(&out), buf_len(&out));
    buf_free(&out);
    while (!t->h2.goaways && !h2_stream(&t->h2, stream)->reset)
        check(h2_next(&t->h2, in_ms(PATIENCE_MS)), "neither GOAWAY nor RST_STREAM: %s",
              client_story(&t->c));
    assert_int_equal(t->h2.goaways ? t->h2.goaway.error : h2_stream(&t->h2, stream)->error,
                     NGHTTP2_STREAM_CLOSED);
}

/* Over TLS, ALPN has said h2: what is no preface is an error. On a cleartext connection it is
 * HTTP/1.1.
 */
static void a_wrong_preface_after_alpn_h2_ends_the_connection(struct stage *stage)
{
    struct client_options to = { .port = stage->server->https,
                                 .tls = CLIENT_TLS13,
                                 .alpn = { "h2" } };
    struct client c;

    bool connected = client_connect(&c, &to);
    client_text(&c, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    bool ended = client_wait_end(&c, in_ms(PATIENCE_MS));
    client_close(&c);
    assert_true(connected);
    assert_true(ended);
}

/* Sends the frames over and over until the server says GOAWAY. */
static void flood(struct stage *stage, const char *name, const struct shot *shots, size_t count,
                  unsigned most)
{
    struct talk *t = talk_open(stage);
    struct buf out = { .data = NULL };
    long before = server_rss(stage->server);
    int32_t stream = 1;
    for (unsigned i = 0; i < most; i++, stream += 2)
        for (size_t k = 0; k < count; k++)
            h2_compose_frame(&out, shots[k].type, shots[k].flags,
                             shots[k].stream ? shots[k].stream * stream : 0, shots[k].payload,
                             shots[k].n);
    client_send(&t->c, buf_bytes(&out), buf_len(&out));
    buf_free(&out);
    check(h2_wait_frame(&t->h2, NGHTTP2_GOAWAY, in_ms(PATIENCE_MS)), "%s: no GOAWAY: %s", name,
          client_story(&t->c));
    check(t->h2.goaway.error == NGHTTP2_ENHANCE_YOUR_CALM, "%s: GOAWAY with %s", name,
          nghttp2_http2_strerror(t->h2.goaway.error));
    long grown = server_rss(stage->server) - before;
    check(grown < 20000, "%s: %ld kB", name, grown);
    stage_clear(stage);
    talk_served(talk_open(stage));
    stage_clear(stage);
}

static void floods_draw_enhance_your_calm(struct stage *stage)
{
    static const struct shot reset[] = { { NGHTTP2_HEADERS, END, 1, BLOCK(REQUEST) },
                                         { NGHTTP2_RST_STREAM, 0, 1, BLOCK("\0\0\0\x8") } };
    static const struct shot ping = { NGHTTP2_PING, 0, 0, BLOCK("12345678") };
    static const struct shot continued[] = { { NGHTTP2_HEADERS, 0, 1, BLOCK(REQUEST) },
                                             { NGHTTP2_CONTINUATION, 0, 1, BLOCK("\0\1a\1b") },
                                             { NGHTTP2_CONTINUATION, 0, 1, BLOCK("\0\1a\1b") },
                                             { NGHTTP2_CONTINUATION, 0, 1, BLOCK("\0\1a\1b") },
                                             { NGHTTP2_CONTINUATION, 0, 1, BLOCK("\0\1a\1b") },
                                             { NGHTTP2_CONTINUATION, 0, 1, BLOCK("\0\1a\1b") },
                                             { NGHTTP2_CONTINUATION, 0, 1, BLOCK("\0\1a\1b") },
                                             { NGHTTP2_CONTINUATION, 0, 1, BLOCK("\0\1a\1b") },
                                             { NGHTTP2_CONTINUATION, 0, 1, BLOCK("\0\1a\1b") },
                                             { NGHTTP2_CONTINUATION, 0, 1, BLOCK("\0\1a\1b") } };
    flood(stage, "rapid reset", reset, 2, 2000);
    flood(stage, "CONTINUATION", continued, 10, 1);
    flood(stage, "PING", &ping, 1, 20000);
}

int main(void)
{
    static const struct scenario list[] = {
        SCENARIO(connection_errors_draw_goaway_and_the_end, SEATS_H2),
        SCENARIO(an_oversized_frame_draws_frame_size_error, SEATS_H2),
        SCENARIO(malformed_requests_draw_rst_stream_and_others_are_served, SEATS_H2),
        SCENARIO(data_after_the_end_of_a_stream_draws_stream_closed, SEATS_H2),
        SCENARIO(a_wrong_preface_after_alpn_h2_ends_the_connection, SEAT_H2_TLS),
        SCENARIO(floods_draw_enhance_your_calm, SEATS_H2),
    };

    return scenarios_run("HTTP/2 protocol errors", list, sizeof list / sizeof list[0], NULL);
}
