/* calls_mode.c - what is in force, and how it is set: a mode for all connections, a plan, or a
 * case, which is a plan that has a name. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "admin/call.h"
#include "mode/cases.h"
#include "run/plan.h"
#include "run/run.h"

/* The members of a body that sets something; NULL: not there. References of its own. */
struct setting {
    json_t *mode, *params, *plan, *case_name, *seed, *apply, *time_scale;
};

static void forget_setting(struct setting *s)
{
    json_decref(s->mode);
    json_decref(s->params);
    json_decref(s->plan);
    json_decref(s->case_name);
    json_decref(s->seed);
    json_decref(s->apply);
    json_decref(s->time_scale);
    *s = (struct setting){ 0 };
}

/* --- Reading it. Each returns 0, or BAD_INPUT with the call answered. */

static int refuse_setting(struct call *call, const char *where, const char *allowed,
                          const char *what)
{
    response_refuse(call, PROBLEM_VALUE, where, allowed, "%s", what);
    return BAD_INPUT;
}

/* A plan that is shown with its only mode (as GET does) is set as a plan, if it says the same. */
static bool says_the_same(const struct setting *s)
{
    const json_t *entry = json_array_get(s->plan, 0);
    return json_array_size(s->plan) == 1 && !s->case_name &&
           json_equal(json_object_get(entry, "mode"), s->mode) &&
           (!s->params || json_equal(json_object_get(entry, "params"), s->params));
}

static int patch_which(struct setting *s, const json_t *in_force);

/* What is in force stays, with another time scale. */
static int keep_which(struct call *call, struct setting *s)
{
    json_auto_t *in_force = run_mode(call->run);
    int error = in_force ? patch_which(s, in_force) : -ENOMEM;
    if (error)
        response_outcome(call, error, NULL);
    return error;
}

