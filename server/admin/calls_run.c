/* calls_run.c - runs: they are made and end, have phases, marks and live connections. */
#include <stdio.h>

#include "admin/call.h"
#include "mode/mode.h"
#include "run/run.h"

#define RUN_PATH_SIZE 96

void calls_run(struct call *call)
{
    response_json(call, 200, trial_json(call->trial));
}

void calls_runs(struct call *call)
{
    json_t *rows = json_array();
    bool whole = rows != NULL;
    for (struct trial *t = NULL; (t = trials_next(call->admin->trials, t));)
        whole = json_array_append_new(rows, trial_json(t)) == 0 && whole;
    response_json(call, 200, whole ? json_pack("{s:O}", "runs", rows) : NULL);
    json_decref(rows);
}

/* A run was made, with its first phase. */
static void made(struct call *call)
{
    char location[RUN_PATH_SIZE];
    snprintf(location, sizeof location, "/v1/runs/%s", trial_id(call->trial));
    response_json(call, 201, trial_json(call->trial));
    response_field(call, "Location", location);
}

void calls_post_run(struct call *call)
{
    struct trial *t;
    struct refusal why = { 0 };
    int rc = trials_add(call->admin->trials, call->json, &t, &why);
    if (rc) {
        response_outcome(call, rc, &why);
        return;
    }
    trial_unref(call->trial);
    call->trial = trial_ref(t);
    work_when_settled(call, made);
}

void calls_delete_run(struct call *call)
{
    if (call->trial == trials_default(call->admin->trials)) {
        response_refuse(call, PROBLEM_DEFAULT_RUN, call->target.path,
                        "POST /v1/reset, which makes it as new",
                        "the default run stays for as long as the server");
        return;
    }
    trial_end(call->trial, REASON_DELETED);
    work_when_settled(call, calls_run);
}

static void reset(struct call *call)
{
    int rc = trial_reset(call->trial);
    if (rc)
        response_outcome(call, rc, NULL);
    else
        work_when_settled(call, calls_run);
}

void calls_reset(struct call *call)
{
    work_when_settled(call, reset);
}

static void mark(struct call *call, const char *name)
{
    struct refusal why = { 0 };
    uint64_t seq = 0;
    unsigned rules = 0;
    int rc = trial_mark(call->trial, name, call->begun_at, &seq, &rules, &why);
    if (rc)
        response_outcome(call, rc, &why);
    else
        response_json(call, 201,
                      json_pack("{s:s, s:I, s:i}", "mark", name, "seq", (json_int_t)seq, "rules",
                                (int)rules));
}

void calls_mark(struct call *call)
{
    json_t *name;
    const struct json_member members[] = { { "mark", JSON_STRING, true, false, &name }, { 0 } };
    if (input_members(call, members) == 0)
        mark(call, json_string_value(name));
}

void calls_mark_by_name(struct call *call)
{
    mark(call, call_arg(call, "name"));
}

static void begin_phase(struct call *call)
{
    json_t *phase;
    struct refusal why = { 0 };
    const struct json_member members[] = { { "phase", JSON_STRING, true, false, &phase }, { 0 } };
    if (input_members(call, members))
        return;
    int64_t word = ledger_word_find(F_PHASE, json_string_value(phase));
    int rc = word < 0
                 ? refuse(&why, "$.phase", "\"control\", \"fault\", \"without\"", "is no phase")
                 : trial_phase(call->trial, (enum ledger_phase)word, &why);
    if (rc)
        response_outcome(call, rc, &why);
    else
        work_when_settled(call, calls_run);
}

void calls_phase(struct call *call)
{
    work_when_settled(call, begin_phase);
}

/* 0, which no connection has, if it is no id. */
static uint64_t id_of(const struct call *call)
{
    uint64_t id = 0;
    for (const char *c = call_arg(call, "id"); *c; c++) {
        if (*c < '0' || *c > '9' || id > UINT64_MAX / 10 - 1)
            return 0;
        id = id * 10 + (uint64_t)(*c - '0');
    }
    return id;
}

static bool more_connections(struct call *call, struct buf *out)
{
    if (!call->page.begun)
        buf_text(out, "{\"connections\":[");
    bool more = run_cursor_write(&call->cursor, call->page.begun ? "," : "", out);
    call->page.begun = true;
    if (!more)
        buf_text(out, "]}\n");
    return more;
}

static void connections_over(struct call *call)
{
    run_cursor_close(&call->cursor);
}

void calls_connections(struct call *call)
{
    run_cursor_open(call->run, &call->cursor);
    response_stream(call, "application/json", more_connections, connections_over);
}

void calls_connection(struct call *call)
{
    struct buf *out = response_text(call, 200, "application/json");
    int rc = run_connection(call->run, id_of(call), out);
    if (rc)
        response_outcome(call, rc, NULL);
    else
        buf_text(out, "\n");
}

void calls_do(struct call *call)
{
    struct run *run = call->run;
    json_t *steps;
    const struct json_member members[] = { { "do", JSON_ARRAY, true, false, &steps }, { 0 } };
    if (input_members(call, members))
        return;
    uint64_t id = id_of(call), since = ledger_last(run_ledger(run));
    struct refusal why = { 0 };
    int rc = run_do(run, id, steps, &why);
    if (rc)
        response_outcome(call, rc, &why);
    else
        response_json(
            call, 200,
            json_pack("{s:I, s:I}", "connection", (json_int_t)id, "since", (json_int_t)since));
}

void calls_do_each(struct call *call)
{
    json_t *steps, *filter, *done;
    const struct json_member members[] = { { "do", JSON_ARRAY, true, false, &steps },
                                           { "where", JSON_OBJECT, false, false, &filter },
                                           { 0 } };
    if (input_members(call, members))
        return;
    uint64_t since = ledger_last(run_ledger(call->run));
    struct refusal why = { 0 };
    int rc = run_do_each(call->run, filter, steps, &done, &why);
    if (rc) {
        response_outcome(call, rc, &why);
        return;
    }
    response_json(call, 200,
                  json_pack("{s:O, s:O, s:I}", "connections", json_object_get(done, "connections"),
                            "skipped", json_object_get(done, "skipped"), "since",
                            (json_int_t)since));
    json_decref(done);
}
