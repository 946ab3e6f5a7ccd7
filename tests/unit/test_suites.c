/* test_suites.c - suites: each file of modes/suites is in the binary, whole, and its rows can be
 * set; what is wrong with a tester's own is said with its place.
 */
#include "harness/memory.h"
#include "harness/mode_fakes.h"

#include <dirent.h>
#include <errno.h>

#include "mode/cases.h"
#include "mode/driver.h"
#include "mode/suites.h"
#include "run/plan.h"

static struct catalogue *catalogue;

static int set_up(void **state)
{
    catalogue = catalogue_create();
    return catalogue ? 0 : -1;
}

static int tear_down(void **state)
{
    catalogue_destroy(catalogue);
    return 0;
}

static const char *text(const json_t *one, const char *member)
{
    const char *value = json_string_value(json_object_get(one, member));
    return value ? value : "";
}

static json_t *whole(const char *name)
{
    json_t *suite = NULL;
    struct refusal why = { 0 };
    if (suites_get(catalogue, name, &suite, &why))
        fail_msg("%s: %s: %s", name, why.where, why.what);
    return suite;
}

static void every_file_is_in_the_binary(void **state)
{
    char path[4096];
    size_t files = 0;
    snprintf(path, sizeof path, "%s/modes/suites", getenv("SOURCE_ROOT"));
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *file; (file = readdir(dir));) {
        size_t len = strlen(file->d_name), i = 0;
        if (len < 5 || strcmp(file->d_name + len - 5, ".json") != 0)
            continue;
        file->d_name[len - 5] = '\0';
        while (i < suites_count() && strcmp(suites_name(i), file->d_name) != 0)
            i++;
        if (i == suites_count())
            fail_msg("modes/meson.build does not list suites/%s.json", file->d_name);
        files++;
    }
    closedir(dir);
    assert_int_equal(files, suites_count());
}

/* The plan of a row: its own, its case's, or one of its mode. */
static json_t *plan_of(const json_t *row)
{
    json_t *plan = json_object_get(row, "plan"), *one = NULL;
    if (plan)
        return json_incref(plan);
    if (json_object_get(row, "mode"))
        return json_pack("[{s:O, s:O*}]", "mode", json_object_get(row, "mode"), "params",
                         json_object_get(row, "params"));
    assert_int_equal(cases_get(text(row, "case"), &one, NULL), 0);
    plan = json_incref(json_object_get(one, "plan"));
    json_decref(one);
    return plan;
}

static void every_row_of_every_suite_can_be_set(void **state)
{
    for (size_t i = 0; i < suites_count(); i++) {
        json_t *file = suites_at(i), *suite = whole(suites_name(i)), *again = NULL, *row;
        struct refusal why = { 0 };
        size_t k;
        assert_string_equal(text(file, "name"), suites_name(i)); /* called as its file */
        assert_true(*text(file, "summary") && *text(suite, "summary"));
        if (suites_read(catalogue, file, "f", &again, &why)) /* which compiles all modes */
            fail_msg("%s: %s", why.where, why.what);
        assert_true(json_equal(suite, again));
        json_array_foreach(json_object_get(suite, "rows"), k, row)
        {
            struct driver_step steps[DRIVER_STEPS_MAX];
            size_t count;
            struct plan *plan = NULL;
            json_t *json = plan_of(row);
            if (driver_steps_read(text(row, "steps"), "steps", steps, &count, &why) ||
                plan_compile(catalogue, json, 1, 0, &plan, &why))
                fail_msg("%s, %s: %s: %s", suites_name(i), text(row, "name"), why.where, why.what);
            plan_unref(plan);
            json_decref(json);
        }
        json_decref(again);
        json_decref(suite);
        json_decref(file);
    }
}

/* Each ends in time: what a client that behaves waits for is the pauses alone. */
static void stale_is_fifteen_rows_of_two_requests_before_the_fault(void **state)
{
    json_t *suite = whole("stale"), *row;
    size_t k;
    int64_t pauses = 0;
    assert_int_equal(json_array_size(json_object_get(suite, "rows")), 15);
    json_array_foreach(json_object_get(suite, "rows"), k, row)
    {
        struct plan *plan = NULL;
        struct exercise e;
        json_t *json = plan_of(row);
        assert_int_equal(strncmp(text(row, "steps"), "get get pause ", 14), 0);
        assert_int_equal(plan_compile(catalogue, json, 1, 0, &plan, NULL), 0);
        plan_exercise(plan, KINDS_ALL, &e);
        pauses += e.pause;
        plan_unref(plan);
        json_decref(json);
    }
    assert_true(pauses <= INT64_C(7000000000));
    json_decref(suite);
}

