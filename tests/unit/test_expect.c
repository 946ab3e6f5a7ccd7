/* Expectations: lists of checks and mitigations are read, taken apart and given back; everything
 * that is wrong in one has its place, and what is allowed. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "harness/memory.h"
#include "verdict/expect.h"
#include "verdict/finding.h"

static struct expect *read_json(const char *text)
{
    struct refusal why = { 0 };
    struct expect *e = NULL;
    json_t *list = json_loads(text, 0, NULL);
    assert_non_null(list);
    if (expect_read(list, &e, &why) != 0)
        fail_msg("%s: %s: %s", text, why.where, why.what);
    json_decref(list);
    return e;
}

static struct expect *read_text(const char *text)
{
    struct refusal why = { 0 };
    struct expect *e = NULL;
    if (expect_read_text(&text, 1, &e, &why) != 0)
        fail_msg("%s: %s: %s", text, why.where, why.what);
    return e;
}

static void a_check_has_its_defaults(void **state)
{
    struct expect *e = read_json("[\"no_storm\"]");
    assert_int_equal(expect_count(e), 1);
    const struct expected *one = expect_at(e, 0);
    assert_int_equal(one->check, CHECK_NO_STORM);
    assert_null(one->of);
    assert_int_equal(one->number[0], 5);
    assert_int_equal(one->number[1], 10 * NS_PER_S);
    assert_null(expect_at(e, 1));
    expect_free(e);
}

static void a_mitigation_is_taken_apart(void **state)
{
    struct expect *e = read_json("[\"user_wait\", {\"retry-once\": {\"within\": \"3s\"}}]");
    assert_int_equal(expect_count(e), 4);
    const struct expected *recovered = expect_at(e, 1), *retries = expect_at(e, 2);
    assert_int_equal(recovered->check, CHECK_RECOVERED);
    assert_string_equal(recovered->of->name, "retry-once");
    assert_int_equal(recovered->index, 1);
    assert_int_equal(recovered->number[0], 3 * NS_PER_S);
    assert_int_equal(retries->check, CHECK_RETRIES);
    assert_int_equal(retries->number[0], 1);
    assert_int_equal(retries->number[1], 1);
    assert_int_equal(expect_at(e, 3)->check, CHECK_RETRY_ELSEWHERE);
    assert_int_equal(expect_listed(e), 2);
    assert_string_equal(expect_name(e, 1), "retry-once");
    expect_free(e);
}

/* No check has a use for no time; and of its counts zero is one only where that can be kept. */
static void zero_is_refused_where_it_makes_no_sense(void **state)
{
    static const char *const kept[] = { "retries;min=0", "retries;max=0" };
    for (int check = 0; check < CHECK_COUNT; check++) {
        for (const struct param_row *p = check_rows[check].params; p->name; p++) {
            char text[96];
            const char *list = text;
            struct refusal why = { 0 };
            struct expect *e = NULL;
            bool count = p->kind == PARAM_COUNT, may = false;
            if (!count && p->kind != PARAM_SPAN)
                continue;
            snprintf(text, sizeof text, "%s;%s=0%s", check_rows[check].name, p->name,
                     count ? "" : "s");
            for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
                may |= strcmp(text, kept[i]) == 0;
            int error = expect_read_text(&list, 1, &e, &why);
            if ((error == 0) != may)
                fail_msg("%s: %s", text, error ? why.what : "is taken");
            if (error)
                assert_non_null(strstr(why.allowed, count ? "from 1 to 10000" : "above 0"));
            expect_free(e);
        }
    }
}

static void the_longest_window_is_found(void **state)
{
    static const struct {
        const char *list;
        int64_t seconds;
    } rows[] = {
        { "[\"safe_retry\", \"connection-close\"]", 0 },
        { "[\"bounded-wait\"]", 5 },
        { "[\"recovered\", {\"user_wait\": {\"max\": \"40s\"}}, \"ping-liveness\"]", 40 },
        { "[\"ping-liveness\", \"no_storm\"]", 20 },
        { "[{\"idle-eviction\": {\"before\": \"60s\"}}]", 0 }, /* it is over when it is seen */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct expect *e = read_json(rows[i].list);
        assert_int_equal(expect_window(e), rows[i].seconds * NS_PER_S);
        expect_free(e);
    }
}

