/* events.c - reading the ledger, and waiting for what is not in it yet.
 *
 * A call that finds nothing new and may wait is suspended: libmicrohttpd then looks at neither it
 * nor its socket. Three things wake it, each through wake(): events (a timer armed by the ledger's
 * watch, so that a burst of them makes one response), its own timeout, and its client's going
 * away, which nobody else would notice. A woken call is performed again and answers with what there
 * is.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "admin/call.h"
#include "base/clock.h"
#include "base/duration.h"
#include "engine/mhd_loop.h"
#include "run/run.h"

#define WAIT_MAX   (60 * NS_PER_S)
#define EVENTS_MAX 10000
#define EVENTS     1000               /* when max is not given */
#define PAGE_BYTES (4u * 1024 * 1024) /* of memory in the ledger; a page ends here */
#define STEP_BYTES 4096               /* rendered at a time */

/* What events come as. */
enum { AS_JSON, AS_NDJSON };
static const char *const types[] = { "application/json", "application/x-ndjson" };

struct waiter {
    uv_poll_t poll; /* the caller's socket: has it gone? */
    struct link link;
    struct timer limit;
    struct ledger_watch watch; /* in the ledger of its run */
    struct call *call;
    uint64_t since;
};

struct question {
    uint64_t since, max;
    int64_t wait;
    bool ndjson;
};

static void poll_closed(uv_handle_t *poll)
{
    free(poll->data);
}

/* Takes a waiter out of everything; its memory goes when the loop has closed its handle. */
static void dismiss(struct waiter *w)
{
    struct admin *a = w->call->admin;
    w->call->waiter = NULL;
    timer_cancel(&w->limit);
    link_remove(&w->link);
    ledger_watch_remove(&w->watch);
    if (link_empty(&a->waiters))
        timer_cancel(&a->wake);
    uv_close((uv_handle_t *)&w->poll, poll_closed);
}

static void wake(struct waiter *w)
{
    struct call *call = w->call;
    dismiss(w);
    call->waited = true;
    call_allow(call, call_patience.response);
    MHD_resume_connection(call->mhd);
    mhd_loop_kick(call->admin->mhd);
}

static void limit_reached(struct timer *m, int64_t late)
{
    wake(link_entry(m, struct waiter, limit));
}

/* Also when it closed only its sending side: that it still waits cannot be told from the socket,
 * and an early response is no harm. */
static void caller_gone(uv_poll_t *poll, int status, int events)
{
    wake(poll->data);
}

static void committed(struct ledger_watch *watch, const struct ledger_record *record)
{
    struct admin *a = link_entry(watch, struct waiter, watch)->call->admin;
    if (!timer_armed(&a->wake))
        timer_at(&a->wake, clock_now());
}

static void wake_reached(struct timer *m, int64_t late)
{
    struct admin *a = link_entry(m, struct admin, wake);
    struct link *next;
    for (struct link *l = a->waiters.next; l != &a->waiters; l = next) {
        struct waiter *w = link_entry(l, struct waiter, link);
        next = l->next;
        if (w->since < ledger_last(trial_ledger(w->call->trial)))
            wake(w);
    }
}

void events_init(struct admin *a)
{
    link_init(&a->waiters);
    a->wake.reached = wake_reached;
}

void events_wake_all(struct admin *a)
{
    while (!link_empty(&a->waiters))
        wake(link_entry(a->waiters.next, struct waiter, link));
}

struct caller *events_wake_first(struct admin *a)
{
    if (link_empty(&a->waiters))
        return NULL;
    struct waiter *first = link_entry(a->waiters.next, struct waiter, link);
    struct caller *caller = first->call->caller;
    wake(first);
    return caller;
}

void events_forget(struct call *call)
{
    if (call->waiter)
        dismiss(call->waiter);
}

