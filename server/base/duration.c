#include "base/duration.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/refusal.h"

#define DECIMALS_MAX 9

static const struct {
    const char *name;
    int64_t ns;
} units[] = {
    { "h", INT64_C(3600000000000) }, { "m", INT64_C(60000000000) }, { "s", INT64_C(1000000000) },
    { "ms", INT64_C(1000000) },      { "us", INT64_C(1000) },
};
#define UNITS (sizeof units / sizeof units[0])

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_text(const char *text, size_t len, const char *expected)
{
    return len == strlen(expected) && memcmp(text, expected, len) == 0;
}

/* The length in ns of the unit so named, or 0. */
static int64_t unit_ns(const char *name, size_t len)
{
    for (size_t i = 0; i < UNITS; i++)
        if (is_text(name, len, units[i].name))
            return units[i].ns;
    return 0;
}

int duration_parse(const char *text, size_t len, int64_t *ns)
{
    if (is_text(text, len, "never")) {
        *ns = DURATION_NEVER;
        return 0;
    }
    if (is_text(text, len, "0")) {
        *ns = 0;
        return 0;
    }

    size_t at = 0;
    int64_t whole = 0;
    for (; at < len && is_digit(text[at]); at++) {
        whole = whole * 10 + (text[at] - '0');
        if (whole > DURATION_MAX)
            return BAD_INPUT;
    }
    if (at == 0)
        return BAD_INPUT;

    int64_t decimals = 0, one = 1; /* the part behind the point is decimals / one */
    if (at < len && text[at] == '.') {
        size_t first = ++at;
        for (; at < len && is_digit(text[at]) && at - first < DECIMALS_MAX; at++) {
            decimals = decimals * 10 + (text[at] - '0');
            one *= 10;
        }
        if (at == first)
            return BAD_INPUT;
    }

    int64_t unit = unit_ns(text + at, len - at);
    if (unit == 0 || whole > DURATION_MAX / unit)
        return BAD_INPUT;
    /* decimals * unit / one without overflow: a whole unit's quotient and remainder by one. */
    int64_t rest = decimals * (unit % one);
    int64_t part = decimals * (unit / one) + rest / one;
    if (rest % one != 0 || whole * unit > DURATION_MAX - part)
        return BAD_INPUT; /* finer than a nanosecond, or too long */
    *ns = whole * unit + part;
    return 0;
}

/* Writes ns in one unit, exactly. Returns the length, or 0 when it takes too many decimals. */
static size_t format_in(int64_t ns, size_t unit, char out[DURATION_TEXT_SIZE])
{
    char decimals[DECIMALS_MAX + 2] = ".";
    size_t n = 1;
    int64_t rest = ns % units[unit].ns;
    while (rest && n <= DECIMALS_MAX) {
        rest *= 10;
        decimals[n++] = (char)('0' + rest / units[unit].ns);
        rest %= units[unit].ns;
    }
    if (rest)
        return 0;
    decimals[n > 1 ? n : 0] = '\0';
    return (size_t)snprintf(out, DURATION_TEXT_SIZE, "%lld%s%s", (long long)(ns / units[unit].ns),
                            decimals, units[unit].name);
}

size_t duration_format(int64_t ns, char out[DURATION_TEXT_SIZE])
{
    assert(ns >= 0);
    if (ns == DURATION_NEVER || ns == 0)
        return (size_t)snprintf(out, DURATION_TEXT_SIZE, "%s", ns ? "never" : "0");

    size_t best = 0;
    for (size_t i = 0; i < UNITS; i++) {
        char text[DURATION_TEXT_SIZE];
        bool leading_zero = ns < units[i].ns && i + 1 < UNITS;
        size_t len = leading_zero ? 0 : format_in(ns, i, text);
        if (len && (best == 0 || len < best)) {
            memcpy(out, text, len + 1);
            best = len;
        }
    }
    return best;
}

int64_t duration_scale(int64_t ns, double scale)
{
    assert(ns >= 0 && scale >= 0);
    if (ns == DURATION_NEVER)
        return DURATION_NEVER;
    if (scale == 1.0) /* exact also beyond a double's 53 bits */
        return ns < DURATION_MAX ? ns : DURATION_MAX;
    double scaled = (double)ns * scale + 0.5;
    return scaled < (double)DURATION_MAX ? (int64_t)scaled : DURATION_MAX;
}
