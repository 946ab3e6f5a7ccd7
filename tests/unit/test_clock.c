#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"

static void the_clock_never_goes_back(void **state)
{
    int64_t before = clock_now();
    for (int i = 0; i < 1000; i++) {
        int64_t now = clock_now();
        assert_true(now >= before);
        before = now;
    }
}

static void now_is_counted_in_nanoseconds(void **state)
{
    int64_t before = clock_now();
    nanosleep(&(struct timespec){ .tv_nsec = 20 * NS_PER_MS }, NULL);
    int64_t slept = clock_now() - before;
    assert_in_range(slept, 20 * NS_PER_MS, 10 * NS_PER_S);
}

static void wall_time_is_the_real_time_clock_at_that_time(void **state)
{
    struct timespec t;
    int64_t now = clock_now();
    clock_gettime(CLOCK_REALTIME, &t);
    int64_t wall = t.tv_sec * NS_PER_S + t.tv_nsec;
    int64_t apart = clock_wall(now - 5 * NS_PER_S) + 5 * NS_PER_S - wall;
    assert_true(apart > -NS_PER_S && apart < NS_PER_S);
    assert_true(clock_wall(TIME_NONE) == TIME_NONE);
}

static const struct {
    int64_t wall;
    const char *rfc3339, *imf;
} dates[] = {
    { 0, "1970-01-01T00:00:00.000000Z", "Thu, 01 Jan 1970 00:00:00 GMT" },
    { INT64_C(784111777000000000), "1994-11-06T08:49:37.000000Z", "Sun, 06 Nov 1994 08:49:37 GMT" },
    { INT64_C(951782400123456789), "2000-02-29T00:00:00.123456Z", "Tue, 29 Feb 2000 00:00:00 GMT" },
    { INT64_C(1767323045999999999), "2026-01-02T03:04:05.999999Z",
      "Fri, 02 Jan 2026 03:04:05 GMT" },
    { INT64_C(4107542399000001000), "2100-02-28T23:59:59.000001Z",
      "Sun, 28 Feb 2100 23:59:59 GMT" },
    { -1, "1969-12-31T23:59:59.999999Z", "Wed, 31 Dec 1969 23:59:59 GMT" },
    { INT64_MIN, "1677-09-21T00:12:43.145224Z", "Tue, 21 Sep 1677 00:12:43 GMT" },
    { INT64_MAX, "2262-04-11T23:47:16.854775Z", "Fri, 11 Apr 2262 23:47:16 GMT" },
};

static void dates_are_written_as_rfc_3339_in_utc(void **state)
{
    for (size_t i = 0; i < sizeof dates / sizeof dates[0]; i++) {
        char out[CLOCK_RFC3339_SIZE];
        assert_int_equal(clock_rfc3339(dates[i].wall, out), CLOCK_RFC3339_SIZE - 1);
        assert_string_equal(out, dates[i].rfc3339);
    }
}

static void dates_are_written_as_imf_fixdate(void **state)
{
    for (size_t i = 0; i < sizeof dates / sizeof dates[0]; i++) {
        char out[CLOCK_IMF_SIZE];
        assert_int_equal(clock_imf(dates[i].wall, out), CLOCK_IMF_SIZE - 1);
        assert_string_equal(out, dates[i].imf);
    }
}

static void dates_are_read_as_they_are_written(void **state)
{
    static const char *const good[] = { "1970-01-01T00:00:00.000000Z",
                                        "2026-02-28T23:59:59.999999Z",
                                        "2024-02-29T12:34:56.789012Z",
                                        "2261-12-31T23:59:59.000001Z" };
    static const char *const bad[] = { "",
                                       "2026-02-29T00:00:00.000000Z",
                                       "2026-02-28T24:00:00.000000Z",
                                       "2026-02-28T23:59:60.000000Z",
                                       "2026-02-28T23:59:59.99999Z",
                                       "2026-02-28T23:59:59.999999",
                                       "2026-02-28T23:59:59.999999Z ",
                                       "2026-02-28 23:59:59.999999Z",
                                       "+026-02-28T23:59:59.999999Z",
                                       "2026-2-028T23:59:59.999999Z",
                                       "1969-12-31T23:59:59.999999Z",
                                       "9999-12-31T23:59:59.999999Z" };
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        char again[CLOCK_RFC3339_SIZE];
        int64_t wall;
        assert_true(clock_read_rfc3339(good[i], &wall));
        clock_rfc3339(wall, again);
        assert_string_equal(again, good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t wall = 7;
        if (clock_read_rfc3339(bad[i], &wall))
            fail_msg("%s is taken", bad[i]);
        assert_int_equal(wall, 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_clock_never_goes_back),
        cmocka_unit_test(now_is_counted_in_nanoseconds),
        cmocka_unit_test(wall_time_is_the_real_time_clock_at_that_time),
        cmocka_unit_test(dates_are_written_as_rfc_3339_in_utc),
        cmocka_unit_test(dates_are_written_as_imf_fixdate),
        cmocka_unit_test(dates_are_read_as_they_are_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
