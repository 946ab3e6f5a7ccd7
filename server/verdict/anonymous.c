/* anonymous.c - calls that had begun before their first request: SYNs that were dropped, and
 * connections that got no further (R7).
 *
 * Nobody can tell how many calls wait for the same listener to answer: they are told as one, and
 * what begins long after the last sign of it is another.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "verdict/calls_parts.h"

static int by_begun(const void *x, const void *y)
{
    const struct silence *a = x, *b = y;
    return (a->begun.from > b->begun.from) - (a->begun.from < b->begun.from);
}

/* The fault that drops the SYNs at an age. */
static uint64_t dropping_at(const struct history *h, int64_t age)
{
    uint64_t seq = 0;
    const struct fault *f;
    for (size_t i = 0; (f = history_fault(h, i)); i++) {
        if (f->step == STEP_DROP_SYN && f->at <= age && f->in_effect != TRI_NO)
            seq = f->seq;
    }
    return seq;
}

/* A connection that a fault struck before it could carry a request, and on which the client had
 * something to say. One that dies idle was a spare: no call. */
static bool got_no_further(const struct history *h, const struct connection *c)
{
    const struct fault *f = c->fault ? history_find_fault(h, c->fault) : NULL;
    if (!f || c->requests || c->newest || c->opened == NEVER || !c->spoke)
        return false;
    switch (f->trigger) {
    case TRIGGER_LISTEN:
    case TRIGGER_ACCEPT:
    case TRIGGER_CLIENT_HELLO:
    case TRIGGER_HANDSHAKE:
    case TRIGGER_PROTOCOL:
    case TRIGGER_PEER: /* of its SETTINGS, it may be */
        return f->in_effect != TRI_NO;
    case TRIGGER_LATE: /* as what it had begun was not whole; an unused one is a spare */
        return f->in_effect != TRI_NO && !c->protocol;
    default:
        return false;
    }
}

static int64_t client_ended(const struct connection *c)
{
    return c->left == LEFT_FIN || c->left == LEFT_RST ? c->left_at : NEVER;
}

static void take(struct build *b, struct silence silence)
{
    b->silences[b->silence_count++] = silence;
}

/* What is of one listener and follows within `within` is one silence. */
static void merge(struct build *b)
{
    size_t kept = 0;
    for (size_t i = 0; i < b->silence_count; i++) {
        struct silence *s = &b->silences[i], *into = NULL;
        for (size_t k = 0; k < kept; k++) {
            if (b->silences[k].listener == s->listener &&
                s->begun.from <= b->silences[k].last + b->config->within)
                into = &b->silences[k];
        }
        if (!into) {
            b->silences[kept++] = *s;
            continue;
        }
        into->last = s->last > into->last ? s->last : into->last;
        into->ended = into->ended == NEVER || s->ended == NEVER ? NEVER
                      : s->ended > into->ended                  ? s->ended
                                                                : into->ended;
    }
    b->silence_count = kept;
}

int silences_find(struct build *b)
{
    const struct lost_syns *syns;
    const struct connection *c;
    size_t max = 1;
    while (history_lost_syns(b->h, max - 1))
        max++;
    for (size_t i = 0; (c = history_connection(b->h, i)); i++)
        max += got_no_further(b->h, c);
    b->silences = calloc(max, sizeof *b->silences);
    if (!b->silences)
        return -ENOMEM;
    for (size_t i = 0; (syns = history_lost_syns(b->h, i)); i++)
        take(b, (struct silence){ .listener = syns->listener.hash,
                                  .begun = syns->first,
                                  .last = syns->last,
                                  .fault = dropping_at(b->h, syns->first.to),
                                  .ended = NEVER });
    for (size_t i = 0; (c = history_connection(b->h, i)); i++) {
        int64_t left = client_ended(c);
        if (got_no_further(b->h, c))
            take(b, (struct silence){ .listener = c->listener.hash,
                                      .begun = { c->opened, c->opened },
                                      .last = c->ended != NEVER ? c->ended
                                              : left != NEVER   ? left
                                                                : history_age(b->h),
                                      .fault = c->fault,
                                      .ended = left });
    }
    qsort(b->silences, b->silence_count, sizeof *b->silences, by_begun);
    merge(b);
    return 0;
}

size_t silence_before(const struct build *b, const struct entry *e)
{
    const struct connection *c = history_find_connection(b->h, e->attempt->connection);
    if (!c || c->opened == NEVER || e->attempt->reused != TRI_NO)
        return 0; /* a connection that lives is not kept from anything */
    for (size_t i = 0; i < b->silence_count; i++) {
        const struct silence *s = &b->silences[i];
        if (!s->taken && s->listener == c->listener.hash && s->begun.from <= c->opened)
            return i + 1;
    }
    return 0;
}
