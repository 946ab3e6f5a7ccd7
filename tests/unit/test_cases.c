/* test_cases.c - the cases: each file of modes/cases/ is in the binary, whole, and its plan can be
 * set.
 */
#include "harness/memory.h"
#include "harness/mode_fakes.h"

#include <dirent.h>
#include <errno.h>

#include "mode/cases.h"
#include "mode/catalogue.h"
#include "mode/driver.h"
#include "run/plan.h"

static const char *text(const json_t *one, const char *member)
{
    const char *value = json_string_value(json_object_get(one, member));
    return value ? value : "";
}

/* Two digits, then words of lower case letters and digits, each after a "-". */
static bool is_case_name(const char *name)
{
    size_t digits = strspn(name, "0123456789");
    const char *at = name + digits;
    while (*at == '-') {
        size_t word = strspn(at + 1, "abcdefghijklmnopqrstuvwxyz0123456789");
        if (word == 0)
            return false;
        at += 1 + word;
    }
    return digits == 2 && at > name + digits && *at == '\0';
}

static bool all_texts(const json_t *list)
{
    size_t i;
    const json_t *item;
    json_array_foreach(list, i, item)
    {
        if (json_string_length(item) == 0)
            return false;
    }
    return json_array_size(list) > 0;
}

static void a_case_name_is_a_number_and_words(void **state)
{
    assert_true(is_case_name("01-a") && is_case_name("15-408-and-stale-pool"));
    static const char *const others[] = { "01", "01-", "1-a", "001-a", "01-A", "01-a--b", "01_a" };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_false(is_case_name(others[i]));
}

static void every_case_is_whole(void **state)
{
    char last[MODE_NAME_SIZE] = "";
    assert_true(cases_count() > 0);
    for (size_t i = 0; i < cases_count(); i++) {
        json_t *one = cases_at(i), *found = NULL;
        assert_non_null(one);
        const char *name = text(one, "name");
        if (!is_case_name(name) || strcmp(last, name) >= 0)
            fail_msg("case %zu is called \"%s\"", i, name);
        assert_int_equal(cases_get(name, &found, NULL), 0); /* called as its file */
        assert_true(json_equal(one, found));
        static const char *const texts[] = { "summary", "client_sees", "how" };
        for (size_t t = 0; t < sizeof texts / sizeof *texts; t++)
            if (!*text(one, texts[t]))
                fail_msg("%s: no %s", name, texts[t]);
        const char *over = text(one, "over");
        if (strcmp(over, "h1") != 0 && strcmp(over, "h2") != 0 && strcmp(over, "both") != 0)
            fail_msg("%s: over \"%s\"", name, over);
        if (!all_texts(json_object_get(one, "reports")) ||
            !all_texts(json_object_get(one, "exercises")) ||
            !json_array_size(json_object_get(one, "plan")))
            fail_msg("%s: reports, exercises or plan", name);
        struct driver_step steps[DRIVER_STEPS_MAX];
        struct refusal why = { 0 };
        size_t count;
        if (driver_steps_read(text(one, "steps"), "$.steps", steps, &count, &why) ||
            driver_expect_check(json_object_get(one, "expect"), "$.expect", &why))
            fail_msg("%s: %s: %s", name, why.where, why.what);
        size_t members = 0;
        while (cases_members[members])
            members++;
        if (json_object_size(one) != members)
            fail_msg("%s: a member that no case has", name);
        snprintf(last, sizeof last, "%s", name);
        json_decref(found);
        json_decref(one);
    }
}

static void every_plan_compiles(void **state)
{
    struct catalogue *c = catalogue_create();
    assert_non_null(c);
    for (size_t i = 0; i < cases_count(); i++) {
        json_t *one = cases_at(i);
        struct plan *plan = NULL;
        struct refusal why = { 0 };
        if (plan_compile(c, json_object_get(one, "plan"), 1, 0, &plan, &why))
            fail_msg("%s: %s: %s", text(one, "name"), why.where, why.what);
        plan_unref(plan);
        json_decref(one);
    }
    catalogue_destroy(c);
}

static void every_file_is_in_the_binary(void **state)
{
    char path[4096];
    unsigned files = 0;
    snprintf(path, sizeof path, "%s/modes/cases", getenv("SOURCE_ROOT"));
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *file; (file = readdir(dir));) {
        size_t len = strlen(file->d_name);
        if (len < 5 || strcmp(file->d_name + len - 5, ".json") != 0)
            continue;
        json_t *found = NULL;
        file->d_name[len - 5] = '\0';
        if (cases_get(file->d_name, &found, NULL) != 0)
            fail_msg("modes/meson.build does not list %s", file->d_name);
        json_decref(found);
        files++;
    }
    closedir(dir);
    assert_int_equal(files, cases_count());
}

static void an_unknown_case_is_refused_with_all_names(void **state)
{
    struct refusal why = { 0 };
    json_t *one = NULL;
    assert_int_equal(cases_get("18-none", &one, &why), MODE_UNKNOWN);
    assert_null(one);
    assert_string_equal(why.where, "$.case");
    assert_non_null(strstr(why.what, "\"18-none\""));
    for (size_t i = 0; i < cases_count(); i++) {
        one = cases_at(i);
        assert_non_null(strstr(why.allowed, text(one, "name")));
        json_decref(one);
    }
}

static void without_memory_a_case_is_not_there(void **state)
{
    json_t *one = NULL;
    memory_for_jansson(true);
    memory_ends_after(1);
    assert_null(cases_at(0));
    assert_int_equal(cases_get("01-answered-then-dead", &one, NULL), -ENOMEM);
    memory_restore();
    assert_null(one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_case_name_is_a_number_and_words),
        cmocka_unit_test(every_case_is_whole),
        cmocka_unit_test(every_plan_compiles),
        cmocka_unit_test(every_file_is_in_the_binary),
        cmocka_unit_test(an_unknown_case_is_refused_with_all_names),
        cmocka_unit_test(without_memory_a_case_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
