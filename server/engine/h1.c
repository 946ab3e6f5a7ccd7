/* h1.c - the HTTP/1.1 engine: libmicrohttpd, given one message at a time.
 *
 * The way of a request: input goes through h1_head, which finds where a message begins and ends and
 * refuses what is not HTTP/1.x. A whole head takes a libmicrohttpd connection out of stock
 * (h1_pair) and goes into it, the body behind it as it comes. At the end of the turn libmicrohttpd
 * runs: it calls on_request (headers, body, complete), waits there for the host's answer, and
 * writes the response into the pair, from where settle() hands it out. What the client has
 * pipelined behind the message stays in pending until the exchange is over, so that a request
 * begins when the one before it ended, and a connection can be cut at any of these points without
 * libmicrohttpd knowing of it.
 *
 * What never gets through libmicrohttpd: refusals (400, 414, 431 ...) and early answers, to a
 * request of which not all has come. They are written by ourselves (h1_response), end the
 * connection, and the rest of the input is dropped.
 *
 * Who may call the host when: begin comes from engine_input; headers, body and complete from inside
 * a run of libmicrohttpd; output, responded, lost and finished only from settle(), which is behind
 * each run and in engine_pump. The busy list has the engines that the next settling is about.
 * `working` keeps settle() out while a callback further up the stack is still using the engine.
 *
 * While watching, on_request suspends the connection (h1_pair_suspend) whatever libmicrohttpd
 * wanted, settle() does nothing, and a witness (a second h1_head, from where the first one stands)
 * reads the input; WATCH_HOLD keeps it in pending as well.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "engine/h1_impl.h"
#include "engine/h1_response.h"

#define PENDING_MAX (256 * 1024) /* pipelined or held input */
#define BACKLOG_MAX (256 * 1024) /* of a body, waiting for libmicrohttpd to read it */
#define CHUNK_OUT   (64 * 1024)

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

void h1_drop_answer(struct h1 *h)
{
    if (h->answer)
        MHD_destroy_response(h->answer);
    h->answer = NULL;
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
    h->finished = h->deaf = true;
    calls(h)->finished(h->base.host);
}

/* --- Exchanges */

static void begin(struct h1 *h)
{
    h->ex = (struct exchange){ .engine = &h->base, .nth = ++h->nth };
    h->open = true;
    h->seen = h->completed = h->answered = h->own = false;
    h->lost_why = NULL;
    h->seen_status = 0;
    calls(h)->begin(h->base.host, &h->ex);
}

