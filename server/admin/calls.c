/* calls.c - the way of a call through the API, from its request line to its end (see call.h).
 *
 * libmicrohttpd reads requests and writes responses; the request target comes from its URI
 * callback, which gives it as sent, before libmicrohttpd has decoded it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "admin/call.h"
#include "base/clock.h"
#include "base/duration.h"
#include "base/limits.h"

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

void *calls_on_request_line(void *arg, const char *target, struct MHD_Connection *mhd)
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
    callers_listen_to(arg, caller, call_patience.request);
    return call;
}

void calls_on_completed(void *arg, struct MHD_Connection *mhd, void **context,
                        enum MHD_RequestTerminationCode code)
{
    struct call *call = *context;
    if (!call)
        return;
    call->caller->follows = false;
    callers_listen_to(call->admin, call->caller, call_patience.idle);
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

enum MHD_Result calls_on_call(void *arg, struct MHD_Connection *mhd, const char *url,
                              const char *method, const char *version, const char *bytes, size_t *n,
                              void **context)
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
