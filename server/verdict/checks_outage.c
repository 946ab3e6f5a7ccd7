/* checks_outage.c - whether calls wait while no connection can be made: waits_for_connection. */
#include "base/clock.h"
#include "verdict/scene.h"

/* The first outage that lasted so long: from a fault that keeps SYNs out to `listen`. */
static bool find_outage(const struct scene *s, int64_t least, struct span *outage, uint64_t *seq)
{
    const struct fault *f;
    int64_t from = NEVER;
    for (size_t i = 0; (f = history_fault(s->h, i)); i++) {
        if (f->in_effect == TRI_NO)
            continue;
        if ((f->step == STEP_DROP_SYN || f->step == STEP_REFUSE_SYN) && from == NEVER) {
            from = f->at;
            *seq = f->seq;
        } else if (f->step == STEP_LISTEN && from != NEVER) {
            if (f->at - from >= least) {
                *outage = (struct span){ from, f->at };
                return true;
            }
            from = NEVER;
        }
    }
    return false;
}

#define LATE NS_PER_S /* a line that comes so long behind its answer was not written at once */

/* Whether a line came as its request ended, so that its time and how long that took say when it
 * began: others came soon behind their answers, none came late, and none came while one that is
 * before or behind it was under way, as in a bunch. */
static bool is_prompt(const struct scene *s, const struct account_line *line)
{
    bool any = false;
    for (size_t i = 0; i < s->account->count; i++) {
        const struct account_line *other = &s->account->lines[i];
        const struct call *call =
            other->matched == MATCHED_CALL ? &s->calls->calls[other->call] : NULL;
        if (call && call->answered.to != NEVER) {
            if (other->at > call->answered.to + LATE)
                return false;
            any = true;
        }
        if (other->n < line->n
                ? other->at > line->at - line->took
                : other->n > line->n && other->took != NEVER && line->at > other->at - other->took)
            return false;
    }
    return any;
}

/* Whether it began in the outage, by its first SYN or by the client's own account. A request was
 * over when its line came, and one that succeeded not before its answer went out. */
static enum tri began_in(const struct scene *s, const struct call *call,
                         const struct account_line *line, const struct span *outage)
{
    if (call && call->anonymous && call->begun.from >= outage->from && call->begun.to <= outage->to)
        return TRI_YES;
    if (!line || line->took == NEVER || line->at - line->took < outage->from)
        return TRI_NO;
    struct span began = { 0, line->at - line->took };
    if (is_prompt(s, line))
        began.from = began.to;
    else if (call && line->ok && call->answered.from != NEVER)
        began.from = call->answered.from - line->took;
    if (call && call->count && call->begun.to < began.to)
        began.to = call->begun.to;
    if (began.from >= outage->to || began.to < outage->from)
        return TRI_NO;
    return began.from >= outage->from && began.to < outage->to ? TRI_YES : TRI_UNKNOWN;
}

void check_waits(const struct scene *s, struct finding *f)
{
    struct span outage;
    uint64_t seq;
    if (!find_outage(s, scene_number(s, 0), &outage, &seq)) {
        finding_end(f, "there was no outage of that length");
        return;
    }
    for (size_t i = 0; i < s->calls->count; i++) {
        const struct call *call = &s->calls->calls[i];
        const struct account_line *line = s->notes[i].line;
        char name[CALL_SIZE];
        enum tri began = began_in(s, call, line, &outage);
        if (!scene_about(s, call) || began == TRI_NO)
            continue;
        call_text(s, call, name);
        if (began == TRI_UNKNOWN && !line->ok)
            found_of(s, f, call, OUTCOME_INCONCLUSIVE, REMEDY_REPORT, UNTIL_THE_END,
                     "%s failed, and perhaps it began in the outage: its line came late", name);
        else if (began == TRI_UNKNOWN)
            scene_leave(s, f, call, REMEDY_REPORT,
                        "perhaps %s began in the outage: its line came late", name);
        else if (line && !line->ok)
            found_of(s, f, call, OUTCOME_FAIL, REMEDY_NONE, NEVER, "%s failed", name);
        else if (calls_is_answered(call) && line && call->answered.from >= outage.to)
            found_of(s, f, call, OUTCOME_PASS, REMEDY_NONE, call_answered_until(s, call),
                     "%s began in the outage, and was answered after it", name);
        else
            scene_leave(s, f, call, scene_untold(s, call),
                        "%s: whether its user saw an error is not seen on the wire", name);
    }
    for (size_t i = 0; i < s->account->count; i++) {
        const struct account_line *line = &s->account->lines[i];
        struct subject who = { 0 };
        ids_add(&who.seqs, line->seq);
        enum tri began = line->matched == MATCHED_NOTHING && !line->ok
                             ? began_in(s, NULL, line, &outage)
                             : TRI_NO;
        if (began == TRI_YES)
            found(f, OUTCOME_FAIL, REMEDY_NONE, NEVER, &who, "request %d failed in the outage",
                  line->n);
        else if (began == TRI_UNKNOWN)
            found(f, OUTCOME_INCONCLUSIVE, REMEDY_REPORT, UNTIL_THE_END, &who,
                  "request %d failed, and perhaps it began in the outage: its line came late",
                  line->n);
    }
    scene_end(s, f, "no call is known to have begun in the outage");
}
