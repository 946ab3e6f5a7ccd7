/* paused.c - what the server's own pauses may have changed of what a check has found.
 *
 * While it does not run, the server reads nothing and answers nothing. So a wait may have been its
 * own, a client may have left because of it, and what is read behind the pause may have been sent
 * at any time in it. The last is told by the first byte of an attempt (attempt_read_late); here is
 * what rests on other times.
 */
#include <stdio.h>

#include "base/clock.h"
#include "verdict/scene.h"

/* What a client does so long after its call's first byte is not for a pause. */
#define LEAVES_WITHIN (10 * NS_PER_S)

/* When the client was through with it. */
static int64_t end_of(const struct scene *s, const struct call *call)
{
    bool ends_by_itself = s->e->check == CHECK_USER_WAIT; /* else it may ask again */
    const int64_t ends[] = { call->answered.to, ends_by_itself ? call->ended_by_client : NEVER,
                             s->client_gone };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        if (ends[i] != NEVER)
            return ends[i] > call->begun.from ? ends[i] : call->begun.from;
    }
    return s->now;
}

/* How long the user has waited at least, as far as it was measured. */
static int64_t waited(const struct scene *s, const struct call *call)
{
    const struct account_line *line = s->notes[call - s->calls->calls].line;
    if (line && !line->ok && line->took != NEVER)
        return line->took;
    return call->wait.from != NEVER ? call->wait.from : end_of(s, call) - call->begun.to;
}

/* The client's own account says how long it took, by a clock that is not the server's. A pass
 * agrees with that. */
static bool is_told(const struct scene *s, const struct call *call)
{
    const struct account_line *line = s->notes[call - s->calls->calls].line;
    return line && line->took != NEVER;
}

/* The limit of a check of how long a call took; NEVER: it has none. */
static int64_t limit_of(const struct scene *s)
{
    switch (s->e->check) {
    case CHECK_RECOVERED:
    case CHECK_USER_WAIT:
        return scene_number(s, 0);
    case CHECK_FALLS_BACK:
        return scene_number(s, 1);
    default:
        return NEVER;
    }
}

/* Whether an attempt belongs to it by nothing but its content and its time, and the server did not
 * run in that time. */
static bool is_joined_over(const struct scene *s, const struct call *call)
{
    const struct attempt *first = call_first(s, call);
    for (size_t i = 1; i < call->count && s->all_told != TRI_YES; i++) {
        const struct member *member = &call_members(s, call)[i];
        if (member->join != JOIN_NAMED &&
            history_paused(s->h, first->first_byte.from, member->attempt->first_byte.to) >
                history_grace(s->h))
            return true;
    }
    return false;
}

/* Whether a client may have failed for the pause alone: it did not wait for it to be over. */
static bool blames_for_leaving(enum check check)
{
    return check == CHECK_RECOVERED || check == CHECK_RETRIES || check == CHECK_FALLS_BACK ||
           check == CHECK_WAITS || check == CHECK_BACKOFF || check == CHECK_NO_STORM;
}

/* Whether it passes by how long its attempts are apart. */
static bool rests_on_pauses(const struct scene *s, const struct call *call)
{
    const struct fault *f = call_fault(s, call);
    return s->e->check == CHECK_BACKOFF ||
           (s->e->check == CHECK_RETRIES && f && f->retry_after != NEVER);
}

int64_t paused_decides(const struct scene *s, const struct call *call, enum outcome outcome,
                       enum remedy remedy)
{
    int64_t limit = limit_of(s), grace = history_grace(s->h), end = end_of(s, call);
    if (limit == NEVER && end > call->begun.to + LEAVES_WITHIN)
        end = call->begun.to + LEAVES_WITHIN;
    /* Behind a pause connections are accepted at once, and their requests come a little later. */
    int64_t paused = history_paused(s->h, call->begun.from - grace, end);
    bool decides = false;
    if (!paused || outcome == OUTCOME_NA)
        return 0;
    if (outcome == OUTCOME_INCONCLUSIVE) /* it may have begun on either side of its limit */
        return remedy == REMEDY_REPORT && limit != NEVER && call->answered.to != NEVER &&
                       call->wait.to > limit
                   ? paused
                   : 0;
    if (outcome == OUTCOME_PASS && limit != NEVER && is_told(s, call))
        limit = NEVER;
    if (outcome == OUTCOME_PASS)
        decides = (limit != NEVER && end - call->begun.from + paused > limit) ||
                  (rests_on_pauses(s, call) && paused > grace);
    else if (limit != NEVER && waited(s, call) > limit)
        decides = waited(s, call) - paused <= limit;
    else
        decides = blames_for_leaving(s->e->check) && paused > grace;
    return decides || is_joined_over(s, call) ? paused : 0;
}

/* --- Checks of connections */

/* How long it may be wrong by without that anybody minds: a 20th of what it is measured by. */
static int64_t tolerance(const struct scene *s)
{
    int64_t limit = scene_number(s, 0), grace = history_grace(s->h);
    if (s->e->check == CHECK_HONOURS_HINT)
        return grace;
    if (limit == PARAM_UNSET)
        limit = s->idle;
    return limit / 20 > grace ? limit / 20 : grace;
}

static int64_t longest_of(const struct scene *s, const struct ids *connections)
{
    int64_t longest = 0;
    for (int i = 0; i < connections->count; i++) {
        const struct connection *c = history_find_connection(s->h, connections->list[i]);
        if (!c)
            continue;
        int64_t paused = history_paused(s->h, c->opened == NEVER ? 0 : c->opened,
                                        c->ended == NEVER ? s->now : c->ended);
        longest = paused > longest ? paused : longest;
    }
    return longest;
}

void paused_doubt(const struct scene *s, struct finding *f)
{
    bool by_time = s->e->check == CHECK_IDLE_EVICTION || s->e->check == CHECK_HONOURS_HINT ||
                   s->e->check == CHECK_CLOSES_AFTER_GOAWAY || s->e->check == CHECK_PING_LIVENESS;
    bool close = f->outcome == OUTCOME_INCONCLUSIVE &&
                 (f->remedy == REMEDY_LATER || f->remedy == REMEDY_SKEW);
    int64_t paused = by_time || close ? longest_of(s, &f->who.connections) : 0;
    char why[SENTENCE_SIZE], time[TIME_SIZE];
    if (!paused || paused <= (by_time ? tolerance(s) : history_grace(s->h)))
        return;
    snprintf(why, sizeof why, SERVER_PAUSED_FOR, finding_time(paused, time));
    if (close)
        f->remedy = REMEDY_PAUSED;
    else
        finding_foreign(f, REMEDY_PAUSED, UNTIL_THE_END, why);
}
