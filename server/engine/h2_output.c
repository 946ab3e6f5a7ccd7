/* h2_output.c - what nghttp2 wants to say, gathered into as few output() calls as possible.
 *
 * nghttp2 hands out a frame at a time. They are gathered in one scratch of a TLS record's size that
 * all connections share: whatever is in it is put out before the pump that put it there returns.
 * output() must therefore not make another connection's engine put out; for this one's own engine
 * it may call anything, what it asks for is done when it returns.
 *
 * A pump always ends on a frame boundary, unless a response is to stop inside one (h2_stop.c):
 * room() bounds the DATA frames before they are made, and any other frame that has begun goes out
 * whole. The boundary is where frames of our own (h2_verbs.c) go, which nghttp2 must not know of:
 * its own have effects that a mode did not ask for.
 */
#include <string.h>

#include "engine/h2_impl.h"

#define SCRATCH   16384 /* the plaintext of one TLS record */
#define SETTING   6     /* octets of one in a SETTINGS frame */
#define GRANT_MIN 1024  /* do not cut a body into DATA frames smaller than this for tidiness */

static struct {
    size_t used;
    uint8_t bytes[SCRATCH];
} scratch;

static size_t ask_room(struct h2 *h)
{
    return h->room = h->engine.calls->room(h->engine.host);
}

static void flush(struct h2 *h)
{
    size_t n = scratch.used;
    scratch.used = 0;
    if (n)
        h->engine.calls->output(h->engine.host, scratch.bytes, n);
}

void h2_output_put(struct h2 *h, const uint8_t *bytes, size_t n)
{
    if (h->watch == H2_WATCHING)
        return;
    h->room = h->room > n ? h->room - n : 0;
    while (n > SCRATCH - scratch.used) {
        size_t fits = SCRATCH - scratch.used;
        memcpy(scratch.bytes + scratch.used, bytes, fits);
        scratch.used = SCRATCH;
        flush(h);
        bytes += fits;
        n -= fits;
    }
    memcpy(scratch.bytes + scratch.used, bytes, n);
    scratch.used += n;
}

size_t h2_output_grant(struct h2 *h, size_t n)
{
    if (h->watch == H2_WATCHING)
        return n;
    size_t fits = SCRATCH - scratch.used;
    if (fits > h->room)
        fits = h->room;
    if (fits >= n + H2_FRAME_HEAD)
        return n;
    /* With something gathered, another try after it was put out gives a larger frame. */
    if (fits <= H2_FRAME_HEAD || (scratch.used > 0 && fits < GRANT_MIN)) {
        h->paused = true;
        return 0;
    }
    return fits - H2_FRAME_HEAD;
}

