/* notes.c - what is known of calls besides: whether the control asked them, what the client's
 * account says of them, and whether one died inside the client.
 */
#include <stdlib.h>

#include "base/hash.h"
#include "verdict/verdict_parts.h"

/* --- Control and account */

/* Of each method and path how often it is there; by key. */
struct tally {
    uint64_t key;
    const struct attempt *attempt;
};

struct tallies {
    struct tally *list;
    size_t count;
};

static uint64_t key_of(const struct attempt *a)
{
    const uint64_t parts[] = { a->method.hash, a->path };
    return hash_more(HASH_START, parts, sizeof parts);
}

static int by_key(const void *x, const void *y)
{
    const struct tally *a = x, *b = y;
    return (a->key > b->key) - (a->key < b->key);
}

static bool is_all(const struct history *h, const struct attempt *a)
{
    return true;
}

/* Its response went out whole: of a client that ends behind it nothing may show that it was read.
 */
static bool went_out(const struct history *h, const struct attempt *a)
{
    return a->progress >= PROGRESS_HANDED;
}

/* The same, and no fault stands in its way. */
static bool arrived(const struct history *h, const struct attempt *a)
{
    return went_out(h, a) &&
           (history_answered(h, a) || history_trouble(h, a) == TROUBLE_UNCONFIRMED);
}

/* Those attempts of a history. False: without memory. */
static bool tally_up(const struct history *h,
                     bool (*which)(const struct history *h, const struct attempt *a),
                     struct tallies *out)
{
    const struct attempt *a;
    out->count = 0;
    out->list = calloc(history_attempts(h) + 1, sizeof *out->list);
    for (size_t i = 0; out->list && (a = history_attempt(h, i)); i++) {
        if (which(h, a))
            out->list[out->count++] = (struct tally){ key_of(a), a };
    }
    if (out->list && out->count)
        qsort(out->list, out->count, sizeof *out->list, by_key);
    return out->list != NULL;
}

