/* kinds.c - the table of the kinds of faults (section 3), as far as a step's class and scope do not
 * say it already. */
#include <assert.h>

#include "verdict/history_parts.h"

static const struct kind kinds[STEP_COUNT] = {
    /* step                  seen        a refused one      holds          kills */
    [STEP_FIN] = { SEEN_ACKED, REPEAT_IDEMPOTENT, HOLDS_NOT, true },
    [STEP_RST] = { SEEN_RST, REPEAT_IDEMPOTENT, HOLDS_NOT, true },
    [STEP_FORGET] = { SEEN_NEVER, REPEAT_IDEMPOTENT, HOLDS_NOT, true },
    [STEP_BLACK_HOLE] = { SEEN_NEVER, REPEAT_IDEMPOTENT, HOLDS_NOT, true },
    [STEP_STALL] = { SEEN_NEVER, REPEAT_IDEMPOTENT, HOLDS_NOT, true },
    [STEP_CLOSE_NOTIFY] = { SEEN_READ, REPEAT_IDEMPOTENT, HOLDS_NOT, true },
    [STEP_ALERT] = { SEEN_READ, REPEAT_IDEMPOTENT, HOLDS_NOT, true },
    [STEP_GOAWAY] = { SEEN_READ, REPEAT_ANY, HOLDS_NOT, false },
    [STEP_GOAWAY_NOTICE] = { SEEN_READ, REPEAT_IDEMPOTENT, HOLDS_NOT, false },
    [STEP_RST_STREAM] = { SEEN_READ, REPEAT_ANY, HOLDS_NOT, false },
    [STEP_REFUSE] = { SEEN_READ, REPEAT_ANY, HOLDS_NOT, false },
    [STEP_MAX_STREAMS] = { SEEN_READ, REPEAT_ANY, HOLDS_NOT, false },
    [STEP_RESPOND] = { SEEN_READ, REPEAT_IDEMPOTENT, HOLDS_NOT, false }, /* but see repeat_call */
    [STEP_CUT] = { SEEN_END, REPEAT_IDEMPOTENT, HOLDS_NOT, true },
    [STEP_INJECT] = { SEEN_END, REPEAT_IDEMPOTENT, HOLDS_NOT, false },
    [STEP_DELAY] = { SEEN_NEVER, REPEAT_IDEMPOTENT, HOLDS_ANSWER, false },
    [STEP_HOLD] = { SEEN_NEVER, REPEAT_IDEMPOTENT, HOLDS_ANSWER, false },
    [STEP_NO_CONTINUE] = { SEEN_NEVER, REPEAT_IDEMPOTENT, HOLDS_CONTENT, false },
    [STEP_WINDOW] = { SEEN_NEVER, REPEAT_IDEMPOTENT, HOLDS_CONTENT, false },
    [STEP_THROTTLE] = { SEEN_NEVER, REPEAT_IDEMPOTENT, HOLDS_SLOW, false },
    [STEP_DRIP] = { SEEN_NEVER, REPEAT_IDEMPOTENT, HOLDS_SLOW, false },
};

const struct kind *kind_of(enum ledger_step step)
{
    assert(step < STEP_COUNT);
    return &kinds[step];
}
