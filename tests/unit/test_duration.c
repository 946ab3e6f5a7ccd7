#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/refusal.h"

#include "harness/memcheck.h"

#define HOUR (3600 * NS_PER_S)

/* From a copy of exact size, so that a sanitizer sees a read beyond the end. */
static int parse(const char *text, size_t len, int64_t *ns)
{
    char *copy = malloc(len + 1);
    assert_non_null(copy);
    memcpy(copy + 1, text, len);
    int r = duration_parse(copy + 1, len, ns);
    free(copy);
    return r;
}

static void durations_are_read_exactly(void **state)
{
    static const struct {
        const char *text;
        int64_t ns;
    } table[] = {
        { "0", 0 },
        { "0s", 0 },
        { "0.000us", 0 },
        { "1us", 1000 },
        { "0.001us", 1 },
        { "250ms", 250 * NS_PER_MS },
        { "0.1s", 100 * NS_PER_MS },
        { "0.3s", 300 * NS_PER_MS },
        { "1.5s", 1500 * NS_PER_MS },
        { "3s", 3 * NS_PER_S },
        { "007s", 7 * NS_PER_S },
        { "0.000000001s", 1 },
        { "123456.987654321s", INT64_C(123456987654321) },
        { "1.100000000ms", 1100000 },
        { "5m", 300 * NS_PER_S },
        { "0.000000001m", 60 },
        { "2h", 2 * HOUR },
        { "0.999999999h", HOUR - 3600 },
        { "8784h", DURATION_MAX },
        { "31622400s", DURATION_MAX },
        { "31622400000000us", DURATION_MAX },
        { "8783.999999999h", DURATION_MAX - 3600 },
        { "never", DURATION_NEVER },
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        int64_t ns = -1;
        assert_int_equal(parse(table[i].text, strlen(table[i].text), &ns), 0);
        assert_true(ns == table[i].ns);
    }
}

static void what_is_no_duration_is_refused_and_sets_nothing(void **state)
{
    static const char *const table[] = {
        "",
        " ",
        "s",
        "ms",
        ".5s",
        "1.s",
        ".s",
        ".",
        "1",
        "00",
        "0.0",
        "-0",
        "-1s",
        "+1s",
        "1 s",
        " 1s",
        "1s ",
        "1S",
        "1Ms",
        "1d",
        "1ns",
        "1ss",
        "1m30s",
        "1e3s",
        "0x1s",
        "1,5s",
        "1.5.5s",
        "Never",
        "neverx",
        "neve",
        "inf",
        "nan",
        "1.0000000000s",
        "0.0001us",
        "0.0000001ms",
        "8785h",
        "8784.000000001h",
        "31622400.000000001s",
        "31622401s",
        "9223372036854775807s",
        "9223372036854775808us",
        "18446744073709551616us",
        "99999999999999999999999999999999999999h",
        "\xc2\xb5s",
        "1\xc2\xb5s",
        "1\nms",
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        int64_t ns = -7;
        if (parse(table[i], strlen(table[i]), &ns) != BAD_INPUT)
            fail_msg("\"%s\" was taken", table[i]);
        assert_true(ns == -7);
    }

    int64_t ns = -7;
    assert_int_equal(parse("1s\0", 3, &ns), BAD_INPUT);
    assert_int_equal(parse("1\0s", 3, &ns), BAD_INPUT);
    assert_int_equal(parse("1ms", 1, &ns), BAD_INPUT);
    assert_true(ns == -7);
    assert_int_equal(parse("1ms", 2, &ns), 0);
    assert_true(ns == 60 * NS_PER_S);
}

static void durations_are_written_short(void **state)
{
    static const struct {
        int64_t ns;
        const char *text;
    } table[] = {
        { 0, "0" },
        { 1, "0.001us" },
        { 500, "0.5us" },
        { 1000, "1us" },
        { 1500, "1.5us" },
        { NS_PER_MS, "1ms" },
        { 100 * NS_PER_MS, "100ms" },
        { 1500 * NS_PER_MS, "1.5s" },
        { 3 * NS_PER_S, "3s" },
        { 60 * NS_PER_S, "1m" },
        { 90 * NS_PER_S, "90s" },
        { 350 * NS_PER_S, "350s" },
        { 5400 * NS_PER_S, "90m" },
        { 2 * HOUR, "2h" },
        { NS_PER_S + 1, "1.000000001s" },
        { DURATION_MAX, "8784h" },
        { DURATION_NEVER, "never" },
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        char out[DURATION_TEXT_SIZE];
        assert_int_equal(duration_format(table[i].ns, out), strlen(table[i].text));
        assert_string_equal(out, table[i].text);
    }
}

static void what_is_written_reads_back_the_same(void **state)
{
    uint64_t random = 42;
    for (unsigned i = 0; i < rounds_of(200000); i++) {
        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        /* Of all magnitudes, and round ones too. */
        int64_t ns = (int64_t)((random >> 1) % DURATION_MAX) >> (random % 50);
        if (i % 3 == 0)
            ns -= ns % NS_PER_MS;
        char out[DURATION_TEXT_SIZE];
        size_t len = duration_format(ns, out);
        assert_int_equal(len, strlen(out));
        int64_t back = -1;
        assert_int_equal(duration_parse(out, len, &back), 0);
        assert_true(back == ns);
    }
}

static void scaling_multiplies_and_is_bounded(void **state)
{
    static const struct {
        int64_t ns;
        double scale;
        int64_t scaled;
    } table[] = {
        { 350 * NS_PER_S, 0.01, 3500 * NS_PER_MS },
        { 3 * NS_PER_S, 1.0, 3 * NS_PER_S },
        { DURATION_MAX - 1, 1.0, DURATION_MAX - 1 },
        { 3 * NS_PER_S, 2.5, 7500 * NS_PER_MS },
        { 3 * NS_PER_S, 0, 0 },
        { 1, 0.4, 0 },
        { 1, 0.6, 1 },
        { DURATION_MAX, 2.0, DURATION_MAX },
        { HOUR, 1e300, DURATION_MAX },
        { DURATION_NEVER, 0.01, DURATION_NEVER },
        { DURATION_NEVER, 0, DURATION_NEVER },
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        assert_true(duration_scale(table[i].ns, table[i].scale) == table[i].scaled);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_are_read_exactly),
        cmocka_unit_test(what_is_no_duration_is_refused_and_sets_nothing),
        cmocka_unit_test(durations_are_written_short),
        cmocka_unit_test(what_is_written_reads_back_the_same),
        cmocka_unit_test(scaling_multiplies_and_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
