/* moment.c - a binary heap of moments, driven by one timerfd.
 *
 * The heap holds pointers; each moment knows its place, so that cancelling is O(log n). The timerfd
 * is set anew only when the earliest moment changes to an earlier one: a timer that fires for a
 * moment since cancelled costs one look at the heap. Moments that are reached are taken out before
 * their callback runs, so a callback may arm, cancel or free any moment, its own included.
 */
#include "wire/moment.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <uv.h>

#include "base/clock.h"

static struct {
    struct moment **heap; /* 1-based */
    size_t count, size;
    int fd;
    int64_t set_for; /* what the timerfd is set to; MOMENT_NONE: nothing */
    uv_poll_t poll;
} moments = { .fd = -1 };

static void put(size_t place, struct moment *m)
{
    moments.heap[place] = m;
    m->place = place;
}

/* Moves m, which belongs at place or above or below it, to where the heap is in order. */
static void settle(size_t place, struct moment *m)
{
    while (place > 1 && moments.heap[place / 2]->due > m->due) {
        put(place, moments.heap[place / 2]);
        place /= 2;
    }
    for (;;) {
        size_t child = place * 2;
        if (child > moments.count)
            break;
        if (child < moments.count && moments.heap[child + 1]->due < moments.heap[child]->due)
            child++;
        if (moments.heap[child]->due >= m->due)
            break;
        put(place, moments.heap[child]);
        place = child;
    }
    put(place, m);
}

static void set_timer(void)
{
    int64_t due = moments.count ? moments.heap[1]->due : MOMENT_NONE;
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
    while (moments.count && moments.heap[1]->due <= entry) {
        struct moment *m = moments.heap[1];
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
    while (moments.count)
        moment_cancel(moments.heap[moments.count]);
    free(moments.heap);
    moments.heap = NULL;
    moments.size = 0;
    if (moments.fd >= 0) {
        uv_poll_stop(&moments.poll);
        uv_close((uv_handle_t *)&moments.poll, poll_closed);
    }
}

int moment_at(struct moment *m, int64_t due)
{
    assert(m->reached);
    if (due == MOMENT_NONE) {
        moment_cancel(m);
        return 0;
    }
    size_t place = m->place;
    if (!place) {
        if (moments.count + 2 > moments.size) {
            size_t size = moments.size ? moments.size * 2 : 256;
            struct moment **heap = realloc(moments.heap, size * sizeof *heap);
            if (!heap)
                return -ENOMEM;
            moments.heap = heap;
            moments.size = size;
        }
        place = ++moments.count;
    }
    m->due = due;
    settle(place, m);
    set_timer();
    return 0;
}

void moment_cancel(struct moment *m)
{
    size_t place = m->place;
    if (!place)
        return;
    m->place = 0;
    struct moment *last = moments.heap[moments.count--];
    if (last != m)
        settle(place, last);
}
