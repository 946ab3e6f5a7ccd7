/* join.c - which attempt belongs to which call: R1.
 *
 * Attempts are taken in the order of their first bytes. Each is joined to a call by the strongest
 * that fits - by name, closely, and in the wide reading loosely - or begins one. A call stays in
 * the list of its method and path until nothing can join it any more but by name.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "verdict/calls_parts.h"

#define NAMES_MAX     (4 + ATTEMPT_KEYS)
#define SHAPE_PERCENT 25 /* how far lengths of contents of the same shape may differ */

#define STARTS 4
#define GAPS   8

/* Of store asked. */
struct asked {
    int64_t starts[STARTS]; /* when the last calls that ask it began, the newest last */
    int start_count;
    int64_t gaps[GAPS]; /* from requests that were answered to the next that asks it; the first */
    int gap_count;
    const struct entry *newest;
    uint64_t agent;
    uint64_t client[2]; /* over h1, over h2 */
    bool begun, several;
};

struct path {
    size_t first, last; /* calls, + 1 */
    int64_t calm;       /* until then all of them are (see made) */
};

static uint64_t mixed(const uint64_t *parts, size_t size)
{
    uint64_t hash = hash_more(HASH_START, parts, size);
    return hash ? hash : 1;
}

/* --- What is known of an attempt */

static int by_first_byte(const void *x, const void *y)
{
    const struct attempt *a = ((const struct entry *)x)->attempt;
    const struct attempt *b = ((const struct entry *)y)->attempt;
    if (a->first_byte.from != b->first_byte.from)
        return a->first_byte.from < b->first_byte.from ? -1 : 1;
    return (a->first_seq > b->first_seq) - (a->first_seq < b->first_seq);
}

static void describe(const struct history *h, const struct attempt *a, struct entry *e)
{
    *e = (struct entry){ .attempt = a, .trouble = history_trouble(h, a), .member.attempt = a };
    e->seen = history_seen(h, a);
    if (!a->method.hash || !a->path)
        return;
    const uint64_t path[] = { a->method.hash, a->path };
    e->path = mixed(path, sizeof path);
    const uint64_t what[] = { a->method.hash, a->asked, a->authority.hash, a->digest.hash };
    if (!a->partial && a->digest.hash)
        e->what = mixed(what, sizeof what);
}

enum standing join_standing(const struct build *b, const struct entry *e, int64_t age)
{
    const struct attempt *a = e->attempt;
    int64_t handed = a->reached[PROGRESS_HANDED];
    if (e->trouble == TROUBLE_UNKNOWN)
        return IS_UNSURE;
    if (history_out(b->h, a, age) != TROUBLE_FINE)
        return IS_OUT;
    if (handed == NEVER || handed > age)
        return IN_FLIGHT;
    if (e->trouble == TROUBLE_FINE && a->progress >= PROGRESS_ACKED)
        return IS_DONE;
    /* Not the endpoint's answer; or one that an RST, later, made doubtful. */
    return e->trouble == TROUBLE_DOUBTFUL && history_out(b->h, a, history_age(b->h)) == 0
               ? IS_OUT
               : IS_UNCONFIRMED;
}

/* --- Who asks */

/* Two user agents, or two kinds of TLS or HTTP/2 clients, that ask the same: nobody can say whose
 * retry it is. Over HTTP/1.1 and over HTTP/2 one client looks different. */
static void find_askers(struct build *b)
{
    for (size_t i = 0; i < b->entry_count; i++) {
        const struct entry *e = &b->entries[i];
        if (!e->what)
            continue;
        const struct connection *c = history_find_connection(b->h, e->attempt->connection);
        struct asked *asked = store_find(&b->asked, e->what);
        if (!asked)
            asked = store_add(&b->asked, e->what);
        const struct entry *before = asked->newest;
        if (before && asked->gap_count < GAPS && history_answered(b->h, before->attempt))
            asked->gaps[asked->gap_count++] =
                e->attempt->first_byte.from - before->attempt->first_byte.from;
        asked->newest = e;
        asked->several |= asked->begun && asked->agent != e->attempt->user_agent.hash;
        asked->agent = e->attempt->user_agent.hash;
        asked->begun = true;
        asked->several |= !c || c->unknown; /* who it is, is not known */
        uint64_t client = c ? c->client.hash : 0;
        uint64_t *seen = &asked->client[c && c->h2];
        asked->several |= client && *seen && client != *seen;
        *seen = client ? client : *seen;
    }
}

static bool about(int64_t gap, int64_t rhythm)
{
    return gap <= rhythm + rhythm / 5 && gap >= rhythm - rhythm / 5;
}