/* The first of a key, or where it would be. */
static size_t tally_find(const struct tallies *t, uint64_t key)
{
    size_t low = 0, high = t->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (t->list[middle].key < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static size_t tally_of(const struct tallies *t, uint64_t key)
{
    size_t after = key == UINT64_MAX ? t->count : tally_find(t, key + 1);
    return after - tally_find(t, key);
}

#define RHYTHM_LEAST 4

/* All that the control asked was answered here as often; what it repeats by the clock may be one
 * short. *lacking: what was not; NULL. */
static bool answered_as_often(const struct tallies *there, const struct tallies *here,
                              const struct control *control, const struct attempt **lacking)
{
    for (size_t i = 0, n; i < there->count; i += n) {
        const struct tally *one = &there->list[i];
        n = tally_of(there, one->key);
        bool by_clock = n >= RHYTHM_LEAST && control_habit(control, one->attempt).rhythm != NEVER;
        if (tally_of(here, one->key) + by_clock < n) {
            *lacking = one->attempt;
            return false;
        }
    }
    return true;
}

/* The command succeeded as in the control, and all was answered as there (R2). */
static bool as_in_control(const struct phase *p, const struct phase *before,
                          const struct control *control, const struct attempt **lacking)
{
    struct tallies there = { 0 }, here = { 0 };
    if (!control || !before || p->exited == NEVER || p->status != 0 || before->status != 0 ||
        before->gap || history_forgotten(before->h))
        return false;
    bool same = tally_up(before->h, went_out, &there) && tally_up(p->h, arrived, &here) &&
                answered_as_often(&there, &here, control, lacking);
    free(there.list);
    free(here.list);
    return same;
}

static bool was_read(const struct history *h, const struct attempt *a)
{
    return !a->presumed || a->method.hash;
}

bool notes_same_as_control(const struct phase *p, const struct phase *before,
                           const struct control *control)
{
    struct tallies there = { 0 }, here = { 0 };
    const struct attempt *lacking;
    bool same = !p->account.driver && !p->gap && !history_forgotten(p->h) &&
                as_in_control(p, before, control, &lacking) &&
                tally_up(before->h, is_all, &there) && tally_up(p->h, was_read, &here) &&
                there.count == here.count;
    for (size_t i = 0; same && i < here.count; i++)
        same = here.list[i].key == there.list[i].key && arrived(p->h, here.list[i].attempt);
    free(there.list);
    free(here.list);
    return same;
}

/* Whether no call died inside the client, by its own account or its exit status. */
enum tri notes_all_told(const struct phase *p, const struct phase *before,
                        const struct control *control, bool fits, const struct attempt **lacking)
{
    *lacking = NULL;
    const struct account *account = &p->account;
    bool lost = false, odd = false;
    for (size_t i = 0; i < account->count; i++) {
        lost |= account->lines[i].matched == MATCHED_NOTHING && !account->lines[i].ok;
        odd |= account->lines[i].matched == MATCHED_NOTHING && account->lines[i].ok;
    }
    if (lost)
        return TRI_NO;
    if (p->gap || history_forgotten(p->h))
        return TRI_UNKNOWN;
    if (account->driver)
        return account_whole(account) && fits && !account->pending && !odd && account->count > 0
                   ? TRI_YES
                   : TRI_UNKNOWN;
    return as_in_control(p, before, control, lacking) ? TRI_YES : TRI_UNKNOWN;
}

/* --- Notes */

static int by_age(const void *x, const void *y)
{
    int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;
    return (a > b) - (a < b);
}

/* How many of so many ages, in their order, are at most this. */
static size_t up_to(const int64_t *ages, size_t count, int64_t age)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ages[middle] <= age)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* How many calls were open when each began. False: without memory. */
static bool count_open(const struct calls *calls, struct note *notes)
{
    int64_t *begun = calloc(2 * calls->count + 1, sizeof *begun);
    if (!begun)
        return false;
    int64_t *over = begun + calls->count;
    for (size_t i = 0; i < calls->count; i++) {
        const struct call *call = &calls->calls[i];
        begun[i] = call->begun.from;
        over[i] = call->answered.from != NEVER     ? call->answered.from
                  : call->ended_by_client != NEVER ? call->ended_by_client
                                                   : INT64_MAX;
    }
    if (calls->count) {
        qsort(begun, calls->count, sizeof *begun, by_age);
        qsort(over, calls->count, sizeof *over, by_age);
    }
    for (size_t i = 0; i < calls->count; i++) {
        int64_t at = calls->calls[i].begun.from;
        notes[i].at_once =
            (unsigned)(up_to(begun, calls->count, at) - up_to(over, calls->count, at - 1));
    }
    free(begun);
    return true;
}

/* How many calls there are of each method and path. False: without memory. */
static bool count_alike(const struct calls *calls, struct note *notes)
{
    struct tallies all = { .list = calloc(calls->count + 1, sizeof *all.list) };
    if (!all.list)
        return false;
    for (size_t i = 0; i < calls->count; i++) {
        const struct call *call = &calls->calls[i];
        const struct attempt *a = call->count ? calls->members[call->first].attempt : NULL;
        if (a)
            all.list[all.count++] = (struct tally){ key_of(a), a };
    }
    qsort(all.list, all.count, sizeof *all.list, by_key);
    for (size_t i = 0; i < calls->count; i++) {
        const struct call *call = &calls->calls[i];
        if (call->count)
            notes[i].alike = tally_of(&all, key_of(calls->members[call->first].attempt));
    }
    free(all.list);
    return true;
}

/* The number of each call in documents: that of the narrow call which has its first attempt. */
static bool number_calls(const struct calls *narrow, const struct calls *of, struct note *notes)
{
    uint64_t least = UINT64_MAX, most = 0;
    for (size_t i = 0; i < narrow->member_count; i++) {
        uint64_t number = narrow->members[i].attempt->number;
        least = number < least ? number : least;
        most = number > most ? number : most;
    }
    uint64_t *owners = calloc(narrow->member_count ? most - least + 1 : 1, sizeof *owners);
    if (!owners)
        return false;
    for (size_t i = 0; i < narrow->count; i++) {
        const struct call *call = &narrow->calls[i];
        for (size_t k = 0; k < call->count; k++)
            owners[narrow->members[call->first + k].attempt->number - least] = i + 1;
    }
    for (size_t i = 0; i < of->count; i++) {
        const struct call *call = &of->calls[i];
        notes[i].id =
            call->count ? owners[of->members[call->first].attempt->number - least] : i + 1;
    }
    free(owners);
    return true;
}

/* Which calls the control did not ask. */
static bool find_foreign(const struct scene *s, struct note *notes)
{
    struct tallies asked = { 0 };
    if (!s->control_history)
        return true;
    if (!tally_up(s->control_history, is_all, &asked))
        return false;
    for (size_t i = 0; i < s->calls->count; i++) {
        const struct call *call = &s->calls->calls[i];
        const struct attempt *first = call->count ? s->calls->members[call->first].attempt : NULL;
        notes[i].foreign = first && first->method.hash && !tally_of(&asked, key_of(first));
    }
    free(asked.list);
    return true;
}

/* --- Calls that are missing */

/* Whether one of its answers went out. */
static bool call_went_out(const struct calls *calls, const struct call *call)
{
    for (size_t i = 0; i < call->count; i++) {
        if (calls->members[call->first + i].attempt->progress >= PROGRESS_HANDED)
            return true;
    }
    return false;
}

/* The first attempts of calls. *unread: how many calls have none of which something was read.
 * False: without memory. */
static bool tally_calls(const struct calls *calls, bool answered, struct tallies *out,
                        size_t *unread)
{
    *unread = out->count = 0;
    out->list = calloc(calls->count + 1, sizeof *out->list);
    for (size_t i = 0; out->list && i < calls->count; i++) {
        const struct call *call = &calls->calls[i];
        const struct attempt *first = call->count ? calls->members[call->first].attempt : NULL;
        if (!first || !first->method.hash)
            ++*unread;
        else if (!answered || call_went_out(calls, call))
            out->list[out->count++] = (struct tally){ key_of(first), first };
    }
    if (out->list && out->count)
        qsort(out->list, out->count, sizeof *out->list, by_key);
    return out->list != NULL;
}

static bool joined_without_name(const struct calls *calls, const struct call *call)
{
    for (size_t i = 0; i < call->count; i++) {
        if (calls->members[call->first + i].join == JOIN_CLOSE)
            return true;
    }
    return false;
}

bool notes_find_fewer(const struct scene *s, const struct calls *control, struct note *notes)
{
    struct tallies there = { 0 }, here = { 0 };
    size_t unread, ignored;
    bool done = tally_calls(control, true, &there, &ignored) &&
                tally_calls(s->calls, false, &here, &unread);
    for (size_t i = 0; done && i < s->calls->count; i++) {
        const struct call *call = &s->calls->calls[i];
        if (!joined_without_name(s->calls, call))
            continue;
        const struct attempt *first = s->calls->members[call->first].attempt;
        uint64_t key = key_of(first);
        size_t asked = tally_of(&there, key);
        bool by_clock = asked >= RHYTHM_LEAST && control_habit(s->control, first).rhythm != NEVER;
        notes[i].fewer = tally_of(&here, key) + unread + by_clock < asked;
    }
    free(there.list);
    free(here.list);
    return done;
}

struct note *notes_make(const struct scene *s, const struct calls *narrow,
                        const struct account *account, bool fits)
{
    struct note *notes = calloc(s->calls->count + 1, sizeof *notes);
    unsigned *sizes = calloc(s->calls->count + 1, sizeof *sizes);
    if (!notes || !sizes || !count_open(s->calls, notes) || !count_alike(s->calls, notes) ||
        !number_calls(narrow, s->calls, notes) || !find_foreign(s, notes)) {
        free(notes);
        free(sizes);
        return NULL;
    }
    for (size_t i = 0; i < s->calls->count; i++)
        sizes[s->calls->calls[i].group]++;
    for (size_t i = 0; i < s->calls->count; i++) {
        notes[i].alone = sizes[s->calls->calls[i].group] == 1;
    }
    for (size_t i = 0; i < account->count; i++) {
        const struct account_line *line = &account->lines[i];
        /* Where calls may be missing, a place among them says nothing. */
        if (line->matched != MATCHED_CALL || (!fits && !line->named))
            continue;
        notes[line->call].line = line;
        notes[line->call].differs =
            fits ? account_differs(line, s->h, s->calls, &s->calls->calls[line->call])
                 : DIFFERS_NOT;
    }
    free(sizes);
    return notes;
}
