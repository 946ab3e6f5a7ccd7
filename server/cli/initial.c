#include "cli/initial.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "mode/cases.h"
#include "mode/catalogue.h"
#include "run/plan.h"
#include "run/run.h"

#define PLAN_FILE_MAX ((size_t)1 << 20)

/* --- A plan's file: the array, its only entry, or an object with "plan" and perhaps "seed". A case
 * with its other members will do, so that one can be edited. */

static int refuse_file(struct refusal *why, const char *allowed, const char *where,
                       const char *what)
{
    return refuse(why, "--plan", allowed, "%s: %s", where, what);
}

/* Is it a case's member, or "seed"? What it may have meant goes into s. */
static bool is_member(const char *name, struct suggestions *s)
{
    *s = (struct suggestions){ .word = name };
    for (const char *const *member = cases_members; *member; member++) {
        if (strcmp(*member, name) == 0)
            return true;
        suggest_offer(s, *member);
    }
    suggest_offer(s, "seed");
    return strcmp(name, "seed") == 0;
}

static int read_object(const json_t *file, struct initial *out, struct refusal *why)
{
    const char *key;
    json_t *value, *seed = json_object_get(file, "seed");
    json_object_foreach((json_t *)file, key, value)
    {
        struct suggestions meant;
        char where[80];
        snprintf(where, sizeof where, "$.%.64s", key);
        if (is_member(key, &meant))
            continue;
        refuse_file(why, "plan, seed, and what a case has", where, "is not known");
        return refuse_meant(why, &meant);
    }
    if (!json_object_get(file, "plan"))
        return refuse_file(why, "an array of entries", "$.plan", "is missing");
    if (seed) {
        json_int_t n = json_integer_value(seed);
        if (!json_is_integer(seed) || n < 0 || n > RUN_SEED_MAX)
            return refuse_file(why, "a whole number from 0 to 9007199254740992", "$.seed",
                               "is not a seed");
        out->seed = (struct option_number){ true, (uint64_t)n };
    }
    out->plan = json_incref(json_object_get(file, "plan"));
    out->file = json_incref((json_t *)file);
    return 0;
}

static int read_file(const char *path, struct initial *out, struct refusal *why)
{
    struct file text;
    json_auto_t *file = NULL;
    int error = file_take("--plan", path, PLAN_FILE_MAX, FILE_ANY,
                          "a readable file of at most 1 MiB", &text, why);
    if (error)
        return error;
    error = json_read(text.bytes, text.len, "--plan", &file, why);
    file_free(&text);
    if (error)
        return error;
    if (json_is_object(file) && !json_object_get(file, "mode"))
        return read_object(file, out, why);
    out->bare = true;
    out->plan = json_incref(file);
    return 0;
}

static int read_case(const char *name, struct initial *out, struct refusal *why)
{
    json_t *found = NULL;
    int error = cases_find(name, &found, why);
    if (error > 0)
        refuse_in(why, "--case", NULL);
    if (!error) {
        out->plan = json_incref(json_object_get(found, "plan"));
        snprintf(out->case_name, sizeof out->case_name, "%s",
                 json_string_value(json_object_get(found, "name")));
    }
    json_decref(found);
    return error;
}

int initial_read(const struct options *o, struct initial *out, struct refusal *why)
{
    int error = 0;
    *out = (struct initial){ .option = "--mode" };
    if (o->plan_file) {
        out->option = "--plan";
        error = read_file(o->plan_file, out, why);
    } else if (o->case_name) {
        out->option = "--case";
        error = read_case(o->case_name, out, why);
    } else {
        out->mode = o->mode ? o->mode : "normal";
    }
    if (o->seed.given)
        out->seed = o->seed;
    return error;
}

void initial_free(struct initial *i)
{
    json_decref(i->plan);
    json_decref(i->file);
    i->plan = i->file = NULL;
}

/* --- Setting it */

int initial_refused(const struct initial *i, int error, struct refusal *why)
{
    if (error <= 0)
        return error;
    bool bare = i->bare && strncmp(why->where, "$.plan", 6) == 0;
    if (bare)
        why->where[5] = '$'; /* "$.plan[0]" is "$[0]" there */
    refuse_in(why, i->option, why->where + (bare ? 5 : 0));
    return error;
}

int initial_check(const struct initial *i, const struct catalogue *c, double scale,
                  struct refusal *why)
{
    struct mode_program *program = NULL;
    struct plan *plan = NULL;
    int error = i->mode ? catalogue_compile_text(c, i->mode, strlen(i->mode), scale, &program, why)
                        : plan_compile(c, i->plan, scale, 0, &plan, why);
    mode_unref(program);
    plan_unref(plan);
    return initial_refused(i, error, why);
}

int initial_set(const struct initial *i, struct run *run, struct refusal *why)
{
    if (!i->mode)
        return initial_refused(
            i, run_set_plan(run, i->plan, i->seed.given ? &i->seed.value : NULL, APPLY_ALL, why),
            why);
    if (strcmp(i->mode, "normal") == 0)
        return 0; /* what a run begins with */
    return initial_refused(i, run_set_mode_text(run, i->mode, why), why);
}
