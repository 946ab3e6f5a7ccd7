/* moment.h - timers that are never early.
 *
 * All timers of the loop share one timerfd with nanosecond resolution and a heap of intrusive
 * entries: arming needs no memory and so cannot fail, cancelling needs no callback, and the
 * callback is told how late it is. Moments are on clock_now()'s clock.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct uv_loop_s;

struct moment {
    int64_t due;
    struct moment *parent, *left, *right; /* in the heap */
    unsigned rank;                        /* in the heap, from 1; 0: not armed */
    void (*reached)(struct moment *m, int64_t late);
};

/* Once per process, before the first moment. Returns 0 or -errno. */
int moments_start(struct uv_loop_s *loop);
/* Cancels everything and closes the timerfd handle; run the loop once more after it. */
void moments_stop(void);

/* A zeroed struct with reached set is a moment that is not armed. */

/* Arms m (again) for the absolute moment due; MOMENT_NONE cancels. A moment in the past is reached
 * in the next turn of the loop. */
void moment_at(struct moment *m, int64_t due);
void moment_cancel(struct moment *m);

static inline bool moment_armed(const struct moment *m)
{
    return m->rank != 0;
}
