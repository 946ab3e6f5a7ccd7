/* places.c - places in a response at which rules fire.
 *
 * The engine stops the response behind the byte that a rule names. The rule fires when the wire has
 * handed that byte to the kernel: at once, or when the wire makes progress. From the stop until the
 * engine is told to continue the response stands; it continues when no rule holds it, and the next
 * place has been told to the engine by then.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "run/exchange.h"

static const enum trigger_slot slots[STOP_KINDS] = {
    [STOP_OCTETS] = ON_RESPONSE_BYTES,
    [STOP_CONTENT] = ON_RESPONSE_CONTENT,
};

/* Tells the engine of the next place behind one that is passed; -1: none is. */
static void set_next(struct session_exchange *sx, enum engine_stop of, int64_t passed)
{
    struct exchanges *xs = sx->xs;
    sx->place[of] = mode_next_place(xs->mode, &sx->mx, slots[of], passed);
    if (sx->place[of] < 0)
        return;
    int error = engine_stop_at(sx->mx.ex, of, (uint64_t)sx->place[of]);
    if (error) {
        static struct log_gate gate;
        log_sometimes(&gate, LOG_WARN, "connection %llu: a response cannot be stopped: %s",
                      (unsigned long long)xs->id, strerror(-error));
    }
}

void places_begin(struct session_exchange *sx)
{
    for (unsigned of = 0; of < STOP_KINDS; of++)
        if (mode_has(sx->xs->mode->program, slots[of]))
            set_next(sx, (enum engine_stop)of, -1);
}

static void forget(struct session_exchange *sx, unsigned kinds)
{
    if (sx->stopped && !(sx->stopped & ~kinds))
        sx->xs->stops--;
    sx->stopped &= (uint8_t)~kinds;
}

void places_forget(struct session_exchange *sx)
{
    forget(sx, UINT8_MAX);
}

void places_end(struct session_exchange *sx)
{
    for (unsigned of = 0; of < STOP_KINDS; of++)
        if (sx->place[of] >= 0)
            sx->said[of] = engine_said(sx->mx.ex, (enum engine_stop)of);
}

void places_tell_missed(const struct session_exchange *sx)
{
    static const char *const names[STOP_KINDS] = {
        [STOP_OCTETS] = "bytes", [STOP_CONTENT] = "content"
    };
    struct ledger *l = sx->xs->ledger;
    char why[128];
    for (unsigned of = 0; of < STOP_KINDS; of++) {
        if (sx->place[of] < 0 || (uint64_t)sx->place[of] <= sx->said[of])
            continue;
        snprintf(why, sizeof why,
                 "the response ended %" PRIu64 " octets before the place \"%s:%" PRId64 "\"",
                 (uint64_t)sx->place[of] - sx->said[of], names[of], sx->place[of]);
        ledger_begin(l, EV_WARNING, sx->xs->id, sx->copy.nth);
        ledger_text(l, F_MODE_NAME, sx->xs->mode->program->name);
        ledger_text(l, F_WHY, why);
        ledger_commit(l);
    }
}

static bool is_reached(const struct session_exchange *sx)
{
    const struct exchanges *xs = sx->xs;
    return sx->stopped && exchange_may_say(xs) && wire_handed(xs->wire) >= sx->stop_mark;
}

/* Fires the rules of the places at which it stands; their steps may end it. */
static void reach(struct session_exchange *sx)
{
    while (is_reached(sx)) {
        enum engine_stop of = sx->stopped & (1u << STOP_OCTETS) ? STOP_OCTETS : STOP_CONTENT;
        int64_t place = sx->place[of];
        forget(sx, 1u << of);
        exchange_pin(sx);
        mode_fire_at(sx->xs->mode, slots[of], &sx->mx, (uint64_t)place);
        if (!exchange_unpin(sx) || !sx->mx.standing)
            return;
        set_next(sx, of, place);
    }
    places_continue(sx);
}

void places_stopped(void *host, struct exchange *ex, enum engine_stop of)
{
    struct exchanges *xs = host;
    struct session_exchange *sx = ex->data;
    if (!sx || wire_state(xs->wire) == WIRE_CLOSED)
        return;
    if (!sx->stopped)
        xs->stops++;
    sx->stopped |= (uint8_t)(1u << of);
    sx->mx.standing = true;
    sx->stop_mark = wire_queued(xs->wire);
    sx->stop_counted = engine_content(ex, &sx->stop_content, &sx->content_of);
    if (is_reached(sx))
        reach(sx);
}

void places_continue(struct session_exchange *sx)
{
    struct exchanges *xs = sx->xs;
    if (!sx->mx.standing || sx->stopped || sx->pins > 0 || sx->mx.gates > 0 ||
        !exchange_may_say(xs))
        return;
    sx->mx.standing = false;
    engine_continue(sx->mx.ex);
}

void places_look(struct exchanges *xs)
{
    struct link *i = xs->unanswered.next;
    while (xs->stops > 0 && i != &xs->unanswered) {
        struct session_exchange *sx = link_entry(i, struct session_exchange, link);
        i = i->next;
        if (sx->pins == 0 && is_reached(sx)) {
            reach(sx); /* which may end any of them */
            i = xs->unanswered.next;
        }
    }
}
