/* admin.c - the API's life, its callers, and the way of a call through it (see call.h).
 *
 * libmicrohttpd reads requests and writes responses; the request target comes from its URI
 * callback, which gives it as sent, before libmicrohttpd has decoded it. Slow callers are ended by
 * a deadline of ours for each connection, because libmicrohttpd's own starts anew with every byte.
 */
#include "admin/admin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "admin/call.h"
#include "admin/relay.h"
#include "base/clock.h"
#include "base/descriptors.h"
#include "base/duration.h"
#include "base/limits.h"
#include "base/log.h"
#include "engine/mhd_loop.h"
#include "wire/listener.h"

#define CALLERS_MAX       256
#define QUIET             NS_PER_S    /* a request of such a caller is not on its way */
#define CONNECTION_MEMORY (32 * 1024) /* bounds the header section, too */
#define CA_MAX            (64 * 1024)
#define HURRY             NS_PER_MS
#define LOOK              (100 * NS_PER_MS) /* at what came, before a caller is cut off */
#define STOP_STEP         (5 * NS_PER_MS)
#define LAST_TURNS        4 /* of the daemon, for calls to end */

struct call_patience call_patience = {
    .request = 10 * NS_PER_S,
    .response = 60 * NS_PER_S,
    .idle = 120 * NS_PER_S,
    .stop = 2 * NS_PER_S,
    .follow = 10 * NS_PER_S,
};

/* --- Callers */

static void caller_allow(struct caller *caller, int64_t span)
{
    caller->overdue = false;
    timer_at(&caller->deadline, span == DURATION_NEVER ? TIME_NONE : clock_now() + span);
}

static void listen_to(struct admin *a, struct caller *caller, int64_t span)
{
    caller->listening = true;
    caller->listening_since = clock_now();
    link_remove(&caller->link);
    link_append(&a->callers, &caller->link);
    caller_allow(caller, span);
}

void call_allow(struct call *call, int64_t span)
{
    call->caller->listening = false;
    caller_allow(call->caller, span);
}

void call_pause(struct call *call)
{
    struct caller *caller = call->caller;
    caller->left = timer_armed(&caller->deadline) ? caller->deadline.due - clock_now() : 0;
    timer_cancel(&caller->deadline);
}

void call_resume(struct call *call)
{
    if (call->caller->left)
        caller_allow(call->caller, call->caller->left);
    call->caller->left = 0;
}

static void end_caller(struct admin *a, struct caller *caller)
{
    if (caller->relay)
        relay_drop(caller->relay);
    shutdown(caller->fd, SHUT_RDWR);
    mhd_loop_run(a->mhd);
}

/* It was answered, and has the response; and nothing of another request waits to be read. */
static bool is_quiet(const struct caller *caller)
{
    return caller->listening && (!caller->relay || relay_is_quiet(caller->relay));
}

/* The one that has been quiet for longest, and for so long; NULL: there is none. */
static struct caller *quietest(struct admin *a, int64_t span)
{
    int64_t now = clock_now();
    for (struct link *i = a->callers.next; i != &a->callers; i = i->next) {
        struct caller *caller = link_entry(i, struct caller, link);
        if (caller->listening && now - caller->listening_since < span)
            return NULL;
        if (is_quiet(caller))
            return caller;
    }
    return NULL;
}

static bool is_there(const struct admin *a, const struct caller *caller)
{
    const struct link *i = a->callers.next;
    while (i != &a->callers && i != &caller->link)
        i = i->next;
    return i != &a->callers;
}

/* What has come is answered, as far as it goes in a short time. */
static void response_now(struct admin *a)
{
    int64_t until = clock_now() + HURRY;
    bool more;
    relay_move_all(&a->relays);
    mhd_loop_run(a->mhd);
    do {
        more = work_turn(a);
        mhd_loop_run(a->mhd);
    } while (more && clock_now() < until);
    relay_move_all(&a->relays);
}

/* A place for a new caller, who may be the health check: of those that have one it is who was
 * answered and does not leave, or is quiet, or waits for events, and is answered now; the longest
 * first. Then it is who does not take its response. Returns whether there is one. */
