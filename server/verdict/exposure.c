/* exposure.c - how a call that no fault struck stands to faults: avoided, pre-empted, untouched
 * (R2).
 *
 * It is about the connection that the client would have used: the one of its listener that it used
 * last, when the call began. Whether a call died inside the client, without a byte, only the
 * client's own account can tell; that is for the checks.
 */
#include <errno.h>
#include <stdlib.h>

#include "verdict/calls_parts.h"

/* A connection as it was when a call began. */
struct past {
    const struct connection *c;
    int64_t answered; /* when its last answer before then was handed out; NEVER: none was */
    bool busy;        /* a request was open on it */
    bool struck;      /* one was open on it when it died, or came later */
};

/* Not answered nor lost by then, or begun only behind it. */
static bool open_at(const struct attempt *a, int64_t age)
{
    int64_t handed = a->reached[PROGRESS_HANDED];
    return (handed == NEVER || handed > age) && (a->out_count == 0 || a->outs[0].from >= age);
}

static struct past look_back(const struct build *b, const struct connection *c, int64_t age)
{
    struct past past = { .c = c, .answered = NEVER };
    const struct attempt *a = c->newest ? history_find_attempt(b->h, c->newest) : NULL;
    for (; a; a = a->previous ? history_find_attempt(b->h, a->previous) : NULL) {
        if (a->first_byte.from > age || attempt_is_farewell(b->h, a))
            continue;
        int64_t handed = a->reached[PROGRESS_HANDED];
        bool done = handed != NEVER && handed <= age;
        past.busy |= !done && open_at(a, age);
        past.struck |= c->dead != NEVER && open_at(a, c->dead);
        if (done && handed > past.answered)
            past.answered = handed;
    }
    return past;
}

static bool dead_at(const struct connection *c, int64_t age)
{
    return c->dead != NEVER && c->dead <= age;
}

static bool gone_at(const struct connection *c, int64_t age)
{
    return (c->left != LEFT_NOT && c->left_at <= age) || (c->ended != NEVER && c->ended <= age);
}

/* Whether it could have carried the call just as well. */
static bool usable(const struct past *past, int64_t age)
{
    const struct connection *c = past->c;
    return past->answered != NEVER && !dead_at(c, age) && !gone_at(c, age) &&
           (c->h2 || !past->busy);
}

static int64_t last_answer(const struct build *b, const struct connection *c)
{
    return look_back(b, c, INT64_MAX).answered;
}

static int64_t over_from(const struct connection *c)
{
    int64_t over = history_sooner(c->dead, c->ended);
    over = history_sooner(over, c->left != LEFT_NOT ? c->left_at : NEVER);
    return over == NEVER ? INT64_MAX : over;
}

int exposure_prepare(struct build *b)
{
    const struct connection *c;
    struct older all = { NEVER, 0 };
    b->older = calloc(history_connections(b->h) + 1, sizeof *b->older);
    for (size_t i = 0; b->older && (c = history_connection(b->h, i)); i++) {
        int64_t answered = last_answer(b, c), over = over_from(c);
        all.answered = answered > all.answered ? answered : all.answered;
        all.over = over > all.over ? over : all.over;
        b->older[i] = all;
    }
    return b->older ? 0 : -ENOMEM;
}

/* The connection that the client used last before the call (of several, the one that was opened
 * first), and whether another could have served. */
static struct past would_have_used(const struct build *b, const struct attempt *first,
                                   bool *another)
{
    struct past last = { .answered = NEVER };
    const struct connection *own = history_find_connection(b->h, first->connection);
    int64_t age = first->first_byte.from;
    *another = false;
    for (size_t i = history_connections(b->h); i-- > 0;) {
        const struct connection *c = history_connection(b->h, i);
        if (b->older[i].over <= age && b->older[i].answered < last.answered)
            break; /* none of the others was used later, nor could have served */
        if (c == own || c->listener.hash != own->listener.hash || c->first_seq > first->first_seq)
            continue;
        struct past past = look_back(b, c, age);
        *another |= usable(&past, age);
        if (past.answered != NEVER && past.answered >= last.answered)
            last = past;
    }
    return last;
}

/* Something between what was last heard of the connection and the call is missing. */
static bool missing(const struct build *b, const struct past *past, const struct attempt *first)
{
    return history_gap_in(b->h, past->c->opened, first->first_byte.to) || past->c->unknown ||
           first->unknown;
}

static void decide(struct call *call, enum exposure exposure, enum exposure_reason why)
{
    call->exposure = exposure;
    call->why = why;
}

/* Whether it was left when a GOAWAY had announced its end, and the client's kernel had that. */
static bool was_announced(const struct build *b, const struct connection *c)
{
    const struct fault *notice = c->notice ? history_find_fault(b->h, c->notice) : NULL;
    return notice && c->left != LEFT_NOT && notice->acked.to != NEVER &&
           notice->acked.to <= c->left_at;
}

/* The client ended it with no fault on it; or as the fault came, and perhaps for another reason; or
 * so long before that the fault would not have been there yet when the call came. */
static void was_left(const struct build *b, struct call *call, const struct past *past,
                     const struct attempt *before, int64_t age)
{
    const struct connection *c = past->c;
    int64_t grace = history_grace(b->h);
    bool declared = before && before->said_close;
    if (was_announced(b, c))
        decide(call, EXPOSURE_PREEMPTED, WHY_LEFT_BEFORE);
    else if (!c->armed ||
             (c->left == LEFT_NOT && !declared)) /* or the server ended it, in good order */
        decide(call, EXPOSURE_UNTOUCHED, WHY_LEFT_UNARMED);
    else if (c->due_in != NEVER && c->due_in <= grace)
        decide(call, EXPOSURE_UNTOUCHED, WHY_CROSSED);
    else if (c->due_in != NEVER && c->ended != NEVER && c->ended + c->due_in + grace > age)
        decide(call, EXPOSURE_UNTOUCHED, WHY_NOT_DUE);
    else if (declared)
        decide(call, EXPOSURE_PREEMPTED, WHY_DECLARED_CLOSE);
    else
        decide(call, EXPOSURE_PREEMPTED, WHY_LEFT_BEFORE);
}

