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
    unsigned round; /* from 0; what is said and written counts from 1 */
    int status;
    json_t *verdict; /* the document; NULL: it came to none */
    json_t *calls;   /* of an audit */
    char error[640]; /* why it did not, or how COMMAND ended badly; "": nothing */
    struct command_result command;
    bool made;         /* there was a run, which has a ledger */
    bool inconclusive; /* whatever --allow-inconclusive makes of it */
    bool superseded;   /* another round came after it, because it was inconclusive */
    char *ledger;      /* the file that it was written to; NULL: none */
};

struct prove_results {
    struct prove_result *list;
    size_t count;
    bool many;       /* rows or rounds */
    unsigned rounds; /* of each row, at most */
    bool until;      /* another one only if it is inconclusive */
    size_t rows;     /* that are to be tried */
    bool audit;      /* nothing is expected */
    bool unwritten;  /* a file could not be written, which was said */
    int signal;      /* that has ended it; 0: none */
};

/* Takes r's verdict over, also when there is no memory. Returns 0 or -ENOMEM. */
int prove_results_add(struct prove_results *results, struct prove_result *r);
/* The exit status of all: 128 and the signal, or the first that applies of 2, 124, 1, 4, 3, 0,
 * where of rounds of one row those that are superseded do not count, and the inconclusive ones when
 * they are fewer than half and one has passed. */
int prove_results_status(const struct prove_results *results);
void prove_results_free(struct prove_results *results);

/* Are the files that the options name to be written to? Returns 0 or BAD_INPUT. */
int prove_report_check(const struct prove_options *o, struct refusal *why);
/* Says on stdout what came of one, unless that is for --json. Returns 0 or -errno. */
int prove_report_row(const struct prove_results *results, size_t i, const struct prove_options *o);
/* "close-on-reuse over h1, round 2". */
#define PROVE_NAME_SIZE 256
void prove_report_name(const struct prove_results *results, size_t i, char out[PROVE_NAME_SIZE]);
/* Writes the reports' files, and what is said at the end. A file that cannot be written is said,
 * and noted in results. Returns 0 or -errno. */
int prove_report_all(struct prove_results *results, const struct prove_options *o,
                     const char *command);
