/* h2.c - HTTP/2 on nghttp2, over memory.
 *
 * The parts: this file calls the host and knows when the connection is done; h2_input.c takes
 * input; h2_session.c is nghttp2 and its callbacks; h2_exchange.c holds requests, h2_response.c
 * makes responses, h2_output.c puts out; h2_streams.c knows what must not come on a closed stream,
 * or so often; h2_stop.c stops responses where the host says, h2_verbs.c is the other misbehaviour
 * on demand, h2_frames.c has frames of our own.
 *
 * Three rules make it safe for the host to call any verb from any callback:
 *
 * 1. The host is never called from inside nghttp2. Input is cut at frame boundaries and given to
 *    nghttp2 a frame at a time (a new stream's frame header by itself, so that begin comes before
 *    anything of the request is read); its callbacks only note what happened, and the host is told
 *    when nghttp2 has returned. So a verb called by the host takes effect at once.
 * 2. Output always ends on a frame boundary (h2_output.c), or nothing more is put out (h2_stop.c).
 * 3. An exchange is counted by its holders: whoever calls the host about it holds it meanwhile.
 *
 * While an engine watches, input goes the same way, since header compression must be kept up. With
 * HOLD, what the host would have been told stays in the exchange (it is "behind") and what was to
 * be put out stays in nghttp2. With ONLY, new streams are "stale", and what nghttp2 wants to say is
 * dropped as if it had been sent, so that nothing piles up.
 */
#include "engine/h2_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/h2_error.h"

#define TYPE_KNOWN 4 /* with so many bytes of a frame header its type is there */

static bool serving(const struct h2 *h)
{
    return h->watch == H2_SERVING;
}

void h2_fail(struct h2 *h, uint32_t code, const char *what, bool sealed)
{
    if (h->failed)
        return;
    h->failed = true;
    h->sealed = sealed;
    h->fail_code = code;
    h->fail_what = what;
}

/* --- Telling the host: what its client did wrong, and what was too much for us */

static bool is_limit(uint32_t error)
{
    return error == NGHTTP2_ENHANCE_YOUR_CALM || error == NGHTTP2_INTERNAL_ERROR ||
           error == NGHTTP2_REFUSED_STREAM;
}

static void tell_error(struct h2 *h, uint32_t error, const char *what)
{
    const struct engine_host *calls = h->engine.calls;
    (is_limit(error) ? calls->limit : calls->protocol_error)(h->engine.host, what);
}

void h2_tell_error(struct h2 *h, const struct h2_news *news)
{
    if (news->error[0] && serving(h))
        tell_error(h, news->error_code, news->error);
}

/* --- Telling the host: the course of an exchange */

static void tell_begin(struct h2 *h, struct h2_exchange *ex)
{
    ex->begun = true;
    ex->pub.nth = ++h->nth;
    h->engine.calls->begin(h->engine.host, &ex->pub);
}

static void tell_headers(struct h2 *h, struct h2_exchange *ex)
{
    ex->headers_told = true;
    h->engine.calls->headers(h->engine.host, &ex->pub);
    if (ex->stored)
        h2_response_stored(ex);
    else
        h2_response_continue(ex);
}

static void report_stale(struct h2 *h, struct h2_exchange *ex, enum engine_witnessed what)
{
    bool *told = what == WITNESSED_PART ? &ex->part_told : &ex->stale_told;
    if (ex->told || ex->stale_told || ex->headers_told || *told)
        return;
    *told = true;
    h2_exchange_request(ex);
    h->engine.calls->stale_request(h->engine.host, ex->begun ? &ex->pub : NULL, &ex->pub.request,
                                   ex->pub.stream, what);
}

/* Reports what was just read of an exchange and is not told to the host otherwise, each part once.
 */
static void witness(struct h2 *h, struct h2_exchange *ex, const uint8_t *body, size_t n)
{
    const struct engine_host *calls = h->engine.calls;
    struct exchange *pub = ex->begun ? &ex->pub : NULL;
    if (!ex->headers_in || ex->told)
        return;
    report_stale(h, ex, ex->whole ? WITNESSED_WHOLE : WITNESSED_HEAD);
    if (n > 0)
        calls->stale_body(h->engine.host, pub, body, n, ex->pub.stream);
    if (!ex->whole || ex->stale_done || ex->complete_told)
        return;
    ex->stale_done = true;
    calls->stale_complete(h->engine.host, pub, &ex->pub.request, ex->pub.stream);
}

