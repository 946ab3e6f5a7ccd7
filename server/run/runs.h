/* runs.h - all runs of a server: who has what listeners, what they may use together, and their end.
 *
 * A run is known by its id, a text; RUNS_DEFAULT is that of the one that a server always has. Which
 * connection that can be done without makes room for others, when descriptors are short, is chosen
 * among those of all runs.
 */
#pragma once

#include "run/run.h"

struct runs;

#define RUNS_DEFAULT "default"
#define RUNS_ID_SIZE 64

/* No run yet. ledger_bytes: what the ledgers of all runs may take up together; when they have it,
 * the largest one drops its oldest events. Returns 0 or -errno. */
int runs_create(size_t ledger_bytes, struct runs **out);

/* Makes a run in mode "normal", with no listeners. Returns 0, -EEXIST when there is one of this id
 * (it may be about to end), -ENAMETOOLONG, or -errno as run_create. */
int runs_add(struct runs *runs, const char *id, const struct run_config *config, struct run **out);

/* NULL: there is none of this id. One that is ending is still found. */
struct run *runs_find(const struct runs *runs, const char *id);

/* Writes the run's ledger to a file in a directory from now on, as ledger_file_open; once a run. */
int runs_save(struct runs *runs, struct run *run, const char *directory, struct refusal *why);
/* Where that is; NULL: nowhere. */
const char *runs_saved(const struct runs *runs, const struct run *run);

/* What a run listens with. */
struct runs_listener {
    const char *name;    /* "https"; unique in its run */
    const char *address; /* as for listener_open */
    bool tls;
    unsigned over; /* OVER_*: the protocols that it speaks */
};
/* Opens a listener for a run. Returns 0, BAD_INPUT as listener_open, or -errno. */
int runs_listen(struct runs *runs, struct run *run, const struct runs_listener *with,
                struct refusal *why);
/* Closes one; the connections that came by it stay. Without effect if the run has none of it. */
void runs_unlisten(struct runs *runs, struct run *run, const char *name);
/* NULL: the run has none of this name. */
const struct listener *runs_listening(const struct runs *runs, const struct run *run,
                                      const char *name);
/* The i-th one of a run, in the order in which they were opened; NULL: it has no more. */
const struct listener *runs_listening_at(const struct runs *runs, const struct run *run, size_t i);

/* Who keeps a run's ledger when the run is over. */
struct runs_keeper {
    /* No connection is left, and the run goes when this returns: the last words for its ledger. */
    void (*last)(struct runs_keeper *keeper);
    /* It has gone; its ledger is the callee's from here on, to be destroyed before the runs. */
    void (*ended)(struct runs_keeper *keeper, struct ledger *ledger);
};

/* Ends a run: its listeners now, its connections as run_shutdown does. Then the run is gone; with
 * its ledger, and who watches that must have detached from it, unless there is a keeper (NULL:
 * none), who is called from the loop. One that is ending already has the keeper it had. */
void runs_end(struct runs *runs, struct run *run, int64_t grace_ns, struct runs_keeper *keeper);
/* The same at once, of one that has had no connection yet. */
void runs_drop(struct runs *runs, struct run *run);
/* Ends all of them; done is called from the loop when the last one is gone. */
void runs_shutdown(struct runs *runs, int64_t grace_ns, void (*done)(void *arg, bool all),
                   void *arg);
/* Ends all connections at once. */
void runs_abort(struct runs *runs);
/* As run_settle, for each. */
void runs_settle(struct runs *runs);
/* Runs that are there have no connections. NULL is fine. */
void runs_destroy(struct runs *runs);
