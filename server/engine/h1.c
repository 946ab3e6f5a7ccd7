/* h1.c - the HTTP/1.1 engine: our own parser for requests, libmicrohttpd for responses.
 *
 * The way of a request: input goes through h1_head, which finds where a message begins and ends and
 * refuses what is not HTTP/1.x, and the host is told of each part as it is read. libmicrohttpd gets
 * to know a request when it is whole and the host has answered it: then its head, without a body,
 * takes a libmicrohttpd connection out of stock (h1_pass, h1_pair), and what libmicrohttpd makes of
 * the response is handed out from there by settle(). A request that is still coming, or waits for
 * its response, costs libmicrohttpd nothing and no descriptor. What the client has pipelined behind
 * it stays in pending until the exchange is over, so that a request begins when the one before it
 * ended, and a connection can be cut at any of these points without libmicrohttpd knowing of it.
 *
 * What never gets through libmicrohttpd: responses that say Connection: close and do not mean it,
 * refusals (400, 414, 431 ...), early responses, to a request of which not all has come, and
 * responses for which there is no pair. They are written by ourselves (h1_response), end the
 * connection, and the rest of the input is dropped. But an early response with reads_on goes
 * through libmicrohttpd, which knows of no content anyway: the exchange ends with it, the rest of
 * the request is dropped, and the next one begins behind it.
 *
 * Who may call the host when: begin, headers, body and complete come from engine_input, and from
 * settle() for what was pipelined or held; output, responded, lost and finished only from settle(),
 * which is behind each run of libmicrohttpd and in engine_pump. The busy list has the engines that
 * the next settling is about. `working` keeps settle() out while a callback further up the stack is
 * still using the engine.
 *
 * While watching, h1_pass_handle suspends the connection (h1_pair_suspend) whatever libmicrohttpd
 * wanted, settle() does nothing, and a witness (a second h1_head, from where the first one stands)
 * reads the input; WATCH_HOLD keeps it in pending as well.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/log.h"
#include "engine/h1_impl.h"
#include "engine/h1_response.h"

#define CHUNK_OUT (64 * 1024)
_Static_assert(CHUNK_OUT <= LIMIT_QUEUED, "the wire has room for it at one time or another");

static struct link busy = { &busy, &busy };
static uint8_t out_bytes[CHUNK_OUT];

static const struct engine_host *calls(const struct h1 *h)
{
    return h->base.calls;
}

/* settle() will look at it, at the end of this turn. */
void h1_wake(struct h1 *h)
{
    link_remove(&h->busy);
    link_append(&busy, &h->busy);
    h1_pair_kick();
}

void h1_drop_response(struct h1 *h)
{
    if (h->response)
        MHD_destroy_response(h->response);
    h->response = NULL;
}

void h1_drop_pair(struct h1 *h)
{
    if (h->pair)
        h1_pair_abandon(h->pair);
    h->pair = NULL;
}

static void finish(struct h1 *h)
{
    if (h->finished)
        return;
    h->finished = true;
    h->drops_input = !h1_reads_on(h);
    calls(h)->finished(h->base.host);
}

/* --- Exchanges */

static void begin(struct h1 *h, size_t read)
{
    h->ex = (struct exchange){ .engine = &h->base, .nth = ++h->nth };
    h->ex.request.begun_at = h->kept_at;
    h->ex.request.read = read;
    h->open = true;
    h->seen = h->completed = h->answered = h->early = h->own = false;
    h->lost_why = NULL;
    calls(h)->begin(h->base.host, &h->ex);
}

/* The open exchange is over, and with it the connection if it was the last one. */
static void end(struct h1 *h)
{
    h->open = false;
    h1_drop_response(h);
    if (h->lost_why)
        calls(h)->lost(h->base.host, &h->ex, h->lost_why);
    else
        calls(h)->responded(h->base.host, &h->ex);
    if (h->stop)
        h1_stop_end(h);
    if (h->in.at == H1_WHOLE)
        h1_head_next(&h->in);
    if (h->mode == H1_SERVING && (h->last || h->stopping))
        finish(h);
}

