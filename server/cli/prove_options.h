/* prove_options.h - what `hangup prove` and `hangup audit` can be told. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/refusal.h"
#include "cli/option.h"

struct prove_options {
    const char *what;                         /* CASE */
    const char *mode, *plan, *suite;          /* at most one of the four */
    struct option_texts expect;               /* 'NAME;k=v' */
    const char *over;                         /* "h1", "h2", "both"; NULL: not said */
    bool no_control, no_trust, json, lenient; /* lenient: --allow-inconclusive */
    const char *without;                      /* for sh -c; NULL: none */
    double time_scale;                        /* 0: not said */
    unsigned repeat, until; /* until: conclusive, that many times at most; 0: not said */
    struct option_number seed;
    int64_t timeout, settle; /* ns; settle 0: not said */
    const char *server;      /* a URL; NULL: inside this process */
    const char *listen, *ports, *advertise;
    const char *junit, *html, *markdown, *ledger; /* files */
    const char *ledger_dir;                       /* NULL: none */
    bool keep_ledger;                             /* of what is not proved only */
    const char *annotations;                      /* "github", "none"; NULL: as the environment */
    const char *state_dir, *modes_dir, *stubs_dir;
    struct option_texts key_headers;
    bool relayed, list;
    const char *explain;
    char *const *command; /* ended by NULL; NULL: none */
};

/* Reads the arguments behind the command's name. Texts point into argv. Returns 0 or BAD_INPUT. */
int prove_options_read(const char *name, int argc, char **argv, struct prove_options *out,
                       struct refusal *why);

/* One line an option, of prove or of audit. */
void prove_options_help(FILE *to);
void prove_options_audit_help(FILE *to);
