/* pace.c - the times of a pace. See pace.h.
 *
 * Byte i of a rate (from 0) may leave at since + i / rate. The first byte leaves alone, so that a
 * reader sees it at the time from which the others count; then what becomes due within 20 ms
 * leaves in one piece, at the time of its last byte.
 */
#include "wire/pace.h"

#include "base/limits.h"

#include "base/clock.h"

#define PIECES 50 /* a second */

/* What is late by more than this (the peer did not read, the machine was asleep) is not made up
 * for: that would be a burst. */
#define LATE_MAX (250 * NS_PER_MS)

_Static_assert(PACE_CHUNK_MAX <= LIMIT_PIECE, "a piece must be able to wait as a whole");

static int64_t timer_of(const struct pace *p, uint64_t n)
{
    if (!p->rate)
        return p->since + (n ? p->every : 0); /* n is 0 or 1 */
    return p->since + (int64_t)((n * NS_PER_S + p->rate - 1) / p->rate);
}

/* Counts from this time on. */
static void restart(struct pace *p, int64_t since)
{
    p->since = since;
    p->sent = 0;
}

static void change(struct pace *p, const struct pace *to, int64_t now)
{
    bool was_set = pace_is_set(p);
    if (p->rate == to->rate && p->chunk == to->chunk && p->every == to->every)
        return;
    int64_t next = timer_of(p, p->sent), then;
    p->rate = to->rate;
    p->chunk = to->chunk;
    p->every = to->every;
    if (!pace_is_set(p))
        return;
    restart(p, p->last);
    then = timer_of(p, 1);
    restart(p, !was_set || !p->used ? now : next < then ? next : then);
}

void pace_set_rate(struct pace *p, uint32_t rate, int64_t now)
{
    change(p, &(struct pace){ .rate = rate }, now);
}

void pace_set_drops(struct pace *p, uint32_t chunk, int64_t every, int64_t now)
{
    change(p, &(struct pace){ .chunk = chunk, .every = every }, now);
}

void pace_begin(struct pace *p, int64_t now)
{
    if (timer_of(p, p->sent) <= now)
        restart(p, now);
}

int64_t pace_due(const struct pace *p, size_t waiting)
{
    uint64_t piece = p->rate / PIECES;
    if (!p->rate || p->sent == 0 || piece < 1)
        piece = 1;
    if (piece > PACE_CHUNK_MAX)
        piece = PACE_CHUNK_MAX;
    return timer_of(p, p->sent + (piece < waiting ? piece : waiting) - 1);
}

size_t pace_room(const struct pace *p, size_t waiting, int64_t now)
{
    if (now < pace_due(p, waiting))
        return 0;
    if (!p->rate)
        return waiting < p->chunk ? waiting : p->chunk;
    int64_t late = now - timer_of(p, p->sent);
    uint64_t more = late < LATE_MAX ? (uint64_t)late * p->rate / NS_PER_S : 0;
    if (p->sent == 0 || more > PACE_CHUNK_MAX - 1)
        more = p->sent == 0 ? 0 : PACE_CHUNK_MAX - 1;
    return waiting < 1 + more ? waiting : (size_t)(1 + more);
}

void pace_left(struct pace *p, size_t n, int64_t now)
{
    if (now - timer_of(p, p->sent) >= LATE_MAX)
        restart(p, now);
    p->used = true;
    p->last = now;
    p->sent += p->rate ? n : 1;
    if (!p->rate) {
        restart(p, timer_of(p, p->sent));
        return;
    }
    while (p->sent >
           p->rate) { /* so that the numbers stay small; never 0: that is the first byte */
        p->sent -= p->rate;
        p->since += NS_PER_S;
    }
}
