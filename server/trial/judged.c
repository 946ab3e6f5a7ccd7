#include "trial/judged.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/worker.h"
#include "ledger/overdue.h"

#define GATHER (5 * NS_PER_MS) /* nobody looks sooner than when asked */
#define BUSY   (1 * NS_PER_MS) /* before it is looked whether the thread is free */
#define STEP   16              /* records between two looks at the time */

/* Until the time is over, or there are no more. Returns whether there are. */
static bool feed_some(struct judged *j, int64_t until)
{
    struct ledger_record r;
    for (unsigned n = 1; ledger_next(&j->cursor, &r); n++) {
        verdict_feed(j->verdict, &r);
        if (n % STEP == 0 && clock_now() >= until)
            return true;
    }
    return false;
}

/* --- Working it out */

struct judging {
    struct worker *worker;
    struct judged *judged; /* NULL: nobody waits for it, and the verdict goes */
    struct verdict *verdict;
    bool calls;
    struct judged_found found;
};

static bool busy; /* one at a time: the loop has a processor for itself */

static void keep(struct buf *out, json_t *value)
{
    if (json_write(out, value))
        buf_free(out);
    json_decref(value);
}

static void find(struct verdict *v, bool with_calls, struct judged_found *found)
{
    int64_t began = clock_now();
    found->outcome = verdict_outcome(v, &found->final);
    found->next = verdict_next(v);
    keep(&found->document, verdict_json(v));
    found->with_calls = with_calls;
    if (with_calls) {
        json_t *calls = verdict_calls(v);
        tally_calls(calls, found->tally);
        keep(&found->calls, calls);
    }
    found->took = clock_now() - began;
}

static void found_free(struct judged_found *found)
{
    buf_free(&found->document);
    buf_free(&found->calls);
    *found = (struct judged_found){ .as_of = 0 };
}

static void work(void *arg)
{
    struct judging *w = arg;
    find(w->verdict, w->calls, &w->found);
}

/* It is over. */
static void take_back(struct judging *w)
{
    struct judged *j = w->judged;
    busy = false;
    if (j) {
        found_free(&j->found);
        j->found = w->found;
        j->judging = NULL;
        timer_at(&j->feed, clock_now());
    } else {
        found_free(&w->found);
        verdict_destroy(w->verdict);
    }
    free(w);
}

static void worked(void *arg)
{
    struct judging *w = arg;
    struct judged *j = w->judged;
    take_back(w);
    if (j && !j->wanted && j->over)
        j->over(j);
}

/* At once, by the loop. */
static void work_here(struct judged *j, struct judged_found *as, bool calls)
{
    find(j->verdict, calls, as);
    found_free(&j->found);
    j->found = *as;
}

/* Of what it has been fed. */
static void begin_work(struct judged *j)
{
    struct judging *w = calloc(1, sizeof *w);
    struct judged_found as = { .as_of = clock_now(), .seq = j->cursor.since };
    bool calls = j->calls_wanted;
    j->wanted = j->calls_wanted = false;
    verdict_now(j->verdict, ledger_age(j->ledger, as.as_of));
    if (w)
        *w = (struct judging){ .judged = j, .verdict = j->verdict, .calls = calls, .found = as };
    if (!w || !(w->worker = worker_begin(j->loop, work, worked, w))) {
        free(w);
        work_here(j, &as, calls);
        return;
    }
    busy = true;
    j->judging = w;
}

/* --- Feeding it */

static void begin_wanted(struct judged *j)
{
    if (busy) {
        timer_at(&j->feed, clock_now() + BUSY);
        return;
    }
    begin_work(j);
    if (!j->judging && j->over)
        j->over(j);
}

/* Until it has caught up nobody need tell that there is more. */
static void feed_due(struct timer *m, int64_t late)
{
    struct judged *j = link_entry(m, struct judged, feed);
    if (j->judging)
        return;                       /* goes on when that is over */
    ledger_overdue_look(clock_now()); /* a pause is told before its end is judged */
    if (feed_some(j, clock_now() + CLOCK_SLICE)) {
        timer_at(m, clock_now() + (j->hurry ? 0 : GATHER));
        return;
    }
    if (!j->watch.ledger)
        ledger_watch_add(j->ledger, &j->watch);
    j->hurry = false;
    if (j->wanted)
        begin_wanted(j);
}

static void committed(struct ledger_watch *watch, const struct ledger_record *record)
{
    struct judged *j = link_entry(watch, struct judged, watch);
    ledger_watch_remove(watch);
    if (!timer_armed(&j->feed))
        timer_at(&j->feed, clock_now() + GATHER);
}

int judged_begin(struct judged *j, struct uv_loop_s *loop, struct ledger *ledger)
{
    static const struct verdict_config config = { VERDICT_KEPT, VERDICT_KEPT, VERDICT_KEPT };
    if (j->verdict)
        return 0;
    j->verdict = verdict_create(&config);
    if (!j->verdict)
        return -ENOMEM;
    j->loop = loop;
    j->ledger = ledger;
    j->cursor = (struct ledger_cursor){ .ledger = ledger };
    j->feed.reached = feed_due;
    j->watch.committed = committed;
    timer_at(&j->feed, clock_now());
    return 0;
}

/* From now on as fast as slices allow, until it has caught up: else it takes a twentieth of the
 * time at most, and a server under load falls behind with it, not with its clients. */
void judged_ask(struct judged *j, bool calls)
{
    bool asked = j->wanted;
    j->hurry = j->wanted = true;
    j->calls_wanted |= calls;
    if (!asked && !j->judging)
        timer_at(&j->feed, clock_now());
}

bool judged_is_coming(const struct judged *j, int64_t since, bool calls)
{
    const struct judging *w = j->judging;
    return w && w->found.as_of >= since && w->calls >= calls;
}

void judged_catch_up(struct judged *j)
{
    if (!j->verdict)
        return;
    if (j->judging) {
        worker_join(j->judging->worker);
        take_back(j->judging);
        j->wanted |= j->over != NULL; /* who waits for the end is still to be told */
    }
    while (feed_some(j, TIME_NONE))
        ;
    verdict_now(j->verdict, ledger_age(j->cursor.ledger, clock_now()));
}

void judged_now(struct judged *j, bool calls)
{
    judged_catch_up(j);
    struct judged_found as = { .as_of = clock_now(), .seq = j->cursor.since };
    work_here(j, &as, calls);
}

/* --- The end */

static void drop_verdict(struct judged *j)
{
    timer_cancel(&j->feed);
    ledger_watch_remove(&j->watch);
    if (j->judging)
        j->judging->judged = NULL;
    else
        verdict_destroy(j->verdict);
    j->judging = NULL;
    j->verdict = NULL;
}

void judged_end(struct judged *j, struct tally *tally)
{
    if (!j->verdict)
        return;
    tally_verdict(tally, j->found.outcome, j->found.tally);
    drop_verdict(j);
}

void judged_free(struct judged *j)
{
    drop_verdict(j);
    found_free(&j->found);
    *j = (struct judged){ .verdict = NULL };
}