static int start_waiting(struct call *call, const struct question *q)
{
    struct admin *a = call->admin;
    struct waiter *w = calloc(1, sizeof *w);
    if (!w)
        return -ENOMEM;
    int rc = uv_poll_init(a->loop, &w->poll, call->caller->fd);
    if (rc) {
        free(w);
        return rc;
    }
    w->poll.data = w;
    w->call = call;
    w->since = q->since;
    w->limit.reached = limit_reached;
    rc = uv_poll_start(&w->poll, UV_DISCONNECT, caller_gone);
    if (rc) {
        uv_close((uv_handle_t *)&w->poll, poll_closed);
        return rc;
    }
    timer_at(&w->limit, clock_now() + q->wait);
    w->watch.committed = committed;
    ledger_watch_add(trial_ledger(call->trial), &w->watch);
    link_append(&a->waiters, &w->link);
    call->waiter = w;
    call_allow(call, DURATION_NEVER);
    MHD_suspend_connection(call->mhd);
    return 0;
}

static int read_wait(struct call *call, int64_t *wait)
{
    size_t len;
    const char *text = input_query(call, "wait", &len);
    *wait = 0;
    if (!text || (duration_parse(text, len, wait) == 0 && *wait <= WAIT_MAX))
        return 0;
    response_refuse(call, PROBLEM_QUERY, "?wait", "a duration up to 60s, such as 5s or 500ms",
                    "is no such duration");
    return BAD_INPUT;
}

static int read_question(struct call *call, struct question *q)
{
    uint64_t last = ledger_last(trial_ledger(call->trial));
    int type = input_choose_type(call, types, sizeof types / sizeof *types);
    int rc = type < 0 ? BAD_INPUT : 0;
    q->ndjson = type == AS_NDJSON;
    if (!rc)
        rc = read_wait(call, &q->wait);
    if (!rc)
        rc = input_query_number(call, "max", 1, EVENTS_MAX, EVENTS, &q->max);
    if (!rc)
        rc = input_query_number(call, "since", 0, last, 0, &q->since);
    return rc;
}

/* The next few events, up to the page's last one; some of them may be gone by now. */
static bool more_events(struct call *call, struct buf *out)
{
    const struct ledger *l = trial_ledger(call->trial);
    struct page *page = &call->page;
    const char *separator = page->ndjson ? "\n" : ",";
    uint64_t first = ledger_first(l);
    uint64_t from = first > page->since + 1 ? first : page->since + 1;
    int count = 0;
    if (!page->begun && !page->ndjson)
        buf_text(out, "{\"events\":[");
    size_t before = buf_len(out);
    if (page->begun && from <= page->last)
        buf_text(out, separator);
    if (from <= page->last)
        count = ledger_read(l, page->since, page->last + 1 - from, before + STEP_BYTES, separator,
                            out, &page->since);
    page->begun |= count > 0;
    if (count < 0)
        return false;
    if (count > 0 && page->since < page->last)
        return true;
    if (!page->ndjson)
        buf_printf(out,
                   "],\"next\":%" PRIu64 ",\"first\":%" PRIu64 ",\"last\":%" PRIu64
                   ",\"dropped\":%" PRIu64 "}\n",
                   page->last, ledger_first(l), ledger_last(l), ledger_dropped(l));
    else if (page->begun)
        buf_text(out, "\n");
    return false;
}

void calls_events(struct call *call)
{
    struct question q;
    const struct ledger *l = trial_ledger(call->trial);
    if (read_question(call, &q))
        return;
    bool nothing = ledger_last(l) <= q.since;
    int rc = 0;
    if (nothing && q.wait && !call->waited && !call->admin->stopping)
        rc = start_waiting(call, &q);
    if (call->waiter)
        return;
    if (rc) {
        response_outcome(call, rc, NULL);
        return;
    }
    char value[24];
    call->page = (struct page){ .since = q.since, .ndjson = q.ndjson };
    call->page.last = ledger_page(l, q.since, q.max, PAGE_BYTES);
    response_stream(call, types[q.ndjson ? AS_NDJSON : AS_JSON], more_events, NULL);
    snprintf(value, sizeof value, "%" PRIu64, call->page.last);
    response_field(call, "Hangup-Next", value);
}