static int check_which(struct call *call, struct setting *s)
{
    static const char one[] = "exactly one of mode, plan and case";
    if (s->mode && s->plan && says_the_same(s)) {
        json_decref(s->mode);
        json_decref(s->params);
        s->mode = s->params = NULL;
    }
    int given = (s->mode != NULL) + (s->plan != NULL) + (s->case_name != NULL);
    if (given > 1)
        return refuse_setting(call, "$", one, "the body sets more than one thing");
    if (given == 0 && s->time_scale && !s->params)
        return keep_which(call, s);
    if (given == 0)
        return refuse_setting(call, "$", one, "the body sets nothing");
    if (s->params && !s->mode)
        return refuse_setting(call, "$.params", "params in the entries of a plan",
                              "params go with \"mode\"");
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

/* Reads the members as they are: null is json_null(). */
static int read_members(struct call *call, struct setting *s)
{
    json_t *mode, *params, *plan, *case_name, *seed, *apply, *time_scale;
    const struct input_member members[] = {
        { "mode", JSON_STRING, false, true, &mode },
        { "params", JSON_OBJECT, false, true, &params },
        { "plan", JSON_ARRAY, false, true, &plan },
        { "case", JSON_STRING, false, false, &case_name },
        { "seed", JSON_INTEGER, false, true, &seed },
        { "apply", JSON_STRING, false, false, &apply },
        { "time_scale", JSON_REAL, false, true, &time_scale },
        { 0 },
    };
    if (input_members(call, members))
        return BAD_INPUT;
    *s = (struct setting){ json_incref(mode),      json_incref(params), json_incref(plan),
                           json_incref(case_name), json_incref(seed),   json_incref(apply),
                           json_incref(time_scale) };
    return 0;
}

static void drop_null(json_t **value)
{
    if (json_is_null(*value))
        *value = NULL; /* json_null() is not counted */
}

/* Null says as much as nothing, so that what GET shows can be set. */
static int read_whole(struct call *call, struct setting *s)
{
    if (read_members(call, s))
        return BAD_INPUT;
    drop_null(&s->mode);
    drop_null(&s->params);
    drop_null(&s->plan);
    drop_null(&s->seed);
    drop_null(&s->time_scale);
    return check_which(call, s) ? BAD_INPUT : check_values(call, s);
}

/* --- A merge patch (RFC 7396) on what is in force. A mode, a plan and a case stand for each other,
 * and parameters belong to their mode: one that is named anew begins with its defaults. */

/* What there is none of becomes what there is by itself. */
static void patch_value(json_t **value, const json_t *in_force, const char *name, json_t *fallback)
{
    if (!*value)
        *value = json_incref(json_object_get(in_force, name));
    else if (json_is_null(*value))
        *value = json_incref(fallback);
    json_decref(fallback);
}

/* Returns 0 or -ENOMEM. */
static int patch_params(struct setting *s, const json_t *in_force)
{
    const char *name;
    json_t *given = s->params, *value;
    bool same = json_equal(s->mode, json_object_get(in_force, "mode")) && !json_is_null(given);
    json_t *made = same ? json_copy(json_object_get(in_force, "params")) : json_object();
    int error = made ? 0 : -ENOMEM;
    json_object_foreach(given, name, value)
    {
        if (json_is_null(value))
            json_object_del(made, name);
        else if (json_object_set(made, name, value) != 0)
            error = -ENOMEM;
    }
    json_decref(given);
    s->params = made;
    return error;
}

/* The mode or plan that is in force then. Returns 0 or -ENOMEM. */
static int patch_which(struct setting *s, const json_t *in_force)
{
    json_t *plan = json_object_get(in_force, "plan");
    bool removed = json_is_null(s->mode) || (json_is_null(s->plan) && !json_is_null(plan));
    drop_null(&s->mode);
    drop_null(&s->plan);
    if (s->plan || s->case_name) {
        drop_null(&s->params);
        return 0;
    }
    if (!s->mode && removed)
        s->mode = json_string("normal");
    else if (!s->mode && !json_is_null(plan))
        s->plan = json_incref(plan);
    else if (!s->mode)
        s->mode = json_incref(json_object_get(in_force, "mode"));
    if (!s->mode && !s->plan)
        return -ENOMEM;
    return s->mode ? patch_params(s, in_force) : 0;
}

static int read_patch(struct call *call, struct setting *s)
{
    if (read_members(call, s))
        return BAD_INPUT;
    json_auto_t *in_force = run_mode(call->run);
    int error = in_force ? patch_which(s, in_force) : -ENOMEM;
    if (!error) {
        patch_value(&s->seed, in_force, "seed", json_integer(0));
        patch_value(&s->time_scale, in_force, "time_scale", json_real(1));
    }
    if (error || !s->seed || !s->time_scale) {
        response_outcome(call, -ENOMEM, NULL);
        return BAD_INPUT;
    }
    return check_which(call, s) ? BAD_INPUT : check_values(call, s);
}

/* --- Doing it */

/* What is refused in a case's plan is said with the case. */
static void in_case(struct refusal *why)
{
    char where[sizeof why->where + 16];
    snprintf(where, sizeof where, "$.case: %s", why->where);
    refuse_in(why, where, NULL);
}

static int set_case(struct run *run, const struct setting *s, const uint64_t *seed,
                    enum run_apply apply, struct refusal *why)
{
    json_t *found = NULL;
    int rc = cases_get(json_string_value(s->case_name), &found, why);
    if (rc)
        return rc;
    rc = run_set_plan(run, json_object_get(found, "plan"), seed, apply, why);
    if (rc > 0)
        in_case(why);
    json_decref(found);
    return rc;
}

/* All of it or nothing. */
static int set(struct run *run, const struct setting *s, struct refusal *why)
{
    const char *to = s->apply ? json_string_value(s->apply) : "all";
    enum run_apply apply = *to == 'a' ? APPLY_ALL : APPLY_NEW;
    double scale = run_time_scale(run);
    uint64_t before = run_seed(run);
    uint64_t seed = s->seed ? (uint64_t)json_integer_value(s->seed) : before;
    int rc;
    if (s->time_scale)
        run_set_time_scale(run, json_number_value(s->time_scale));
    run_set_seed(run, seed);
    if (s->mode)
        rc = run_set_mode(run, json_string_value(s->mode), s->params, false, apply, why);
    else if (s->plan)
        rc = run_set_plan(run, s->plan, &seed, apply, why);
    else
        rc = set_case(run, s, &seed, apply, why);
    if (rc) {
        run_set_time_scale(run, scale);
        run_set_seed(run, before);
    }
    return rc;
}

/* True when it is set; else the call is answered, and nothing was changed. */
static bool set_from_body(struct call *call, int (*read)(struct call *call, struct setting *s))
{
    struct setting s = { 0 };
    struct refusal why = { 0 };
    bool done = read(call, &s) == 0;
    int rc = done ? set(call->run, &s, &why) : 0;
    forget_setting(&s);
    if (rc)
        response_outcome(call, rc, &why);
    return done && rc == 0;
}

/* --- The calls */

void calls_mode(struct call *call)
{
    response_json(call, 200, run_mode(call->run));
}

static void put_mode(struct call *call)
{
    if (set_from_body(call, read_whole))
        work_when_settled(call, calls_mode);
}

void calls_put_mode(struct call *call)
{
    work_when_settled(call, put_mode);
}

static void patch_run(struct call *call)
{
    bool empty = json_is_object(call->json) && json_object_size(call->json) == 0;
    if (empty || set_from_body(call, read_patch))
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
