/* quick.c - whether what was joined to a call without a name may as well be the client's next call.
 *
 * A client that asks the same in a tight loop, and never retries, sends its next request as soon
 * behind a loss as behind an answer; it then looks like one that retries. That makes a pass
 * doubtful, and also a fail for too many attempts (see found_of).
 */
#include "base/clock.h"
#include "verdict/calls_parts.h"

#define QUICK_NOISE (20 * NS_PER_MS)

/* How long it was from the answer of one attempt to the next that asks the same, or without a
 * control to the next on its connection; NEVER: that cannot be said. */
static int64_t pause_before(const struct build *b, const struct entry *at,
                            const struct attempt *same)
{
    const struct attempt *before =
        b->config->control ? same : history_find_attempt(b->h, at->attempt->previous);
    int64_t answered = before ? before->reached[PROGRESS_HANDED] : NEVER;
    return answered != NEVER && answered <= at->attempt->first_byte.from
               ? at->attempt->first_byte.from - answered
               : NEVER;
}

/* Whether what came so long after a loss may as well be the client's next call: behind an answer it
 * has let no more time pass before it asked again. */
static bool is_quick(const struct build *b, const struct entry *e, int64_t gap)
{
    const struct control *control = b->config->control;
    const struct attempt *same = NULL;
    int64_t pause = control ? control_pause(control, e->attempt) : NEVER;
    for (const struct entry *at = b->entries; at < e; at++) {
        if (control && at->what != e->what)
            continue;
        int64_t since = pause_before(b, at, same);
        pause = since != NEVER && (pause == NEVER || since < pause) ? since : pause;
        same = at->attempt;
    }
    return pause != NEVER && pause <= 2 * gap + QUICK_NOISE;
}

/* The earliest that the client can have seen the last loss of a call. */
static int64_t lost_since(const struct build *b, const struct made *call)
{
    int64_t since = NEVER;
    const struct entry *e = call->recent ? &b->entries[call->recent - 1] : NULL;
    for (; e; e = (e->next ? &b->entries[e->next - 1] : NULL)) {
        int64_t seen = e->seen.from != NEVER ? e->seen.from : e->attempt->first_byte.from;
        since = seen > since ? seen : since;
    }
    return since;
}

bool quick_find(const struct build *b, const struct made *call, const struct entry *e,
                int64_t begun)
{
    return is_quick(b, e, begun - lost_since(b, call));
}
