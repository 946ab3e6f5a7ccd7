/* run_rig.h - a run over real sockets, for the tests of run/. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <unistd.h>
#include <uv.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/timer.h"
#include "endpoint/endpoint.h"
#include "engine/engine.h"
#include "ledger/ledger.h"
#include "mode/catalogue.h"
#include "run/run.h"

#include "loop.h"
#include "memcheck.h"

#define REQUEST "GET /api/entitlement/get HTTP/1.1\r\nHost: x\r\n\r\n"

extern struct catalogue *catalogue;
extern struct endpoint *endpoint;
extern struct run *run;
extern size_t rig_body_limit;
extern const char *rig_stubs;            /* a directory; NULL: none */
extern struct tls_server *rig_tls;       /* of listeners with tls; NULL: there are none */
extern struct run_patience rig_patience; /* none */
extern struct run_listener listener;     /* of the clients */

/* A condition of loop.h: the function at the pointer says so. */
bool holds_now(void *condition);

/* Runs the loop until the condition holds, or for ns. */
bool run_until(bool (*holds)(void), int64_t ns);

/* Runs the loop for ns, in which something must not happen: the test fails as soon as it does. */
#define quiet_for(ns, happens)                                                                     \
    do {                                                                                           \
        bool (*unwanted)(void) = happens;                                                          \
        loop_quiet_or_fail(&loop, holds_now, &unwanted, ns, #happens "()", __FILE__, __LINE__);    \
    } while (0)

/* No connection is left. */
bool is_empty(void);

/* Connects a client and hands the server's end to the run. Returns the client's end. */
int connect_client(void);

/* As GET /connections/ID shows it (the caller's); and its ID. */
json_t *newest_connection(void);
uint64_t newest_id(void);

/* --- The ledger. The events since a sequence number; the caller's. */

json_t *events_since(uint64_t since);

/* What is looked for: so many events of this name behind a sequence number. Then: are they there?
 */
void look_for(uint64_t since, const char *name, size_t count);
bool is_found(void);

/* The first of the events that is called so, NULL if there is none; borrowed. */
json_t *event_called(const json_t *events, const char *name);

size_t count_events(const json_t *events, const char *name);

json_int_t number_in(const json_t *event, const char *member);

/* --- Modes. rules: the list as JSON text. */

void put_mode(const char *name, const char *rules);
void set_rules(const char *rules);

int set_plan(const char *text, const uint64_t *seed, enum run_apply apply, struct refusal *why);

void assert_member(json_t *object, const char *member, const char *value);

/* Of a group: the loop, the engines, and a run as the variables above say. */
int rig_start(void **state);
int rig_stop(void **state);
