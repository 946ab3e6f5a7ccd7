/* work.c - long responses are rendered a slice at a time, and calls that set something are answered
 * when it has reached all connections; the data connections are served in between.
 *
 * A rendered response goes to libmicrohttpd whole when it is small. A longer one is a stream: its
 * call is suspended until a block of it is there, libmicrohttpd takes from the block what the
 * caller's socket takes, and asks for the next when it is used up, which suspends the call again.
 * So a call holds one block in memory however long the response is and however slowly it is read,
 * and all calls together work for one slice in each turn of the loop.
 */
#include <string.h>

#include "admin/call.h"
#include "base/clock.h"
#include "engine/mhd_loop.h"
#include "run/run.h"

#define BLOCK (16u * 1024)

static void suspend(struct call *call)
{
    call->suspended = true;
    link_append(&call->admin->suspended, &call->resting);
    call_pause(call);
    MHD_suspend_connection(call->mhd);
}

static void resume(struct call *call)
{
    call->suspended = false;
    link_remove(&call->resting);
    if (call->caller->follows)
        call_allow(call, call_patience.follow);
    else
        call_resume(call);
    MHD_resume_connection(call->mhd);
    mhd_loop_kick(call->admin->mhd);
}

/* --- Streams */

/* Renders until a block is there, or the time is used up. Returns whether there is something to
 * send. */
static bool render(struct call *call, int64_t until)
{
    struct stream *s = &call->response.stream;
    struct buf *out = &call->response.body;
    do {
        if (!s->more(call, out) || out->failed)
            work_over(call);
    } while (!s->done && !s->parked && buf_len(out) < BLOCK && clock_now() < until);
    return s->done || buf_len(out) >= BLOCK || (s->parked && buf_len(out) > 0);
}

/* In the next turn of the loop. */
static void call_for_work(struct admin *a)
{
    if (!timer_armed(&a->work))
        timer_at(&a->work, clock_now());
}

/* It waits for nothing, or will be unparked. */
static void queue(struct call *call)
{
    if (call->response.stream.parked)
        return;
    link_append(&call->admin->working, &call->response.stream.link);
    call_for_work(call->admin);
}

bool work_turn(struct admin *a)
{
    int64_t until = clock_now() + CLOCK_SLICE;
    a->worked = 0;
    while (!link_empty(&a->working) && clock_now() < until) {
        struct call *call = link_entry(a->working.next, struct call, response.stream.link);
        link_remove(&call->response.stream.link);
        if (render(call, until))
            resume(call);
        else
            queue(call);
    }
    if (link_empty(&a->working))
        return false;
    call_for_work(a);
    return true;
}

static void work_due(struct timer *m, int64_t late)
{
    work_turn(link_entry(m, struct admin, work));
}

/* libmicrohttpd asks for more. */
static ssize_t take(void *arg, uint64_t position, char *bytes, size_t max)
{
    struct call *call = arg;
    struct buf *out = &call->response.body;
    size_t n = buf_len(out) < max ? buf_len(out) : max;
    if (n) {
        memcpy(bytes, buf_bytes(out), n);
        buf_consume(out, n);
        return (ssize_t)n;
    }
    if (out->failed || call->admin->over)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (call->response.stream.done)
        return MHD_CONTENT_READER_END_OF_STREAM;
    suspend(call);
    queue(call);
    return 0;
}

void work_stream(struct call *call)
{
    struct admin *a = call->admin;
    struct stream *s = &call->response.stream;
    /* At once, as far as this turn's slice goes; what is over waits for nobody. */
    int64_t began = clock_now(), left = CLOCK_SLICE - a->worked;
    if (a->over)
        while (!render(call, TIME_NONE) || !s->done)
            s->parked = false;
    else if (left > 0)
        render(call, began + left);
    a->worked += clock_now() - began;
    call_for_work(a);
    if (s->done || buf_len(&call->response.body) >= BLOCK ||
        (s->parked && buf_len(&call->response.body) > 0))
        return;
    suspend(call);
    queue(call);
}

void work_park(struct call *call)
{
    call->response.stream.parked = true;
}

void work_unpark(struct call *call)
{
    call->response.stream.parked = false;
    if (call->suspended) /* else libmicrohttpd is still taking the block, and asks for the next */
        queue(call);
}

void work_over(struct call *call)
{
    struct stream *s = &call->response.stream;
    if (!s->more || s->done)
        return;
    s->done = true;
    link_remove(&s->link);
    if (s->over)
        s->over(call);
}

struct MHD_Response *work_response(struct call *call)
{
    return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, take, call, NULL);
}

/* --- Calls that wait for what they have set */

static void settled(struct trial_waiter *waiter)
{
    resume(link_entry(waiter, struct call, settling));
}

void work_when_settled(struct call *call, void (*then)(struct call *call))
{
    if (call->admin->stopping && call->run)
        run_settle(call->run);
    if (call->admin->over || trial_is_settled(call->trial)) {
        then(call);
        return;
    }
    call->then = then;
    call->settling.settled = settled;
    trial_await_settled(call->trial, &call->settling);
    suspend(call);
}

void work_settle(struct admin *a)
{
    for (struct trial *t = NULL; (t = trials_next(a->trials, t));)
        if (trial_run(t))
            run_settle(trial_run(t));
}

/* --- Life */

void work_init(struct admin *a)
{
    link_init(&a->suspended);
    link_init(&a->working);
    a->work.reached = work_due;
}

void work_stop(struct admin *a)
{
    work_settle(a);
    timer_cancel(&a->work);
    while (!link_empty(&a->suspended)) {
        struct call *call = link_entry(a->suspended.next, struct call, resting);
        if (call->response.stream.more)
            link_remove(&call->response.stream.link);
        if (call->settling.settled) /* what has not settled by now is not waited for */
            link_remove(&call->settling.link);
        resume(call); /* take() ends it, or what is there is sent */
    }
}