static bool make_place(void *owner)
{
    struct admin *a = owner;
    struct caller *caller;
    unsigned before = a->caller_count;
    response_now(a);
    if (relay_drop_answered(&a->relays) || a->caller_count < before)
        return true;
    caller = quietest(a, QUIET);
    if (!caller && (caller = waiting_wake_first(a))) {
        response_now(a);
        if (a->caller_count < before)
            return true;
        if (!is_there(a, caller) || !is_quiet(caller))
            caller = NULL;
    }
    if (caller || (caller = quietest(a, 0)))
        end_caller(a, caller);
    else if (relay_drop_stuck(&a->relays, QUIET))
        mhd_loop_run(a->mhd);
    return a->caller_count < before;
}

/* Timers come before what is to be read, and this process may not have run for a while. */
static void deadline_reached(struct timer *m, int64_t late)
{
    struct caller *caller = link_entry(m, struct caller, deadline);
    if (!caller->overdue || late >= LOOK) {
        caller->overdue = true;
        timer_at(m, clock_now() + LOOK);
        return;
    }
    if (caller->follows)
        caller->admin->dropped_readers++;
    caller->follows = false;
    /* libmicrohttpd sees the end of the connection and closes it. */
    shutdown(caller->fd, SHUT_RDWR);
}

static void on_connection(void *arg, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct admin *admin = arg;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        int fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        struct caller *caller = calloc(1, sizeof *caller);
        if (!caller) {
            shutdown(fd, SHUT_RDWR);
            return;
        }
        caller->admin = admin;
        caller->fd = fd;
        caller->deadline.reached = deadline_reached;
        link_init(&caller->link);
        relay_tell_end(admin->adding, &caller->relay);
        admin->caller_count++;
        listen_to(admin, caller, call_patience.request);
        *context = caller;
    } else if (*context) {
        struct caller *caller = *context;
        timer_cancel(&caller->deadline);
        if (caller->relay)
            relay_leave(caller->relay);
        link_remove(&caller->link);
        admin->caller_count--;
        free(caller);
        *context = NULL;
    }
}

static void on_accepted(void *owner, int fd, const struct sockaddr *peer, socklen_t len)
{
    static struct log_gate gate;
    struct admin *a = owner;
    int inner, rc;
    if (a->caller_count >= CALLERS_MAX && !make_place(a)) {
        log_sometimes(&gate, LOG_WARN,
                      "admin: a connection was turned away: %u calls are being answered already",
                      a->caller_count);
        close(fd);
        return;
    }
    do
        rc = relay_start(a->loop, fd, &a->relays, &a->adding, &inner);
    while (rc == -EMFILE && (make_place(a) || descriptors_make_room()));
    if (rc)
        close(fd);
    else
        rc = mhd_loop_add(a->mhd, inner, peer, len); /* closes inner when it fails */
    if (rc)
        log_sometimes(&gate, LOG_WARN, "admin: a connection was turned away: %s", strerror(-rc));
}

/* --- Calls */

static void call_destroy(struct call *call)
{
    if (!call)
        return;
    waiting_forget(call);
    work_over(call);
    events_free(&call->page);
    trial_unref(call->trial);
    json_decref(call->json);
    buf_free(&call->body);
    response_free(&call->response);
    free(call->text);
    free(call);
}

/* The request line has come. Without memory there is no call, and the connection is closed. */
static void *on_request_line(void *arg, const char *target, struct MHD_Connection *mhd)
{
    struct caller *caller =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    struct call *call = caller ? calloc(1, sizeof *call) : NULL;
    if (!call || !(call->text = strdup(target))) {
        free(call);
        return NULL;
    }
    call->admin = arg;
    call->begun_at = clock_now();
    call->mhd = mhd;
    call->caller = caller;
    listen_to(arg, caller, call_patience.request);
    return call;
}

