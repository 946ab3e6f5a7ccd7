/* test_descriptors.c - the limit of descriptors is raised for the server, and not for what it
 * starts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/descriptors.h"

#define BEFORE 100

static struct rlimit all;

static int set_limit(void **state)
{
    if (getrlimit(RLIMIT_NOFILE, &all) < 0)
        return -1;
    struct rlimit few = { BEFORE, all.rlim_max };
    return setrlimit(RLIMIT_NOFILE, &few);
}

static int put_back(void **state)
{
    return setrlimit(RLIMIT_NOFILE, &all);
}

static rlim_t limit_now(void)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(limit.rlim_max, all.rlim_max);
    return limit.rlim_cur;
}

/* The soft limit that a program has which is started from here. */
static unsigned long limit_of_child(int restore)
{
    char text[32] = "";
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        if (restore && descriptors_restore_limit() != 0)
            _exit(1);
        execl("/bin/sh", "sh", "-c", "ulimit -Sn", (char *)NULL);
        _exit(127);
    }
    int status;
    close(ends[1]);
    assert_true(read(ends[0], text, sizeof text - 1) > 0);
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    return strtoul(text, NULL, 10);
}

static void what_was_not_raised_stays(void **state)
{
    assert_int_equal(descriptors_restore_limit(), 0);
    assert_int_equal(limit_now(), BEFORE);
}

static void a_child_has_the_limit_that_there_was(void **state)
{
    assert_true(all.rlim_max > BEFORE); /* else nothing is shown */
    descriptors_raise_limit();
    assert_int_equal(limit_now(), all.rlim_max);
    assert_int_equal(limit_of_child(0), all.rlim_max); /* the control: it would inherit ours */
    assert_int_equal(limit_of_child(1), BEFORE);
    assert_int_equal(limit_now(), all.rlim_max); /* we keep ours */
}

static void the_limit_is_lowered_and_raised_around_a_start(void **state)
{
    descriptors_raise_limit();
    descriptors_raise_limit(); /* once more does not make ours the one that there was */
    int high = dup2(STDOUT_FILENO, BEFORE + 50);
    assert_int_equal(high, BEFORE + 50);
    assert_int_equal(descriptors_restore_limit(), 0);
    assert_int_equal(limit_now(), BEFORE);
    assert_int_equal(limit_of_child(0), BEFORE);
    descriptors_raise_limit();
    assert_int_equal(limit_now(), all.rlim_max);
    assert_int_equal(close(high), 0); /* it stayed open */
}

static void what_is_shared_out_is_the_raised_limit(void **state)
{
    descriptors_learn_limit();
    assert_false(descriptors_allow(FOR_ADMIN, BEFORE));
    descriptors_raise_limit();
    assert_true(descriptors_allow(FOR_ADMIN, BEFORE));
    assert_false(descriptors_allow(FOR_CONNECTIONS, -1));
}

#define LIMITED(f) cmocka_unit_test_setup_teardown(f, set_limit, put_back)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIMITED(what_was_not_raised_stays),
        LIMITED(a_child_has_the_limit_that_there_was),
        LIMITED(the_limit_is_lowered_and_raised_around_a_start),
        LIMITED(what_is_shared_out_is_the_raised_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
