/* checks_retry.c - what a client does again: retries, retry_elsewhere, backoff, safe_retry,
 * executed_once, no_storm. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "verdict/calls_parts.h"
#include "verdict/scene.h"

static const char unsaid[] = "what happened to %s is not all in the ledger";

static bool met_any(const struct scene *s)
{
    for (size_t i = 0; i < s->calls->count; i++) {
        enum exposure exposure = s->calls->calls[i].exposure;
        if (scene_about(s, &s->calls->calls[i]) && exposure != EXPOSURE_UNTOUCHED &&
            exposure != EXPOSURE_UNKNOWN)
            return true;
    }
    return false;
}

/* Of checks about what some calls that met a fault did: without any of these they do not apply. */
static void end_or_na(const struct scene *s, struct finding *f, const char *none)
{
    if (f->outcome == OUTCOME_NA && !f->count[OUTCOME_NA] && !f->left && met_any(s))
        found(f, OUTCOME_NA, REMEDY_NONE, UNTIL_THE_END, NULL, "%s", none);
    finding_end(f, "no call met a fault");
}

/* --- retries */

/* A pool of dead connections gives one after the other (RFC 9110 9.2.2 allows that): an attempt on
 * one that was there before, that the call had not tried, and that was dead as well. */
static bool is_drained(const struct scene *s, const struct call *call, size_t i)
{
    const struct member *members = call_members(s, call);
    const struct attempt *a = members[i].attempt;
    const struct connection *c = history_find_connection(s->h, a->connection);
    if (members[i].fresh || !c || c->dead == NEVER || !a->fault)
        return false;
    for (size_t k = 0; k < i; k++) {
        if (members[k].attempt->connection == a->connection)
            return false;
    }
    return true;
}

static struct call_group group_of(const struct scene *s, const struct call *call)
{
    if (s->notes[call - s->calls->calls].alone)
        return (struct call_group){ .calls = 1 };
    return calls_group(s->calls, call);
}

/* Attempts beyond the first, hops aside. */
static unsigned further_of(const struct scene *s, const struct call *call)
{
    unsigned further = 0;
    for (size_t i = 1; i < call->count; i++)
        further += call_members(s, call)[i].role != ROLE_HOP && !is_drained(s, call, i);
    return further;
}

/* An attempt that came before the time for which an answer had asked (RFC 9110 10.2.3). */
static bool too_soon(const struct scene *s, const struct call *call, int64_t *asked)
{
    for (size_t i = 1; i < call->count; i++) {
        const struct attempt *before = call_members(s, call)[i - 1].attempt;
        const struct attempt *a = call_members(s, call)[i].attempt;
        const struct fault *f = before->fault ? history_find_fault(s->h, before->fault) : NULL;
        int64_t handed = before->reached[PROGRESS_HANDED];
        if (f && f->retry_after != NEVER && handed != NEVER && a->first_byte.to >= handed &&
            a->first_byte.to < handed + f->retry_after) {
            *asked = f->retry_after;
            return true;
        }
    }
    return false;
}

static void too_few(const struct scene *s, struct finding *f, const struct call *call,
                    unsigned made)
{
    char name[CALL_SIZE];
    int64_t deadline = call->begun.to + 10 * NS_PER_S;
    bool answered = call->state == CALL_ANSWERED || call->state == CALL_RECOVERED;
    call_text(s, call, name);
    if (answered && made == 0)
        left_of(s, f, call, REMEDY_NOT_STRUCK,
                "%s was answered in the end, without another attempt", name);
    else if (call->lacks_after || call->presumed)
        found_of(s, f, call, OUTCOME_INCONCLUSIVE, call->presumed ? REMEDY_REPORT : REMEDY_GAP,
                 UNTIL_THE_END, unsaid, name);
    else if (!answered && s->now <= deadline && s->client_gone == NEVER && s->over)
        left_of(s, f, call, REMEDY_ENDED_EARLY, "%s: the run ended before it was sent again", name);
    else if (!answered && s->now <= deadline && s->client_gone == NEVER)
        found_of(s, f, call, OUTCOME_INCONCLUSIVE, REMEDY_WAIT, deadline,
                 "%s was not sent again yet", name);
    else
        found_of(s, f, call, OUTCOME_FAIL, REMEDY_NONE, NEVER, "%u (at least: %lld)", made,
                 (long long)scene_number(s, 0));
}

