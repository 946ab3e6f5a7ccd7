/* audit.h - what a client did in each situation, and what it is: `hangup audit`. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"
#include "cli/prove_report.h"

/* What an audit asks of a run: every check that needs no parameter; a new reference. NULL without
 * memory. */
json_t *audit_expect(void);

/* How a row ended for the client's user; a worse one comes later. */
enum audit_outcome {
    AUDIT_NOT_EXERCISED,
    AUDIT_AVOIDED,
    AUDIT_RECOVERED,
    AUDIT_UNCLEAR,
    AUDIT_NO_ANSWER,
    AUDIT_FAILED,
};

struct audit_row {
    enum audit_outcome outcome;
    bool twice, storm, stale; /* executed twice; a storm of attempts; a request sent too late */
    unsigned retries;         /* the most of a call */
    double wait_ms;           /* the longest of a call that was answered; -1: none was measured */
    unsigned connections;
};

/* Out of the documents. Without them: unclear. */
struct audit_row audit_read(const struct prove_result *r);
const char *audit_outcome_word(enum audit_outcome outcome);

/* Appends a row's line, and the summary of all, one fact a line. */
void audit_row_text(const struct prove_result *r, const char *name, bool colour, struct buf *out);
void audit_summary(const struct prove_results *results, struct buf *out);
/* The same as JSON; new references, NULL without memory. */
json_t *audit_row_json(const struct prove_result *r);
json_t *audit_summary_json(const struct prove_results *results);
