/* test_report.c - reports: what they say, that none looks better than what it is made of, and that
 * no text from outside does anything but be shown.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/markup.h"
#include "harness/memory.h"

#include "verdict/report.h"

static const struct markup_rule html_rules[] = {
    { "html", NULL, "lang", NULL },
    { "head", NULL, NULL, NULL },
    { "meta", NULL, NULL, "charset name content http-equiv" },
    { "title", NULL, NULL, NULL },
    { "style", NULL, NULL, NULL },
    { "body", NULL, NULL, NULL },
    { "h1", NULL, NULL, NULL },
    { "h2", NULL, NULL, NULL },
    { "p", NULL, NULL, NULL },
    { "b", NULL, NULL, NULL },
    { "br", NULL, NULL, NULL },
    { "ul", NULL, NULL, NULL },
    { "li", NULL, NULL, NULL },
    { "pre", NULL, NULL, NULL },
    { "span", NULL, "class", NULL },
    { "section", NULL, NULL, NULL },
    { "table", NULL, NULL, NULL },
    { "thead", NULL, NULL, NULL },
    { "tbody", NULL, NULL, NULL },
    { "tr", NULL, NULL, NULL },
    { "th", NULL, "scope", NULL },
    { "td", NULL, NULL, "class" },
    { 0 },
};

/* --- Documents */

