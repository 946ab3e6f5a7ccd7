/* checks_user.c - what the user feels: recovered, user_wait. */
#include <string.h>

#include "verdict/scene.h"

/* One of its answers went out, and it is not known whether it arrived: never a fail. */
static bool handed_out(const struct scene *s, const struct call *call)
{
    for (size_t i = 0; i < call->count; i++) {
        const struct attempt *a = call_members(s, call)[i].attempt;
        enum trouble trouble = history_trouble(s->h, a);
        if (a->progress >= PROGRESS_HANDED &&
            (trouble == TROUBLE_FINE || trouble == TROUBLE_UNCONFIRMED ||
             trouble == TROUBLE_DOUBTFUL))
            return true;
    }
    return false;
}

/* What went out went out beyond the limit: whether it was read does not matter any more, and what a
 * client that has left is sent answers nobody. */
static bool handed_late(const struct scene *s, const struct call *call, int64_t limit)
{
    for (size_t i = 0; i < call->count; i++) {
        const struct member *member = &call_members(s, call)[i];
        int64_t handed = member->attempt->reached[PROGRESS_HANDED];
        if (handed != NEVER && !member->hopped && handed <= call->begun.to + limit)
            return false;
    }
    return !call->lacks_after;
}

static enum remedy confirm(const struct scene *s, const struct call *call)
{
    const struct attempt *a = call->count ? call_members(s, call)[call->count - 1].attempt : NULL;
    return a && a->network != PATH_DIRECT ? REMEDY_RELAYED : REMEDY_CONFIRM;
}

/* Whether the client's own account shows that it was answered. *took: how long that took at most.
 */
static bool is_confirmed(const struct scene *s, const struct call *call, int64_t *took)
{
    const struct account_line *line = s->notes[call - s->calls->calls].line;
    if (!scene_confirmed(s, call))
        return false;
    *took = line->took != NEVER ? line->took : line->at - call->begun.from;
    return true;
}

/* By its own account it was answered in this time. If that is too long, and an answer had gone out
 * in time, the two differ. */
static void was_confirmed(const struct scene *s, struct finding *f, const struct call *call,
                          int64_t took, int64_t limit)
{
    char name[CALL_SIZE], time[TIME_SIZE];
    call_text(s, call, name);
    finding_time(took, time);
    if (took <= limit)
        found_of(s, f, call, OUTCOME_PASS, REMEDY_NONE, NEVER,
                 "answered after %s, by the client's own account", time);
    else if (handed_late(s, call, limit))
        found_of(s, f, call, OUTCOME_FAIL, REMEDY_NONE, NEVER,
                 "%s was answered only after %s, by the client's own account", name, time);
    else
        found_of(s, f, call, OUTCOME_INCONCLUSIVE, REMEDY_DISAGREE, NEVER,
                 "%s was answered in time, but by the client's own account only after %s", name,
                 time);
}

/* It went out in time, and when it came is not sure: its line, if it has one, tells. */
static void was_at_limit(const struct scene *s, struct finding *f, const struct call *call,
                         int64_t limit)
{
    const struct account_line *line = s->notes[call - s->calls->calls].line;
    char name[CALL_SIZE];
    if (line && line->ok && line->took != NEVER && line->took <= limit)
        was_confirmed(s, f, call, line->took, limit);
    else
        found_of(s, f, call, OUTCOME_INCONCLUSIVE, scene_untold(s, call), UNTIL_THE_END,
                 "%s was answered at about its limit", call_text(s, call, name));
}

/* The line of a call; where lines cannot be put to calls, one that may be its line and took longer
 * than the limit. NULL: there is none. */
static const struct account_line *line_beyond(const struct scene *s, const struct call *call,
                                              int64_t limit)
{
    const struct account_line *line = s->notes[call - s->calls->calls].line;
    for (size_t i = 0; !line && !s->account_fits && i < s->account->count; i++) {
        const struct account_line *other = &s->account->lines[i];
        if (other->ok && other->took != NEVER && other->took > limit)
            line = other;
    }
    return line && line->ok && line->took != NEVER && line->took > limit ? line : NULL;
}

