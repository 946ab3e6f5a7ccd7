/* moment.c - a leftist heap of moments, driven by one timerfd.
 *
 * The heap is made of the moments themselves, so that it needs no memory of its own. In each of its
 * nodes the right branch is the shorter way to a place without a child; `rank` is the length of
 * that way, at most log2 of the number of moments. Merging two heaps goes along their right
 * branches, and all else is merging. The timerfd is set anew only when the earliest moment changes
 * to an earlier one: a timer that fires for a moment since cancelled costs one look at the heap.
 * Moments that are reached are taken out before their callback runs, so a callback may arm, cancel
 * or free any moment, its own included.
 */
#include "wire/moment.h"

#include <assert.h>
#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <uv.h>

#include "base/clock.h"

static struct {
    struct moment *first; /* the earliest; NULL: none is armed */
    int fd;
    int64_t set_for; /* what the timerfd is set to; MOMENT_NONE: nothing */
    uv_poll_t poll;
} moments = { .fd = -1 };

static unsigned rank(const struct moment *m)
{
    return m ? m->rank : 0;
}

/* Puts the branches of m in order, and returns what its rank is then. */
static unsigned lean_left(struct moment *m)
{
    if (rank(m->left) < rank(m->right)) {
        struct moment *left = m->left;
        m->left = m->right;
        m->right = left;
    }
    return rank(m->right) + 1;
}

/* Makes one heap of two. Its first moment's parent is the caller's to set. */
static struct moment *merge(struct moment *a, struct moment *b)
{
    if (!a || !b)
        return a ? a : b;
    struct moment *first = b->due < a->due ? b : a, *other = first == a ? b : a;
    first->right = merge(first->right, other);
    first->right->parent = first;
    first->rank = lean_left(first);
    return first;
}

/* Puts what is left of a branch where m was. */
static void replace(const struct moment *m, struct moment *with)
{
    struct moment *parent = m->parent;
    if (with)
        with->parent = parent;
    if (!parent)
        moments.first = with;
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
    int64_t due = moments.first ? moments.first->due : MOMENT_NONE;
    if (due >= moments.set_for || moments.fd < 0)
        return; /* it will fire for an earlier one, and then be set again */
    if (due < 1)
        due = 1; /* 0 would disarm it */
    struct itimerspec when = { .it_value = { due / NS_PER_S, due % NS_PER_S } };
    timerfd_settime(moments.fd, TFD_TIMER_ABSTIME, &when, NULL);
    moments.set_for = due;
}

static void timer_fired(uv_poll_t *poll, int status, int events)
{
    uint64_t count;
    if (read(moments.fd, &count, sizeof count) < 0)
        return;
    moments.set_for = MOMENT_NONE;
    /* Only what is due on entry, so that a moment armed for "now" by a callback waits for the next
     * turn of the loop and cannot starve it. */
    int64_t entry = clock_now();
    while (moments.first && moments.first->due <= entry) {
        struct moment *m = moments.first;
        moment_cancel(m);
        m->reached(m, clock_now() - m->due);
    }
    set_timer();
}

int moments_start(struct uv_loop_s *loop)
{
    moments.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (moments.fd < 0)
        return -errno;
    moments.set_for = MOMENT_NONE;
    int error = uv_poll_init(loop, &moments.poll, moments.fd);
    if (!error)
        error = uv_poll_start(&moments.poll, UV_READABLE, timer_fired);
    if (error) {
        close(moments.fd);
        moments.fd = -1;
        return error;
    }
    return 0;
}

static void poll_closed(uv_handle_t *handle)
{
    close(moments.fd);
    moments.fd = -1;
}

void moments_stop(void)
{
    while (moments.first)
        moment_cancel(moments.first);
    if (moments.fd >= 0) {
        uv_poll_stop(&moments.poll);
        uv_close((uv_handle_t *)&moments.poll, poll_closed);
    }
}

void moment_at(struct moment *m, int64_t due)
{
    assert(m->reached);
    moment_cancel(m);
    if (due == MOMENT_NONE)
        return;
    m->due = due;
    m->left = m->right = NULL;
    m->rank = 1;
    moments.first = merge(moments.first, m);
    moments.first->parent = NULL;
    set_timer();
}

void moment_cancel(struct moment *m)
{
    if (!m->rank)
        return;
    m->rank = 0;
    replace(m, merge(m->left, m->right));
}