static uint32_t get32(const uint8_t *in)
{
    return (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 | (uint32_t)in[2] << 8 | in[3];
}

/* Our SETTINGS, with the identifier that nghttp2 was not to know (H2_OUR_MAX_STREAMS). */
static void put_settings(struct h2 *h, const uint8_t *frame, size_t n)
{
    h2_output_put(h, frame, H2_FRAME_HEAD);
    for (size_t at = H2_FRAME_HEAD; at < n; at += SETTING) {
        uint8_t entry[SETTING];
        memcpy(entry, frame + at, SETTING);
        if (entry[0] == H2_OUR_MAX_STREAMS >> 8 && entry[1] == (H2_OUR_MAX_STREAMS & 0xff)) {
            entry[0] = 0;
            entry[1] = NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS;
        }
        h2_output_put(h, entry, SETTING);
    }
}

/* Where verbs have made the connection a special one. Once a GOAWAY of ours has disowned streams,
 * nghttp2's frames about them are not for the wire, and its own GOAWAY must not take back that
 * promise (RFC 9113 6.8). */
static void put_special(struct h2 *h, const uint8_t *frame, size_t n)
{
    uint32_t limit = (uint32_t)h->limit;
    bool about_stream = frame[3] == NGHTTP2_RST_STREAM || frame[3] == NGHTTP2_WINDOW_UPDATE;
    if (h->mute) {
        h->mute = false;
    } else if (h->saying) {
        h2_stop_put(h, frame, n);
    } else if (h->limit == H2_LAST_MAX || n < H2_FRAME_HEAD + 4) {
        h2_output_put(h, frame, n);
    } else if (frame[3] == NGHTTP2_GOAWAY && get32(frame + H2_FRAME_HEAD) > limit) {
        const uint8_t last[4] = { (uint8_t)(limit >> 24), (uint8_t)(limit >> 16),
                                  (uint8_t)(limit >> 8), (uint8_t)limit };
        h2_output_put(h, frame, H2_FRAME_HEAD);
        h2_output_put(h, last, sizeof last);
        h2_output_put(h, frame + H2_FRAME_HEAD + 4, n - H2_FRAME_HEAD - 4);
    } else if (!about_stream || get32(frame + 5) <= limit) {
        h2_output_put(h, frame, n);
    }
}

/* All that nghttp2 has to say, until room is short or a response stops the connection. */
static void drain(struct h2 *h)
{
    ask_room(h);
    while (!h->sealed) {
        if (h->room == 0 && !h->force && h->watch != H2_WATCHING) {
            flush(h);
            if (ask_room(h) == 0)
                return;
        }
        const uint8_t *frame;
        h->paused = false;
        h2_ssize n = h2_session_send(h->session, &frame);
        if (n < 0) {
            h2_fail(h, NGHTTP2_INTERNAL_ERROR, NULL, true);
            return;
        }
        if (n > H2_FRAME_HEAD && frame[3] == NGHTTP2_SETTINGS) {
            put_settings(h, frame, (size_t)n);
        } else if (n > 0 && !h->special) {
            h2_output_put(h, frame, (size_t)n);
        } else if (n > 0) {
            put_special(h, frame, (size_t)n);
            if (h2_blocked(h))
                return;
        } else if (h->paused && scratch.used > 0) {
            flush(h);
            ask_room(h);
        } else {
            return;
        }
    }
}

/* All that waits, our own frames last. Returns whether there were some. */
static bool put_out(struct h2 *h)
{
    bool ours = false;
    if (h->block) {
        if (!h2_stop_pass(h))
            return false;
        flush(h); /* so that room() knows of it */
    }
    drain(h);
    if (h2_blocked(h))
        return false;
    if (h->force && buf_len(&h->control)) {
        ours = true;
        h2_output_put(h, buf_bytes(&h->control), buf_len(&h->control));
        buf_free(&h->control);
    }
    h->force = false;
    return ours;
}

/* Some of what waited while we said nothing has left. */
static void forget_unsaid(struct h2 *h)
{
    size_t waiting = nghttp2_session_get_outbound_queue_size(h->session);
    bool was_full = h->unsaid >= LIMIT_FRAMES;
    if (waiting < h->unsaid)
        h->unsaid = waiting;
    if (was_full && h->unsaid < LIMIT_FRAMES && h->watch == H2_SERVING)
        h->engine.calls->has_room(h->engine.host);
}

void h2_pump(struct h2 *h, bool force)
{
    h->force |= force;
    if (h->pumping) {
        h->again = true;
        return;
    }
    if (h->watch == H2_HOLDING || h->finished)
        return;
    struct h2_news news;
    h2_news_clear(&news);
    h->news = &news;
    h->pumping = true;
    if (!h->greeted)
        h2_session_greet(h);
    do {
        h->again = false;
        bool ours = put_out(h);
        flush(h);
        if (ours && h->engine.calls->said && !h2_unsaid(&h->engine))
            h->engine.calls->said(h->engine.host);
    } while (h->again);
    h->pumping = false;
    if (h->unsaid > 0)
        forget_unsaid(h);
    h->news = NULL;
    h2_tell_error(h, &news);
    h2_settle(h);
}
