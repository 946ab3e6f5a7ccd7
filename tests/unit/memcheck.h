/* memcheck.h - what a test does less of under valgrind (./dev valgrind), which is thirty times as
 * slow: the same paths, fewer times. */
#pragma once

#include <stdbool.h>
#include <stdlib.h>

static inline bool under_memcheck(void)
{
    return getenv("HANGUP_MEMCHECK") != NULL;
}

static inline unsigned rounds_of(unsigned rounds)
{
    return under_memcheck() ? rounds / 50 + 1 : rounds;
}
