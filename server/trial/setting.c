#include "trial/setting.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/json.h"
#include "mode/cases.h"
#include "run/plan.h"

void setting_free(struct setting *s)
{
    json_decref(s->mode);
    json_decref(s->params);
    json_decref(s->plan);
    json_decref(s->case_name);
    json_decref(s->seed);
    json_decref(s->apply);
    json_decref(s->time_scale);
    json_decref(s->ttl);
    json_decref(s->expect);
    *s = (struct setting){ 0 };
}

/* --- Checking */

/* A plan that is shown with its only mode (as GET does) is set as a plan, if it says the same. */
static bool says_the_same(const struct setting *s)
{
    const json_t *entry = json_array_get(s->plan, 0);
    return json_array_size(s->plan) == 1 && !s->case_name &&
           json_equal(json_object_get(entry, "mode"), s->mode) &&
           (!s->params || json_equal(json_object_get(entry, "params"), s->params));
}

static int check_which(struct setting *s, bool optional, struct refusal *why)
{
    static const char one[] = "exactly one of mode, plan and case";
    if (s->mode && s->plan && says_the_same(s)) {
        json_decref(s->mode);
        json_decref(s->params);
        s->mode = s->params = NULL;
    }
    int given = (s->mode != NULL) + (s->plan != NULL) + (s->case_name != NULL);
    if (given > 1)
        return refuse(why, "$", one, "the body sets more than one thing");
    if (given == 0 && !(optional && !s->params))
        return refuse(why, "$", one, "the body sets nothing");
    if (s->params && !s->mode)
        return refuse(why, "$.params", "params in the entries of a plan",
                      "params go with \"mode\"");
    return 0;
}

int setting_duration(const json_t *value, const char *where, int64_t most, int64_t *out,
                     struct refusal *why)
{
    char longest[DURATION_TEXT_SIZE], allowed[96];
    int64_t ns;
    if (json_is_string(value) &&
        duration_parse(json_string_value(value), json_string_length(value), &ns) == 0 && ns > 0 &&
        ns <= most) {
        *out = ns;
        return 0;
    }
    duration_format(most, longest);
    snprintf(allowed, sizeof allowed, "a duration up to %s, such as \"30s\" or \"10m\"", longest);
    return refuse(why, where, allowed, "is no such duration");
}

static int check_values(const struct setting *s, struct refusal *why)
{
    int64_t ttl;
    if (s->apply) {
        const char *to = json_string_value(s->apply);
        if (strcmp(to, "all") != 0 && strcmp(to, "new") != 0)
            return refuse(why, "$.apply", "\"all\", \"new\"", "is neither");
    }
    if (s->seed) {
        json_int_t seed = json_integer_value(s->seed);
        if (seed < 0 || seed > RUN_SEED_MAX)
            return refuse(why, "$.seed", "a whole number from 0 to 9007199254740992",
                          "is out of range");
    }
    if (s->time_scale) {
        double scale = json_number_value(s->time_scale);
        if (!(scale >= RUN_SCALE_MIN && scale <= RUN_SCALE_MAX))
            return refuse(why, "$.time_scale", "a number from 0.000001 to 1000000",
                          "is out of range");
    }
    return s->ttl ? setting_duration(s->ttl, "$.ttl", SETTING_TTL_MAX, &ttl, why) : 0;
}

int setting_check(struct setting *s, bool optional, struct refusal *why)
{
    int error = check_which(s, optional, why);
    return error ? error : check_values(s, why);
}

/* --- Reading */

/* The members as they are: null is json_null(). */
static int read_members(const json_t *body, struct setting *s, struct refusal *why)
{
    json_t *mode, *params, *plan, *case_name, *seed, *apply, *time_scale, *ttl, *expect;
    const struct json_member members[] = {
        { "mode", JSON_STRING, false, true, &mode },
        { "params", JSON_OBJECT, false, true, &params },
        { "plan", JSON_ARRAY, false, true, &plan },
        { "case", JSON_STRING, false, false, &case_name },
        { "seed", JSON_INTEGER, false, true, &seed },
        { "apply", JSON_STRING, false, false, &apply },
        { "time_scale", JSON_REAL, false, true, &time_scale },
        { "ttl", JSON_STRING, false, true, &ttl },
        { "expect", JSON_ARRAY, false, true, &expect },
        { 0 },
    };
    int error = json_members(body, members, why);
    if (error)
        return error;
    *s = (struct setting){ json_incref(mode),       json_incref(params), json_incref(plan),
                           json_incref(case_name),  json_incref(seed),   json_incref(apply),
                           json_incref(time_scale), json_incref(ttl),    json_incref(expect) };
    return 0;
}

