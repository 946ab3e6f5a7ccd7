#include "mode/suites.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "mode/cases.h"
#include "mode/catalogue_data.h"
#include "mode/driver.h"
#include "mode/language.h"

#define WHERE_SIZE 160

/* What is read, and the suite that comes of it. */
struct reading {
    const struct catalogue *c;
    json_t *rows;  /* whole ones so far */
    bool built_in; /* a test compiles the modes of its rows, and they cannot be replaced */
    struct refusal *why;
};

static const char *text_of(const json_t *object, const char *member)
{
    return json_string_value(json_object_get(object, member));
}

static int refuse_member(const struct reading *r, const char *where, const char *member,
                         const char *allowed, const char *what)
{
    char here[WHERE_SIZE + 40];
    snprintf(here, sizeof here, "%s.%.32s", where, member);
    return refuse(r->why, here, allowed, "%s", what);
}

/* --- Members */

typedef int member_check(const struct reading *r, const char *where, const json_t *value);

struct member_row {
    const char *name;
    bool required;
    member_check *check;
};

static int check_name(const struct reading *r, const char *where, const json_t *value)
{
    return json_is_string(value) && mode_name_ok(json_string_value(value))
               ? 0
               : refuse(r->why, where, MODE_NAME_ALLOWED, "this is no name");
}

static int check_text(const struct reading *r, const char *where, const json_t *value)
{
    return json_is_string(value) ? 0 : refuse(r->why, where, "a text", "this is no text");
}

static int check_list(const struct reading *r, const char *where, const json_t *value)
{
    return json_is_array(value) ? 0 : refuse(r->why, where, "a list", "this is no list");
}

static int check_plan(const struct reading *r, const char *where, const json_t *value)
{
    return json_array_size(value)
               ? 0
               : refuse(r->why, where, "a list of entries, each with a mode", "this is no plan");
}

static int check_params(const struct reading *r, const char *where, const json_t *value)
{
    return json_is_object(value) ? 0
                                 : refuse(r->why, where, "an object of the mode's parameters",
                                          "the parameters are not an object");
}

static int check_over(const struct reading *r, const char *where, const json_t *value)
{
    const char *over = json_is_string(value) ? json_string_value(value) : "";
    return protocol_named(over) || strcmp(over, "both") == 0
               ? 0
               : refuse(r->why, where, "h1, h2, both", "this is no protocol");
}

static int check_steps(const struct reading *r, const char *where, const json_t *value)
{
    struct driver_step steps[DRIVER_STEPS_MAX];
    size_t count;
    return json_is_string(value)
               ? driver_steps_read(json_string_value(value), where, steps, &count, r->why)
               : refuse(r->why, where, DRIVER_ALLOWED, "the steps are no text");
}

static int check_expect(const struct reading *r, const char *where, const json_t *value)
{
    return driver_expect_check(value, where, r->why);
}

/* As the run's (run/run.h). */
static int check_scale(const struct reading *r, const char *where, const json_t *value)
{
    double scale = json_number_value(value);
    return json_is_number(value) && scale >= 1e-6 && scale <= 1e6
               ? 0
               : refuse(r->why, where, "a number from 0.000001 to 1000000",
                        "this is no time scale");
}

static const struct member_row suite_members[] = {
    { "name", true, check_name },
    { "summary", false, check_text },
    { "suites", false, check_list },
    { "rows", false, check_list },
};

static const struct member_row row_members[] = {
    { "name", true, check_name },         { "mode", false, check_name },
    { "params", false, check_params },    { "plan", false, check_plan },
    { "case", false, check_name },        { "over", false, check_over },
    { "steps", false, check_steps },      { "expect", false, check_expect },
    { "time_scale", false, check_scale },
};
#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

static int check_members(const struct reading *r, const char *where, const json_t *object,
                         const struct member_row *rows, size_t count)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value)
    {
        char here[WHERE_SIZE + 40];
        struct name_list names = { .meant.word = key };
        size_t i = 0;
        snprintf(here, sizeof here, "%s.%.32s", where, key);
        while (i < count && strcmp(rows[i].name, key) != 0)
            mode_names_add(&names, rows[i++].name);
        if (i == count) {
            refuse(r->why, here, names.text, "there is no such member");
            return refuse_meant(r->why, &names.meant);
        }
        int error = rows[i].check(r, here, value);
        if (error)
            return error;
    }
    for (size_t i = 0; i < count; i++)
        if (rows[i].required && !json_object_get(object, rows[i].name))
            return refuse_member(r, where, rows[i].name, "a name", "it is missing");
    return 0;
}

/* --- Rows */