/* Whether it keeps the rhythm in which the control asked it. */
static bool in_rhythm(const struct build *b, const struct entry *e)
{
    const struct asked *asked = e->what ? store_find(&b->asked, e->what) : NULL;
    if (!b->config->control || !asked || asked->start_count == 0)
        return false;
    int64_t rhythm = control_habit(b->config->control, e->attempt).rhythm;
    return rhythm != NEVER &&
           about(e->attempt->first_byte.from - asked->starts[asked->start_count - 1], rhythm);
}

/* Whether it keeps the rhythm of the calls before it: then it would have come anyway. */
static bool goes_on(const struct asked *asked, const struct entry *e)
{
    if (asked->start_count < STARTS)
        return false;
    int64_t rhythm = (asked->starts[STARTS - 1] - asked->starts[0]) / (STARTS - 1);
    for (int i = 1; i < STARTS; i++) {
        if (!about(asked->starts[i] - asked->starts[i - 1], rhythm))
            return false;
    }
    return about(e->attempt->first_byte.from - asked->starts[STARTS - 1], rhythm);
}

/* Whether the next request comes about as soon also when there is nothing to retry: then it would
 * perhaps have come anyway. */
static bool is_habit(const struct asked *asked, int64_t gap)
{
    int alike = 0;
    for (int i = 0; i < asked->gap_count; i++)
        alike += asked->gaps[i] <= 2 * gap;
    return alike >= STARTS - 1;
}

static void note_start(struct asked *asked, int64_t at)
{
    if (asked->start_count == STARTS)
        memmove(asked->starts, asked->starts + 1, (STARTS - 1) * sizeof *asked->starts);
    else
        asked->start_count++;
    asked->starts[asked->start_count - 1] = at;
}

/* --- Whether it fits a call */

static struct entry *next_of(const struct build *b, const struct entry *e)
{
    return e->next ? &b->entries[e->next - 1] : NULL;
}

static struct entry *first_of(const struct build *b, const struct made *call)
{
    return call->first ? &b->entries[call->first - 1] : NULL;
}

/* What the members of a call are to an attempt that begins at an age. */
struct view {
    bool done, unconfirmed, all_out, over;
    bool unseen;    /* one is lost in a way that the client could not see yet */
    int64_t seen;   /* when the client could see the last loss */
    int64_t last;   /* the last that is known of it */
    int64_t newest; /* when the last of them began */
};

/* What the client sends may wait for so long until it is read, behind what we have answered. */
#define OPEN_NOISE (20 * NS_PER_MS)

/* When an attempt began, beside a call: the client had decided on the first request of a connection
 * when it opened that, which was somewhat before we accepted it, if that was after it had lost an
 * attempt of the call. */
static int64_t begun_beside(const struct build *b, const struct made *call, const struct entry *e)
{
    const struct connection *c = history_find_connection(b->h, e->attempt->connection);
    int64_t begun = e->attempt->first_byte.from;
    if (!c || c->opened == NEVER || c->opened >= begun || e->attempt->reused != TRI_NO)
        return begun;
    const struct entry *m = call->recent ? &b->entries[call->recent - 1] : NULL;
    int64_t since = NEVER;
    for (; m; m = next_of(b, m)) {
        if (m->seen.from != NEVER && m->seen.from <= c->opened &&
            join_standing(b, m, c->opened) == IS_OUT)
            since = m->seen.from > since ? m->seen.from : since;
    }
    if (since == NEVER)
        return begun;
    return since > c->opened - OPEN_NOISE ? since : c->opened - OPEN_NOISE;
}

/* When the client could see, by an age, that this one is lost. What is silent it may take for lost
 * from the beginning, also if it was seen to give it up only later. */
static int64_t seen_by(const struct entry *e, int64_t age, bool *unseen)
{
    if (e->seen.from <= age)
        return e->seen.to;
    *unseen |= e->trouble != TROUBLE_ABANDONED;
    return e->attempt->first_byte.to;
}

/* The client sent it again and cancelled it just behind that: one after the other, to the client.
 * No fault has a part in it, so that nothing is forgiven by it. */
static bool replaced_at(const struct build *b, const struct entry *e, int64_t age)
{
    return e->trouble == TROUBLE_ABANDONED && !e->attempt->fault && e->seen.from > age &&
           e->seen.from <= age + history_grace(b->h);
}

/* A call with more members than that is a storm, whatever became of the older ones: they are taken
 * for lost. */
#define RECENT_MAX 16