static void all_has_the_rows_of_the_others_and_all_cases(void **state)
{
    json_t *all = whole("all"), *rows = json_object_get(all, "rows"), *row;
    size_t others = 0, k, cases = 0;
    bool found = false;
    for (size_t i = 0; i < suites_count(); i++) {
        if (strcmp(suites_name(i), "all") == 0)
            continue;
        json_t *suite = whole(suites_name(i));
        others += json_array_size(json_object_get(suite, "rows"));
        json_decref(suite);
    }
    json_array_foreach(rows, k, row)
    {
        cases += *text(row, "case") != '\0';
        found = found || strcmp(text(row, "name"), "stale/half-open") == 0;
    }
    assert_int_equal(cases, cases_count());
    assert_int_equal(json_array_size(rows), others + cases);
    assert_true(found);
    assert_null(json_object_get(all, "suites"));
    json_decref(all);
}

static void an_unknown_suite_is_refused_with_the_names_there_are(void **state)
{
    struct refusal why = { 0 };
    json_t *suite = NULL;
    assert_int_equal(suites_get(catalogue, "stael", &suite, &why), MODE_UNKNOWN);
    assert_null(suite);
    assert_string_equal(why.where, "$.suite");
    assert_non_null(strstr(why.allowed, "mobile"));
    assert_string_equal(why.meant[0], "stale");
}

/* --- A tester's own */