/* The open exchange will be lost, after what is in out has gone. why must live on. */
static void lose(struct h1 *h, enum ledger_lost_by by, const char *why)
{
    h1_drop_pair(h);
    h->lost_why = why;
    h->ex.lost_by = by;
    h->own = h->last = h->drops_input = true;
    h1_wake(h);
}

/* Is it for a limit of ours that a request is refused, or what we do not do, and not for what the
 * client did wrong? */
static bool is_limit(int status)
{
    return status == 413 || status == 414 || status == 431 || status >= 500;
}

/* The request is answered by ourselves and never will be by the host. */
static void refuse_request(struct h1 *h, int status, const char *why)
{
    (is_limit(status) ? calls(h)->limit : calls(h)->protocol_error)(h->base.host, why);
    if (h->mode == H1_WATCHING)
        return;
    if (!h->answered && h1_response_refuse(status, why, &h->out))
        buf_free(&h->out);
    lose(h, is_limit(status) ? LOST_BY_LIMIT : LOST_BY_PROTOCOL, why);
}

/* --- Input */

/* RFC 9110 10.1.1: its client may be waiting before it sends the content. */
static bool expects_continue(const struct h1 *h)
{
    const struct header *f = request_header(&h->ex.request, "Expect");

    return f && f->value_len == 12 && strncasecmp(f->value, "100-continue", 12) == 0 &&
           h->in.at == H1_IN_BODY && h->in.minor > 0;
}

/* more: some of the content is there already. */
static void tell_headers(struct h1 *h, bool more)
{
    h->seen = true;
    h->ex.request = h->in.request;
    h->expects = !more && expects_continue(h);
    calls(h)->headers(h->base.host, &h->ex);
    if (h->mode == H1_WATCHING || h->lost_why || !h->expects || h->answered)
        return;
    h->expects = false;
    buf_text(&h->out, "HTTP/1.1 100 Continue\r\n\r\n");
    h1_wake(h);
}

/* The last octet of the request was read; h1_watch.c tells it while watching. */
static void tell_complete(struct h1 *h)
{
    if (h->mode != H1_SERVING || h->completed || h->lost_why)
        return;
    h->completed = true;
    calls(h)->complete(h->base.host, &h->ex);
}

/* So many octets were read of a request that was answered early. */
static void drop_rest(struct h1 *h, size_t n)
{
    h->dropped += n;
    if (h->dropped > LIMIT_DROPPED) {
        h->last = h->drops_input = true;
        h1_wake(h);
    } else if (h->in.at == H1_WHOLE) {
        h->early = false;
        if (!h->open)
            h1_head_next(&h->in);
    }
}

/* Takes input up to the end of a message, and returns how much. */
static size_t serve(struct h1 *h, const uint8_t *bytes, size_t n)
{
    size_t used = 0;

    while (used < n && h->mode == H1_SERVING && !h->drops_input && h->in.at != H1_WHOLE) {
        enum h1_at was = h->in.at;
        bool content = h1_head_in_content(&h->in);
        const uint8_t *at = bytes + used;
        size_t part = h1_head_feed(&h->in, at, n - used);

        used += part;
        h->told -= part < h->told ? part : h->told;
        if (was == H1_BETWEEN && h->in.at == H1_IN_HEAD)
            begin(h, n - used);
        else if (h->in.at == H1_BROKEN)
            refuse_request(h, h->in.status, h->in.why);
        else if (was == H1_IN_HEAD && h->in.at != H1_IN_HEAD)
            tell_headers(h, used < n);
        else if (content && part && !h->answered)
            calls(h)->body(h->base.host, &h->ex, at, part);
        else if (h->early)
            drop_rest(h, part);
        if (h->in.at == H1_WHOLE)
            tell_complete(h);
    }
    return h->drops_input ? n : used;
}

