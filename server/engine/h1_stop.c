/* h1_stop.c - responses that stop at an octet: engine_stop_at, engine_continue.
 *
 * An exchange with a place to stop at is drained here instead of in h1.c. What is there to go out
 * is looked at and only taken as far as the next place, so that nothing of it has to be kept: the
 * rest stays where it is, in libmicrohttpd's pair or in out. Where the content begins is found by
 * reading along. libmicrohttpd's own messages (an interim 100 before the response; a refusal when
 * it never gets to one) are not the response: nothing is counted before the response is queued, nor
 * what was in the pair by then.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/h1_impl.h"

#define CHUNK (16 * 1024)

struct h1_stop {
    bool set[2]; /* by enum engine_stop */
    uint64_t at[2];
    bool stopped; /* until engine_continue */
    bool in_content;
    unsigned line_ends; /* in the header section: how much of its end the last octets are */
    size_t before;      /* octets to come before the response */
    uint64_t octets;    /* of the response that were given to output() ... */
    uint64_t content;   /* ... and of its content, */
    uint64_t of;        /* which is so long */
};

static uint64_t reached(const struct h1_stop *s, enum engine_stop of)
{
    return of == STOP_OCTETS ? s->octets : s->content;
}

int h1_stop_at(struct exchange *ex, enum engine_stop of, uint64_t n)
{
    struct h1 *h = h1_of(ex->engine);

    if (h->mode == H1_WATCHING)
        return 0;
    if (h->stop ? n < reached(h->stop, of) : h->answered)
        return -EINVAL;
    if (!h->stop && !(h->stop = calloc(1, sizeof *h->stop)))
        return -ENOMEM;
    h->stop->set[of] = true;
    h->stop->at[of] = n;
    return 0;
}

void h1_stop_continue(struct exchange *ex)
{
    struct h1 *h = h1_of(ex->engine);

    if (!h->stop || !h->stop->stopped)
        return;
    h->stop->stopped = false;
    h1_wake(h);
}

bool h1_stop_said_all(const struct exchange *ex)
{
    const struct h1 *h = h1_of(ex->engine);

    if (!h->answered || h->lost_why)
        return false;
    if (h->own)
        return buf_len(&h->out) == 0;
    return h->pair && h->pair->answered && h1_pair_unread(h->pair) == 0;
}

uint64_t h1_stop_said(const struct exchange *ex, enum engine_stop of)
{
    const struct h1 *h = h1_of(ex->engine);

    return h->stop ? reached(h->stop, of) : 0;
}

bool h1_stop_content(const struct exchange *ex, uint64_t *said, uint64_t *of)
{
    const struct h1 *h = h1_of(ex->engine);

    if (!h->stop || !h->answered)
        return false;
    *said = h->stop->content;
    *of = h->stop->of;
    return true;
}

void h1_stop_length(struct h1 *h, const struct response *response)
{
    bool none = response_has_no_content(response->status) ||
                (h->seen && strcmp(h->ex.request.method, "HEAD") == 0);

    h->stop->of = none ? 0 : h1_response_content(response);
}

void h1_stop_count(struct h1 *h, size_t before)
{
    h->stops = true;
    h->stop->before = before;
}

void h1_stop_end(struct h1 *h)
{
    free(h->stop);
    h->stop = NULL;
    h->stops = false;
}

static bool is_place(const struct h1_stop *s, enum engine_stop of)
{
    if (!s->set[of] || s->before)
        return false;
    return of == STOP_OCTETS ? s->octets == s->at[of] : s->in_content && s->content == s->at[of];
}

/* Stops where it has to; false when nothing may be put out now. */
static bool may_continue(struct h1 *h)
{
    struct h1_stop *s = h->stop;

    for (enum engine_stop of = STOP_OCTETS; of <= STOP_CONTENT; of++) {
        if (s->stopped || h->mode != H1_SERVING)
            return false;
        if (!is_place(s, of))
            continue;
        s->set[of] = false;
        s->stopped = true;
        h->base.calls->stopped(h->base.host, &h->ex, of);
    }
    return !s->stopped && h->mode == H1_SERVING;
}

/* How many of these octets are left of the header section (RFC 9112 2.1: up to an empty line). */
static size_t to_content(struct h1_stop *s, const uint8_t *bytes, size_t n)
{
    static const char end[] = "\r\n\r\n";
    size_t i = 0;

    while (i < n && s->line_ends < 4) {
        if (bytes[i] == (uint8_t)end[s->line_ends])
            s->line_ends++;
        else
            s->line_ends = bytes[i] == '\r';
        i++;
    }
    return i;
}

static size_t at_most(size_t n, uint64_t most)
{
    return n < most ? n : (size_t)most;
}

/* How many of these octets go out before it stops or the header section ends; they are counted. */
static size_t count(struct h1_stop *s, const uint8_t *bytes, size_t n)
{
    if (s->before) {
        n = at_most(n, s->before);
        s->before -= n;
        return n;
    }
    if (s->set[STOP_OCTETS])
        n = at_most(n, s->at[STOP_OCTETS] - s->octets);
    if (s->in_content && s->set[STOP_CONTENT])
        n = at_most(n, s->at[STOP_CONTENT] - s->content);
    if (s->in_content)
        s->content += n;
    else
        n = to_content(s, bytes, n);
    s->in_content = s->line_ends == 4;
    s->octets += n;
    return n;
}

/* The next octets to go out, without taking them. */
static size_t look(const struct h1 *h, uint8_t *bytes, size_t size)
{
    if (!h->own)
        return h1_pair_peek(h->pair, bytes, size);
    size = at_most(size, buf_len(&h->out));
    if (size)
        memcpy(bytes, buf_bytes(&h->out), size);
    return size;
}

static void take(struct h1 *h, uint8_t *bytes, size_t n)
{
    if (h->own)
        buf_consume(&h->out, n);
    else
        h1_spelling_apply(&h->spelling, bytes, h1_pair_read(h->pair, bytes, n));
}

bool h1_stop_drain(struct h1 *h)
{
    static uint8_t bytes[CHUNK];
    size_t room, n;

    while (may_continue(h) && (room = h->base.calls->room(h->base.host))) {
        n = look(h, bytes, at_most(room, sizeof bytes));
        if (n == 0)
            return true;
        n = count(h->stop, bytes, n);
        if (n == 0)
            continue; /* a place was set where it stands */
        take(h, bytes, n);
        if (!h->own && !h->pair->answered)
            h1_pair_kick(); /* the pair may have been full */
        h->base.calls->output(h->base.host, bytes, n);
    }
    return false;
}
