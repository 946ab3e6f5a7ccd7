/* paused.c - what the server's own pauses may have changed of what the checks find.
 *
 * While it does not run, the server reads nothing, and what it was to send is late. What it read
 * right behind a pause may have come at any time in it, and what it did then it would have done
 * sooner. So everything is worked out several times, and a check that finds the same each time
 * keeps it, whatever paused; another one is inconclusive. Nothing else is in doubt: a pause between
 * two things that were read in time changes neither.
 *
 * The times that are tried (paused_next):
 * - as they are in the ledger;
 * - all that was read or done right behind each pause at its beginning, in the same order: so it
 *   would have been without the pause;
 * - of what was read behind a pause before the server itself did anything, the first n at its
 *   beginning and the rest as read, for each n. Of times t1 <= t2 <= ... that may lie anywhere in a
 *   pause any difference of two is greatest, and least, in one of these. What was read behind
 *   something that the server had done may be the client's answer to it, and is not parted from it;
 * - the same in some of the pauses only, so that of any two pauses each is tried with the other as
 *   it is in the ledger (by the digits of their binary numbers): the time between two things that
 *   were read behind two pauses is longest, and shortest, in one of these.
 * Each comparison of a check with a limit has so been made with the most and the least that it can
 * be. Where one of the times must lie between two limits at once, and does so neither at the
 * beginning nor at the end of a pause, that is not seen.
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

#define ACTS_MAX 8

/* What was read right behind a pause before the server did anything. */
struct acts {
    int64_t server;          /* when it first did something; NEVER: it did not */
    int64_t times[ACTS_MAX]; /* of what was read until then, each once, the first ones */
    unsigned count;          /* of all: so many are told apart at least */
    unsigned number;         /* of the pauses that have any, from 0 */
    int64_t cut;             /* so far all is at the beginning; NEVER: nothing is */
};

struct paused {
    struct phase *phase;
    struct acts *acts; /* of each pause */
    unsigned pauses;   /* that have any */
    unsigned most;     /* of one of them */
    unsigned turn;     /* of what is tried */
    bool looking;      /* at what there is: no time is changed */
    bool all;          /* what the server did, too */
    struct kept *kept;
};

/* --- Times */

static void note(struct acts *acts, int64_t at)
{
    unsigned n = acts->count < ACTS_MAX ? acts->count : ACTS_MAX, i = n;
    if (acts->server != NEVER && at > acts->server)
        return;
    while (i > 0 && acts->times[i - 1] >= at)
        i--;
    if (i < n && acts->times[i] == at)
        return;
    acts->count++;
    for (unsigned k = n < ACTS_MAX ? n : ACTS_MAX - 1; k > i; k--)
        acts->times[k] = acts->times[k - 1];
    if (i < ACTS_MAX)
        acts->times[i] = at;
}

static int64_t early(const struct paused *p, int64_t at, bool client)
{
    const struct history *h = p->phase->h;
    size_t i;
    if (p->all)
        return history_early(h, at) + history_slept(h, at);
    if (!history_pause_at(h, at, &i) || at > p->acts[i].cut)
        return at;
    return client || at != p->acts[i].server ? history_early(h, at) : at;
}

/* Of something that the client did. */
static void of_client(struct paused *p, int64_t *at)
{
    size_t i;
    if (!p->looking)
        *at = early(p, *at, true);
    else if (history_pause_at(p->phase->h, *at, &i))
        note(&p->acts[i], *at);
}

/* That the server did, or that either did, and that is not looked for. */
static void of_either(struct paused *p, int64_t *at)
{
    if (!p->looking)
        *at = early(p, *at, false);
}

static void of_server(struct paused *p, int64_t *at)
{
    size_t i;
    if (!p->looking)
        *at = early(p, *at, false);
    else if (history_pause_at(p->phase->h, *at, &i))
        p->acts[i].server = history_sooner(p->acts[i].server, *at);
}

static void span_of_client(struct paused *p, struct span *span)
{
    of_client(p, &span->from);
    of_client(p, &span->to);
}

