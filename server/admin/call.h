/* call.h - what the admin API's files share: the API, its callers, and one call from its request
 * line to its response.
 *
 * A call passes through: examine (guard, route, headers) -> its body is read -> perform ->
 * response. Whoever refuses it fills the response early; its body is then read and dropped, because
 * closing on unread bytes would make the kernel reset the connection under the response.
 */
#pragma once

#include <jansson.h>
#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>

#include "admin/admin.h"
#include "admin/guard.h"
#include "admin/response.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/json.h"
#include "base/list.h"
#include "base/timer.h"
#include "endpoint/problem.h"
#include "endpoint/target.h"
#include "ledger/ledger.h"
#include "run/run.h"
#include "trial/trial.h"

#define CALL_BODY_MAX (256u * 1024) /* of a refused one LIMIT_DROPPED is read, and no more */

#define ROUTE_ALLOW_SIZE 64
#define ROUTE_ARG_SIZE   128
#define ROUTE_ARGS_MAX   2

struct call;
struct waiter;

/* A text made a row at a time, and kept (calls_modes.c). */
struct cache {
    struct buf text;
    uint64_t version; /* of the catalogue */
    size_t rows;      /* so far */
    bool whole;
};

struct admin {
    struct uv_loop_s *loop;
    struct trials *trials;
    struct catalogue *catalogue;
    struct listener *listener;
    struct mhd_loop *mhd;
    struct MHD_Response *no_memory; /* made in advance */
    struct guard guard;
    struct file ca_pem, ca_der;
    struct link relays;
    struct relay *adding; /* while libmicrohttpd is given its other end */
    struct link callers;  /* those that were heard of last at the end */
    unsigned caller_count;
    bool stopping; /* nothing is waited for any more, */
    bool over;     /* and responses end where they are */
    struct timer stop;
    int64_t stop_at; /* at the latest */
    void (*stopped)(void *arg);
    void *stopped_arg;
    /* waiting.c */
    struct link waiters;
    struct timer wake;
    /* How many readers were dropped as they took nothing of what they follow */
    uint64_t dropped_readers;
    /* work.c */
    struct link suspended; /* calls that libmicrohttpd leaves alone until they are resumed */
    struct link working;   /* those of them whose response is being rendered */
    struct timer work;
    int64_t worked; /* in this turn of the loop, ns */
    /* Responses that stay the same as long as the catalogue does */
    struct cache modes, cases, language;
};

/* How long a caller may take: to send a request, once it began (the first: once connected), to take
 * the response, and between calls; and to take a response that is on its way when the API stops.
 * Tests make them shorter. */
struct call_patience {
    int64_t request, response, idle, stop;
    int64_t follow; /* who is sent events as they come, to take some of them */
};
extern struct call_patience call_patience;

/* One connection to the API. */
struct caller {
    struct link link;
    struct admin *admin;
    struct timer deadline;
    unsigned overdue; /* how often the deadline was reached */
    int64_t left;     /* until the deadline, while the call is paused */
    int fd;
    struct relay *relay; /* NULL: it has ended */
    bool listening;      /* we wait for a request of it, or for more of one */
    bool follows;        /* it is sent events as they come */
    int64_t listening_since;
};

/* One row of the API. */
struct route {
    const char *method;
    const char *path;  /* "{name}" stands for one segment; at most ROUTE_ARGS_MAX of them */
    const char *query; /* parameters it takes, separated by ", "; NULL: none */
    enum { BODY_NONE, BODY_JSON, BODY_LINES } body; /* LINES: of JSON */
    bool open;                                      /* the token is not asked for */
    enum {
        RUN_NONE,
        RUN_LIVE,
        RUN_KEPT
    } about_run; /* it is about a run: one that has not ended;
                    also one that has */
    void (*perform)(struct call *call);
    const char *about;
};

/* The segments that stand for the "{...}" of a pattern, in its order. */
struct route_args {
    char values[ROUTE_ARGS_MAX][ROUTE_ARG_SIZE];
};

/* Which events are asked for, and how far that is (events.c). */
enum page_as { AS_JSON, AS_NDJSON, AS_STREAM };
struct page {
    enum page_as as;
    uint64_t since, last; /* what comes next, and where it ends */
    uint64_t max;         /* so many at most */
    uint64_t newest;      /* of these the newest; 0: the oldest */
    int64_t until;        /* how long to wait for the first one */
    bool begun, filtered;
    /* Filtered: */
    uint64_t kinds[2];    /* 1 << event; none: all */
    uint64_t connection;  /* 0: any */
    char *call;           /* an id that a request of it carries; NULL: any */
    struct buf exchanges; /* of that call: connection and exchange, two uint64_t each */
    struct ledger_cursor scan;
    bool scanned;     /* all that was there for exchanges */
    struct buf found; /* sequence numbers, uint64_t */
    uint64_t shown;   /* of found */
    /* AS_STREAM: */
    uint64_t sent;
};