static void retries_of(const struct scene *s, struct finding *f, const struct call *call)
{
    int64_t min = scene_number(s, 0), max = scene_number(s, 1), asked;
    struct call_group group = group_of(s, call);
    unsigned least = further_of(s, call), most = least;
    char name[CALL_SIZE], time[TIME_SIZE];
    call_text(s, call, name);
    if (group.calls > 1) {
        least = group.retries_min;
        most = group.retries_max > most ? group.retries_max : most;
    }
    enum tri repeatable = call->count ? call_repeatable(s->h, s->calls, call) : TRI_YES;
    if (least > max && !call->presumed)
        found_of(s, f, call, OUTCOME_FAIL, REMEDY_NONE, NEVER, "%u (allowed: %lld)", least,
                 (long long)max);
    else if (too_soon(s, call, &asked))
        found_of(s, f, call, OUTCOME_FAIL, REMEDY_NONE, NEVER,
                 "%s was sent again before the %s of Retry-After were over", name,
                 time_text(asked, time));
    else if (call->state == CALL_UNKNOWN || repeatable == TRI_UNKNOWN)
        found_of(s, f, call, OUTCOME_INCONCLUSIVE, call->presumed ? REMEDY_REPORT : REMEDY_GAP,
                 UNTIL_THE_END, unsaid, name);
    else if (repeatable == TRI_NO)
        found_of(s, f, call, OUTCOME_NA, REMEDY_NONE, UNTIL_THE_END,
                 "%s may have been done, and has no key: no second attempt is safe", name);
    else if (most < min)
        too_few(s, f, call, most);
    else if (most > max || least < min)
        found_of(s, f, call, OUTCOME_INCONCLUSIVE, REMEDY_CALL_NAME, call_until(call),
                 "%u to %u, as equal calls were open at once (allowed: %lld)", least, most,
                 (long long)max);
    else if (call->lacks_before || call->lacks_after || call->presumed)
        found_of(s, f, call, OUTCOME_INCONCLUSIVE, call->presumed ? REMEDY_REPORT : REMEDY_GAP,
                 UNTIL_THE_END, unsaid, name);
    else
        found_of(s, f, call, OUTCOME_PASS, REMEDY_NONE, call_until(call), "%u (allowed: %lld)",
                 most, (long long)max);
}

void check_retries(const struct scene *s, struct finding *f)
{
    for (size_t i = 0; i < s->calls->count; i++) {
        const struct call *call = &s->calls->calls[i];
        char name[CALL_SIZE];
        if (!scene_about(s, call))
            continue;
        call_text(s, call, name);
        if (call->exposure == EXPOSURE_BITTEN)
            retries_of(s, f, call);
        else if (call->exposure == EXPOSURE_UNKNOWN)
            found_of(s, f, call, OUTCOME_INCONCLUSIVE, REMEDY_GAP, UNTIL_THE_END, unsaid, name);
        else if (call->exposure != EXPOSURE_UNTOUCHED)
            left_of(s, f, call, REMEDY_NOT_STRUCK, "%s was kept off the dead connection", name);
    }
    finding_end(f, "no call was struck by a fault");
}

/* --- retry_elsewhere */

/* Whether the connection of a lost attempt has failed, and not only its stream. */
static enum tri has_failed(const struct scene *s, const struct attempt *a)
{
    const struct fault *f = a->fault ? history_find_fault(s->h, a->fault) : NULL;
    enum trouble trouble = history_trouble(s->h, a);
    if (trouble == TROUBLE_UNKNOWN || (a->fault && !f))
        return TRI_UNKNOWN;
    if (!f || trouble == TROUBLE_FINE)
        return TRI_NO;
    return f->scope == SCOPE_STREAM && a->status != 421 ? TRI_NO : TRI_YES;
}

