/* h1_watch.c - the witness: requests that arrive while the engine does not serve (engine.h).
 *
 * A second h1_head goes on where the first one stands, so that the rest of a body is not taken for
 * a request. It begins with what is pending: pipelined requests, which nobody will begin now. The
 * first one stays as it is, for engine_resume.
 */
#include <stdlib.h>

#include "engine/h1_impl.h"

static void report(struct h1 *h, const struct request *request, bool whole)
{
    static const struct request nothing = { "", "", "", NULL, 0 };

    h->base.calls->stale_request(h->base.host, request->method ? request : &nothing, 0, whole);
}

static void witness(struct h1 *h, const uint8_t *bytes, size_t n)
{
    struct h1_head *w = h->witness;

    while (w && n && w->at != H1_BROKEN && !h->flushed) {
        enum h1_at was = w->at;
        size_t part = h1_head_feed(w, bytes, n);

        if (was == H1_IN_HEAD && w->at != H1_IN_HEAD)
            report(h, &w->request, w->at != H1_BROKEN);
        if (w->at == H1_WHOLE)
            h1_head_next(w);
        bytes += part;
        n -= part;
    }
}

void h1_watch_input(struct h1 *h, const uint8_t *bytes, size_t n)
{
    if (h->mode == H1_HOLDING)
        h1_keep(h, bytes, n);
    witness(h, bytes, n);
}

static void begin(struct h1 *h)
{
    h->flushed = false;
    h->witness = calloc(1, sizeof *h->witness);
    if (!h->witness)
        return;
    if (h1_head_copy(h->witness, &h->in)) {
        h1_watch_end(h);
        return;
    }
    if (h->witness->at == H1_WHOLE)
        h1_head_next(h->witness);
    witness(h, buf_bytes(&h->pending), buf_len(&h->pending));
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

    if (h->mode == H1_WATCHING || h->finished)
        return;
    h->mode = how == WATCH_HOLD ? H1_HOLDING : H1_WATCHING;
    if (was_serving)
        begin(h);
    if (how == WATCH_HOLD)
        return;
    h1_drop_pair(h);
    h1_drop_answer(h);
    buf_free(&h->pending);
    buf_free(&h->out);
}

bool h1_watch_whole(struct engine *e)
{
    const struct h1 *h = h1_of(e);

    return !h->witness || h->flushed || h->witness->at != H1_IN_HEAD;
}

void h1_watch_flush(struct engine *e)
{
    struct h1 *h = h1_of(e);

    if (h1_watch_whole(e))
        return;
    h->flushed = true;
    if (h1_head_partial(h->witness) == 0)
        report(h, &h->witness->request, false);
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
