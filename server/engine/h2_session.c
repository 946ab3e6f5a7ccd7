/* h2_session.c - the nghttp2 session of an engine: how it is set up, and its callbacks.
 *
 * The callbacks run inside nghttp2, where the host must not be called: it may answer with verbs
 * that nghttp2 does not survive there. They keep books and leave the rest in h2.news and h2.over.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "engine/h2_error.h"
#include "engine/h2_impl.h"

static const char reset_by_client[] = "stream reset by the client";

static struct h2_exchange *find(nghttp2_session *session, int32_t stream)
{
    return nghttp2_session_get_stream_user_data(session, stream);
}

/* --- Reading */

/* The frame header of any frame that nghttp2 is going to process. */
static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *head, void *user)
{
    struct h2 *h = user;
    if (head->type == NGHTTP2_SETTINGS)
        h2_streams_settings_begin(h);
    if (head->type != NGHTTP2_HEADERS || head->stream_id % 2 == 0 || head->stream_id <= h->highest)
        return 0;
    h2_streams_opened(h, head->stream_id);
    struct h2_exchange *ex = h2_exchange_create(h, head->stream_id);
    h->current = h->news->ex = ex;
    if (!ex)
        return 0; /* on_begin_headers resets the stream */
    if (h->watch == H2_WATCHING || head->stream_id > h->limit) {
        ex->stale = true;
        h->stale++;
    }
    if (h->watch != H2_SERVING || ex->stale)
        ex->pub.request.begun_at = clock_now();
    if (ex->stale)
        return 0;
    h->newest = head->stream_id;
    h->live++;
    return 0;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct h2 *h = user;
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    h->streams++;
    if (!h->current)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    if (h->streams > h->max_streams && !h->current->stale) {
        h2_exchange_abort(h->current, NGHTTP2_REFUSED_STREAM,
                          h->max_streams == H2_STREAMS_MAX ? LOST_BY_LIMIT : LOST_BY_FAULT,
                          "refused: too many concurrent streams");
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, h->current);
    h->current->opened = true;
    h->current->refs++;
    return 0;
}

/* REFUSED_STREAM: nothing was done, and it may be asked again (RFC 9113 8.7). */
static const struct {
    uint32_t code;
    const char *why;
} refusals[] = {
    [H2_NO_MEMORY] = { NGHTTP2_INTERNAL_ERROR, "the server has no memory for the request" },
    [H2_TOO_LARGE] = { NGHTTP2_ENHANCE_YOUR_CALM, "its header section is larger than 64 KiB" },
    [H2_CONNECTION_FULL] = { NGHTTP2_ENHANCE_YOUR_CALM,
                             "refused: the server keeps no more than 2 MiB of header sections for "
                             "a connection" },
    [H2_SERVER_FULL] = { NGHTTP2_REFUSED_STREAM,
                         "refused: the server keeps no more than 64 MiB of header sections" },
};

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, nghttp2_rcbuf *name,
                     nghttp2_rcbuf *value, uint8_t flags, void *user)
{
    struct h2 *h = user;
    struct h2_exchange *ex = h->current; /* none: trailers, or an exchange that is lost */
    if (!ex)
        return 0;
    enum h2_refusal refusal = h2_exchange_add(ex, name, value);
    if (refusal == H2_TAKEN)
        return 0;
    h2_exchange_abort(ex, refusals[refusal].code,
                      refusal == H2_NO_MEMORY ? LOST_BY_SERVER : LOST_BY_LIMIT,
                      refusals[refusal].why);
    h->news->error_code = refusals[refusal].code;
    snprintf(h->news->error, sizeof h->news->error, "stream %d: %s", frame->hd.stream_id,
             refusals[refusal].why);
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

/* A field that is not valid makes the request malformed (RFC 9113 8.2.1); nghttp2 would leave it
 * out, which will do for a request that is only reported. */
static int on_invalid_header(nghttp2_session *session, const nghttp2_frame *frame,
                             nghttp2_rcbuf *name, nghttp2_rcbuf *value, uint8_t flags, void *user)
{
    const struct h2 *h = user;
    bool reported = h->watch == H2_WATCHING || (h->current && h->current->stale);
    return reported ? 0 : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t stream,
                         const uint8_t *data, size_t len, void *user)
{
    struct h2 *h = user;
    struct h2_exchange *ex = find(session, stream);
    if (!ex)
        return 0;
    if (ex->outcome == H2_ANSWERED) { /* early */
        ex->dropped += len;
        if (ex->dropped > LIMIT_DROPPED && ex->dropped - len <= LIMIT_DROPPED)
            nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, stream, NGHTTP2_NO_ERROR);
    }
    if (ex->told) /* only the stream still holds it, and may close with this very frame */
        return 0;
    h->news->ex = ex;
    h->news->body = data;
    h->news->body_len = len;
    return 0;
}

/* RFC 9113 8.3.1: no userinfo, and what RFC 9110 4.2 says of a host, also of Host, where it stands
 * in; and no fragment in :path. nghttp2 looks at their octets, and at the forms of :path. */