/* Body bytes that the host cannot be told of yet. */
static void hold_body(struct h2 *h, struct h2_exchange *ex, const uint8_t *body, size_t n)
{
    if (n == 0 || h->watch == H2_WATCHING || ex->told)
        return;
    if (buf_add(&ex->held, body, n) < 0)
        h2_exchange_abort(ex, NGHTTP2_INTERNAL_ERROR, LOST_BY_SERVER,
                          "the server has no memory for its body");
}

/* Tells what is known of an exchange and was not told yet, as long as the host lets it. */
static void advance(struct h2 *h, struct h2_exchange *ex, const uint8_t *body, size_t n)
{
#define MAY (serving(h) && !ex->told && !ex->reset_said && !ex->why_later)
    const struct engine_host *calls = h->engine.calls;
    ex->refs++;
    if (serving(h) && !ex->told && !ex->begun) /* also what was reset while it was held */
        tell_begin(h, ex);
    if (MAY && ex->headers_in && !ex->headers_told)
        tell_headers(h, ex);
    if (MAY && buf_len(&ex->held) > 0) {
        if (!ex->answered)
            calls->body(h->engine.host, &ex->pub, buf_bytes(&ex->held), buf_len(&ex->held));
        buf_free(&ex->held);
    }
    bool told = MAY && n > 0 && !ex->answered;
    if (told)
        calls->body(h->engine.host, &ex->pub, body, n);
    else if (!serving(h))
        hold_body(h, ex, body, n);
    if (MAY && ex->whole && !ex->complete_told && !ex->answered) {
        ex->complete_told = true;
        calls->complete(h->engine.host, &ex->pub);
    }
    ex->behind = !serving(h);
    if (ex->behind)
        witness(h, ex, told ? NULL : body, told ? 0 : n);
    h2_exchange_unref(ex);
#undef MAY
}

static void tell_over(struct h2 *h, struct h2_exchange *ex)
{
    char what[80];
    ex->told = true;
    h->live--;
    link_remove(&ex->over);
    h2_response_drop(ex);
    if (ex->error) {
        snprintf(what, sizeof what, "stream %d: %s", ex->pub.stream, h2_error_name(ex->error));
        tell_error(h, ex->error, what);
    }
    if (!ex->begun)
        ; /* held back, and nobody will miss it */
    else if (ex->outcome == H2_ANSWERED)
        h->engine.calls->responded(h->engine.host, &ex->pub);
    else
        h->engine.calls->lost(h->engine.host, &ex->pub, ex->why);
    h2_exchange_unref(ex);
}

/* --- Telling the host: the end */

static void lose_all(struct h2 *h, enum ledger_lost_by by, const char *why)
{
    for (struct link *i = h->exchanges.next; i != &h->exchanges; i = i->next)
        h2_exchange_lose(link_entry(i, struct h2_exchange, link), by, why);
}

/* The next whose outcome is to be told. That of one which stops the connection waits. */
static struct h2_exchange *first_over(struct h2 *h)
{
    struct link *i = h->over.next;
    if (i != &h->over && h->block && link_entry(i, struct h2_exchange, over) == h->block->ex)
        i = i->next;
    return i == &h->over ? NULL : link_entry(i, struct h2_exchange, over);
}

void h2_tell_all_over(struct h2 *h)
{
    struct h2_exchange *ex;
    while (serving(h) && (ex = first_over(h)))
        tell_over(h, ex);
}

/* Does its response wait for a WINDOW_UPDATE (RFC 9113 6.9)? */
static bool wants_window(struct h2 *h, const struct h2_exchange *ex)
{
    return ex->answered && ex->opened && !ex->stored && !ex->stop.at &&
           ex->body_sent < ex->body_len &&
           (nghttp2_session_get_remote_window_size(h->session) <= 0 ||
            nghttp2_session_get_stream_remote_window_size(h->session, ex->pub.stream) <= 0);
}

/* The client will send no more: what is not whole will never be, and no window grows. */
static void lose_halves(struct h2 *h)
{
    for (struct link *i = h->exchanges.next; i != &h->exchanges; i = i->next) {
        struct h2_exchange *ex = link_entry(i, struct h2_exchange, link);
        if (!ex->whole && !(ex->answered && ex->headers_in))
            h2_exchange_lose(ex, LOST_BY_CLIENT_FIN,
                             "the client closed before the request was whole");
        else if (wants_window(h, ex))
            h2_exchange_lose(ex, LOST_BY_CLIENT_FIN,
                             "the client closed with no window left for the response");
    }
}

