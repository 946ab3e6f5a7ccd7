/* `hangup prove` on a server that the test stands in for: rounds, what is written and said of them,
 * and options that make no sense. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "harness/prove_rig.h"

/* --- Rounds */

static void rounds_have_seeds_of_their_own(void **state)
{
    assert_int_equal(RUN("--mode", "normal", "--repeat", "2", "--seed", "7", SH("exit 0")), 0);
    assert_has(fake.story, "add(any,control,seed=7)");
    assert_has(fake.story, "add(any,control,seed=8)");
}

static void rounds_pass_together(void **state)
{
    fake.second = "inconclusive"; /* one of three */
    assert_int_equal(RUN("01", "--repeat", "3", SH("exit 0")), 0);
    fake.runs = 0; /* one of two */
    assert_int_equal(RUN("01", "--repeat", "2", SH("exit 0")), 3);
    fake.runs = 0;
    fake.second = "fail";
    assert_int_equal(RUN("01", "--repeat", "3", SH("exit 0")), 1);
}

static void of_two_rows_each_counts(void **state)
{
    fake.second = "inconclusive";
    assert_int_equal(RUN("01", "--over", "both", SH("exit 0")), 3);
    assert_has(file(out_path), "1 PROVED, 1 INCONCLUSIVE (of 2)");
}

static void the_last_line_counts_what_came_of_each(void **state)
{
    static const struct {
        const char *verdict, *command, *said;
        int status;
    } rows[] = {
        { "pass", "exit 0", "all: 2 PROVED (of 2)", 0 },
        { "fail", "exit 0", "all: 2 NOT PROVED (of 2)", 1 },
        { "inconclusive", "exit 0", "all: 2 INCONCLUSIVE (of 2)", 3 },
        { "pass", "test $HANGUP_PHASE = control", "all: 2 COMMAND FAILED (of 2)", 4 },
        { "pass", "exit 1", "all: 2 COULD NOT BE TRIED (of 2)", 2 },
        { "pass", "exec sleep 60", "all: 2 TIMED OUT (of 2)", 124 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fake.runs = 0;
        fake.story[0] = '\0';
        fake.verdict = rows[i].verdict;
        const char *time = rows[i].status == 124 ? "100ms" : "60s";
        assert_int_equal(RUN("01", "--over", "both", "--timeout", time, SH(rows[i].command)),
                         rows[i].status);
        assert_has(file(out_path), rows[i].said);
    }
}

/* --- Until it is conclusive */

static json_t *run_json(const char *const *words, int *status)
{
    *status = run(words);
    json_t *all = json_loads(file(out_path), 0, NULL);
    assert_non_null(all);
    return all;
}

static void what_is_inconclusive_is_done_again(void **state)
{
    static const struct {
        const char *verdicts[4];
        unsigned runs;
        int status;
    } rows[] = {
        { { "pass" }, 1, 0 },
        { { "fail" }, 1, 1 },
        { { "inconclusive", "pass" }, 2, 0 },
        { { "inconclusive", "inconclusive", "fail", "pass" }, 3, 1 },
        { { "inconclusive", "inconclusive", "inconclusive", "pass" }, 3, 3 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int status;
        fake.runs = 0;
        fake.story[0] = '\0';
        memcpy(fake.verdicts, rows[i].verdicts, sizeof rows[i].verdicts);
        json_t *all = run_json((const char *const[]){ "01", "--json", "--until-conclusive", "3",
                                                      "--seed", "5", SH("exit 0"), NULL },
                               &status);
        assert_int_equal(status, rows[i].status);
        assert_int_equal(fake.runs, rows[i].runs);
        assert_has(fake.story, "seed=5");
        if (rows[i].runs == 3)
            assert_has(fake.story, "seed=7");
        const json_t *list = json_object_get(all, "rows");
        assert_int_equal(json_array_size(list), rows[i].runs);
        for (size_t k = 0; k < rows[i].runs; k++) {
            const json_t *row = json_array_get(list, k);
            assert_int_equal(json_is_true(json_object_get(row, "superseded")),
                             k + 1 < rows[i].runs);
            assert_int_equal(json_integer_value(json_object_get(row, "round")), k + 1);
        }
        json_decref(all);
    }
}

static void only_the_last_round_is_reported(void **state)
{
    char junit[100];
    snprintf(junit, sizeof junit, "%s", in_scratch("junit.xml"));
    fake.verdicts[0] = fake.verdicts[1] = "inconclusive";
    assert_int_equal(
        RUN("--mode", "normal", "--until-conclusive", "5", "--junit", junit, SH("exit 0")), 0);
    assert_has(file(junit), "2 rounds before it were inconclusive");
    assert_has(text, "<testsuite name=\"normal\"");
    assert_null(strstr(text, "<error"));
    assert_null(strstr(strstr(text, "<testsuite ") + 1, "<testsuite "));
    assert_has(file(out_path), "normal, round 3");
    assert_has(text, "1 PROVED (of 1; 2 rounds before them inconclusive)");
}

static void inconclusive_is_so_however_it_is_counted(void **state)
{
    fake.verdicts[0] = "inconclusive";
    fake.verdicts[1] = "fail";
    assert_int_equal(RUN("01", "--until-conclusive", "3", "--allow-inconclusive", SH("exit 0")), 1);
    fake.runs = 0; /* a command that fails is a finding, and tried once */
    assert_int_equal(RUN("01", "--until-conclusive", "3", "--no-control", SH("exit 5")), 4);
    assert_int_equal(fake.runs, 1);
}

/* --- Ledgers that are kept */

/* How many there are in the folder; the name of one goes to *name. */
static unsigned count_ledgers(const char *folder, char name[256])
{
    unsigned count = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));)
        if (strncmp(e->d_name, "hangup-", 7) == 0) {
            snprintf(name, 256, "%s", e->d_name);
            count++;
        }
    closedir(dir);
    return count;
}

