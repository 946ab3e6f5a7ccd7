/* repeat.c - whether a call may be repeated, and whether that is a risk: R5. */
#include <string.h>

#include "verdict/calls_parts.h"
#include "verdict/history_parts.h"

static bool is_one_of(const struct text *method, const char *const *names)
{
    while (*names && (!method->bytes || strcmp(method->bytes, *names) != 0))
        names++;
    return *names != NULL;
}

bool repeat_is_safe(const struct attempt *a)
{
    static const char *const safe[] = { "GET", "HEAD", "OPTIONS", "TRACE", NULL };
    return is_one_of(&a->method, safe);
}

bool repeat_is_idempotent(const struct attempt *a)
{
    static const char *const others[] = { "PUT", "DELETE", NULL };
    return repeat_is_safe(a) || is_one_of(&a->method, others);
}

/* A header given by --key-header names a call; that a server does such calls once it does not say.
 */
static bool has_key(const struct attempt *a)
{
    return a->idempotency_key.hash;
}

/* Whether it was told, in a way that the client could read, that it was not done. */
static bool refused_for_sure(const struct history *h, const struct attempt *a)
{
    const struct fault *f = a->fault ? history_find_fault(h, a->fault) : NULL;
    if (!f || history_trouble(h, a) != TROUBLE_REFUSED)
        return false;
    if (f->step == STEP_RESPOND)
        return a->status == 408 || a->status == 421 || a->status == 425;
    return kind_of(f->step)->refused == REPEAT_ANY;
}

static bool is_lost(const struct history *h, const struct attempt *a)
{
    switch (history_trouble(h, a)) {
    case TROUBLE_FINE:
    case TROUBLE_UNCONFIRMED:
        return false;
    default:
        return true;
    }
}

/* As what an attempt counts: one of which nothing was read as the request that it was sent again
 * as.
 */
static const struct attempt *asked_as(const struct calls *c, const struct call *call,
                                      const struct attempt *a)
{
    return a->presumed && !a->method.hash ? calls_first_read(c, call) : a;
}

bool repeat_is_risk(const struct history *h, const struct calls *c, const struct call *call,
                    const struct attempt *a)
{
    const struct attempt *as = asked_as(c, call, a);
    bool struck = is_lost(h, a) || a->out_count > 0 || history_held(h, a);
    return struck && as->method.bytes && !repeat_is_idempotent(as) && !has_key(as) &&
           !refused_for_sure(h, a);
}

/* Of the members that are lost: how many are unknown, may be repeated, may not. */
struct tally {
    unsigned unknown, may, may_not;
};

static struct tally tally(const struct history *h, const struct calls *c, const struct call *call)
{
    struct tally t = { 0 };
    for (size_t i = 0; i < call->count; i++) {
        const struct attempt *a = c->members[call->first + i].attempt;
        const struct attempt *as = asked_as(c, call, a);
        if (!is_lost(h, a))
            continue;
        if (!as->method.bytes)
            t.unknown++;
        else if (repeat_is_idempotent(as) || has_key(as) || refused_for_sure(h, a))
            t.may++;
        else
            t.may_not++;
    }
    return t;
}

enum tri repeat_call(const struct history *h, const struct calls *c, const struct call *call)
{
    struct tally t = tally(h, c, call);
    if (t.may_not)
        return TRI_NO;
    return t.unknown || call->count == 0 ? TRI_UNKNOWN : TRI_YES;
}

enum tri repeat_call_risky(const struct history *h, const struct calls *c, const struct call *call)
{
    struct tally t = tally(h, c, call);
    if (t.may_not)
        return TRI_YES;
    return t.unknown || call->count == 0 ? TRI_UNKNOWN : TRI_NO;
}
