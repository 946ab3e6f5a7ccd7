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

static struct answer *begin(struct call *call, int status, const char *type)
{
    struct answer *answer = &call->answer;
    work_over(call);
    answer->stream.more = NULL;
    answer->status = status;
    answer->type = type;
    buf_free(&answer->fields);
    answer->body.start = answer->body.end = 0;
    answer->body.failed = false;
    answer->fixed = NULL;
    return answer;
}

void answer_json(struct call *call, int status, json_t *value)
{
    struct answer *answer = begin(call, status, TYPE_JSON);
    json_write(&answer->body, value);
    buf_text(&answer->body, "\n");
    json_decref(value);
}

struct buf *answer_text(struct call *call, int status, const char *type)
{
    return &begin(call, status, type)->body;
}

void answer_bytes(struct call *call, const char *type, const void *bytes, size_t n)
{
    buf_add(&begin(call, 200, type)->body, bytes, n);
}

void answer_fixed(struct call *call, const char *type, const void *bytes, size_t n)
{
    struct answer *answer = begin(call, 200, type);
    answer->fixed = bytes;
    answer->fixed_len = n;
}

void answer_empty(struct call *call, int status)
{
    begin(call, status, NULL);
}

void answer_stream(struct call *call, const char *type, answer_more more,
                   void (*over)(struct call *call))
{
    struct answer *answer = begin(call, 200, type);
    answer->stream = (struct stream){ .more = more, .over = over };
    link_init(&answer->stream.link);
    work_stream(call);
}

void answer_problem(struct call *call, enum problem problem, const struct refusal *why)
{
    struct answer *answer = begin(call, problem_row(problem)->status, TYPE_PROBLEM);
    problem_write(&answer->body, problem, why);
}

void answer_refuse(struct call *call, enum problem problem, const char *where, const char *allowed,
                   const char *what, ...)
{
    char text[sizeof((struct refusal *)0)->what];
    struct refusal why;
    va_list args;
    va_start(args, what);
    vsnprintf(text, sizeof text, what, args);
    va_end(args);
    refuse(&why, where, allowed, "%s", text);
    answer_problem(call, problem, &why);
}

void answer_outcome(struct call *call, int outcome, const struct refusal *why)
{
    switch (outcome) {
    case BAD_INPUT:
        answer_problem(call, PROBLEM_VALUE, why);
        break;
    case MODE_UNKNOWN:
        answer_problem(call,
                       strncmp(why->where, "$.case", 6) == 0 ? PROBLEM_UNKNOWN_CASE
                                                             : PROBLEM_UNKNOWN_MODE,
                       why);
        break;
    case MODE_UNAVAILABLE:
    case MODE_NOT_HERE:
        answer_problem(call, PROBLEM_UNAVAILABLE, why);
        break;
    case RUN_NO_CONNECTION:
        answer_refuse(call, PROBLEM_NO_CONNECTION, call->target.path,
                      "an id that GET /v1/connections lists",
                      "no live connection has this id; the ledger says how it ended");
        break;
    case -ENOMEM:
        answer_refuse(call, PROBLEM_NO_MEMORY, "", "", "the server is out of memory");
        break;
    default:
        answer_refuse(call, PROBLEM_FAILED, "", "", "%s",
                      outcome < 0 ? strerror(-outcome) : "unexpected");
        break;
    }
}

void answer_field(struct call *call, const char *name, const char *value)
{
    struct buf *fields = &call->answer.fields;
    buf_add(fields, name, strlen(name) + 1);
    buf_add(fields, value, strlen(value) + 1);
}

static bool add_fields(struct MHD_Response *response, const struct buf *fields)
{
    const char *all = (const char *)buf_bytes(fields);
    for (size_t at = 0; at < buf_len(fields);) {
        const char *name = all + at, *value = name + strlen(name) + 1;
        if (!MHD_add_response_header(response, name, value))
            return false;
        at = (size_t)(value + strlen(value) + 1 - all);
    }
    return true;
}

static bool add_headers(struct MHD_Response *response, const struct answer *answer)
{
    return (!answer->type || MHD_add_response_header(response, "Content-Type", answer->type)) &&
           add_fields(response, &answer->fields) &&
           MHD_add_response_header(response, "Cache-Control", "no-store") &&
           MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
}

/* The body's memory goes to libmicrohttpd. */
static struct MHD_Response *whole_response(struct answer *answer)
{
    struct buf *body = &answer->body;
    struct MHD_Response *response = MHD_create_response_from_buffer(
        buf_len(body), body->data, body->data ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
    if (response)
        memset(body, 0, sizeof *body);
    return response;
}

/* NULL without memory. */
static struct MHD_Response *make_response(struct call *call)
{
    struct answer *answer = &call->answer;
    struct MHD_Response *response;
    if (answer->body.failed || answer->fields.failed)
        return NULL;
    if (answer->stream.more && !answer->stream.done)
        response = work_response(call);
    else if (answer->fixed)
        response = MHD_create_response_from_buffer(answer->fixed_len, (void *)answer->fixed,
                                                   MHD_RESPMEM_PERSISTENT);
    else
        response = whole_response(answer);
    if (response && !add_headers(response, answer)) {
        MHD_destroy_response(response);
        return NULL;
    }
    return response;
}

enum MHD_Result answer_send(struct call *call)
{
    struct MHD_Response *response = make_response(call);
    call_allow(call, call_patience.answer);
    if (!response)
        return MHD_queue_response(call->mhd, 503, call->admin->no_memory);
    enum MHD_Result result = MHD_queue_response(call->mhd, (unsigned)call->answer.status, response);
    MHD_destroy_response(response);
    return result;
}

void answer_free(struct answer *answer)
{
    buf_free(&answer->fields);
    buf_free(&answer->body);
}