static void elsewhere_of(const struct scene *s, struct finding *f, const struct call *call)
{
    const struct member *members = call_members(s, call);
    enum tri same = TRI_NO, failed = TRI_NO;
    unsigned again = 0;
    uint64_t last = 0;
    for (size_t i = 0; i < call->count; i++) {
        again += i > 0 && members[i].role != ROLE_HOP;
        last = i > 0 ? members[i].attempt->connection : last;
        for (size_t k = 0; k < i; k++) {
            enum tri one = has_failed(s, members[k].attempt);
            failed = one > failed || one == TRI_YES ? one : failed;
            if (members[i].attempt->connection != members[k].attempt->connection ||
                members[i].role == ROLE_HEDGE || members[i].role == ROLE_HOP)
                continue;
            if (one == TRI_YES || (one == TRI_UNKNOWN && same == TRI_NO))
                same = one;
            if (one == TRI_UNKNOWN)
                failed = TRI_UNKNOWN;
        }
    }
    char name[CALL_SIZE];
    call_text(s, call, name);
    if (same == TRI_YES)
        found_of(s, f, call, OUTCOME_FAIL, REMEDY_NONE, NEVER,
                 "%s was sent again on the connection that had failed it", name);
    else if (call->state == CALL_UNKNOWN || failed == TRI_UNKNOWN || call->lacks_before ||
             call->presumed)
        found_of(s, f, call, OUTCOME_INCONCLUSIVE, call->presumed ? REMEDY_REPORT : REMEDY_GAP,
                 UNTIL_THE_END, unsaid, name);
    else if (again == 0)
        found_of(s, f, call, OUTCOME_NA, REMEDY_NONE, call_until(call), "%s was not sent again",
                 name);
    else if (failed == TRI_NO)
        found_of(s, f, call, OUTCOME_NA, REMEDY_NONE, call_until(call),
                 "only its stream was struck: the connection is good");
    else
        found_of(s, f, call, OUTCOME_PASS, REMEDY_NONE, call_until(call), "on connection %llu",
                 (unsigned long long)last);
}

void check_retry_elsewhere(const struct scene *s, struct finding *f)
{
    for (size_t i = 0; i < s->calls->count; i++) {
        const struct call *call = &s->calls->calls[i];
        char name[CALL_SIZE];
        if (!scene_about(s, call))
            continue;
        if (call->exposure == EXPOSURE_BITTEN)
            elsewhere_of(s, f, call);
        else if (call->exposure == EXPOSURE_UNKNOWN)
            found_of(s, f, call, OUTCOME_INCONCLUSIVE, REMEDY_GAP, UNTIL_THE_END, unsaid,
                     call_text(s, call, name));
        else if (call->exposure != EXPOSURE_UNTOUCHED)
            left_of(s, f, call, REMEDY_NOT_STRUCK, "%s was kept off the dead connection",
                    call_text(s, call, name));
    }
    finding_end(f, "no call was struck by a fault");
}

/* --- backoff */

#define BACKOFF_GAPS  4
#define ALIKE_PERCENT 10

static int64_t pause_before(const struct scene *s, const struct member *members, size_t i)
{
    const struct span lost = history_seen(s->h, members[i - 1].attempt);
    int64_t pause = members[i].attempt->first_byte.from - lost.from;
    return pause > 0 ? pause : 0;
}

static void backoff_of(const struct scene *s, struct finding *f, const struct call *call)
{
    const struct member *members = call_members(s, call);
    char name[CALL_SIZE], time[TIME_SIZE];
    int64_t sum = 0, least = INT64_MAX, most = 0, asked;
    size_t gaps = call->count ? call->count - 1 : 0;
    call_text(s, call, name);
    if (too_soon(s, call, &asked)) {
        found_of(s, f, call, OUTCOME_FAIL, REMEDY_NONE, NEVER,
                 "%s was sent again before the %s of Retry-After were over", name,
                 time_text(asked, time));
        return;
    }
    if (gaps < BACKOFF_GAPS) {
        left_of(s, f, call, REMEDY_LONGER, "%s made %zu attempts; five are needed", name,
                call->count);
        return;
    }
    for (size_t i = 1; i <= gaps; i++) {
        int64_t pause = pause_before(s, members, i);
        sum += pause;
        least = pause < least ? pause : least;
        most = pause > most ? pause : most;
    }
    int64_t mean = sum / (int64_t)gaps, slack = mean / 100 * ALIKE_PERCENT;
    int64_t first = pause_before(s, members, 1) + pause_before(s, members, 2);
    int64_t last = pause_before(s, members, gaps) + pause_before(s, members, gaps - 1);
    if (call->state == CALL_UNKNOWN || call->lacks_before || call->presumed)
        found_of(s, f, call, OUTCOME_INCONCLUSIVE, REMEDY_GAP, UNTIL_THE_END, unsaid, name);
    else if (least >= mean - slack && most <= mean + slack)
        found_of(s, f, call, OUTCOME_FAIL, REMEDY_NONE, NEVER,
                 "%s: all pauses between its attempts are about %s", name, time_text(mean, time));
    else if (last <= first)
        found_of(s, f, call, OUTCOME_FAIL, REMEDY_NONE, NEVER,
                 "%s: the pauses between its attempts do not grow", name);
    else if (last < first + first / 2) /* a busy machine makes them grow as much */
        found_of(s, f, call, OUTCOME_INCONCLUSIVE, REMEDY_LONGER, UNTIL_THE_END,
                 "%s: the pauses between its attempts grow by less than a half", name);
    else
        found_of(s, f, call, OUTCOME_PASS, REMEDY_NONE, call_until(call), "the pauses grow to %s",
                 time_text(most, time));
}

