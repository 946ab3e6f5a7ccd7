/* memcheck.h - what a test does otherwise under valgrind (./dev valgrind), which is thirty times as
 * slow, and under sanitizers: the same paths, fewer times, and with more time for each. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/clock.h"

static inline bool under_memcheck(void)
{
    return getenv("HANGUP_MEMCHECK") != NULL;
}

/* Of a long table that is gone through for its results, memory is looked at in one row of so many.
 */
static inline unsigned rows_between(unsigned under_valgrind, unsigned sanitized)
{
#ifdef __SANITIZE_ADDRESS__
    return sanitized;
#else
    return under_memcheck() ? under_valgrind : 1;
#endif
}

/* A millisecond, in ns, of a test that waits in real time. Under valgrind all that such a test does
 * and waits for takes longer by one factor. */
#define REAL_MS (under_memcheck() ? 4 * NS_PER_MS : NS_PER_MS)

/* Which allocation fails next, after the n-th. */
static inline long next_failing(long n)
{
    return n + 1 + n / (under_memcheck() ? 4 : 64);
}

/* The same where there are thousands of one kind. */
static inline long next_failing_of_many(long n)
{
    return n + (under_memcheck() ? 13 : 1);
}

static inline unsigned rounds_of(unsigned rounds)
{
    return under_memcheck() ? rounds / 50 + 1 : rounds;
}
