/* test_report.c - reports: what they say, and that none looks better than what it is made of. */
#include "report_rig.h"

/* --- What they say */

static void text_shows_what_happened_and_the_verdict(void **state)
{
    json_t *document = json(PROVED);
    const struct report_row row = { NULL, document, NULL, 0 };
    const struct report r = { .rows = &row, .count = 1 };
    char *text = text_of(report_text, &r);
    assert_string_equal(
        text,
        "   control  ok  2 requests on 1 connection\n"
        "   conn 1  h2   0.000 open   0.006 GET /api/entitlement/get 200  \xe2\x9c\x97 0.113 FIN "
        "at "
        "its first byte (after 107 ms)\n"
        "   conn 2  h2   0.118 open   0.122 GET /api/entitlement/get 200 (attempt 2)\n"
        "   recovered           pass         answered 16 ms after its first byte\n"
        "   still_reuses        n/a          control: one request\n"
        "   retry-once, still_reuses over h2: PROVED   (1 of 1 bitten GETs over h2, direct; by the "
        "app or its HTTP stack; --without tells. POST, h1: not tested)\n");
    free(text);
    json_decref(document);
}

static void colour_is_there_when_it_is_wanted(void **state)
{
    json_t *document = json(PROVED);
    const struct report_row row = { NULL, document, NULL, 0 };
    struct report r = { .rows = &row, .count = 1, .colour = true };
    char *text = text_of(report_text, &r);
    assert_has(text, "\x1b[32mpass\x1b[0m         answered");
    assert_has(text, "\x1b[32mPROVED\x1b[0m");
    assert_has(text, "\x1b[31m\xe2\x9c\x97 0.113 FIN at its first byte (after 107 ms)\x1b[0m");
    free(text);
    r.colour = false;
    text = text_of(report_text, &r);
    assert_null(strchr(text, 0x1b));
    free(text);
    json_decref(document);
}

static void an_inconclusive_check_says_what_to_do(void **state)
{
    json_t *document = json(
        "{'run': 'r', 'verdict': 'inconclusive', 'final': true, 'over': null, 'summary': '',"
        " 'time_scale': 0.01, 'more': 3, 'checks': [" CHECK(
            "recovered", "inconclusive",
            "true") "],"
                    " 'disagreements': [{'n': 2, 'client': 'ok, 200', 'server': 'never answered',"
                    " 'meaning': 'ask the server'}], 'missing': [{'first_seq': 7, 'last_seq': "
                    "9}], 'why': 'all of it was new', 'remedy': {'code': 'x', 'do': 'begin "
                    "anew'}}");
    const struct report_row row = { NULL, document, NULL, 0 };
    const struct report r = { .rows = &row, .count = 1 };
    void (*const formats[])(const struct report *, struct buf *) = { report_text, report_markdown,
                                                                     report_junit, report_html };
    for (size_t i = 0; i < 4; i++) {
        char *text = text_of(formats[i], &r);
        assert_has(text, "do this");
        assert_has(text, "all of it was new");
        assert_has(text, "begin anew");
        assert_has(text, "7 to 9");
        assert_has(text, "never answered");
        if (i != 2) /* whose words are <error> */
            assert_has(text, "INCONCLUSIVE");
        free(text);
    }
    json_decref(document);
}

static void several_rows_end_with_the_counts(void **state)
{
    json_t *good = json(PROVED),
           *bad = json(WITH("fail", "true", CHECK("recovered", "fail", "true")));
    const struct report_row rows[] = { { "one", good, NULL, 0 },
                                       { "two", bad, NULL, 0 },
                                       { "three", NULL, "COMMAND cannot be started", 0 } };
    const struct report r = { .title = "stale", .rows = rows, .count = 3 };
    char *text = text_of(report_text, &r);
    assert_has(text, "one\n   control");
    assert_has(text, "two\n   recovered           fail         why\n   recovered: NOT PROVED\n");
    assert_has(text, "three\n   COMMAND cannot be started\n   three: INCONCLUSIVE\n");
    assert_has(text, "   stale: NOT PROVED   (PROVED 1, NOT PROVED 1, INCONCLUSIVE 1 of 3)\n");
    free(text);
    json_decref(good);
    json_decref(bad);
}