/* It was answered in time, by the server's clock; but by its client's own account that took longer
 * than the limit, in what the wire does not show: before its first byte, or while the server did
 * not run. */
static bool told_longer(const struct scene *s, struct finding *f, const struct call *call,
                        int64_t limit)
{
    const struct account_line *line = line_beyond(s, call, limit);
    char time[TIME_SIZE], told[TIME_SIZE];
    if (!line)
        return false;
    found_of(s, f, call, OUTCOME_INCONCLUSIVE, REMEDY_DISAGREE, NEVER,
             "answered after %s, but by its client's own account only after %s",
             finding_time(call->wait.to, time), finding_time(line->took, told));
    return true;
}

/* So much fell into a silent connection that it was a request, and it is joined to none that was
 * read: one that is well beside it does not speak for it. */
static bool is_lost_request(const struct scene *s, const struct call *call)
{
    const struct attempt *a = call_first(s, call);
    return a && call->count == 1 && !call->anonymous && attempt_is_request(s->h, a) &&
           scene_was_request(s, a, a->first_byte) != TRI_NO;
}

/* What the ledger leaves open about a call, so that nothing else can be said of it. late: whatever
 * went out came too late. */
static bool is_open_question(const struct scene *s, struct finding *f, const struct call *call,
                             bool late)
{
    if (scene_had_failed(s, call))
        return false;
    bool told = s->notes[call - s->calls->calls].line != NULL;
    char name[CALL_SIZE];
    call_text(s, call, name);
    if (call->presumed && !told && is_lost_request(s, call))
        found_of(s, f, call, OUTCOME_INCONCLUSIVE, scene_unsaid(s, call), UNTIL_THE_END,
                 "%s fell into a silent connection", name);
    else if (call->presumed && !told)
        scene_leave(s, f, call, scene_untold(s, call),
                    call->anonymous
                        ? "%s: perhaps it was none, but a spare connection"
                        : "something fell into a silent connection, and perhaps it was %s",
                    name);
    else if (call->state == CALL_UNKNOWN || (calls_is_answered(call) && call->lacks_before))
        found_of(s, f, call, OUTCOME_INCONCLUSIVE, scene_unsaid(s, call), UNTIL_THE_END, UNSAID,
                 name);
    else if (!late &&
             (call->state == CALL_DOUBTFUL || (!calls_is_answered(call) && handed_out(s, call))))
        found_of(s, f, call, OUTCOME_INCONCLUSIVE, confirm(s, call), UNTIL_THE_END,
                 "%s: an answer went out, and nothing shows that the client has read it", name);
    else
        return false;
    return true;
}

/* --- recovered */

/* The status of a rule's by which its last attempt was refused; 0: none was. */
static int refused_with(const struct scene *s, const struct call *call)
{
    const struct attempt *a = call->count ? call_members(s, call)[call->count - 1].attempt : NULL;
    return a && a->by_rule && history_trouble(s->h, a) == TROUBLE_REFUSED ? a->status : 0;
}

static void was_not_answered(const struct scene *s, struct finding *f, const struct call *call,
                             int64_t within)
{
    char name[CALL_SIZE], time[TIME_SIZE];
    int64_t deadline = call->begun.to + within;
    int status = refused_with(s, call);
    call_text(s, call, name);
    if (status && (call->state == CALL_GIVEN_UP || s->now > deadline) && !call->lacks_after) {
        found_of(s, f, call, OUTCOME_FAIL, REMEDY_NONE, UNTIL_THE_END,
                 "%s was answered with %d, and not asked again", name, status);
    } else if (call->state == CALL_GIVEN_UP || s->now > deadline) {
        enum outcome outcome = call->lacks_after ? OUTCOME_INCONCLUSIVE : OUTCOME_FAIL;
        found_of(s, f, call, outcome, outcome == OUTCOME_FAIL ? REMEDY_NONE : REMEDY_GAP,
                 UNTIL_THE_END, "%s was never answered%s%s", name,
                 call->state == CALL_GIVEN_UP ? ": the client has ended" : " within ",
                 call->state == CALL_GIVEN_UP ? "" : finding_time(within, time));
    } else if (s->over) {
        scene_leave(s, f, call, REMEDY_ENDED_EARLY, "%s was not answered yet when the run ended",
                    name);
    } else {
        found_of(s, f, call, OUTCOME_INCONCLUSIVE, REMEDY_WAIT, deadline, "%s is not answered yet",
                 name);
    }
}