static bool is_well_formed(struct h2 *h, struct h2_exchange *ex)
{
    const char *authority = ex->pub.request.authority, *path = ex->pub.request.target;
    const char *wrong = request_target_wrong(path, strlen(path));
    bool host = request_authority_valid(authority, strlen(authority));
    if (h->watch == H2_WATCHING || ex->stale || (host && !wrong))
        return true;
    h2_exchange_abort(ex, NGHTTP2_PROTOCOL_ERROR, LOST_BY_PROTOCOL, "the request was malformed");
    h->news->error_code = NGHTTP2_PROTOCOL_ERROR;
    snprintf(h->news->error, sizeof h->news->error,
             "stream %d: malformed request: \"%.100s\" is %s%s (RFC 9113 8.3.1)", ex->pub.stream,
             host ? path : authority, host ? "a " : "no host and port", host ? wrong : "");
    return false;
}

static void message_read(struct h2 *h, nghttp2_session *session, const nghttp2_frame *frame)
{
    struct h2_exchange *ex = h->current; /* no need to look for it, as a rule */
    if (!ex || !ex->opened || ex->pub.stream != frame->hd.stream_id)
        ex = find(session, frame->hd.stream_id);
    if (!ex || ex->told)
        return;
    h->news->ex = ex;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        if (!is_well_formed(h, ex))
            return;
        h2_exchange_request(ex);
        ex->pub.request.content = !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM);
        ex->headers_in = true;
    }
    if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
        ex->whole = true;
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct h2 *h = user;
    if (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) {
        message_read(h, session, frame);
        return 0;
    }
    if (frame->hd.type == NGHTTP2_RST_STREAM) {
        h2_streams_reset(h, frame->hd.stream_id, false);
        struct h2_exchange *ex = find(session, frame->hd.stream_id);
        if (ex)
            ex->reset_by_client = true;
        else if (h->block && h->block->ex && h->block->ex->pub.stream == frame->hd.stream_id)
            h2_exchange_lose(h->block->ex, LOST_BY_CLIENT_CANCEL, reset_by_client);
    }
    if (frame->hd.type == NGHTTP2_SETTINGS && !(frame->hd.flags & NGHTTP2_FLAG_ACK))
        h2_streams_settings(h);
    h->news->frame_read =
        h2_frame_info(frame, &h->news->frame, h->news->text, sizeof h->news->text);
    return 0;
}

static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error,
                            void *user)
{
    struct h2 *h = user;
    if (frame->hd.type == NGHTTP2_GOAWAY) {
        h->news->frame_read =
            h2_frame_info(frame, &h->news->frame, h->news->text, sizeof h->news->text);
        return 0;
    }
    if (error != NGHTTP2_ERR_HTTP_HEADER && error != NGHTTP2_ERR_HTTP_MESSAGING)
        return 0; /* the stream is reset, or the connection ends: both are seen then */
    struct h2_exchange *ex = h->current;
    if (!ex || ex->pub.stream != frame->hd.stream_id)
        ex = find(session, frame->hd.stream_id);
    if (!ex || ex->stale)
        return 0;
    h2_exchange_lose(ex, LOST_BY_PROTOCOL, "the request was malformed");
    h->news->error_code = NGHTTP2_PROTOCOL_ERROR;
    snprintf(h->news->error, sizeof h->news->error, "stream %d: malformed request: %s",
             frame->hd.stream_id,
             h->news->detail[0] ? h->news->detail : "RFC 9113 8.3: its fields or its length");
    return 0;
}

static int on_error(nghttp2_session *session, int code, const char *text, size_t len, void *user)
{
    struct h2 *h = user;
    if (h->news)
        snprintf(h->news->detail, sizeof h->news->detail, "%.*s", (int)len, text);
    return 0;
}

/* --- Writing */

/* The payload of a DATA frame, which goes past nghttp2's own buffer. */
static int send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head,
                     size_t length, nghttp2_data_source *source, void *user)
{
    struct h2_exchange *ex = source->ptr;
    if (ex->stop.counted) {
        struct h2 *h = user;
        h2_stop_put_data(h, ex, head, length);
        /* This frame is put out, and no other may follow: it has stopped, or should have. */
        return h2_blocked(h) || h->sealed ? NGHTTP2_ERR_PAUSE : 0;
    }
    h2_output_put(user, head, H2_FRAME_HEAD);
    h2_output_put(user, ex->body + ex->body_sent, length);
    ex->body_sent += length;
    return 0;
}

/* Is a stream reset with this code because of what the client did? */
static bool by_client(uint32_t code)
{
    return code != NGHTTP2_NO_ERROR && code != NGHTTP2_INTERNAL_ERROR &&
           code != NGHTTP2_REFUSED_STREAM && code != NGHTTP2_CANCEL;
}

