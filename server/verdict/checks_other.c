/* checks_other.c - still_reuses, falls_back, detects_truncation. */
#include "verdict/scene.h"

/* --- still_reuses */

void check_still_reuses(const struct scene *s, struct finding *f)
{
    const struct attempt *a;
    int64_t answered_by = INT64_MAX;
    unsigned requests = 0, reused = 0;
    bool in_turn = false;
    for (size_t i = 0; s->control_history && (a = history_attempt(s->control_history, i)); i++) {
        requests++;
        reused += a->reused == TRI_YES;
        in_turn |= a->first_byte.from >= answered_by;
        if (a->reached[PROGRESS_HANDED] != NEVER && a->reached[PROGRESS_HANDED] < answered_by)
            answered_by = a->reached[PROGRESS_HANDED];
    }
    if (!s->control_history)
        found_none(f, REMEDY_CONTROL, "there was no control run");
    else if (reused)
        found(f, OUTCOME_PASS, REMEDY_NONE, NEVER, NULL,
              "in the control %u of %u requests used a connection again", reused, requests);
    else if (in_turn)
        found(f, OUTCOME_FAIL, REMEDY_NONE, NEVER, NULL,
              "in the control each of %u requests had a connection of its own", requests);
    else
        found_none(f, REMEDY_MORE_CALLS, "the control has no two requests one after the other");
    finding_end(f, "");
}

/* --- falls_back */

static const struct connection *connection_of(const struct scene *s, const struct attempt *a)
{
    return a ? history_find_connection(s->h, a->connection) : NULL;
}

/* The attempt that was answered; NULL. */
static const struct attempt *answer_of(const struct scene *s, const struct call *call)
{
    for (size_t i = 0; i < call->count; i++) {
        const struct member *member = &call_members(s, call)[i];
        if (!member->hopped && history_answered(s->h, member->attempt))
            return member->attempt;
    }
    return NULL;
}

/* The connection on which it was answered, *took: after how long; *told: only by its client's own
 * account. NULL: it was not. */
static const struct connection *answered_on(const struct scene *s, const struct call *call,
                                            bool *told, int64_t *took)
{
    const struct account_line *line = s->notes[call - s->calls->calls].line;
    const struct attempt *answer = answer_of(s, call), *read = scene_confirmed_by(s, call);
    *told = !answer && read;
    *took = call->wait.to;
    if (*told)
        *took = line->took != NEVER ? line->took : line->at - call->begun.from;
    return connection_of(s, *told ? read : answer);
}

static void fallback_of(const struct scene *s, struct finding *f, const struct call *call, bool h2,
                        int64_t within)
{
    char why[WHY_SIZE];
    enum remedy remedy;
    bool told;
    int64_t took;
    const struct connection *answered = answered_on(s, call, &told, &took);
    char name[CALL_SIZE], time[TIME_SIZE];
    int64_t deadline = call->begun.to + within;
    call_text(s, call, name);
    if (call->state == CALL_UNKNOWN || (answered && answered->unknown))
        found_of(s, f, call, OUTCOME_INCONCLUSIVE, scene_unsaid(s, call), UNTIL_THE_END, UNSAID,
                 name);
    else if (scene_had_failed(s, call))
        found_of(s, f, call, OUTCOME_FAIL, REMEDY_NONE, NEVER,
                 "%s had failed, says the client, before it was answered", name);
    else if ((call->state == CALL_DOUBTFUL && !told) || call->presumed || call->lacks_before)
        found_of(s, f, call, OUTCOME_INCONCLUSIVE,
                 call->presumed || call->lacks_before ? scene_unsaid(s, call) : REMEDY_CONFIRM,
                 UNTIL_THE_END, "whether %s was answered is not seen", name);
    else if (call->exposure == EXPOSURE_AVOIDED && !scene_counts(s, call, why, &remedy))
        scene_leave(s, f, call, remedy, "%s was kept off connection %llu, but %s", name,
                    (unsigned long long)call->left, why);
    else if (told && took > within)
        found_of(s, f, call, OUTCOME_INCONCLUSIVE, REMEDY_DISAGREE, UNTIL_THE_END,
                 "%s was answered, by the client's own account only after %s", name,
                 finding_time(took, time));
    else if (answered && took <= within)
        found_of(s, f, call, answered->h2 == h2 ? OUTCOME_PASS : OUTCOME_FAIL, REMEDY_NONE,
                 call_answered_until(s, call), "%s was answered over %s", name,
                 answered->h2 ? "HTTP/2" : "HTTP/1.1");
    else if (call->state == CALL_GIVEN_UP && !answered && !call->lacks_after)
        found_of(s, f, call, OUTCOME_FAIL, REMEDY_NONE, UNTIL_THE_END,
                 "%s was never answered: the client has ended", name);
    else if (answered || s->now > deadline || call->state == CALL_GIVEN_UP)
        found_of(s, f, call, call->lacks_after ? OUTCOME_INCONCLUSIVE : OUTCOME_FAIL,
                 call->lacks_after ? REMEDY_GAP : REMEDY_NONE, UNTIL_THE_END,
                 "%s was not answered within %s", name, finding_time(within, time));
    else if (s->over)
        scene_leave(s, f, call, REMEDY_ENDED_EARLY, "%s was not answered yet when the run ended",
                    name);
    else
        found_of(s, f, call, OUTCOME_INCONCLUSIVE, REMEDY_WAIT, deadline, "%s is not answered yet",
                 name);
}

