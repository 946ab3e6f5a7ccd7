/* test_judged.c - a verdict that a thread works out is the loop's again, whoever needs it
 * meanwhile.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/loop.h"

#include "base/clock.h"
#include "trial/judged.h"

static struct ledger *ledger;
static struct judged judged;
static unsigned overs;

static int set_up(void **state)
{
    overs = 0;
    judged = (struct judged){ .verdict = NULL };
    ledger = ledger_create(1 << 20);
    return loop_start(state) || !ledger;
}

static int tear_down(void **state)
{
    judged_free(&judged);
    int failed = loop_stop(state);
    ledger_destroy(ledger);
    return failed;
}

static void over(struct judged *j)
{
    overs++;
    judged_free(j); /* as a run does */
}

static bool thread_has_it(void *unused)
{
    return judged.judging != NULL;
}

static bool nobody_is_at_it(void *unused)
{
    return !judged.judging && !timer_armed(&judged.feed);
}

static void begin(void)
{
    assert_int_equal(judged_begin(&judged, &loop, ledger), 0);
    judged_ask(&judged, true);
    loop_until(&loop, thread_has_it, NULL);
}

static void what_is_asked_for_at_the_end_of_a_run_is_told_of_once(void **state)
{
    begin();
    judged.over = over;
    loop_until(&loop, is_counted, &overs);
    loop_settle(&loop);
    assert_int_equal(overs, 1);
}

/* Somebody cannot wait, takes it from the thread, and the run ends all the same. */
static void who_takes_it_from_the_thread_leaves_the_end_of_a_run_to_come(void **state)
{
    begin();
    judged.over = over;
    judged_now(&judged, false);
    assert_null(judged.judging);
    loop_until(&loop, is_counted, &overs);
    loop_settle(&loop);
    assert_int_equal(overs, 1);
}

static void who_takes_it_from_the_thread_has_what_was_found_at_once(void **state)
{
    begin();
    int64_t before = clock_now();
    judged_now(&judged, true);
    assert_true(judged.found.as_of >= before);
    assert_true(buf_len(&judged.found.document) > 0 && judged.found.with_calls);
    loop_until(&loop, nobody_is_at_it, NULL);
    assert_int_equal(overs, 0);
}

static void a_verdict_may_go_while_the_thread_has_it(void **state)
{
    begin();
    judged_free(&judged);
    assert_null(judged.verdict);
    loop_settle(&loop);
    begin(); /* another, when the thread is free */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_is_asked_for_at_the_end_of_a_run_is_told_of_once),
        TEST(who_takes_it_from_the_thread_leaves_the_end_of_a_run_to_come),
        TEST(who_takes_it_from_the_thread_has_what_was_found_at_once),
        TEST(a_verdict_may_go_while_the_thread_has_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
