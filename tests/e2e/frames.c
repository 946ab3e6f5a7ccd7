#include "frames.h"

#include <string.h>

static const uint8_t opaque[8] = "liveness";

const struct h2_frame *frame_next(struct talk *t, uint8_t type, int32_t stream)
{
    const struct h2_frame *f = &t->h2.frame;

    do
        check(h2_next(&t->h2, in_ms(PATIENCE_MS)), "no frame of type %u: %s", type,
              client_story(&t->c));
    while (f->type == NGHTTP2_SETTINGS && type != NGHTTP2_SETTINGS);
    check(f->type == type && f->stream == stream,
          "a frame of type %u on stream %d instead of type %u on %d", f->type, (int)f->stream, type,
          (int)stream);
    return f;
}

void frame_goaway(struct talk *t, uint32_t error, int32_t last, const char *debug)
{
    frame_next(t, NGHTTP2_GOAWAY, 0);
    assert_int_equal(t->h2.goaway.error, error);
    assert_int_equal(t->h2.goaway.last, last);
    assert_int_equal(t->h2.goaway.debug_len, strlen(debug));
    assert_string_equal(t->h2.goaway.debug, debug);
}

void frame_rst_stream(struct talk *t, int32_t stream, uint32_t error)
{
    const struct h2_frame *f = frame_next(t, NGHTTP2_RST_STREAM, stream);

    assert_int_equal(f->length, 4);
    assert_int_equal(h2_get32(f->payload), error);
}

void frames_response(struct talk *t, int32_t stream)
{
    frame_next(t, NGHTTP2_HEADERS, stream);
    assert_int_equal(h2_stream(&t->h2, stream)->status, 200);
    while (!h2_stream(&t->h2, stream)->ended)
        frame_next(t, NGHTTP2_DATA, stream);
}

void frames_none(struct talk *t, int64_t ms)
{
    if (h2_next(&t->h2, in_ms(ms)))
        fail_msg("a frame of type %u on stream %d", t->h2.frame.type, (int)t->h2.frame.stream);
    check(!t->c.fin && !t->c.rst, "it ended: %s", client_story(&t->c));
    assert_int_equal(buf_len(&t->c.in), 0);
}

void frames_end(struct talk *t)
{
    if (h2_next(&t->h2, in_ms(PATIENCE_MS)))
        fail_msg("a frame of type %u on stream %d", t->h2.frame.type, (int)t->h2.frame.stream);
    check(t->c.fin && !t->c.rst, "no FIN: %s", client_story(&t->c));
    assert_int_equal(t->c.close_notify, t->seat->tls != CLIENT_CLEARTEXT);
    assert_int_equal(buf_len(&t->c.in), 0);
}

void frame_ping_acked(struct talk *t)
{
    frame_ping_in_time(t, TIME_NONE);
}

void frame_ping_in_time(struct talk *t, int64_t by)
{
    int sent = h2_send_frame(&t->h2, NGHTTP2_PING, 0, 0, opaque, sizeof opaque);

    in_time(by);
    assert_int_equal(sent, 0);
    const struct h2_frame *f = frame_next(t, NGHTTP2_PING, 0);
    assert_int_equal(f->flags, NGHTTP2_FLAG_ACK);
    assert_int_equal(f->length, sizeof opaque);
    assert_memory_equal(f->payload, opaque, sizeof opaque);
}

void frame_ping_ignored(struct talk *t)
{
    assert_int_equal(h2_send_frame(&t->h2, NGHTTP2_PING, 0, 0, opaque, sizeof opaque), 0);
    frames_none(t, 300);
}

void frame_post_begun(struct talk *t, const char *key)
{
    const char *fields[] = { ":method",         "POST",      ":scheme", t->c.tls ? "https" : "http",
                             ":authority",      "localhost", ":path",   ENTITLEMENT,
                             "idempotency-key", key,         NULL };
    struct buf block = { .data = NULL };

    h2_compose_block(&t->h2, &block, fields);
    t->stream = t->h2.last_stream += 2;
    t->asked_at = clock_now();
    int sent = h2_send_frame(&t->h2, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, t->stream,
                             buf_bytes(&block), buf_len(&block));
    buf_free(&block);
    assert_int_equal(sent, 0);
}

void frame_content(struct talk *t, const void *bytes, size_t n, bool end)
{
    h2_send_frame(&t->h2, NGHTTP2_DATA, end ? NGHTTP2_FLAG_END_STREAM : 0, t->stream, bytes, n);
}
