/* test_driver.c - the steps of a driver, and expectations, as data. */
#include "harness/mode_fakes.h"

#include "mode/driver.h"

static void steps_are_words(void **state)
{
    struct driver_step steps[DRIVER_STEPS_MAX];
    size_t count = 0;
    static const struct driver_step all[] = {
        { DRIVER_GET, 1 },      { DRIVER_GET, 11 },       { DRIVER_POST, 1 },
        { DRIVER_POST_KEY, 1 }, { DRIVER_BACKGROUND, 1 }, { DRIVER_FOREGROUND, 1 },
        { DRIVER_PAUSE, 1 },
    };
    assert_int_equal(driver_steps_read(" get get*11  post post-key background foreground pause ",
                                       "$.steps", steps, &count, NULL),
                     0);
    assert_int_equal(count, sizeof all / sizeof *all);
    assert_memory_equal(steps, all, sizeof all);
    assert_int_equal(driver_requests(steps, count), 14);
    assert_int_equal(driver_steps_read("get*100", "", steps, &count, NULL), 0);
    assert_string_equal(driver_word_name(DRIVER_POST_KEY), "post-key");
}

static void what_is_no_step_is_refused_with_its_number(void **state)
{
    static const struct {
        const char *text, *what;
    } rows[] = {
        { "", "no request" },
        { "pause", "no request" },
        { "get GET", "word 2, \"GET\"" },
        { "get get*", "\"get*\"" },
        { "get*0", "\"get*0\"" },
        { "get*01", "\"get*01\"" },
        { "get*101", "\"get*101\"" },
        { "get*-1", "\"get*-1\"" },
        { "post*2", "\"post*2\"" },
        { "get,get", "\"get,get\"" },
        { "get\tget", "\"get?get\"" },
        { "get*99999999999999999999", "word 1" },
        { "getx", "\"getx\"" },
        { "get pauze", "\"pauze\"" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct driver_step steps[DRIVER_STEPS_MAX];
        struct refusal why = { 0 };
        size_t count = 77;
        assert_int_equal(driver_steps_read(rows[i].text, "$.steps", steps, &count, &why),
                         BAD_INPUT);
        assert_string_equal(why.where, "$.steps");
        if (!strstr(why.what, rows[i].what))
            fail_msg("\"%s\": %s", rows[i].text, why.what);
        assert_int_equal(count, 77);
    }
}

static void there_are_at_most_so_many_steps(void **state)
{
    struct driver_step steps[DRIVER_STEPS_MAX];
    struct refusal why = { 0 };
    char text[DRIVER_STEPS_MAX * 4 + 5] = "";
    size_t count;
    for (int i = 0; i < DRIVER_STEPS_MAX; i++)
        strcat(text, "get ");
    assert_int_equal(driver_steps_read(text, "$", steps, &count, &why), 0);
    assert_int_equal(count, DRIVER_STEPS_MAX);
    strcat(text, "get");
    assert_int_equal(driver_steps_read(text, "$", steps, &count, &why), BAD_INPUT);
}

static int check(const char *text, struct refusal *why)
{
    char plain[512];
    snprintf(plain, sizeof plain, "%s", text);
    for (char *c = plain; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    json_t *json = json_loads(plain, JSON_DECODE_ANY, NULL);
    assert_non_null(json);
    int rc = driver_expect_check(json, "$.expect", why);
    json_decref(json);
    return rc;
}

static void expectations_have_a_shape(void **state)
{
    assert_int_equal(check("['retry-once', {'user_wait': {'max': '3s', 'for': 'GET /api/*'}},"
                           " {'retries': {'min': 1}}, {'no_storm': {}}]",
                           NULL),
                     0);
    static const struct {
        const char *text, *where;
    } rows[] = {
        { "'retry-once'", "$.expect" },
        { "[]", "$.expect" },
        { "{}", "$.expect" },
        { "['a', 3]", "$.expect[1]" },
        { "['Retry']", "$.expect[0]" },
        { "[{}]", "$.expect[0]" },
        { "[{'a': {}, 'b': {}}]", "$.expect[0]" },
        { "[{'a': 1}]", "$.expect[0]" },
        { "['x', {'a': {'b': []}}]", "$.expect[1]" },
        { "['x', {'a': {'b': null}}]", "$.expect[1]" },
        { "['x', null]", "$.expect[1]" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct refusal why = { 0 };
        if (check(rows[i].text, &why) != BAD_INPUT || strcmp(why.where, rows[i].where) != 0)
            fail_msg("%s: %s", rows[i].text, why.where);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_are_words),
        cmocka_unit_test(what_is_no_step_is_refused_with_its_number),
        cmocka_unit_test(there_are_at_most_so_many_steps),
        cmocka_unit_test(expectations_have_a_shape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