#define FAILED_UNREAD "request %d failed, says the client, and the server has read nothing of it"

/* Its only attempt fell into a hole, and there is a line for it in the client's account, of a
 * failure. */
static const struct account_line *line_of_hole(const struct scene *s, const struct call *call)
{
    const struct account_line *line = s->notes[call - s->calls->calls].line;
    const struct attempt *a = call_first(s, call);
    bool unread = call->count == 1 && a->presumed && !a->method.hash;
    return line && !line->ok && unread ? line : NULL;
}

static bool failed_in_hole(const struct scene *s, struct finding *f, const struct call *call)
{
    const struct account_line *line = line_of_hole(s, call);
    if (!line || strncmp(line->step, "post", 4) == 0)
        return false;
    found_of(s, f, call, OUTCOME_FAIL, REMEDY_NONE, NEVER, FAILED_UNREAD, line->n);
    return true;
}

static void recover_bitten(const struct scene *s, struct finding *f, const struct call *call,
                           int64_t within)
{
    char name[CALL_SIZE], time[TIME_SIZE];
    enum tri repeatable = call->count ? repeat_call(s->h, s->calls, call) : TRI_YES;
    call_text(s, call, name);
    if (repeatable == TRI_NO) {
        found_of(s, f, call, OUTCOME_NA, REMEDY_NONE, UNTIL_THE_END,
                 "%s may have been done, and has no key: no second attempt is safe", name);
        return;
    }
    int64_t took;
    if (!calls_is_answered(call) && is_confirmed(s, call, &took)) {
        was_confirmed(s, f, call, took, within);
        return;
    }
    if (scene_had_failed(s, call) && calls_is_answered(call)) {
        found_of(s, f, call, OUTCOME_FAIL, REMEDY_NONE, NEVER,
                 "%s had failed, says the client, before it was answered", name);
        return;
    }
    if (failed_in_hole(s, f, call) || is_open_question(s, f, call, handed_late(s, call, within)))
        return;
    if (!calls_is_answered(call))
        was_not_answered(s, f, call, within);
    else if (call->wait.from > within)
        found_of(s, f, call, OUTCOME_FAIL, REMEDY_NONE, NEVER, "%s was answered only after %s",
                 name, finding_time(call->wait.from, time));
    else if (call->wait.to > within)
        was_at_limit(s, f, call, within);
    else if (!told_longer(s, f, call, within))
        found_of(s, f, call, OUTCOME_PASS, REMEDY_NONE, call_answered_until(s, call),
                 call->anonymous ? "answered %s after its first SYN or connection"
                                 : "answered %s after its first byte",
                 finding_time(call->wait.to, time));
}

/* What helps a call that no fault struck, and that was not answered. */
static enum remedy unanswered(const struct scene *s, const struct call *call)
{
    if (call->state == CALL_DOUBTFUL || handed_out(s, call))
        return confirm(s, call);
    return s->over || s->client_gone != NEVER ? REMEDY_ENDED_EARLY : REMEDY_WAIT;
}

/* Kept off the fault: by luck, or by the client's doing. */
static void recover_kept_off(const struct scene *s, struct finding *f, const struct call *call,
                             int64_t within)
{
    char why[WHY_SIZE];
    const char *how = call->exposure == EXPOSURE_AVOIDED ? "had died" : "it had left itself";
    enum remedy remedy;
    int64_t took;
    char name[CALL_SIZE];
    call_text(s, call, name);
    if (!scene_counts(s, call, why, &remedy))
        scene_leave(s, f, call, remedy, "%s was kept off connection %llu, but %s", name,
                    (unsigned long long)call->left, why);
    else if (call->state == CALL_UNKNOWN || call->lacks_before)
        found_of(s, f, call, OUTCOME_INCONCLUSIVE, scene_unsaid(s, call), UNTIL_THE_END, UNSAID,
                 name);
    else if (!calls_is_answered(call) && is_confirmed(s, call, &took))
        was_confirmed(s, f, call, took, within);
    else if (!calls_is_answered(call) || call->wait.to > within)
        scene_leave(s, f, call, unanswered(s, call),
                    "%s was kept off connection %llu, and not answered", name,
                    (unsigned long long)call->left);
    else
        found_of(s, f, call, OUTCOME_PASS, REMEDY_NONE, call_answered_until(s, call),
                 "answered on a new connection: connection %llu %s", (unsigned long long)call->left,
                 how);
}