static bool is_done(const struct h2 *h)
{
    if (h->failed)
        return true;
    bool more_to_say = nghttp2_session_want_write(h->session);
    if (!more_to_say && !nghttp2_session_want_read(h->session))
        return true;
    return (h->shutting || h->peer_gone) && h->live == 0 && !more_to_say;
}

/* Whose fault it is that the connection ends with an error. */
static enum ledger_lost_by failed_by(const struct h2 *h)
{
    if ((h->failed && !h->fail_what) || h->fail_code == NGHTTP2_INTERNAL_ERROR)
        return LOST_BY_SERVER;
    return is_limit(h->fail_code) ? LOST_BY_LIMIT : LOST_BY_PROTOCOL;
}

/* Our own last words, where nghttp2 has none: what was wrong first is all that is told. */
static void say_failure(struct h2 *h)
{
    if (h->last_said)
        return;
    if (h->fail_what)
        tell_error(h, h->fail_code, h->fail_what);
    int32_t last = h->newest < h->limit ? h->newest : h->limit;
    if (h2_frame_goaway(&h->control, last, h->fail_code, NULL, 0) == 0)
        h2_pump(h, true);
}

void h2_settle(struct h2 *h)
{
    if (h->in_input || h->pumping || h->telling || h->finished || !serving(h))
        return;
    h->telling = true;
    if (h->peer_gone)
        lose_halves(h);
    do {
        h2_tell_all_over(h);
    } while (serving(h) && h->stop_reached && h2_stop_tell(h));
    if (serving(h) && !h->block && is_done(h)) {
        if (h->failed)
            say_failure(h);
        lose_all(h, failed_by(h), "the connection is closed");
        h2_tell_all_over(h);
        h->finished = serving(h);
    }
    h->telling = false;
    if (h->finished)
        h->engine.calls->finished(h->engine.host);
}

/* --- What was read */

void h2_end_stale(struct h2 *h, struct h2_exchange *ex)
{
    report_stale(h, ex, WITNESSED_PART); /* of a header section that nghttp2 does not take */
    h->stale--;
    nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, ex->pub.stream, NGHTTP2_NO_ERROR);
    if (ex->opened) {
        nghttp2_session_set_stream_user_data(h->session, ex->pub.stream, NULL);
        ex->opened = false;
        h2_exchange_unref(ex);
    }
    h2_exchange_unref(ex);
}

void h2_news(struct h2 *h, struct h2_exchange *ex, const uint8_t *body, size_t n)
{
    if (ex->stale) {
        witness(h, ex, body, n);
        if (ex->whole || (ex->headers_in && h->stale > H2_STREAMS_MAX))
            h2_end_stale(h, ex);
    } else if (ex->why_later) {
        witness(h, ex, body, n);
        if (ex->headers_in)
            h2_exchange_abort(ex, NGHTTP2_NO_ERROR, LOST_BY_FAULT, ex->why_later);
    } else if (serving(h)) {
        advance(h, ex, body, n);
    } else {
        ex->behind = true;
        ex->refs++;
        hold_body(h, ex, body, n);
        witness(h, ex, body, n);
        h2_exchange_unref(ex);
    }
}

/* --- The other verbs */

static bool is_full(struct engine *e)
{
    const struct h2 *h = h2_of(e);
    if (h->failed)
        return false;
    return h->watch == H2_HOLDING ? h->held >= LIMIT_HELD
                                  : h2_blocked(h) && h->unsaid >= LIMIT_FRAMES;
}

static void pump(struct engine *e)
{
    h2_pump(h2_of(e), false);
}

static void peer_closed(struct engine *e)
{
    struct h2 *h = h2_of(e);
    h->peer_gone = true;
    h2_pump(h, false);
}

static void shut_down(struct engine *e)
{
    struct h2 *h = h2_of(e);
    const struct goaway last_seen = { .error = NGHTTP2_NO_ERROR, .last = GOAWAY_LAST_SEEN };
    h->shutting = true;
    if (h2_goaway(e, &last_seen) < 0)
        h2_pump(h, false); /* no memory to say so; the end comes all the same */
}