/* A duration until a time, from what either did. */
static void until(struct paused *p, int64_t *duration, int64_t was, int64_t now)
{
    int64_t since = was - *duration;
    if (*duration == NEVER || p->looking)
        return;
    of_either(p, &since);
    *duration = now - since;
}

static void shift_attempt(struct paused *p, void *item)
{
    struct attempt *a = item;
    int64_t begun = a->first_byte.to;
    for (int i = 0; i < PROGRESS_COUNT; i++)
        if (i == PROGRESS_ANSWERING || i == PROGRESS_HANDED)
            of_server(p, &a->reached[i]);
        else
            of_client(p, &a->reached[i]);
    span_of_client(p, &a->first_byte);
    until(p, &a->idle_before, begun, a->first_byte.to);
    span_of_client(p, &a->sent);
    span_of_client(p, &a->acked);
    for (int i = 0; i < a->out_count; i++) {
        of_either(p, &a->outs[i].from);
        of_either(p, &a->outs[i].to);
        of_either(p, &a->outs[i].since);
    }
    of_either(p, &a->last_at);
}

static void shift_connection(struct paused *p, void *item)
{
    struct connection *c = item;
    int64_t *const acts[] = { &c->opened,  &c->stale_bytes,   &c->stale_last, &c->no_use_at,
                              &c->left_at, &c->shut_at,       &c->reset_at,   &c->said_at,
                              &c->pinged,  &c->settings_acked };
    int64_t *const others[] = { &c->idle_since, &c->dead, &c->pings_ignored_at, &c->ended };
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
        of_client(p, acts[i]);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        of_either(p, others[i]);
    span_of_client(p, &c->fell[0].at);
    span_of_client(p, &c->fell[1].at);
}

static void shift_fault(struct paused *p, void *item)
{
    struct fault *f = item;
    of_server(p, &f->at);
    of_server(p, &f->ended);
    span_of_client(p, &f->acked);
    of_client(p, &f->crossed);
}

static void shift_mark(struct paused *p, void *item)
{
    span_of_client(p, &((struct mark *)item)->at);
}

static void shift_gap(struct paused *p, void *item)
{
    struct gap *gap = item;
    of_either(p, &gap->from);
    of_either(p, &gap->to);
}

static void shift_syns(struct paused *p, void *item)
{
    struct lost_syns *syns = item;
    span_of_client(p, &syns->first);
    of_client(p, &syns->last);
    of_either(p, &syns->ended);
}

static void shift_line(struct paused *p, void *item)
{
    struct account_line *line = item;
    int64_t at = line->at;
    of_client(p, &line->at);
    until(p, &line->took, at, line->at);
}

static void shift_phase(struct paused *p, void *item)
{
    struct phase *phase = item;
    of_server(p, &phase->begun);
    of_either(p, &phase->ended);
    of_client(p, &phase->exited);
}

static void shift_history(struct paused *p, void *item)
{
    struct history *own = item;
    of_either(p, &own->age);
    of_either(p, &own->unknown_until);
}

/* --- All of a phase */

typedef void shift_function(struct paused *p, void *item);

/* What it changes is kept, to be put back. False: without memory. */
static bool shift_item(struct paused *p, void *item, size_t size, shift_function *function)
{
    if (p->looking) {
        function(p, item);
        return true;
    }
    struct kept *k = malloc(sizeof *k + size);
    if (!k)
        return false;
    memcpy(k->was, item, size);
    function(p, item);
    if (memcmp(k->was, item, size) == 0) {
        free(k);
        return true;
    }
    k->place = item;
    k->size = size;
    k->next = p->kept;
    p->kept = k;
    return true;
}

