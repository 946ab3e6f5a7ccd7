/* h2_verbs.c - the HTTP/2 engine misbehaving on demand: frames of our own, and settings.
 *
 * Our frames are written past nghttp2, in the state the connection is in, as nghttp2 would give
 * them effects that nobody asked for, or refuse them. Where nghttp2 has to do its part as well
 * (forget a stream), what it would say about it is kept off the wire: its frame is "mute".
 */
#include "engine/h2_impl.h"

#include <errno.h>

/* Nothing is said any more. */
static bool silent(const struct h2 *h)
{
    return h->watch == H2_WATCHING || h->finished || h->failed;
}

bool h2_can_say(const struct engine *e)
{
    return !silent((const struct h2 *)e);
}

/* --- GOAWAY */

/* Streams above last are not served from now on. */
static void disown(struct h2 *h, int32_t last)
{
    if (last >= h->limit)
        return;
    h->limit = last;
    h->special = true;
    for (struct link *i = h->exchanges.next; i != &h->exchanges; i = i->next) {
        struct h2_exchange *ex = link_entry(i, struct h2_exchange, link);
        if (ex->pub.stream > last)
            h2_exchange_end(ex, "its stream is above the last of our GOAWAY");
    }
}

bool h2_window_shut(const struct engine *e, int32_t stream)
{
    const struct h2 *h = (const struct h2 *)e;
    int32_t left = nghttp2_session_get_stream_local_window_size(h->session, stream);
    return left != -1 && (left <= 0 || nghttp2_session_get_local_window_size(h->session) <= 0);
}

bool h2_disowns(const struct engine *e, int32_t stream)
{
    return stream > ((const struct h2 *)e)->limit;
}

static int say_goaway(struct h2 *h, int32_t last, uint32_t error, const void *debug, size_t len)
{
    if (silent(h))
        return ENGINE_TOO_LATE;
    if (h2_frame_goaway(&h->control, last, error, debug, len) < 0)
        return -ENOMEM;
    h2_pump(h, true);
    disown(h, last);
    h2_pump(h, false);
    return 0;
}

int32_t h2_goaway_last(struct engine *e, const struct goaway *goaway)
{
    const struct h2 *h = h2_of(e);
    int64_t last = 0;
    switch (goaway->last) {
    case GOAWAY_LAST_SEEN:
        last = h->newest;
        break;
    case GOAWAY_LAST_ANSWERED:
        last = h->answered;
        break;
    case GOAWAY_LAST_NONE:
        break;
    case GOAWAY_LAST_NUMBER:
        last = goaway->number;
        break;
    case GOAWAY_LAST_OFFSET:
        last = (int64_t)h->newest + goaway->number;
        break;
    }
    return last < 0 ? 0 : last > H2_LAST_MAX ? H2_LAST_MAX : (int32_t)last;
}

int h2_goaway(struct engine *e, const struct goaway *goaway)
{
    return say_goaway(h2_of(e), h2_goaway_last(e, goaway), goaway->error, goaway->debug,
                      goaway->debug_len);
}

int h2_goaway_notice(struct engine *e)
{
    return say_goaway(h2_of(e), H2_LAST_MAX, NGHTTP2_NO_ERROR, NULL, 0);
}

/* --- RST_STREAM */

/* The exchange that is open on a stream, as far as we are concerned. */
static struct h2_exchange *on_stream(struct h2 *h, int32_t stream)
{
    struct h2_exchange *ex = nghttp2_session_get_stream_user_data(h->session, stream);
    if (!ex && h->current && h->current->pub.stream == stream)
        ex = h->current;
    if (!ex && h->block && h->block->ex && h->block->ex->pub.stream == stream)
        ex = h->block->ex; /* its last octets wait, and nghttp2 has closed the stream */
    return ex;
}

/* A stream that we reset is closed for nghttp2 as well, which ignores later frames about it and
 * counts the DATA among them in the connection's window (RFC 9113 5.1). */
static void forget_stream(struct h2 *h, int32_t stream)
{
    struct h2_exchange *ex = on_stream(h, stream);
    if (!ex || ex->stale)
        return;
    ex->reset_said = true;
    h2_exchange_end(ex, "the server reset its stream");
}

int h2_rst_stream(struct engine *e, int32_t stream, uint32_t error)
{
    struct h2 *h = h2_of(e);
    if (silent(h))
        return ENGINE_TOO_LATE;
    h2_pump(h, true); /* what was queued for the stream */
    if (silent(h))
        return ENGINE_TOO_LATE;
    if (h2_frame_rst_stream(&h->control, stream, error) < 0)
        return -ENOMEM;
    h->special = true;
    forget_stream(h, stream); /* now: nothing of it may follow the frame */
    h2_pump(h, true);
    return 0;
}

/* --- PING */

int h2_ping(struct engine *e, const uint8_t opaque[8])
{
    struct h2 *h = h2_of(e);
    if (silent(h))
        return ENGINE_TOO_LATE;
    if (h2_frame_ping(&h->control, opaque) < 0)
        return -ENOMEM;
    h2_pump(h, true);
    return 0;
}

bool h2_unsaid(const struct engine *e)
{
    return buf_len(&((const struct h2 *)e)->control) > 0;
}

/* --- Settings */

