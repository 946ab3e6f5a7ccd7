#include "cli/prove_rows.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/initial.h"
#include "mode/cases.h"
#include "mode/catalogue.h"
#include "mode/driver.h"
#include "mode/suites.h"
#include "verdict/expect.h"
#include "wire/caps.h"

#define STEPS          "get get pause get" /* of a mode or plan alone */
#define SUITE_FILE_MAX ((size_t)1 << 20)
#define TTL_MAX        (24 * 3600 * NS_PER_S)

/* --- The faults */

/* A mode with its parameters. A server elsewhere may know others, and can do what this machine
 * cannot: what is wrong with it is then the server's to say. */
static int read_mode(const struct prove_options *o, const struct catalogue *c, json_t *row,
                     struct refusal *why)
{
    struct mode_program *program = NULL;
    char name[MODE_NAME_SIZE];
    json_t *params = NULL;
    size_t len = strlen(o->mode);
    int error = catalogue_compile_text(c, o->mode, len, 1, &program, why);
    if (!error) {
        snprintf(name, sizeof name, "%s", program->name);
        params = json_loads(program->params, 0, NULL);
        mode_unref(program);
        error = params ? 0 : -ENOMEM;
    } else if (o->server && error > 0) {
        error = mode_parse_text(o->mode, len, name, &params, why);
    }
    if (error > 0)
        return refuse_in(why, "--mode", NULL), error;
    if (!error && (json_object_set_new(row, "mode", json_string(name)) ||
                   json_object_set(row, "params", params)))
        error = -ENOMEM;
    json_decref(params);
    return error;
}

/* What a case has beside its plan, of a file that is one: with what it is to be proved. */
static int take_members(const json_t *file, json_t *row, struct refusal *why)
{
    static const char *const names[] = { "steps", "over", "expect" };
    struct driver_step list[DRIVER_STEPS_MAX];
    json_t *steps = json_object_get(file, "steps"), *over = json_object_get(file, "over");
    const char *text = json_string_value(over);
    size_t count;
    if (over && (!text ||
                 (strcmp(text, "h1") != 0 && strcmp(text, "h2") != 0 && strcmp(text, "both") != 0)))
        return refuse(why, "--plan", "\"h1\", \"h2\" or \"both\"", "$.over is none of these");
    if (steps && !json_is_string(steps))
        return refuse(why, "--plan", "a text", "$.steps is of another type");
    int error =
        steps ? driver_steps_read(json_string_value(steps), "--plan: $.steps", list, &count, why)
              : 0;
    for (size_t i = 0; !error && i < sizeof names / sizeof *names; i++) {
        json_t *member = json_object_get(file, names[i]);
        if (member && json_object_set(row, names[i], member))
            error = -ENOMEM;
    }
    return error;
}

static int read_plan(const struct prove_options *o, json_t *row, struct refusal *why)
{
    const struct options options = { .plan_file = o->plan };
    struct initial initial;
    int error = initial_read(&options, &initial, why);
    json_t *plan = error                          ? NULL
                   : json_is_object(initial.plan) ? json_pack("[O]", initial.plan)
                                                  : json_incref(initial.plan);
    if (!error && json_object_set_new(row, "plan", plan))
        error = -ENOMEM;
    if (!error && initial.seed.given &&
        json_object_set_new(row, "seed", json_integer((json_int_t)initial.seed.value)))
        error = -ENOMEM;
    if (!error && initial.file)
        error = take_members(initial.file, row, why);
    initial_free(&initial);
    return error;
}

static int read_case(const struct prove_options *o, json_t *row, struct refusal *why)
{
    json_t *found = NULL;
    int error = cases_find(o->what, &found, why);
    if (error > 0)
        return refuse_in(why, "CASE", NULL), error;
    if (!error && (json_object_set(row, "case", json_object_get(found, "name")) ||
                   json_object_set(row, "steps", json_object_get(found, "steps")) ||
                   json_object_set(row, "over", json_object_get(found, "over"))))
        error = -ENOMEM;
    json_decref(found);
    return error;
}

