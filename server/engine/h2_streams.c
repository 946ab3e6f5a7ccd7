/* h2_streams.c - frames that a client must not send: on a stream that is closed, or too many.
 *
 * nghttp2 forgets a stream when it closes and ignores what still comes for it, as an endpoint may
 * (RFC 9113 5.1) and must for what was in flight when it sent RST_STREAM. What a client cannot have
 * had in flight is an error. So of the last PAST streams it is known how they closed; for older
 * ones what comes is ignored.
 *
 * A frame is looked at before nghttp2 sees it. Frames in the middle of a field block and frames
 * that are too long are its business, as are all other states of a stream.
 *
 * Floods: a client may have a number of frames at once that make work and carry nothing, and then
 * some more each second; more than that ends the connection (RFC 9113 10.5). The numbers are such
 * that no client that means well comes near. nghttp2 has limits of its own for some, which differ
 * by version and end with other codes: ours are a little lower.
 */
#include <stdio.h>

#include "base/clock.h"
#include "engine/h2_impl.h"

#define PAST              H2_STREAMS_PAST
#define FRAME_MAX         16384 /* our SETTINGS_MAX_FRAME_SIZE */
#define CONTINUATIONS_MAX 8     /* of a field block, as nghttp2 1.61 has it */

enum past { ENDED, RESET_BY_US, RESET_BY_CLIENT, SKIPPED };

static const struct {
    uint32_t burst, rate; /* at once; and a second */
    const char *what;
} limits[H2_LIMITS] = {
    /* nghttp2 1.57 has 1000 and 33. */
    [H2_RESETS] = { 900, 30, "ENHANCE_YOUR_CALM: a flood of streams that are reset" },
    [H2_CHATTER] = { 10000, 1000, "ENHANCE_YOUR_CALM: a flood of frames that carry nothing" },
};

/* --- Floods */

static bool counts(const struct h2 *h)
{
    return h->watch != H2_WATCHING;
}

void h2_streams_start(struct h2 *h)
{
    for (unsigned i = 0; i < H2_LIMITS; i++) {
        h->calm_left[i] = limits[i].burst;
        h->calm_since[i] = clock_now();
    }
}

void h2_streams_spend(struct h2 *h, enum h2_limit limit)
{
    uint32_t *left = &h->calm_left[limit];
    if (!counts(h))
        return;
    if (*left == 0) { /* only then is the time asked for */
        int64_t now = clock_now(),
                due = (now - h->calm_since[limit]) / (NS_PER_S / limits[limit].rate);
        *left = due < limits[limit].burst ? (uint32_t)due : limits[limit].burst;
        h->calm_since[limit] = now;
    }
    if (*left == 0)
        h2_fail(h, NGHTTP2_ENHANCE_YOUR_CALM, limits[limit].what, false);
    else
        (*left)--;
}

static void spend_for(struct h2 *h, uint8_t type, uint8_t flags)
{
    switch (type) {
    case NGHTTP2_DATA:
        if (h->payload_left == 0 && !(flags & NGHTTP2_FLAG_END_STREAM))
            h2_streams_spend(h, H2_CHATTER);
        break;
    case NGHTTP2_RST_STREAM:
        h2_streams_spend(h, H2_RESETS);
        break;
    case NGHTTP2_HEADERS:
    case NGHTTP2_WINDOW_UPDATE: /* as often as there is DATA to answer with it */
    case NGHTTP2_CONTINUATION:
        break;
    default: /* SETTINGS, PING, PRIORITY, GOAWAY, unknown ones */
        h2_streams_spend(h, H2_CHATTER);
    }
}

/* --- How streams closed */

static uint32_t past_shift(int32_t stream)
{
    return (uint32_t)stream / 2 % PAST % 4 * 2;
}

static uint8_t *past_of(struct h2 *h, int32_t stream)
{
    return &h->past[(uint32_t)stream / 2 % PAST / 4];
}

static void set_past(struct h2 *h, int32_t stream, enum past how)
{
    uint8_t *past = past_of(h, stream);
    *past = (uint8_t)((*past & ~(3u << past_shift(stream))) | (uint32_t)how << past_shift(stream));
}

static bool remembered(const struct h2 *h, int32_t stream)
{
    return stream % 2 == 1 && stream <= h->highest && h->highest - stream < 2 * PAST;
}

static enum past get_past(struct h2 *h, int32_t stream)
{
    return (enum past)(*past_of(h, stream) >> past_shift(stream) & 3);
}

