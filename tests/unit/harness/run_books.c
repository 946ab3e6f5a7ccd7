#include "run_books.h"

static const char *const stages[STAGES] = {
    "request", "request_complete", "processed", "response_start", "response_end", "exchange_lost",
};

static bool may_come(const struct course *c, enum stage stage)
{
    static const enum stage needed[] = { [COMPLETE_TOLD] = REQUEST_TOLD,
                                         [PROCESSED] = COMPLETE_TOLD,
                                         [STARTED] = REQUEST_TOLD,
                                         [ENDED] = STARTED };
    if (c->has[stage] || c->has[ENDED])
        return false;
    if (c->has[LOST]) /* the rest of a request that was struck */
        return stage == COMPLETE_TOLD && c->has[REQUEST_TOLD] && c->lost_at_headers;
    for (enum stage later = stage + 1; later < LOST; later++)
        if (stage != LOST && c->has[later])
            return false;
    return stage == REQUEST_TOLD || stage == LOST || c->has[needed[stage]];
}

void read_books(const struct peer *p, const char *what, struct course courses[EXCHANGES_MAX])
{
    json_t *events = events_since(p->since), *event;
    size_t i;
    json_array_foreach(events, i, event)
    {
        const char *name = json_string_value(json_object_get(event, "event"));
        json_int_t nth = json_integer_value(json_object_get(event, "exchange"));
        enum stage stage = REQUEST_TOLD;
        while (stage < STAGES && strcmp(name, stages[stage]) != 0)
            stage++;
        if (stage == STAGES || nth == 0)
            continue;
        assert_in_range(nth, 1, EXCHANGES_MAX - 1);
        struct course *c = &courses[nth];
        if (!may_come(c, stage)) {
            json_t *each;
            size_t k;
            json_array_foreach(events, k, each) /* fail_msg() has no room for them */
            {
                json_dumpf(each, stderr, JSON_COMPACT);
                fputc('\n', stderr);
            }
            fail_msg("%s: %s of exchange %d", what, name, (int)nth);
        }
        c->has[stage] = true;
        c->lost_at_headers |=
            stage == LOST &&
            strcmp(json_string_value(json_object_get(event, "reached")), "headers") == 0;
    }
    json_decref(events);
}

/* The connection is over: of each fault on it the ledger has said once whether it took effect. */
static void check_faults(const struct peer *p, const char *what)
{
    json_t *events = events_since(p->since), *event;
    size_t i, k;
    json_array_foreach(events, i, event)
    {
        json_t *other;
        json_int_t seq = json_integer_value(json_object_get(event, "seq"));
        size_t told = 0, more = 0;
        if (strcmp(json_string_value(json_object_get(event, "event")), "fault") != 0)
            continue;
        json_array_foreach(events, k, other)
        {
            if (strcmp(json_string_value(json_object_get(other, "event")), "fault_done") != 0 ||
                json_integer_value(json_object_get(other, "fault")) != seq)
                continue;
            if (json_object_get(other, "in_effect"))
                told++;
            else
                more++;
        }
        if (told != 1 || more > 1)
            fail_msg("%s: of the fault %s (%lld) it is told %zu times whether it took effect, and "
                     "%zu times how it ended",
                     what, json_string_value(json_object_get(event, "step")), (long long)seq, told,
                     more);
    }
    json_decref(events);
}

void check_books(const struct peer *p, const char *what)
{
    struct course courses[EXCHANGES_MAX] = { 0 };
    read_books(p, what, courses);
    for (size_t nth = 1; nth < EXCHANGES_MAX; nth++)
        if (courses[nth].has[REQUEST_TOLD] && !courses[nth].has[ENDED] && !courses[nth].has[LOST])
            fail_msg("%s: exchange %zu has not ended", what, nth);
    check_faults(p, what);
}