static json_t *read_text(const char *given, const char *file, json_t **out, struct refusal *why,
                         int *rc)
{
    char plain[1024];
    snprintf(plain, sizeof plain, "%s", given);
    for (char *c = plain; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    json_t *json = json_loads(plain, JSON_DECODE_ANY, NULL);
    if (!json)
        fail_msg("%s", given);
    *rc = suites_read(catalogue, json, file, out, why);
    return json;
}

static void what_a_row_lacks_comes_from_its_case_or_mode(void **state)
{
    json_t *suite = NULL, *rows;
    int rc;
    json_decref(read_text("{'name': 's', 'rows': [{'name': 'a', 'case': '14'},"
                          " {'name': 'b', 'case': '14', 'steps': 'post', 'expect': ['no_storm']},"
                          " {'name': 'c', 'mode': 'throttle', 'steps': 'get', 'over': 'h1'},"
                          " {'name': 'd', 'mode': 'half-open', 'steps': 'get pause get',"
                          "  'time_scale': 0.1},"
                          " {'name': 'e', 'plan': [{'mode': 'normal'}], 'steps': 'get'}]}",
                          NULL, &suite, NULL, &rc));
    assert_int_equal(rc, 0);
    rows = json_object_get(suite, "rows");
    json_t *one = NULL;
    assert_int_equal(cases_find("14", &one, NULL), 0);
    const json_t *row = json_array_get(rows, 0);
    assert_string_equal(text(row, "case"), text(one, "name"));
    assert_string_equal(text(row, "steps"), text(one, "steps"));
    assert_string_equal(text(row, "over"), "both");
    assert_true(json_equal(json_object_get(row, "expect"), json_object_get(one, "expect")));
    row = json_array_get(rows, 1);
    assert_string_equal(text(row, "steps"), "post");
    assert_int_equal(json_array_size(json_object_get(row, "expect")), 1);
    row = json_array_get(rows, 2);
    assert_string_equal(json_string_value(json_array_get(json_object_get(row, "expect"), 0)),
                        "user_wait");
    assert_null(json_object_get(json_array_get(rows, 3), "expect"));
    assert_null(json_object_get(json_array_get(rows, 4), "expect"));
    json_decref(one);
    json_decref(suite);
}

#define SUITE(row)                                                                                 \
    "{'name': 's', 'rows': [{'name': 'a', 'mode': 'normal', 'steps': 'get'}, " row "]}"
#define ROW(rest) SUITE("{'name': 'b', " rest "}")

static void what_is_wrong_is_said_with_its_place(void **state)
{
    static const struct {
        const char *given, *where, *text; /* text: a part of what, allowed or meant */
    } rows[] = {
        { "[]", "f: $", "object" },
        { "{'rows': []}", "f: $.name", "missing" },
        { "{'name': 's'}", "f: $.rows", "at least one" },
        { "{'name': 'S', 'rows': []}", "f: $.name", "name" },
        { "{'name': 's', 'row': []}", "f: $.row", "rows" },
        { "{'name': 's', 'rows': {}}", "f: $.rows", "list" },
        { "{'name': 's', 'suites': ['stael']}", "f: $.suites[0]", "stale" },
        { "{'name': 's', 'suites': ['stale', 3]}", "f: $.suites[1]", "stale" },
        { "{'name': 's', 'suites': ['all']}", "f: $.suites[0]", "made of others" },
        { SUITE("3"), "f: $.rows[1]", "object" },
        { SUITE("{'mode': 'normal', 'steps': 'get'}"), "f: $.rows[1].name", "missing" },
        { SUITE("{'name': 'a', 'mode': 'normal', 'steps': 'get'}"), "f: $.rows[1].name", "same" },
        { ROW("'steps': 'get'"), "f: $.rows[1]", "none of them" },
        { ROW("'mode': 'normal', 'case': '01', 'steps': 'get'"), "f: $.rows[1]", "several" },
        { ROW("'mode': 'normal'"), "f: $.rows[1].steps", "missing" },
        { ROW("'mode': 'normal', 'steps': 'gte'"), "f: $.rows[1].steps", "\"gte\"" },
        { ROW("'mode': 'normal', 'steps': ['get']"), "f: $.rows[1].steps", "no text" },
        { ROW("'mode': 'normal', 'step': 'get'"), "f: $.rows[1].step", "steps" },
        { ROW("'mode': 'nromal', 'steps': 'get'"), "f: $.rows[1].mode", "nromal" },
        { ROW("'mode': 'half-open', 'params': {'idel': '1s'}, 'steps': 'get'"),
          "f: $.rows[1].params.idel", "idle" },
        { ROW("'mode': 'half-open', 'params': {'idle': 'x'}, 'steps': 'get'"),
          "f: $.rows[1].params.idle", "duration" },
        { ROW("'mode': 'half-open', 'params': [], 'steps': 'get'"), "f: $.rows[1].params",
          "object" },
        { ROW("'case': '01', 'params': {}, 'steps': 'get'"), "f: $.rows[1].params", "mode" },
        { ROW("'case': '99'"), "f: $.rows[1].case", "99" },
        { ROW("'plan': [], 'steps': 'get'"), "f: $.rows[1].plan", "plan" },
        { ROW("'plan': [{'mode': 'x'}], 'steps': 'get'"), "f: $.rows[1].plan[0].mode", "\"x\"" },
        { ROW("'plan': [{'mode': 'normal'}, {}], 'steps': 'get'"), "f: $.rows[1].plan[1].mode",
          "missing" },
        { ROW("'mode': 'normal', 'over': 'h3', 'steps': 'get'"), "f: $.rows[1].over", "h2" },
        { ROW("'mode': 'normal', 'expect': [], 'steps': 'get'"), "f: $.rows[1].expect", "list" },
        { ROW("'mode': 'normal', 'expect': ['a', 1], 'steps': 'get'"), "f: $.rows[1].expect[1]",
          "expectation" },
        { ROW("'mode': 'normal', 'time_scale': 0, 'steps': 'get'"), "f: $.rows[1].time_scale",
          "number" },
        { ROW("'mode': 'normal', 'time_scale': '1', 'steps': 'get'"), "f: $.rows[1].time_scale",
          "number" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct refusal why = { 0 };
        json_t *suite = NULL;
        int rc;
        json_decref(read_text(rows[i].given, "f", &suite, &why, &rc));
        assert_null(suite);
        if (rc != BAD_INPUT || strcmp(why.where, rows[i].where) != 0 ||
            (!strstr(why.what, rows[i].text) && !strstr(why.allowed, rows[i].text) &&
             strcmp(why.meant[0], rows[i].text) != 0))
            fail_msg("%s:\n%d %s: %s (%s)", rows[i].given, rc, why.where, why.what, why.allowed);
    }
}

static void a_suite_has_a_bounded_number_of_rows(void **state)
{
    json_t *rows = json_array(), *suite = NULL;
    struct refusal why = { 0 };
    for (int i = 0; i <= SUITES_ROWS_MAX; i++)
        json_array_append_new(rows, json_pack("{s:o, s:s, s:s}", "name", json_sprintf("r%d", i),
                                              "mode", "normal", "steps", "get"));
    json_t *given = json_pack("{s:s, s:o}", "name", "s", "rows", rows);
    assert_int_equal(suites_read(catalogue, given, NULL, &suite, &why), BAD_INPUT);
    assert_string_equal(why.where, "$.rows[512]");
    json_decref(given);
}

static void without_memory_there_is_no_suite(void **state)
{
    for (long n = 1, rc = -ENOMEM; rc; n++) {
        json_t *suite = NULL;
        memory_for_jansson(true);
        memory_ends_after(n);
        rc = suites_get(catalogue, "mobile", &suite, NULL);
        memory_restore();
        assert_true(rc == -ENOMEM || (rc == 0 && suite));
        json_decref(suite);
        n += n / 50;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_file_is_in_the_binary),
        cmocka_unit_test(every_row_of_every_suite_can_be_set),
        cmocka_unit_test(stale_is_fifteen_rows_of_two_requests_before_the_fault),
        cmocka_unit_test(all_has_the_rows_of_the_others_and_all_cases),
        cmocka_unit_test(an_unknown_suite_is_refused_with_the_names_there_are),
        cmocka_unit_test(what_a_row_lacks_comes_from_its_case_or_mode),
        cmocka_unit_test(what_is_wrong_is_said_with_its_place),
        cmocka_unit_test(a_suite_has_a_bounded_number_of_rows),
        cmocka_unit_test(without_memory_there_is_no_suite),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