/* The place of a mode's refusal, in the row or the plan's entry that names it. */
static int place_refusal(const struct reading *r, const char *where)
{
    char path[WHERE_SIZE * 2 + 8];
    if (!r->why)
        return BAD_INPUT;
    if (strncmp(r->why->where, "$.params", 8) == 0 || strcmp(r->why->where, "$.mode") == 0)
        snprintf(path, sizeof path, "%s%s", where, r->why->where + 1);
    else
        snprintf(path, sizeof path, "%s.mode: %s", where, r->why->where);
    return refuse_in(r->why, path, NULL);
}

/* Can a mode be set, this machine aside? json: a row, or an entry of a plan. */
static int check_mode(const struct reading *r, const char *where, const json_t *json)
{
    const char *name = json_is_object(json) ? text_of(json, "mode") : NULL;
    struct mode_program *program = NULL;
    if (!name)
        return refuse_member(r, where, "mode", "a mode's name", "it is missing");
    if (r->built_in)
        return 0;
    int rc = catalogue_compile(r->c, name, json_object_get(json, "params"), false, 1.0, &program,
                               r->why);
    if (rc == 0)
        mode_unref(program);
    return rc == 0 || rc == MODE_UNAVAILABLE ? 0 : rc < 0 ? rc : place_refusal(r, where);
}

static int check_entries(const struct reading *r, const char *where, const json_t *plan)
{
    size_t i;
    json_t *entry;
    int error = 0;
    json_array_foreach(plan, i, entry)
    {
        char here[WHERE_SIZE];
        snprintf(here, sizeof here, "%.120s.plan[%zu]", where, i);
        error = check_mode(r, here, entry);
        if (error)
            return error;
    }
    return 0;
}

/* Gives the row what it has not, and the source has. Returns 0 or -ENOMEM. */
static int inherit(json_t *row, const json_t *source, const char *member)
{
    json_t *value = json_object_get(source, member);
    return !value || json_object_get(row, member)     ? 0
           : json_object_set(row, member, value) == 0 ? 0
                                                      : -ENOMEM;
}

static int complete_case(const struct reading *r, const char *where, json_t *row)
{
    json_auto_t *one = NULL;
    int error = cases_find(text_of(row, "case"), &one, r->why);
    if (error > 0) {
        char here[WHERE_SIZE + 8];
        snprintf(here, sizeof here, "%s.case", where);
        return refuse_in(r->why, here, NULL);
    }
    if (!error && json_object_set(row, "case", json_object_get(one, "name")) != 0)
        error = -ENOMEM;
    if (!error)
        error = inherit(row, one, "over");
    if (!error)
        error = inherit(row, one, "steps");
    return error ? error : inherit(row, one, "expect");
}

static int complete_mode(const struct reading *r, const char *where, json_t *row)
{
    int error = check_mode(r, where, row);
    if (error)
        return error;
    json_auto_t *whole = catalogue_resolved(r->c, text_of(row, "mode"));
    return whole ? inherit(row, whole, "expect") : -ENOMEM;
}

static int complete_row(const struct reading *r, const char *where, json_t *row)
{
    bool has_mode = json_object_get(row, "mode"), has_plan = json_object_get(row, "plan");
    bool has_case = json_object_get(row, "case");
    if (has_mode + has_plan + has_case != 1)
        return refuse(r->why, where, "exactly one of mode, plan and case", "it has %s of them",
                      has_mode || has_plan || has_case ? "several" : "none");
    if (json_object_get(row, "params") && !has_mode)
        return refuse_member(r, where, "params", "parameters beside \"mode\"",
                             "only a row with a mode has parameters of its own");
    int error = has_case   ? complete_case(r, where, row)
                : has_mode ? complete_mode(r, where, row)
                           : check_entries(r, where, json_object_get(row, "plan"));
    if (!error && !json_object_get(row, "steps"))
        error = refuse_member(r, where, "steps", DRIVER_ALLOWED,
                              "it is missing: a driver must be told what to do");
    return error;
}

static int append_row(struct reading *r, const char *where, json_t *row)
{
    size_t i;
    json_t *other;
    json_array_foreach(r->rows, i, other)
    {
        if (strcmp(text_of(other, "name"), text_of(row, "name")) == 0)
            return refuse_member(r, where, "name", "a name that no other row has",
                                 "another row is called the same");
    }
    if (json_array_size(r->rows) >= SUITES_ROWS_MAX)
        return refuse(r->why, where, "at most 512 rows", "there are too many rows");
    return json_array_append(r->rows, row) == 0 ? 0 : -ENOMEM;
}

static int read_rows(struct reading *r, const json_t *rows)
{
    size_t i;
    json_t *given;
    int error = 0;
    json_array_foreach(rows, i, given)
    {
        char where[WHERE_SIZE];
        snprintf(where, sizeof where, "$.rows[%zu]", i);
        if (!json_is_object(given))
            return refuse(r->why, where, "{\"name\": ..., \"mode\": ..., \"steps\": ...}",
                          "a row is an object");
        json_auto_t *row = json_copy(given);
        bool whole = json_object_size(row) == json_object_size(given); /* it had memory */
        error = whole ? check_members(r, where, row, row_members, COUNT(row_members)) : -ENOMEM;
        if (!error)
            error = complete_row(r, where, row);
        if (!error)
            error = append_row(r, where, row);
        if (error)
            return error;
    }
    return 0;
}

