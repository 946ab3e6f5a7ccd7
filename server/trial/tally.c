#include "trial/tally.h"

#include <string.h>

const char *const tally_states[TALLY_STATES] = { "open",     "bitten",   "answered",  "recovered",
                                                 "doubtful", "given_up", "undecided", "unknown" };

static void committed(struct ledger_watch *watch, const struct ledger_record *r)
{
    struct tally *tally = link_entry(watch, struct tally_watch, watch)->tally;
    if (r->event == EV_FAULT) {
        int64_t step = ledger_number(r, F_STEP, 0);
        tally->faults[step >= 0 && step < STEP_COUNT ? step : 0]++;
    } else if (r->event == EV_EXCHANGE_LOST) {
        int64_t by = ledger_number(r, F_LOST_BY, 0);
        tally->lost[by >= 0 && by < TALLY_WORDS ? by : 0]++;
    }
}

void tally_begin(struct tally_watch *w, struct tally *tally, struct ledger *ledger)
{
    w->tally = tally;
    w->watch.committed = committed;
    w->watch.only = UINT64_C(1) << EV_FAULT | UINT64_C(1) << EV_EXCHANGE_LOST;
    ledger_count_into(ledger, tally->events);
    ledger_watch_add(ledger, &w->watch);
}

void tally_end(struct tally_watch *w)
{
    if (w->watch.ledger)
        ledger_count_into(w->watch.ledger, NULL);
    ledger_watch_remove(&w->watch);
}

void tally_verdict(struct tally *tally, enum outcome outcome, const uint64_t *calls)
{
    tally->verdicts[outcome]++;
    for (size_t k = 0; k < TALLY_STATES; k++)
        tally->calls[k] += calls[k];
}

void tally_calls(const json_t *calls, uint64_t *out)
{
    size_t i;
    json_t *call;
    json_array_foreach(json_object_get(calls, "calls"), i, call)
    {
        const char *state = json_string_value(json_object_get(call, "state"));
        for (size_t k = 0; state && k < TALLY_STATES; k++)
            out[k] += strcmp(state, tally_states[k]) == 0;
    }
}
