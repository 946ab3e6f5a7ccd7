/* judged.h - the verdict of a run, fed from its ledger a little in each turn of the loop, so that
 * nothing else is late because of it; and what is kept of it when the run is over. */
#pragma once

#include <jansson.h>

#include "base/buf.h"
#include "base/timer.h"
#include "ledger/ledger.h"
#include "trial/tally.h"
#include "verdict/verdict.h"

struct judged {
    struct verdict *verdict; /* NULL: it is not needed yet; or the run is over */
    struct ledger *ledger;
    struct ledger_cursor cursor;
    struct ledger_watch watch; /* while it has caught up */
    struct timer feed;
    bool hurry;                    /* somebody waits for it */
    void (*fed)(struct judged *j); /* called once it has caught up in a hurry; NULL: nobody */
    struct buf document, calls;    /* once it is over */
    enum outcome outcome;          /* likewise */
    bool final;
};

/* Begins to feed it, from what the ledger holds; again: no harm. Returns 0 or -ENOMEM. */
int judged_begin(struct judged *j, struct ledger *ledger);
/* Whether it has been fed all that the ledger has, or nearly: catching up takes no time to speak
 * of.
 */
bool judged_is_fed(const struct judged *j);
/* From now on as fast as slices allow, until it has caught up: else it takes a twentieth of the
 * time at most, and a server under load falls behind with it, not with its clients. */
void judged_hurry(struct judged *j);
/* Feeds it the rest at once, and lets it know what time it is. */
void judged_catch_up(struct judged *j);
/* The run is over, and its ledger has all: what is asked for later is kept, and the verdict goes.
 */
void judged_end(struct judged *j, struct tally *tally);
void judged_free(struct judged *j);