/* Whether a connection was out of service then, also one that has been healed since. */
static bool fault_stood(const struct scene *s, int64_t at)
{
    const struct connection *c;
    const struct fault *f;
    for (size_t i = 0; (c = history_connection(s->h, i)); i++) {
        if (c->dead != NEVER && c->dead <= at)
            return true;
    }
    for (size_t i = 0; (f = history_fault(s->h, i)); i++) {
        if (f->class == CLASS_SILENCES && f->connection && !f->exchange && f->in_effect != TRI_NO &&
            f->at <= at && f->ended != NEVER && f->ended > at)
            return true;
    }
    return false;
}

/* Whether it had come when its call had not begun: what was read later was answered to nobody. */
static bool came_before(const struct scene *s, const struct account_line *line)
{
    return line->matched == MATCHED_CALL && line->at < s->calls->calls[line->call].begun.from;
}

/* Requests that the client's account has, and the wire has not: they died inside the client. */
static void died_inside(const struct scene *s, struct finding *f)
{
    for (size_t i = 0; i < s->account->count; i++) {
        const struct account_line *line = &s->account->lines[i];
        struct subject who = { 0 };
        if ((line->matched != MATCHED_NOTHING && !came_before(s, line)) || line->ok ||
            strncmp(line->step, "post", 4) == 0)
            continue;
        ids_add(&who.seqs, line->seq);
        bool stood = fault_stood(s, line->at);
        if (stood && s->gap)
            found(f, OUTCOME_INCONCLUSIVE, REMEDY_GAP, UNTIL_THE_END, &who,
                  "request %d failed, says the client, and what became of it is not all in the "
                  "ledger",
                  line->n);
        else if (stood && history_pause_at(s->h, line->at, NULL))
            found(f, OUTCOME_INCONCLUSIVE, REMEDY_PAUSED, UNTIL_THE_END, &who,
                  "request %d failed, says the client, while the server itself did not run",
                  line->n);
        else if (stood)
            found(f, OUTCOME_FAIL, REMEDY_NONE, NEVER, &who,
                  "request %d failed, says the client, and the server has read nothing of it",
                  line->n);
        else
            found(f, OUTCOME_INCONCLUSIVE, REMEDY_COMMAND, UNTIL_THE_END, &who,
                  "request %d failed inside the client, before any fault", line->n);
    }
}

void check_recovered(const struct scene *s, struct finding *f)
{
    int64_t within = scene_number(s, 0);
    for (size_t i = 0; i < s->calls->count; i++) {
        const struct call *call = &s->calls->calls[i];
        char name[CALL_SIZE];
        if (!scene_about(s, call))
            continue;
        switch (call->exposure) {
        case EXPOSURE_BITTEN:
            recover_bitten(s, f, call, within);
            break;
        case EXPOSURE_AVOIDED:
        case EXPOSURE_PREEMPTED:
            recover_kept_off(s, f, call, within);
            break;
        case EXPOSURE_UNKNOWN:
            if (!calls_is_answered(call) || call->lacks_before)
                found_of(s, f, call, OUTCOME_INCONCLUSIVE, scene_unsaid(s, call), UNTIL_THE_END,
                         UNSAID, call_text(s, call, name));
            else
                scene_leave(s, f, call, REMEDY_GAP, "whether %s met a fault is not in the ledger",
                            call_text(s, call, name));
            break;
        case EXPOSURE_UNTOUCHED:
            break;
        }
    }
    died_inside(s, f);
    scene_end(s, f, "no call met a fault");
}

/* --- user_wait */

