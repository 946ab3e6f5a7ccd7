/* checks_retry.c - what a client does again, how often and where: retries, retry_elsewhere,
 * backoff. */
#include "base/clock.h"
#include "verdict/scene.h"

/* --- retries */

#define LOOKED_AT 64 /* so many attempts of a call before one; more are a storm */

/* A pool of dead connections gives one after the other (RFC 9110 9.2.2 allows that): an attempt on
 * one that was there before, that the call had not tried, and that was dead as well. */
static bool is_drained(const struct scene *s, const struct call *call, size_t i)
{
    const struct member *members = call_members(s, call);
    const struct attempt *a = members[i].attempt;
    const struct connection *c = history_find_connection(s->h, a->connection);
    if (members[i].fresh || !c || c->dead == NEVER || !a->fault || i > LOOKED_AT)
        return false;
    for (size_t k = 0; k < i; k++) {
        if (members[k].attempt->connection == a->connection)
            return false;
    }
    return true;
}

/* Attempts beyond the first, hops aside; *loose: those of them that may be of another call;
 * *behind: those that came behind a loss, and before an answer. A hedge is no retry. */
static unsigned further_of(const struct scene *s, const struct call *call, unsigned *loose,
                           unsigned *behind)
{
    unsigned further = 0;
    *loose = *behind = 0;
    for (size_t i = 1; i < call->count; i++) {
        const struct member *member = &call_members(s, call)[i];
        if (member->role == ROLE_HOP || is_drained(s, call, i))
            continue;
        further++;
        *behind += member->role == ROLE_RETRY;
        *loose += member->join == JOIN_LOOSE;
    }
    return further;
}

/* An attempt that came before the time for which an answer had asked (RFC 9110 10.2.3). */
static bool too_soon(const struct scene *s, const struct call *call, int64_t *asked)
{
    for (size_t i = 1; i < call->count; i++) {
        if (call_members(s, call)[i].join == JOIN_LOOSE)
            continue;
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
    const struct note *note = &s->notes[call - s->calls->calls];
    bool said = note->line && note->line->ok && note->differs == DIFFERS_NOT;
    bool answered = calls_is_answered(call);
    call_text(s, call, name);
    if (call->state == CALL_DOUBTFUL && made == 0 && !said)
        scene_leave(s, f, call, REMEDY_CONFIRM,
                    "%s was perhaps answered, and then there was nothing to send again", name);
    else if ((answered || (call->state == CALL_DOUBTFUL && said)) && made == 0)
        scene_leave(s, f, call, REMEDY_NOT_STRUCK,
                    "%s was answered in the end, without another attempt behind its loss", name);
    else if (s->gap || s->forgotten || call->lacks_after || call->presumed)
        found_of(s, f, call, OUTCOME_INCONCLUSIVE,
                 s->forgotten && !s->gap ? REMEDY_RESET : scene_unsaid(s, call), UNTIL_THE_END,
                 UNSAID, name);
    else if (!answered && s->now <= deadline && s->client_gone == NEVER && s->over)
        scene_leave(s, f, call, REMEDY_ENDED_EARLY, "%s: the run ended before it was sent again",
                    name);
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
    struct call_group group = scene_group(s, call);
    unsigned loose, behind, most = further_of(s, call, &loose, &behind), least = most - loose;
    char name[CALL_SIZE], time[TIME_SIZE];
    call_text(s, call, name);
    if (group.calls > 1) {
        least = group.retries_min;
        most = group.retries_max > most ? group.retries_max : most;
    }
    enum tri repeatable = call->count ? repeat_call(s->h, s->calls, call) : TRI_YES;
    if (least > max && !call->presumed)
        found_of(s, f, call, OUTCOME_FAIL, REMEDY_NONE, NEVER, "%u (allowed: %lld)", least,
                 (long long)max);
    else if (too_soon(s, call, &asked))
        found_of(s, f, call, OUTCOME_FAIL, REMEDY_NONE, NEVER,
                 "%s was sent again before the %s of Retry-After were over", name,
                 finding_time(asked, time));
    else if (call->state == CALL_UNKNOWN || repeatable == TRI_UNKNOWN)
        found_of(s, f, call, OUTCOME_INCONCLUSIVE, scene_unsaid(s, call), UNTIL_THE_END, UNSAID,
                 name);
    else if (repeatable == TRI_NO)
        found_of(s, f, call, OUTCOME_NA, REMEDY_NONE, UNTIL_THE_END,
                 "%s may have been done, and has no key: no second attempt is safe", name);
    else if (most < min || (group.calls <= 1 && behind < min))
        too_few(s, f, call, most < min ? most : behind);
    else if (most > max || least < min)
        found_of(s, f, call, OUTCOME_INCONCLUSIVE, REMEDY_CALL_NAME, call_until(call),
                 "%u to %u, as there were equal calls (allowed: %lld)", least, most,
                 (long long)max);
    else if (call->lacks_before || call->lacks_after || call->presumed)
        found_of(s, f, call, OUTCOME_INCONCLUSIVE, scene_unsaid(s, call), UNTIL_THE_END, UNSAID,
                 name);
    else if (scene_may_hide_more(s, call))
        scene_hides_more(s, f, call);
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
            found_of(s, f, call, OUTCOME_INCONCLUSIVE, scene_unsaid(s, call), UNTIL_THE_END, UNSAID,
                     name);
        else if (call->exposure != EXPOSURE_UNTOUCHED)
            scene_leave(s, f, call, REMEDY_NOT_STRUCK, "%s was kept off the dead connection", name);
    }
    scene_end(s, f, "no call was struck by a fault");
}