static void watch(struct engine *e, enum engine_watch how)
{
    struct h2 *h = h2_of(e);
    if (h->watch != H2_WATCHING)
        h->watch = how == WATCH_HOLD ? H2_HOLDING : H2_WATCHING;
}

/* Of a frame header that is not whole: could it open a stream? */
static bool half_head(const struct h2 *h)
{
    return h->head_have > 0 && h->head_have < H2_FRAME_HEAD &&
           (h->head_have < TYPE_KNOWN || h->head[3] == NGHTTP2_HEADERS);
}

static void watch_flush(struct engine *e, bool begun)
{
    static const struct request nothing = { .method = "", .target = "", .authority = "" };
    struct h2 *h = h2_of(e);
    if (serving(h))
        return;
    if (h->current) {
        if (h->current->begun || !begun)
            report_stale(h, h->current, WITNESSED_PART);
    } else if (!begun && half_head(h) && !h->head_flushed) {
        h->head_flushed = true;
        h->engine.calls->stale_request(h->engine.host, NULL, &nothing, 0, WITNESSED_PART);
    }
}

static struct h2_exchange *first_behind(struct h2 *h)
{
    for (struct link *i = h->exchanges.next; i != &h->exchanges; i = i->next) {
        struct h2_exchange *ex = link_entry(i, struct h2_exchange, link);
        if (ex->behind && !ex->told)
            return ex;
    }
    return NULL;
}

static void resume(struct engine *e)
{
    struct h2 *h = h2_of(e);
    struct h2_exchange *ex;
    if (h->watch != H2_HOLDING)
        return;
    bool was_full = is_full(e);
    h->watch = H2_SERVING;
    h->held = 0;
    bool in_input = h->in_input;
    h->in_input = true; /* as if it had just come */
    while (serving(h) && (ex = first_behind(h)))
        advance(h, ex, NULL, 0);
    h->in_input = in_input;
    h2_pump(h, false);
    if (was_full && !is_full(e))
        h->engine.calls->has_room(h->engine.host);
}

static void destroy(struct engine *e)
{
    struct h2 *h = h2_of(e);
    h->watch = H2_SERVING;
    h->finished = true; /* nothing is put out any more */
    lose_all(h, LOST_BY_NONE, "the connection ended");
    free(h->block);
    h->block = NULL;
    h2_tell_all_over(h);
    while (!link_empty(&h->exchanges)) {
        struct h2_exchange *ex = link_entry(h->exchanges.next, struct h2_exchange, link);
        ex->refs = 1;
        h2_exchange_unref(ex);
    }
    nghttp2_session_del(h->session);
    buf_free(&h->control);
    free(h);
}

static const struct engine_ops ops = {
    .protocol = &protocols[PROTOCOL_H2],
    .input = h2_input,
    .pump = pump,
    .peer_closed = peer_closed,
    .full = is_full,
    .respond = h2_respond,
    .expects = h2_expects,
    .no_continue = h2_no_continue,
    .takes_interim = h2_takes_interim,
    .interim = h2_interim,
    .stop_at = h2_stop_at,
    .continue_response = h2_stop_continue,
    .said_all = h2_said_all,
    .said = h2_said,
    .content = h2_content,
    .shutdown = shut_down,
    .watch = watch,
    .watch_flush = watch_flush,
    .resume = resume,
    .destroy = destroy,
    .can_say = h2_can_say,
    .is_set = h2_is_set,
    .goaway = h2_goaway,
    .goaway_last = h2_goaway_last,
    .goaway_notice = h2_goaway_notice,
    .rst_stream = h2_rst_stream,
    .ping = h2_ping,
    .unsaid = h2_unsaid,
    .set = h2_set,
    .disowns = h2_disowns,
    .window_shut = h2_window_shut,
};

int h2_create(const struct engine_host *calls, void *host, struct engine **out)
{
    struct h2 *h = calloc(1, sizeof *h);
    if (!h)
        return -ENOMEM;
    h->engine = (struct engine){ &ops, calls, host };
    h->preface_left = protocols[PROTOCOL_H2].first_len;
    h->limit = H2_LAST_MAX;
    link_init(&h->exchanges);
    link_init(&h->over);
    h2_streams_start(h);
    int error = h2_session_create(h);
    if (error) {
        free(h);
        return error;
    }
    *out = &h->engine;
    return 0;
}