static json_t *json(const char *given)
{
    char plain[4096];
    snprintf(plain, sizeof plain, "%s", given);
    for (char *c = plain; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    json_t *made = json_loads(plain, 0, NULL);
    if (!made)
        fail_msg("%s", given);
    return made;
}

#define PROVED                                                                                     \
    "{'hangup': '0.1', 'rules': 1, 'run': 'default', 'verdict': 'pass', 'final': true,"            \
    " 'over': 'h2', 'mode': {'mode': 'close-on-reuse'}, 'time_scale': 1.0, 'relayed': false,"      \
    " 'summary': '1 of 1 bitten GETs over h2, direct', 'not_tested': ['POST', 'h1'],"              \
    " 'attribution': 'the app or its HTTP stack', 'phases': [{'phase': 'control',"                 \
    " 'verdict': 'pass', 'requests': 2, 'connections': 1,"                                         \
    " 'sentence': '2 requests on 1 connection'}, {'phase': 'fault', 'verdict': 'pass'}],"          \
    " 'mitigations': [{'name': 'retry-once', 'params': {}, 'outcome': 'pass', 'sentence': ''}],"   \
    " 'checks': [{'check': 'recovered', 'of': 'retry-once', 'phase': 'fault', 'outcome': 'pass',"  \
    " 'final': true, 'sentence': 'answered 16 ms after its first byte', 'remedy': null},"          \
    " {'check': 'still_reuses', 'of': null, 'phase': 'control', 'outcome': 'n/a', 'final': true,"  \
    " 'sentence': 'one request'}],"                                                                \
    " 'connections': [{'id': 1, 'phase': 'fault', 'protocol': 'h2', 'events': ["                   \
    " {'ms': 0.0, 'seq': 3, 'what': 'open'}, {'ms': 6.1, 'what': 'request',"                       \
    " 'text': 'GET /api/entitlement/get', 'status': 200, 'attempt': 1}, {'ms': 113.0,"             \
    " 'what': 'fault', 'text': 'FIN at its first byte', 'after_ms': 107.0}]}, {'id': 2,"           \
    " 'phase': 'fault', 'protocol': 'h2', 'events': [{'ms': 118, 'what': 'open'}, {'ms': 122,"     \
    " 'what': 'request', 'text': 'GET /api/entitlement/get', 'status': 200, 'attempt': 2}]}],"     \
    " 'disagreements': [], 'missing': []}"

#define CHECK(name, outcome, final)                                                                \
    "{'check': '" name "', 'of': null, 'phase': 'fault', 'outcome': '" outcome                     \
    "', 'final': " final ", 'sentence': 'why', 'remedy': {'code': 'c', 'do': 'do this'}}"
#define WITH(verdict, final, checks)                                                               \
    "{'run': 'r', 'verdict': '" verdict "', 'final': " final ", 'checks': [" checks "]}"

static char *text_of(void (*format)(const struct report *r, struct buf *out),
                     const struct report *r)
{
    struct buf out = { 0 };
    format(r, &out);
    assert_false(out.failed);
    assert_true(!buf_len(&out) || !memchr(buf_bytes(&out), 0, buf_len(&out)));
    buf_add(&out, "", 1);
    assert_int_equal(out.start, 0);
    return (char *)out.data;
}

static void assert_has(char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("no %s in\n%s", part, text);
}

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

struct counts {
    int tests, failures, errors, skipped; /* seen */
    int said_tests, said_failures, said_errors, said_skipped;
};

static int said(const char *attributes, const char *name)
{
    const char *at = strstr(attributes, name);
    assert_non_null(at);
    return atoi(at + strlen(name));
}

static void count_elements(void *arg, const char *name, const char *attributes)
{
    struct counts *c = arg;
    c->tests += strcmp(name, "testcase") == 0;
    c->failures += strcmp(name, "failure") == 0;
    c->errors += strcmp(name, "error") == 0;
    c->skipped += strcmp(name, "skipped") == 0;
    if (strcmp(name, "testsuite") != 0)
        return;
    c->said_tests += said(attributes, "tests=");
    c->said_failures += said(attributes, "failures=");
    c->said_errors += said(attributes, "errors=");
    c->said_skipped += said(attributes, "skipped=");
}

/* --- The schema of JUnit XML: all that was written in this program is held against it at the end.
 */

static char folder[] = "/tmp/hangup-test-XXXXXX";
static unsigned kept;

static int set_up_folder(void **state)
{
    return mkdtemp(folder) ? 0 : -1;
}

static int tear_down_folder(void **state)
{
    char command[80];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static void keep_for_schema(const char *text)
{
    char path[80];
    snprintf(path, sizeof path, "%s/%u.xml", folder, kept++);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* How many documents xmllint found to be invalid, of which it says the first few. */
static int against_schema(const char *files)
{
    char command[600], line[400];
    int invalid = 0;
    snprintf(command, sizeof command,
             "exec 2>&1; xmllint --nonet --noout --schema \"$SOURCE_ROOT/tests/unit/junit.xsd\" %s",
             files);
    FILE *pipe = popen(command, "re");
    assert_non_null(pipe);
    while (fgets(line, sizeof line, pipe))
        if (!strstr(line, " validates\n") && invalid++ < 5)
            print_message("# %s", line);
    int status = pclose(pipe);
    return invalid ? invalid : status;
}

static void junit_follows_the_schema(void **state)
{
    char files[80];
    assert_true(kept > 1000);
    snprintf(files, sizeof files, "%s/*.xml", folder);
    assert_int_equal(against_schema(files), 0);
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

static struct counts junit(const struct report *r)
{
    struct counts c = { 0 };
    char *text = text_of(report_junit, r);
    markup_xml(text, strlen(text), NULL, count_elements, &c);
    keep_for_schema(text);
    assert_int_equal(c.tests, c.said_tests);
    assert_int_equal(c.failures, c.said_failures);
    assert_int_equal(c.errors, c.said_errors);
    assert_int_equal(c.skipped, c.said_skipped);
    free(text);
    return c;
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

/* --- Texts from outside */

static const char *const hostile[] = {
    "<script>alert(1)</script>",
    "]]> & < > \" ' &amp; &#x1b;",
    "\x1b[2J\x1b]0;owned\x07\x1b[31m",
    "a\nb\r\nc\td",
    "| cell | **bold** [x](http://x) ![y](z) `code` ~~s~~ $m$ @name #1",
    "```\n</pre></details>\n```",
    "\xff\xfe\xc0\xaf\xed\xa0\x80",
    "\xe2\x80\xae"
    "dlrow \xe2\x80\xa8 \xc2\x9b"
    "31m \xef\xbf\xbe \xef\xbb\xbf",
    "../../etc/passwd --> <!-- <![CDATA[ ?> <?php",
    "\x7f\x01\x02\x1f\x08\x08\x08",
    "\xf0\x9f\x98\x80 \xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d na\xc3\xafve",
};
#define HOSTILE (sizeof hostile / sizeof *hostile)

static uint32_t seed = 1;

static uint32_t next_random(uint32_t below)
{
    seed = seed * 1664525 + 1013904223;
    return (uint32_t)((uint64_t)(seed >> 8) * below >> 24);
}

/* As in a document, which is UTF-8: what is none is as buf_json makes it. */
static json_t *random_text(void)
{
    struct buf text = { 0 };
    const char *one = hostile[next_random(HOSTILE)];
    char bytes[64];
    size_t len = next_random(sizeof bytes);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (char)next_random(256);
    if (next_random(2))
        buf_json(&text, one, strlen(one));
    else
        buf_json(&text, bytes, len);
    json_t *made =
        json_loadb((const char *)buf_bytes(&text), buf_len(&text), JSON_DECODE_ANY, NULL);
    buf_free(&text);
    return made ? made : json_string(""); /* jansson takes no NUL */
}

static json_t *random_value(void)
{
    switch (next_random(8)) {
    case 0:
        return json_null();
    case 1:
        return json_integer((json_int_t)next_random(1 << 20) - (1 << 19));
    case 2:
        return json_real(1e300 * next_random(3));
    case 3:
        return json_array();
    case 4:
        return json_object();
    default:
        return random_text();
    }
}

/* Replaces some of what is in it. */
static void spoil(json_t *value, unsigned one_in)
{
    const char *key;
    void *next;
    json_t *item;
    size_t i;
    json_object_foreach_safe(value, next, key, item)
    {
        if (next_random(one_in) == 0)
            json_object_set_new(value, key, random_value());
        else
            spoil(item, one_in);
    }
    json_array_foreach(value, i, item)
    {
        if (next_random(one_in) == 0)
            json_array_set_new(value, i, random_value());
        else
            spoil(item, one_in);
    }
}

/* The lines that the format itself makes, with all texts harmless: nothing adds one. */
static size_t lines_of(const char *text)
{
    size_t lines = 0;
    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

/* Of Markdown, only our own tags are tags, and nothing else in a text has a meaning. */
static void check_markdown(const char *text)
{
    static const char *const tags[] = { "<details>", "<summary>", "</summary>",
                                        "<pre>",     "</pre>",    "</details>" };
    markup_plain(text, strlen(text));
    for (const char *at = text; (at = strchr(at, '<')); at++) {
        size_t i = 0;
        while (i < sizeof tags / sizeof *tags && strncmp(at, tags[i], strlen(tags[i])) != 0)
            i++;
        if (i == sizeof tags / sizeof *tags)
            fail_msg("%.80s", at);
    }
    assert_null(strpbrk(text, "`[]@~$\\"));
}

/* Each row that is not proved has a line, which is one command: the runner takes what comes up to
 * the next "::" for its properties. */
static void check_annotations(const struct report *r, const char *text)
{
    size_t count = 0, due = 0;
    for (size_t i = 0; i < r->count; i++)
        due += report_row_outcome(&r->rows[i]) != OUTCOME_PASS;
    for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
        bool error = strncmp(line, "::error title=hangup%3A ", 24) == 0;
        assert_true(error || strncmp(line, "::warning title=hangup%3A ", 26) == 0);
        const char *title = strchr(line, '='), *end = strstr(title, "::");
        assert_non_null(end);
        assert_true(end < strchr(line, '\n'));
        assert_null(memchr(title, ',', (size_t)(end - title)));
        assert_null(memchr(title, ':', (size_t)(end - title)));
        assert_non_null(strchr(line, '\n'));
        count++;
    }
    assert_null(strchr(text, '\r'));
    assert_int_equal(count, due);
}

static void check_all(const struct report *r)
{
    char *text = text_of(report_text, r);
    markup_plain(text, strlen(text));
    free(text);
    text = text_of(report_markdown, r);
    check_markdown(text);
    free(text);
    junit(r);
    text = text_of(report_html, r);
    markup_html(text, strlen(text), html_rules);
    free(text);
    text = text_of(report_annotations, r);
    check_annotations(r, text);
    free(text);
}

static void hostile_texts_are_shown_and_do_nothing(void **state)
{
    for (size_t i = 0; i < HOSTILE; i++) {
        json_t *document = json(PROVED), *plain = json(PROVED);
        struct buf quoted = { 0 };
        buf_json(&quoted, hostile[i], strlen(hostile[i]));
        json_t *text =
            json_loadb((const char *)buf_bytes(&quoted), buf_len(&quoted), JSON_DECODE_ANY, NULL);
        buf_free(&quoted);
        assert_non_null(text);
        json_object_set(document, "summary", text);
        json_object_set(document, "over", text);
        json_object_set(json_array_get(json_object_get(document, "checks"), 0), "sentence", text);
        json_object_set(json_array_get(json_object_get(document, "checks"), 0), "check", text);
        json_object_set(json_object_get(document, "mode"), "mode", text);
        json_object_set(
            json_array_get(
                json_object_get(json_array_get(json_object_get(document, "connections"), 0),
                                "events"),
                1),
            "text", text);
        const struct report_row row = { hostile[i], document, hostile[i], 0 };
        const struct report_row tame = { "x", plain, "x", 0 };
        const struct report r = { .title = hostile[i], .rows = &row, .count = 1 };
        const struct report t = { .title = "x", .rows = &tame, .count = 1 };
        check_all(&r);
        char *one = text_of(report_text, &r), *other = text_of(report_text, &t);
        assert_int_equal(lines_of(one), lines_of(other));
        free(one);
        free(other);
        one = text_of(report_markdown, &r);
        other = text_of(report_markdown, &t);
        assert_int_equal(lines_of(one), lines_of(other));
        free(one);
        free(other);
        json_decref(text);
        json_decref(document);
        json_decref(plain);
    }
}

static void control_characters_are_shown_by_their_numbers(void **state)
{
    struct buf out = { 0 };
    static const char text[] = "a\x1b[31m\n\xc2\x9b\xe2\x80\xae\xff"
                               "z\xef\xbf\xbf\xc3\xa9#1##vso[x]###[y]";
    report_plain(&out, text, sizeof text - 1);
    buf_add(&out, "", 1);
    assert_string_equal((const char *)buf_bytes(&out),
                        "a\\x1b[31m\\x0a\\x9b\\u202e\xef\xbf\xbdz\\uffff\xc3\xa9"
                        "#1#\\x23vso[x]#\\x23\\x23[y]");
    buf_free(&out);
}

static void nothing_in_a_document_breaks_a_report(void **state)
{
    for (int round = 0; round < 1000; round++) {
        json_t *documents[3];
        struct report_row rows[3];
        for (int i = 0; i < 3; i++) {
            documents[i] = json(
                i == 1 ? WITH("inconclusive", "true", CHECK("a", "inconclusive", "true")) : PROVED);
            spoil(documents[i], 4 + next_random(30));
            rows[i] = (struct report_row){ next_random(2) ? hostile[next_random(HOSTILE)] : NULL,
                                           next_random(8) ? documents[i] : NULL,
                                           next_random(3) ? NULL : hostile[next_random(HOSTILE)],
                                           (unsigned)next_random(3) };
        }
        const struct report r = { .title = hostile[next_random(HOSTILE)],
                                  .rows = rows,
                                  .count = next_random(4),
                                  .at = "2026-11-30T04:45:07",
                                  .allow_inconclusive = next_random(2) };
        check_all(&r);
        for (int i = 0; i < 3; i++)
            json_decref(documents[i]);
    }
}

static void without_memory_a_report_has_failed(void **state)
{
    json_t *document = json(PROVED);
    const struct report_row rows[] = { { "a", document, NULL, 0 }, { "b", document, "e", 0 } };
    const struct report r = { .rows = rows, .count = 2 };
    void (*const formats[])(const struct report *, struct buf *) = { report_text, report_markdown,
                                                                     report_junit, report_html };
    for (size_t i = 0; i < 4; i++) {
        char *whole = text_of(formats[i], &r);
        bool failed = true;
        for (long n = 0; failed; n++) {
            struct buf out = { 0 };
            memory_ends_after(n);
            formats[i](&r, &out);
            failed = memory_restore() > 0;
            assert_int_equal(out.failed, failed);
            if (!failed)
                assert_memory_equal(buf_bytes(&out), whole, buf_len(&out));
            buf_free(&out);
        }
        for (long n = 0, once = 1; once; n++) { /* a single one that fails is not lost either */
            struct buf out = { 0 };
            memory_fails_once_after(n);
            formats[i](&r, &out);
            once = (long)memory_restore();
            if (!out.failed) /* what failed was not needed */
                assert_memory_equal(buf_bytes(&out), whole, strlen(whole));
            buf_free(&out);
        }
        free(whole);
    }
    json_decref(document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_shows_what_happened_and_the_verdict),
        cmocka_unit_test(colour_is_there_when_it_is_wanted),
        cmocka_unit_test(an_inconclusive_check_says_what_to_do),
        cmocka_unit_test(several_rows_end_with_the_counts),
        cmocka_unit_test(a_row_is_no_better_than_its_worst_part),
        cmocka_unit_test(junit_is_green_only_for_what_is_proved),
        cmocka_unit_test(hostile_texts_are_shown_and_do_nothing),
        cmocka_unit_test(control_characters_are_shown_by_their_numbers),
        cmocka_unit_test(nothing_in_a_document_breaks_a_report),
        cmocka_unit_test(without_memory_a_report_has_failed),
        cmocka_unit_test(junit_follows_the_schema), /* the last ones */
        cmocka_unit_test(the_schema_finds_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, set_up_folder, tear_down_folder);
}
