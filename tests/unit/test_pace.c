/* When bytes may leave: rates and drops on a clock that the test sets. */
#include "wire/pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "tests/count.h"

#define MS NS_PER_MS

static const uint32_t rates[] = { 1,     7,       49,       50,       51,        99,        100,
                                  101,   149,     1000,     1001,     12345,     1000000,   3000001,
                                  33333, 4999999, 50000000, 99999999, 777777777, 1000000000 };
static const size_t sizes[] = { 1, 2, 3, 50, 99, 100, 325, 4096, 65536, 65537, 1 << 20, 5000001 };

/* When byte i of a response that begins at 0 may leave. */
static int64_t exact(uint32_t rate, uint64_t i)
{
    return (int64_t)(i / rate * NS_PER_S + (i % rate * NS_PER_S + rate - 1) / rate);
}

/* Lets n bytes out, of which at most window wait at a time; each timer comes up to late ns late.
 * Checks that none is early and none later than a piece takes. Returns when the last one left. */
static int64_t let_out(struct pace *p, uint32_t rate, size_t n, size_t window, int64_t start,
                       int64_t late)
{
    int64_t now = start, piece = 20 * MS + (rate < 50 ? NS_PER_S / rate : 0);
    size_t out = 0, waiting = n < window ? n : window;
    pace_begin(p, now);
    while (out < n) {
        int64_t due = pace_due(p, waiting);
        if (due > now)
            now = due + (late ? rand() % late : 0);
        size_t room = pace_room(p, waiting, now);
        assert_in_range(room, 1, waiting);
        assert_true(now - start >= exact(rate, out + room - 1));
        assert_true(now - start <= exact(rate, out) + piece + late);
        pace_left(p, room, now);
        out += room;
        waiting = n - out < window ? n - out : window;
    }
    return now;
}

static void a_rate_is_exact_over_any_response(void **state)
{
    for (size_t r = 0; r < COUNT(rates); r++) {
        for (size_t s = 0; s < COUNT(sizes); s++) {
            if (sizes[s] > 100000 && rates[r] < 1000)
                continue;
            for (size_t window = 1024; window <= 1 << 20; window <<= 5) {
                struct pace p = { 0 };
                pace_set_rate(&p, rates[r], 77);
                int64_t end = let_out(&p, rates[r], sizes[s], window, 1000, 0);
                assert_int_equal(end - 1000, exact(rates[r], sizes[s] - 1));
            }
        }
    }
}

static void late_timers_take_nothing_off_a_rate(void **state)
{
    for (size_t r = 0; r < COUNT(rates); r++) {
        for (size_t s = 0; s < COUNT(sizes); s++) {
            if (sizes[s] > 100000 && rates[r] < 1000)
                continue;
            struct pace p = { 0 };
            pace_set_rate(&p, rates[r], 0);
            int64_t end = let_out(&p, rates[r], sizes[s], 128 * 1024, 0, 5 * MS);
            assert_in_range(end, exact(rates[r], sizes[s] - 1),
                            exact(rates[r], sizes[s] - 1) + 5 * MS);
        }
    }
}

/* One response after the other, the pace set anew at each: never more than the rate in all. */
static void setting_the_same_rate_again_changes_nothing(void **state)
{
    struct pace p = { 0 };
    int64_t now = 0;
    for (uint64_t i = 0; i < 50; i++) {
        pace_set_rate(&p, 99, now);
        pace_begin(&p, now);
        int64_t due = pace_due(&p, 1);
        assert_true(due >= exact(99, i));
        now = due > now ? due : now;
        assert_int_equal(pace_room(&p, 1, now), 1);
        pace_left(&p, 1, now);
    }
}

static void a_quiet_spell_saves_up_nothing(void **state)
{
    struct pace p = { 0 };
    pace_set_rate(&p, 1000, 0);
    let_out(&p, 1000, 500, 500, 0, 0);
    let_out(&p, 1000, 500, 500, 3600 * NS_PER_S, 0);
    pace_begin(&p, 9000 * NS_PER_S);
    assert_int_equal(pace_room(&p, 500, 9000 * NS_PER_S), 1);
}