static struct view view_of(const struct build *b, const struct made *call, int64_t age)
{
    struct view view = {
        .all_out = true, .over = true, .seen = NEVER, .last = NEVER, .newest = NEVER
    };
    const struct entry *e = call->recent ? &b->entries[call->recent - 1] : NULL;
    for (; e; e = next_of(b, e)) {
        if (e->member.hopped)
            continue;
        bool replaced = replaced_at(b, e, age);
        enum standing standing = replaced ? IS_OUT : join_standing(b, e, age);
        view.done |= standing == IS_DONE;
        view.unconfirmed |= standing == IS_UNCONFIRMED;
        view.all_out &= standing == IS_OUT;
        int64_t seen = replaced ? age : seen_by(e, age, &view.unseen);
        view.seen = seen > view.seen ? seen : view.seen;
        int64_t handed = e->attempt->reached[PROGRESS_HANDED];
        view.newest = e->attempt->first_byte.from;
        int64_t last = handed > e->seen.to ? handed : e->seen.to;
        view.last = last > view.last ? last : view.last;
        const struct connection *c = history_find_connection(b->h, e->attempt->connection);
        view.over &= !c || (c->ended != NEVER && c->ended <= age);
    }
    return view;
}

static int64_t reach_of(const struct build *b, const struct entry *e)
{
    if (!b->config->control && b->config->reach)
        return b->config->reach;
    return control_reach(b->config->control, e->attempt, b->config->within);
}

static bool has_what(const struct build *b, const struct made *call, uint64_t what)
{
    const struct entry *e = first_of(b, call);
    while (e && e->what != what)
        e = next_of(b, e);
    return e != NULL;
}

/* Whether what came shortly before it is all known: who asks, how often, what is still open. */
static bool is_whole(const struct build *b, const struct entry *e)
{
    int64_t age = e->attempt->first_byte.from;
    return !history_lacks(b->h, age - b->config->within, age);
}

static bool fits_closely(const struct build *b, const struct made *call, const struct entry *e,
                         const struct view *view, int64_t begun)
{
    const struct asked *asked = e->what ? store_find(&b->asked, e->what) : NULL;
    return asked && !asked->several && !goes_on(asked, e) &&
           !is_habit(asked, e->attempt->first_byte.from - view->newest) && is_whole(b, e) &&
           has_what(b, call, e->what) && view->all_out && !view->unseen &&
           begun <= view->seen + reach_of(b, e);
}

static bool same_shape(const struct entry *x, const struct entry *y)
{
    const struct attempt *a = x->attempt, *b = y->attempt;
    if (!a->digest.hash || !b->digest.hash || a->partial || b->partial ||
        a->digest.hash == b->digest.hash)
        return true;
    if (a->media_type != b->media_type || a->content_length < 0 || b->content_length < 0)
        return false;
    int64_t small = a->content_length, large = b->content_length;
    if (small > large) {
        small = b->content_length;
        large = a->content_length;
    }
    return large - small <= large / 100 * SHAPE_PERCENT + large % 100 * SHAPE_PERCENT / 100;
}

/* Until when an attempt is in flight, and nothing else: so long nothing but a loose join fits it.
 */
static int64_t calm_until(const struct build *b, const struct entry *e)
{
    const struct attempt *a = e->attempt;
    const struct fault *hold = a->holding ? history_find_fault(b->h, a->holding) : NULL;
    int64_t until = a->reached[PROGRESS_HANDED] != NEVER ? a->reached[PROGRESS_HANDED] : INT64_MAX;
    if (e->trouble == TROUBLE_UNKNOWN || (a->holding && !hold))
        return 0;
    if (hold && hold->at < until)
        until = hold->at;
    for (int i = 0; i < a->out_count; i++)
        until = a->outs[i].from < until ? a->outs[i].from : until;
    if (e->seen.from < until)
        until = e->trouble == TROUBLE_FINE ? until : e->seen.from;
    return until == INT64_MAX ? until : until - history_grace(b->h);
}

int64_t join_apart(const struct calls_config *config)
{
    return config->apart > config->within ? config->apart : config->within;
}

/* Nothing but a name can join the call any more. */
static bool is_past(const struct build *b, const struct view *view, int64_t age)
{
    return view->done || (view->over && age > view->last + join_apart(b->config));
}

/* Answered, and no fault has a part in it. */
static bool is_well(const struct build *b, const struct entry *e)
{
    return history_answered(b->h, e->attempt) && !e->attempt->fault && !e->attempt->holding;
}

