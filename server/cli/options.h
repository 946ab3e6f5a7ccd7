/* options.h - what `hangup serve` can be told. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/log.h"
#include "base/refusal.h"
#include "cli/option.h"
#include "run/run.h"

struct options {
    const char *https, *https1, *http, *admin; /* addresses; "off" leaves a listener out */
    const char *run_ports, *advertise;         /* advertise: NULL, or one of names, too */
    const char *mode;                          /* NAME[;k=v]; at most one of these three is set */
    const char *plan_file, *case_name;
    struct option_number seed; /* of a plan or case */
    const char *modes_dir, *stubs_dir, *state_dir;
    const char *cert, *key;
    const char *keylog, *ledger_dir;
    const char *admin_token, *admin_token_file;
    const char *token_source; /* what the token came from (admin_token.h) */
    struct option_texts names, key_headers;
    const char *level;
    enum log_level log_level; /* the same */
    double time_scale;
    bool relayed;
    size_t body_limit, ledger_bytes;
    struct run_patience patience; /* ns, 0: for ever */
    int64_t tcp_keepalive;        /* likewise, 0: no probes */
};

/* Reads the arguments behind "serve". Texts point into argv or the environment. Returns 0,
 * BAD_INPUT or -ENOMEM. */
int options_parse(int argc, char **argv, struct options *out, struct refusal *why);

/* One line an option. */
void options_help(FILE *to);

/* Where state is kept when nobody says: below XDG_STATE_HOME or HOME. The text lives as long as the
 * process. Returns 0 or BAD_INPUT. */
int options_state_dir(const char **out, struct refusal *why);
