/* judge.c - what follows from a history: trouble, answers, and what the client could know.
 *
 * In doubt it says so: what is not shown to have been answered is UNCONFIRMED, DOUBTFUL or UNKNOWN.
 */
#include "verdict/history_parts.h"

#include <string.h>

#include "base/clock.h"

#define SLOW_AFTER                                                                                 \
    NS_PER_S /* throttle, drip, window: held when not whole so long after its start */

/* --- Out of service */

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* From when to when a hold kept its answer, beyond what nobody would notice (section 3). False: it
 * did not. */
static bool held(const struct history *h, const struct attempt *a, struct out *out)
{
    const struct fault *f = a->holding ? store_find(&h->faults, a->holding) : NULL;
    if (!f)
        return false;
    int64_t begun = later(f->at, a->first_byte.from);
    int64_t released = history_sooner(f->ended, a->reached[PROGRESS_HANDED]);
    int64_t answering = a->reached[PROGRESS_ANSWERING];
    *out = (struct out){ .trouble = TROUBLE_HELD, .fault = f->seq, .seq = f->seq };
    switch (f->then_hold ? HOLDS_ANSWER : kind_of(f->step)->holds) {
    case HOLDS_ANSWER:
        out->from = begun + h->config.grace;
        out->to = answering > f->at ? history_sooner(released, answering) : released;
        break;
    case HOLDS_CONTENT:
        if (a->content_length == 0 || a->reached[PROGRESS_TOLD] == NEVER)
            return false;
        out->from = later(f->at, a->reached[PROGRESS_TOLD]) + SLOW_AFTER;
        out->to = history_sooner(released, a->reached[PROGRESS_WHOLE]);
        break;
    case HOLDS_SLOW:
        if (answering == NEVER)
            return false;
        out->from = later(f->at, answering) + SLOW_AFTER;
        out->to = released;
        break;
    case HOLDS_NOT:
        return false;
    }
    out->since = out->from;
    for (int i = 0; i < a->out_count; i++)
        out->to = history_sooner(out->to, a->outs[i].from); /* then that is what keeps it */
    return out->to == NEVER || out->to > out->from;
}

bool history_held(const struct history *h, const struct attempt *a)
{
    struct out out;
    return held(h, a, &out) && out.from <= h->age;
}

static bool holds_at(const struct out *out, int64_t age)
{
    return out->from <= age && (out->to == NEVER || age < out->to);
}

/* What keeps it out of service at an age; NULL: nothing. room: for a hold. */
static const struct out *out_at(const struct history *h, const struct attempt *a, int64_t age,
                                struct out *room)
{
    for (int i = a->out_count - 1; i >= 0; i--) {
        if (holds_at(&a->outs[i], age))
            return &a->outs[i];
    }
    return held(h, a, room) && holds_at(room, age) ? room : NULL;
}

enum trouble history_out(const struct history *h, const struct attempt *a, int64_t age)
{
    struct out room;
    const struct out *out = out_at(h, a, age, &room);
    if (!out)
        return TROUBLE_FINE;
    /* What it was before the client gave it up. */
    return out->trouble == TROUBLE_ABANDONED && age < out->since ? TROUBLE_BITTEN : out->trouble;
}

/* --- Answered (R4) */

/* The next moment at which the app is suspended, resumed, or perhaps either (a gap may have had
 * such a mark in it). */
struct turn {
    size_t mark, gap; /* where to look on */
    int64_t at;
    enum tri suspended; /* from then on */
};

static bool next_turn(const struct history *h, struct turn *turn)
{
    const struct mark *mark;
    while ((mark = store_at(&h->marks, turn->mark)) && strcmp(mark->name, "background") != 0 &&
           strcmp(mark->name, "foreground") != 0)
        turn->mark++;
    const struct gap *gap = store_at(&h->gaps, turn->gap);
    if (gap && (!mark || gap->first < mark->seq)) {
        turn->gap++;
        turn->at = gap->from;
        turn->suspended = TRI_UNKNOWN;
        return true;
    }
    if (!mark)
        return false;
    turn->mark++;
    bool background = strcmp(mark->name, "background") == 0;
    turn->at = background ? mark->at.from : mark->at.to;
    turn->suspended = background ? TRI_YES : TRI_NO;
    return true;
}

enum tri history_suspended(const struct history *h, struct span when)
{
    struct turn turn = { 0 };
    enum tri state = h->marks_forgotten ? TRI_UNKNOWN : TRI_NO, found = TRI_NO;
    int64_t since = 0;
    for (bool more = true; more;) {
        more = next_turn(h, &turn);
        if (since <= when.to && (!more || turn.at >= when.from)) {
            if (state == TRI_YES)
                return TRI_YES;
            found = state == TRI_UNKNOWN ? TRI_UNKNOWN : found;
        }
        since = turn.at;
        state = turn.suspended;
    }
    return found;
}

/* It asked something on its connection when it had the answer: so its process lived on, and reads.
 */
static bool has_gone_on(const struct history *h, const struct connection *c,
                        const struct attempt *a)
{
    const struct attempt *later = history_find_attempt(h, c->newest);
    return later && later->first_byte.from > a->acked.to;
}

