/* prove_report.h - what came of the rows: exit statuses, and what is said and written of them. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "cli/prove_command.h"
#include "cli/prove_rows.h"

/* Exit statuses, beside EXIT_USAGE. */
#define PROVE_PROVED         0
#define PROVE_NOT_PROVED     1
#define PROVE_INCONCLUSIVE   3
#define PROVE_COMMAND_FAILED 4
#define PROVE_TIMED_OUT      124

struct prove_result {
    const struct prove_row *row;
    unsigned round; /* from 0 */
    int status;
    json_t *verdict; /* the document; NULL: it came to none */
    json_t *calls;   /* of an audit */
    char error[640]; /* why it did not, or how COMMAND ended badly; "": nothing */
    struct command_result command;
};

struct prove_results {
    struct prove_result *list;
    size_t count;
    bool many;       /* rows or rounds */
    unsigned rounds; /* of each row */
    bool audit;      /* nothing is expected */
};

/* Takes r's verdict over, also when there is no memory. Returns 0 or -ENOMEM. */
int prove_results_add(struct prove_results *results, struct prove_result *r);
/* The exit status of all: the first that applies of 2, 124, 1, 4, 3, 0, where of rounds of one row
 * the inconclusive ones do not count when they are fewer than half and one has passed. */
int prove_results_status(const struct prove_results *results);
void prove_results_free(struct prove_results *results);

/* Are the files that the options name to be written to? Returns 0 or BAD_INPUT. */
int prove_report_check(const struct prove_options *o, struct refusal *why);
/* Says on stdout what came of one, unless that is for --json. Returns 0 or -errno. */
int prove_report_row(const struct prove_results *results, size_t i, const struct prove_options *o);
/* Writes the ledger of the i-th one to --ledger: FILE, FILE.2, FILE.3 ... Returns 0, BAD_INPUT or
 * -errno. */
int prove_report_ledger(struct place *place, size_t i, const struct prove_options *o,
                        struct refusal *why);
/* Writes the other files, and what is said at the end. Returns 0, BAD_INPUT or -errno. */
int prove_report_all(const struct prove_results *results, const struct prove_options *o,
                     struct refusal *why);