static void the_ledger_of_what_fails_is_kept(void **state)
{
    static const struct {
        const char *verdict;
        unsigned kept;
    } rows[] = { { "pass", 0 }, { "fail", 1 }, { "inconclusive", 1 } };
    char name[256], path[400];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fake.verdict = rows[i].verdict;
        RUN("--mode", "idle-close;idle=1s", "--over", "h1", "--keep-ledger-on-fail",
            "--allow-inconclusive", "--ledger-dir", scratch, SH("exit 0"));
        assert_int_equal(count_ledgers(scratch, name), rows[i].kept);
        if (!rows[i].kept) {
            assert_null(strstr(file(err_path), "is kept"));
            continue;
        }
        assert_has(name, "hangup-idle-close-idle-1s-over-h1-");
        snprintf(path, sizeof path, "%s/%s", scratch, name);
        assert_has(file(err_path), path);
        assert_string_equal(file(path), "{\"seq\":1}\n");
        unlink(path);
    }
    fake.verdict = "pass"; /* without the flag all are */
    RUN("01", "--over", "both", "--ledger-dir", scratch, SH("exit 0"));
    assert_int_equal(count_ledgers(scratch, name), 2);
}

static void it_is_kept_in_the_current_folder(void **state)
{
    char before[400], name[256];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(scratch), 0);
    fake.verdict = "fail";
    assert_int_equal(
        RUN("--mode", "normal", "--repeat", "2", "--keep-ledger-on-fail", "--json", SH("exit 0")),
        1);
    assert_int_equal(chdir(before), 0);
    assert_int_equal(count_ledgers(scratch, name), 2);
    file(out_path);
    assert_has(text, "\"ledger\":\"./hangup-normal-");
    json_t *all = json_loads(text, 0, NULL); /* it is said elsewhere */
    assert_non_null(all);
    json_decref(all);
}

static void a_run_that_was_not_made_has_no_ledger(void **state)
{
    char name[256];
    fake.refuses = 1;
    assert_int_equal(RUN("01", "--keep-ledger-on-fail", "--ledger-dir", scratch, "--ledger",
                         in_scratch("ledger"), SH("exit 0")),
                     2);
    assert_int_equal(count_ledgers(scratch, name), 0);
    assert_string_equal(file(in_scratch("ledger")), "");
}

/* --- Annotations */

