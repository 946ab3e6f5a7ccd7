/* What a driver says of its requests: in a file, on stdout, in part, broken. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/driver_lines.h"
#include "cli/environment.h"

static struct driver_lines driver;
static struct buf taken, shown;
static int answer; /* of what takes the lines */

static int take(void *arg, const char *line, size_t len, struct refusal *why)
{
    buf_add(&taken, line, len);
    buf_add(&taken, "|", 1);
    return answer > 0 ? refuse(why, "x", "", "it is not liked") : answer;
}

static int setup(void **state)
{
    answer = 0;
    driver = (struct driver_lines){ .line = take };
    return driver_lines_open(&driver);
}

static int teardown(void **state)
{
    driver_lines_close(&driver);
    buf_free(&taken);
    buf_free(&shown);
    return 0;
}

static const char *text(struct buf *b)
{
    buf_add(b, "", 1);
    b->end--;
    return (const char *)buf_bytes(b);
}

static void append(const char *what)
{
    FILE *file = fopen(driver.path, "a");
    assert_non_null(file);
    fputs(what, file);
    fclose(file);
}

static void out(const char *what)
{
    driver_lines_out(&driver, what, strlen(what), &shown);
}

static void lines_of_the_file_are_taken_as_they_come(void **state)
{
    driver_lines_read(&driver, false);
    assert_false(driver_lines_speaks(&driver));
    append("{\"driver\":1}\n{\"n\":1,\"ok\":tr");
    driver_lines_read(&driver, false);
    assert_string_equal(text(&taken), "{\"driver\":1}|");
    assert_true(driver_lines_speaks(&driver));
    append("ue}\r\n\n{\"n\":2}");
    driver_lines_read(&driver, false);
    assert_int_equal(driver.requests, 1);
    driver_lines_read(&driver, true);
    assert_string_equal(text(&taken), "{\"driver\":1}|{\"n\":1,\"ok\":true}|{\"n\":2}|");
    assert_int_equal(driver.requests, 2);
    assert_string_equal(driver.broken.where, "");
}

static void lines_of_stdout_are_taken_when_the_file_is_empty(void **state)
{
    out("building {\"n\":1}\n{\"n\":0}\n{\"driv");
    out("er\":1}\n{not json}\n{\"n\":1,\"ok\":false}\r\nbye");
    driver_lines_out_end(&driver, &shown);
    assert_string_equal(text(&taken), "{\"driver\":1}|{\"n\":1,\"ok\":false}|");
    assert_string_equal(text(&shown), "building {\"n\":1}\n{\"n\":0}\n{not json}\nbye");
    assert_int_equal(driver.requests, 1);
}

static void a_last_line_of_stdout_need_not_end(void **state)
{
    out("{\"driver\":1}\n{\"n\":1}");
    assert_int_equal(driver.requests, 0);
    driver_lines_out_end(&driver, &shown);
    assert_int_equal(driver.requests, 1);
    assert_string_equal(text(&shown), "");
}

static void stdout_is_only_shown_when_the_file_speaks(void **state)
{
    append("{\"driver\":1}\n");
    driver_lines_read(&driver, false);
    out("{\"driver\":1}\n{\"n\":1}\n");
    assert_string_equal(text(&shown), "{\"driver\":1}\n{\"n\":1}\n");
    assert_int_equal(driver.lines, 1);
}

static void a_long_line_of_stdout_is_shown(void **state)
{
    size_t len = DRIVER_LINE_MAX + 10;
    char *line = calloc(1, len + 2);
    memset(line, 'x', len);
    line[0] = '{';
    line[len] = '\n';
    driver_lines_out(&driver, line, 20, &shown);
    driver_lines_out(&driver, line + 20, len + 1 - 20, &shown);
    assert_int_equal(buf_len(&shown), len + 1);
    free(line);
}