static void on_completed(void *arg, struct MHD_Connection *mhd, void **context,
                         enum MHD_RequestTerminationCode code)
{
    struct call *call = *context;
    if (!call)
        return;
    call->caller->follows = false;
    listen_to(call->admin, call->caller, call_patience.idle);
    call_destroy(call);
    *context = NULL;
}

static enum MHD_Result collect_field(void *arg, enum MHD_ValueKind kind, const char *name,
                                     const char *value)
{
    struct guard_request *r = arg;
    const struct {
        const char *name;
        const char **value;
    } rows[] = {
        { "host", &r->host },
        { "origin", &r->origin },
        { "sec-fetch-site", &r->fetch_site },
        { "authorization", &r->authorization },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strcasecmp(rows[i].name, name) != 0)
            continue;
        r->repeated |= *rows[i].value != NULL;
        *rows[i].value = value ? value : "";
    }
    return MHD_YES;
}

static bool pass_guard(struct call *call)
{
    struct refusal why;
    struct guard_request r = { .authority = call->target.authority,
                               .authority_len = call->target.authority_len };
    MHD_get_connection_values(call->mhd, MHD_HEADER_KIND, collect_field, &r);
    int status = guard_check(&call->admin->guard, &r, call->route && call->route->open, &why);
    if (!status)
        return true;
    response_problem(call,
                     problem_of_status(status) == PROBLEM_VALUE ? PROBLEM_FIELD
                                                                : problem_of_status(status),
                     &why);
    if (status == 401)
        response_field(call, "WWW-Authenticate", "Bearer realm=\"hangup\"");
    return false;
}

/* There is no row for this method and path; allow lists other methods. */
static void refuse_route(struct call *call, const char *method, const char *allow)
{
    if (!allow[0]) {
        response_refuse(call, PROBLEM_NO_CALL, call->target.path, "a path that GET /v1 lists",
                        "there is no such call");
        return;
    }
    if (strcmp(method, "OPTIONS") == 0)
        response_empty(call, 204);
    else
        response_refuse(call, PROBLEM_METHOD, call->target.path, allow,
                        "this call has no such method");
    response_field(call, "Allow", allow);
}

const char *call_arg(const struct call *call, const char *name)
{
    return routes_arg(call->route->path, &call->args, name);
}

static uint64_t declared_length(const struct call *call)
{
    const char *text = MHD_lookup_connection_value(call->mhd, MHD_HEADER_KIND, "Content-Length");
    return text ? strtoull(text, NULL, 10) : 0;
}

static bool has_body(const struct call *call)
{
    return declared_length(call) > 0 ||
           MHD_lookup_connection_value(call->mhd, MHD_HEADER_KIND, "Transfer-Encoding");
}

/* A form or text/plain is all that a browser sends to another site without asking first. */
static bool check_content_type(struct call *call)
{
    const char *type = MHD_lookup_connection_value(call->mhd, MHD_HEADER_KIND, "Content-Type");
    if (call->route->body == BODY_NONE || (!type && !has_body(call)))
        return true;
    size_t len = type ? strcspn(type, "; \t") : 0;
    if (call->route->body == BODY_LINES && len == 20 &&
        strncasecmp(type, "application/x-ndjson", len) == 0)
        return true;
    if (len == 16 && strncasecmp(type, "application/json", len) == 0)
        return true;
    if (len == 28 && strncasecmp(type, "application/merge-patch+json", len) == 0 &&
        strcmp(call->route->method, "PATCH") == 0)
        return true;
    response_refuse(call, PROBLEM_NOT_JSON, "Content-Type",
                    call->route->body == BODY_LINES
                        ? "application/x-ndjson"
                        : "application/json (curl: -H 'content-type: application/json')",
                    "this call takes JSON");
    return false;
}

static void refuse_body(struct call *call)
{
    response_refuse(call, PROBLEM_TOO_LARGE, "body", "at most 256 KiB", "the body is too large");
}

