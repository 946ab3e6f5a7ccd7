/* phase.c - how long a phase lasts (docs/verdict.md, 6): until the run ends or another phase
 * begins; or until its client has left. What comes behind that is of no phase: of a client that
 * lives outside of its command nobody can say what of it still belongs to the test.
 */
#include "base/clock.h"
#include "verdict/verdict_parts.h"

#define WITHIN (10 * NS_PER_S)   /* unless `recovered` has another */
#define LEAVES (250 * NS_PER_MS) /* by then what has ended with its command has left */

int64_t phase_within(const struct verdict *v)
{
    int64_t within = 0;
    for (size_t i = 0; i < expect_count(v->expect); i++) {
        const struct expected *one = expect_at(v->expect, i);
        if (one->check == CHECK_RECOVERED && one->number[0] > within)
            within = one->number[0];
    }
    return within ? within : WITHIN;
}

bool phase_over(const struct verdict *v, const struct phase *p)
{
    return v->run_over || p->ended != NEVER || (p->exited != NEVER && p->killed);
}

/* When the last was over of its command, which ended by itself, and of its connections; NEVER.
 * left: it is enough that the client has left them. */
static int64_t last_over(const struct phase *p, bool left)
{
    const struct connection *c;
    int64_t gone = p->exited;
    if (p->exited == NEVER || p->killed)
        return NEVER;
    for (size_t i = 0; (c = history_connection(p->h, i)); i++) {
        /* Behind its FIN no first request comes, though a stall may keep the connection. */
        bool spare = !c->requests && !c->newest;
        int64_t over = c->ended != NEVER ? c->ended : left || spare ? c->shut_at : NEVER;
        if (over == NEVER)
            return NEVER;
        gone = over > gone ? over : gone;
    }
    return gone;
}

/* Who opens or leaves a connection when the command has ended for long lives outside of it. */
static bool lives_outside(const struct phase *p)
{
    const struct connection *c;
    for (size_t i = 0; (c = history_connection(p->h, i)); i++) {
        if (c->opened > p->exited + LEAVES || c->shut_at > p->exited + LEAVES)
            return true;
    }
    return false;
}

struct phase_end phase_end_of(const struct verdict *v, const struct phase *p)
{
    int64_t gone = last_over(p, false), left = last_over(p, true);
    struct phase_end end = { NEVER, NEVER, NEVER };
    if (left == NEVER)
        return end;
    end.closes = left + phase_within(v);
    if (gone == NEVER)
        return end;
    end.sure = gone + (lives_outside(p) ? phase_within(v) : history_grace(p->h));
    end.closes = end.sure;
    if (phase_over(v, p) || v->age > end.sure)
        end.gone = gone;
    return end;
}

int64_t phase_now(const struct verdict *v, const struct phase *p)
{
    if (p->ended != NEVER)
        return p->ended;
    struct phase_end end = phase_end_of(v, p);
    return end.sure != NEVER && !p->gap && v->age > end.sure ? end.sure : v->age;
}

/* Whether nothing but a black hole keeps it open: what its client does is not heard. */
static bool is_unheard(const struct phase *p, const struct connection *c)
{
    const struct fault *f = c->fault ? history_find_fault(p->h, c->fault) : NULL;
    return c->dead != NEVER && f && f->step == STEP_BLACK_HOLE;
}

int64_t phase_heard_out(const struct verdict *v, const struct phase *p)
{
    const struct connection *c;
    int64_t last = p->exited;
    if (p->exited == NEVER || p->killed)
        return NEVER;
    for (size_t i = 0; (c = history_connection(p->h, i)); i++) {
        if (c->ended == NEVER && !is_unheard(p, c))
            return NEVER;
        last = c->ended > last ? c->ended : last;
    }
    return last + phase_within(v);
}

void phase_close(const struct verdict *v, struct phase *p, int64_t age)
{
    if (p->closed || p->gap || p->exited == NEVER)
        return;
    struct phase_end end = phase_end_of(v, p);
    int64_t heard = phase_heard_out(v, p);
    bool closes = (end.closes != NEVER && age > end.closes) || (heard != NEVER && age > heard);
    if (!closes)
        return;
    if (end.sure != NEVER && age > end.sure)
        p->ended = end.sure;
    p->closed = true;
    p->last_connection = v->last_connection;
}

bool phase_is_closed(const struct verdict *v, struct phase *p, int64_t age)
{
    phase_close(v, p, age);
    return p->closed || phase_over(v, p);
}

void phase_reopen(struct phase *p)
{
    p->account_late = false;
    p->closed = false;
    p->ended = p->exited = NEVER;
    p->status = -1;
    p->killed = false;
}
