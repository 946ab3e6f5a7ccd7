/* What an audit makes of documents. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "cli/audit.h"

static struct prove_row row = { .name = "r", .steps = (char *)"get get pause get" };
static struct buf out;

static json_t *parse(const char *text)
{
    json_error_t why;
    json_t *json = json_loads(text, 0, &why);
    if (!json)
        fail_msg("%s: %s", why.text, text);
    return json;
}

static struct prove_result result(const char *document, const char *calls)
{
    return (struct prove_result){ .row = &row, .verdict = parse(document), .calls = parse(calls) };
}

static void drop(struct prove_result *r)
{
    json_decref(r->verdict);
    json_decref(r->calls);
}

static const char *text(void)
{
    buf_add(&out, "", 1);
    out.end--;
    return (const char *)buf_bytes(&out);
}

static int teardown(void **state)
{
    row.steps = (char *)"get get pause get";
    buf_free(&out);
    return 0;
}

#define DOCUMENT                                                                                   \
    "{\"phases\":[{\"phase\":\"control\",\"connections\":1},{\"phase\":\"fault\",\"connections\":" \
    "2}],"                                                                                         \
    "\"checks\":[]}"
#define CALL(method, exposure, state, rest)                                                        \
    "{\"phase\":\"fault\",\"method\":\"" method "\",\"exposure\":\"" exposure                      \
    "\",\"state\":\"" state "\"" rest "}"
#define CALLS(list) "{\"calls\":[" list "],\"more\":0}"
#define UNTOUCHED   CALL("GET", "untouched", "answered", "")
#define RECOVERED                                                                                  \
    CALL("GET", "bitten", "recovered", ",\"retries\":1,\"executions\":0,\"wait_ms\":[10.5,12.5]")

static void the_worst_call_is_the_outcome(void **state)
{
    static const struct {
        const char *calls;
        unsigned not_ok;
        enum audit_outcome outcome;
    } rows[] = {
        { CALLS(""), 0, AUDIT_NOT_EXERCISED },
        { CALLS(UNTOUCHED), 0, AUDIT_NOT_EXERCISED },
        { CALLS(UNTOUCHED), 1, AUDIT_FAILED }, /* it left no byte on the wire */
        { CALLS(CALL("GET", "avoided", "answered", "")), 0, AUDIT_AVOIDED },
        { CALLS(CALL("GET", "pre_empted", "answered", "")), 0, AUDIT_AVOIDED },
        { CALLS(CALL("GET", "avoided", "open", "")), 0, AUDIT_UNCLEAR },
        { CALLS(RECOVERED "," UNTOUCHED), 0, AUDIT_RECOVERED },
        { CALLS(RECOVERED "," CALL("GET", "bitten", "given_up", "")), 0, AUDIT_NO_ANSWER },
        { CALLS(RECOVERED "," CALL("GET", "bitten", "given_up", "")), 1, AUDIT_FAILED },
        { CALLS(CALL("GET", "bitten", "doubtful", "")), 0, AUDIT_UNCLEAR },
        { CALLS(CALL("GET", "bitten", "doubtful", ",\"account\":{\"ok\":true}")), 0,
          AUDIT_RECOVERED },
        { CALLS(CALL("GET", "avoided", "doubtful", ",\"account\":{\"ok\":true}")), 0,
          AUDIT_AVOIDED },
        { CALLS(CALL("GET", "bitten", "doubtful", ",\"account\":{\"ok\":false}")), 0,
          AUDIT_UNCLEAR },
        { CALLS(CALL("GET", "bitten", "given_up", ",\"account\":{\"ok\":true}")), 0,
          AUDIT_NO_ANSWER },
        { CALLS(CALL("GET", "unknown", "answered", "")), 0, AUDIT_UNCLEAR },
        { "{\"calls\":[],\"more\":1}", 0, AUDIT_UNCLEAR },
        { "{\"calls\":[{\"phase\":\"control\",\"exposure\":\"bitten\",\"state\":\"given_up\"}],"
          "\"more\":0}",
          0, AUDIT_NOT_EXERCISED },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct prove_result r = result(DOCUMENT, rows[i].calls);
        r.command.not_ok = rows[i].not_ok;
        assert_int_equal(audit_read(&r).outcome, rows[i].outcome);
        drop(&r);
    }
}

static void a_row_without_documents_is_unclear(void **state)
{
    struct prove_result r = { .row = &row, .error = "it cannot happen\x1b here" };
    assert_int_equal(audit_read(&r).outcome, AUDIT_UNCLEAR);
    audit_row_text(&r, "r", false, &out);
    assert_non_null(strstr(text(), "not tried"));
    assert_non_null(strstr(text(), "it cannot happen\\x1b here"));
}