/* The run that its path names. Returns false with the call answered: there is none. */
static bool find_run(struct call *call)
{
    const struct trials *trials = call->admin->trials;
    const char *id = call->route->about_run ? call_arg(call, "run") : NULL;
    struct trial *found = id ? trials_find(trials, id) : trials_default(trials);
    if (!found) {
        bool had = trials_had(trials, id);
        response_refuse(call, had ? PROBLEM_RUN_GONE : PROBLEM_NO_RUN, call->target.path,
                        "a run that GET /v1/runs lists",
                        had ? "the run has ended, and what was kept of it is gone"
                            : "there is no such run");
        return false;
    }
    call->trial = trial_ref(found);
    return true;
}

/* It may have ended since the call was continued last. Returns false with the call answered. */
static bool look_at_run(struct call *call)
{
    call->run = call->trial ? trial_run(call->trial) : NULL;
    if (call->run || call->route->about_run != RUN_LIVE)
        return true;
    response_refuse(call, PROBLEM_RUN_ENDED, call->target.path, "a run whose state is \"running\"",
                    "the run has ended");
    return false;
}

/* Its header section is complete: anything that can be refused by it is, now. */
static void examine(struct call *call, const char *method)
{
    if (target_parse(method, call->text, &call->target)) {
        response_refuse(call, PROBLEM_TARGET, "target", "a path that GET /v1 lists",
                        "the request target is no path");
        return;
    }
    char allow[ROUTE_ALLOW_SIZE];
    call->route = routes_find(method, call->target.path, &call->args, allow);
    if (!pass_guard(call))
        return;
    if (!call->route)
        refuse_route(call, method, allow);
    else if (check_content_type(call) && input_check_query(call) == 0 && find_run(call) &&
             declared_length(call) > CALL_BODY_MAX)
        refuse_body(call);
}

/* MHD_NO closes the connection. */
static enum MHD_Result take_body(struct call *call, const char *bytes, size_t n)
{
    call->body_len += n;
    if (call->body_len > LIMIT_DROPPED)
        return MHD_NO;
    if (call->response.status)
        return MHD_YES;
    if (call->body_len > CALL_BODY_MAX)
        refuse_body(call);
    else if (buf_add(&call->body, bytes, n))
        response_outcome(call, -ENOMEM, NULL);
    return MHD_YES;
}

/* Its body is complete, or it was woken, or resumed. */
static void perform(struct call *call)
{
    if (!look_at_run(call))
        return;
    if (call->then) {
        void (*then)(struct call * call) = call->then;
        call->then = NULL;
        then(call);
        return;
    }
    if (call->route->body == BODY_JSON && !call->json) {
        if (input_json(call))
            return;
    } else if (call->route->body == BODY_NONE && call->body_len && !input_is_empty_object(call)) {
        response_refuse(call, PROBLEM_BODY, "body", "none, or {}", "this call takes no body");
        return;
    }
    call->route->perform(call);
}

static enum MHD_Result on_call(void *arg, struct MHD_Connection *mhd, const char *url,
                               const char *method, const char *version, const char *bytes,
                               size_t *n, void **context)
{
    struct call *call = *context;
    if (!call)
        return MHD_NO;
    if (!call->examined) {
        call->examined = true;
        examine(call, method);
        /* A response may be lost behind a body that nobody reads; so may this one. */
        return declared_length(call) > LIMIT_DROPPED ? response_send(call) : MHD_YES;
    }
    if (*n) {
        enum MHD_Result result = take_body(call, bytes, *n);
        *n = 0;
        return result;
    }
    if (!call->response.status) {
        call_allow(call, DURATION_NEVER); /* from here on it is our time */
        perform(call);
    }
    return call->suspended ? MHD_YES : response_send(call);
}

/* --- Life */

static int read_ca(const char *path, struct file *out, struct refusal *why)
{
    return path ? file_take(NULL, path, CA_MAX, FILE_REGULAR, "", out, why) : 0;
}

static int make_no_memory(struct admin *a)
{
    static char text[] =
        "{\"type\":\"/problems/out-of-memory\",\"title\":\"Out of memory\",\"status\":503,"
        "\"detail\":\"The server is out of memory.\"}\n";
    a->no_memory = MHD_create_response_from_buffer(sizeof text - 1, text, MHD_RESPMEM_PERSISTENT);
    return a->no_memory &&
                   MHD_add_response_header(a->no_memory, "Content-Type", "application/problem+json")
               ? 0
               : -ENOMEM;
}

