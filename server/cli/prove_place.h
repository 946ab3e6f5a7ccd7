/* prove_place.h - where the runs of `hangup prove` are: on a server inside this process, or on one
 * elsewhere, by its admin API. One run at a time.
 *
 * Each call is done when it returns; meanwhile the loop may turn.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/refusal.h"

struct place;
struct prove_options;
struct uv_loop_s;

/* Each returns 0, BAD_INPUT or another positive number with *why, or -errno. */
struct place_ops {
    /* spec: the body of POST /v1/runs. */
    int (*add)(struct place *p, const json_t *spec, struct refusal *why);
    /* As GET /v1/runs/{id}; a new reference. */
    int (*about)(struct place *p, json_t **out, struct refusal *why);
    /* "control", "fault" or "without". */
    int (*phase)(struct place *p, const char *phase, struct refusal *why);
    int (*report)(struct place *p, const char *line, size_t len, struct refusal *why);
    int (*started)(struct place *p, char *const *argv, int64_t pid, const char *steps,
                   struct refusal *why);
    /* signal 0: it ended with status. */
    int (*exited)(struct place *p, int status, int signal, bool killed, struct refusal *why);
    /* Whether the verdict is final, how many connections are open, and whether something
     * may still come from one of them (run_is_awaited). */
    int (*look)(struct place *p, bool *final, size_t *connections, bool *awaited,
                struct refusal *why);
    /* Ends the run; its verdict and ledger stay. */
    int (*end)(struct place *p, struct refusal *why);
    /* The document (docs/verdict.md); a new reference. */
    int (*verdict)(struct place *p, json_t **out, struct refusal *why);
    /* Its calls with their attempts: as GET /v1/runs/{id}/calls; a new reference. */
    int (*calls)(struct place *p, json_t **out, struct refusal *why);
    /* An event a line. */
    int (*ledger)(struct place *p, FILE *to, struct refusal *why);
    void (*close)(struct place *p);
};

/* The table of a file whose functions are named as the members. */
#define PLACE_OPS(name)                                                                            \
    static const struct place_ops name = { add,  about, phase,   report, started, exited,          \
                                           look, end,   verdict, calls,  ledger,  close_place }

struct place {
    const struct place_ops *ops;
    struct uv_loop_s *loop;
    const char *ca; /* the file of its CA's certificate; NULL: none */
    /* Of a server on another machine the URL of its run, if it leads to the machine that uses it;
     * "": it does not. */
    char own_url[64];
};

/* Each makes the place; close frees it. Return as above. */
int place_inside(const struct prove_options *o, struct place **out, struct refusal *why);
int place_elsewhere(const struct prove_options *o, struct place **out, struct refusal *why);
