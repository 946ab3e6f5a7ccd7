/* prove_ledger.h - the files that `hangup prove` writes ledgers to: --ledger, --ledger-dir and
 * --keep-ledger-on-fail. */
#pragma once

#include "cli/prove_place.h"
#include "cli/prove_report.h"

/* Can files be made in the folder that the options name? Returns 0 or BAD_INPUT. */
int prove_ledger_check(const struct prove_options *o, struct refusal *why);

/* Writes that of the i-th result, whose run is the place's, to all that the options ask for; says
 * where it is kept. Returns 0, BAD_INPUT or -errno. */
int prove_ledger_write(struct place *place, struct prove_results *results, size_t i,
                       const struct prove_options *o, struct refusal *why);
