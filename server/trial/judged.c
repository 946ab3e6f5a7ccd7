#include "trial/judged.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"

#define GATHER  (5 * NS_PER_MS) /* nobody looks sooner than when asked */
#define AT_ONCE 256             /* events that take no time to speak of */
#define STEP    16              /* records between two looks at the time */

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

/* Until it has caught up nobody need tell that there is more. */
static void feed_due(struct timer *m, int64_t late)
{
    struct judged *j = link_entry(m, struct judged, feed);
    void (*fed)(struct judged * j) = j->fed;
    if (feed_some(j, clock_now() + CLOCK_SLICE)) {
        timer_at(m, clock_now() + (j->hurry ? 0 : GATHER));
        return;
    }
    if (!j->watch.ledger)
        ledger_watch_add(j->ledger, &j->watch);
    j->hurry = false;
    j->fed = NULL;
    if (fed)
        fed(j);
}

void judged_hurry(struct judged *j)
{
    if (!j->verdict)
        return;
    j->hurry = true;
    timer_at(&j->feed, clock_now());
}

static void committed(struct ledger_watch *watch, const struct ledger_record *record)
{
    struct judged *j = link_entry(watch, struct judged, watch);
    ledger_watch_remove(watch);
    if (!timer_armed(&j->feed))
        timer_at(&j->feed, clock_now() + GATHER);
}

int judged_begin(struct judged *j, struct ledger *ledger)
{
    static const struct verdict_config config = { VERDICT_KEPT, VERDICT_KEPT, VERDICT_KEPT };
    if (j->verdict)
        return 0;
    j->verdict = verdict_create(&config);
    if (!j->verdict)
        return -ENOMEM;
    j->ledger = ledger;
    j->cursor = (struct ledger_cursor){ .ledger = ledger };
    j->feed.reached = feed_due;
    j->watch.committed = committed;
    timer_at(&j->feed, clock_now());
    return 0;
}

bool judged_is_fed(const struct judged *j)
{
    return !j->verdict || j->cursor.since + AT_ONCE >= ledger_last(j->cursor.ledger);
}

void judged_catch_up(struct judged *j)
{
    if (!j->verdict)
        return;
    while (feed_some(j, TIME_NONE))
        ;
    verdict_now(j->verdict, ledger_age(j->cursor.ledger, clock_now()));
}

static void keep(struct buf *out, json_t *value)
{
    if (json_write(out, value))
        buf_free(out);
    json_decref(value);
}

void judged_end(struct judged *j, struct tally *tally)
{
    if (!j->verdict)
        return;
    judged_catch_up(j);
    j->outcome = verdict_outcome(j->verdict, &j->final);
    keep(&j->document, verdict_json(j->verdict));
    json_t *calls = verdict_calls(j->verdict);
    tally_verdict(tally, j->outcome, calls);
    keep(&j->calls, calls);
    timer_cancel(&j->feed);
    ledger_watch_remove(&j->watch);
    verdict_destroy(j->verdict);
    j->verdict = NULL;
}

void judged_free(struct judged *j)
{
    timer_cancel(&j->feed);
    ledger_watch_remove(&j->watch);
    verdict_destroy(j->verdict);
    buf_free(&j->document);
    buf_free(&j->calls);
    *j = (struct judged){ .verdict = NULL };
}
