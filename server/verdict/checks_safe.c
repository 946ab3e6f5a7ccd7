/* checks_safe.c - that a client does not do harm: safe_retry, executed_once, no_storm. */
#include "base/clock.h"
#include "verdict/calls_parts.h"
#include "verdict/scene.h"

/* --- safe_retry */

static uint64_t key_of(const struct attempt *a)
{
    return a->idempotency_key.hash;
}

/* The same key in a call that is another for sure: in the control, or in one beside this one. */
static bool key_is_constant(const struct scene *s, const struct call *call, uint64_t key)
{
    const struct attempt *a;
    for (size_t i = 0; s->control_history && (a = history_attempt(s->control_history, i)); i++) {
        if (key_of(a) == key)
            return true;
    }
    for (size_t i = 0; i < s->calls->member_count; i++) {
        bool own = i >= call->first && i < call->first + call->count;
        if (!own && key_of(s->calls->members[i].attempt) == key)
            return true;
    }
    return false;
}

/* Whether an attempt came when one before it was answered; perhaps: when that may have been so. */
static enum tri repeats_answer(const struct scene *s, const struct call *call)
{
    enum tri worst = TRI_NO;
    for (size_t i = 1; i < call->count; i++) {
        const struct member *member = &call_members(s, call)[i];
        if (member->role != ROLE_DUPLICATE)
            continue;
        worst = worst == TRI_NO ? TRI_UNKNOWN : worst;
        for (size_t k = 0; k < i; k++) {
            const struct attempt *before = call_members(s, call)[k].attempt;
            if (history_answered(s->h, before) && !call_members(s, call)[k].hopped &&
                before->acked.to + history_grace(s->h) <= member->attempt->first_byte.from)
                worst = TRI_YES;
        }
    }
    return worst;
}

static void keyed_retry(const struct scene *s, struct finding *f, const struct call *call)
{
    const struct attempt *first = call_read(s, call);
    bool other_key = false, other_content = false, uncompared = false;
    for (size_t i = 1; i < call->count; i++) {
        const struct attempt *a = call_members(s, call)[i].attempt;
        if (call_members(s, call)[i].role == ROLE_HOP)
            continue;
        other_key |= key_of(a) != key_of(first);
        other_content |= !a->partial && !first->partial && a->digest.hash && first->digest.hash &&
                         a->digest.hash != first->digest.hash;
        uncompared |= a->partial || first->partial;
    }
    enum tri again = repeats_answer(s, call);
    char name[CALL_SIZE];
    call_text(s, call, name);
    if (other_key || other_content)
        found_of(s, f, call, OUTCOME_FAIL, REMEDY_NONE, NEVER, "%s was sent again with another %s",
                 name, other_key ? "key" : "content under the same key");
    else if (key_is_constant(s, call, key_of(first)))
        found_of(s, f, call, OUTCOME_FAIL, REMEDY_NONE, NEVER,
                 "the key of %s is used for other calls too", name);
    else if (again == TRI_YES)
        found_of(s, f, call, OUTCOME_FAIL, REMEDY_NONE, NEVER,
                 "%s was sent with the same key although it had been answered", name);
    else if (again == TRI_UNKNOWN || call->state == CALL_UNKNOWN || call->lacks_before ||
             call->lacks_after)
        found_of(s, f, call, OUTCOME_INCONCLUSIVE,
                 again == TRI_UNKNOWN ? REMEDY_CONFIRM : scene_unsaid(s, call), UNTIL_THE_END,
                 again == TRI_UNKNOWN ? "%s was sent again, and perhaps it had been answered"
                                      : UNSAID,
                 name);
    else if (uncompared)
        found_of(s, f, call, OUTCOME_INCONCLUSIVE, REMEDY_MODE, call_until(call),
                 "%s was sent with the same key, and not all was read of each content", name);
    else
        found_of(s, f, call, OUTCOME_PASS, REMEDY_NONE, call_until(call),
                 "%s: one key and content in %zu attempt%s", name, call->count,
                 call->count == 1 ? "" : "s");
}

