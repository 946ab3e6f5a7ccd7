/* test_json.c - JSON texts read and written. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"

#include "harness/memory.h"

static void a_text_is_read(void **state)
{
    static const char *const texts[] = { "{}", " [1,{\"a\":[]}] \n", "{\"a\":{\"a\":1}}" };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        json_t *value = NULL;
        assert_int_equal(json_read(texts[i], strlen(texts[i]), "x", &value, NULL), 0);
        assert_non_null(value);
        json_decref(value);
    }
}

static void an_error_is_told_with_its_line_and_column(void **state)
{
    static const struct {
        const char *text;
        size_t len; /* 0: all of it */
        const char *where, *what;
    } rows[] = {
        { "", 0, "a.json, line 1, column 0", "expected" },
        { "7", 0, "a.json, line 1, column 1", "expected" },
        { "[1,\n 2,\n x]", 0, "a.json, line 3, column 2", "invalid token" },
        { "{\"a\":1,\n\"a\":2}", 0, "a.json, line 2, column 3", "duplicate" },
        { "[] []", 0, "a.json, line 1, column 4", "end of file" },
        { "[]", 1, "a.json, line 1, column 1", "end of file" },
        { "[\"\xff\"]", 0, "a.json, line 1, column 2", "decode" },
        { "[1]\0", 4, "a.json, line 1, column 4", "end of file" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct refusal why = { 0 };
        json_t *value = NULL;
        size_t len = rows[i].len ? rows[i].len : strlen(rows[i].text);
        assert_int_equal(json_read(rows[i].text, len, "a.json", &value, &why), BAD_INPUT);
        assert_null(value);
        assert_string_equal(why.where, rows[i].where);
        assert_non_null(strstr(why.what, rows[i].what));
        assert_string_equal(why.allowed, "JSON (RFC 8259), each member once");
        assert_int_equal(json_read(rows[i].text, len, "a.json", &value, NULL), BAD_INPUT);
    }
}

static void a_long_place_does_not_hide_the_line(void **state)
{
    char place[400];
    struct refusal why;
    json_t *value;
    memset(place, 'a', sizeof place - 1);
    place[sizeof place - 1] = '\0';
    assert_int_equal(json_read("[", 1, place, &value, &why), BAD_INPUT);
    assert_non_null(strstr(why.where, "aaa, line 1, column 1"));
}

/* jansson takes a string for which it has no memory for an error in the text; else it is told. */
static void without_memory_nothing_is_read(void **state)
{
    static const char text[] = "{\"a\":[1,2.5,\"x\"],\"b\":{\"c\":null}}";
    json_t *value = NULL;
    int error = -ENOMEM;
    memory_for_jansson(true);
    for (long n = 0; error; n++) {
        struct refusal why = { .what = "untouched" };
        assert_true(n < 1000);
        memory_fails_once_after(n);
        error = json_read(text, strlen(text), "x", &value, &why);
        memory_restore();
        if (error)
            assert_null(value);
        if (error == BAD_INPUT)
            assert_non_null(strstr(why.what, " near '\""));
        else if (error)
            assert_int_equal(error, -ENOMEM);
        if (error == -ENOMEM)
            assert_string_equal(why.what, "untouched");
    }
    json_decref(value);
    memory_for_jansson(false);
}

static void json_is_written_in_one_line_in_its_order(void **state)
{
    static const char text[] = "{\"z\":[],\"a\":[1,-2,0.1,1e-06,true,false,null],"
                               "\"\\\"\\u0001\":{\"x\":{}},\"s\":\"caf\xc3\xa9 \\n/\"}";
    struct buf out = { 0 };
    json_t *value = json_loads(text, 0, NULL);
    assert_int_equal(json_write(&out, value), 0);
    buf_add(&out, "", 1);
    assert_string_equal((const char *)buf_bytes(&out), text);
    buf_free(&out);
    json_decref(value);
}

static void what_has_no_memory_is_not_written(void **state)
{
    struct buf out = { 0 };
    assert_true(json_write(&out, NULL) < 0);
    assert_true(out.failed);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_is_read),
        cmocka_unit_test(an_error_is_told_with_its_line_and_column),
        cmocka_unit_test(a_long_place_does_not_hide_the_line),
        cmocka_unit_test(without_memory_nothing_is_read),
        cmocka_unit_test(json_is_written_in_one_line_in_its_order),
        cmocka_unit_test(what_has_no_memory_is_not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
