/* checks_storm.c - that a fault does not set off a storm: no_storm.
 *
 * A pass says that there was no more than that, so that it counts all that may have been there:
 * what was read somewhat late, what was begun with a connection and read later, what was never
 * read.
 */
#include "base/clock.h"
#include "verdict/scene.h"

/* --- Attempts */

/* When the client may have begun it: the first one of a connection, and what came with that, as it
 * opened the connection. */
static int64_t begun_at_least(const struct scene *s, const struct attempt *a)
{
    const struct connection *c = history_find_connection(s->h, a->connection);
    const struct attempt *first = c && c->oldest ? history_find_attempt(s->h, c->oldest) : NULL;
    int64_t begun = a->first_byte.from;
    bool waited = first && first->reused == TRI_NO && c->opened != NEVER && c->opened < begun &&
                  begun <= first->first_byte.from + history_grace(s->h);
    return waited ? c->opened : begun;
}

/* Attempts of a call that were read by an age; and those that may have been begun by then, `grace`
 * being what they may have waited to be read. */
struct tries {
    unsigned sure, perhaps;
};

static struct tries tries_of(const struct scene *s, const struct call *call, int64_t to)
{
    struct tries tries = { 0 };
    for (size_t i = 0; i < call->count; i++) {
        const struct attempt *a = call_members(s, call)[i].attempt;
        tries.sure += a->first_byte.from <= to;
        tries.perhaps += begun_at_least(s, a) <= to + history_grace(s->h);
    }
    return tries;
}

/* Of equal calls that were open together nobody can say which attempt is whose: one of them made
 * its part of all, or all but one of each of the others. */
static struct tries tries_of_group(const struct scene *s, const struct call *call, int64_t to)
{
    struct tries tries = tries_of(s, call, to);
    unsigned calls = 0, sure = 0, perhaps = 0;
    if (scene_group(s, call).calls <= 1)
        return tries;
    for (size_t i = 0; i < s->calls->count; i++) {
        if (s->calls->calls[i].group != call->group)
            continue;
        struct tries one = tries_of(s, &s->calls->calls[i], to);
        calls++;
        sure += one.sure;
        perhaps += one.perhaps > 1 ? one.perhaps - 1 : 0;
    }
    return (struct tries){ .sure = (sure + calls - 1) / calls, .perhaps = perhaps + 1 };
}

/* --- Connections */

/* The most calls that were open at once in a span of time. */
static unsigned open_at_once(const struct scene *s, int64_t from, int64_t to)
{
    unsigned most = 1;
    for (size_t i = 0; i < s->calls->count; i++) {
        int64_t at = s->calls->calls[i].begun.from;
        if (at >= from && at <= to && s->notes[i].at_once > most)
            most = s->notes[i].at_once;
    }
    return most;
}

/* Whether something was answered on a connection: then a call had need of it. */
static bool has_served(const struct scene *s, const struct connection *c)
{
    const struct attempt *a = c->answered ? history_find_attempt(s->h, c->newest) : NULL;
    while (a && !history_answered(s->h, a))
        a = a->previous ? history_find_attempt(s->h, a->previous) : NULL;
    return a != NULL;
}

/* What came about in the time behind a fault. Times that begin within 100 ms are looked at once. */
struct window {
    int64_t from, within;
    unsigned opened, vain, spare, at_once; /* vain: of those that were opened */
    unsigned late;   /* opened so soon behind it that the client may have done so in it */
    unsigned unread; /* of both: no request came on them that was read */
    bool unheard;    /* a listener did not hear who wanted to open one */
};
#define ALIKE (100 * NS_PER_MS)

static void count_opened(const struct scene *s, struct window *w, bool *h1)
{
    const struct connection *c;
    int64_t to = w->from + w->within;
    for (size_t i = 0; (c = history_connection(s->h, i)); i++) {
        if (c->opened == NEVER || c->opened < w->from || c->opened > to + history_grace(s->h))
            continue;
        w->unread += !c->newest;
        *h1 |= !c->h2;
        if (c->opened > to) {
            w->late++;
            continue;
        }
        w->opened++;
        w->vain += !has_served(s, c);
    }
}

/* Whether a listener refused or dropped SYNs then, until it listened again: how often its client
 * tried is not seen. */
static bool was_unheard(const struct scene *s, int64_t from, int64_t to)
{
    const struct fault *f;
    bool deaf = false;
    for (size_t i = 0; (f = history_fault(s->h, i)) && f->at <= to; i++) {
        if (f->in_effect == TRI_NO)
            continue;
        if (f->step == STEP_REFUSE_SYN || f->step == STEP_DROP_SYN)
            deaf = true;
        else if (f->step == STEP_LISTEN && f->at <= from)
            deaf = false;
    }
    return deaf;
}

static void look_behind(const struct scene *s, int64_t from, int64_t within, struct window *w)
{
    bool h1 = false;
    if (w->from != NEVER && from >= w->from && from <= w->from + ALIKE)
        return;
    *w = (struct window){ .from = from, .within = within, .at_once = 1 };
    count_opened(s, w, &h1);
    w->spare = h1 ? 6 : 2;
    w->unheard = was_unheard(s, from, from + within);
    if (w->vain + w->late > w->spare + 1)
        w->at_once = open_at_once(s, from, from + within);
}