void h1_keep(struct h1 *h, const uint8_t *bytes, size_t n)
{
    if (h->drops_input || h->input_ended || n == 0)
        return;
    if (buf_len(&h->pending) == 0)
        h->pending_at = clock_now();
    if (buf_add(&h->pending, bytes, n) == 0)
        return;
    h->pending.failed = false;
    h->ended_by = LOST_BY_SERVER;
    h->input_ended = "the server has no memory for what was pipelined or held";
}

/* Whatever it does, all is taken: it is the host that stops reading when this is true. */
static bool is_full(struct engine *e)
{
    const struct h1 *h = h1_of(e);

    return buf_len(&h->pending) >= LIMIT_HELD && !h->drops_input && !h->input_ended && !h->finished;
}

static void input(struct engine *e, const uint8_t *bytes, size_t n)
{
    struct h1 *h = h1_of(e);

    if (h->finished && buf_len(&h->pending) >= LIMIT_HELD)
        return;
    if (h->mode == H1_SERVING && h->input_ended)
        return;
    if (h->mode == H1_SERVING && buf_len(&h->pending) == 0 && !h->finished) {
        size_t used;

        h->working = true;
        used = serve(h, bytes, n);
        h->working = false;
        bytes += used;
        n -= used;
    }
    if (h->mode == H1_SERVING)
        h1_keep(h, bytes, n);
    else
        h1_watch_input(h, bytes, n);
}

/* Continues with what was pipelined or held. */
static void serve_pending(struct h1 *h)
{
    bool was_full = is_full(&h->base);
    struct buf now = h->pending;
    size_t used;

    h->pending = (struct buf){ 0 };
    h->kept_at = h->pending_at;
    used = serve(h, buf_bytes(&now), buf_len(&now));
    buf_consume(&now, used);
    if (h->mode != H1_SERVING)
        h1_watch_input(h, buf_bytes(&now), buf_len(&now));
    h->pending_at = h->kept_at;
    h->kept_at = 0;
    if (h->mode != H1_SERVING || buf_len(&now) == 0)
        buf_free(&now);
    else
        h->pending = now;
    if (was_full && !is_full(&h->base))
        calls(h)->has_room(h->base.host);
}

/* --- Output */

/* Hands out what libmicrohttpd wrote. Returns whether that is all there is for now. */
static bool drain(struct h1 *h)
{
    bool any = false, empty = false;
    size_t room;

    while (!empty && (room = calls(h)->room(h->base.host))) {
        size_t want = room < sizeof out_bytes ? room : sizeof out_bytes;
        size_t n = h1_pair_read(h->pair, out_bytes, want);

        empty = n < want;
        if (n == 0)
            break;
        any = true;
        h1_spelling_apply(&h->spelling, out_bytes, n);
        calls(h)->output(h->base.host, out_bytes, n);
        if (h->mode != H1_SERVING)
            return false;
    }
    if (any && !h->pair->answered)
        h1_pair_kick(); /* the pair may have been full */
    return empty;
}

/* Hands out what we wrote ourselves: all of the response, or a 100 (Continue) before it. Returns
 * whether that is all. */
static bool drain_own(struct h1 *h)
{
    size_t room;

    while (h->mode == H1_SERVING && buf_len(&h->out) && (room = calls(h)->room(h->base.host))) {
        size_t n = buf_len(&h->out) < room ? buf_len(&h->out) : room;

        calls(h)->output(h->base.host, buf_bytes(&h->out), n);
        if (h->mode != H1_WATCHING) /* which drops it */
            buf_consume(&h->out, n);
    }
    return buf_len(&h->out) == 0;
}

/* Ends the open exchange if it can be ended now. */
static void settle_exchange(struct h1 *h)
{
    if (!h->own && buf_len(&h->out) && !drain_own(h))
        return;
    if (h->pair && !h->own && h->mode == H1_SERVING) {
        bool empty = h->stops ? h1_stop_drain(h) : drain(h);

        if (h->mode != H1_SERVING || !empty)
            return;
        if (h->pair->answered) {
            struct h1_pair *p = h->pair;

            h->last |= p->gone;
            h->pair = NULL;
            h1_pair_give_back(p);
            end(h);
            return;
        }
        if (h->pair->gone)
            lose(h, LOST_BY_SERVER, "libmicrohttpd gave the response up");
    }
    if (h->own) {
        bool empty = h->stops ? h1_stop_drain(h) : drain_own(h);

        if (h->mode == H1_SERVING && empty)
            end(h);
    }
}

