/* judged.h - the verdict of a run, fed from its ledger a little in each turn of the loop, so that
 * nothing else is late because of it; and what is kept of it when the run is over.
 *
 * To work it out takes much longer than a turn may: a thread does that, which alone has the verdict
 * meanwhile. It is given back with what was found: the outcome, the document, the calls.
 */
#pragma once

#include <jansson.h>

#include "base/buf.h"
#include "base/timer.h"
#include "ledger/ledger.h"
#include "trial/tally.h"
#include "verdict/verdict.h"

struct uv_loop_s;
struct judging;

/* What was found when it was worked out last. */
struct judged_found {
    int64_t as_of; /* of clock_now(): all that had happened by then is in it; 0: nothing was */
    uint64_t seq;  /* the last event that is in it */
    int64_t took;  /* ns */
    int64_t next;  /* as verdict_next */
    struct buf document, calls;   /* JSON; calls are empty unless they were wanted */
    uint64_t tally[TALLY_STATES]; /* of calls */
    enum outcome outcome;
    bool final, with_calls;
};

struct judged {
    struct verdict *verdict; /* NULL: it is not needed yet; or the run is over */
    struct judging *judging; /* the thread that has it; NULL: none */
    struct uv_loop_s *loop;
    struct ledger *ledger;
    struct ledger_cursor cursor;
    struct ledger_watch watch; /* while it has caught up */
    struct timer feed;
    bool hurry;                     /* somebody waits for it */
    bool wanted, calls_wanted;      /* to be worked out, once it has caught up */
    void (*over)(struct judged *j); /* called once all that is wanted was; NULL: nobody */
    struct judged_found found;
};

/* Begins to feed it, from what the ledger holds; again: no harm. Returns 0 or -ENOMEM. */
int judged_begin(struct judged *j, struct uv_loop_s *loop, struct ledger *ledger);
/* Wants it to be worked out with all that has happened by now, and its calls too. */
void judged_ask(struct judged *j, bool calls);
/* Whether a thread is at it that knows all that had happened at this time. */
bool judged_is_coming(const struct judged *j, int64_t since, bool calls);
/* It is needed at once, whatever that costs: fed with the rest, and knows what time it is. */
void judged_catch_up(struct judged *j);
/* Works it out at once, of all that has happened. */
void judged_now(struct judged *j, bool calls);
/* The run is over: what was found last is kept, and the verdict goes. */
void judged_end(struct judged *j, struct tally *tally);
/* A thread that is at it is waited for by the loop. */
void judged_free(struct judged *j);