static bool keep_window(struct h2 *h, const nghttp2_window_update *frame)
{
    uint32_t n = (uint32_t)frame->window_size_increment;
    if (!h->keep_windows)
        return false;
    if (frame->hd.stream_id == 0) {
        /* nghttp2 believes that the client was given more, and does not see it take too much. */
        h->window_kept += n;
        if (h->window_kept > NGHTTP2_INITIAL_CONNECTION_WINDOW_SIZE)
            h2_fail(h, NGHTTP2_FLOW_CONTROL_ERROR,
                    "FLOW_CONTROL_ERROR: more DATA than the connection's window", false);
    } else {
        struct h2_exchange *ex =
            nghttp2_session_get_stream_user_data(h->session, frame->hd.stream_id);
        if (ex)
            ex->window_kept += n;
    }
    return true;
}

bool h2_verbs_mute(struct h2 *h, const nghttp2_frame *frame)
{
    bool ack = frame->hd.flags & NGHTTP2_FLAG_ACK;
    int32_t stream = frame->hd.stream_id;
    const struct h2_exchange *ex;

    switch (frame->hd.type) {
    case NGHTTP2_PING:
        return ack && h->ignore_pings;
    case NGHTTP2_SETTINGS:
        return ack && h->ignore_settings;
    case NGHTTP2_WINDOW_UPDATE:
        return keep_window(h, &frame->window_update);
    case NGHTTP2_RST_STREAM:
        ex = nghttp2_session_get_stream_user_data(h->session, stream);
        return ex && ex->reset_said;
    default:
        return false;
    }
}

/* The WINDOW_UPDATE frames that were kept. Returns 0 or -ENOMEM. */
static int give_windows(struct h2 *h)
{
    if (h->window_kept > 0 && h2_frame_window_update(&h->control, 0, h->window_kept) < 0)
        return -ENOMEM;
    h->window_kept = 0;
    for (struct link *i = h->exchanges.next; i != &h->exchanges; i = i->next) {
        struct h2_exchange *ex = link_entry(i, struct h2_exchange, link);
        if (ex->window_kept == 0 || !ex->opened || ex->whole || ex->reset_said)
            continue;
        if (h2_frame_window_update(&h->control, ex->pub.stream, ex->window_kept) < 0)
            return -ENOMEM;
        ex->window_kept = 0;
    }
    return 0;
}

static void begin_responses(struct h2 *h)
{
    for (struct link *i = h->exchanges.next; i != &h->exchanges; i = i->next) {
        struct h2_exchange *ex = link_entry(i, struct h2_exchange, link);
        if (!ex->headers_told)
            continue;
        if (ex->stored)
            h2_response_stored(ex);
        else
            h2_response_continue(ex);
    }
}

static int say_setting(struct h2 *h, int32_t id, uint32_t value)
{
    const nghttp2_settings_entry entry = { id, value };
    if (id == NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE && value > NGHTTP2_MAX_WINDOW_SIZE)
        return -EINVAL;
    if (id == H2_OUR_MAX_STREAMS)
        h->max_streams = value;
    if (!h->greeted) {
        if (id == NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE)
            h->initial_window = value;
        return 0;
    }
    h2_pump(h, true);
    if (silent(h))
        return ENGINE_TOO_LATE;
    if (nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, &entry, 1) < 0)
        return -ENOMEM;
    h2_pump(h, true);
    return 0;
}

static int turn(struct h2 *h, bool *setting, bool on)
{
    int error = 0;
    if (*setting == on)
        return 0;
    if (h->greeted)
        h2_pump(h, true); /* what was queued leaves or stays as it was when it was queued */
    if (silent(h))
        return ENGINE_TOO_LATE;
    *setting = on;
    h->special = true;
    if (!h->greeted || on)
        return 0;
    if (setting == &h->keep_windows)
        error = give_windows(h);
    else if (setting == &h->hold_streams)
        begin_responses(h);
    if (error)
        *setting = true; /* some is still kept: it can be tried again */
    h2_pump(h, true);
    return error;
}

/* Where a setting that is a bool is kept; NULL: it is a number. */
static bool *bool_of(struct h2 *h, enum engine_setting setting)
{
    switch (setting) {
    case ENGINE_IGNORE_PINGS:
        return &h->ignore_pings;
    case ENGINE_IGNORE_SETTINGS:
        return &h->ignore_settings;
    case ENGINE_KEEP_WINDOWS:
        return &h->keep_windows;
    case ENGINE_HOLD_STREAMS:
        return &h->hold_streams;
    case ENGINE_INITIAL_WINDOW:
    case ENGINE_MAX_STREAMS:
        break;
    }
    return NULL;
}

bool h2_is_set(const struct engine *e, enum engine_setting setting, uint32_t value)
{
    const bool *is = bool_of((struct h2 *)e, setting);
    return is && *is == (value != 0);
}

int h2_set(struct engine *e, enum engine_setting setting, uint32_t value)
{
    struct h2 *h = h2_of(e);
    bool *is = bool_of(h, setting);
    if (silent(h))
        return ENGINE_TOO_LATE;
    if (is)
        return turn(h, is, value);
    return say_setting(h,
                       setting == ENGINE_MAX_STREAMS ? H2_OUR_MAX_STREAMS
                                                     : NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE,
                       value);
}