struct call {
    struct admin *admin;
    struct MHD_Connection *mhd;
    struct caller *caller;
    char *text; /* the target as sent */
    struct target target;
    const struct route *route;
    struct route_args args;
    struct trial *trial; /* that the call is about, the default one without {run}; a reference */
    struct run *run;     /* its; NULL: it has ended. As of when the call was last continued */
    bool examined;
    int64_t begun_at; /* its header section was there */
    struct buf body;
    size_t body_len; /* what came, also when it was dropped */
    json_t *json;
    struct waiter *waiter; /* it has waited for something */
    uint64_t parked_at;    /* the ledger's last event then */
    bool suspended;        /* by work.c, */
    struct link resting;   /* and then in its list */
    struct trial_waiter settling;
    void (*then)(struct call *call); /* when it has settled */
    struct run_cursor cursor;        /* calls_connections */
    struct page page;
    int64_t until; /* calls_verdict.c: how long it waits */
    int64_t look;  /* not to be worked out again before */
    int64_t asked; /* what is found is to be no older; 0: not yet */
    int as;        /* which type */
    struct call_response response;
};

/* --- routes.c */

extern const struct route routes[];
extern const size_t routes_count;

/* Compares segment by segment; a slash at the end of the path makes no difference. args is
 * undefined unless it returns true. */
bool routes_match(const char *pattern, const char *path, struct route_args *args);

/* The row for a method ("HEAD" is "GET") and path. NULL: none, then allow lists the methods of this
 * path, "" if nothing is there. */
const struct route *routes_find(const char *method, const char *path, struct route_args *args,
                                char allow[ROUTE_ALLOW_SIZE]);

/* The segment that stands for "{name}". NULL: the pattern has no such name. */
const char *routes_arg(const char *pattern, const struct route_args *args, const char *name);

/* --- input.c */

/* Checks the query against the route's list. Returns 0, or BAD_INPUT with the call answered. */
int input_check_query(struct call *call);
/* The value of a parameter, as sent; NULL: it is not there. */
const char *input_query(const struct call *call, const char *name, size_t *len);
/* The same as a whole number from min to max; fallback if it is not there. Returns 0 or BAD_INPUT.
 */
int input_query_number(struct call *call, const char *name, uint64_t min, uint64_t max,
                       uint64_t fallback, uint64_t *out);

/* Whether the body is an empty object, which says as much as none. */
bool input_is_empty_object(const struct call *call);

/* Reads the body into call->json. Returns 0, or BAD_INPUT with the call answered. */
int input_json(struct call *call);

/* As json_members, of the body. Returns 0, or BAD_INPUT with the call answered. */
int input_members(struct call *call, const struct json_member *members);

/* How much the caller wants a media type, in thousandths (RFC 9110 12.5.1). accept: NULL without
 * the field. */
int input_accepts(const char *accept, const char *type);
/* Which of count types the caller wants most, the first of equals. Returns its index, or -1 with
 * the call answered (406). */
int input_choose_type(struct call *call, const char *const *types, size_t count);

/* --- calls.c: what libmicrohttpd calls; arg is the admin */

/* The segment of the path that its route calls "{name}", which it has. */
const char *call_arg(const struct call *call, const char *name);

/* The request line has come. Without memory there is no call, and the connection is closed. */
void *calls_on_request_line(void *arg, const char *target, struct MHD_Connection *mhd);
/* Its header section, part of its body, or its end. */
enum MHD_Result calls_on_call(void *arg, struct MHD_Connection *mhd, const char *url,
                              const char *method, const char *version, const char *bytes, size_t *n,
                              void **context);
/* It is over, and freed. */
void calls_on_completed(void *arg, struct MHD_Connection *mhd, void **context,
                        enum MHD_RequestTerminationCode code);

/* --- callers.c */

/* So many at a time. libmicrohttpd has room for twice as many, as it would refuse a newcomer before
 * callers_make_place can do anything. */
#define CALLERS_MAX 256

/* A socket of a caller, which is this function's from here on; owner is the admin. */
void callers_on_accepted(void *owner, int fd, const struct sockaddr *peer, socklen_t len);
/* libmicrohttpd's connection begins or ends; arg is the admin. */
void callers_on_connection(void *arg, struct MHD_Connection *mhd, void **context,
                           enum MHD_ConnectionNotificationCode code);
/* Waits for a request of it, or for more of one; span in ns, as call_allow. */
void callers_listen_to(struct admin *a, struct caller *caller, int64_t span);
/* A place for a new caller, who may be the health check: of those that have one it is who was
 * answered and does not leave, or is quiet, or waits for events, and is answered now; the longest
 * first. Then it is who does not take its response. Returns whether there is one. */