/* --- Suites of suites */

static const struct catalogue_file *find(const char *name)
{
    const struct catalogue_file *file = suite_files;
    while (file->name && strcmp(file->name, name) != 0)
        file++;
    return file->name ? file : NULL;
}

static int refuse_unknown(struct refusal *why, const char *where, const char *name)
{
    struct name_list names = { .meant.word = name };
    for (const struct catalogue_file *file = suite_files; file->name; file++)
        mode_names_add(&names, file->name);
    refuse(why, where, names.text, "no suite is called \"%.*s\"", MODE_NAME_SIZE, name);
    refuse_meant(why, &names.meant);
    return MODE_UNKNOWN;
}

/* Appends the rows of a built-in suite, as "SUITE/ROW". One of suites is not looked for. */
static int read_named(struct reading *r, const char *where, const json_t *named)
{
    const char *name = json_is_string(named) ? json_string_value(named) : "";
    const struct catalogue_file *file = find(name);
    if (!file) {
        refuse_unknown(r->why, where, name);
        return BAD_INPUT;
    }
    json_auto_t *suite = json_loads(file->text, JSON_REJECT_DUPLICATES, NULL);
    if (!suite)
        return -ENOMEM;
    if (json_object_get(suite, "suites"))
        return refuse(r->why, where, "a suite that names none", "\"%s\" is made of others", name);
    struct reading inner = { r->c, json_array(), true, r->why };
    int error = inner.rows ? read_rows(&inner, json_object_get(suite, "rows")) : -ENOMEM;
    for (size_t i = 0; !error && i < json_array_size(inner.rows); i++) {
        json_t *row = json_array_get(inner.rows, i);
        char called[2 * MODE_NAME_SIZE + 2];
        snprintf(called, sizeof called, "%s/%s", name, text_of(row, "name"));
        error = json_object_set_new(row, "name", json_string(called)) == 0
                    ? append_row(r, where, row)
                    : -ENOMEM;
    }
    json_decref(inner.rows);
    return error;
}

static int read_suite(struct reading *r, const json_t *json)
{
    size_t i;
    json_t *named;
    if (!json_is_object(json))
        return refuse(r->why, "$", "an object with name and rows", "a suite is an object");
    int error = check_members(r, "$", json, suite_members, COUNT(suite_members));
    json_array_foreach(json_object_get(json, "suites"), i, named)
    {
        char where[WHERE_SIZE];
        snprintf(where, sizeof where, "$.suites[%zu]", i);
        if (!error)
            error = read_named(r, where, named);
    }
    if (!error)
        error = read_rows(r, json_object_get(json, "rows"));
    if (!error && json_array_size(r->rows) == 0)
        error = refuse(r->why, "$.rows", "a list of rows", "a suite has at least one row");
    return error;
}

static int make_whole(const struct catalogue *c, const json_t *json, bool built_in, json_t **out,
                      struct refusal *why)
{
    struct reading r = { c, json_array(), built_in, why };
    int error = r.rows ? read_suite(&r, json) : -ENOMEM;
    if (!error) {
        const char *summary = text_of(json, "summary");
        *out = json_pack("{s:s, s:s, s:O}", "name", text_of(json, "name"), "summary",
                         summary ? summary : "", "rows", r.rows);
        error = *out ? 0 : -ENOMEM;
    }
    json_decref(r.rows);
    return error;
}

/* --- Outside */

size_t suites_count(void)
{
    size_t n = 0;
    while (suite_files[n].name)
        n++;
    return n;
}

const char *suites_name(size_t i)
{
    return suite_files[i].name;
}

json_t *suites_at(size_t i)
{
    return json_loads(suite_files[i].text, JSON_REJECT_DUPLICATES, NULL);
}

int suites_get(const struct catalogue *c, const char *name, json_t **out, struct refusal *why)
{
    const struct catalogue_file *file = find(name);
    if (!file)
        return refuse_unknown(why, "$.suite", name);
    json_auto_t *json = json_loads(file->text, JSON_REJECT_DUPLICATES, NULL);
    return json ? make_whole(c, json, true, out, why) : -ENOMEM;
}

int suites_read(const struct catalogue *c, const json_t *json, const char *file, json_t **out,
                struct refusal *why)
{
    struct refusal inner = { 0 };
    int error = make_whole(c, json, false, out, &inner);
    if (error > 0 && why) {
        char where[sizeof inner.where * 2];
        snprintf(where, sizeof where, "%s%s%s", file ? file : "", file ? ": " : "", inner.where);
        *why = inner;
        refuse_in(why, where, NULL);
    }
    return error > 0 ? BAD_INPUT : error;
}