static void drop_null(json_t **value)
{
    if (json_is_null(*value))
        *value = NULL; /* json_null() is not counted */
}

static int patch_which(struct setting *s, const json_t *in_force);

/* What is in force stays, with another time scale. */
static int keep_which(const struct run *run, struct setting *s)
{
    json_auto_t *in_force = run_mode(run);
    return in_force ? patch_which(s, in_force) : -ENOMEM;
}

int setting_read(const json_t *body, const struct run *run, struct setting *s, struct refusal *why)
{
    int error = read_members(body, s, why);
    if (error)
        return error;
    drop_null(&s->mode);
    drop_null(&s->params);
    drop_null(&s->plan);
    drop_null(&s->seed);
    drop_null(&s->time_scale);
    drop_null(&s->ttl);
    if (s->time_scale && !s->mode && !s->params && !s->plan && !s->case_name)
        error = keep_which(run, s);
    return error ? error : setting_check(s, false, why);
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

int setting_patch(const json_t *body, const struct run *run, struct setting *s, struct refusal *why)
{
    int error = read_members(body, s, why);
    if (error)
        return error;
    json_auto_t *in_force = run_mode(run);
    error = in_force ? patch_which(s, in_force) : -ENOMEM;
    if (!error) {
        patch_value(&s->seed, in_force, "seed", json_integer(0));
        patch_value(&s->time_scale, in_force, "time_scale", json_real(1));
        drop_null(&s->ttl);
    }
    if (error || !s->seed || !s->time_scale)
        return -ENOMEM;
    return setting_check(s, false, why);
}

/* --- Compiling */

/* What is refused in a case's plan is said with the case. */
static void in_case(struct refusal *why)
{
    char where[sizeof why->where + 16];
    snprintf(where, sizeof where, "$.case: %s", why->where);
    refuse_in(why, where, NULL);
}

static int compile_case(const struct setting *s, struct run *run, struct plan **out,
                        struct refusal *why)
{
    json_t *found = NULL;
    int error = cases_get(json_string_value(s->case_name), &found, why);
    if (error)
        return error;
    error = run_compile_plan(run, json_object_get(found, "plan"), NULL, out, why);
    if (error > 0)
        in_case(why);
    json_decref(found);
    return error;
}

int setting_compile(const struct setting *s, struct run *run, struct plan **out,
                    struct refusal *why)
{
    double scale = run_time_scale(run);
    uint64_t seed = run_seed(run);
    const char *mode = s->mode ? json_string_value(s->mode) : "normal";
    int error;
    if (s->time_scale)
        run_set_time_scale(run, json_number_value(s->time_scale));
    if (s->seed)
        run_set_seed(run, (uint64_t)json_integer_value(s->seed));
    if (s->plan)
        error = run_compile_plan(run, s->plan, NULL, out, why);
    else if (s->case_name)
        error = compile_case(s, run, out, why);
    else
        error = run_compile_mode(run, mode, s->params, false, out, why);
    if (error) {
        run_set_time_scale(run, scale);
        run_set_seed(run, seed);
    }
    return error;
}

/* --- Looking */

bool setting_only_expects(const json_t *body)
{
    return json_object_size(body) == 1 && json_object_get(body, "expect") != NULL;
}

enum run_apply setting_apply(const struct setting *s)
{
    return s->apply && strcmp(json_string_value(s->apply), "new") == 0 ? APPLY_NEW : APPLY_ALL;
}

int64_t setting_ttl(const struct setting *s)
{
    int64_t ttl = DURATION_NEVER;
    if (s->ttl)
        setting_duration(s->ttl, "", SETTING_TTL_MAX, &ttl, NULL);
    return ttl;
}

void setting_name(const struct setting *s, char out[SETTING_NAME_SIZE])
{
    if (s->plan)
        snprintf(out, SETTING_NAME_SIZE, "plan");
    else if (s->case_name)
        snprintf(out, SETTING_NAME_SIZE, "case %.100s", json_string_value(s->case_name));
    else
        snprintf(out, SETTING_NAME_SIZE, "mode %.100s",
                 s->mode ? json_string_value(s->mode) : "normal");
}