/* The client does not read for an hour. */
static void what_is_very_late_is_not_made_up_for(void **state)
{
    struct pace p = { 0 };
    pace_set_rate(&p, 1000, 0);
    pace_begin(&p, 0);
    pace_left(&p, 1, 0);
    assert_int_equal(pace_room(&p, 60000, 3600 * NS_PER_S), 1);
    pace_left(&p, 1, 3600 * NS_PER_S);
    assert_true(pace_due(&p, 60000) > 3600 * NS_PER_S);
}

static void drops_come_at_their_times_and_lateness_does_not_add_up(void **state)
{
    static const struct {
        uint32_t chunk;
        int64_t every;
    } drops[] = { { 1, NS_PER_S }, { 20, 500 * MS }, { 7, MS }, { 65536, MS }, { 100, 1000 } };
    for (size_t i = 0; i < COUNT(drops); i++) {
        for (int64_t late = 1; late < drops[i].every * 3 && late < 100 * MS; late *= 7) {
            struct pace p = { 0 };
            int64_t now = 0;
            size_t left = (size_t)drops[i].chunk * 200 + 3;
            pace_set_drops(&p, drops[i].chunk, drops[i].every, 0);
            pace_begin(&p, 0);
            for (int64_t k = 0; left > 0; k++) {
                int64_t due = pace_due(&p, left);
                assert_int_equal(due, k * drops[i].every);
                if (due > now)
                    now = due + rand() % late;
                size_t room = pace_room(&p, left, now);
                assert_int_equal(room, left < drops[i].chunk ? left : drops[i].chunk);
                pace_left(&p, room, now);
                left -= room;
            }
        }
    }
}

static void no_drop_is_early(void **state)
{
    struct pace p = { 0 };
    pace_set_drops(&p, 10, 100 * MS, 0);
    pace_begin(&p, 5);
    pace_left(&p, pace_room(&p, 35, 5), 5);
    assert_int_equal(pace_room(&p, 25, 100 * MS + 4), 0);
    assert_int_equal(pace_room(&p, 25, 100 * MS + 5), 10);
}

static void another_pace_holds_at_once_and_delays_nothing_more(void **state)
{
    struct pace p = { 0 };
    pace_set_drops(&p, 1, 3600 * NS_PER_S, 0);
    pace_begin(&p, 0);
    pace_left(&p, 1, 0);
    pace_set_drops(&p, 5, 20 * MS, 10 * MS);
    assert_int_equal(pace_due(&p, 30), 20 * MS);
    pace_set_drops(&p, 1, 3600 * NS_PER_S, 11 * MS);
    assert_int_equal(pace_due(&p, 30), 20 * MS);
    pace_set_rate(&p, 2, 12 * MS);
    assert_int_equal(pace_due(&p, 30), 20 * MS);
    pace_set_rate(&p, 0, 12 * MS);
    assert_false(pace_is_set(&p));
    pace_set_rate(&p, 2, 13 * MS);
    assert_int_equal(pace_due(&p, 30), 13 * MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rate_is_exact_over_any_response),
        cmocka_unit_test(late_timers_take_nothing_off_a_rate),
        cmocka_unit_test(setting_the_same_rate_again_changes_nothing),
        cmocka_unit_test(a_quiet_spell_saves_up_nothing),
        cmocka_unit_test(what_is_very_late_is_not_made_up_for),
        cmocka_unit_test(drops_come_at_their_times_and_lateness_does_not_add_up),
        cmocka_unit_test(no_drop_is_early),
        cmocka_unit_test(another_pace_holds_at_once_and_delays_nothing_more),
    };
    return cmocka_run_group_tests_name("pace", tests, NULL, NULL);
}
