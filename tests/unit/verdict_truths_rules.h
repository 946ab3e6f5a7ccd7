/* verdict_truths_rules.h - all runs with a known truth, in the lists of their headers. */
#pragma once

#include "verdict_truths_joined.h"

#define LIST(name)                                                                                 \
    {                                                                                              \
        name, sizeof name / sizeof *name                                                           \
    }
static const struct {
    const struct truth *list;
    size_t count;
} truths[] = { LIST(cells),     LIST(of_calls),  LIST(of_answers), LIST(of_times),
               LIST(of_strays), LIST(of_unread), LIST(of_late),    LIST(of_joined) };
#undef LIST

#define TRUTH_LISTS (sizeof truths / sizeof *truths)

static inline size_t truth_count(void)
{
    size_t count = 0;
    for (size_t i = 0; i < TRUTH_LISTS; i++)
        count += truths[i].count;
    return count;
}

static inline const struct truth *truth_at(size_t i)
{
    size_t list = 0;
    while (i >= truths[list].count)
        i -= truths[list++].count;
    return &truths[list].list[i];
}