/* The open exchange is over, and with it the connection if it was the last one. */
static void end(struct h1 *h)
{
    h->open = false;
    h1_drop_answer(h);
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
static void lose(struct h1 *h, const char *why)
{
    h1_drop_pair(h);
    h->lost_why = why;
    h->own = h->last = h->deaf = true;
    h1_wake(h);
}

/* The request is answered by ourselves and never will be by the host. 503 is our own trouble. */
static void refuse(struct h1 *h, int status, const char *why)
{
    if (status != 503)
        calls(h)->protocol_error(h->base.host, why);
    if (h->mode == H1_WATCHING)
        return;
    if (!h->answered && h1_response_refuse(status, why, &h->out))
        buf_free(&h->out);
    lose(h, why);
}

/* --- Input */

/* Gives the message's bytes to libmicrohttpd. */
static void pass_on(struct h1 *h, const uint8_t *bytes, size_t n)
{
    if (h->pair && h1_pair_write(h->pair, bytes, n))
        refuse(h, 503, "out of memory");
    h1_wake(h);
}

/* What of a head libmicrohttpd needs to know: how the message is framed and whether the connection
 * persists. The host is told of the whole head by our own parser, and a small one leaves
 * libmicrohttpd's memory small, which it clears for each request (and 0.9.75 loops for ever when
 * the tables it makes of a query or of cookies do not fit). */
static bool frames_the_message(const struct header *f)
{
    static const char *const names[] = { "Connection", "Content-Length", "Transfer-Encoding",
                                         "Expect" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (f->name_len == strlen(names[i]) && strncasecmp(f->name, names[i], f->name_len) == 0)
            return true;
    return false;
}

static int short_head(const struct h1_head *in, struct buf *out)
{
    buf_printf(out, "%s / HTTP/1.%d\r\nHost: x\r\n", in->request.method, in->minor);
    for (size_t i = 0; i < in->request.header_count; i++) {
        const struct header *f = &in->headers[i];
        if (frames_the_message(f))
            buf_printf(out, "%.*s: %.*s\r\n", (int)f->name_len, f->name, (int)f->value_len,
                       f->value);
    }
    return buf_text(out, "\r\n");
}

static void pass_head_on(struct h1 *h)
{
    int err = h1_pair_take(h, &h->pair);

    if (err) {
        static struct log_gate gate;
        log_sometimes(&gate, LOG_WARN, "cannot serve a request: %s", strerror(-err));
        refuse(h, 503, "no descriptors or memory left to serve it");
        return;
    }
    static struct buf head; /* used up here; kept, so that a request costs no allocation */
    buf_consume(&head, buf_len(&head));
    if (short_head(&h->in, &head)) {
        buf_free(&head);
        refuse(h, 503, "out of memory");
        return;
    }
    pass_on(h, buf_bytes(&head), buf_len(&head));
}

/* Takes input up to the end of a message, and returns how much. */
static size_t serve(struct h1 *h, const uint8_t *bytes, size_t n)
{
    size_t used = 0;

    while (used < n && h->mode == H1_SERVING && !h->deaf && h->in.at != H1_WHOLE) {
        enum h1_at was = h->in.at;
        bool extension = h->in.chunk == H1_CHUNK_EXTENSION;
        size_t part = h1_head_feed(&h->in, bytes + used, n - used);

        if (was == H1_BETWEEN && h->in.at == H1_IN_HEAD)
            begin(h);
        else if (h->in.at == H1_BROKEN)
            refuse(h, h->in.status, h->in.why);
        else if (was == H1_IN_BODY && part && !extension) /* 1.0.1 takes its LF for data */
            pass_on(h, bytes + used, part);
        else if (was == H1_IN_HEAD && h->in.at != H1_IN_HEAD)
            pass_head_on(h);
        used += part;
    }
    return h->deaf ? n : used;
}

void h1_keep(struct h1 *h, const uint8_t *bytes, size_t n)
{
    if (h->deaf || h->input_ended || n == 0)
        return;
    if (buf_len(&h->pending) + n <= PENDING_MAX && buf_add(&h->pending, bytes, n) == 0)
        return;
    h->pending.failed = false;
    h->input_ended = "more was pipelined or held than is kept (256 KiB)";
    if (h->mode == H1_SERVING)
        calls(h)->protocol_error(h->base.host, h->input_ended);
}

/* The client may send faster than libmicrohttpd reads in its turns. */
static void let_catch_up(struct h1 *h)
{
    size_t before;

    while (h->pair && (before = h1_pair_backlog(h->pair)) > BACKLOG_MAX) {
        h1_pair_run();
        if (h->pair && h1_pair_backlog(h->pair) >= before)
            break;
    }
}

static void input(struct engine *e, const uint8_t *bytes, size_t n)
{
    struct h1 *h = h1_of(e);

    if (h->finished || (h->mode == H1_SERVING && h->input_ended))
        return;
    if (h->mode == H1_SERVING && buf_len(&h->pending) == 0) {
        size_t used;

        h->working = true;
        used = serve(h, bytes, n);
        let_catch_up(h);
        h->working = false;
        bytes += used;
        n -= used;
    }
    if (h->mode == H1_SERVING)
        h1_keep(h, bytes, n);
    else
        h1_watch_input(h, bytes, n);
}

/* Goes on with what was pipelined or held. */
static void serve_pending(struct h1 *h)
{
    struct buf now = h->pending;
    size_t used;

    h->pending = (struct buf){ 0 };
    used = serve(h, buf_bytes(&now), buf_len(&now));
    buf_consume(&now, used);
    if (h->mode != H1_SERVING)
        h1_watch_input(h, buf_bytes(&now), buf_len(&now));
    if (h->mode != H1_SERVING || buf_len(&now) == 0)
        buf_free(&now);
    else
        h->pending = now;
}

/* --- libmicrohttpd wants the host to see or answer a request */

static enum MHD_Result queue_answer(struct h1 *h, struct h1_pair *p)
{
    struct MHD_Response *answer = h->answer;

    if (h->stop)
        h1_stop_count(h, h1_pair_unread(p));
    enum MHD_Result queued = MHD_queue_response(p->mhd, (unsigned)h->status, answer);

    h->answer = NULL;
    MHD_destroy_response(answer);
    return queued;
}

static enum MHD_Result on_request(struct h1_pair *p, const char *upload, size_t *n, bool first)
{
    struct h1 *h = p->owner;

    if (h->mode != H1_SERVING) {
        h1_pair_suspend(p);
        return MHD_YES;
    }
    if (first) {
        h->seen = true;
        h->ex.request = h->in.request;
        calls(h)->headers(h->base.host, &h->ex);
    } else if (*n) {
        if (!h->answered)
            calls(h)->body(h->base.host, &h->ex, upload, *n);
        *n = 0;
    } else {
        if (!h->completed) {
            h->completed = true;
            calls(h)->complete(h->base.host, &h->ex);
        }
        if (!p->owner)
            return MHD_NO;
        if (h->answer && h->mode == H1_SERVING)
            return queue_answer(h, p);
        h1_pair_suspend(p);
    }
    return p->owner ? MHD_YES : MHD_NO;
}

/* --- Output */

static void note_status(struct h1 *h, size_t n)
{
    const char *text = (const char *)out_bytes;

    if (n > 12 && memcmp(text, "HTTP/1.1 ", 9) == 0)
        h->seen_status = atoi(text + 9);
}

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
        if (!h->pair->answered)
            note_status(h, n);
        calls(h)->output(h->base.host, out_bytes, n);
        if (h->mode != H1_SERVING)
            return false;
    }
    if (any && !h->pair->answered)
        h1_pair_kick(); /* the pair may have been full */
    return empty;
}