static void what_is_broken_is_said_with_its_line(void **state)
{
    static const struct {
        const char *file, *where, *what;
    } rows[] = {
        { "hello\n", "HANGUP_REPORT, line 1", "no JSON object" },
        { "[1]\n", "HANGUP_REPORT, line 1", "no JSON object" },
        { "{\"n\":1}\n", "HANGUP_REPORT, line 1", "the first line is not" },
        { "{\"driver\":2}\n", "HANGUP_REPORT, line 1", "the first line is not" },
        { "{\"driver\":1}\n{\"ok\":true}\n", "HANGUP_REPORT, line 2", "no number n" },
        { "{\"driver\":1}\n{\"n\":1", "HANGUP_REPORT, line 2", "no JSON object" },
        { "{\"driver\":1}\n{\"n\":1,\"n\":2}\n", "HANGUP_REPORT, line 2", "no JSON object" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        teardown(state);
        assert_int_equal(setup(state), 0);
        append(rows[i].file);
        driver_lines_read(&driver, true);
        assert_string_equal(driver.broken.where, rows[i].where);
        assert_non_null(strstr(driver.broken.what, rows[i].what));
    }
}

static void more_lines_than_are_kept_break_it(void **state)
{
    append("{\"driver\":1}\n");
    FILE *file = fopen(driver.path, "a");
    assert_non_null(file);
    for (int n = 1; n < DRIVER_LINES_MAX; n++)
        fprintf(file, "{\"n\":%d}\n", n);
    fclose(file);
    driver_lines_read(&driver, false);
    assert_string_equal(driver.broken.where, "");
    append("{\"n\":0}\n");
    driver_lines_read(&driver, false);
    assert_string_equal(driver.broken.where, "HANGUP_REPORT, line 10001");
    assert_non_null(strstr(driver.broken.what, "too many lines"));
    assert_int_equal(driver.requests, DRIVER_LINES_MAX - 1);
}

static void a_line_of_the_file_that_is_too_long_breaks_it(void **state)
{
    static char most[DRIVER_LINE_MAX + 1];
    append("{\"driver\":1}\n");
    memset(most, ' ', DRIVER_LINE_MAX);
    append(most);
    driver_lines_read(&driver, false);
    assert_string_equal(driver.broken.where, "");
    append(" ");
    driver_lines_read(&driver, false);
    assert_string_equal(driver.broken.where, "HANGUP_REPORT, line 2");
    assert_non_null(strstr(driver.broken.what, "too long"));
}

static void what_begins_on_stdout_does_not_continue_in_the_file(void **state)
{
    out("{\"driver\":1}\n");
    append("{\"n\":1}\n");
    driver_lines_read(&driver, true);
    assert_non_null(strstr(driver.broken.what, "began on stdout"));
    assert_int_equal(driver.requests, 0);
}

static void what_its_taker_refuses_breaks_it(void **state)
{
    answer = BAD_INPUT;
    append("{\"driver\":1}\n{\"n\":1}\n");
    driver_lines_read(&driver, true);
    assert_string_equal(driver.broken.what, "it is not liked");
    assert_string_equal(text(&taken), "{\"driver\":1}|");
}

static void a_file_that_shrinks_or_is_none_breaks_it(void **state)
{
    append("{\"driver\":1}\n");
    driver_lines_read(&driver, false);
    assert_int_equal(truncate(driver.path, 2), 0);
    driver_lines_read(&driver, false);
    assert_non_null(strstr(driver.broken.what, "has gone"));
    teardown(state);
    assert_int_equal(setup(state), 0);
    assert_int_equal(unlink(driver.path), 0);
    assert_int_equal(mkfifo(driver.path, 0600), 0);
    driver_lines_read(&driver, true);
    assert_non_null(strstr(driver.broken.what, "no file"));
}

static void a_file_that_is_removed_is_no_report(void **state)
{
    unlink(driver.path);
    driver_lines_read(&driver, true);
    assert_false(driver_lines_speaks(&driver));
    assert_string_equal(driver.broken.where, "");
}

static void its_folder_goes_with_it(void **state)
{
    char dir[sizeof driver.dir];
    memcpy(dir, driver.dir, sizeof dir);
    driver_lines_close(&driver);
    assert_int_equal(access(dir, F_OK), -1);
}

static void an_environment_is_ours_and_what_is_set(void **state)
{
    struct environment e;
    setenv("HANGUP_A", "1", 1);
    setenv("HANGUP_AB", "2", 1);
    unsetenv("HANGUP_C");
    environment_take(&e);
    environment_set(&e, "HANGUP_A", "3");
    environment_add(&e, "HANGUP_AB", "4");
    environment_add(&e, "HANGUP_C", "5");
    assert_string_equal(environment_get(&e, "HANGUP_A"), "3");
    assert_string_equal(environment_get(&e, "HANGUP_AB"), "2,4");
    assert_string_equal(environment_get(&e, "HANGUP_C"), "5");
    assert_null(environment_get(&e, "HANGUP_D"));
    assert_null(e.list[e.count]);
    assert_false(e.failed);
    environment_free(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lines_of_the_file_are_taken_as_they_come, setup, teardown),
        cmocka_unit_test_setup_teardown(lines_of_stdout_are_taken_when_the_file_is_empty, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_last_line_of_stdout_need_not_end, setup, teardown),
        cmocka_unit_test_setup_teardown(stdout_is_only_shown_when_the_file_speaks, setup, teardown),
        cmocka_unit_test_setup_teardown(a_long_line_of_stdout_is_shown, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_broken_is_said_with_its_line, setup, teardown),
        cmocka_unit_test_setup_teardown(more_lines_than_are_kept_break_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_line_of_the_file_that_is_too_long_breaks_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_begins_on_stdout_does_not_continue_in_the_file, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_its_taker_refuses_breaks_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_that_shrinks_or_is_none_breaks_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_that_is_removed_is_no_report, setup, teardown),
        cmocka_unit_test_setup_teardown(its_folder_goes_with_it, setup, teardown),
        cmocka_unit_test(an_environment_is_ours_and_what_is_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
