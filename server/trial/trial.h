/* trial.h - a run as its user sees it: beside the run itself (run/) its id and name, listeners on
 * ports of its own, expectations, phases, an end by itself, a verdict, and what is kept of it after
 * its end. The API's word for all of it is "run"; "trial" is the code's alone.
 *
 * The default run, which a server always has, is one too: on the listeners of the server's options,
 * for as long as the server lives.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/refusal.h"
#include "ledger/ledger.h"
#include "run/config.h"
#include "trial/judged.h"
#include "trial/tally.h"
#include "verdict/verdict.h"

struct run;
struct runs;
struct tls_server;
struct trial;
struct trials;

#define TRIALS_MAX       32 /* at once, the default run aside */
#define TRIALS_KEPT      64 /* that have ended */
#define TRIAL_NAME_MAX   128
#define TRIAL_ID_DEFAULT "default"

/* Further outcomes, beside those of run.h. */
#define TRIAL_NO_PORT  6
#define TRIAL_TOO_MANY 7
#define TRIAL_ENDED    8 /* the run has ended */

struct trials_config {
    struct runs *runs;                    /* with the default run; borrowed, as all of it */
    const struct run_config *runs_config; /* what a run is made with; copied */
    const char *ports;      /* "[HOST:]FIRST-LAST" or "[HOST:]0"; see trials_ports_check */
    const char *advertise;  /* the host of URLs; NULL: an address of the listener */
    const char *ledger_dir; /* a file for the ledger of each run; NULL: none */
    size_t kept_bytes;      /* what the ledgers of runs that have ended may take up */
};

/* Makes the trial of the default run as well. Returns 0, BAD_INPUT (why->where is "--run-ports")
 * or -ENOMEM. */
int trials_create(const struct trials_config *config, struct trials **out, struct refusal *why);
/* What comes after the runs: the certificates of listeners, and the address of the admin API
 * ("127.0.0.1:9000"), which the URLs have. */
void trials_set_tls(struct trials *t, struct tls_server *tls);
void trials_set_admin(struct trials *t, const char *address);
/* Ends all of them, the default run too. The loop must run until runs_shutdown has its done. */
void trials_stop(struct trials *t);
/* Before runs_destroy. NULL is fine. */
void trials_destroy(struct trials *t);

/* Makes a run. spec: the body of POST /v1/runs (docs/admin-api.md). Returns 0; BAD_INPUT; as
 * run_set_plan; TRIAL_NO_PORT, TRIAL_TOO_MANY or -errno: then there is nothing of it. */
int trials_add(struct trials *t, const json_t *spec, struct trial **out, struct refusal *why);
/* Also one that has ended, while it is kept. NULL: there is none. */
struct trial *trials_find(const struct trials *t, const char *id);
struct trial *trials_default(const struct trials *t);
/* There was one of this id, and what was kept of it is gone. */
bool trials_had(const struct trials *t, const char *id);
/* The default run, then the others in the order in which they were made. NULL behind the last. */
struct trial *trials_next(const struct trials *t, const struct trial *after);
size_t trials_running(const struct trials *t); /* the default run aside */
size_t trials_kept(const struct trials *t);    /* that have ended */
/* What was counted over all of them. */
const struct tally *trials_tally(const struct trials *t);
uint64_t trials_made(const struct trials *t); /* so far, the default run aside */

/* Keeps it in memory, when it has ended and been forgotten, too. */
struct trial *trial_ref(struct trial *t);
void trial_unref(struct trial *t); /* NULL is fine */

const char *trial_id(const struct trial *t);
/* NULL: it has ended, or is about to. */
struct run *trial_run(const struct trial *t);
/* It has not ended: its ledger may have more events yet. */
bool trial_is_live(const struct trial *t);
/* Also of one that has ended. */
struct ledger *trial_ledger(const struct trial *t);
/* When it began: wall time, in ns since 1970. */
int64_t trial_started(const struct trial *t);
/* As run_is_awaited; false: it has ended. */
bool trial_is_awaited(const struct trial *t);
/* As GET /v1/runs/{id}. New reference; NULL without memory. */
json_t *trial_json(struct trial *t);
/* As GET /v1/mode: what is in force, or was at its end. */
json_t *trial_mode(const struct trial *t);

/* Sets a mode, plan or case, and what is expected of the client. body: as PUT /v1/mode takes it;
 * patch: as PATCH /v1/runs/{id} does. In the control phase it is refused, as that is in mode
 * "normal". It is what the phases "fault" and "without" have from now on. Returns as run_set_plan.
 */
int trial_set(struct trial *t, const json_t *body, bool patch, struct refusal *why);
/* What was set on its run when the server began: expects what that does by itself, or what is given
 * (NULL: nothing). case_name: the case that it is; NULL: a mode or a plan. Returns as trial_set. */
int trial_began_with(struct trial *t, const char *case_name, const json_t *given,
                     struct refusal *why);
/* As run_reset; the trial's phase and expectations stay, and are in the ledger again once it is
 * empty. */
int trial_reset(struct trial *t);
/* As run_mark. */
int trial_mark(struct trial *t, const char *name, int64_t from, uint64_t *seq, unsigned *rules,
               struct refusal *why);

/* Begins a phase, also one of the same kind: ends the connections of the one before, then sets mode
 * "normal" for control, for fault and without what was set last, for all. It is done once
 * trial_is_settled. Returns 0, BAD_INPUT or TRIAL_ENDED. */
int trial_phase(struct trial *t, enum ledger_phase phase, struct refusal *why);
enum ledger_phase trial_in_phase(const struct trial *t);

/* A line of a driver's report: a JSON object. Returns 0, BAD_INPUT, TRIAL_ENDED or -ENOMEM. */
int trial_report(struct trial *t, const char *line, size_t len, struct refusal *why);
/* The phase's command. argv ends with NULL; pid 0: not known; steps: NULL: none. */
void trial_command_start(struct trial *t, char *const *argv, int64_t pid, const char *steps);
/* signal: 0: it ended with status. killed: by who started it, at a timeout. */
void trial_command_exit(struct trial *t, int status, int signal, bool killed);

/* --- The verdict. A run that was made has one from its beginning; the default run from when it is
 * needed: something but "normal" was set, or expected, or it is asked for. */

/* What was found, with all that had happened at this time (of clock_now()) or later; calls: with
 * its calls. NULL: it is being worked out, by a thread; ask again. Without memory it may be empty
 * (as_of is 0). */
const struct judged_found *trial_judged(struct trial *t, int64_t since, bool calls);
/* The same at once, which holds up the loop. */
const struct judged_found *trial_judge_now(struct trial *t, bool calls);
/* These work it out now, which holds up the loop; a run that is over keeps what was found. */
enum outcome trial_outcome(struct trial *t, bool *final);
/* As verdict_json and verdict_calls; also of a run that is over. */
json_t *trial_verdict_json(struct trial *t);
json_t *trial_calls_json(struct trial *t);

/* Ends a run, but for the default one; its connections gracefully for a while. It has ended once
 * trial_is_settled. Again: no harm. */
void trial_end(struct trial *t, enum ledger_reason reason);

/* Whether what was begun is over: a phase, an end, a mode set for all. */
bool trial_is_settled(const struct trial *t);
/* Calls settled once, and from the loop; while trial_is_settled is false. The caller owns the
 * memory, and may take it out again by link_remove. */
struct trial_waiter {
    struct link link;
    void (*settled)(struct trial_waiter *waiter);
};
void trial_await_settled(struct trial *t, struct trial_waiter *waiter);
