/* timer.h - timers that are never early.
 *
 * All timers of the loop share one timerfd with nanosecond resolution and a heap of intrusive
 * entries: arming needs no memory and so cannot fail, cancelling needs no callback, and the
 * callback is told how late it is. Times are on clock_now()'s clock.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct uv_loop_s;

struct timer {
    int64_t due;
    struct timer *parent, *left, *right; /* in the heap */
    unsigned rank;                       /* in the heap, from 1; 0: not armed */
    void (*reached)(struct timer *m, int64_t late);
};

/* How late timers were since timers_start: how many by bucket (the last one has all above the
 * bounds), and the sum of it, ns. */
#define TIMERS_BUCKETS 11
extern const int64_t timers_late_bounds[TIMERS_BUCKETS - 1]; /* up to and with, ns */
struct timers_late {
    uint64_t count[TIMERS_BUCKETS];
    int64_t sum;
};
const struct timers_late *timers_late(void);

/* Once per process, before the first timer. Returns 0 or -errno. */
int timers_start(struct uv_loop_s *loop);
/* Cancels everything and closes the timerfd handle; run the loop once more after it. */
void timers_stop(void);

/* A zeroed struct with reached set is a timer that is not armed. */

/* Arms m (again) for the absolute time due; TIME_NONE cancels. A time in the past is reached
 * in the next turn of the loop. */
void timer_at(struct timer *m, int64_t due);
void timer_cancel(struct timer *m);

static inline bool timer_armed(const struct timer *m)
{
    return m->rank != 0;
}
