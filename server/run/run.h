/* run.h - an isolated test session: its connections, its plan, its ledger. The default run always
 * exists.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/refusal.h"
#include "run/config.h"

struct exercise;
struct ledger;
struct listener;
struct plan;
struct run;

/* A run in mode "normal". Returns 0 or -errno. */
int run_create(const struct run_config *config, struct run **out);
/* As config->tls, where that was not there yet: before the loop runs. */
void run_set_tls(struct run *run, struct tls_server *tls);

/* The run acts on this listener (refuses, drops SYNs) as its modes say. Both stay until they are
 * removed. */
void run_add_listener(struct run_listener *listener, struct listener *socket);
/* It does not any more. The connections that came by it stay. When what is set can do nothing on
 * those that the other listeners can have, a warning is ledgered. */
void run_remove_listener(struct run_listener *listener);

/* A listener_accepted: owner is a struct run_listener. */
void run_accept(void *owner, int fd, const struct sockaddr *peer, socklen_t len);

struct ledger *run_ledger(struct run *run);

enum run_apply { APPLY_ALL, APPLY_NEW };

/* Sets the mode of connections: all, or those to come. "normal" for all also ends what other modes
 * hold, as run_reset does. Returns as catalogue_compile, or MODE_NOT_HERE when it can do nothing on
 * any connection that the listeners can have; on anything
 * but 0 the mode stays. lenient: params' values may be strings. */
int run_set_mode(struct run *run, const char *name, const json_t *params, bool lenient,
                 enum run_apply apply, struct refusal *why);
int run_set_mode_text(struct run *run, const char *text, struct refusal *why);

/* The same in two steps: a plan that could be set, whose reference is the caller's; and setting it,
 * which takes that over. Compiling returns as run_set_mode and run_set_plan. why: of the event, for
 * what nobody has just asked for; or NULL. */
int run_compile_mode(const struct run *run, const char *name, const json_t *params, bool lenient,
                     struct plan **out, struct refusal *why);
int run_compile_plan(const struct run *run, const json_t *plan, const uint64_t *seed,
                     struct plan **out, struct refusal *why);
void run_set(struct run *run, struct plan *plan, enum run_apply apply, const char *why);
/* What clients of its listeners can meet with a plan. */
void run_exercise(const struct run *run, const struct plan *plan, struct exercise *out);
/* What is in force; the run's own reference. */
struct plan *run_plan(const struct run *run);

/* What was set, or reset, reaches live connections over some turns of the loop when there are many;
 * none acts by what was in force before. Settled: it has reached all. */
bool run_is_settled(const struct run *run);
/* Calls settled once, and from the loop; while run_is_settled is false. The caller owns the memory,
 * and may take it out again by link_remove. */
struct run_waiter {
    struct link link;
    void (*settled)(struct run_waiter *waiter);
};
void run_await_settled(struct run *run, struct run_waiter *waiter);
/* Does what is left of it at once. */
void run_settle(struct run *run);

/* {"mode": NAME, "params": {...}, "time_scale": 1.0, "plan": [...], "seed": 0}. mode and params are
 * null when the plan is not one mode for all, plan is when a mode was set. New reference;
 * NULL without memory. */
json_t *run_mode(const struct run *run);

/* Sets which connections get which mode (spec of a plan: docs/admin-api.md). seed: NULL keeps the
 * one in force. All or nothing; refusals start with "$.plan[i]". */
int run_set_plan(struct run *run, const json_t *plan, const uint64_t *seed, enum run_apply apply,
                 struct refusal *why);

#define RUN_SEED_MAX (1ll << 53) /* what every reader of JSON keeps exactly */

/* Multiplies the durations of what is set from now on. */
#define RUN_SCALE_MIN 1e-6
#define RUN_SCALE_MAX 1e6
void run_set_time_scale(struct run *run, double scale);
double run_time_scale(const struct run *run);
/* What probabilities are drawn from, of plans that are set without one. */
void run_set_seed(struct run *run, uint64_t seed);
uint64_t run_seed(const struct run *run);

/* Names this time, which is about from (of clock_now()) and not before: ledgers it, then fires the
 * rules that wait for it. *seq: the event's number; *rules: how many rules it set off, let wait or
 * called off, on all connections; when none, a warning is ledgered. Returns 0 or BAD_INPUT for what
 * is no name. */
int run_mark(struct run *run, const char *name, int64_t from, uint64_t *seq, unsigned *rules,
             struct refusal *why);

/* Back to "normal" for all, ledger empty, attempts forgotten. Connections that a fault holds
 * (fin_sent, forgotten, stalled, black_holed) or has changed for good (a pace, a cut, a GOAWAY ...)
 * are ended; the others stay open; the ledger is emptied when that is done (run_is_settled).
 * Returns 0, or -errno: then nothing was changed. */
int run_reset(struct run *run);

/* Looks at the live connections one by one, oldest first, over any number of turns of the loop:
 * those that were live when it was opened, but for those that ended before their turn. The caller
 * owns the memory and closes it before the run ends. */
struct run_cursor {
    struct link link;
    struct run *run;
    struct link *next;
    uint64_t last_id;
};
void run_cursor_open(struct run *run, struct run_cursor *cursor);
void run_cursor_close(struct run_cursor *cursor);
/* Appends a separator and the next one as a JSON object (docs/admin-api.md has its members). False,
 * and nothing appended: that was all. */
bool run_cursor_write(struct run_cursor *cursor, const char *separator, struct buf *out);

/* Appends one. Returns 0, RUN_NO_CONNECTION or -ENOMEM. */
int run_connection(const struct run *run, uint64_t id, struct buf *out);
size_t run_connection_count(const struct run *run);
/* Whether something may still come from one of them: one of which not session_is_settled. */
bool run_is_awaited(const struct run *run);
/* How many requests were begun and are not answered or lost yet, on all of them. */
size_t run_open_exchanges(const struct run *run);

/* Runs steps on a live connection now. Returns 0, RUN_NO_CONNECTION, BAD_INPUT, MODE_UNAVAILABLE or
 * -errno. */
#define RUN_NO_CONNECTION 4
int run_do(struct run *run, uint64_t id, const json_t *steps, struct refusal *why);

/* The same on all live connections that the filter fits (docs/admin-api.md has its members; NULL
 * fits all). *out, the caller's on success, is {"connections": on how many the steps were begun,
 * "skipped": [{"why", "connections": [ids]}]}: those that fit and cannot have the steps. Refused as
 * a whole, with nothing begun, is what no connection could have. */
int run_do_each(struct run *run, const json_t *filter, const json_t *steps, json_t **out,
                struct refusal *why);

/* A part of a test is over: ends the connections as run_shutdown does, those still there after
 * grace_ns at once, also what comes meanwhile; then attempts are forgotten, and over->settled is
 * called from the loop, unless run_shutdown was called before. The caller owns the memory. */
void run_end_connections(struct run *run, int64_t grace_ns, struct run_waiter *over);

/* Ends all connections: gracefully (GOAWAY, Connection: close, orderly close), those still there
 * after grace_ns at once. done is called from the loop when none is left. */
void run_shutdown(struct run *run, int64_t grace_ns, void (*done)(void *arg), void *arg);
/* Ends what is left at once. */
void run_abort(struct run *run);
/* Only when no connection is left, nor a listener. Cursors come to their end. keep: gets the
 * ledger, which is the caller's then; NULL: it goes, too. */
void run_destroy(struct run *run, struct ledger **keep);
