/* plan.h - which connections get which mode.
 *
 * A plan is a list of entries, each a mode and what narrows it: the connections' numbers, the
 * protocol, a probability. The first entry that fits a connection wins; where none does, it gets
 * "normal". Numbers count the connections accepted since the plan was set; those that are older
 * have number 0, which only entries without "connection" fit.
 *
 * A probability is drawn by hashing the seed, the connection's number and the entry's index, so the
 * same seed gives the same outcome, whatever else happens. Connections with number 0 are drawn by
 * their ids besides, or all of them would have the same outcome.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "mode/catalogue.h"
#include "mode/exercise.h"

#define PLAN_ENTRIES_MAX 64

struct plan; /* immutable and counted */

/* Compiles a plan: a list of entries, or a single one,
 *     {"mode": NAME, "params": {...}, "connection": 2 or "2-4", "over": "h1" or "h2",
 *      "probability": 0..1}
 * of which only mode is required. All or nothing. Returns 0, BAD_INPUT, MODE_UNKNOWN,
 * MODE_UNAVAILABLE or -errno; paths in *why start with "$.plan". */
int plan_compile(const struct catalogue *catalogue, const json_t *json, double scale, uint64_t seed,
                 struct plan **out, struct refusal *why);

/* 0, or MODE_NOT_HERE when an entry is for a protocol, or has a mode, that no connection of these
 * kinds (KIND) can have a use for. */
int plan_refuse_kinds(const struct plan *plan, unsigned kinds, struct refusal *why);

/* What connections of these kinds can meet. */
void plan_exercise(const struct plan *plan, unsigned kinds, struct exercise *out);

/* A plan that gives this mode to all; takes over the caller's reference on success. NULL without
 * memory. */
struct plan *plan_of_mode(struct mode_program *program);

struct plan *plan_ref(struct plan *plan);
void plan_unref(struct plan *plan); /* NULL is fine */

/* Which entry a connection gets: its index, or one of these. over: one of OVER_*, or 0 as long
 * as the protocol is not known. */
#define PLAN_NONE  (-1) /* no entry fits: "normal" */
#define PLAN_LATER (-2) /* the protocol decides it; until then "normal" */
int plan_pick(const struct plan *plan, uint32_t number, uint64_t id, unsigned over);

/* The program of what plan_pick returned; the plan's own reference. */
struct mode_program *plan_program(const struct plan *plan, int picked);

/* Was made by plan_of_mode. */
bool plan_is_mode(const struct plan *plan);

/* The only mode of a plan that gives the same one to all, NULL for another plan. */
struct mode_program *plan_only_mode(const struct plan *plan);

/* The entries with the parameters in force. The plan's own reference; NULL: it is a mode. */
json_t *plan_json(const struct plan *plan);