static void what_is_not_proved_is_annotated(void **state)
{
    fake.verdict = "fail";
    fake.sentence = "100% of it\r\n::error::, was: bad";
    assert_int_equal(RUN("--mode", "idle-close;idle=1s", "--annotations", "github", SH("exit 0")),
                     1);
    assert_has(file(out_path),
               "\n::error title=hangup%3A idle-close;idle=1s::recovered: NOT "
               "PROVED%0Arecovered: fail: 100%25 of it\\x0d\\x0a::error::, was: bad\n");
    fake.verdict = "pass";
    assert_int_equal(RUN("01", "--annotations", "github", SH("exit 0")), 0);
    assert_null(strstr(file(out_path), "\n::"));
    fake.verdict = "inconclusive";
    assert_int_equal(RUN("01", "--annotations=github", SH("exit 0")), 3);
    assert_has(file(out_path), "\n::error title=");
    assert_int_equal(RUN("01", "--annotations=github", "--allow-inconclusive", SH("exit 0")), 0);
    assert_has(file(out_path), "\n::warning title=");
    assert_int_equal(
        RUN("01", "--annotations=github", "--allow-inconclusive", "--no-control", SH("exit 3")), 4);
    assert_has(file(out_path), "\n::error title=");
    assert_has(text, "%0ACOMMAND ended with exit status 3");
}

static void a_runner_of_githubs_is_known(void **state)
{
    fake.verdict = "fail";
    assert_int_equal(RUN("01", SH("exit 0")), 1);
    assert_null(strstr(file(out_path), "::error"));
    setenv("GITHUB_ACTIONS", "true", 1);
    assert_int_equal(RUN("01", SH("exit 0")), 1);
    assert_has(file(out_path), "\n::error title=");
    assert_int_equal(RUN("01", "--annotations", "none", SH("exit 0")), 1);
    assert_null(strstr(file(out_path), "::error"));
    assert_int_equal(RUN("01", "--json", SH("exit 0")), 1); /* stdout is JSON alone */
    assert_int_equal(file(out_path)[0], '{');
    assert_null(strstr(text, "::error"));
    assert_has(file(err_path), "::error title=");
    unsetenv("GITHUB_ACTIONS");
}

/* --- Reports */

static void reports_are_written(void **state)
{
    char junit[100], html[100], markdown[100], ledger_path[100];
    snprintf(junit, sizeof junit, "%s", in_scratch("junit.xml"));
    snprintf(html, sizeof html, "%s", in_scratch("page.html"));
    snprintf(markdown, sizeof markdown, "%s", in_scratch("page.md"));
    snprintf(ledger_path, sizeof ledger_path, "%s", in_scratch("ledger"));
    for (int i = 0; i < 2; i++)
        assert_int_equal(RUN("01", "--over", "both", "--junit", junit, "--html", html, "--markdown",
                             markdown, "--ledger", ledger_path, SH("exit 0")),
                         0);
    assert_has(file(junit), "<testsuite");
    assert_has(file(html), "<html");
    assert_has(file(ledger_path), "{\"seq\":1}\n");
    assert_has(file(in_scratch("ledger.2")), "{\"seq\":1}\n");
    file(markdown); /* is appended to */
    char *second = strstr(text, "PROVED");
    assert_non_null(second);
    assert_non_null(strstr(second + 1, "PROVED"));
}

/* In a CI job the files of several commands come together: "r1" and "run" tell nobody which is
 * which. */
static void one_row_has_its_name_in_files(void **state)
{
    char junit[100], html[100], markdown[100];
    snprintf(junit, sizeof junit, "%s", in_scratch("junit.xml"));
    snprintf(html, sizeof html, "%s", in_scratch("page.html"));
    snprintf(markdown, sizeof markdown, "%s", in_scratch("one.md"));
    for (fake.refuses = 0; fake.refuses < 2; fake.refuses++) {
        assert_int_equal(RUN("01", "--over", "h1", "--junit", junit, "--html", html, "--markdown",
                             markdown, SH("exit 0")),
                         fake.refuses ? 2 : 0);
        assert_has(file(junit), "<testsuite name=\"01-answered-then-dead over h1\"");
        assert_has(text, "classname=\"hangup.01-answered-then-dead over h1\"");
        assert_has(file(html), "01-answered-then-dead over h1");
        assert_has(file(markdown), "### 01&#45;answered&#45;then&#45;dead over h1\n");
        unlink(markdown);
    }
}

