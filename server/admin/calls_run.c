/* calls_run.c - the default run and its live connections. */
#include "admin/call.h"
#include "mode/mode.h"
#include "run/run.h"

/* How many events of each kind the ledger has dropped, of those of which it has. */
static json_t *dropped_by(const struct ledger *l)
{
    json_t *by = json_object();
    for (enum ledger_event event = 0; by && event < EV_COUNT; event++) {
        json_int_t count = (json_int_t)ledger_dropped_of(l, event);
        if (!count || json_object_set_new(by, ledger_event_name(event), json_integer(count)) == 0)
            continue;
        json_decref(by);
        by = NULL;
    }
    return by;
}

/* As GET /v1/mode, with more. NULL without memory. */
static json_t *describe_run(struct run *of)
{
    const struct ledger *l = run_ledger(of);
    json_auto_t *mode = run_mode(of);
    json_t *run = json_pack("{s:s}", "id", "default");
    json_t *rest = json_pack("{s:I, s:{s:I, s:I, s:I, s:o}}", "connections",
                             (json_int_t)run_connection_count(of), "ledger", "first",
                             (json_int_t)ledger_first(l), "last", (json_int_t)ledger_last(l),
                             "dropped", (json_int_t)ledger_dropped(l), "dropped_by", dropped_by(l));
    bool whole = run && mode && rest && json_object_update(run, mode) == 0 &&
                 json_object_update(run, rest) == 0;
    json_decref(rest);
    if (whole)
        return run;
    json_decref(run);
    return NULL;
}

void calls_run(struct call *call)
{
    response_json(call, 200, describe_run(call->run));
}

static void reset(struct call *call)
{
    int rc = run_reset(call->run);
    if (rc)
        response_outcome(call, rc, NULL);
    else
        work_when_settled(call, calls_run);
}

void calls_reset(struct call *call)
{
    work_when_settled(call, reset);
}

void calls_mark(struct call *call)
{
    json_t *mark;
    const struct input_member members[] = { { "mark", JSON_STRING, true, false, &mark }, { 0 } };
    if (input_members(call, members))
        return;
    struct refusal why = { 0 };
    uint64_t seq = 0;
    unsigned rules = 0;
    int rc = run_mark(call->run, json_string_value(mark), call->begun_at, &seq, &rules, &why);
    if (rc)
        response_outcome(call, rc, &why);
    else
        response_json(call, 201,
                      json_pack("{s:O, s:I, s:i}", "mark", mark, "seq", (json_int_t)seq, "rules",
                                (int)rules));
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
    const struct input_member members[] = { { "do", JSON_ARRAY, true, false, &steps }, { 0 } };
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