static void keyless_retry(const struct scene *s, struct finding *f, const struct call *call)
{
    size_t risk = 0;
    char name[CALL_SIZE];
    while (risk < call->count &&
           !repeat_is_risk(s->h, s->calls, call, call_members(s, call)[risk].attempt))
        risk++;
    size_t after = risk < call->count ? call->count - risk - 1 : 0;
    /* What fell into a hole is known by the account that joins the next one to it (R7). */
    bool known =
        risk < call->count && (!call_members(s, call)[risk].attempt->unknown ||
                               (after > 0 && call_members(s, call)[risk].attempt->presumed &&
                                call_members(s, call)[risk + 1].join == JOIN_NAMED));
    call_text(s, call, name);
    if (after > 0 && !known) /* it may have been told that it was not done */
        found_of(s, f, call, OUTCOME_INCONCLUSIVE, REMEDY_GAP, UNTIL_THE_END, UNSAID, name);
    else if (after > 0)
        found_of(s, f, call, OUTCOME_FAIL, REMEDY_NONE, NEVER,
                 "%s was sent again without an Idempotency-Key, though it may have been done",
                 name);
    else if (call->state == CALL_UNKNOWN ||
             repeat_call_risky(s->h, s->calls, call) == TRI_UNKNOWN || call->lacks_before ||
             call->lacks_after)
        found_of(s, f, call, OUTCOME_INCONCLUSIVE, scene_unsaid(s, call), UNTIL_THE_END, UNSAID,
                 name);
    else if (risk == call->count)
        found_of(s, f, call, OUTCOME_NA, REMEDY_NONE, UNTIL_THE_END,
                 "%s was refused, so that it may be sent again", name);
    else
        found_of(s, f, call, OUTCOME_PASS, REMEDY_NONE, call_until(call), "%s was not sent again",
                 name);
}

/* One key joins whatever has it. A later one of these was struck, though the first was answered:
 * then it is no key of one call. */
static bool key_was_struck(const struct scene *s, const struct call *call)
{
    const struct attempt *first = call_read(s, call);
    for (size_t i = 1; key_of(first) && i < call->count; i++) {
        const struct attempt *a = call_members(s, call)[i].attempt;
        if (a->fault && !history_answered(s->h, a))
            return true;
    }
    return false;
}

void check_safe_retry(const struct scene *s, struct finding *f)
{
    for (size_t i = 0; i < s->calls->count; i++) {
        const struct call *call = &s->calls->calls[i];
        const struct attempt *first = call_read(s, call);
        if (!scene_about(s, call) || !first)
            continue;
        if (call->exposure == EXPOSURE_UNKNOWN || (!first->method.bytes && first->unknown))
            found_of(s, f, call, OUTCOME_INCONCLUSIVE, scene_unsaid(s, call), UNTIL_THE_END,
                     "what happened to a call is not all in the ledger");
        else if (repeat_is_idempotent(first) ||
                 (call->exposure != EXPOSURE_BITTEN && !key_was_struck(s, call) &&
                  !(call->held && call->count > 1))) /* sent again while its answer was held */
            continue;
        else if (key_of(first))
            keyed_retry(s, f, call);
        else
            keyless_retry(s, f, call);
    }
    finding_end_or_na(s, f, "no request that is unsafe to repeat was struck");
}

/* --- executed_once */

/* With an effect; those of one key count once, as a server that honours it does them once. */
static unsigned effects_of(const struct scene *s, const struct call *call)
{
    unsigned effects = 0;
    uint64_t key = 0;
    for (size_t i = 0; i < call->count; i++) {
        const struct attempt *a = call_members(s, call)[i].attempt;
        if (!a->processed || a->effect != TRI_YES)
            continue;
        bool known = key && a->idempotency_key.hash == key;
        key = key ? key : a->idempotency_key.hash;
        effects += !known;
    }
    return effects;
}

/* Of equal calls that were open together: all their effects, and how many calls they are. */
static void effects_of_group(const struct scene *s, const struct call *call, unsigned *effects,
                             unsigned *calls)
{
    *effects = *calls = 0;
    if (s->notes[call - s->calls->calls].alone) {
        *effects = effects_of(s, call);
        *calls = 1;
        return;
    }
    for (size_t i = 0; i < s->calls->count; i++) {
        if (s->calls->calls[i].group != call->group)
            continue;
        *effects += effects_of(s, &s->calls->calls[i]);
        (*calls)++;
    }
}

static void executions_of(const struct scene *s, struct finding *f, const struct call *call)
{
    unsigned effects = effects_of(s, call), all, calls;
    char name[CALL_SIZE];
    call_text(s, call, name);
    effects_of_group(s, call, &all, &calls);
    if (effects > 1 && all > calls)
        found_of(s, f, call, OUTCOME_FAIL, REMEDY_NONE, NEVER, "%s took effect %u times", name,
                 effects);
    else if (effects > 1)
        found_of(s, f, call, OUTCOME_INCONCLUSIVE, REMEDY_CALL_NAME, UNTIL_THE_END,
                 "%u equal calls took effect %u times, and which is whose is not known", calls,
                 all);
    else if (call->exposure == EXPOSURE_UNKNOWN || call->state == CALL_UNKNOWN ||
             (call->exposure == EXPOSURE_BITTEN &&
              (call->executions_unknown || call->lacks_before || call->lacks_after)))
        found_of(s, f, call, OUTCOME_INCONCLUSIVE, scene_unsaid(s, call), UNTIL_THE_END, UNSAID,
                 name);
    else if (call->exposure == EXPOSURE_BITTEN)
        found_of(s, f, call, OUTCOME_PASS, REMEDY_NONE, call_until(call),
                 effects ? "%s took effect once" : "%s had no effect", name);
}

