/* Stands in for cmocka's runner of a group: each case is told of by name when it begins, so that of
 * a program that ends in the middle of one (it fails an assertion under CMOCKA_TEST_ABORT, crashes,
 * hangs) it is known which (tools/count_tests.py). cmocka names a case only when it is over. And
 * each program has as many descriptors as its tests may need. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <cmocka.h>

#define DESCRIPTORS 4096 /* that a test may need, where it does not limit them itself */

typedef int run_group(const char *group, const struct CMUnitTest *tests, size_t n,
                      CMFixtureFunction set_up, CMFixtureFunction tear_down);
run_group __real__cmocka_run_group_tests, __wrap__cmocka_run_group_tests;

/* The case that begins next, as the program has it. */
static const struct CMUnitTest *next;

static int begin(void **state)
{
    const struct CMUnitTest *begins = next++;
    printf("# begins: %s\n", begins->name);
    fflush(stdout);
    return begins->setup_func ? begins->setup_func(state) : 0;
}

/* A user's are 1,024 at first, of which a test with 600 connections of both sides has too few. */
static void raise_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= DESCRIPTORS)
        return;
    limit.rlim_cur = limit.rlim_max < DESCRIPTORS ? limit.rlim_max : DESCRIPTORS;
    setrlimit(RLIMIT_NOFILE, &limit);
}

int __wrap__cmocka_run_group_tests(const char *group, const struct CMUnitTest *tests, size_t n,
                                   CMFixtureFunction set_up, CMFixtureFunction tear_down)
{
    struct CMUnitTest *told = calloc(n, sizeof *told);
    if (!told)
        abort();
    for (size_t i = 0; i < n; i++) {
        told[i] = tests[i];
        told[i].setup_func = begin;
    }
    next = tests;
    raise_limit();
    int failed = __real__cmocka_run_group_tests(group, told, n, set_up, tear_down);
    free(told);
    return failed;
}
