/* Timers: never early, in order, cancelled ones never; arming needs no memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/timer.h"

#include "harness/loop.h"
#include "harness/memory.h"

#define MANY   500
#define ROUNDS 20000

struct probe {
    struct timer timer;
    int64_t due, reached_at, late;
    struct probe *cancels;
};

static unsigned reached_count, expected;
static struct probe *order[MANY];

static void reached(struct timer *m, int64_t late)
{
    struct probe *p = (struct probe *)m;
    p->reached_at = clock_now();
    p->late = late;
    order[reached_count++] = p;
    if (p->cancels)
        timer_cancel(&p->cancels->timer);
    if (reached_count == expected)
        uv_stop(&loop);
}

static void arm(struct probe *p, int64_t due)
{
    *p = (struct probe){ .timer.reached = reached, .due = due };
    timer_at(&p->timer, due);
    assert_true(timer_armed(&p->timer));
}

static void run_until(unsigned count)
{
    reached_count = 0;
    expected = count;
    uv_run(&loop, UV_RUN_DEFAULT); /* no timer but the test's: time is what is tested here */
}

static void a_timer_is_never_early_and_tells_how_late_it_is(void **state)
{
    struct probe p;
    arm(&p, clock_now() + 20 * NS_PER_MS + 123456);
    run_until(1);
    assert_true(p.reached_at >= p.due);
    assert_true(p.late >= 0 && p.late <= p.reached_at - p.due);
    assert_false(timer_armed(&p.timer));
}

static void many_timers_are_reached_in_their_order(void **state)
{
    static struct probe probes[MANY];
    int64_t now = clock_now();
    srand(1);
    for (unsigned i = 0; i < MANY; i++)
        arm(&probes[i], now + rand() % (50 * NS_PER_MS));
    run_until(MANY);
    for (unsigned i = 1; i < MANY; i++)
        assert_true(order[i - 1]->due <= order[i]->due);
    for (unsigned i = 0; i < MANY; i++)
        assert_true(probes[i].reached_at >= probes[i].due);
}

static void a_cancelled_timer_is_never_reached(void **state)
{
    struct probe first, second, last;
    int64_t now = clock_now();
    arm(&first, now + 5 * NS_PER_MS);
    arm(&second, now + 6 * NS_PER_MS);
    arm(&last, now + 30 * NS_PER_MS);
    first.cancels = &second;
    run_until(2);
    assert_ptr_equal(order[0], &first);
    assert_ptr_equal(order[1], &last);
    assert_false(timer_armed(&second.timer));
}

static void arming_again_moves_a_timer_and_none_cancels_it(void **state)
{
    struct probe early, late;
    int64_t now = clock_now();
    arm(&early, now + 5 * NS_PER_MS);
    arm(&late, now + 10 * NS_PER_MS);
    timer_at(&early.timer, now + 20 * NS_PER_MS);
    early.due = now + 20 * NS_PER_MS;
    run_until(2);
    assert_ptr_equal(order[0], &late);
    assert_true(early.reached_at >= early.due);
    arm(&early, now);
    timer_at(&early.timer, TIME_NONE);
    assert_false(timer_armed(&early.timer));
}

/* Whatever was done to them before, those that are armed at the end are reached, each once, in
 * their order, and without memory too. */
static void at_random_what_is_armed_is_reached_and_nothing_else(void **state)
{
    static struct probe probes[MANY];
    unsigned armed = 0;
    int64_t now = clock_now();
    srand(7);
    memory_ends_after(0);
    for (unsigned i = 0; i < MANY; i++)
        probes[i] = (struct probe){ .timer.reached = reached };
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct probe *p = &probes[rand() % MANY];
        if (rand() % 3 == 0) {
            timer_cancel(&p->timer);
        } else { /* some of them at the same time */
            p->due = now + 300 * NS_PER_MS + rand() % 40 * NS_PER_MS;
            timer_at(&p->timer, p->due);
        }
    }
    for (unsigned i = 0; i < MANY; i++)
        armed += timer_armed(&probes[i].timer);
    assert_true(armed > MANY / 3 && armed < MANY);
    run_until(armed);
    memory_restore();
    for (unsigned i = 0; i < MANY; i++)
        assert_false(timer_armed(&probes[i].timer));
    for (unsigned i = 0; i < armed; i++) {
        assert_int_equal(order[i]->timer.due, order[i]->due);
        assert_true(i == 0 || order[i - 1]->due <= order[i]->due);
        assert_true(order[i]->reached_at >= order[i]->due);
        order[i]->due = -1; /* not twice */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_timer_is_never_early_and_tells_how_late_it_is),
        cmocka_unit_test(many_timers_are_reached_in_their_order),
        cmocka_unit_test(a_cancelled_timer_is_never_reached),
        cmocka_unit_test(arming_again_moves_a_timer_and_none_cancels_it),
        cmocka_unit_test(at_random_what_is_armed_is_reached_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, loop_start, loop_stop);
}