/* Whether the control shows that the client would have kept it, had nobody ended it: it used one
 * that had been idle for longer than this one when the client left it. */
static bool would_have_kept(const struct build *b, const struct past *past)
{
    const struct control *control = b->config->control;
    return control && control_longest_reuse(control) >=
                          past->c->left_at - past->answered + history_grace(b->h);
}

/* Whether a fault came so long after a mark, and not after something that the client did, and not
 * so soon that it may be the mark of which the client left: no limit of its own falls together with
 * that. */
static bool is_of_a_mark(const struct build *b, const struct connection *c)
{
    const struct fault *f = history_find_fault(b->h, c->fault);
    const struct mark *mark;
    for (size_t i = 0; (mark = history_mark(b->h, i)); i++) {
        if (mark->at.from <= c->left_at && c->left_at <= mark->at.to + history_grace(b->h))
            return false;
    }
    return f && f->trigger == TRIGGER_MARK;
}

/* Whether the client had left it before it could know of the fault, so that it never met it. That
 * its FIN came right behind ours may be its own limit, unless the control shows that it has none.
 */
static bool left_unaware(const struct build *b, const struct past *past)
{
    const struct connection *c = past->c;
    if (c->left == LEFT_NOT)
        return false;
    if (c->left_at <= c->dead || c->crossed == TRI_YES)
        return true;
    return c->crossed == TRI_UNKNOWN && c->left_at <= c->dead + history_grace(b->h) &&
           !would_have_kept(b, past) && !is_of_a_mark(b, c);
}

/* Whether all that came of the dead connection was its client leaving. */
static bool said_farewell(const struct build *b, const struct connection *c)
{
    const struct attempt *a = c->newest ? history_find_attempt(b->h, c->newest) : NULL;
    return a && attempt_is_farewell(b->h, a);
}

static void was_dead(const struct build *b, struct call *call, const struct past *past,
                     const struct connection *own)
{
    const struct connection *c = past->c;
    const struct fault *f = history_find_fault(b->h, c->fault);
    bool silent = f && f->class == CLASS_SILENCES;
    int64_t end = call->answered.to != NEVER ? call->answered.to : history_age(b->h);
    if (!f || f->in_effect == TRI_UNKNOWN)
        decide(call, EXPOSURE_UNKNOWN, WHY_MISSING);
    else if (c->stale_bytes != NEVER && c->stale_bytes <= end && !said_farewell(b, c))
        decide(call, EXPOSURE_UNTOUCHED, WHY_NO_FAULT); /* it did try; that may be another call */
    else if (past->struck && f->step != STEP_GOAWAY)
        decide(call, EXPOSURE_UNTOUCHED, WHY_NO_FAULT);
    else if (!silent && left_unaware(b, past))
        decide(call, EXPOSURE_UNTOUCHED, WHY_CROSSED);
    else if (own->opened < c->dead)
        decide(call, EXPOSURE_UNTOUCHED, WHY_OPENED_BEFORE);
    else
        decide(call, EXPOSURE_AVOIDED, WHY_DEAD_NOT_USED);
}

/* The client has been seen to reuse a connection: in the control, after whatever idleness; or here,
 * by who uses the same listener, after at most such an idleness (R2). */
static bool reuses(const struct build *b, const struct connection *own, int64_t idle)
{
    if (b->config->control && control_reuse_gap(b->config->control) != NEVER)
        return true; /* after a longer one: then after a shorter one all the more */
    const struct attempt *a;
    for (size_t i = 0; (a = history_attempt(b->h, i)); i++) {
        if (a->reused != TRI_YES || a->unknown || a->idle_before == NEVER || a->idle_before > idle)
            continue;
        const struct connection *c = history_find_connection(b->h, a->connection);
        if (c && c->listener.hash == own->listener.hash)
            return true;
    }
    return false;
}

void exposure_find(const struct build *b, struct call *call, const struct entry *entry)
{
    const struct attempt *first = entry->attempt;
    const struct connection *own = history_find_connection(b->h, first->connection);
    bool another;
    decide(call, EXPOSURE_UNTOUCHED, WHY_NO_FAULT);
    if (!own || own->opened == NEVER || first->reused == TRI_UNKNOWN) {
        decide(call, EXPOSURE_UNKNOWN, WHY_MISSING);
        return;
    }
    if (first->reused == TRI_YES)
        return;
    struct past past = would_have_used(b, first, &another);
    if (past.answered == NEVER)
        return;
    const struct connection *c = past.c;
    int64_t age = first->first_byte.from;
    const struct attempt *before = history_find_attempt(b->h, c->newest);
    if (missing(b, &past, first))
        decide(call, EXPOSURE_UNKNOWN, WHY_MISSING);
    else if (another)
        decide(call, EXPOSURE_UNTOUCHED, WHY_OTHER_USABLE);
    else if (dead_at(c, age))
        was_dead(b, call, &past, own);
    else if (gone_at(c, age))
        was_left(b, call, &past, before, age);
    if (call->exposure == EXPOSURE_AVOIDED || call->exposure == EXPOSURE_PREEMPTED) {
        call->left = c->id;
        call->fault = call->exposure == EXPOSURE_AVOIDED ? c->fault : 0;
        call->exposure_proven =
            call->why == WHY_DECLARED_CLOSE || reuses(b, own, own->opened - past.answered);
    }
}
