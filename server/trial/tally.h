/* tally.h - counts over all runs of a server, kept by watching their ledgers, and of runs that have
 * ended what their verdicts said. Nothing of it goes down. */
#pragma once

#include <jansson.h>

#include "ledger/ledger.h"
#include "verdict/verdict.h"

#define TALLY_WORDS  32 /* at most */
#define TALLY_STATES 8  /* of calls */

struct tally {
    uint64_t events[EV_COUNT];
    uint64_t faults[STEP_COUNT];
    uint64_t lost[TALLY_WORDS];
    uint64_t dropped;                    /* events, by ledgers that are gone */
    uint64_t verdicts[OUTCOME_FAIL + 1]; /* of runs that have ended */
    uint64_t calls[TALLY_STATES];        /* likewise, by tally_states */
};
extern const char *const tally_states[TALLY_STATES];

/* Counts what the ledger is told from now on. */
struct tally_watch {
    struct ledger_watch watch;
    struct tally *tally;
};
void tally_begin(struct tally_watch *w, struct tally *tally, struct ledger *ledger);
void tally_end(struct tally_watch *w); /* again, or before tally_begin: no harm */
/* Adds calls, as verdict_calls gives them, to TALLY_STATES numbers. */
void tally_calls(const json_t *calls, uint64_t *out);
/* A run has ended with this; calls: these numbers. */
void tally_verdict(struct tally *tally, enum outcome outcome, const uint64_t *calls);