/* The client sends nothing more: what is still open of a request will never be whole. */
static void settle_end_of_input(struct h1 *h)
{
    if (h->open && h->in.at != H1_WHOLE && !h->own && !h->early) {
        lose(h, h->ended_by, h->input_ended);
        settle_exchange(h);
    }
    if (!h->open && h->mode == H1_SERVING)
        finish(h);
}

/* No further request is to be served. */
static bool is_over(const struct h1 *h)
{
    return h->input_ended || (!h->open && (h->last || h->stopping));
}

/* Goes as far as it goes now: an exchange that ends makes way for a pipelined request. */
static void settle(struct h1 *h)
{
    bool again = true;

    if (h->working || h->mode != H1_SERVING || h->finished)
        return;
    h->working = true;
    while (again) {
        bool was_open = h->open;

        if (h->open && h->seen && h->in.at == H1_WHOLE)
            tell_complete(h); /* a hold was in the way of it */
        if (h->open)
            settle_exchange(h);
        again = was_open && !h->open;
        if (h->mode == H1_SERVING && !h->finished && buf_len(&h->pending) && h->in.at != H1_WHOLE)
            serve_pending(h);
        if (h->mode == H1_SERVING && !h->finished && buf_len(&h->pending) == 0 && is_over(h))
            settle_end_of_input(h);
        again &= h->open && h->mode == H1_SERVING;
    }
    h->working = false;
}

/* Is libmicrohttpd at it, so that the next run may bring something? */
static bool is_busy(const struct h1 *h)
{
    return h->mode == H1_SERVING && h->open && !h->finished && h->pair && !h->pair->suspended;
}

static void after_run(void)
{
    struct link now;

    if (link_empty(&busy))
        return;
    now = busy;
    now.next->prev = now.prev->next = &now;
    link_init(&busy);
    while (!link_empty(&now)) {
        struct h1 *h = link_entry(now.next, struct h1, busy);

        link_remove(&h->busy);
        settle(h);
        if (is_busy(h) && link_empty(&h->busy))
            link_append(&busy, &h->busy);
    }
}

static void pump(struct engine *e)
{
    settle(h1_of(e));
}

static void peer_closed(struct engine *e)
{
    struct h1 *h = h1_of(e);

    h->ended_by = LOST_BY_CLIENT_FIN;
    h->input_ended = "the client ended the connection within the request";
    h1_wake(h);
}

/* The last response of the connection, unless it only says so. */
static int respond_ourselves(struct h1 *h, const struct response *response)
{
    bool head = h->seen && strcmp(h->ex.request.method, "HEAD") == 0;
    size_t before = buf_len(&h->out); /* a 100 (Continue) */
    bool goes_on = response->framing == FRAMING_CHUNKED && !h->stopping && h1_persists(h) &&
                   !h1_response_closes(response);
    bool last = h->in.at != H1_WHOLE || !(goes_on || response->stays);
    int err = h1_response_write(response, head, last || response->stays, &h->out);

    h->own = true;
    if (last)
        h->last = h->drops_input = true;
    if (err)
        buf_free(&h->out);
    else if (h->stop)
        h1_stop_count(h, before);
    h1_wake(h);
    return err;
}

/* Whether the connection goes on behind an early response. */
static bool reads_on(const struct h1 *h, const struct response *response)
{
    return response->reads_on && h->in.at == H1_IN_BODY && !h->stopping && !h->input_ended &&
           h1_persists(h) && !h1_response_closes(response);
}

