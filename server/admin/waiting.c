/* waiting.c - calls that wait for something of a run: they are looked at again when its ledger has
 * another event, when their time is over, and when their callers go.
 */
#include <stdlib.h>
#include <uv.h>

#include "admin/call.h"
#include "base/clock.h"
#include "base/duration.h"

#define WAIT_MAX (60 * NS_PER_S)

struct waiter {
    uv_poll_t poll; /* the caller's socket: has it gone? */
    struct link link;
    struct timer limit;
    struct ledger_watch watch; /* in the ledger of its run */
    struct call *call;
    bool parked;
    bool rests; /* whatever the ledger has */
    bool over;  /* it is to wait no more */
};

static void poll_closed(uv_handle_t *poll)
{
    free(poll->data);
}

static void look(struct waiter *w)
{
    if (!w->parked)
        return;
    w->parked = false;
    timer_cancel(&w->limit);
    link_remove(&w->link);
    work_unpark(w->call);
}

static void end(struct waiter *w)
{
    w->over = true;
    look(w);
}

static void limit_reached(struct timer *m, int64_t late)
{
    look(link_entry(m, struct waiter, limit));
}

/* Also when it closed only its sending side: that it still waits cannot be told from the socket,
 * and an early response is no harm. */
static void caller_gone(uv_poll_t *poll, int status, int events)
{
    uv_poll_stop(poll);
    end(poll->data);
}

static void committed(struct ledger_watch *watch, const struct ledger_record *record)
{
    struct waiter *w = link_entry(watch, struct waiter, watch);
    struct admin *a = w->call->admin;
    if (w->parked && !w->rests && !timer_armed(&a->wake))
        timer_at(&a->wake, clock_now());
}

static void wake_reached(struct timer *m, int64_t late)
{
    struct admin *a = link_entry(m, struct admin, wake);
    struct link *next;
    for (struct link *l = a->waiters.next; l != &a->waiters; l = next) {
        struct waiter *w = link_entry(l, struct waiter, link);
        next = l->next;
        if (!w->rests && w->call->parked_at != ledger_last(trial_ledger(w->call->trial)))
            look(w);
    }
}

void waiting_init(struct admin *a)
{
    link_init(&a->waiters);
    a->wake.reached = wake_reached;
}

void waiting_wake_all(struct admin *a)
{
    while (!link_empty(&a->waiters))
        end(link_entry(a->waiters.next, struct waiter, link));
}

struct caller *waiting_wake_first(struct admin *a)
{
    if (link_empty(&a->waiters))
        return NULL;
    struct waiter *first = link_entry(a->waiters.next, struct waiter, link);
    struct caller *caller = first->call->caller;
    end(first);
    return caller;
}

void waiting_forget(struct call *call)
{
    struct waiter *w = call->waiter;
    if (!w)
        return;
    call->waiter = NULL;
    timer_cancel(&w->limit);
    link_remove(&w->link);
    ledger_watch_remove(&w->watch);
    if (link_empty(&call->admin->waiters))
        timer_cancel(&call->admin->wake);
    uv_close((uv_handle_t *)&w->poll, poll_closed);
}

static int start(struct call *call)
{
    struct waiter *w = calloc(1, sizeof *w);
    if (!w)
        return -ENOMEM;
    int rc = uv_poll_init(call->admin->loop, &w->poll, call->caller->fd);
    if (rc) {
        free(w);
        return rc;
    }
    w->poll.data = w;
    w->call = call;
    w->limit.reached = limit_reached;
    w->watch.committed = committed;
    link_init(&w->link);
    rc = uv_poll_start(&w->poll, UV_DISCONNECT, caller_gone);
    if (rc) {
        uv_close((uv_handle_t *)&w->poll, poll_closed);
        return rc;
    }
    ledger_watch_add(trial_ledger(call->trial), &w->watch);
    call->waiter = w;
    return 0;
}

/* Its place: who has waited longest is first, also when it was looked at meanwhile. */
static struct link *behind_the_older(const struct call *call)
{
    struct link *waiters = &call->admin->waiters, *place = waiters;
    while (place->prev != waiters &&
           link_entry(place->prev, struct waiter, link)->call->begun_at > call->begun_at)
        place = place->prev;
    return place;
}

static int park(struct call *call, int64_t until, bool rests)
{
    int rc = call->waiter ? 0 : start(call);
    if (rc)
        return rc;
    struct waiter *w = call->waiter;
    w->parked = true;
    w->rests = rests;
    call->parked_at = ledger_last(trial_ledger(call->trial));
    timer_at(&w->limit, until);
    link_append(behind_the_older(call), &w->link);
    work_park(call);
    return 0;
}

int waiting_park(struct call *call, int64_t until)
{
    return park(call, until, false);
}

int waiting_rest(struct call *call, int64_t until)
{
    return park(call, until, true);
}

bool waiting_is_over(const struct call *call)
{
    return call->admin->stopping || (call->waiter && call->waiter->over);
}

int waiting_read(struct call *call, int64_t *until)
{
    size_t len;
    int64_t wait;
    const char *text = input_query(call, "wait", &len);
    *until = TIME_NONE;
    if (!text)
        return 0;
    if (duration_parse(text, len, &wait) == 0 && wait <= WAIT_MAX) {
        *until = call->begun_at + wait;
        return 0;
    }
    response_refuse(call, PROBLEM_QUERY, "?wait", "a duration up to 60s, such as 5s or 500ms",
                    "is no such duration");
    return BAD_INPUT;
}
