/* paused.c - what the server's own pauses may have changed of what the checks find.
 *
 * While it does not run, the server reads nothing, and what it was to send is late. What it read
 * right behind a pause may have come at any time in it, and what it did then it would have done
 * sooner. So everything is worked out twice: by the times as they are in the ledger, and with all
 * that was read or done right behind a pause at its beginning, in the same order. A check that
 * finds the same in both keeps it, whatever paused; another one is inconclusive. Nothing else is in
 * doubt: a pause between two things that were read in time changes neither.
 *
 * Where the machine slept, the clock of the ledger stood still, and that of a client on another
 * machine did not: what came behind that is later by so much.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "verdict/history_parts.h"
#include "verdict/verdict_parts.h"

struct kept {
    struct kept *next;
    void *place;
    size_t size;
    char was[];
};

/* --- Times */

static void shift(const struct history *h, int64_t *at)
{
    *at = history_early(h, *at) + history_slept(h, *at);
}

static void shift_span(const struct history *h, struct span *span)
{
    shift(h, &span->from);
    shift(h, &span->to);
}

static void shift_attempt(const struct history *h, void *item)
{
    struct attempt *a = item;
    int64_t idle_since = a->first_byte.to - a->idle_before;
    bool idle = a->idle_before != NEVER;
    for (int i = 0; i < PROGRESS_COUNT; i++)
        shift(h, &a->reached[i]);
    shift_span(h, &a->first_byte);
    shift(h, &idle_since);
    a->idle_before = idle ? a->first_byte.to - idle_since : NEVER;
    shift_span(h, &a->sent);
    shift_span(h, &a->acked);
    for (int i = 0; i < a->out_count; i++) {
        shift(h, &a->outs[i].from);
        shift(h, &a->outs[i].to);
        shift(h, &a->outs[i].since);
    }
    shift(h, &a->last_at);
}

static void shift_connection(const struct history *h, void *item)
{
    struct connection *c = item;
    int64_t *const times[] = { &c->opened,      &c->idle_since,     &c->dead,
                               &c->stale_bytes, &c->stale_last,     &c->no_use_at,
                               &c->left_at,     &c->shut_at,        &c->reset_at,
                               &c->said_at,     &c->settings_acked, &c->pings_ignored_at,
                               &c->pinged,      &c->ended };
    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        shift(h, times[i]);
    shift_span(h, &c->fell[0].at);
    shift_span(h, &c->fell[1].at);
}

static void shift_fault(const struct history *h, void *item)
{
    struct fault *f = item;
    shift(h, &f->at);
    shift(h, &f->ended);
    shift_span(h, &f->acked);
    shift(h, &f->crossed);
}

static void shift_mark(const struct history *h, void *item)
{
    shift_span(h, &((struct mark *)item)->at);
}

static void shift_gap(const struct history *h, void *item)
{
    struct gap *gap = item;
    shift(h, &gap->from);
    shift(h, &gap->to);
}

static void shift_syns(const struct history *h, void *item)
{
    struct lost_syns *syns = item;
    shift_span(h, &syns->first);
    shift(h, &syns->last);
    shift(h, &syns->ended);
}

static void shift_line(const struct history *h, void *item)
{
    shift(h, &((struct account_line *)item)->at);
}

static void shift_phase(const struct history *h, void *item)
{
    struct phase *p = item;
    shift(h, &p->begun);
    shift(h, &p->ended);
    shift(h, &p->exited);
}

static void shift_history(const struct history *h, void *item)
{
    struct history *own = item;
    shift(h, &own->age);
    shift(h, &own->unknown_until);
}

/* --- All of a phase */

typedef void shift_function(const struct history *h, void *item);

/* What it changes is kept, to be put back. False: without memory. */
static bool shift_item(const struct history *h, void *item, size_t size, shift_function *function,
                       struct kept **kept)
{
    struct kept *k = malloc(sizeof *k + size);
    if (!k)
        return false;
    memcpy(k->was, item, size);
    function(h, item);
    if (memcmp(k->was, item, size) == 0) {
        free(k);
        return true;
    }
    k->place = item;
    k->size = size;
    k->next = *kept;
    *kept = k;
    return true;
}