void check_backoff(const struct scene *s, struct finding *f)
{
    for (size_t i = 0; i < s->calls->count; i++) {
        const struct call *call = &s->calls->calls[i];
        if (scene_about(s, call) && call->exposure == EXPOSURE_BITTEN)
            backoff_of(s, f, call);
    }
    finding_end(f, "no call was struck by a fault");
}

/* --- safe_retry */

static uint64_t key_of(const struct attempt *a)
{
    return a->idempotency_key.hash ? a->idempotency_key.hash : a->other_keys[0];
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
                before->acked.to <= member->attempt->first_byte.from)
                worst = TRI_YES;
        }
    }
    return worst;
}

static void keyed_retry(const struct scene *s, struct finding *f, const struct call *call)
{
    const struct attempt *first = call_first(s, call);
    bool other_key = false, other_content = false;
    for (size_t i = 1; i < call->count; i++) {
        const struct attempt *a = call_members(s, call)[i].attempt;
        if (call_members(s, call)[i].role == ROLE_HOP)
            continue;
        other_key |= key_of(a) != key_of(first);
        other_content |= !a->partial && !first->partial && a->digest.hash && first->digest.hash &&
                         a->digest.hash != first->digest.hash;
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
                 again == TRI_UNKNOWN ? REMEDY_CONFIRM : REMEDY_GAP, UNTIL_THE_END,
                 again == TRI_UNKNOWN ? "%s was sent again, and perhaps it had been answered"
                                      : unsaid,
                 name);
    else
        found_of(s, f, call, OUTCOME_PASS, REMEDY_NONE, call_until(call),
                 "%s: one key and content in %zu attempt%s", name, call->count,
                 call->count == 1 ? "" : "s");
}

static void keyless_retry(const struct scene *s, struct finding *f, const struct call *call)
{
    size_t risk = 0;
    char name[CALL_SIZE];
    while (risk < call->count && !attempt_is_risk(s->h, call_members(s, call)[risk].attempt))
        risk++;
    size_t after = risk < call->count ? call->count - risk - 1 : 0;
    call_text(s, call, name);
    if (after > 0)
        found_of(s, f, call, OUTCOME_FAIL, REMEDY_NONE, NEVER,
                 "%s was sent again without a key, though it may have been done", name);
    else if (call->state == CALL_UNKNOWN || call_risky(s->h, s->calls, call) == TRI_UNKNOWN ||
             call->lacks_before || call->lacks_after)
        found_of(s, f, call, OUTCOME_INCONCLUSIVE, REMEDY_GAP, UNTIL_THE_END, unsaid, name);
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
    const struct attempt *first = call_first(s, call);
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
        const struct attempt *first = call_first(s, call);
        if (!scene_about(s, call) || !first)
            continue;
        if (call->exposure == EXPOSURE_UNKNOWN || (!first->method.bytes && first->unknown))
            found_of(s, f, call, OUTCOME_INCONCLUSIVE, REMEDY_GAP, UNTIL_THE_END,
                     "what happened to a call is not all in the ledger");
        else if (repeat_is_idempotent(first) ||
                 (call->exposure != EXPOSURE_BITTEN && !key_was_struck(s, call)))
            continue;
        else if (key_of(first))
            keyed_retry(s, f, call);
        else
            keyless_retry(s, f, call);
    }
    end_or_na(s, f, "no request that is unsafe to repeat was struck");
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
        found_of(s, f, call, OUTCOME_INCONCLUSIVE, REMEDY_GAP, UNTIL_THE_END, unsaid, name);
    else if (call->exposure == EXPOSURE_BITTEN)
        found_of(s, f, call, OUTCOME_PASS, REMEDY_NONE, call_until(call), "%s took effect %s", name,
                 effects ? "once" : "not at all");
}

