/* prove_rows.h - what `hangup prove` is to try, one row after the other. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/refusal.h"
#include "cli/prove_options.h"

struct prove_row {
    char name[200];
    const char *over; /* "h1", "h2"; NULL: as the client likes */
    json_t *spec;     /* the body of POST /v1/runs, without seed and control */
    char *steps;
};

struct prove_rows {
    struct prove_row *list;
    size_t count;
};

/* Makes them of the options. What a server elsewhere has of modes and cases is its own. Returns 0,
 * BAD_INPUT, MODE_UNKNOWN or -ENOMEM; nothing is left then. */
int prove_rows_read(const struct prove_options *o, struct prove_rows *out, struct refusal *why);
void prove_rows_free(struct prove_rows *rows);
