/* calls_mode.c - what is in force, and how it is set: a mode for all connections, a plan, or a
 * case, which is a plan that has a name. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "admin/call.h"
#include "modes/cases.h"
#include "run/plan.h"
#include "run/run.h"

/* The members of a body that sets something; NULL: not there. */
struct setting {
    json_t *mode, *params, *plan, *case_name, *seed, *apply, *time_scale;
};

/* --- Reading it. Each returns 0, or BAD_INPUT with the call answered. */

static int refuse_setting(struct call *call, const char *where, const char *allowed,
                          const char *what)
{
    answer_refuse(call, 400, where, allowed, "%s", what);
    return BAD_INPUT;
}

static int check_which(struct call *call, const struct setting *s)
{
    static const char one[] = "exactly one of mode, plan and case";
    int given = (s->mode != NULL) + (s->plan != NULL) + (s->case_name != NULL);
    if (given > 1)
        return refuse_setting(call, "$", one, "it sets more than one thing");
    if (given == 0 && s->time_scale)
        return refuse_setting(call, "$.time_scale", one,
                              "it is for what is set along with it, and nothing is");
    if (given == 0)
        return refuse_setting(call, "$", one, "it sets nothing");
    if (s->params && !s->mode)
        return refuse_setting(call, "$.params", "params in the entries of a plan",
                              "it goes with \"mode\"");
    if (s->seed && s->mode)
        return refuse_setting(call, "$.seed", "seed with plan or case",
                              "nothing is drawn for a mode alone");
    return 0;
}

static int check_values(struct call *call, const struct setting *s)
{
    if (s->apply) {
        const char *to = json_string_value(s->apply);
        if (strcmp(to, "all") != 0 && strcmp(to, "new") != 0)
            return refuse_setting(call, "$.apply", "\"all\", \"new\"", "is neither");
    }
    if (s->seed) {
        json_int_t seed = json_integer_value(s->seed);
        if (seed < 0 || seed > RUN_SEED_MAX)
            return refuse_setting(call, "$.seed", "a whole number from 0 to 9007199254740992",
                                  "is out of range");
    }
    if (s->time_scale) {
        double scale = json_number_value(s->time_scale);
        if (!(scale >= RUN_SCALE_MIN && scale <= RUN_SCALE_MAX))
            return refuse_setting(call, "$.time_scale", "a number from 0.000001 to 1000000",
                                  "is out of range");
    }
    return 0;
}

static int read_setting(struct call *call, bool with_scale, struct setting *s)
{
    const struct input_member members[] = {
        { "mode", JSON_STRING, false, &s->mode },
        { "params", JSON_OBJECT, false, &s->params },
        { "plan", JSON_ARRAY, false, &s->plan },
        { "case", JSON_STRING, false, &s->case_name },
        { "seed", JSON_INTEGER, false, &s->seed },
        { "apply", JSON_STRING, false, &s->apply },
        { with_scale ? "time_scale" : NULL, JSON_REAL, false, &s->time_scale },
        { 0 },
    };
    *s = (struct setting){ 0 };
    if (input_members(call, members) || check_which(call, s))
        return BAD_INPUT;
    return check_values(call, s);
}

/* --- Doing it */

/* What is refused in a case's plan is said with the case. */
static void in_case(struct refusal *why)
{
    char where[sizeof why->where + 16];
    snprintf(where, sizeof where, "$.case: %s", why->where);
    refuse(why, where, why->allowed, "%s", why->what);
}

static int set_plan(struct run *run, const struct setting *s, enum run_apply apply,
                    struct refusal *why)
{
    uint64_t seed = s->seed ? (uint64_t)json_integer_value(s->seed) : 0;
    const uint64_t *given = s->seed ? &seed : NULL;
    json_t *found = NULL;
    if (s->plan)
        return run_set_plan(run, s->plan, given, apply, why);
    int rc = cases_get(json_string_value(s->case_name), &found, why);
    if (rc)
        return rc;
    rc = run_set_plan(run, json_object_get(found, "plan"), given, apply, why);
    if (rc > 0)
        in_case(why);
    json_decref(found);
    return rc;
}

static int set(struct run *run, const struct setting *s, struct refusal *why)
{
    const char *to = s->apply ? json_string_value(s->apply) : "all";
    enum run_apply apply = *to == 'a' ? APPLY_ALL : APPLY_NEW;
    double before = run_time_scale(run);
    if (s->time_scale)
        run_set_time_scale(run, json_number_value(s->time_scale));
    int rc = s->mode ? run_set_mode(run, json_string_value(s->mode), s->params, false, apply, why)
                     : set_plan(run, s, apply, why);
    if (rc)
        run_set_time_scale(run, before);
    return rc;
}

/* True when it is set; else the call is answered, and nothing was changed. */
static bool set_from_body(struct call *call, bool with_scale)
{
    struct setting s;
    struct refusal why = { 0 };
    if (read_setting(call, with_scale, &s))
        return false;
    int rc = set(call->admin->run, &s, &why);
    if (rc)
        answer_outcome(call, rc, &why);
    return rc == 0;
}

/* --- The calls */

void calls_mode(struct call *call)
{
    answer_json(call, 200, run_mode(call->admin->run));
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
    if (set_from_body(call, true))
        work_when_settled(call, calls_run);
}

void calls_patch_run(struct call *call)
{
    work_when_settled(call, patch_run);
}

/* Can this machine do it? */
static void add_availability(const struct catalogue *c, json_t *row)
{
    struct plan *plan = NULL;
    struct refusal why;
    int rc = plan_compile(c, json_object_get(row, "plan"), 1, 0, &plan, &why);
    plan_unref(plan);
    json_object_set_new(row, "available", json_boolean(rc != MODE_UNAVAILABLE));
    if (rc == MODE_UNAVAILABLE)
        json_object_set_new(row, "why_not", json_string(why.what));
}

static bool more_cases(struct call *call, struct buf *out)
{
    struct admin *a = call->admin;
    if (cache_begin(&a->cases, a->catalogue, "{\"cases\":[") && a->cases.rows < cases_count()) {
        json_t *row = cases_at(a->cases.rows);
        if (row)
            add_availability(a->catalogue, row);
        cache_row(&a->cases, row);
        return true;
    }
    cache_end(&a->cases, "]}\n", out);
    return false;
}

void calls_cases(struct call *call)
{
    answer_text(call, 200, "application/json");
    work_stream(call, more_cases, NULL);
}

void calls_case(struct call *call)
{
    json_t *found = NULL;
    struct refusal why = { 0 };
    int rc = cases_get(call->arg, &found, &why);
    if (rc == MODE_UNKNOWN)
        answer_refuse(call, 404, call->target.path, why.allowed, "%s", why.what);
    else if (rc)
        answer_outcome(call, rc, &why);
    else
        answer_json(call, 200, found);
}