void check_executed_once(const struct scene *s, struct finding *f)
{
    for (size_t i = 0; i < s->calls->count; i++) {
        const struct call *call = &s->calls->calls[i];
        const struct attempt *first = call_first(s, call);
        if (scene_about(s, call) && first && !repeat_is_safe(first))
            executions_of(s, f, call);
    }
    end_or_na(s, f, "no request with an effect was struck");
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

/* Connections that were opened in a span, and how many would be too many. */
static unsigned opened_in(const struct scene *s, int64_t from, int64_t to, bool *h1)
{
    const struct connection *c;
    unsigned opened = 0;
    *h1 = false;
    for (size_t i = 0; (c = history_connection(s->h, i)); i++) {
        if (c->opened == NEVER || c->opened < from || c->opened > to)
            continue;
        opened++;
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

static void storm_of(const struct scene *s, struct finding *f, const struct call *call)
{
    int64_t max = scene_number(s, 0), within = scene_number(s, 1);
    const struct fault *fault = call_fault(s, call);
    int64_t bite = fault && fault->at > call->begun.from ? fault->at : call->begun.from;
    int64_t end = bite + within;
    bool h1;
    char name[CALL_SIZE], time[TIME_SIZE];
    struct call_group group = group_of(s, call);
    unsigned attempts = attempts_until(s, call, end), least = attempts;
    unsigned opened = opened_in(s, bite, end, &h1), spare = h1 ? 6 : 2;
    if (group.calls > 1)
        least = (group.attempts + group.calls - 1) / group.calls;
    bool flood = opened > spare + 1 && opened > spare + open_at_once(s, bite, end);
    call_text(s, call, name);
    time_text(within, time);
    if (least > max)
        found_of(s, f, call, OUTCOME_FAIL, REMEDY_NONE, NEVER, "%s made %u attempts in %s", name,
                 least, time);
    else if (flood)
        found_of(s, f, call, OUTCOME_FAIL, REMEDY_NONE, NEVER, "%u connections were opened in %s",
                 opened, time);
    else if (attempts > max)
        found_of(s, f, call, OUTCOME_INCONCLUSIVE, REMEDY_CALL_NAME, end,
                 "up to %u attempts, as equal calls were open at once", attempts);
    else if (call->state == CALL_UNKNOWN || call->lacks_after || call->presumed)
        found_of(s, f, call, OUTCOME_INCONCLUSIVE, call->presumed ? REMEDY_REPORT : REMEDY_GAP,
                 UNTIL_THE_END, unsaid, name);
    else if (s->over && s->client_gone == NEVER && s->now < end)
        left_of(s, f, call, REMEDY_ENDED_EARLY, "the run ended less than %s after the fault", time);
    else
        found_of(s, f, call, OUTCOME_PASS, REMEDY_NONE, end, "%u attempt%s, %u new connection%s",
                 attempts, attempts == 1 ? "" : "s", opened, opened == 1 ? "" : "s");
}

void check_no_storm(const struct scene *s, struct finding *f)
{
    for (size_t i = 0; i < s->calls->count; i++) {
        const struct call *call = &s->calls->calls[i];
        char name[CALL_SIZE];
        if (!scene_about(s, call))
            continue;
        if (call->exposure == EXPOSURE_BITTEN)
            storm_of(s, f, call);
        else if (call->exposure == EXPOSURE_UNKNOWN)
            found_of(s, f, call, OUTCOME_INCONCLUSIVE, REMEDY_GAP, UNTIL_THE_END, unsaid,
                     call_text(s, call, name));
    }
    end_or_na(s, f, "calls were kept off the fault");
}