static void what_was_not_judged_has_its_name(void **state)
{
    assert_int_equal(RUN("01", "--over", "h1", SH("exit 0")), 0);
    assert_null(strstr(file(out_path), "01-answered-then-dead"));
    fake.refuses = 1;
    assert_int_equal(RUN("01", "--over", "h1", SH("exit 0")), 2);
    assert_has(file(out_path), "   01-answered-then-dead over h1: INCONCLUSIVE\n");
}

static void json_is_alone_on_stdout(void **state)
{
    json_error_t why;
    assert_int_equal(RUN("01", "--json", SH("echo noise")), 0);
    json_t *one = json_loads(file(out_path), 0, &why);
    assert_non_null(one);
    assert_string_equal(json_string_value(json_object_get(one, "verdict")), "pass");
    json_decref(one);
    assert_has(file(err_path), "noise");
    fake.refuses = 1;
    assert_int_equal(RUN("01", "--over", "both", "--json", SH("exit 0")), 2);
    one = json_loads(file(out_path), 0, &why);
    assert_int_equal(json_array_size(json_object_get(one, "rows")), 2);
    assert_int_equal(json_integer_value(json_object_get(one, "status")), 2);
    json_decref(one);
}

static void what_cannot_be_written_is_said_before(void **state)
{
    assert_int_equal(RUN("01", "--junit", "/no/such/folder/x", SH("exit 0")), 2);
    assert_has(file(err_path), "--junit: /no/such/folder/x: No such file");
    assert_string_equal(fake.story, "");
}

/* Whatever ends it before: no empty file is left, and one from before is. */
static void until_it_is_written_a_report_is_left_alone(void **state)
{
    static const char *const options[] = { "--junit", "--html", "--markdown", "--ledger" };
    char path[100], none[128], old[128];
    snprintf(path, sizeof path, "%s", in_scratch("report"));
    snprintf(none, sizeof none, "test ! -e %s", path);
    snprintf(old, sizeof old, "test -s %s", path);
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        assert_int_equal(RUN("01", options[i], path, "--ledger-dir", "/no/such", SH("exit 0")), 2);
        assert_true(access(path, F_OK) != 0);
        assert_int_equal(RUN("01", options[i], path, SH(none)), 0);
        fake.runs = 0;
        assert_int_equal(RUN("01", options[i], path, SH(old)), 0);
        fake.runs = 0;
        assert_int_equal(unlink(path), 0);
    }
}

static void a_full_disk_is_said(void **state)
{
    assert_int_equal(RUN("01", "--junit", "/dev/full", SH("exit 0")), 2);
    assert_has(file(err_path), "--junit: /dev/full: No space left");
    assert_int_equal(RUN("01", "--ledger", "/dev/full", SH("exit 0")), 2);
    assert_has(file(err_path), "--ledger: /dev/full: No space left");
}

static void what_cannot_be_written_stops_nothing(void **state)
{
    char html[100];
    snprintf(html, sizeof html, "%s", in_scratch("page.html"));
    assert_int_equal(RUN("01", "--over", "both", "--junit", "/dev/full", "--html", html, "--ledger",
                         "/dev/full", SH("exit 0")),
                     2);
    assert_has(file(err_path), "--junit: /dev/full: No space left");
    assert_has(text, "--ledger: /dev/full: No space left");
    assert_has(file(out_path), "2 PROVED (of 2)");
    assert_has(file(html), "PROVED");
}

/* --- Options */

