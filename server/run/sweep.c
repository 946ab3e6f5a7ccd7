/* sweep.c - what was set for all live connections reaches them a slice at a time, so that no fault
 * has to wait for thousands of others.
 *
 * Nobody can tell it from doing it at once: a connection that the sweep has not come to gets what
 * was set before anything else happens on it (session_catch_up), and whoever set it is told when
 * the sweep is over. Only what a reset or "normal" ends, and the ledger that it empties, is ended
 * and emptied in the order of the sweep.
 */
#include "run/run_parts.h"

#define AT_LEAST 16 /* connections in a slice, however long they take */

int64_t sweep_slice = CLOCK_SLICE;

static void end_sweep(struct run *run)
{
    struct sweep *sweep = &run->sweep;
    run_cursor_close(&sweep->cursor);
    sweep->on = false;
    if (sweep->reset) {
        attempts_clear(run->shared.attempts);
        ledger_clear(run->shared.ledger);
    }
    while (!link_empty(&sweep->waiting)) {
        struct run_waiter *w = link_entry(sweep->waiting.next, struct run_waiter, link);
        link_remove(&w->link);
        w->settled(w);
    }
}

/* Until the timer has come, and at least some. Returns whether that was all. */
static bool sweep_some(struct run *run, int64_t until)
{
    struct sweep *sweep = &run->sweep;
    struct session *s;
    for (unsigned n = 0; (s = run_cursor_next(&sweep->cursor)); n++) {
        session_catch_up(s);
        if (sweep->end_faults)
            session_end_faults(s, sweep->reset ? BY_RESET : BY_MODE);
        if (n + 1 >= AT_LEAST && clock_now() >= until)
            return false;
    }
    return true;
}

static void slice_due(struct timer *m, int64_t late)
{
    struct run *run = link_entry(m, struct run, sweep.timer);
    if (sweep_some(run, clock_now() + sweep_slice))
        end_sweep(run);
    else
        timer_at(m, clock_now());
}

void sweep_init(struct run *run)
{
    link_init(&run->sweep.waiting);
    run->sweep.timer.reached = slice_due;
}

void sweep_begin(struct run *run, bool reset, bool end_faults)
{
    run_settle(run);
    run->sweep.on = true;
    run->sweep.reset = reset;
    run->sweep.end_faults = end_faults;
    run_cursor_open(run, &run->sweep.cursor);
    slice_due(&run->sweep.timer, 0);
}

void run_settle(struct run *run)
{
    if (!run->sweep.on)
        return;
    timer_cancel(&run->sweep.timer);
    sweep_some(run, TIME_NONE);
    end_sweep(run);
}

void sweep_drop(struct run *run)
{
    timer_cancel(&run->sweep.timer);
    if (run->sweep.on)
        run_cursor_close(&run->sweep.cursor);
    run->sweep.on = false;
}

bool run_is_settled(const struct run *run)
{
    return !run->sweep.on;
}

void run_await_settled(struct run *run, struct run_waiter *waiter)
{
    link_append(&run->sweep.waiting, &waiter->link);
}
