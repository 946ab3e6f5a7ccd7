/* draw.h - chance that can be repeated: a number made of a seed and of what it is for. */
#pragma once

#include <stdint.h>

/* The finalizer of splitmix64: every bit of the input reaches every bit of the output. */
static inline uint64_t draw_mix(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* From 0 up to 1, the same for the same arguments. */
static inline double draw(uint64_t seed, const uint64_t *words, unsigned count)
{
    static const uint64_t golden = UINT64_C(0x9e3779b97f4a7c15); /* so that 0 is not mixed to 0 */
    uint64_t hash = draw_mix(seed + golden);
    for (unsigned i = 0; i < count; i++)
        hash = draw_mix((hash ^ words[i]) + golden);
    return (double)(hash >> 11) * 0x1p-53;
}