static int before_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct h2 *h = user;
    if (h->special) {
        h->mute = h2_verbs_mute(h, frame);
        h2_stop_watch(h, frame);
    }
    /* What waited while we said nothing is no flood, though it all leaves at once. */
    if (frame->hd.type == NGHTTP2_RST_STREAM && by_client(frame->rst_stream.error_code) &&
        h->unsaid == 0)
        h2_streams_spend(h, H2_RESETS);
    if (frame->hd.type != NGHTTP2_GOAWAY)
        return 0;
    h->last_said = true;
    if (!h->failed)
        h->fail_code = frame->goaway.error_code;
    /* nghttp2 ends the connection, and says why in the debug data. */
    const char *reason = (const char *)frame->goaway.opaque_data;
    size_t len = frame->goaway.opaque_data_len;
    static const char quirk[] = "GOAWAY: invalid last_stream_id";
    bool is_quirk = len == sizeof quirk - 1 && memcmp(reason, quirk, len) == 0;
    h->news->error_code = frame->goaway.error_code;
    snprintf(h->news->error, sizeof h->news->error, "%s%s%.*s%s",
             h2_error_name(frame->goaway.error_code), len ? ": " : "", (int)len, len ? reason : "",
             is_quirk ? " (a quirk of some Go clients, which name one of their own streams)" : "");
    return 0;
}

static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct h2 *h = user;
    if (frame->hd.type == NGHTTP2_RST_STREAM &&
        nghttp2_session_get_stream_remote_close(session, frame->hd.stream_id) == 0)
        h2_streams_reset(h, frame->hd.stream_id, true);
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
        return 0;
    h->answers++;
    if (!(frame->hd.flags & NGHTTP2_FLAG_END_STREAM) || h->watch == H2_WATCHING)
        return 0;
    struct h2_exchange *ex = find(session, frame->hd.stream_id);
    if (!ex || ex->outcome != H2_OPEN)
        return 0;
    ex->outcome = H2_ANSWERED;
    link_append(&h->over, &ex->over);
    return 0;
}

static int on_frame_not_send(nghttp2_session *session, const nghttp2_frame *frame, int error,
                             void *user)
{
    struct h2_exchange *ex =
        frame->hd.type == NGHTTP2_HEADERS ? find(session, frame->hd.stream_id) : NULL;
    if (ex && error != NGHTTP2_ERR_STREAM_CLOSING && error != NGHTTP2_ERR_STREAM_CLOSED)
        h2_exchange_abort(ex, NGHTTP2_INTERNAL_ERROR, LOST_BY_SERVER,
                          "its response could not be sent");
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream, uint32_t error, void *user)
{
    struct h2 *h = user;
    struct h2_exchange *ex = find(session, stream);
    h->streams--;
    if (!ex)
        return 0;
    if (ex->stale) { /* the client has reset it: nobody waits for the rest */
        h->stale--;
        h2_exchange_unref(ex);
    }
    if (h->watch == H2_WATCHING) {
        /* It stays open towards the host, which hears of its end when the engine is destroyed. */
    } else if (ex->reset_by_client) {
        h2_exchange_lose(ex, LOST_BY_CLIENT_CANCEL, reset_by_client);
    } else if (ex->outcome == H2_OPEN) {
        ex->error = error;
        h2_exchange_lose(ex, LOST_BY_PROTOCOL, "the stream was reset for a protocol error");
    }
    nghttp2_session_set_stream_user_data(session, stream, NULL);
    ex->opened = false;
    h2_exchange_unref(ex);
    return 0;
}

/* --- Setting up */

/* Made once; sessions copy both. */
static nghttp2_session_callbacks *callbacks;
static nghttp2_option *option;

static int set_up_once(void)
{
    if (option)
        return 0;
    if (!callbacks && nghttp2_session_callbacks_new(&callbacks) < 0)
        return -ENOMEM;
    if (nghttp2_option_new(&option) < 0)
        return -ENOMEM;

    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback2(callbacks, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback2(callbacks, on_invalid_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
    nghttp2_session_callbacks_set_error_callback2(callbacks, on_error);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, send_data);
    nghttp2_session_callbacks_set_before_frame_send_callback(callbacks, before_frame_send);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_frame_not_send);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);

    /* Memory of an idle connection: nothing of streams that are closed, and a small table for our
     * own header compression, where a new Date would take another 65 bytes each second. */
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_option_set_max_deflate_dynamic_table_size(option, 1024);
    /* It would count what waits for our sake, too: h2.c has a limit, and h2_streams.c others. */
    nghttp2_option_set_max_outbound_ack(option, SIZE_MAX);
    return 0;
}

int h2_session_create(struct h2 *h)
{
    if (set_up_once() < 0 || h2_memory_session(&h->session, callbacks, h, option) < 0)
        return -ENOMEM;
    h->max_streams = H2_STREAMS_MAX;
    h->initial_window = NGHTTP2_INITIAL_WINDOW_SIZE;
    return 0;
}

void h2_session_greet(struct h2 *h)
{
    const nghttp2_settings_entry settings[] = {
        { H2_OUR_MAX_STREAMS, h->max_streams },
        { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, h->initial_window },
    };
    size_t n =
        h->initial_window == NGHTTP2_INITIAL_WINDOW_SIZE ? 1 : 2; /* the default is not said */
    h->greeted = true;
    if (nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, settings, n) < 0)
        h2_fail(h, NGHTTP2_INTERNAL_ERROR, NULL, true);
}
