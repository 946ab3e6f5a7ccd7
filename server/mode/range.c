/* range.c - which connections of a plan: numbers, ranges, and every so many-th of these. */
#include "mode/language.h"

/* A number from 1, at *p; moves *p behind it. 0: there is none. */
static uint32_t read_number(const char **p)
{
    uint64_t number = 0;
    while (**p >= '0' && **p <= '9' && number <= UINT32_MAX)
        number = number * 10 + (uint64_t)(*(*p)++ - '0');
    return number <= UINT32_MAX ? (uint32_t)number : 0;
}

bool mode_range_parse(const char *text, struct mode_range *out)
{
    struct mode_range range = { .every = 1 };
    range.first = range.last = read_number(&text);
    if (*text == '-') {
        text++;
        range.last = *text && *text != '/' ? read_number(&text) : UINT32_MAX;
        if (*text == '/') {
            text++;
            range.every = read_number(&text);
        }
    }
    if (*text || range.first < 1 || range.last < range.first || range.every < 1)
        return false;
    *out = range;
    return true;
}

bool mode_range_has(const struct mode_range *range, uint32_t number)
{
    return number >= range->first && number <= range->last &&
           (number - range->first) % range->every == 0;
}
