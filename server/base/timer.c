/* timer.c - a leftist heap of timers, driven by one timerfd.
 *
 * The heap is made of the timers themselves, so that it needs no memory of its own. In each of its
 * nodes the right branch is the shorter way to a place without a child; `rank` is the length of
 * that way, at most log2 of the number of timers. Merging two heaps goes along their right
 * branches, and all else is merging. The timerfd is set anew only when the earliest timer changes
 * to an earlier one: a timer that fires for a timer since cancelled costs one look at the heap.
 * Timers that are reached are taken out before their callback runs, so a callback may arm, cancel
 * or free any timer, its own included.
 */
#include "base/timer.h"

#include <assert.h>
#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <uv.h>

#include "base/clock.h"

static struct {
    struct timer *first; /* the earliest; NULL: none is armed */
    int fd;
    int64_t set_for; /* what the timerfd is set to; TIME_NONE: nothing */
    uv_poll_t poll;
} timers = { .fd = -1 };

const int64_t timers_late_bounds[TIMERS_BUCKETS - 1] = {
    100 * NS_PER_US, 250 * NS_PER_US, 500 * NS_PER_US, NS_PER_MS,       5 * NS_PER_MS / 2,
    5 * NS_PER_MS,   10 * NS_PER_MS,  25 * NS_PER_MS,  100 * NS_PER_MS, NS_PER_S,
};
static struct timers_late lateness;

const struct timers_late *timers_late(void)
{
    return &lateness;
}

static void note_late(int64_t late)
{
    unsigned bucket = 0;
    while (bucket < TIMERS_BUCKETS - 1 && late > timers_late_bounds[bucket])
        bucket++;
    lateness.count[bucket]++;
    lateness.sum += late;
}

static unsigned rank(const struct timer *m)
{
    return m ? m->rank : 0;
}

/* Puts the branches of m in order, and returns what its rank is then. */
static unsigned lean_left(struct timer *m)
{
    if (rank(m->left) < rank(m->right)) {
        struct timer *left = m->left;
        m->left = m->right;
        m->right = left;
    }
    return rank(m->right) + 1;
}

/* Makes one heap of two. Its first timer's parent is the caller's to set. */
static struct timer *merge(struct timer *a, struct timer *b)
{
    if (!a || !b)
        return a ? a : b;
    struct timer *first = b->due < a->due ? b : a, *other = first == a ? b : a;
    first->right = merge(first->right, other);
    first->right->parent = first;
    first->rank = lean_left(first);
    return first;
}

/* Puts what is left of a branch where m was. */
static void replace(const struct timer *m, struct timer *with)
{
    struct timer *parent = m->parent;
    if (with)
        with->parent = parent;
    if (!parent)
        timers.first = with;
    else if (parent->left == m)
        parent->left = with;
    else
        parent->right = with;
    for (; parent; parent = parent->parent) {
        unsigned now = lean_left(parent);
        if (now == parent->rank)
            break;
        parent->rank = now;
    }
}

static void set_timer(void)
{
    int64_t due = timers.first ? timers.first->due : TIME_NONE;
    if (due >= timers.set_for || timers.fd < 0)
        return; /* it will fire for an earlier one, and then be set again */
    if (due < 1)
        due = 1; /* 0 would disarm it */
    struct itimerspec when = { .it_value = { due / NS_PER_S, due % NS_PER_S } };
    timerfd_settime(timers.fd, TFD_TIMER_ABSTIME, &when, NULL);
    timers.set_for = due;
}

static void timer_fired(uv_poll_t *poll, int status, int events)
{
    uint64_t count;
    if (read(timers.fd, &count, sizeof count) < 0)
        return;
    timers.set_for = TIME_NONE;
    /* Only what is due on entry, so that a timer armed for "now" by a callback waits for the next
     * turn of the loop and cannot starve it. */
    int64_t entry = clock_now();
    while (timers.first && timers.first->due <= entry) {
        struct timer *m = timers.first;
        timer_cancel(m);
        int64_t late = clock_now() - m->due;
        note_late(late);
        m->reached(m, late);
    }
    set_timer();
}

int timers_start(struct uv_loop_s *loop)
{
    timers.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (timers.fd < 0)
        return -errno;
    timers.set_for = TIME_NONE;
    lateness = (struct timers_late){ .sum = 0 };
    int error = uv_poll_init(loop, &timers.poll, timers.fd);
    if (!error)
        error = uv_poll_start(&timers.poll, UV_READABLE, timer_fired);
    if (error) {
        close(timers.fd);
        timers.fd = -1;
        return error;
    }
    return 0;
}

static void poll_closed(uv_handle_t *handle)
{
    close(timers.fd);
    timers.fd = -1;
}

void timers_stop(void)
{
    while (timers.first)
        timer_cancel(timers.first);
    if (timers.fd >= 0) {
        uv_poll_stop(&timers.poll);
        uv_close((uv_handle_t *)&timers.poll, poll_closed);
    }
}

void timer_at(struct timer *m, int64_t due)
{
    assert(m->reached);
    timer_cancel(m);
    if (due == TIME_NONE)
        return;
    m->due = due;
    m->left = m->right = NULL;
    m->rank = 1;
    timers.first = merge(timers.first, m);
    timers.first->parent = NULL;
    set_timer();
}

void timer_cancel(struct timer *m)
{
    if (!m->rank)
        return;
    m->rank = 0;
    replace(m, merge(m->left, m->right));
}