/* One row, as those of a suite are. */
static int read_one(const struct prove_options *o, const struct catalogue *c, json_t **out,
                    struct refusal *why)
{
    json_t *row = json_object();
    int error = row ? 0 : -ENOMEM;
    if (!error)
        error = o->mode   ? read_mode(o, c, row, why)
                : o->plan ? read_plan(o, row, why)
                          : read_case(o, row, why);
    const char *name = o->mode ? o->mode : o->plan ? o->plan : NULL;
    if (!error &&
        json_object_set_new(row, "name",
                            name ? json_string(name) : json_incref(json_object_get(row, "case"))))
        error = -ENOMEM;
    if (error)
        json_decref(row);
    else
        *out = row;
    return error;
}

/* The rows of a suite: a file's when the name has a slash or ends in .json. */
static int read_suite(const char *name, const struct catalogue *c, json_t **out,
                      struct refusal *why)
{
    size_t len = strlen(name);
    struct file text;
    json_t *json = NULL, *suite = NULL;
    int error;
    if (!strchr(name, '/') && !(len > 5 && strcmp(name + len - 5, ".json") == 0)) {
        error = suites_get(c, name, &suite, why);
        if (error > 0 && access(name, F_OK) == 0)
            refuse(why, "--suite", "a file by a name with a \"/\" in it, or \".json\" at its end",
                   "no suite is called \"%.120s\"", name);
        else if (error > 0)
            refuse_in(why, "--suite", NULL);
    } else {
        error = file_take("--suite", name, SUITE_FILE_MAX, FILE_ANY, "a file of at most 1 MiB",
                          &text, why);
        if (!error) {
            error = json_read(text.bytes, text.len, "--suite", &json, why);
            file_free(&text);
        }
        if (!error)
            error = suites_read(c, json, name, &suite, why);
    }
    if (!error)
        *out = json_incref(json_object_get(suite, "rows"));
    json_decref(json);
    json_decref(suite);
    return error;
}

/* --- Rows */

/* A run lives no longer than its commands may take, should we be killed. */
static json_t *ttl(const struct prove_options *o)
{
    char text[DURATION_TEXT_SIZE];
    int64_t settle = o->settle ? o->settle : 60 * NS_PER_S;
    int64_t all = o->timeout < TTL_MAX / 4 ? 3 * (o->timeout + settle) : TTL_MAX;
    duration_format(all < TTL_MAX ? all : TTL_MAX, text);
    return json_string(text);
}

static json_t *listeners(const char *over)
{
    return over && strcmp(over, "h2") == 0 ? json_pack("[s, s]", "https", "http")
                                           : json_pack("[s, s, s]", "https", "https1", "http");
}

/* The body of POST /v1/runs. NULL without memory. */
static json_t *make_spec(const struct prove_options *o, const json_t *row, const char *name,
                         const char *over, const json_t *expect)
{
    static const char *const taken[] = { "mode", "params", "plan", "case", "seed", "time_scale" };
    json_t *spec = json_pack("{s:s#, s:o, s:o, s:o*, s:o*}", "name", name,
                             strlen(name) < 128 ? (int)strlen(name) : 128, "ttl", ttl(o),
                             "listeners", listeners(over), "over", over ? json_string(over) : NULL,
                             "expect", expect ? json_deep_copy(expect) : NULL);
    bool ok = spec != NULL;
    for (size_t i = 0; ok && i < sizeof taken / sizeof *taken; i++) {
        json_t *member = json_object_get(row, taken[i]);
        ok = !member || json_object_set(spec, taken[i], member) == 0;
    }
    if (ok && o->time_scale > 0)
        ok = json_object_set_new(spec, "time_scale", json_real(o->time_scale)) == 0;
    if (ok)
        return spec;
    json_decref(spec);
    return NULL;
}