/* How long the user waited for an error: from the latest that it can have been. */
struct ended {
    int64_t least, most; /* least: NEVER: that is not known */
    const char *how;
    bool told; /* by the client's own account: then nothing of that call comes any more */
};

static bool find_end(const struct scene *s, const struct call *call, struct ended *end)
{
    const struct account_line *line = s->notes[call - s->calls->calls].line;
    if (line && !line->ok) {
        int64_t most = line->took != NEVER ? line->took : line->at - call->begun.from;
        *end = (struct ended){ line->took, most, "the client reported an error", true };
        return true;
    }
    if (call->ended_by_client != NEVER) {
        int64_t least = call->ended_by_client - call->begun.to;
        *end = (struct ended){ least < 0 ? 0 : least, call->ended_by_client - call->sent,
                               "the client ended it", false };
        return true;
    }
    if (s->client_gone != NEVER) {
        *end = (struct ended){ NEVER, s->client_gone - call->sent, "the client ended", false };
        return true;
    }
    return false;
}

/* A client has nothing to end where all was over by then: whether the user was told is not seen. */
static bool nothing_to_end(const struct scene *s, const struct call *call, int64_t by)
{
    for (size_t i = 0; i < call->count; i++) {
        const struct connection *c =
            history_find_connection(s->h, call_members(s, call)[i].attempt->connection);
        if (!c || c->ended == NEVER || c->ended > by)
            return false;
    }
    return call->count > 0;
}

/* When its limit was over, no answer had gone out, and the client had not ended it, though there
 * was something to end. What comes later does not change that, but its own account may. */
static bool waited_beyond(const struct scene *s, const struct call *call, int64_t max)
{
    int64_t deadline = call->begun.to + max;
    const struct account_line *line = s->notes[call - s->calls->calls].line;
    return s->now > deadline && handed_late(s, call, max) && (!line || line->ok) &&
           (call->ended_by_client == NEVER || call->ended_by_client > deadline) &&
           !nothing_to_end(s, call, deadline);
}

static void wait_unanswered(const struct scene *s, struct finding *f, const struct call *call,
                            int64_t max)
{
    char name[CALL_SIZE], time[TIME_SIZE];
    struct ended end;
    call_text(s, call, name);
    if (find_end(s, call, &end)) {
        if (end.most <= max)
            found_of(s, f, call, OUTCOME_PASS, REMEDY_NONE, end.told ? NEVER : call_until(call),
                     "%s after %s", end.how, finding_time(end.most, time));
        else if (end.least == NEVER && waited_beyond(s, call, max))
            found_of(s, f, call, OUTCOME_FAIL, REMEDY_NONE, NEVER,
                     "%s was neither answered nor ended after %s", name, finding_time(max, time));
        else if (end.least != NEVER && end.least > max)
            found_of(s, f, call, OUTCOME_FAIL, REMEDY_NONE, NEVER, "%s: %s only after %s", name,
                     end.how, finding_time(end.least, time));
        else
            found_of(s, f, call, OUTCOME_INCONCLUSIVE, scene_untold(s, call), UNTIL_THE_END,
                     "%s: when its user was told of the failure is not seen", name);
        return;
    }
    int64_t deadline = call->begun.to + max;
    if (s->now <= deadline && s->over)
        scene_leave(s, f, call, REMEDY_ENDED_EARLY, "%s was not over yet when the run ended", name);
    else if (s->now <= deadline)
        found_of(s, f, call, OUTCOME_INCONCLUSIVE, REMEDY_WAIT, deadline, "%s is not over yet",
                 name);
    else if (!waited_beyond(s, call, max))
        found_of(s, f, call, OUTCOME_INCONCLUSIVE,
                 call->lacks_after ? scene_unsaid(s, call) : scene_untold(s, call), UNTIL_THE_END,
                 "%s: when its user was told of the failure is not seen", name);
    else
        found_of(s, f, call, OUTCOME_FAIL, REMEDY_NONE, NEVER,
                 "%s was neither answered nor ended after %s", name, finding_time(max, time));
}