static bool shift_all(struct phase *p, struct kept **kept)
{
    struct history *h = p->h;
    const struct {
        struct store *store;
        shift_function *function;
    } rows[] = { { &h->attempts, shift_attempt }, { &h->connections, shift_connection },
                 { &h->faults, shift_fault },     { &h->marks, shift_mark },
                 { &h->gaps, shift_gap },         { &h->lost_syns, shift_syns } };
    bool done = shift_item(h, p, sizeof *p, shift_phase, kept) &&
                shift_item(h, h, sizeof *h, shift_history, kept);
    for (size_t i = 0; history_attempt(h, i); i++)
        continue; /* looked at, its request is read: else that would be lost with what is put back
                   */
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        void *item;
        for (size_t k = 0; done && (item = store_at(rows[i].store, k)); k++)
            done = shift_item(h, item, rows[i].store->item_size, rows[i].function, kept);
    }
    for (size_t i = 0; done && i < p->account.count; i++)
        done = shift_item(h, &p->account.lines[i], sizeof *p->account.lines, shift_line, kept);
    return done;
}

bool paused_begin(struct phase *p, struct kept **kept)
{
    *kept = NULL;
    if (store_count(&p->h->pauses) == 0 || shift_all(p, kept))
        return true;
    paused_end(*kept);
    *kept = NULL;
    return false;
}

int64_t paused_now(const struct phase *p, int64_t now, int64_t *next)
{
    struct span pause;
    *next = history_is_behind(p->h, now, &pause) ? pause.to + 1 : NEVER;
    return history_early(p->h, now) + history_slept(p->h, now);
}

void paused_end(struct kept *kept)
{
    while (kept) {
        struct kept *next = kept->next;
        memcpy(kept->place, kept->was, kept->size);
        free(kept);
        kept = next;
    }
}

/* --- What follows */

bool paused_left(const struct scene *s, const struct call *call)
{
    const struct pause *last = store_back(&s->h->pauses, 0);
    const struct connection *c;
    if ((s->forgotten || s->gap) && last && last->to >= call->sent)
        return true; /* what it left may be missing */
    for (size_t i = 0; (c = history_connection(s->h, i)); i++) {
        int64_t left = c->left != LEFT_NOT ? c->left_at : c->in_handshake ? c->ended : NEVER;
        struct span pause;
        if (left == NEVER || left < call->begun.from || !history_is_behind(s->h, left, &pause) ||
            (c->dead != NEVER && (c->dead <= pause.from || c->crossed == TRI_NO || c->behind)))
            continue; /* or it left behind the fault */
        bool waited = c->requests == 0 && c->opened >= call->begun.from;
        for (size_t k = 0; k < call->count && !waited; k++) {
            const struct attempt *a = call_members(s, call)[k].attempt;
            waited = a->connection == c->id && a->reached[PROGRESS_HANDED] == NEVER;
        }
        if (waited)
            return true;
    }
    return false;
}

void paused_doubt(struct finding *f, const struct finding *early)
{
    static const char *const words[] = { "n/a", "pass", "inconclusive", "fail" };
    char why[SENTENCE_SIZE];
    int64_t until = f->until > early->until ? f->until : early->until;
    if (f->outcome == early->outcome)
        return;
    if (f->outcome == OUTCOME_INCONCLUSIVE) {
        if (f->remedy != REMEDY_WAIT && early->outcome != OUTCOME_NA)
            f->remedy = REMEDY_PAUSED;
        return;
    }
    snprintf(why, sizeof why, "the server itself did not run for a time, and without that: %s",
             words[early->outcome]);
    finding_withdraw(f, REMEDY_PAUSED, why);
    f->until = until; /* of both */
}