static bool shift_all(struct paused *p)
{
    struct phase *phase = p->phase;
    struct history *h = phase->h;
    const struct {
        struct store *store;
        shift_function *function;
    } rows[] = { { &h->attempts, shift_attempt }, { &h->connections, shift_connection },
                 { &h->faults, shift_fault },     { &h->marks, shift_mark },
                 { &h->gaps, shift_gap },         { &h->lost_syns, shift_syns } };
    bool done = shift_item(p, phase, sizeof *phase, shift_phase) &&
                shift_item(p, h, sizeof *h, shift_history);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        void *item;
        for (size_t k = 0; done && (item = store_at(rows[i].store, k)); k++)
            done = shift_item(p, item, rows[i].store->item_size, rows[i].function);
    }
    for (size_t i = 0; done && i < phase->account.count; i++)
        done = shift_item(p, &phase->account.lines[i], sizeof *phase->account.lines, shift_line);
    return done;
}

/* --- What is tried */

struct paused *paused_create(struct phase *phase)
{
    struct paused *p = calloc(1, sizeof *p);
    size_t count = history_pauses(phase->h);
    if (p)
        p->acts = calloc(count + 1, sizeof *p->acts);
    if (!p || !p->acts) {
        free(p);
        return NULL;
    }
    p->phase = phase;
    for (size_t i = 0; history_attempt(phase->h, i); i++)
        continue; /* looked at, its request is read: else that would be lost with what is put back
                   */
    for (size_t i = 0; i < count; i++)
        p->acts[i].server = NEVER;
    p->looking = true;
    for (int i = 0; i < 2; i++) { /* what the server did is known behind the first time */
        for (size_t k = 0; k < count; k++)
            p->acts[k].count = 0;
        shift_all(p);
    }
    p->looking = false;
    for (size_t i = 0; i < count; i++) {
        struct acts *acts = &p->acts[i];
        acts->number = p->pauses;
        p->pauses += acts->count > 0;
        p->most = acts->count > p->most ? acts->count : p->most;
    }
    p->most = p->most < ACTS_MAX ? p->most : ACTS_MAX;
    return p;
}

/* How far what was read behind a pause is put to its beginning: the first n, or all. */
static int64_t cut_of(const struct acts *acts, unsigned n)
{
    if (acts->count == 0 || n == 0)
        return NEVER;
    if (n < ACTS_MAX && n < acts->count)
        return acts->times[n - 1];
    return acts->server != NEVER ? acts->server : INT64_MAX;
}

/* Sets what is tried in a turn. False: there is no more. */
static bool take_turn(struct paused *p, unsigned turn)
{
    size_t count = history_pauses(p->phase->h);
    p->all = turn == 0;
    unsigned some = turn > p->most ? turn - p->most - 1 : 0, digit = some / 2;
    if (turn > p->most && (p->pauses < 2 || (p->pauses - 1) >> digit == 0))
        return false;
    for (size_t i = 0; i < count; i++) {
        bool chosen = turn <= p->most || (p->acts[i].number >> digit & 1) == some % 2;
        unsigned n = turn < p->most ? turn : ACTS_MAX;
        p->acts[i].cut = chosen ? cut_of(&p->acts[i], n) : NEVER;
    }
    return true;
}

int paused_next(struct paused *p)
{
    paused_back(p);
    while (take_turn(p, p->turn++)) {
        if (!shift_all(p))
            return -1;
        if (p->kept)
            return 1;
    }
    return 0;
}

int64_t paused_now(const struct paused *p, int64_t now, int64_t *next)
{
    const struct pause *pause = p->all ? history_pause_at(p->phase->h, now, NULL) : NULL;
    *next = pause ? pause->until + 1 : NEVER;
    return p->all ? early(p, now, false) : now;
}

void paused_back(struct paused *p)
{
    while (p->kept) {
        struct kept *next = p->kept->next;
        memcpy(p->kept->place, p->kept->was, p->kept->size);
        free(p->kept);
        p->kept = next;
    }
}

void paused_destroy(struct paused *p)
{
    if (!p)
        return;
    paused_back(p);
    free(p->acts);
    free(p);
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
        const struct pause *pause = left == NEVER ? NULL : history_pause_at(s->h, left, NULL);
        if (!pause || left < call->begun.from ||
            (c->dead != NEVER && (c->dead <= pause->from || c->crossed == TRI_NO || c->behind)))
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