/* Whether a fault leaves its client waiting: it says nothing, or not all, or not soon. */
static bool is_silent(const struct fault *f)
{
    return f->class == CLASS_SILENCES || f->class == CLASS_HOLDS || f->class == CLASS_SHAPES ||
           f->then_hold || f->then_silent ||
           f->step == STEP_CLOSE_NOTIFY; /* TCP is as it was: who does not read it waits */
}

static bool met_silence(const struct scene *s, const struct call *call)
{
    if (call->anonymous || call->held)
        return true;
    for (size_t i = 0; i < call->count; i++) {
        const struct attempt *a = call_members(s, call)[i].attempt;
        const uint64_t seqs[] = { a->fault, a->last_fault, a->holding };
        for (size_t k = 0; k < sizeof seqs / sizeof *seqs; k++) {
            const struct fault *f = seqs[k] ? history_find_fault(s->h, seqs[k]) : NULL;
            if (f && is_silent(f))
                return true;
        }
    }
    return false;
}

static void wait_of(const struct scene *s, struct finding *f, const struct call *call, int64_t max)
{
    char name[CALL_SIZE], time[TIME_SIZE];
    /* Whatever it was, the client has not waited for longer. */
    bool ended = call->anonymous && call->ended_by_client != NEVER &&
                 call->ended_by_client - call->sent <= max;
    int64_t took;
    if (!calls_is_answered(call) && is_confirmed(s, call, &took)) {
        was_confirmed(s, f, call, took, max);
        return;
    }
    if (!ended && !line_of_hole(s, call) &&
        is_open_question(s, f, call, waited_beyond(s, call, max)))
        return;
    if (!calls_is_answered(call) || scene_had_failed(s, call))
        wait_unanswered(s, f, call, max);
    else if (call->wait.to <= max && told_longer(s, f, call, max))
        return;
    else if (call->wait.to <= max)
        found_of(s, f, call, OUTCOME_PASS, REMEDY_NONE, call_answered_until(s, call),
                 "answered after %s", finding_time(call->wait.to, time));
    else if (call->wait.from > max)
        found_of(s, f, call, OUTCOME_FAIL, REMEDY_NONE, NEVER, "%s was answered only after %s",
                 call_text(s, call, name), finding_time(call->wait.from, time));
    else
        was_at_limit(s, f, call, max);
}

void check_user_wait(const struct scene *s, struct finding *f)
{
    int64_t max = scene_number(s, 0);
    bool in_silence = scene_number(s, 1) == 1, met = false, judged = false;
    for (size_t i = 0; i < s->calls->count; i++) {
        const struct call *call = &s->calls->calls[i];
        char name[CALL_SIZE];
        char why[WHY_SIZE];
        enum remedy remedy;
        int64_t took;
        bool kept_off = call->exposure == EXPOSURE_AVOIDED || call->exposure == EXPOSURE_PREEMPTED;
        if (!scene_about(s, call))
            continue;
        if (call->exposure == EXPOSURE_UNKNOWN)
            found_of(s, f, call, OUTCOME_INCONCLUSIVE, scene_unsaid(s, call), UNTIL_THE_END, UNSAID,
                     call_text(s, call, name));
        else if (kept_off && !scene_counts(s, call, why, &remedy))
            scene_leave(s, f, call, remedy, "%s was kept off connection %llu, but %s",
                        call_text(s, call, name), (unsigned long long)call->left, why);
        else if (kept_off && call->state != CALL_ANSWERED && !is_confirmed(s, call, &took))
            scene_leave(s, f, call, unanswered(s, call),
                        "%s was kept off the fault, and not answered", call_text(s, call, name));
        else if (kept_off || call->exposure == EXPOSURE_BITTEN || call->held) {
            bool silent = !kept_off && met_silence(s, call);
            unsigned passes = f->count[OUTCOME_PASS];
            wait_of(s, f, call, max);
            met |= silent;
            judged |= silent && f->count[OUTCOME_PASS] > passes;
        }
    }
    if (in_silence && !met)
        finding_doubt(f, REMEDY_MODE, UNTIL_THE_END, "no call met silence, or was kept waiting");
    else if (in_silence && !judged && f->left)
        finding_doubt(f, f->left_remedy, UNTIL_THE_END, f->left_sentence);
    scene_end(s, f, "no call met a fault");
}
