/* calls_mode.c - what is in force, and how it is set: a mode for all connections, a plan, or a
 * case, which is a plan that has a name. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "admin/call.h"
#include "mode/cases.h"
#include "run/plan.h"
#include "run/run.h"

/* True when it is set; else the call is answered, and nothing was changed. */
static bool set_from_body(struct call *call, bool patch)
{
    struct refusal why = { 0 };
    int rc = trial_set(call->trial, call->json, patch, &why);
    if (rc)
        response_outcome(call, rc, &why);
    return rc == 0;
}

/* --- The calls */

void calls_mode(struct call *call)
{
    response_json(call, 200, trial_mode(call->trial));
}

static void put_mode(struct call *call)
{
    if (set_from_body(call, false))
        work_when_settled(call, calls_mode);
}

void calls_put_mode(struct call *call)
{
    work_when_settled(call, put_mode);
}

static void patch_run(struct call *call)
{
    bool empty = json_is_object(call->json) && json_object_size(call->json) == 0;
    if (empty || set_from_body(call, true))
        work_when_settled(call, calls_run);
}

void calls_patch_run(struct call *call)
{
    work_when_settled(call, patch_run);
}

/* Can this machine do it? Returns false without memory. */
static bool add_availability(const struct catalogue *c, json_t *row)
{
    struct plan *plan = NULL;
    struct refusal why;
    int rc = plan_compile(c, json_object_get(row, "plan"), 1, 0, &plan, &why);
    plan_unref(plan);
    return calls_cache_row_available(row, rc, &why);
}

static bool more_cases(struct call *call, struct buf *out)
{
    struct admin *a = call->admin;
    if (calls_cache_begin(&a->cases, a->catalogue, "{\"cases\":[") &&
        a->cases.rows < cases_count()) {
        json_t *row = cases_at(a->cases.rows);
        if (row && !add_availability(a->catalogue, row)) {
            json_decref(row);
            row = NULL;
        }
        calls_cache_row(&a->cases, row);
        return true;
    }
    calls_cache_end(&a->cases, "]}\n", out);
    return false;
}

void calls_cases(struct call *call)
{
    response_stream(call, "application/json", more_cases, NULL);
}

static void response_unknown_case(struct call *call, struct refusal *why)
{
    refuse_in(why, call->target.path, NULL);
    response_problem(call, PROBLEM_NO_CASE, why);
}

void calls_case(struct call *call)
{
    json_t *found = NULL;
    struct refusal why = { 0 };
    int rc = cases_get(call_arg(call, "name"), &found, &why);
    if (rc == MODE_UNKNOWN)
        response_unknown_case(call, &why);
    else if (rc)
        response_outcome(call, rc, &why);
    else
        response_json(call, 200, found);
}
