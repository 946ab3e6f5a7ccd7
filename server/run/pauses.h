/* pauses.h - whether the loop runs: a server that was stopped, got no processor, was busy with
 * something else, or whose machine slept, reads late and answers late, and says so.
 *
 * A process does not see that it does not run; it sees behind it that a timer is late. What it
 * reads then may have come at any time in the pause.
 */
#pragma once

#include <stdint.h>

struct pause_seen {
    int64_t from, to; /* it ran at both */
    int64_t late;     /* so long it did not, at least */
    int64_t slept;    /* and so long its machine slept: the clock stood still, so from and to do not
                       * have it; 0: it did not */
};

/* Calls tell behind each pause from now on, before any event of what is read behind it is in a
 * ledger (of one in which the machine slept: within PAUSE_LOOK). One can watch at a time. */
void pauses_watch(void (*tell)(void *owner, const struct pause_seen *pause), void *owner);
void pauses_stop(void);

/* late and slept of all pauses that were told. */
int64_t pauses_total(void);