static int respond(struct exchange *ex, const struct response *response)
{
    struct h1 *h = h1_of(ex->engine);
    int err;

    if (h->mode == H1_WATCHING || h->answered || h->own) {
        if (response->release)
            response->release(response->release_arg);
        return h->answered && h->mode != H1_WATCHING ? -EALREADY : 0;
    }
    h->answered = true;
    if (h->stop)
        h1_stop_length(h, response);
    h->early = reads_on(h, response);
    err = response->stays || response->framing != FRAMING_LENGTH ? -EBUSY /* not libmicrohttpd's */
          : h->in.at == H1_WHOLE || h->early                     ? h1_pass_on(h)
                                                                 : -EBUSY;
    if (!err) {
        h->completed |= h->early; /* nothing more is told of it */
        h->dropped = 0;
        h1_spelling_begin(&h->spelling, response);
        err = h1_response_make(response, h->stopping, h1_persists(h), &h->response);
        h->status = response->status;
        h1_wake(h);
    } else {
        if (err != -EBUSY) {
            static struct log_gate gate;
            log_sometimes(&gate, LOG_WARN, "a connection closes with its next response: %s",
                          strerror(-err));
        }
        h->early = false;
        err = respond_ourselves(h, response);
    }
    if (err)
        lose(h, LOST_BY_SERVER,
             err == -EINVAL ? "the response cannot be sent over HTTP" : "out of memory");
    return err;
}

static bool expects(const struct exchange *ex)
{
    return h1_of(ex->engine)->expects;
}

static void no_continue(struct exchange *ex)
{
    h1_of(ex->engine)->expects = false;
}

static bool takes_interim(const struct exchange *ex)
{
    return h1_of(ex->engine)->in.minor > 0;
}

static int interim(struct exchange *ex, const struct response *response)
{
    struct h1 *h = h1_of(ex->engine);
    int err =
        h->answered || h->mode != H1_SERVING ? -EALREADY : h1_response_interim(response, &h->out);

    if (err)
        return err;
    if (response->status == 100)
        h->expects = false;
    h1_wake(h);
    return 0;
}

static void shut_down(struct engine *e)
{
    struct h1 *h = h1_of(e);

    h->stopping = true;
    if (!h->open && h->mode == H1_SERVING)
        finish(h);
}

/* --- Beginning and end */

static void destroy(struct engine *e)
{
    struct h1 *h = h1_of(e);

    assert(!h->working);
    h1_drop_pair(h);
    if (h->open) {
        h->open = false;
        calls(h)->lost(h->base.host, &h->ex, "the connection ended");
    }
    h1_drop_response(h);
    h1_stop_end(h);
    h1_watch_end(h);
    link_remove(&h->busy);
    h1_head_free(&h->in);
    buf_free(&h->pending);
    buf_free(&h->out);
    free(h);
}

static const struct engine_ops h1_ops = {
    .protocol = &protocols[PROTOCOL_H1],
    .input = input,
    .pump = pump,
    .peer_closed = peer_closed,
    .full = is_full,
    .respond = respond,
    .expects = expects,
    .no_continue = no_continue,
    .takes_interim = takes_interim,
    .interim = interim,
    .stop_at = h1_stop_at,
    .continue_response = h1_stop_continue,
    .said_all = h1_stop_said_all,
    .said = h1_stop_said,
    .content = h1_stop_content,
    .shutdown = shut_down,
    .watch = h1_watch,
    .watch_flush = h1_watch_flush,
    .resume = h1_watch_resume,
    .destroy = destroy,
};

int h1_start(struct uv_loop_s *loop)
{
    return h1_pair_start(loop, h1_pass_handle, after_run);
}

void h1_stop(void)
{
    h1_pair_stop();
}

int h1_create(const struct engine_host *host_calls, void *host, struct engine **out)
{
    struct h1 *h = calloc(1, sizeof *h);

    if (!h)
        return -ENOMEM;
    h->base = (struct engine){ &h1_ops, host_calls, host };
    link_init(&h->busy);
    *out = &h->base;
    return 0;
}