void check_falls_back(const struct scene *s, struct finding *f)
{
    bool h2 = scene_number(s, 0) == 1;
    for (size_t i = 0; i < s->calls->count; i++) {
        const struct call *call = &s->calls->calls[i];
        bool avoided = call->exposure == EXPOSURE_AVOIDED;
        const struct connection *failed = avoided ? history_find_connection(s->h, call->left)
                                                  : connection_of(s, call_first(s, call));
        if (!scene_about(s, call) || !failed || failed->h2 == h2 ||
            (!avoided && call->exposure != EXPOSURE_BITTEN))
            continue;
        fallback_of(s, f, call, h2, scene_number(s, 1));
    }
    finding_end(f, "no call met a fault over the other protocol");
}

/* --- detects_truncation */

/* Which of its attempts had its answer cut, + 1; 0: none. */
static size_t cut_one(const struct scene *s, const struct call *call)
{
    for (size_t i = 0; i < call->count; i++) {
        if (history_was_cut(s->h, call_members(s, call)[i].attempt))
            return i + 1;
    }
    return 0;
}

/* Whether an attempt came when the client had seen that one cut: not a hedge from before. */
static bool asked_again(const struct scene *s, const struct call *call, size_t cut)
{
    const struct attempt *one = call_members(s, call)[cut - 1].attempt;
    for (size_t i = cut; i < call->count; i++) {
        int64_t age = call_members(s, call)[i].attempt->first_byte.from;
        if (history_out(s->h, one, age) != TROUBLE_FINE)
            return true;
    }
    return false;
}

void check_detects_truncation(const struct scene *s, struct finding *f)
{
    for (size_t i = 0; i < s->calls->count; i++) {
        const struct call *call = &s->calls->calls[i];
        const struct account_line *line = s->notes[i].line;
        char name[CALL_SIZE];
        size_t cut = call->count ? cut_one(s, call) : 0;
        if (!cut || !scene_about(s, call))
            continue;
        call_text(s, call, name);
        bool again = asked_again(s, call, cut);
        if (line && line->ok && call->answered.to == NEVER && !again &&
            call->state != CALL_UNKNOWN && !call->lacks_after)
            found_of(s, f, call, OUTCOME_FAIL, REMEDY_NONE, NEVER,
                     "the answer to %s was cut, and the client reported a success", name);
        else if (call->state == CALL_UNKNOWN || call->lacks_after)
            found_of(s, f, call, OUTCOME_INCONCLUSIVE, scene_unsaid(s, call), UNTIL_THE_END, UNSAID,
                     name);
        else if (again)
            found_of(s, f, call, OUTCOME_PASS, REMEDY_NONE, NEVER,
                     "the answer to %s was cut, and it was sent again", name);
        else if (line && !line->ok)
            found_of(s, f, call, OUTCOME_PASS, REMEDY_NONE, NEVER,
                     "the answer to %s was cut, and the client reported an error", name);
        else
            scene_leave(s, f, call, scene_untold(s, call),
                        "the answer to %s was cut; what the client made of it is not seen", name);
    }
    finding_end(f, "no answer was cut");
}