static void what_makes_no_sense_is_refused(void **state)
{
    static const struct {
        const char *words[8], *said;
    } rows[] = {
        { { "--", "true" }, "there is no fault to prove anything by" },
        { { "01" }, "COMMAND: it is missing" },
        { { "01", "--" }, "COMMAND: it is missing" },
        { { "01", "02", "--", "true" }, "there is a case already" },
        { { "01", "--mode", "normal", "--", "true" }, "it cannot go with another fault" },
        { { "nonsense", "--", "true" }, "CASE" },
        { { "--mode", "nonsense", "--", "true" }, "--mode" },
        { { "--plan", "/no/such/file", "--", "true" }, "--plan" },
        { { "--suite", "nonsense", "--", "true" }, "no suite is called \"nonsense\"" },
        { { "01", "--over", "h3", "--", "true" }, "h1|h2|both" },
        { { "01", "--repeat", "0", "--", "true" }, "--repeat" },
        { { "01", "--timeout", "never", "--", "true" }, "--timeout" },
        { { "01", "--time-scale", "x", "--", "true" }, "--time-scale" },
        { { "01", "--expect", "nonsense", "--", "true" }, "--expect" },
        { { "01", "--expect", "--", "true" }, "--expect: its value is missing" },
        { { "01", "--no-control", "--without", "x", "--", "true" },
          "--without: it cannot go with --no-control: the three are compared" },
        { { "--suite", "stale", "--ledger", "x", "--", "true" },
          "--ledger: a suite has a ledger for each row" },
        { { "01", "--server", "x", "--ports", "1-2", "--", "true" }, "cannot go with --server" },
        { { "01", "--repeat", "2", "--until-conclusive", "2", "--", "true" }, "cannot go with" },
        { { "01", "--until-conclusive", "0", "--", "true" }, "--until-conclusive" },
        { { "01", "--annotations", "gitlab", "--", "true" }, "github|none" },
        { { "01", "--ledger-dir", "/no/such", "--", "true" }, "--ledger-dir: /no/such: No such" },
        { { "01", "--ledger-dir", "/dev/null", "--", "true" }, "/dev/null: Not a directory" },
        { { "--suite", ".", "--", "true" }, "a file by a name with a \"/\" in it" },
        { { "01", "--key-header", "a b", "--", "true" }, "the name of a header field" },
        { { "01", "--junits", "x", "--", "true" }, "did you mean --junit" },
        { { "01", "--json=yes", "--", "true" }, "it takes no value" },
        { { "--list", "retries" }, "retries: --list runs nothing" },
        { { "--list", "--", "true" }, "COMMAND: --list runs nothing" },
        { { "--explain", "retries", "recovered" }, "recovered: --explain NAME runs nothing" },
        { { "--list", "--explain", "retries" }, "it cannot go with --list" },
        { { "01", "--expect", "no_storm;attempts=0", "--", "true" }, "from 1 to 10000" },
        { { "06-h2-black-hole", "--over", "h1", "--", "true" }, "nothing to try over h1" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(run(rows[i].words), 2);
        assert_has(file(err_path), rows[i].said);
        assert_string_equal(fake.story, "");
    }
}

static void a_plan_says_over_what_it_is_or_nothing(void **state)
{
    const char *path = in_scratch("plan.json");
    FILE *to = fopen(path, "w");
    assert_non_null(to);
    assert_true(fputs("{\"plan\": [{\"mode\": \"normal\"}], \"over\": \"h3\"}", to) >= 0);
    assert_int_equal(fclose(to), 0);
    assert_int_equal(RUN("--plan", path, SH("exit 0")), 2);
    assert_has(file(err_path), "--plan: $.over is none of these");
    assert_has(text, "\"h1\", \"h2\" or \"both\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, prove_setup, prove_teardown)
        TEST(rounds_have_seeds_of_their_own),
        TEST(rounds_pass_together),
        TEST(of_two_rows_each_counts),
        TEST(the_last_line_counts_what_came_of_each),
        TEST(what_is_inconclusive_is_done_again),
        TEST(only_the_last_round_is_reported),
        TEST(inconclusive_is_so_however_it_is_counted),
        TEST(the_ledger_of_what_fails_is_kept),
        TEST(it_is_kept_in_the_current_folder),
        TEST(a_run_that_was_not_made_has_no_ledger),
        TEST(what_is_not_proved_is_annotated),
        TEST(a_runner_of_githubs_is_known),
        TEST(what_cannot_be_written_stops_nothing),
        TEST(reports_are_written),
        TEST(one_row_has_its_name_in_files),
        TEST(what_was_not_judged_has_its_name),
        TEST(json_is_alone_on_stdout),
        TEST(what_cannot_be_written_is_said_before),
        TEST(until_it_is_written_a_report_is_left_alone),
        TEST(a_full_disk_is_said),
        TEST(what_makes_no_sense_is_refused),
        TEST(a_plan_says_over_what_it_is_or_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