/* A close that leaves octets unread sends an RST (RFC 1122 4.2.2.13), and what was unread may be
 * the answer. Nothing on the wire tells what was, nor does a close_notify, FIN or GOAWAY that the
 * client sends before its RST: who has read the answer, and not the close_notify behind it, does
 * the same as who has read neither. But behind a FIN of its own, or a later request, only an RST
 * right behind the ACK counts. */
static bool is_left_unread(const struct history *h, const struct connection *c,
                           const struct attempt *a)
{
    if (!c || c->reset_at == NEVER)
        return false;
    bool lived_on = c->left == LEFT_FIN || has_gone_on(h, c, a);
    return c->reset_at <= a->acked.to + (lived_on ? h->config.grace : UNREAD_FOR);
}

bool history_may_be_unread(const struct history *h, const struct attempt *a)
{
    const struct connection *c = store_find(&h->connections, a->connection);
    return a->progress == PROGRESS_ACKED && c && c->left != LEFT_FIN && c->ended == NEVER &&
           !has_gone_on(h, c, a);
}

/* Where somebody tells of the command nothing is final before its end, so that an RST counts
 * however late it comes: a client that is killed, and has left its answer unread for long, sends
 * one. */
static bool is_ended_unread(const struct history *h, const struct connection *c,
                            const struct attempt *a)
{
    return h->commanded && c && c->reset_at > a->acked.to + UNREAD_FOR && c->left != LEFT_FIN &&
           c->sent != NEVER && c->sent == a->end_offset && !has_gone_on(h, c, a);
}

/* The trouble of an answer that went out: how well it is shown to have been read. */
static enum trouble trouble_of_answer(const struct history *h, const struct attempt *a)
{
    const struct connection *c = store_find(&h->connections, a->connection);
    if (a->by_rule || (a->has_range && a->status == 200))
        return TROUBLE_DOUBTFUL; /* not the endpoint's; not what was asked for */
    if (a->reset)
        return TROUBLE_UNCONFIRMED;
    if (a->progress == PROGRESS_CONFIRMED)
        return TROUBLE_FINE;
    if (a->progress == PROGRESS_HANDED)
        return c && c->ended == NEVER ? TROUBLE_FINE : TROUBLE_UNCONFIRMED;
    return a->network == PATH_DIRECT && !is_left_unread(h, c, a) && !is_ended_unread(h, c, a) &&
                   history_suspended(h, a->acked) == TRI_NO
               ? TROUBLE_FINE
               : TROUBLE_UNCONFIRMED;
}

enum trouble history_trouble(const struct history *h, const struct attempt *a)
{
    if (a->unknown)
        return TROUBLE_UNKNOWN;
    enum trouble out = history_out(h, a, h->age);
    if (out != TROUBLE_FINE)
        return out;
    return a->progress >= PROGRESS_HANDED ? trouble_of_answer(h, a) : TROUBLE_FINE;
}

bool history_answered(const struct history *h, const struct attempt *a)
{
    return a->progress >= PROGRESS_ACKED && history_trouble(h, a) == TROUBLE_FINE;
}

/* --- Known (R3) */

/* When the app runs again that is suspended at an age; NEVER: not yet. */
static int64_t resumed(const struct history *h, int64_t age)
{
    struct turn turn = { 0 };
    while (next_turn(h, &turn)) {
        if (turn.suspended == TRI_NO && turn.at >= age)
            return turn.at;
    }
    return NEVER;
}

/* When the client could see a fault: from that its kernel could have it, to that its process surely
 * does. NEVER: not at all, or nothing shows when. */
struct span history_fault_seen(const struct history *h, const struct fault *f)
{
    int64_t grace = h->config.grace;
    const struct kind *kind = kind_of(f->step);
    switch (kind->visibility) {
    case SEEN_NEVER:
    case SEEN_END:
        return SPAN_NEVER;
    case SEEN_RST:
        return (struct span){ f->at, f->at + later(2 * f->srtt, grace) };
    case SEEN_ACKED:
    case SEEN_READ:
        break;
    }
    if (f->acked.to == NEVER)
        return SPAN_NEVER;
    struct span seen = { f->acked.from, f->acked.to + grace };
    if (kind->visibility == SEEN_READ && history_suspended(h, seen) != TRI_NO) {
        int64_t again = resumed(h, seen.from);
        if (again == NEVER)
            return SPAN_NEVER;
        seen.to = again + grace;
    }
    return seen;
}

/* By what its kernel ACKed, which says something only where nobody stands between. */
static struct span known_by_kernel(const struct history *h, const struct connection *c)
{
    const struct fault *first = c->fault ? store_find(&h->faults, c->fault) : NULL;
    const struct fault *last = c->last_fault ? store_find(&h->faults, c->last_fault) : NULL;
    if (c->path != PATH_DIRECT)
        return SPAN_NEVER;
    if (!first)
        first = c->notice ? store_find(&h->faults, c->notice) : NULL;
    struct span known = first ? history_fault_seen(h, first) : SPAN_NEVER;
    return known.to == NEVER && last && last != first ? history_fault_seen(h, last) : known;
}

