/* h1_watch.c - the witness: requests that arrive while the engine does not serve (engine.h).
 *
 * A second h1_head continues where the first one stands, so that the rest of a request that has
 * begun belongs to it. Then it reads what is pending: pipelined requests, which nobody will begin
 * now. The first one stays as it is, for engine_resume.
 *
 * What is held is read twice, by the witness and when it is served; and once more by the witness of
 * another hold that begins before all of it was served. `told` keeps the latter quiet about what
 * was reported before.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "engine/h1_impl.h"

static struct exchange *exchange(struct h1 *h)
{
    return h->of_open ? &h->ex : NULL;
}

/* The request that it reads: the open one's head may have been taken before it began. */
static const struct request *request(const struct h1 *h, const struct h1_head *head)
{
    static const struct request nothing = { .method = "", .target = "", .authority = "" };

    if (h->of_open && h->seen)
        return &h->ex.request;
    return head->request.method ? &head->request : &nothing;
}

static void report(struct h1 *h, const struct h1_head *head, enum engine_witnessed what)
{
    h->base.calls->stale_request(h->base.host, exchange(h), request(h, head), 0, what);
}

/* It has read the last octet of a request. */
static void next(struct h1 *h, bool quiet)
{
    if (!quiet && !h->of_rest && !(h->of_open && (h->completed || h->lost_why)))
        h->base.calls->stale_complete(h->base.host, exchange(h), request(h, h->witness), 0);
    h->of_open = h->of_rest = h->flushed = false;
    if (h->witness)
        h1_head_next(h->witness);
}

static void witness(struct h1 *h, const uint8_t *bytes, size_t n, bool quiet)
{
    struct h1_head *w;

    while ((w = h->witness) && n && w->at != H1_BROKEN) {
        enum h1_at was = w->at;
        bool content = h1_head_in_content(w);
        size_t part = h1_head_feed(w, bytes, n);

        if (was == H1_BETWEEN && w->at == H1_IN_HEAD)
            w->begun_at = h->kept_at ? h->kept_at : clock_now();
        if (!quiet && was == H1_IN_HEAD && w->at != H1_IN_HEAD)
            report(h, w,
                   w->at == H1_BROKEN  ? WITNESSED_PART
                   : w->at == H1_WHOLE ? WITNESSED_WHOLE
                                       : WITNESSED_HEAD);
        if (!quiet && !h->of_rest && content && part)
            h->base.calls->stale_body(h->base.host, exchange(h), bytes, part, 0);
        if (w->at == H1_WHOLE)
            next(h, quiet);
        bytes += part;
        n -= part;
    }
}

/* Octets behind those that the witness has read. */
static void read_on(struct h1 *h, const uint8_t *bytes, size_t n)
{
    size_t again = n < h->quiet ? n : h->quiet;

    if (n == 0) /* bytes may be NULL */
        return;
    h->quiet -= again;
    h->told += n - again;
    witness(h, bytes, again, true);
    witness(h, bytes + again, n - again, false);
}

void h1_watch_input(struct h1 *h, const uint8_t *bytes, size_t n)
{
    if (h->mode == H1_HOLDING)
        h1_keep(h, bytes, n);
    read_on(h, bytes, n);
}

static void begin(struct h1 *h)
{
    h->flushed = false;
    h->quiet = h->told;
    h->of_open = h->open;
    h->of_rest = h->early;
    h->witness = calloc(1, sizeof *h->witness);
    if (!h->witness)
        return;
    if (h1_head_copy(h->witness, &h->in)) {
        h1_watch_end(h);
        return;
    }
    if (h->witness->at == H1_WHOLE)
        next(h, false);
    h->kept_at = h->pending_at;
    read_on(h, buf_bytes(&h->pending), buf_len(&h->pending));
    h->kept_at = 0;
}

void h1_watch_end(struct h1 *h)
{
    if (h->witness)
        h1_head_free(h->witness);
    free(h->witness);
    h->witness = NULL;
}

void h1_watch(struct engine *e, enum engine_watch how)
{
    struct h1 *h = h1_of(e);
    bool was_serving = h->mode == H1_SERVING;

    if (h->mode == H1_WATCHING || !h1_reads_on(h))
        return;
    h->mode = how == WATCH_HOLD ? H1_HOLDING : H1_WATCHING;
    if (was_serving)
        begin(h);
    if (how == WATCH_HOLD)
        return;
    h1_drop_pair(h);
    h1_drop_response(h);
    buf_free(&h->pending);
    buf_free(&h->out);
}

void h1_watch_flush(struct engine *e, bool begun)
{
    struct h1 *h = h1_of(e);
    struct h1_head part = { 0 }; /* the witness itself may have to continue */

    if (!h->witness || h->flushed || h->witness->at != H1_IN_HEAD || (begun && !h->of_open))
        return;
    h->flushed = true;
    if (h1_head_copy(&part, h->witness) == 0 && h1_head_partial(&part) == 0)
        report(h, &part, WITNESSED_PART);
    h1_head_free(&part);
}

void h1_watch_resume(struct engine *e)
{
    struct h1 *h = h1_of(e);

    if (h->mode != H1_HOLDING)
        return;
    h->mode = H1_SERVING;
    h1_watch_end(h);
    if (h->pair && h->pair->suspended)
        h1_pair_resume(h->pair);
    h1_wake(h);
}