void check_executed_once(const struct scene *s, struct finding *f)
{
    for (size_t i = 0; i < s->calls->count; i++) {
        const struct call *call = &s->calls->calls[i];
        const struct attempt *first = call_read(s, call);
        if (scene_about(s, call) && first && !repeat_is_idempotent(first))
            executions_of(s, f, call);
    }
    finding_end_or_na(s, f, "nothing that must not be done twice was struck");
}

/* --- no_storm */

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

/* Connections that were opened in a span, and those of them that served nothing. */
static unsigned opened_in(const struct scene *s, int64_t from, int64_t to, unsigned *vain, bool *h1)
{
    const struct connection *c;
    unsigned opened = 0;
    *h1 = false;
    *vain = 0;
    for (size_t i = 0; (c = history_connection(s->h, i)); i++) {
        if (c->opened == NEVER || c->opened < from || c->opened > to)
            continue;
        opened++;
        *vain += !has_served(s, c);
        *h1 |= !c->h2;
    }
    return opened;
}

static unsigned attempts_until(const struct scene *s, const struct call *call, int64_t to)
{
    unsigned count = 0;
    for (size_t i = 0; i < call->count; i++)
        count += call_members(s, call)[i].attempt->first_byte.from <= to;
    return count;
}

/* What came about in the time behind a fault. Times that begin within 100 ms are looked at once. */
struct window {
    int64_t from;
    unsigned opened, vain, spare, at_once; /* vain: of those that were opened */
};
#define ALIKE (100 * NS_PER_MS)

static void look_behind(const struct scene *s, int64_t from, int64_t within, struct window *w)
{
    bool h1;
    if (w->from != NEVER && from >= w->from && from <= w->from + ALIKE)
        return;
    w->from = from;
    w->opened = opened_in(s, from, from + within, &w->vain, &h1);
    w->spare = h1 ? 6 : 2;
    w->at_once = w->vain > w->spare + 1 ? open_at_once(s, from, from + within) : 1;
}

/* Connections that were opened from then on may be forgotten. */
static bool lacks_connections(const struct scene *s, int64_t from)
{
    const struct connection *oldest = history_connection(s->h, 0);
    return history_forgotten(s->h) &&
           (!oldest || oldest->opened == NEVER || oldest->opened > from - ALIKE);
}

static void storm_of(const struct scene *s, struct finding *f, const struct call *call,
                     struct window *w)
{
    int64_t max = scene_number(s, 0), within = scene_number(s, 1);
    const struct fault *fault = call_fault(s, call);
    int64_t bite = fault && fault->at > call->begun.from ? fault->at : call->begun.from;
    int64_t end = bite + within;
    char name[CALL_SIZE], time[TIME_SIZE];
    struct call_group group = scene_group(s, call);
    unsigned attempts = attempts_until(s, call, end), least = attempts;
    look_behind(s, bite, within, w);
    unsigned opened = w->opened;
    if (group.calls > 1)
        least = (group.attempts + group.calls - 1) / group.calls;
    bool flood = w->vain > w->spare + w->at_once, sure = !scene_may_be_two(s, call);
    call_text(s, call, name);
    finding_time(within, time);
    if (least > max && sure)
        found_of(s, f, call, OUTCOME_FAIL, REMEDY_NONE, NEVER, "%s made %u attempts in %s", name,
                 least, time);
    else if (flood && s->now <= end && !s->over && s->client_gone == NEVER)
        found_of(s, f, call, OUTCOME_INCONCLUSIVE, REMEDY_WAIT, end,
                 "%u connections were opened, and nothing is answered on %u of them yet", opened,
                 w->vain);
    else if (flood)
        found_of(s, f, call, OUTCOME_FAIL, REMEDY_NONE, NEVER,
                 "%u connections were opened in %s, and nothing was answered on %u of them", opened,
                 time, w->vain);
    else if (attempts > max)
        found_of(s, f, call, OUTCOME_INCONCLUSIVE, REMEDY_CALL_NAME, end, "up to %u attempts, %s",
                 attempts,
                 sure ? "as equal calls were open at once"
                      : "if they were all of one call: this client makes its next one as soon");
    else if (call->state == CALL_UNKNOWN || call->lacks_after || call->presumed)
        found_of(s, f, call, OUTCOME_INCONCLUSIVE, scene_unsaid(s, call), UNTIL_THE_END, UNSAID,
                 name);
    else if (!flood && lacks_connections(s, bite))
        found_of(s, f, call, OUTCOME_INCONCLUSIVE, REMEDY_RESET, UNTIL_THE_END,
                 "not all connections of that time are kept any more");
    else if (s->over && s->client_gone == NEVER && s->now < end)
        scene_leave(s, f, call, REMEDY_ENDED_EARLY, "the run ended less than %s after the fault",
                    time);
    else
        found_of(s, f, call, OUTCOME_PASS, REMEDY_NONE, end, "%u attempt%s, %u new connection%s",
                 attempts, attempts == 1 ? "" : "s", opened, opened == 1 ? "" : "s");
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