/* Connections that were opened from then on may be forgotten. */
static bool lacks_connections(const struct scene *s, int64_t from)
{
    const struct connection *oldest = history_connection(s->h, 0);
    return history_forgotten(s->h) &&
           (!oldest || oldest->opened == NEVER || oldest->opened > from - ALIKE);
}

/* --- One call */

/* What may have been there, besides what was seen to be. False: there is nothing of that kind. */
static bool may_be_storm(const struct scene *s, struct finding *f, const struct call *call,
                         const struct window *w, struct tries tries, int64_t end)
{
    int64_t max = scene_number(s, 0), until = end + history_grace(s->h);
    bool flood = w->vain + w->late > w->spare + w->at_once;
    bool two = scene_may_be_two(s, call), equal = scene_group(s, call).calls > 1;
    char name[CALL_SIZE];
    call_text(s, call, name);
    if (tries.perhaps > max && (two || equal))
        found_of(s, f, call, OUTCOME_INCONCLUSIVE, REMEDY_CALL_NAME, until, "up to %u attempts, %s",
                 tries.perhaps,
                 two ? "if they were all of one call: this client makes its next one as soon"
                     : "as equal calls were open at once");
    else if (tries.perhaps > max)
        found_of(s, f, call, OUTCOME_INCONCLUSIVE, REMEDY_LIMIT, until,
                 "%s: up to %u attempts, as some began at about the end of that time", name,
                 tries.perhaps);
    else if (flood)
        found_of(s, f, call, OUTCOME_INCONCLUSIVE, REMEDY_LIMIT, until,
                 "up to %u connections, as some were opened at about the end of that time",
                 w->opened + w->late);
    else if (w->unheard)
        found_of(s, f, call, OUTCOME_INCONCLUSIVE, REMEDY_READ, UNTIL_THE_END,
                 "%s: how often its client tried to open a connection is not seen", name);
    else if (scene_may_hide_more(s, call))
        scene_hides_more(s, f, call);
    else if (tries.perhaps + w->unread > max)
        found_of(s, f, call, OUTCOME_INCONCLUSIVE, REMEDY_READ, UNTIL_THE_END,
                 "%s: %u attempts, and perhaps one on each of %u connections on which nothing was "
                 "read",
                 name, tries.perhaps, w->unread);
    else
        return false;
    return true;
}

static void storm_of(const struct scene *s, struct finding *f, const struct call *call,
                     struct window *w)
{
    int64_t max = scene_number(s, 0), within = scene_number(s, 1);
    const struct fault *fault = call_fault(s, call);
    int64_t bite = fault && fault->at > call->begun.from ? fault->at : call->begun.from;
    int64_t end = bite + within;
    char name[CALL_SIZE], time[TIME_SIZE];
    struct tries tries = tries_of_group(s, call, end);
    look_behind(s, bite, within, w);
    bool flood = w->vain > w->spare + w->at_once;
    call_text(s, call, name);
    finding_time(within, time);
    if (tries.sure > max && !scene_may_be_two(s, call))
        found_of(s, f, call, OUTCOME_FAIL, REMEDY_NONE, NEVER, "%s made %u attempts in %s", name,
                 tries.sure, time);
    else if (flood && s->now <= end && !s->over && s->client_gone == NEVER)
        found_of(s, f, call, OUTCOME_INCONCLUSIVE, REMEDY_WAIT, end,
                 "%u connections were opened, and nothing is answered on %u of them yet", w->opened,
                 w->vain);
    else if (flood)
        found_of(s, f, call, OUTCOME_FAIL, REMEDY_NONE, NEVER,
                 "%u connections were opened in %s, and nothing was answered on %u of them",
                 w->opened, time, w->vain);
    else if (tries.perhaps <= max &&
             (call->state == CALL_UNKNOWN || call->lacks_after || call->presumed))
        found_of(s, f, call, OUTCOME_INCONCLUSIVE, scene_unsaid(s, call), UNTIL_THE_END, UNSAID,
                 name);
    else if (lacks_connections(s, bite))
        found_of(s, f, call, OUTCOME_INCONCLUSIVE, REMEDY_RESET, UNTIL_THE_END,
                 "not all connections of that time are kept any more");
    else if (may_be_storm(s, f, call, w, tries, end))
        return;
    else if (s->over && s->client_gone == NEVER && s->now < end + history_grace(s->h))
        scene_leave(s, f, call, REMEDY_ENDED_EARLY, "the run ended less than %s after the fault",
                    time);
    else
        found_of(s, f, call, OUTCOME_PASS, REMEDY_NONE, end + history_grace(s->h),
                 "%u attempt%s, %u new connection%s", tries.sure, tries.sure == 1 ? "" : "s",
                 w->opened, w->opened == 1 ? "" : "s");
}

void check_no_storm(const struct scene *s, struct finding *f)
{
    struct window w = { .from = NEVER };
    for (size_t i = 0; i < s->calls->count; i++) {
        const struct call *call = &s->calls->calls[i];
        char name[CALL_SIZE];
        if (!scene_about(s, call))
            continue;
        if (call->exposure == EXPOSURE_BITTEN)
            storm_of(s, f, call, &w);
        else if (call->exposure == EXPOSURE_UNKNOWN)
            found_of(s, f, call, OUTCOME_INCONCLUSIVE, scene_unsaid(s, call), UNTIL_THE_END, UNSAID,
                     call_text(s, call, name));
    }
    finding_end_or_na(s, f, "calls were kept off the fault");
}
