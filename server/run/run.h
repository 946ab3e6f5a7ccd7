/* run.h - an isolated test session: its connections, its mode, its ledger. The default run always
 * exists.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/refusal.h"

struct catalogue;
struct endpoint;
struct ledger;
struct run;
struct tls_server;
struct uv_loop_s;

struct run_config {
    struct uv_loop_s *loop;
    struct catalogue *catalogue; /* all borrowed, to outlive the run */
    struct endpoint *endpoint;
    struct tls_server *tls;
    size_t ledger_bytes;
    size_t body_limit; /* request bodies above it are answered with 413 */
    double time_scale;
};

/* A run in mode "normal". Returns 0 or -errno. */
int run_create(const struct run_config *config, struct run **out);

/* What a listener speaks. */
struct run_listener {
    struct run *run;
    const char *name; /* "https" */
    bool tls, h2;
};

/* A listener_accepted: owner is a struct run_listener. */
void run_accept(void *owner, int fd, const struct sockaddr *peer, socklen_t len);

struct ledger *run_ledger(struct run *run);

enum run_apply { APPLY_ALL, APPLY_NEW };

/* Sets the mode of connections: all, or those to come. Returns as catalogue_compile; on anything
 * but 0 the mode stays. lenient: params' values may be strings. */
int run_set_mode(struct run *run, const char *name, const json_t *params, bool lenient,
                 enum run_apply apply, struct refusal *why);
int run_set_mode_text(struct run *run, const char *text, struct refusal *why);

/* {"mode": NAME, "params": {...}, "time_scale": 1.0}. New reference. */
json_t *run_mode(const struct run *run);

/* Back to "normal" for all, ledger empty, attempts forgotten. Connections that a fault holds
 * (finned, forgotten, stalled, holed) are let go; the others stay open. */
void run_reset(struct run *run);

/* Live connections: an array of objects, oldest first; or one, NULL if there is none of this id.
 * {"id","ordinal","listener","peer","state","protocol","tls":{...}|null,"mode","params","age_ms","idle_ms"|null,
 *  "exchanges","open_exchanges","bytes_in","bytes_out"}. New references. */
json_t *run_connections(const struct run *run);
json_t *run_connection(const struct run *run, uint64_t id);
size_t run_connection_count(const struct run *run);

/* Runs steps on a live connection now. Returns 0, RUN_NO_CONNECTION, BAD_INPUT, MODE_UNAVAILABLE or
 * -errno. */
#define RUN_NO_CONNECTION 4
int run_do(struct run *run, uint64_t id, const json_t *steps, struct refusal *why);

/* Ends all connections: gracefully (GOAWAY, Connection: close, orderly close), those still there
 * after grace_ns at once. done is called from the loop when none is left. */
void run_shutdown(struct run *run, int64_t grace_ns, void (*done)(void *arg), void *arg);
/* Ends what is left at once. */
void run_abort(struct run *run);
/* Only when no connection is left. */
void run_destroy(struct run *run);
