/* checks_safe.c - that a client does not do harm: safe_retry, executed_once. */
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
        found_of(s, f, call, OUTCOME_FAIL, REMEDY_NONE, call_answered_until(s, call),
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
        found_of(s, f, call, OUTCOME_INCONCLUSIVE, scene_unsaid(s, call), UNTIL_THE_END, UNSAID,
                 name);
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
            found_of(s, f, call, OUTCOME_INCONCLUSIVE, scene_unsaid(s, call), UNTIL_THE_END, UNSAID,
                     "a call");
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
