/* control.c - the requests of a control run by what they ask, sorted, so that each kind of request
 * is one range. */
#include "verdict/control.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"

#define REACH_ALONE    (250 * NS_PER_MS) /* without a control */
#define RHYTHM_GAPS    3
#define RHYTHM_PERCENT 20

struct asked {
    uint64_t what;
    int64_t at, answered; /* answered: when its answer had gone out; NEVER */
};

struct control {
    struct asked *asked; /* by what, then by time */
    size_t count;
    int64_t reuse_gap, longest_reuse;
};

static uint64_t what_of(const struct attempt *a)
{
    const uint64_t parts[] = { a->method.hash, a->asked, a->digest.hash };
    return hash_more(HASH_START, parts, sizeof parts);
}

static int by_what(const void *x, const void *y)
{
    const struct asked *a = x, *b = y;
    if (a->what != b->what)
        return a->what < b->what ? -1 : 1;
    return (a->at > b->at) - (a->at < b->at);
}

static void find_reuses(struct control *control, const struct history *h)
{
    const struct attempt *a;
    control->reuse_gap = control->longest_reuse = NEVER;
    for (size_t i = 0; (a = history_attempt(h, i)); i++) {
        if (a->reused != TRI_YES || a->idle_before == NEVER || a->unknown)
            continue;
        if (control->reuse_gap == NEVER || a->idle_before < control->reuse_gap)
            control->reuse_gap = a->idle_before;
        if (a->idle_before > control->longest_reuse)
            control->longest_reuse = a->idle_before;
    }
}

struct control *control_create(const struct history *h)
{
    size_t count = history_attempts(h);
    struct control *control = calloc(1, sizeof *control);
    if (!control || !(control->asked = calloc(count + 1, sizeof *control->asked))) {
        control_destroy(control);
        return NULL;
    }
    const struct attempt *a;
    for (size_t i = 0; (a = history_attempt(h, i)); i++)
        control->asked[control->count++] = (struct asked){
            .what = what_of(a), .at = a->first_byte.from, .answered = a->reached[PROGRESS_HANDED]
        };
    qsort(control->asked, control->count, sizeof *control->asked, by_what);
    find_reuses(control, h);
    return control;
}

void control_destroy(struct control *control)
{
    if (control)
        free(control->asked);
    free(control);
}

/* The first of this kind, or where it would be. */
static size_t find(const struct control *control, uint64_t what)
{
    size_t low = 0, high = control->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (control->asked[middle].what < what)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct habit control_habit(const struct control *control, const struct attempt *like)
{
    struct habit habit = { .smallest_gap = NEVER, .rhythm = NEVER };
    uint64_t what = what_of(like);
    size_t first = find(control, what), at = first;
    int64_t widest = 0;
    for (; at < control->count && control->asked[at].what == what; at++) {
        if (habit.count++ == 0)
            continue;
        int64_t gap = control->asked[at].at - control->asked[at - 1].at;
        widest = gap > widest ? gap : widest;
        if (habit.smallest_gap == NEVER || gap < habit.smallest_gap)
            habit.smallest_gap = gap;
    }
    if (habit.count <= RHYTHM_GAPS)
        return habit;
    int64_t mean = (control->asked[at - 1].at - control->asked[first].at) / (habit.count - 1);
    int64_t slack = mean / 100 * RHYTHM_PERCENT;
    if (habit.smallest_gap >= mean - slack && widest <= mean + slack)
        habit.rhythm = mean;
    return habit;
}

int64_t control_pause(const struct control *control, const struct attempt *like)
{
    uint64_t what = what_of(like);
    int64_t pause = NEVER;
    for (size_t at = find(control, what) + 1;
         at < control->count && control->asked[at].what == what; at++) {
        const struct asked *before = &control->asked[at - 1];
        int64_t gap = control->asked[at].at - before->answered;
        if (before->answered != NEVER && before->what == what && gap >= 0 &&
            (pause == NEVER || gap < pause))
            pause = gap;
    }
    return pause;
}

int64_t control_reach(const struct control *control, const struct attempt *like, int64_t within)
{
    struct habit habit = { 0 };
    if (control)
        habit = control_habit(control, like);
    if (habit.count == 0)
        return REACH_ALONE;
    return habit.count == 1 ? within : habit.smallest_gap / 2;
}

int64_t control_reuse_gap(const struct control *control)
{
    return control->reuse_gap;
}

int64_t control_longest_reuse(const struct control *control)
{
    return control->longest_reuse;
}
