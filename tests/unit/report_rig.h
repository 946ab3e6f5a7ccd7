/* report_rig.h - for the tests of reports: documents of verdicts, and what is made of them. All
 * JUnit XML that a program makes is held against its schema at the program's end.
 */
#pragma once

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

#include "verdict/report.h"

/* --- Documents */

static inline json_t *json(const char *given)
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

static inline char *text_of(void (*format)(const struct report *r, struct buf *out),
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

static inline void assert_has(char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("no %s in\n%s", part, text);
}

/* --- JUnit XML, and its schema */

struct counts {
    int tests, failures, errors, skipped; /* seen */
    int said_tests, said_failures, said_errors, said_skipped;
};

static inline int said(const char *attributes, const char *name)
{
    const char *at = strstr(attributes, name);
    assert_non_null(at);
    return atoi(at + strlen(name));
}

static inline void count_elements(void *arg, const char *name, const char *attributes)
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

static char folder[] = "/tmp/hangup-test-XXXXXX";
static unsigned kept;

static inline int set_up_folder(void **state)
{
    return mkdtemp(folder) ? 0 : -1;
}

static inline int tear_down_folder(void **state)
{
    char command[80];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static inline void keep_for_schema(const char *text)
{
    char path[80];
    snprintf(path, sizeof path, "%s/%u.xml", folder, kept++);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* How many documents xmllint found to be invalid, of which it says the first few. */
static inline int against_schema(const char *files)
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

static inline void junit_follows_the_schema(void **state)
{
    char files[80];
    assert_true(kept > 0);
    snprintf(files, sizeof files, "%s/*.xml", folder);
    assert_int_equal(against_schema(files), 0);
}

/* Its numbers are those of its elements. */
static inline struct counts junit(const struct report *r)
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
