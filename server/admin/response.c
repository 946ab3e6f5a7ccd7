#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/call.h"
#include "base/json.h"
#include "mode/mode.h"
#include "run/run.h"

#define TYPE_JSON    "application/json"
#define TYPE_PROBLEM "application/problem+json"

static struct call_response *begin(struct call *call, int status, const char *type)
{
    struct call_response *response = &call->response;
    work_over(call);
    response->stream.more = NULL;
    response->status = status;
    response->type = type;
    buf_free(&response->fields);
    response->body.start = response->body.end = 0;
    response->body.failed = false;
    response->fixed = NULL;
    return response;
}

void response_json(struct call *call, int status, json_t *value)
{
    struct call_response *response = begin(call, status, TYPE_JSON);
    json_write(&response->body, value);
    buf_text(&response->body, "\n");
    json_decref(value);
}

struct buf *response_text(struct call *call, int status, const char *type)
{
    return &begin(call, status, type)->body;
}

void response_bytes(struct call *call, const char *type, const void *bytes, size_t n)
{
    buf_add(&begin(call, 200, type)->body, bytes, n);
}

void response_fixed(struct call *call, const char *type, const void *bytes, size_t n)
{
    struct call_response *response = begin(call, 200, type);
    response->fixed = bytes;
    response->fixed_len = n;
}

void response_empty(struct call *call, int status)
{
    begin(call, status, NULL);
}

void response_stream(struct call *call, const char *type, response_more more,
                     void (*over)(struct call *call))
{
    struct call_response *response = begin(call, 200, type);
    response->stream = (struct stream){ .more = more, .over = over };
    link_init(&response->stream.link);
    work_stream(call);
}

void response_problem(struct call *call, enum problem problem, const struct refusal *why)
{
    struct call_response *response = begin(call, problem_row(problem)->status, TYPE_PROBLEM);
    problem_write(&response->body, problem, why);
}

void response_refuse(struct call *call, enum problem problem, const char *where,
                     const char *allowed, const char *what, ...)
{
    char text[sizeof((struct refusal *)0)->what];
    struct refusal why;
    va_list args;
    va_start(args, what);
    vsnprintf(text, sizeof text, what, args);
    va_end(args);
    refuse(&why, where, allowed, "%s", text);
    response_problem(call, problem, &why);
}

void response_outcome(struct call *call, int outcome, const struct refusal *why)
{
    switch (outcome) {
    case BAD_INPUT:
        response_problem(call, PROBLEM_VALUE, why);
        break;
    case MODE_UNKNOWN:
        response_problem(call,
                         strncmp(why->where, "$.case", 6) == 0 ? PROBLEM_UNKNOWN_CASE
                                                               : PROBLEM_UNKNOWN_MODE,
                         why);
        break;
    case MODE_UNAVAILABLE:
    case MODE_NOT_HERE:
        response_problem(call, PROBLEM_UNAVAILABLE, why);
        break;
    case RUN_NO_CONNECTION:
        response_refuse(call, PROBLEM_NO_CONNECTION, call->target.path,
                        "an id that GET /v1/connections lists",
                        "no live connection has this id; the ledger says how it ended");
        break;
    case TRIAL_NO_PORT:
        response_problem(call, PROBLEM_NO_PORT, why);
        break;
    case TRIAL_TOO_MANY:
        response_problem(call, PROBLEM_TOO_MANY, why);
        break;
    case TRIAL_ENDED:
        response_refuse(call, PROBLEM_RUN_ENDED, call->target.path,
                        "a run whose state is \"running\"", "the run has ended");
        break;
    case -EMFILE:
    case -ENFILE:
        response_refuse(call, PROBLEM_NO_DESCRIPTOR, "", "fewer connections, or a higher limit",
                        "no file descriptor is left");
        break;
    case -ENOMEM:
        response_refuse(call, PROBLEM_NO_MEMORY, "", "", "the server is out of memory");
        break;
    default:
        response_refuse(call, PROBLEM_FAILED, "", "", "%s",
                        outcome < 0 ? strerror(-outcome) : "unexpected");
        break;
    }
}

void response_field(struct call *call, const char *name, const char *value)
{
    struct buf *fields = &call->response.fields;
    buf_add(fields, name, strlen(name) + 1);
    buf_add(fields, value, strlen(value) + 1);
}

static bool add_fields(struct MHD_Response *made, const struct buf *fields)
{
    const char *all = (const char *)buf_bytes(fields);
    for (size_t at = 0; at < buf_len(fields);) {
        const char *name = all + at, *value = name + strlen(name) + 1;
        if (!MHD_add_response_header(made, name, value))
            return false;
        at = (size_t)(value + strlen(value) + 1 - all);
    }
    return true;
}

static bool add_headers(struct MHD_Response *made, const struct call_response *response)
{
    return (!response->type || MHD_add_response_header(made, "Content-Type", response->type)) &&
           add_fields(made, &response->fields) &&
           MHD_add_response_header(made, "Cache-Control", "no-store") &&
           MHD_add_response_header(made, "X-Content-Type-Options", "nosniff");
}

/* The body's memory goes to libmicrohttpd. */
static struct MHD_Response *whole_response(struct call_response *response)
{
    struct buf *body = &response->body;
    struct MHD_Response *made = MHD_create_response_from_buffer(
        buf_len(body), body->data, body->data ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
    if (made)
        memset(body, 0, sizeof *body);
    return made;
}

/* NULL without memory. */
static struct MHD_Response *make_response(struct call *call)
{
    struct call_response *response = &call->response;
    struct MHD_Response *made;
    if (response->body.failed || response->fields.failed)
        return NULL;
    if (response->stream.more && !response->stream.done)
        made = work_response(call);
    else if (response->fixed)
        made = MHD_create_response_from_buffer(response->fixed_len, (void *)response->fixed,
                                               MHD_RESPMEM_PERSISTENT);
    else
        made = whole_response(response);
    if (made && !add_headers(made, response)) {
        MHD_destroy_response(made);
        return NULL;
    }
    return made;
}

enum MHD_Result response_send(struct call *call)
{
    struct MHD_Response *made = make_response(call);
    call_allow(call, call_patience.response);
    if (!made)
        return MHD_queue_response(call->mhd, 503, call->admin->no_memory);
    enum MHD_Result result = MHD_queue_response(call->mhd, (unsigned)call->response.status, made);
    MHD_destroy_response(made);
    return result;
}

void response_free(struct call_response *response)
{
    buf_free(&response->fields);
    buf_free(&response->body);
}