static bool fits_loosely(const struct build *b, const struct made *call, const struct entry *e)
{
    const struct entry *m = first_of(b, call);
    if (b->config->counted && call->count == 1 && is_well(b, m) && is_well(b, e))
        return false;
    while (m && !same_shape(m, e))
        m = next_of(b, m);
    return m != NULL;
}

/* --- Joining */

bool join_takes_loose(const struct build *b)
{
    return (b->reading == READING_WIDE && !b->config->parted) || b->config->joined;
}

static struct path *path_of(struct build *b, uint64_t key)
{
    struct path *path = store_find(&b->paths, key);
    return path ? path : store_add(&b->paths, key);
}

static size_t root(struct build *b, size_t call)
{
    while (b->made[call].group != call)
        call = b->made[call].group = b->made[b->made[call].group].group;
    return call;
}

/* Two calls that an attempt could belong to alike are judged together. The oldest leads. */
static void unite(struct build *b, size_t one, size_t other)
{
    one = root(b, one);
    other = root(b, other);
    if (one < other)
        b->made[other].group = one;
    else
        b->made[one].group = other;
}

static enum role role_in(const struct view *view)
{
    if (view->done || view->unconfirmed)
        return ROLE_DUPLICATE;
    return view->all_out ? ROLE_RETRY : ROLE_HEDGE;
}

/* A named request for something else, behind a redirect: the next hop of the same call (R1). */
static bool follows(const struct build *b, const struct made *call, const struct entry *e)
{
    struct entry *last = call->last ? &b->entries[call->last - 1] : NULL;
    if (!last || last->path == e->path || last->attempt->status / 100 != 3 ||
        join_standing(b, last, e->attempt->first_byte.from) != IS_DONE)
        return false;
    last->member.hopped = true;
    return true;
}

static void add(struct build *b, size_t index, struct entry *e, enum join join, enum role role)
{
    struct made *call = &b->made[index];
    size_t place = (size_t)(e - b->entries) + 1;
    e->member.join = join;
    e->member.role = role;
    if (call->last)
        b->entries[call->last - 1].next = place;
    else
        call->first = place;
    call->last = place;
    call->count++;
    call->recent = call->recent ? call->recent : place;
    if (call->count - call->skipped > RECENT_MAX) {
        call->recent = b->entries[call->recent - 1].next;
        call->skipped++;
    }
    call->calm = call->count == 1 ? calm_until(b, e) : 0;
    struct path *path = first_of(b, call)->path ? path_of(b, first_of(b, call)->path) : NULL;
    if (path && (!path->first || call->calm < path->calm))
        path->calm = call->calm;
    call->blind &= call->count == 1;
    names_keep(b, index, e);
}

/* The oldest call of its method and path that it fits, closely or else loosely. Calls that are past
 * leave the list on the way. */
static size_t by_likeness(struct build *b, const struct entry *e, enum join *join)
{
    int64_t age = e->attempt->first_byte.from;
    size_t close = NO_CALL, loose = NO_CALL;
    struct path *path = e->path ? store_find(&b->paths, e->path) : NULL;
    if (!path || in_rhythm(b, e))
        return NO_CALL;
    size_t *at = &path->first, before = 0;
    while (*at) {
        size_t index = *at - 1;
        struct made *call = &b->made[index];
        if (names_part(call, e)) { /* another call, by name */
            before = index + 1;
            at = &call->next_open;
            continue;
        }
        if (age < call->calm) {
            if (loose == NO_CALL && fits_loosely(b, call, e))
                loose = index;
            if (loose != NO_CALL && age < path->calm)
                break; /* nothing fits more closely */
            before = index + 1;
            at = &call->next_open;
            continue;
        }
        int64_t begun = begun_beside(b, call, e);
        struct view view = view_of(b, call, begun);
        if (is_past(b, &view, begun)) {
            *at = call->next_open;
            path->last = path->last == index + 1 ? before : path->last;
            continue;
        }
        if (fits_closely(b, call, e, &view, begun)) {
            if (close != NO_CALL)
                unite(b, close, index);
            close = close == NO_CALL ? index : close;
        } else if (loose == NO_CALL && fits_loosely(b, call, e)) {
            loose = index;
        }
        before = index + 1;
        at = &call->next_open;
    }
    *join = close != NO_CALL ? JOIN_CLOSE : JOIN_LOOSE;
    if (close != NO_CALL)
        return close;
    return join_takes_loose(b) ? loose : NO_CALL;
}

static bool same_listener(const struct build *b, const struct attempt *x, const struct attempt *y)
{
    const struct connection *one = history_find_connection(b->h, x->connection);
    const struct connection *other = history_find_connection(b->h, y->connection);
    return !one || !other || one->listener.hash == other->listener.hash;
}

