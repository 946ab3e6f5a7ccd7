#include "run/pauses.h"

#include <stddef.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/timer.h"
#include "ledger/overdue.h"

static void look(struct timer *m, int64_t late);

static struct {
    struct timer timer;
    int64_t ran;   /* when the loop last did; TIME_NONE: not yet, and the start is no pause */
    int64_t slept; /* clock_slept() by then */
    int64_t total;
    void (*tell)(void *owner, const struct pause_seen *pause);
    void *owner;
} pauses = { .timer.reached = look };

/* Something is ledgered before the timer is reached. */
static void is_late(void *owner)
{
    int64_t due = pauses.timer.due;
    timer_cancel(&pauses.timer);
    look(&pauses.timer, clock_now() - due);
}

static void look(struct timer *m, int64_t late)
{
    int64_t now = clock_now(), slept = clock_slept();
    struct pause_seen pause = { .from = pauses.ran, .to = now, .late = late };
    if (slept - pauses.slept > LIMIT_PAUSED)
        pause.slept = slept - pauses.slept;
    ledger_overdue_at(TIME_NONE, NULL, NULL);
    if (pauses.ran != TIME_NONE && (late > LIMIT_PAUSED || pause.slept)) {
        pauses.total += pause.late + pause.slept;
        pauses.tell(pauses.owner, &pause);
    }
    pauses.ran = now;
    pauses.slept = slept;
    timer_at(m, now + PAUSE_LOOK);
    ledger_overdue_at(now + PAUSE_LOOK + LIMIT_PAUSED + 1, is_late, NULL);
}

void pauses_watch(void (*tell)(void *owner, const struct pause_seen *pause), void *owner)
{
    pauses.tell = tell;
    pauses.owner = owner;
    pauses.ran = TIME_NONE;
    pauses.slept = clock_slept();
    timer_at(&pauses.timer, clock_now()); /* as soon as the loop runs */
}

void pauses_stop(void)
{
    ledger_overdue_at(TIME_NONE, NULL, NULL);
    timer_cancel(&pauses.timer);
}

int64_t pauses_total(void)
{
    return pauses.total;
}
