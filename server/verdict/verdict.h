/* verdict.h - whether a client does what is expected of it, by what the ledger of its run says.
 *
 * A verdict is fed the records of a run's ledger, live or out of a file, and can be asked at any
 * time. All that it is about is in the records: expectations, circumstances, phases, the command,
 * the client's own account. So a saved ledger judges itself to the same document.
 *
 * It is pure and bounded: it knows no run and no clock, and keeps at most so many attempts,
 * connections and faults of each phase; what it had to forget makes what depends on it
 * inconclusive. The rules are those of docs/verdict.md.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ledger/ledger.h"

struct verdict;

struct verdict_config {
    size_t attempts, connections, faults; /* how many are kept of each phase, at least 1 */
};

/* How many of each a run keeps, and so the ledger of one: a test has far fewer, and what is judged
 * takes a thread some 20 ms, of a storm 100. */
#define VERDICT_KEPT 2048

/* The rules that it judges by. A change of what passes or fails is a new number. */
#define VERDICT_RULES 1

enum outcome { OUTCOME_NA, OUTCOME_PASS, OUTCOME_INCONCLUSIVE, OUTCOME_FAIL };

/* NULL without memory. */
struct verdict *verdict_create(const struct verdict_config *config);
void verdict_destroy(struct verdict *v);

/* The next record of the ledger; what its seq says to be missing before it is a gap. */
void verdict_feed(struct verdict *v, const struct ledger_record *record);
/* The events first to last are missing. */
void verdict_gap(struct verdict *v, uint64_t first, uint64_t last);
/* It is so late now, though nothing happened (an age of the ledger). */
void verdict_now(struct verdict *v, int64_t age);

/* Worked out if something came since. *final (NULL is fine): nothing that can still happen changes
 * it. Without memory: inconclusive, not final. */
enum outcome verdict_outcome(struct verdict *v, bool *final);
/* The age at which the result may change though nothing happens; -1: none. */
int64_t verdict_next(struct verdict *v);

/* The document (docs/verdict.md), and the calls with their attempts and how each was joined: new
 * references, NULL without memory. */
json_t *verdict_json(struct verdict *v);
json_t *verdict_calls(struct verdict *v);