/* Wide: what was sent into a hole and never read may have been this, if it is asked elsewhere in
 * time (R7). */
static size_t by_hole(const struct build *b, const struct entry *e)
{
    if (!join_takes_loose(b) || b->config->joined || !e->path || !b->blind_count ||
        b->config->told_apart)
        return NO_CALL;
    for (size_t i = 0; i < b->made_count; i++) {
        const struct made *call = &b->made[i];
        const struct attempt *lost = call->blind ? first_of(b, call)->attempt : NULL;
        if (lost && same_listener(b, lost, e->attempt) &&
            lost->connection != e->attempt->connection &&
            e->attempt->first_byte.from <= lost->first_byte.to + b->config->within)
            return i;
    }
    return NO_CALL;
}

bool join_is_resent(const struct build *b, const struct attempt *lost)
{
    for (size_t i = 0; i < b->config->resent_count; i++) {
        if (b->config->resent[i].lost == lost->number)
            return true;
    }
    return false;
}

/* The call whose only attempt was lost in a hole and sent again by this one, as its client's own
 * account shows. */
static size_t by_account(const struct build *b, const struct entry *e)
{
    uint64_t lost = 0;
    for (size_t i = 0; i < b->config->resent_count; i++) {
        if (b->config->resent[i].again == e->attempt->number)
            lost = b->config->resent[i].lost;
    }
    for (size_t i = 0; lost && i < b->made_count; i++) {
        const struct made *call = &b->made[i];
        if (call->blind && first_of(b, call)->attempt->number == lost)
            return i;
    }
    return NO_CALL;
}

static void begin_call(struct build *b, struct entry *e)
{
    size_t index = b->made_count++;
    struct made *call = &b->made[index];
    *call = (struct made){ .group = index };
    call->blind = e->attempt->presumed && !e->path;
    b->blind_count += call->blind;
    call->silence = silence_before(b, e);
    if (call->silence)
        b->silences[call->silence - 1].taken = true;
    add(b, index, e, JOIN_NAMED, ROLE_FIRST);
    if (e->path) {
        struct path *path = path_of(b, e->path);
        if (path->last)
            b->made[path->last - 1].next_open = index + 1;
        else
            path->first = index + 1;
        path->last = index + 1;
    }
    struct asked *asked = e->what ? store_find(&b->asked, e->what) : NULL;
    if (asked)
        note_start(asked, e->attempt->first_byte.from);
}

static void join_one(struct build *b, struct entry *e)
{
    enum join join = JOIN_NAMED;
    size_t index = by_account(b, e);
    if (index != NO_CALL) {
        add(b, index, e, JOIN_NAMED, ROLE_RETRY);
        return;
    }
    index = names_join(b, e, &join);
    if (index == NO_CALL)
        index = by_likeness(b, e, &join);
    if (index == NO_CALL && (index = by_hole(b, e)) != NO_CALL)
        join = JOIN_LOOSE;
    if (index == NO_CALL) {
        begin_call(b, e);
        return;
    }
    if (join == JOIN_LOOSE && b->config->joined)
        join = JOIN_NAMED;
    bool hop = join == JOIN_NAMED && follows(b, &b->made[index], e);
    int64_t begun = begun_beside(b, &b->made[index], e);
    struct view view = view_of(b, &b->made[index], begun);
    e->member.quick = join == JOIN_CLOSE && quick_find(b, &b->made[index], e, begun);
    add(b, index, e, join, hop ? ROLE_HOP : role_in(&view));
}

int join_all(struct build *b)
{
    size_t count = history_attempts(b->h);
    b->entries = calloc(count + 1, sizeof *b->entries);
    b->made = calloc(count + b->silence_count + 1, sizeof *b->made);
    if (!b->entries || !b->made || names_init(b, count) != 0 ||
        store_init(&b->paths, sizeof(struct path), count + 1) != 0 ||
        store_init(&b->asked, sizeof(struct asked), count + 1) != 0)
        return -ENOMEM;
    b->entry_count = count;
    for (size_t i = 0; i < count; i++)
        describe(b->h, history_attempt(b->h, i), &b->entries[i]);
    qsort(b->entries, count, sizeof *b->entries, by_first_byte);
    names_find_worn(b);
    find_askers(b);
    for (size_t i = 0; i < count; i++) {
        if (!attempt_is_farewell(b->h, b->entries[i].attempt))
            join_one(b, &b->entries[i]);
    }
    return 0;
}
