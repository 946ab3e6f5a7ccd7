/* prove_command.h - COMMAND, once: started with what it has to know, heard, and ended. */
#pragma once

#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <uv.h>

#include "base/refusal.h"
#include "cli/prove_options.h"
#include "cli/prove_place.h"

/* What all of `hangup prove` has one of. */
struct proving {
    const struct prove_options *options;
    struct place *place;
    bool audits; /* nothing is expected */
    int shown;   /* the descriptor that COMMAND's stdout goes to */
    uv_signal_t signals[8];
    uv_timer_t tick;
    int signal;          /* that is to end us; 0: none */
    unsigned interrupts; /* how many of these came */
    struct child *child; /* NULL: none */
    const char *phase;   /* the last one that was begun; NULL: none */
};

/* Signals are passed on to COMMAND from now on; those that end us are noted. Returns 0 or -errno.
 */
int proving_begin(struct proving *p);
/* Runs the loop until it is closed there. */
void proving_end(struct proving *p);
/* Lets the loop turn once, not longer than to this time. */
void proving_turn(struct proving *p, int64_t until);

struct command_result {
    int status, signal; /* signal 0: it ended with status */
    bool timed_out;     /* it was killed at --timeout */
    bool drives;        /* it wrote a report, */
    unsigned requests;  /* of so many requests, */
    unsigned not_ok;    /* so many of which did not go well */
    size_t held;        /* connections that others held when the wait for the verdict was over */
    bool final;         /* the verdict was, by then */
};

/* Runs it in the phase that the run is in. argv: COMMAND; steps: NULL: none; judged: waits behind
 * it until the verdict is final, its processes and connections are gone, or --settle is over.
 * Nothing of it is left afterwards. Returns 0, BAD_INPUT (it cannot be started, or its report is
 * broken) or -errno. */
int command_run(struct proving *p, char *const *argv, const char *phase, const char *steps,
                bool judged, struct command_result *out, struct refusal *why);