bool callers_make_place(void *owner);
/* The one that has been quiet for longest, and for so long (ns); NULL: there is none. */
struct caller *callers_quietest(struct admin *a, int64_t span);
/* Ends its connection; it is freed when libmicrohttpd has seen that. */
void callers_end(struct admin *a, struct caller *caller);

/* Gives the caller this long from now (ns); DURATION_NEVER: no limit. */
void call_allow(struct call *call, int64_t span);
/* The time that we need ourselves does not count. */
void call_pause(struct call *call);
void call_resume(struct call *call);

/* --- work.c */

void work_init(struct admin *a);
/* The next slice of all calls at once, without waiting for the loop. Returns whether more is to be
 * done. */
bool work_turn(struct admin *a);
/* Lets all calls be answered, or end where they are. */
void work_stop(struct admin *a);
/* Renders the response's stream, which response_stream has begun. */
void work_stream(struct call *call);
/* The call is over. */
void work_over(struct call *call);
/* The response to a stream that is not done. NULL without memory. */
struct MHD_Response *work_response(struct call *call);
/* What was set is set at once. */
void work_settle(struct admin *a);
/* Continues with then when what was set has reached all connections, and the run's phase has begun
 * or the run ended, if that was asked for. */
void work_when_settled(struct call *call, void (*then)(struct call *call));

/* Of a stream, from inside more(): there is nothing to render before work_unpark. */
void work_park(struct call *call);
void work_unpark(struct call *call);

/* --- waiting.c */

void waiting_init(struct admin *a);
/* From inside more(), as work_park: until the run's ledger has another event, or that time, or the
 * caller has gone. Returns 0, or -errno: then more() is to do without. */
int waiting_park(struct call *call, int64_t until);
/* The same whatever the ledger has. */
int waiting_rest(struct call *call, int64_t until);
/* Nothing is waited for any more: the call is to be answered with what there is. */
bool waiting_is_over(const struct call *call);
/* Lets all waiting calls be answered. */
void waiting_wake_all(struct admin *a);
/* Of the one that has waited longest, whose caller it returns; NULL: none waits. */
struct caller *waiting_wake_first(struct admin *a);
/* The call is over: what it waited with goes. */
void waiting_forget(struct call *call);
/* Reads ?wait; *until: TIME_NONE without it. Returns 0, or BAD_INPUT with the call answered. */
int waiting_read(struct call *call, int64_t *until);

/* --- events.c */

void events_free(struct page *page);

/* --- calls_modes.c: what is made once, and anew when the catalogue has changed */

/* Whether rows are missing, and there was memory so far; head is put before the first. */
bool calls_cache_begin(struct cache *cache, const struct catalogue *c, const char *head);
/* Appends one, with a comma between two; takes the reference. NULL: there was no memory for it. */
void calls_cache_row(struct cache *cache, json_t *row);
/* All rows are there: appends the whole text to out. Without memory out has failed. */
void calls_cache_end(struct cache *cache, const char *tail, struct buf *out);
/* Says in a row whether this machine can do what it is about, by what compiling that returned.
 * Returns false without memory. */
bool calls_cache_row_available(json_t *row, int compiled, const struct refusal *why);

/* --- what the rows of routes.c do: calls_*.c and events.c */

void calls_index(struct call *call);
void calls_problem(struct call *call);
void calls_health(struct call *call);
void calls_capabilities(struct call *call);
void calls_ca_pem(struct call *call);
void calls_ca_der(struct call *call);
void calls_openapi(struct call *call);
void calls_modes(struct call *call);
void calls_mode_file(struct call *call);
void calls_put_mode_file(struct call *call);
void calls_delete_mode_file(struct call *call);
void calls_language(struct call *call);
void calls_mode(struct call *call);
void calls_put_mode(struct call *call);
void calls_patch_run(struct call *call);
void calls_cases(struct call *call);
void calls_case(struct call *call);
void calls_suites(struct call *call);
void calls_suite(struct call *call);
void calls_connections(struct call *call);
void calls_connection(struct call *call);
void calls_do(struct call *call);
void calls_do_each(struct call *call);
void calls_reset(struct call *call);
void calls_runs(struct call *call);
void calls_post_run(struct call *call);
void calls_run(struct call *call);
void calls_delete_run(struct call *call);
void calls_mark(struct call *call);
void calls_mark_by_name(struct call *call);
void calls_phase(struct call *call);
void calls_reports(struct call *call);
void calls_command(struct call *call);
void calls_quiet(struct call *call);
void calls_verdict(struct call *call);
void calls_calls(struct call *call);
void calls_checks(struct call *call);
void calls_metrics(struct call *call);
void calls_events(struct call *call);