/* As text, as JSON, and what is given back. */
static const struct {
    const char *text, *json;
} alike[] = {
    { "retry-once", "\"retry-once\"" },
    { "recovered;within=250ms", "{\"recovered\": {\"within\": \"250ms\"}}" },
    { "retries;min=0;max=2", "{\"retries\": {\"min\": 0, \"max\": 2}}" },
    { "user_wait;max=3s;for=GET /api/*",
      "{\"user_wait\": {\"max\": \"3s\", \"for\": \"GET /api/*\"}}" },
    { "fresh-on-foreground;mark=path-change",
      "{\"fresh-on-foreground\": {\"mark\": \"path-change\"}}" },
    { "falls_back;to=h1;within=2s", "{\"falls_back\": {\"to\": \"h1\", \"within\": \"2s\"}}" },
    { "idle-eviction;before=2s", "{\"idle-eviction\": {\"before\": \"2s\"}}" },
};

static void text_and_json_say_the_same(void **state)
{
    for (size_t i = 0; i < sizeof alike / sizeof *alike; i++) {
        char text[256];
        snprintf(text, sizeof text, "[%s]", alike[i].json);
        struct expect *one = read_json(text), *other = read_text(alike[i].text);
        json_t *x = expect_json(one), *y = expect_json(other), *z = json_loads(text, 0, NULL);
        assert_true(json_equal(x, z));
        assert_true(json_equal(x, y));
        json_decref(x);
        json_decref(y);
        json_decref(z);
        expect_free(one);
        expect_free(other);
    }
}

static void the_usual_expectation_is_what_users_feel(void **state)
{
    struct expect *e = NULL;
    assert_int_equal(expect_read_text(expect_default, EXPECT_DEFAULT_COUNT, &e, NULL), 0);
    assert_int_equal(expect_count(e), EXPECT_DEFAULT_COUNT);
    expect_free(e);
}