static int start_daemon(struct admin *a)
{
    const struct MHD_OptionItem options[] = {
        { MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)on_request_line, a },
        { MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)on_completed, a },
        { MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)on_connection, a },
        /* make_place() sees to it that there is room: libmicrohttpd would refuse the newcomer, and
         * say ENFILE. */
        { MHD_OPTION_CONNECTION_LIMIT, 2 * CALLERS_MAX, NULL },
        { MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY, NULL },
        { MHD_OPTION_END, 0, NULL },
    };
    return mhd_loop_start(a->loop, MHD_ALLOW_SUSPEND_RESUME, on_call, a, options, &a->mhd);
}

static void destroy(struct admin *a)
{
    timer_cancel(&a->work);
    if (a->no_memory)
        MHD_destroy_response(a->no_memory);
    guard_finish(&a->guard);
    file_free(&a->ca_pem);
    file_free(&a->ca_der);
    buf_free(&a->modes.text);
    buf_free(&a->cases.text);
    buf_free(&a->language.text);
    free(a);
}

int admin_start(const struct admin_config *config, struct admin **out, struct refusal *why)
{
    struct admin *a = calloc(1, sizeof *a);
    if (!a)
        return -ENOMEM;
    link_init(&a->callers);
    link_init(&a->relays);
    a->loop = config->loop;
    a->trials = config->trials;
    a->catalogue = config->catalogue;
    waiting_init(a);
    work_init(a);
    int rc = guard_init(&a->guard, config->token, config->names, config->name_count, why);
    if (!rc)
        rc = read_ca(config->ca_pem, &a->ca_pem, why);
    if (!rc)
        rc = read_ca(config->ca_der, &a->ca_der, why);
    if (!rc)
        rc = make_no_memory(a);
    if (!rc)
        rc = start_daemon(a);
    if (!rc)
        rc = listener_open(a->loop, "admin", config->address, on_accepted, a, &a->listener, why);
    if (rc) {
        mhd_loop_stop(a->mhd);
        destroy(a);
        return rc;
    }
    listener_reserve(a->listener, make_place);
    const char *address;
    for (unsigned i = 0; (address = listener_address(a->listener, i)); i++)
        guard_bound(&a->guard, address);
    *out = a;
    return 0;
}

struct listener *admin_listener(struct admin *a)
{
    return a->listener;
}

/* Nobody is there any more, or is waited for. */
static void finish(struct admin *a)
{
    void (*stopped)(void *arg) = a->stopped;
    void *arg = a->stopped_arg;
    a->over = true;
    waiting_wake_all(a);
    work_stop(a);
    for (int i = 0; i < LAST_TURNS; i++)
        mhd_loop_run(a->mhd);
    mhd_loop_stop(a->mhd);
    relay_stop_all(&a->relays);
    destroy(a);
    stopped(arg);
}

/* Who has been answered leaves. */
static void stop_due(struct timer *m, int64_t late)
{
    struct admin *a = link_entry(m, struct admin, stop);
    struct caller *caller;
    mhd_loop_run(a->mhd);
    while ((caller = quietest(a, 0))) {
        unsigned before = a->caller_count;
        end_caller(a, caller);
        if (a->caller_count == before)
            break;
    }
    relay_drop_answered(&a->relays);
    if (link_empty(&a->relays) || clock_now() >= a->stop_at)
        finish(a);
    else
        timer_at(m, clock_now() + STOP_STEP);
}

void admin_stop(struct admin *a, void (*stopped)(void *arg), void *arg)
{
    a->stopping = true;
    a->stopped = stopped;
    a->stopped_arg = arg;
    listener_close(a->listener);
    work_settle(a);
    waiting_wake_all(a);
    a->stop.reached = stop_due;
    a->stop_at = clock_now() + call_patience.stop;
    timer_at(&a->stop, clock_now());
}
