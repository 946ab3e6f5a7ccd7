/* admin_rig.h - for the tests of the admin API: it is served over its socket, on a run that is a
 * stand-in with a real ledger and remembers what it was told, to a client in the same thread.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "admin/call.h"
#include "admin/openapi.h"
#include "base/clock.h"
#include "mode/catalogue.h"
#include "run/plan.h"
#include "run/run.h"
#include "run/runs.h"
#include "wire/caps.h"
#include "wire/listener.h"

#include "loop.h"
#include "memcheck.h"
#include "memory.h"

/* --- The run */

struct run {
    struct ledger *ledger;
    char mode[64], params[256];
    enum run_apply apply;
    bool lenient;
    char plan[4096], mark[64];
    uint64_t seed;
    bool planned; /* the plan is in force, not the mode */
    char to_be_mode[64], to_be_params[256], to_be_plan[4096]; /* compiled last */
    struct plan *compiled;                                    /* a stand-in, too */
    double scale, set_at; /* the time scale, and what it was when something was last set */
    int outcome;          /* of compiling, run_mark and run_do */
    unsigned resets;
    unsigned live; /* connections */
    size_t open;   /* requests */
    struct link cursors;
    bool unsettled; /* what is set has not reached all */
    struct link waiters;
    bool lingers;              /* connections that are to end take their time, */
    struct run_waiter *ending; /* and this waits for it */
    uint64_t done_on;
    char steps[256];
};

extern struct run the_run;
extern struct runs {
    struct run *run;
} the_runs;
extern struct trials *trials; /* of these */

#define FIRST_ID 7 /* of the connections, as many as are live */

/* Writes a value down as JSON text, "-" for none. */
void rig_keep(const json_t *value, char *out, size_t size);

/* Puts a mark into the ledger. Returns its sequence number. */
uint64_t rig_commit(const char *name);

/* --- The server, and a client that shares its thread */

extern struct admin *admin;
extern struct catalogue *catalogue;

/* Starts it once more, with this; the rest of the config is the rig's. */
void rig_start(const struct admin_config *more);

/* Of a test. */
int rig_set_up(void **state);
int rig_tear_down(void **state);

/* Stops it, and waits until it has stopped; the other is what admin_stop() calls then. */
void stop_admin(void);
void rig_stopped(void *arg);

/* Runs the loop until the admin that was told to stop has. */
void rig_await_stop(void);

int open_client(void);

void send_text(int fd, const char *text, size_t n);

struct reply {
    int status; /* 0: closed without an answer */
    char head[2048];
    char *body;
    size_t body_len;
    json_t *json; /* of the body, or NULL */
    bool closed, chunked;
};

extern struct reply reply; /* the last one */

void forget_reply(void);

/* The length of a chunked body that is whole, with its framing; 0: it is not. It is decoded into
 * reply. */
size_t reply_take_chunked(const char *bytes, size_t n);

/* Of a header field, NULL: it has none. Valid until the next call. */
const char *reply_field(const char *name);

/* Waits until the first bytes of a response have come; reads none. */
void rig_await_bytes(int fd);

/* Reads one response; head: without a body. Waits at most ms. */
bool rig_receive(int fd, bool head, int ms);

/* Sends a whole request and reads its answer, on a connection of its own. */
int rig_request(const char *text, size_t n);

/* Sends a request while the n-th allocation from now on fails, and with all also those behind it.
 * Returns whether it did; reply is what came. */
bool call_short_of_memory(const char *text, size_t len, long n, bool all);

/* Calls the API; body may be NULL. Returns the status. What it answers must be in
 * docs/openapi.json. */
int rig_call(const char *method, const char *target, const char *fields, const char *body);

#define JSON_TYPE "Content-Type: application/json\r\n"

int rig_get(const char *target);

/* Of the body, which is an object. */
const char *reply_text(const char *name);
json_int_t reply_number(const char *name);

void assert_problem(int status, const char *where, const char *allowed);
