/* h2_input.c - input of the HTTP/2 engine: it is cut at frame boundaries and given to nghttp2 a
 * frame at a time. h2.c says why.
 */
#include <string.h>

#include "engine/h2_impl.h"

static const struct {
    h2_ssize error;
    uint32_t code;
    const char *what;
    bool sealed;
} fatal_rows[] = {
    { NGHTTP2_ERR_BAD_CLIENT_MAGIC, NGHTTP2_PROTOCOL_ERROR,
      "PROTOCOL_ERROR: not the connection preface of HTTP/2", false },
};

static void fatal(struct h2 *h, h2_ssize error)
{
    for (size_t i = 0; i < sizeof fatal_rows / sizeof *fatal_rows; i++) {
        if (fatal_rows[i].error == error) {
            h2_fail(h, fatal_rows[i].code, fatal_rows[i].what, fatal_rows[i].sealed);
            return;
        }
    }
    h2_fail(h, NGHTTP2_INTERNAL_ERROR, NULL, true);
}

/* Gives nghttp2 at most one frame, or a part of one, and tells the host what came of it. */
static void feed(struct h2 *h, const uint8_t *bytes, size_t n)
{
    const struct engine_host *calls = h->engine.calls;
    struct h2_news news;
    h2_news_clear(&news);
    h->news = &news;
    h2_ssize taken = h2_session_recv(h->session, bytes, n);
    h->news = NULL;
    if (taken < 0)
        fatal(h, taken);
    if (news.frame_read) {
        news.frame.answers = h->answers;
        calls->frame(h->engine.host, &news.frame);
    }
    h2_tell_error(h, &news);
    if (news.ex)
        h2_news(h, news.ex, news.body, news.body_len);
    if (!h->telling)
        h2_tell_all_over(h);
}

/* A new stream's header block is complete. What nghttp2 made nothing of it has ignored. */
static void end_block(struct h2 *h)
{
    struct h2_exchange *ex = h->current;
    h->current = NULL;
    if (!ex || ex->headers_in)
        return;
    if (ex->stale)
        h2_end_stale(h, ex);
    else
        h2_exchange_lose(ex, LOST_BY_PROTOCOL, "the stream was refused");
}

static void end_frame(struct h2 *h)
{
    uint8_t type = h->head[3], flags = h->head[4];
    h->head_have = 0;
    if (type != NGHTTP2_HEADERS && type != NGHTTP2_CONTINUATION)
        return;
    h->in_block = !(flags & NGHTTP2_FLAG_END_HEADERS);
    if (type == NGHTTP2_HEADERS)
        h->continuations = 0;
    if (!h->in_block)
        end_block(h);
}

static int32_t stream_of(const uint8_t *head)
{
    return (int32_t)((uint32_t)(head[5] & 0x7f) << 24 | (uint32_t)head[6] << 16 |
                     (uint32_t)head[7] << 8 | head[8]);
}

static bool opens_stream(const struct h2 *h, const uint8_t *head)
{
    int32_t stream = stream_of(head);
    return head[3] == NGHTTP2_HEADERS && stream % 2 == 1 && stream > h->highest;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Takes some of the input, up to the end of a frame at most; returns how much. */
static size_t take(struct h2 *h, const uint8_t *bytes, size_t n)
{
    if (h->preface_left > 0) {
        if (!h->greeted)
            h2_session_greet(h);
        n = least(n, h->preface_left);
        h->preface_left -= (uint8_t)n;
        feed(h, bytes, n);
        return n;
    }
    size_t before = 0; /* bytes of the frame header in this input that nghttp2 has not had */
    if (h->head_have < H2_FRAME_HEAD) {
        before = least(n, (size_t)H2_FRAME_HEAD - h->head_have);
        bool whole_here = before == H2_FRAME_HEAD;
        memcpy(h->head + h->head_have, bytes, before);
        h->head_have += (uint8_t)before;
        if (h->head_have < H2_FRAME_HEAD)
            return before;
        h->head_flushed = false;
        h->payload_left = (uint32_t)h->head[0] << 16 | (uint32_t)h->head[1] << 8 | h->head[2];
        h2_streams_frame(h, h->head[3], h->head[4], stream_of(h->head));
        if (h->failed)
            return before;
        if (opens_stream(h, h->head) || !whole_here) {
            feed(h, h->head, H2_FRAME_HEAD);
            if (h->payload_left == 0)
                end_frame(h);
            return before;
        }
    }
    size_t payload = least(n - before, h->payload_left);
    h->payload_left -= (uint32_t)payload;
    feed(h, bytes, before + payload);
    if (h->payload_left == 0)
        end_frame(h);
    return before + payload;
}

void h2_input(struct engine *e, const uint8_t *bytes, size_t n)
{
    struct h2 *h = h2_of(e);
    h->in_input = true;
    if (h->watch == H2_HOLDING)
        h->held += n;
    while (n > 0 && !h->failed && !h->finished) {
        size_t taken = take(h, bytes, n);
        bytes += taken;
        n -= taken;
    }
    h->in_input = false;
    h2_pump(h, false);
    size_t waiting = nghttp2_session_get_outbound_queue_size(h->session);
    if (h->watch == H2_HOLDING || h2_blocked(h)) {
        h->unsaid = waiting;
    } else if (!h->failed && waiting > LIMIT_FRAMES + h->unsaid) {
        h2_fail(h, NGHTTP2_ENHANCE_YOUR_CALM,
                "ENHANCE_YOUR_CALM: it asks for responses and does not read them", true);
        h2_settle(h);
    }
}