static int add_row(struct prove_rows *rows, const struct prove_options *o, const json_t *row,
                   const char *over, const json_t *expect)
{
    struct prove_row *list = realloc(rows->list, (rows->count + 1) * sizeof *list);
    if (!list)
        return -ENOMEM;
    rows->list = list;
    struct prove_row *r = &list[rows->count];
    const char *steps = json_string_value(json_object_get(row, "steps"));
    *r = (struct prove_row){ .over = over };
    snprintf(r->name, sizeof r->name, "%s", json_string_value(json_object_get(row, "name")));
    r->spec = make_spec(o, row, r->name, over, expect ? expect : json_object_get(row, "expect"));
    r->steps = strdup(steps ? steps : STEPS);
    rows->count++;
    return r->spec && r->steps ? 0 : -ENOMEM;
}

/* Of a row for one protocol only those that it and the command want. */
static int add_rows(struct prove_rows *rows, const struct prove_options *o, const json_t *row,
                    const json_t *expect)
{
    const char *own = json_string_value(json_object_get(row, "over"));
    const char *asked = o->over ? o->over : own;
    bool one = own && strcmp(own, "both") != 0;
    bool both = asked && strcmp(asked, "both") == 0 && (o->over || o->suite);
    int error = 0;
    if (both && !one) {
        error = add_row(rows, o, row, "h1", expect);
        return error ? error : add_row(rows, o, row, "h2", expect);
    }
    if (one && o->over && strcmp(o->over, "both") != 0 && strcmp(o->over, own) != 0)
        return 0;
    const char *over = one ? own : asked && strcmp(asked, "both") != 0 ? asked : NULL;
    return add_row(rows, o, row, over ? (strcmp(over, "h1") == 0 ? "h1" : "h2") : NULL, expect);
}

static int read_expect(const struct prove_options *o, json_t **out, struct refusal *why)
{
    struct expect *expect = NULL;
    *out = NULL;
    if (o->expect.count == 0)
        return 0;
    int error = expect_read_text(o->expect.list, o->expect.count, &expect, why);
    if (error > 0)
        return refuse_in(why, "--expect", why->where);
    if (!error)
        *out = expect_json(expect);
    expect_free(expect);
    return error ? error : *out ? 0 : -ENOMEM;
}

static int read_rows(const struct prove_options *o, const struct catalogue *c,
                     struct prove_rows *out, struct refusal *why)
{
    json_t *list = NULL, *expect = NULL, *one = NULL;
    const char *suite = o->suite ? o->suite : !o->what && !o->mode && !o->plan ? "stale" : NULL;
    size_t i;
    json_t *row;
    int error = read_expect(o, &expect, why);
    if (!error && suite)
        error = read_suite(suite, c, &list, why);
    else if (!error)
        error = read_one(o, c, &one, why);
    if (one)
        list = json_pack("[o]", one);
    json_array_foreach(list, i, row) if (!error) error = add_rows(out, o, row, expect);
    if (!error && out->count == 0)
        error = refuse(why, "--over", "another protocol, or none",
                       "there is nothing to try over %s", o->over ? o->over : "it");
    json_decref(list);
    json_decref(expect);
    return error;
}

/* It is needed for modes alone, and takes its time. */
static int open_catalogue(const struct prove_options *o, struct catalogue **out,
                          struct refusal *why)
{
    *out = NULL;
    if (o->what || o->plan)
        return 0;
    struct catalogue *c = catalogue_create();
    int error = c ? 0 : -ENOMEM;
    caps_probe(); /* what a mode needs is asked for when it is compiled */
    if (!error && o->modes_dir) {
        error = catalogue_load(c, o->modes_dir, why);
        if (error > 0 && strncmp(why->where, "--", 2) != 0)
            refuse_in(why, "--modes", why->where);
    }
    if (error)
        catalogue_destroy(c);
    else
        *out = c;
    return error;
}

int prove_rows_read(const struct prove_options *o, struct prove_rows *out, struct refusal *why)
{
    struct catalogue *c;
    *out = (struct prove_rows){ .list = NULL };
    int error = open_catalogue(o, &c, why);
    if (error)
        return error;
    error = read_rows(o, c, out, why);
    catalogue_destroy(c);
    if (error)
        prove_rows_free(out);
    return error;
}

void prove_rows_free(struct prove_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        json_decref(rows->list[i].spec);
        free(rows->list[i].steps);
    }
    free(rows->list);
    *rows = (struct prove_rows){ .list = NULL };
}
