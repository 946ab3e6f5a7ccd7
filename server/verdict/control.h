/* control.h - what the control run shows of a client's habits: how often it asks the same, in what
 * rhythm, and after what idleness it still reuses a connection (R1, R2).
 */
#pragma once

#include "verdict/history.h"

struct control;

/* Of the history of a control run, which is not needed afterwards. NULL without memory. */
struct control *control_create(const struct history *h);
void control_destroy(struct control *control);

/* What it shows of requests that equal this one (method, target and digest). */
struct habit {
    unsigned count;
    int64_t smallest_gap; /* from start to start; NEVER: fewer than two */
    int64_t rhythm;       /* of 3 or more gaps that are equal by 20 %: their mean; NEVER: none */
};
struct habit control_habit(const struct control *control, const struct attempt *like);

/* Within what time of a loss an equal request is a retry (R1). within: of recovery, in ns. */
int64_t control_reach(const struct control *control, const struct attempt *like, int64_t within);

/* The shortest time from an answer to the next request that equals this one; NEVER: there was none.
 */
int64_t control_pause(const struct control *control, const struct attempt *like);

/* The shortest idleness after which the client used a connection again; NEVER: it never did. */
int64_t control_reuse_gap(const struct control *control);
/* The longest: so long at least it keeps one that nobody ends. */
int64_t control_longest_reuse(const struct control *control);