static void for_says_which_calls_it_is_about(void **state)
{
    static const struct {
        const char *whom, *method, *path;
        bool fits;
    } rows[] = {
        { "GET /api/*", "GET", "/api/a", true },
        { "GET /api/*", "POST", "/api/a", false },
        { "GET /api/*", "GET", "/other", false },
        { "/api/*", "POST", "/api/a/b", true },
        { "GET *", "GET", "/", true },
        { "/a?b", "GET", "/axb", false },
        { "/a[12]", "GET", "/a1", false },
        { "/a[12]", "GET", "/a[12]", true },
        { "/api/*", "GET", "/%61pi/a", true },
        { "/api/*", "GET", "//api/./a", true },
        { "/api/*", "GET", "/api/", true },
        { "/api/*", "GET", "/api", false },
        { "/api/*", "GET", "/api%2fa", false },
        { "/%7Eme/%5b", "GET", "/~me/%5B", true },
        { "/a/", "GET", "/a", false },
        { "/a/", "GET", "/a/.", true },
        { "/a", "GET", "/a/%2e", false },
        { "/a/.", "GET", "/a/", true },
        { "/", "GET", "/.", true },
        { "/*", "GET", "*", false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[128];
        snprintf(text, sizeof text, "recovered;for=%s", rows[i].whom);
        struct expect *e = read_text(text);
        assert_int_equal(expected_for(expect_at(e, 0), rows[i].method, rows[i].path), rows[i].fits);
        expect_free(e);
    }
}

/* --- What is refused: where, a part of what, a part of what is allowed, what was meant */

struct bad {
    const char *input, *where, *what, *allowed, *meant;
};

static const struct bad bad_json[] = {
    { "{}", "$.expect", "no list", "1 to 32", NULL },
    { "[]", "$.expect", "0 entries", "1 to 32", NULL },
    { "[7]", "$.expect[0]", "neither", "an object with one member", NULL },
    { "[{}]", "$.expect[0]", "neither", "an object with one member", NULL },
    { "[{\"recovered\": {}, \"retries\": {}}]", "$.expect[0]", "neither", "one member", NULL },
    { "[\"recovered\", \"recoverd\"]", "$.expect[1]", "no check or mitigation \"recoverd\"",
      "retry-once, ", "recovered" },
    { "[\"retry_once\"]", "$.expect[0]", "no check", "one of", "retry-once" },
    { "[{\"recovered\": 3}]", "$.expect[0].recovered", "none", "an object of parameters", NULL },
    { "[{\"recovered\": {\"withn\": \"3s\"}}]", "$.expect[0].recovered.withn", "no such parameter",
      "within, for", "within" },
    { "[{\"retry-once\": {\"max\": 2}}]", "$.expect[0].retry-once.max", "no such parameter",
      "within, for", NULL },
    { "[{\"retry_elsewhere\": {\"max\": 2}}]", "$.expect[0].retry_elsewhere.max",
      "no such parameter", "for", NULL },
    { "[{\"recovered\": {\"within\": 3}}]", "$.expect[0].recovered.within", "no such duration",
      "\"3s\"", NULL },
    { "[{\"recovered\": {\"within\": \"3\"}}]", "$.expect[0].recovered.within", "no such duration",
      "\"3s\"", NULL },
    { "[{\"recovered\": {\"within\": \"never\"}}]", "$.expect[0].recovered.within", "duration",
      "above 0", NULL },
    { "[{\"recovered\": {\"within\": \"0\"}}]", "$.expect[0].recovered.within", "duration",
      "above 0", NULL },
    { "[{\"retries\": {\"max\": \"2\"}}]", "$.expect[0].retries.max", "no such number",
      "0 to 10000", NULL },
    { "[{\"retries\": {\"max\": 1.5}}]", "$.expect[0].retries.max", "no such number", "0 to 10000",
      NULL },
    { "[{\"retries\": {\"max\": -1}}]", "$.expect[0].retries.max", "no such number", "0 to 10000",
      NULL },
    { "[{\"retries\": {\"max\": 10001}}]", "$.expect[0].retries.max", "no such number",
      "0 to 10000", NULL },
    { "[{\"retries\": {\"min\": 2}}]", "$.expect[0].retries.min", "above max", "at most max",
      NULL },
    { "[{\"falls_back\": {\"to\": \"h3\"}}]", "$.expect[0].falls_back.to", "none of its words",
      "one of h1, h2", NULL },
    { "[{\"fresh_after_mark\": {\"mark\": \"\"}}]", "$.expect[0].fresh_after_mark.mark",
      "no such text", "1 to 200 bytes", NULL },
    { "[{\"fresh_after_mark\": {\"mark\": \"a\\u0000b\"}}]", "$.expect[0].fresh_after_mark.mark",
      "no such text", "1 to 200 bytes", NULL },
    { "[{\"recovered\": {\"for\": \"api\"}}]", "$.expect[0].recovered.for",
      "does not begin with \"/\"", "GET /api/*", NULL },
    { "[{\"recovered\": {\"for\": \"GET/api\"}}]", "$.expect[0].recovered.for",
      "no method and path", "GET /api/*", NULL },
    { "[{\"recovered\": {\"for\": 1}}]", "$.expect[0].recovered.for", "no method and path",
      "GET /api/*", NULL },
};

static const struct bad bad_text[] = {
    { "", "expectation", "no name", "NAME;PARAMETER=VALUE", NULL },
    { ";max=1", "expectation", "no name", "NAME;PARAMETER=VALUE", NULL },
    { "retires", "retires", "no check or mitigation", "one of", "retries" },
    { "retries;", "retries", "no PARAMETER=VALUE", "NAME;PARAMETER=VALUE", NULL },
    { "retries;max", "retries", "\"max\" is no PARAMETER=VALUE", "NAME;PARAMETER=VALUE", NULL },
    { "retries;=1", "retries", "no PARAMETER=VALUE", "NAME;PARAMETER=VALUE", NULL },
    { "retries;max=1;max=2", "retries;max", "twice", "once", NULL },
    { "retries;mx=1", "retries;mx", "no such parameter", "min, max, for", "max" },
    { "retries;max=", "retries;max", "no such number", "0 to 10000", NULL },
    { "retries;max=1x", "retries;max", "no such number", "0 to 10000", NULL },
    { "user_wait;max=3", "user_wait;max", "no such duration", "\"3s\"", NULL },
    { "user_wait;for=/\xff", "expectation", "no UTF-8", "UTF-8", NULL },
    { "user\xff", "expectation", "no UTF-8", "UTF-8", NULL },
};

static void is_refused(int error, const struct bad *bad, const struct refusal *why)
{
    assert_int_equal(error, BAD_INPUT);
    if (strcmp(why->where, bad->where) != 0 || !strstr(why->what, bad->what) ||
        !strstr(why->allowed, bad->allowed) ||
        (bad->meant && strcmp(why->meant[0], bad->meant) != 0))
        fail_msg("%s: %s: %s (%s) %s", bad->input, why->where, why->what, why->allowed,
                 why->meant[0]);
}

static void what_is_wrong_has_its_place_and_what_is_allowed(void **state)
{
    for (size_t i = 0; i < sizeof bad_json / sizeof *bad_json; i++) {
        struct refusal why = { 0 };
        struct expect *e = NULL;
        json_t *list = json_loads(bad_json[i].input, JSON_ALLOW_NUL, NULL);
        assert_non_null(list);
        is_refused(expect_read(list, &e, &why), &bad_json[i], &why);
        assert_null(e);
        json_decref(list);
    }
    for (size_t i = 0; i < sizeof bad_text / sizeof *bad_text; i++) {
        struct refusal why = { 0 };
        struct expect *e = NULL;
        is_refused(expect_read_text(&bad_text[i].input, 1, &e, &why), &bad_text[i], &why);
        assert_null(e);
    }
}

static void a_list_is_bounded(void **state)
{
    const char *texts[EXPECT_MAX + 1];
    struct expect *e = NULL;
    struct refusal why = { 0 };
    for (size_t i = 0; i <= EXPECT_MAX; i++)
        texts[i] = "retry-once";
    assert_int_equal(expect_read_text(texts, EXPECT_MAX, &e, &why), 0);
    assert_int_equal(expect_count(e), 3 * EXPECT_MAX);
    expect_free(e);
    assert_int_equal(expect_read_text(texts, EXPECT_MAX + 1, &e, &why), BAD_INPUT);
    assert_string_equal(why.what, "there are 33");
    assert_int_equal(expect_read_text(texts, 0, &e, &why), BAD_INPUT);
}

/* --- The rows */

static void every_row_is_told(void **state)
{
    json_t *list = expect_list();
    assert_int_equal(json_array_size(list), mitigation_count + CHECK_COUNT);
    size_t i, k;
    json_t *row, *param;
    json_array_foreach(list, i, row)
    {
        assert_true(json_string_length(json_object_get(row, "about")) > 20);
        assert_true(json_string_length(json_object_get(row, "asks")) > 10);
        json_array_foreach(json_object_get(row, "params"), k, param)
        {
            assert_non_null(json_string_value(json_object_get(param, "type")));
            assert_non_null(json_string_value(json_object_get(param, "about")));
        }
        /* Each is read by its name, with its parameters' defaults, and gives these back. */
        json_t *given = json_object(), *one;
        json_array_foreach(json_object_get(row, "params"), k, param)
        {
            json_t *initial = json_object_get(param, "default");
            if (initial)
                json_object_set(given, json_string_value(json_object_get(param, "name")), initial);
        }
        one = json_pack("[{s:O}]", json_string_value(json_object_get(row, "name")), given);
        struct expect *e = NULL;
        assert_int_equal(expect_read(one, &e, NULL), 0);
        if (strcmp(json_string_value(json_object_get(row, "kind")), "check") == 0) {
            json_t *params = expected_params(expect_at(e, 0));
            assert_true(json_equal(params, given));
            json_decref(params);
        }
        expect_free(e);
        json_decref(one);
        json_decref(given);
    }
    json_decref(list);
}

/* --- docs/verdict.md has a line for each row */

static void say_params(struct buf *out, const struct param_row *row, const char *fixed)
{
    const char *sep = " (";
    for (; !fixed && row->name; row++, sep = ", ")
        buf_printf(out, "%s`%s`%s%s", sep, row->name, row->initial ? " " : "",
                   row->initial ? row->initial : "");
    if (fixed)
        buf_printf(out, " (%s", fixed);
    if (fixed || *sep == ',')
        buf_printf(out, ")");
}

static char *docs_read(void)
{
    char path[512];
    snprintf(path, sizeof path, "%s/docs/verdict.md", getenv("SOURCE_ROOT"));
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    struct buf text = { 0 };
    char part[4096];
    for (size_t n; (n = fread(part, 1, sizeof part, file)) > 0;)
        buf_add(&text, part, n);
    fclose(file);
    char *out = strndup((const char *)buf_bytes(&text), buf_len(&text));
    buf_free(&text);
    return out;
}

/* Whether the docs have it; if not it is printed, to be put there. */
static bool docs_have(const char *docs, struct buf *line)
{
    char *text = strndup((const char *)buf_bytes(line), buf_len(line));
    bool there = strstr(docs, text) != NULL;
    if (!there)
        print_error("%s", text);
    free(text);
    buf_free(line);
    return there;
}

static void the_docs_have_each_row(void **state)
{
    char *docs = docs_read();
    bool all = true;
    for (int i = 0; i < CHECK_COUNT; i++) {
        const struct check_row *row = &check_rows[i];
        struct buf line = { 0 };
        buf_printf(&line, "| `%s`", row->name);
        say_params(&line, row->params, NULL);
        buf_printf(&line, " | %s | %s |\n", row->about, row->asks);
        all &= docs_have(docs, &line);
    }
    for (size_t i = 0; i < mitigation_count; i++) {
        const struct mitigation_row *row = &mitigation_rows[i];
        struct buf line = { 0 };
        buf_printf(&line, "| `%s` | %s | ", row->name, row->about);
        for (size_t k = 0; k < row->part_count; k++) {
            buf_printf(&line, "%s`%s`", k ? ", " : "", check_rows[row->parts[k].check].name);
            if (row->parts[k].fixed)
                say_params(&line, NULL, row->parts[k].fixed);
        }
        buf_printf(&line, " |\n");
        all &= docs_have(docs, &line);
    }
    for (int i = REMEDY_NONE + 1; i < REMEDY_COUNT; i++) {
        struct buf line = { 0 };
        buf_printf(&line, "| `%s` | %s |\n", remedy_code((enum remedy)i),
                   remedy_text((enum remedy)i));
        all &= docs_have(docs, &line);
    }
    free(docs);
    assert_true(all);
}

static void without_memory_nothing_is_read_or_lost(void **state)
{
    const char *texts[] = { "retry-once;within=3s", "user_wait;max=2s;for=GET /a",
                            "fresh_after_mark" };
    memory_for_jansson(true);
    bool done = false;
    for (long n = 0; !done; n++) {
        long blocks = memory_blocks();
        struct expect *e = NULL;
        memory_fails_once_after(n);
        int error = expect_read_text(texts, 3, &e, NULL);
        json_t *json = error ? NULL : expect_json(e);
        bool failed = memory_restore() > 0;
        assert_true(error == 0 || error == -ENOMEM);
        assert_true(failed || (error == 0 && json));
        done = !failed;
        json_decref(json);
        expect_free(e);
        assert_int_equal(memory_blocks(), blocks);
    }
    memory_for_jansson(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_check_has_its_defaults),
        cmocka_unit_test(a_mitigation_is_taken_apart),
        cmocka_unit_test(zero_is_refused_where_it_makes_no_sense),
        cmocka_unit_test(the_longest_window_is_found),
        cmocka_unit_test(text_and_json_say_the_same),
        cmocka_unit_test(the_usual_expectation_is_what_users_feel),
        cmocka_unit_test(for_says_which_calls_it_is_about),
        cmocka_unit_test(what_is_wrong_has_its_place_and_what_is_allowed),
        cmocka_unit_test(a_list_is_bounded),
        cmocka_unit_test(every_row_is_told),
        cmocka_unit_test(the_docs_have_each_row),
        cmocka_unit_test(without_memory_nothing_is_read_or_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
