/* report.h - verdicts for people and for machines that run tests: text, Markdown, JUnit XML, HTML,
 * annotations.
 *
 * All of it is made from verdicts' documents alone (verdict_json, docs/verdict.md). Texts in these
 * come from clients and files: whatever they hold, a report is UTF-8, shows a control character as
 * "\x1b" or "\u202e", and has no markup but its own.
 *
 * A row never looks better than the worst that its document says: a pass that is not final, a check
 * or an outcome that is not known, an empty document count as inconclusive.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "verdict/verdict.h"

/* One run that was judged, or could not be. */
struct report_row {
    const char *name;       /* of a suite's row, or a round; NULL: the document's run */
    const json_t *document; /* NULL: there is none */
    const char *error;      /* why there is none, or why COMMAND ended badly; NULL: nothing */
    unsigned before;        /* rounds of it that were inconclusive, and are not in the report */
};

struct report {
    const char *title; /* of all; NULL: "hangup" */
    const struct report_row *rows;
    size_t count;
    const char *at;          /* when, as "2026-11-30T04:45:07" (UTC); NULL: not said */
    bool colour;             /* of text, by ANSI escapes */
    bool allow_inconclusive; /* of JUnit: an inconclusive check is skipped, not an error */
};

/* A row with an error is inconclusive at best. Without rows: inconclusive. */
enum outcome report_row_outcome(const struct report_row *row);
/* The worst of all: fail, inconclusive, pass. Never n/a. */
enum outcome report_outcome(const struct report *r);

/* Each appends a whole report to out, whose failed is set when memory ran out. */
void report_text(const struct report *r, struct buf *out);
void report_markdown(const struct report *r, struct buf *out);
/* A testsuite a row, a testcase a check and one "verdict": an inconclusive one is an <error>, what
 * is not applicable is <skipped>. */
void report_junit(const struct report *r, struct buf *out);
/* One file that needs no other, and no script. */
void report_html(const struct report *r, struct buf *out);

/* For the log of a job of GitHub's: a workflow command a row that is not proved, each a line. */
void report_annotations(const struct report *r, struct buf *out);

/* Appends a text of len octets from outside as one line that a terminal takes for text alone. */
void report_plain(struct buf *out, const char *text, size_t len);
