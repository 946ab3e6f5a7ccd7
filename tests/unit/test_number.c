/* test_number.c - numbers as they are shown. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/number.h"

#include "harness/memcheck.h"

static void spans_are_milliseconds_with_three_decimals(void **state)
{
    static const struct {
        int64_t ns;
        const char *text;
    } rows[] = {
        { 0, "0.000" },
        { 999, "0.000" },
        { 1000, "0.001" },
        { 1500000, "1.500" },
        { 123456789012, "123456.789" },
        { -1000, "-0.001" },
        { -999, "0.000" },
        { INT64_MAX, "9223372036854.775" },
        { INT64_MIN, "-9223372036854.775" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[NUMBER_SIZE];
        assert_int_equal(number_ms(rows[i].ns, text), strlen(rows[i].text));
        assert_string_equal(text, rows[i].text);
    }
}

static void a_fraction_has_no_more_digits_than_it_needs(void **state)
{
    static const struct {
        double value;
        const char *text;
    } rows[] = {
        { 0, "0.0" },
        { 1, "1.0" },
        { 0.1, "0.1" },
        { 0.01, "0.01" },
        { 1e-6, "1e-06" },
        { 1e6, "1000000.0" },
        { -2.5, "-2.5" },
        { 2.0 / 3, "0.6666666666666666" },
        { 0.1 + 0.2, "0.30000000000000004" },
        { 123.456, "123.456" },
        { 9007199254740993.0, "9007199254740992.0" },
        { DBL_MAX, "1.7976931348623157e+308" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[NUMBER_SIZE];
        assert_int_equal(number_real(rows[i].value, text), strlen(rows[i].text));
        assert_string_equal(text, rows[i].text);
    }
}

static void any_fraction_reads_back_as_itself(void **state)
{
    uint64_t bits = 88172645463325252;
    for (unsigned i = 0; i < rounds_of(100000); i++) {
        char text[NUMBER_SIZE];
        double value;
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value))
            continue;
        assert_true(number_real(value, text) < sizeof text);
        assert_true(strtod(text, NULL) == value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans_are_milliseconds_with_three_decimals),
        cmocka_unit_test(a_fraction_has_no_more_digits_than_it_needs),
        cmocka_unit_test(any_fraction_reads_back_as_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