struct span history_known(const struct history *h, const struct connection *c)
{
    struct span known = known_by_kernel(h, c);
    if (c->said_at == NEVER)
        return known;
    known.to = history_sooner(known.to, c->said_at);
    known.from = history_sooner(known.from, known.to);
    return known;
}

int64_t history_last_use(const struct history *h, const struct connection *c, int64_t age)
{
    const struct attempt *a = c->newest ? store_find(&h->attempts, c->newest) : NULL;
    int64_t last = c->opened == NEVER ? age : c->opened;
    for (; a; a = a->previous ? store_find(&h->attempts, a->previous) : NULL) {
        const int64_t uses[] = { a->first_byte.to, a->reached[PROGRESS_HANDED],
                                 a->out_count ? a->outs[a->out_count - 1].since : NEVER };
        for (size_t i = 0; i < sizeof uses / sizeof *uses; i++)
            last = uses[i] <= age && uses[i] > last ? uses[i] : last;
    }
    return last;
}

enum tri history_knew(const struct history *h, const struct attempt *a)
{
    const struct connection *c = store_find(&h->connections, a->connection);
    if (!c || a->unknown)
        return TRI_UNKNOWN;
    const struct fault *notice = c->notice ? store_find(&h->faults, c->notice) : NULL;
    int64_t since = c->dead != NEVER ? c->dead : notice ? notice->at : NEVER;
    if (since == NEVER || a->first_byte.to <= since)
        return TRI_NO;
    if (c->said_seq && a->first_seq > c->said_seq)
        return TRI_YES;
    /* What the client says only behind the request does not show that it knew before. */
    struct span known = known_by_kernel(h, c);
    if (known.to == NEVER) /* silent, or never seen ACKed; a relay's silence says nothing */
        return c->path == PATH_DIRECT ? TRI_NO : TRI_UNKNOWN;
    if (a->first_byte.to <= known.from)
        return TRI_NO;
    return a->first_byte.from >= known.to ? TRI_YES : TRI_UNKNOWN;
}

bool history_was_cut(const struct history *h, const struct attempt *a)
{
    const struct fault *f = a->fault ? history_find_fault(h, a->fault) : NULL;
    int64_t answering = a->reached[PROGRESS_ANSWERING];
    if (!f || f->in_effect == TRI_NO)
        return false;
    if (f->step == STEP_INJECT) /* something else came in its place, which is no answer */
        return a->reached[PROGRESS_HANDED] == NEVER;
    if (answering == NEVER)
        return false;
    bool in_the_middle =
        f->class == CLASS_ENDS && answering <= f->at && a->reached[PROGRESS_HANDED] == NEVER;
    return f->class == CLASS_CUTS || in_the_middle || a->cut_short;
}

struct span history_seen(const struct history *h, const struct attempt *a)
{
    struct out room;
    const struct out *out = out_at(h, a, h->age, &room);
    const struct fault *first = a->fault ? store_find(&h->faults, a->fault) : NULL;
    const struct fault *last = a->last_fault ? store_find(&h->faults, a->last_fault) : NULL;
    int64_t grace = h->config.grace;
    if (out && out->trouble == TROUBLE_ABANDONED)
        return (struct span){ out->since, out->since };
    const struct fault *told =
        first && kind_of(first->step)->visibility != SEEN_NEVER ? first : last;
    if (!told)
        return out && out->trouble == TROUBLE_LOST ? (struct span){ out->since, out->since + grace }
                                                   : a->first_byte;
    switch (kind_of(told->step)->visibility) {
    case SEEN_NEVER:
        return a->first_byte;
    case SEEN_END:
        if (told != last && last)
            told = last;
        break;
    default:
        break;
    }
    struct span seen = history_fault_seen(h, told);
    if (seen.to != NEVER) { /* nobody sees that it is lost before it is sent */
        /* What must be read may be so before its kernel ACKs it, which may wait for up to 0.5 s
         * (RFC 9293 3.8.6.3); a FIN is ACKed at once. */
        bool read = kind_of(told->step)->visibility == SEEN_READ;
        return (struct span){ later(read ? told->at : seen.from, a->first_byte.from),
                              later(seen.to, a->first_byte.to) };
    }
    int64_t at = out ? later(out->since, told->at) : told->at;
    return (struct span){ later(told->at, a->first_byte.from), at + grace };
}

enum connection_state history_state(const struct history *h, const struct connection *c)
{
    struct span known = history_known(h, c);
    if (c->ended != NEVER)
        return CONNECTION_GONE;
    if (c->dead != NEVER)
        return known.to != NEVER && known.to <= h->age ? CONNECTION_KNOWN : CONNECTION_DEAD;
    if (c->left != LEFT_NOT)
        return CONNECTION_LEFT;
    if (c->requests == 0)
        return CONNECTION_SPARE;
    return c->idle_since != NEVER ? CONNECTION_IDLE : CONNECTION_USED;
}