static void facts_stand_beside_it(void **state)
{
    struct prove_result r =
        result("{\"phases\":[{\"phase\":\"fault\",\"connections\":3}],\"checks\":["
               "{\"check\":\"no_storm\",\"phase\":\"fault\",\"outcome\":\"fail\"},"
               "{\"check\":\"no_stale_use\",\"phase\":\"fault\",\"outcome\":\"fail\"}]}",
               CALLS(CALL("POST", "bitten", "recovered",
                          ",\"retries\":2,\"executions\":2,\"wait_ms\":[10.5,1500]")));
    audit_row_text(&r, "name", false, &out);
    assert_string_equal(text(), "   name                               recovered      2 retries, 3 "
                                "connections, waits 1.500 s, twice, storm, stale use\n");
    json_t *json = audit_row_json(&r);
    assert_int_equal(json_array_size(json_object_get(json, "flags")), 3);
    json_decref(json);
    drop(&r);
}

/* What GOAWAY refused and is not sent again is not well either, but no use of what has ended. */
static void a_refused_stream_that_is_not_repeated_is_no_stale_use(void **state)
{
    struct prove_result r =
        result("{\"phases\":[],\"checks\":[{\"check\":\"goaway_respected\",\"phase\":\"fault\","
               "\"outcome\":\"fail\"}]}",
               CALLS(CALL("GET", "bitten", "given_up", "")));
    assert_false(audit_read(&r).stale);
    drop(&r);
}

static bool says(const struct prove_results *results, const char *line)
{
    buf_consume(&out, buf_len(&out));
    audit_summary(results, &out);
    return strstr(text(), line) != NULL;
}

static void what_was_not_seen_is_not_tested(void **state)
{
    struct prove_result r = result(DOCUMENT, CALLS(UNTOUCHED));
    const struct prove_results results = { .list = &r, .count = 1 };
    assert_true(says(&results, "   GET: not tested\n   POST: not tested\n   POST with a key: not "
                               "tested\n"));
    assert_true(says(&results, "GOAWAY: not tested"));
    assert_true(says(&results, "the longest wait: not tested"));
    drop(&r);
}

static void a_post_that_is_not_repeated_is_said_only_of_one_that_was_struck(void **state)
{
    struct prove_result r =
        result(DOCUMENT, CALLS(RECOVERED "," CALL("POST", "bitten", "given_up", ",\"retries\":0")));
    const struct prove_results results = { .list = &r, .count = 1 };
    row.steps = (char *)"get get pause post";
    assert_true(says(&results, "POST: never repeated (1 was struck)"));
    assert_true(says(&results, "POST with a key: not tested"));
    assert_true(
        says(&results, "GET: repeated once; 1 of 1 that were struck were repeated, 1 answered"));
    row.steps = (char *)"get post-key";
    assert_true(says(&results, "POST: not tested"));
    assert_true(says(&results, "POST with a key: never repeated (1 was struck)"));
    row.steps = (char *)"post post-key"; /* which of the two it was is not known */
    assert_true(says(&results, "POST: not tested\n   POST with a key: not tested"));
    drop(&r);
}

static void checks_of_all_rows_are_counted(void **state)
{
#define CHECKED(outcome)                                                                           \
    "{\"checks\":[{\"check\":\"goaway_respected\",\"phase\":\"fault\",\"outcome\":\"" outcome      \
    "\"},{\"check\":\"still_reuses\",\"phase\":\"fault\",\"outcome\":\"pass\"}]}"
    struct prove_result list[] = { result(CHECKED("pass"), CALLS("")),
                                   result(CHECKED("inconclusive"), CALLS("")),
                                   result(CHECKED("fail"), CALLS("")) };
    struct prove_results results = { .list = list, .count = 2 };
    assert_true(says(&results, "GOAWAY: obeyed\n"));
    results.count = 3;
    assert_true(says(&results, "GOAWAY: obeyed in 1 rows, not obeyed in 1\n"));
    assert_true(says(&results, "connections, without a fault: used again\n"));
    for (size_t i = 0; i < 3; i++)
        drop(&list[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(the_worst_call_is_the_outcome, teardown),
        cmocka_unit_test_teardown(a_row_without_documents_is_unclear, teardown),
        cmocka_unit_test_teardown(facts_stand_beside_it, teardown),
        cmocka_unit_test_teardown(a_refused_stream_that_is_not_repeated_is_no_stale_use, teardown),
        cmocka_unit_test_teardown(what_was_not_seen_is_not_tested, teardown),
        cmocka_unit_test_teardown(a_post_that_is_not_repeated_is_said_only_of_one_that_was_struck,
                                  teardown),
        cmocka_unit_test_teardown(checks_of_all_rows_are_counted, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
