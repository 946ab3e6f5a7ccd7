/* suites.h - suites: lists of tests of a client, each a mode, a plan or a case with the steps that
 * a driver performs and what is expected of the client. Compiled into the binary from
 * modes/suites/NAME.json; a tester's own is a file of the same form:
 *
 *     {"name": NAME, "summary": TEXT, "suites": [NAME...],
 *      "rows": [{"name": NAME, "mode": NAME, "params": {...} | "plan": [...] | "case": NAME,
 *                "over": "h1"|"h2"|"both", "steps": "get get pause get", "expect": [...],
 *                "time_scale": 0.1}]}
 *
 * Of a suite, name is required, and rows or suites; of a row name, one of mode, plan and case, and
 * steps, which a case has of its own.
 *
 * What is handed out is made whole: the rows of the suites that it names stand before its own, each
 * called "SUITE/ROW"; a row of a case has the case's steps and over where it has none of its own;
 * and "expect" is that of the row, else the case's, else the mode's, else left out: then what the
 * user feels is expected.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>

#include "mode/catalogue.h"

#define SUITES_ROWS_MAX 512

size_t suites_count(void);
/* The name of the i-th of them, by name; and its file. New reference; NULL without memory. */
const char *suites_name(size_t i);
json_t *suites_at(size_t i);

/* The suite of this name, whole. *out is a new reference. Returns 0, MODE_UNKNOWN (where is
 * "$.suite", allowed lists the names) or -ENOMEM. */
int suites_get(const struct catalogue *c, const char *name, json_t **out, struct refusal *why);

/* The same of a document that the tester gives. file: put before each place; NULL: nothing is. A
 * mode that this machine cannot do is none of its mistakes. Returns 0, BAD_INPUT or -ENOMEM. */
int suites_read(const struct catalogue *c, const json_t *json, const char *file, json_t **out,
                struct refusal *why);
