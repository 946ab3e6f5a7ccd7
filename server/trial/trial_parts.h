/* trial_parts.h - the inside of a trial, for trials.c (all of them: ids, ports, the kept ones),
 * trial.c (what happens to one), spec.c (how one is made), show.c (as JSON) and say.c (what its
 * ledger is told). */
#pragma once

#include "base/address.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/timer.h"
#include "run/run.h"
#include "run/runs.h"
#include "trial/expected.h"
#include "trial/judged.h"
#include "trial/setting.h"
#include "trial/trial.h"

#define TRIAL_END_GRACE (100 * NS_PER_MS) /* of connections, at the end of a phase or run */
#define TRIAL_TTL       (600 * NS_PER_S)

/* --- ports.c: where runs listen */

#define PORTS_HOST_SIZE 64

struct ports {
    char host[PORTS_HOST_SIZE]; /* as listener_open takes it before ":PORT" */
    unsigned first, last;       /* 0: any free one */
    unsigned next;              /* to be tried, so that one that was just given back rests */
};
/* Reads "[HOST:]FIRST-LAST", "[HOST:]PORT" or "[HOST:]0". Returns 0 or BAD_INPUT. */
int ports_read(const char *text, struct ports *out, struct refusal *why);
/* Opens a listener of a run on the next port that is free. Returns 0, TRIAL_NO_PORT or -errno. */
int ports_listen(struct ports *p, struct runs *runs, struct run *run, struct runs_listener *with,
                 struct refusal *why);

/* --- trials.c */

struct trials {
    struct runs *runs;
    struct run_config config;
    struct ports ports;
    char ports_text[PORTS_HOST_SIZE + 16];
    char *advertise, *ledger_dir; /* NULL: none */
    char admin[ADDRESS_TEXT_SIZE + 8];
    size_t kept_bytes;
    struct tally tally;
    struct link running, kept; /* struct trial; the default one is the first of running */
    size_t running_count, kept_count;
    uint64_t made;
    bool stopping;
};

/* It has ended: it is kept as long as there is room. */
void trials_keep(struct trial *t);

/* --- trial.c */

enum trial_state { TRIAL_RUNNING, TRIAL_ENDING, TRIAL_OVER };

struct trial {
    struct link link;      /* of running or kept */
    struct trials *trials; /* NULL: it is in neither */
    unsigned refs;
    enum trial_state state;
    char id[RUNS_ID_SIZE];
    char *name;            /* NULL: none */
    struct run *run;       /* NULL: it is over */
    struct ledger *ledger; /* the run's; its own once that is over */
    bool owns_ledger;
    unsigned over;                 /* OVER_H1, OVER_H2; 0: both alike */
    enum ledger_phase phase, next; /* next: while it changes */
    bool changing, control;
    bool phased;                  /* the ledger knows its phase */
    bool resetting;               /* its ledger is about to be emptied */
    struct run_waiter phase_over; /* the connections of the phase before are gone */
    struct run_waiter run_settled;
    bool run_awaited;
    struct link waiters; /* trial_waiter */

    struct plan *plan;      /* that the phases fault and without have; NULL: what is in force */
    struct timer mode_over; /* the mode goes back to normal */

    struct expected_of expected; /* list is NULL until something is set, of the default run */
    struct expected_of own;      /* the same of what was set last, by itself */

    bool unsaid; /* its ledger was emptied, and does not say what is expected */
    uint64_t expected_seq, phase_seq; /* the events that say what is expected, and the phase; 0 */

    struct judged judged;
    struct tally_watch tally;

    int64_t ttl; /* DURATION_NEVER: the default run's */
    struct timer over_at;
    int64_t started, ended; /* wall time */
    enum ledger_reason reason;
    struct runs_keeper keeper;
    json_t *urls;   /* by listener, and "base" */
    json_t *at_end; /* what GET /v1/mode said then */
    double pause;   /* at its end */
};

/* A trial of a run of runs, not in any list. NULL without memory. */
struct trial *trial_create(struct trials *trials, const char *id, struct run *run);
/* Goes to the phase at once. */
void trial_enter(struct trial *t, enum ledger_phase phase);
/* Calls waiters, if it is settled. */
void trial_look(struct trial *t);
/* Takes it out of memory, whoever has it. Only when nothing of it is awaited any more. */
void trial_destroy(struct trial *t);

/* --- spec.c */
int spec_add(struct trials *t, const json_t *spec, const char *id, struct trial **out,
             struct refusal *why);

/* --- show.c */
/* The URLs of its listeners, and "base". NULL without memory. */
json_t *show_urls(const struct trial *t);
/* Seconds after which what the plan does to a connection that is left alone is in effect. */
double show_pause(const struct run *run, const struct plan *plan);

/* --- say.c */
void say_start(struct trial *t);
void say_expectations(struct trial *t);
void say_phase(struct trial *t);
void say_end(struct trial *t);
