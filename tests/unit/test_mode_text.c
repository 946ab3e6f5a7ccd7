/* test_mode_text.c - modes as text: "NAME;k=v". */
#include "harness/memory.h"
#include "harness/mode_fakes.h"

#include <errno.h>

static void a_name_and_its_parameters_are_read(void **state)
{
    static const struct {
        const char *text, *name, *params;
    } table[] = {
        { "normal", "normal", "{}" },
        { "idle-close;idle=2s", "idle-close", "{\"idle\":\"2s\"}" },
        { "idle-close;idle=2s;notify=true", "idle-close", "{\"idle\":\"2s\",\"notify\":\"true\"}" },
        { "idle%2Dclose;id%6Ce=%32s", "idle-close", "{\"idle\":\"2s\"}" },
        { "x;a=", "x", "{\"a\":\"\"}" },
        { "x;a=b=c", "x", "{\"a\":\"b=c\"}" },
        { "x;a=b%25c", "x", "{\"a\":\"b%c\"}" },
        { "x%3Ba%3Db%3bc%3dd", "x", "{\"a\":\"b\",\"c\":\"d\"}" },
        { "x;a=%c3%BC", "x", "{\"a\":\"\xc3\xbc\"}" },
        { "x;a=a+b", "x", "{\"a\":\"a+b\"}" },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char name[MODE_NAME_SIZE];
        json_t *params = NULL;
        struct refusal why;
        assert_int_equal(mode_parse_text(table[i].text, strlen(table[i].text), name, &params, &why),
                         0);
        assert_string_equal(name, table[i].name);
        char *text = json_dumps(params, JSON_COMPACT);
        assert_string_equal(text, table[i].params);
        free(text);
        json_decref(params);
    }
}

static void a_text_is_read_only_as_far_as_its_length(void **state)
{
    char name[MODE_NAME_SIZE];
    json_t *params = NULL;
    assert_int_equal(mode_parse_text("idle-close;idle=2s/api", 18, name, &params, NULL), 0);
    assert_string_equal(json_string_value(json_object_get(params, "idle")), "2s");
    json_decref(params);
}

static void a_broken_text_is_refused_with_its_place(void **state)
{
    static const struct {
        const char *text, *where;
    } table[] = {
        { "", "mode" },
        { ";idle=2s", "mode" },
        { "Idle", "mode" },
        { "idle close", "mode" },
        { "../etc", "mode" },
        { "%", "mode" },
        { "%4", "mode" },
        { "%4g", "mode" },
        { "a%00b", "mode" },
        { "0123456789012345678901234567890123456789012345678901234567890123", "mode" },
        { "x;", "mode" },
        { "x;;a=1", "mode" },
        { "x;a", "mode" },
        { "x;=1", "mode" },
        { "x;A=1", "mode" },
        { "x;a=%zz", "mode" },
        { "x;a=%00", "mode" },
        { "x;a=%ff", "mode" },
        { "x;a=\xc3", "mode" },
        { "x;a=1;b=2;a=3", "mode;a" },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char name[MODE_NAME_SIZE] = "untouched";
        json_t *params = NULL;
        struct refusal why = { 0 };
        assert_int_equal(mode_parse_text(table[i].text, strlen(table[i].text), name, &params, &why),
                         BAD_INPUT);
        assert_string_equal(why.where, table[i].where);
        assert_true(why.what[0] && why.allowed[0]);
        assert_string_equal(name, "untouched");
        assert_null(params);
    }
}

static void a_text_that_is_too_long_is_refused(void **state)
{
    static char text[65540];
    memset(text, 'a', sizeof text);
    memcpy(text, "x;a=", 4);
    char name[MODE_NAME_SIZE];
    json_t *params = NULL;
    assert_int_equal(mode_parse_text(text, 65536, name, &params, NULL), 0);
    json_decref(params);
    assert_int_equal(mode_parse_text(text, 65537, name, &params, NULL), BAD_INPUT);
    assert_int_equal(mode_parse_text(text, SIZE_MAX / 2, name, &params, NULL), BAD_INPUT);
}

static void running_out_of_memory_is_survived(void **state)
{
    const char *text = "idle-close;idle=2s;notify=true";
    int error = -ENOMEM;
    memory_for_jansson(true);
    for (long n = 0; error; n++) {
        char name[MODE_NAME_SIZE];
        json_t *params = NULL;
        memory_ends_after(n);
        error = mode_parse_text(text, strlen(text), name, &params, NULL);
        memory_restore();
        assert_true(error == 0 || error == -ENOMEM);
        assert_true(n < 100);
        json_decref(params);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_and_its_parameters_are_read),
        cmocka_unit_test(a_text_is_read_only_as_far_as_its_length),
        cmocka_unit_test(a_broken_text_is_refused_with_its_place),
        cmocka_unit_test(a_text_that_is_too_long_is_refused),
        cmocka_unit_test(running_out_of_memory_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
