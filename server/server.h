/* server.h - the whole server as an object, for the commands that have one inside.
 *
 * There is one at a time in a process, as timers, engines and descriptors are the process's; when
 * it is destroyed there may be another. Its life: server_create, server_start, server_run (in which
 * server_stop is called), server_destroy. Whatever fails on the way, server_destroy takes back all
 * that was done.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/refusal.h"
#include "run/config.h"

struct catalogue;
struct listener;
struct run;
struct server;
struct trials;
struct uv_loop_s;

/* All texts outlive the server. */
struct server_config {
    const char *https, *https1, *http; /* addresses as for listener_open; "off": none of it */
    const char *admin;
    const char *admin_token;           /* NULL: none is asked for */
    const char *run_ports;             /* as in struct trials_config, as is the next */
    const char *advertise;             /* NULL: none; one of names, too */
    const char *modes_dir, *stubs_dir; /* NULL: none */
    const char *ledger_dir;            /* where ledgers are written to; NULL: nowhere */
    const char *state_dir;             /* where the CA is, or will be */
    const char *cert, *key;            /* NULL: of the CA */
    const char *keylog;                /* NULL: none */
    const char *const *names;          /* by which clients know this machine */
    unsigned name_count;
    const char *const *key_headers; /* as in struct run_config */
    unsigned key_header_count;
    double time_scale;
    bool relayed; /* as in struct run_config */
    size_t body_limit, ledger_bytes;
    struct run_patience patience;
    int64_t keepalive; /* as in struct run_config */
};

/* What can be refused without a trace: its loop, modes and stubs. Returns 0, BAD_INPUT or -errno;
 * why->where is the option of `hangup serve` that was refused. */
int server_create(const struct server_config *config, struct server **out, struct refusal *why);

/* The rest: its listeners, certificates, the default run in mode "normal", the admin API. Nothing
 * is accepted before the loop runs. Returns as server_create. */
int server_start(struct server *s, struct refusal *why);

/* Runs the loop until nothing is left on it, of others neither. */
void server_run(struct server *s);

/* From the loop: ends the admin API, then the connections, gracefully for a second, and writes what
 * the files of ledgers lack, for LIMIT_WRITTEN. stopped is called from the loop when that is done,
 * and may be NULL. */
void server_stop(struct server *s, void (*stopped)(void *arg), void *arg);

/* Ends all connections at once. */
void server_abort(struct server *s);

/* Whether a thread still writes a ledger's file, to a disk that does not answer, when the stop is
 * over. Then nothing of the server is freed, and the process must end by _exit(). */
bool server_is_stuck(const struct server *s);

/* Stops it if that was not done, runs the loop to its end, frees all. NULL is fine. */
void server_destroy(struct server *s);

struct uv_loop_s *server_loop(struct server *s);
const struct catalogue *server_catalogue(const struct server *s);
/* From server_start on: */
struct run *server_default_run(const struct server *s);
/* Its runs, as their users see them. */
struct trials *server_trials(const struct server *s);
/* "https", "https1", "http" or "admin"; NULL: it has none of it. */
const struct listener *server_listener(const struct server *s, const char *name);
/* The file of the CA's certificate; NULL: the server has a certificate of the user's. */
const char *server_ca(const struct server *s);