/* Hands out what we wrote ourselves. Returns whether that is all. */
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

/* libmicrohttpd closed the connection before it had answered in full: on its own account. */
static void on_given_up(struct h1 *h)
{
    static char text[64];
    int status = h->seen_status;

    if (status >= 400)
        snprintf(text, sizeof text, "request refused by libmicrohttpd with %d", status);
    else
        snprintf(text, sizeof text, "request given up by libmicrohttpd");
    if (!h->answered)
        calls(h)->protocol_error(h->base.host, text);
    lose(h, text);
}

/* Ends the open exchange if it can be ended now. */
static void settle_exchange(struct h1 *h)
{
    if (h->pair && !h->own) {
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
            on_given_up(h);
    }
    if (h->own) {
        bool empty = h->stops ? h1_stop_drain(h) : drain_own(h);

        if (h->mode == H1_SERVING && empty)
            end(h);
    }
}

/* The client has said its last: what is still open of a request will never be whole. */
static void settle_end_of_input(struct h1 *h)
{
    if (h->open && h->in.at != H1_WHOLE && !h->own) {
        lose(h, h->input_ended);
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
        if (h->working) {
            h1_wake(h); /* this run was from inside let_catch_up: settled when input() is through */
            continue;
        }
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

    h->input_ended = "the client ended the connection within the request";
    h1_wake(h);
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
    if (h->in.at == H1_WHOLE) {
        err = h1_response_make(response, h->stopping, &h->answer);
        h->status = response->status;
    } else {
        bool head = h->seen && strcmp(ex->request.method, "HEAD") == 0;

        h1_drop_pair(h);
        h->own = h->last = h->deaf = true;
        err = h1_response_write(response, head, &h->out);
        if (err)
            buf_free(&h->out);
        else if (h->stop)
            h1_stop_count(h, 0);
        h1_wake(h);
    }
    if (err) {
        lose(h, err == -EINVAL ? "the response cannot be sent over HTTP" : "out of memory");
    } else if (h->pair && h->pair->suspended && h->mode == H1_SERVING) {
        h1_pair_resume(h->pair);
        h1_wake(h);
    }
    return err;
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
    h1_drop_answer(h);
    h1_stop_end(h);
    h1_watch_end(h);
    link_remove(&h->busy);
    h1_head_free(&h->in);
    buf_free(&h->pending);
    buf_free(&h->out);
    free(h);
}

static const struct engine_ops h1_ops = {
    .protocol = "http/1.1",
    .input = input,
    .pump = pump,
    .peer_closed = peer_closed,
    .respond = respond,
    .stop_at = h1_stop_at,
    .go_on = h1_stop_go_on,
    .said_all = h1_stop_said_all,
    .shutdown = shut_down,
    .watch = h1_watch,
    .watched_whole = h1_watch_whole,
    .watch_flush = h1_watch_flush,
    .resume = h1_watch_resume,
    .destroy = destroy,
};

int h1_start(struct uv_loop_s *loop)
{
    return h1_pair_start(loop, on_request, after_run);
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