/* Who has given --without is not told to do so, but what it was good for. */
static void a_pass_says_what_came_of_without(void **state)
{
    static const struct {
        const char *verdict, *remark;
    } rows[] = {
        { "pass", "stack; it passes without the mitigation, too)" },
        { "inconclusive", "stack; what was done without the mitigation does not tell)" },
        { "n/a", "stack; what was done without the mitigation does not tell)" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *document = json(WITH("pass", "true", CHECK("a", "pass", "true")));
        json_object_set_new(document, "attribution", json_string("the app or its HTTP stack"));
        json_object_set_new(document, "phases",
                            json_pack("[{s:s, s:s}, {s:s, s:s}]", "phase", "fault", "verdict",
                                      "pass", "phase", "without", "verdict", rows[i].verdict));
        const struct report_row row = { NULL, document, NULL, 0 };
        const struct report r = { .rows = &row, .count = 1 };
        char *text = text_of(report_text, &r);
        assert_has(text, rows[i].remark);
        assert_null(strstr(text, "--without"));
        free(text);
        json_decref(document);
    }
}

/* What has no expectation yet (its command was killed before the fault) is called by its row. */
static void a_protocol_is_said_once(void **state)
{
    static const struct {
        const char *name, *subject;
    } rows[] = {
        { "a over h1", "   a over h1: INCONCLUSIVE" },
        { "a", "   a over h1: INCONCLUSIVE" },
        { "a over h2", "   a over h2 over h1: INCONCLUSIVE" },
        { "starts over h1 again", "   starts over h1 again over h1: INCONCLUSIVE" },
        { "h1", "   h1 over h1: INCONCLUSIVE" },
        { " h1", "    h1 over h1: INCONCLUSIVE" },
    };
    json_t *document = json("{'run': 'r', 'verdict': 'inconclusive', 'over': 'h1'}");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct report_row row = { rows[i].name, document, NULL, 0 };
        const struct report r = { .rows = &row, .count = 1 };
        char *text = text_of(report_text, &r);
        assert_has(text, rows[i].subject);
        free(text);
    }
    json_decref(document);
}

/* --- Never better than it is */

static enum outcome outcome_of(const char *document, const char *error)
{
    json_t *made = document ? json(document) : NULL;
    const struct report_row row = { NULL, made, error, 0 };
    enum outcome outcome = report_row_outcome(&row);
    json_decref(made);
    return outcome;
}

static void a_row_is_no_better_than_its_worst_part(void **state)
{
    assert_int_equal(outcome_of(PROVED, NULL), OUTCOME_PASS);
    assert_int_equal(outcome_of(PROVED, "it crashed"), OUTCOME_INCONCLUSIVE);
    static const struct {
        const char *document;
        enum outcome outcome;
    } rows[] = {
        { NULL, OUTCOME_INCONCLUSIVE },
        { "{}", OUTCOME_INCONCLUSIVE },
        { WITH("pass", "true", ""), OUTCOME_INCONCLUSIVE },
        { WITH("pass", "true", CHECK("a", "n/a", "true")), OUTCOME_INCONCLUSIVE },
        { WITH("n/a", "true", CHECK("a", "pass", "true")), OUTCOME_INCONCLUSIVE },
        { WITH("pass", "true", CHECK("a", "pass", "true")), OUTCOME_PASS },
        { WITH("pass", "false", CHECK("a", "pass", "true")), OUTCOME_INCONCLUSIVE },
        { WITH("pass", "true", CHECK("a", "pass", "false")), OUTCOME_INCONCLUSIVE },
        { WITH("pass", "true", CHECK("a", "passes", "true")), OUTCOME_INCONCLUSIVE },
        { WITH("green", "true", CHECK("a", "pass", "true")), OUTCOME_INCONCLUSIVE },
        { WITH("pass", "true", CHECK("a", "pass", "true") "," CHECK("b", "fail", "true")),
          OUTCOME_FAIL },
        { WITH("fail", "false", CHECK("a", "pass", "true")), OUTCOME_FAIL },
        { WITH("inconclusive", "true", CHECK("a", "fail", "true")), OUTCOME_FAIL },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (outcome_of(rows[i].document, NULL) != rows[i].outcome)
            fail_msg("%zu: %s", i, rows[i].document);
    const struct report none = { .count = 0 };
    assert_int_equal(report_outcome(&none), OUTCOME_INCONCLUSIVE);
}

/* What it would not do to let pass. */
static void the_schema_finds_what_is_wrong(void **state)
{
    static const struct {
        const char *old, *new;
    } rows[] = {
        { " hostname=\"localhost\"", "" },
        { "<testcase ", "<testcase status=\"ok\" " },
        { " id=\"0\"", " id=\"one\"" },
        { "tests=\"", "tests=\"-" },
        { " time=\"0\">", " time=\"soon\">" },
        { "T04:45:07\"", "T04:45:07Z\"" },
        { "<system-err>", "<system-out/><system-err>" },
        { " classname=\"", " class=\"" },
        { "</testcase>", "<failure type=\"a\"/><error type=\"a\"/></testcase>" },
        { "</testcase>", "<failure/></testcase>" },
    };
    json_t *document = json(PROVED);
    const struct report_row row = { "row", document, NULL, 0 };
    const struct report r = { .rows = &row, .count = 1, .at = "2026-11-30T04:45:07" };
    char *text = text_of(report_junit, &r), path[80];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *at = strstr(text, rows[i].old);
        if (!at)
            fail_msg("\"%s\" is not in it", rows[i].old);
        snprintf(path, sizeof path, "%s/wrong", folder);
        FILE *file = fopen(path, "we");
        assert_non_null(file);
        fprintf(file, "%.*s%s%s", (int)(at - text), text, rows[i].new, at + strlen(rows[i].old));
        assert_int_equal(fclose(file), 0);
        if (against_schema(path) == 0)
            fail_msg("\"%s\" instead of \"%s\" is valid", rows[i].new, rows[i].old);
    }
    free(text);
    json_decref(document);
}

