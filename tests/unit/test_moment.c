/* Moments: never early, in order, cancelled ones never. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <uv.h>

#include "base/clock.h"
#include "wire/moment.h"

#define MANY 500

static uv_loop_t loop;

struct probe {
    struct moment moment;
    int64_t due, reached_at, late;
    struct probe *cancels;
};

static unsigned reached_count, expected;
static struct probe *order[MANY];

static void reached(struct moment *m, int64_t late)
{
    struct probe *p = (struct probe *)m;
    p->reached_at = clock_now();
    p->late = late;
    order[reached_count++] = p;
    if (p->cancels)
        moment_cancel(&p->cancels->moment);
    if (reached_count == expected)
        uv_stop(&loop);
}

static void arm(struct probe *p, int64_t due)
{
    *p = (struct probe){ .moment.reached = reached, .due = due };
    assert_int_equal(moment_at(&p->moment, due), 0);
    assert_true(moment_armed(&p->moment));
}

static void run_until(unsigned count)
{
    reached_count = 0;
    expected = count;
    uv_run(&loop, UV_RUN_DEFAULT);
}

static void a_moment_is_never_early_and_tells_how_late_it_is(void **state)
{
    struct probe p;
    arm(&p, clock_now() + 20 * NS_PER_MS + 123456);
    run_until(1);
    assert_true(p.reached_at >= p.due);
    assert_true(p.late >= 0 && p.late <= p.reached_at - p.due);
    assert_false(moment_armed(&p.moment));
}

static void many_moments_are_reached_in_their_order(void **state)
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

static void a_cancelled_moment_is_never_reached(void **state)
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
    assert_false(moment_armed(&second.moment));
}

static void arming_again_moves_a_moment_and_none_cancels_it(void **state)
{
    struct probe early, late;
    int64_t now = clock_now();
    arm(&early, now + 5 * NS_PER_MS);
    arm(&late, now + 10 * NS_PER_MS);
    moment_at(&early.moment, now + 20 * NS_PER_MS);
    early.due = now + 20 * NS_PER_MS;
    run_until(2);
    assert_ptr_equal(order[0], &late);
    assert_true(early.reached_at >= early.due);
    arm(&early, now);
    moment_at(&early.moment, MOMENT_NONE);
    assert_false(moment_armed(&early.moment));
}

static int set_up(void **state)
{
    return uv_loop_init(&loop) || moments_start(&loop);
}

static int tear_down(void **state)
{
    moments_stop();
    uv_run(&loop, UV_RUN_DEFAULT);
    return uv_loop_close(&loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_moment_is_never_early_and_tells_how_late_it_is),
        cmocka_unit_test(many_moments_are_reached_in_their_order),
        cmocka_unit_test(a_cancelled_moment_is_never_reached),
        cmocka_unit_test(arming_again_moves_a_moment_and_none_cancels_it),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