/* --- retry_elsewhere */

/* Whether the connection of a lost attempt has failed, and not only its stream. */
static enum tri has_failed(const struct scene *s, const struct attempt *a)
{
    const struct fault *f = a->fault ? history_find_fault(s->h, a->fault) : NULL;
    enum trouble trouble = history_trouble(s->h, a);
    bool in_hole = a->presumed && f; /* nothing of it was read, but that it is lost is known */
    if ((trouble == TROUBLE_UNKNOWN && !in_hole) || (a->fault && !f))
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
        bool moves = members[i].role == ROLE_HEDGE || members[i].role == ROLE_HOP;
        again += i > 0 && !moves;
        last = i > 0 ? members[i].attempt->connection : last;
        enum tri one = i + 1 < call->count ? has_failed(s, members[i].attempt) : TRI_NO;
        failed = failed == TRI_UNKNOWN || one == TRI_UNKNOWN ? TRI_UNKNOWN
                 : one == TRI_YES                            ? TRI_YES
                                                             : failed;
        for (size_t k = i > LOOKED_AT ? i - LOOKED_AT : 0; k < i && !moves; k++) {
            if (members[i].attempt->connection != members[k].attempt->connection)
                continue;
            one = has_failed(s, members[k].attempt);
            if (one == TRI_YES || (one == TRI_UNKNOWN && same == TRI_NO))
                same = one;
        }
    }
    char name[CALL_SIZE];
    call_text(s, call, name);
    if (same == TRI_YES)
        found_of(s, f, call, OUTCOME_FAIL, REMEDY_NONE, NEVER,
                 "%s was sent again on the connection that had failed it", name);
    else if (call->state == CALL_UNKNOWN || failed == TRI_UNKNOWN || call->lacks_before ||
             call->presumed)
        found_of(s, f, call, OUTCOME_INCONCLUSIVE, scene_unsaid(s, call), UNTIL_THE_END, UNSAID,
                 name);
    else if (call->count > LOOKED_AT)
        found_of(s, f, call, OUTCOME_INCONCLUSIVE, REMEDY_RESET, UNTIL_THE_END,
                 "%s made too many attempts to look at each", name);
    else if (again == 0)
        found_of(s, f, call, OUTCOME_NA, REMEDY_NONE, call_until(call), "%s was not sent again",
                 name);
    else if (failed == TRI_NO)
        found_of(s, f, call, OUTCOME_NA, REMEDY_NONE, call_until(call),
                 "only its stream was struck: the connection is good");
    else if (scene_may_hide_more(s, call))
        scene_hides_more(s, f, call);
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
            found_of(s, f, call, OUTCOME_INCONCLUSIVE, scene_unsaid(s, call), UNTIL_THE_END, UNSAID,
                     call_text(s, call, name));
        else if (call->exposure != EXPOSURE_UNTOUCHED)
            scene_leave(s, f, call, REMEDY_NOT_STRUCK, "%s was kept off the dead connection",
                        call_text(s, call, name));
    }
    scene_end(s, f, "no call was struck by a fault");
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
                 finding_time(asked, time));
        return;
    }
    if (gaps < BACKOFF_GAPS) {
        scene_leave(s, f, call, REMEDY_LONGER, "%s made %zu attempts; five are needed", name,
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
        found_of(s, f, call, OUTCOME_INCONCLUSIVE, scene_unsaid(s, call), UNTIL_THE_END, UNSAID,
                 name);
    else if (least >= mean - slack && most <= mean + slack)
        found_of(s, f, call, OUTCOME_FAIL, REMEDY_NONE, NEVER,
                 "%s: all pauses between its attempts are about %s", name,
                 finding_time(mean, time));
    else if (last <= first)
        found_of(s, f, call, OUTCOME_FAIL, REMEDY_NONE, NEVER,
                 "%s: the pauses between its attempts do not grow", name);
    else if (last < first + first / 2) /* a busy machine makes them grow as much */
        found_of(s, f, call, OUTCOME_INCONCLUSIVE, REMEDY_LONGER, UNTIL_THE_END,
                 "%s: the pauses between its attempts grow by less than a half", name);
    else if (scene_may_hide_more(s, call))
        scene_hides_more(s, f, call);
    else
        found_of(s, f, call, OUTCOME_PASS, REMEDY_NONE, call_until(call), "the pauses grow to %s",
                 finding_time(most, time));
}

void check_backoff(const struct scene *s, struct finding *f)
{
    for (size_t i = 0; i < s->calls->count; i++) {
        const struct call *call = &s->calls->calls[i];
        if (scene_about(s, call) && call->exposure == EXPOSURE_BITTEN)
            backoff_of(s, f, call);
    }
    scene_end(s, f, "no call was struck by a fault");
}