static struct counts junit_of(const char *document, const char *error, bool allow)
{
    json_t *made = document ? json(document) : NULL;
    const struct report_row row = { "row", made, error, 0 };
    const struct report r = { .rows = &row, .count = 1, .allow_inconclusive = allow };
    struct counts c = junit(&r);
    json_decref(made);
    return c;
}

static void junit_is_green_only_for_what_is_proved(void **state)
{
    static const char some[] = WITH("inconclusive", "true",
                                    CHECK("a", "pass", "true") "," CHECK(
                                        "b", "n/a", "true") "," CHECK("c", "inconclusive", "true"));
    struct counts c = junit_of(PROVED, NULL, false);
    assert_true(c.tests == 3 && !c.failures && !c.errors && c.skipped == 1); /* with "verdict" */
    c = junit_of(some, NULL, false);
    assert_true(c.tests == 4 && !c.failures && c.errors == 2 && c.skipped == 1);
    c = junit_of(some, NULL, true);
    assert_true(c.tests == 4 && !c.failures && !c.errors && c.skipped == 3);
    c = junit_of(WITH("fail", "true", CHECK("a", "fail", "true")), NULL, true);
    assert_true(c.failures == 2 && !c.errors && !c.skipped);
    c = junit_of(NULL, "it cannot be set up", true); /* allowed is what was tested */
    assert_true(c.tests == 1 && c.errors == 1 && !c.skipped);
    c = junit_of(WITH("pass", "true", CHECK("a", "n/a", "true")), NULL, false);
    assert_true(c.errors == 1 && c.skipped == 1);
    const struct report none = { .count = 0, .allow_inconclusive = true };
    c = junit(&none);
    assert_true(c.tests == 1 && c.errors == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_shows_what_happened_and_the_verdict),
        cmocka_unit_test(colour_is_there_when_it_is_wanted),
        cmocka_unit_test(an_inconclusive_check_says_what_to_do),
        cmocka_unit_test(several_rows_end_with_the_counts),
        cmocka_unit_test(a_pass_says_what_came_of_without),
        cmocka_unit_test(a_protocol_is_said_once),
        cmocka_unit_test(a_row_is_no_better_than_its_worst_part),
        cmocka_unit_test(junit_is_green_only_for_what_is_proved),
        cmocka_unit_test(junit_follows_the_schema), /* the last ones */
        cmocka_unit_test(the_schema_finds_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, set_up_folder, tear_down_folder);
}