void h2_streams_opened(struct h2 *h, int32_t stream)
{
    /* Those between are closed by it (RFC 9113 5.1.1). */
    int32_t first = h->highest > 0 ? h->highest + 2 : 1;
    if (stream - first > 2 * PAST)
        first = stream - 2 * PAST;
    for (int32_t between = first; between < stream; between += 2)
        set_past(h, between, SKIPPED);
    h->highest = stream;
    set_past(h, stream, ENDED); /* as it will be, unless it is reset */
}

void h2_streams_reset(struct h2 *h, int32_t stream, bool by_us)
{
    if (!remembered(h, stream) || get_past(h, stream) == SKIPPED)
        return;
    if (by_us || get_past(h, stream) == ENDED)
        set_past(h, stream, by_us ? RESET_BY_US : RESET_BY_CLIENT);
}

/* --- Frames on a closed stream */

/* Once it has said RST_STREAM, the client must send nothing more: an error of that stream, once. */
static void behind_its_reset(struct h2 *h, int32_t stream, const char *type)
{
    char what[80];
    h2_pump(h, true); /* has nghttp2 an error of the connection to tell? Then this one is none */
    if (h->last_said)
        return;
    set_past(h, stream, RESET_BY_US);
    nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, stream, NGHTTP2_STREAM_CLOSED);
    if (h->watch != H2_SERVING)
        return;
    snprintf(what, sizeof what, "stream %d: STREAM_CLOSED: %s after RST_STREAM", stream, type);
    h->engine.calls->protocol_error(h->engine.host, what);
}

static void on_closed(struct h2 *h, int32_t stream, bool data)
{
    switch (get_past(h, stream)) {
    case RESET_BY_US: /* was in flight */
        break;
    case RESET_BY_CLIENT:
        behind_its_reset(h, stream, data ? "DATA" : "HEADERS");
        break;
    case SKIPPED:
        if (!data) {
            h2_fail(h, NGHTTP2_PROTOCOL_ERROR,
                    "PROTOCOL_ERROR: HEADERS on a lower stream than before (RFC 9113 5.1.1)",
                    false);
            break;
        }
        /* fall through */
    case ENDED:
        h2_fail(h, NGHTTP2_STREAM_CLOSED,
                data ? "STREAM_CLOSED: DATA on a closed stream (RFC 9113 6.1)"
                     : "STREAM_CLOSED: HEADERS on a closed stream (RFC 9113 5.1)",
                false);
        break;
    }
}

void h2_streams_frame(struct h2 *h, uint8_t type, uint8_t flags, int32_t stream)
{
    bool data = type == NGHTTP2_DATA;
    if (!counts(h) || h->payload_left > FRAME_MAX)
        return;
    if (h->in_block) {
        if (type == NGHTTP2_CONTINUATION && ++h->continuations > CONTINUATIONS_MAX)
            h2_fail(h, NGHTTP2_ENHANCE_YOUR_CALM,
                    "ENHANCE_YOUR_CALM: a field block of more than 9 frames", false);
        return;
    }
    if ((data || type == NGHTTP2_HEADERS) && flags & NGHTTP2_FLAG_PADDED && h->payload_left == 0)
        h2_fail(h, NGHTTP2_FRAME_SIZE_ERROR,
                "FRAME_SIZE_ERROR: no room for the length of its padding (RFC 9113 4.2)", false);
    spend_for(h, type, flags);
    if (!h->failed && (data || type == NGHTTP2_HEADERS) && remembered(h, stream) &&
        nghttp2_session_get_stream_remote_close(h->session, stream) < 0)
        on_closed(h, stream, data);
}

/* --- Windows */

void h2_streams_settings_begin(struct h2 *h)
{
    h->window_before =
        nghttp2_session_get_remote_settings(h->session, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE);
    h->queued_before = nghttp2_session_get_outbound_queue_size(h->session);
}

/* RFC 9113 6.9.2 has a connection error for a window that SETTINGS make too large, where nghttp2
 * resets the stream: then there is more to say than the ACK. */
void h2_streams_settings(struct h2 *h)
{
    uint32_t window =
        nghttp2_session_get_remote_settings(h->session, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE);
    if (window <= h->window_before ||
        nghttp2_session_get_outbound_queue_size(h->session) <= h->queued_before + 1)
        return;
    for (struct link *i = h->exchanges.next; i != &h->exchanges; i = i->next) {
        const struct h2_exchange *ex = link_entry(i, struct h2_exchange, link);
        int64_t now = nghttp2_session_get_stream_remote_window_size(h->session, ex->pub.stream);
        if (ex->opened && now + (window - h->window_before) > NGHTTP2_MAX_WINDOW_SIZE) {
            h2_fail(h, NGHTTP2_FLOW_CONTROL_ERROR,
                    "FLOW_CONTROL_ERROR: SETTINGS make a window too large (RFC 9113 6.9.2)", false);
            return;
        }
    }
}
