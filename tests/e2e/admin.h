/* admin.h - drives the server over its admin API, and looks things up in the ledger. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "server.h"

struct admin_answer {
    int status;
    char type[80]; /* Content-Type, without its parameters */
    struct buf text;
    json_t *json; /* NULL when the text is not JSON */
};

/* One call on a connection of its own. headers: further lines with CRLF, or NULL. body: NULL for
 * none. False when no whole answer came within the time. Free the answer in any case. */
bool admin_try(const struct server *s, const char *method, const char *path, const char *headers,
               const char *body, struct admin_answer *answer);
void admin_free(struct admin_answer *answer);

/* The same; fails the test when the status is another. Returns the JSON (new reference) or NULL. */
json_t *admin_call(const struct server *s, int status, const char *method, const char *path,
                   const char *body);

/* Fails the test unless the call is refused with this status and a problem that has `named` in it.
 */
void admin_problem(const struct server *s, int status, const char *method, const char *path,
                   const char *body, const char *named);

/* The default run's mode from now on, for connections to come. params: JSON, or NULL. */
void admin_mode(const struct server *s, const char *mode, const char *params);
/* The same with a plan (a JSON array) and a seed, and with the plan of a case. */
void admin_plan(const struct server *s, const char *plan, uint64_t seed);
void admin_case(const struct server *s, const char *name);
/* Names this time. Returns the sequence number of its event. */
uint64_t admin_mark(const struct server *s, const char *mark);
void admin_reset(const struct server *s);
bool admin_capability(const struct server *s, const char *name);
/* Skips the test when the server does not have it. */
void admin_needs(const struct server *s, const char *capability);
/* POST /v1/connections/{id}/do */
void admin_do(const struct server *s, uint64_t connection, const char *steps);

/* Events after a sequence number, waiting at most wait_ms for the first of them. New reference to
 * the array; *next is where to continue. */
json_t *admin_events(const struct server *s, uint64_t since, int64_t wait_ms, uint64_t *next);

/* The sequence number of the newest event; 0: there is none. */
uint64_t admin_newest(const struct server *s);
/* The same once no more than so many connections are left, and nothing more comes of the others. */
uint64_t admin_quiet(const struct server *s, size_t open);

/* The first event of this name on this connection (0: on any) with step = value of the field
 * "step", or any when step is NULL; waits for it, and fails when it does not come. New reference.
 */
json_t *ledger_await(const struct server *s, uint64_t connection, const char *event,
                     const char *step);
/* The first event of a request with this id (Hangup-Call, a key, X-Request-ID, a trace id),
 * likewise. */
json_t *ledger_await_key(const struct server *s, uint64_t connection, const char *key);
/* As ledger_await, without waiting: NULL when there is none. */
json_t *ledger_find(const struct server *s, uint64_t connection, const char *event,
                    const char *step);

/* Members of an event. */
double event_ms(const json_t *event, const char *member);        /* also for other numbers */
const char *event_text(const json_t *event, const char *member); /* "" if there is none */
bool event_true(const json_t *event, const char *member);
