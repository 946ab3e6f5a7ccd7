/* hash.h - hashes of 64 bits, for tables and digests of what a tester's own client sent. */
#pragma once

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define HASH_START UINT64_C(0xcbf29ce484222325)

/* FNV-1a: the same, in however many parts the bytes come. */
static inline uint64_t hash_more(uint64_t hash, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ p[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static inline uint64_t hash_word(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 32;
}

/* The bytes are one thing of several, and its length counts: several times as fast. */
static inline uint64_t hash_item(uint64_t hash, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    uint64_t word = 0;
    uint32_t half = 0;
    hash = hash_word(hash, n);
    for (; n >= sizeof word; n -= sizeof word, p += sizeof word) {
        memcpy(&word, p, sizeof word);
        hash = hash_word(hash, le64toh(word));
    }
    word = 0;
    for (size_t i = n % sizeof half; i > 0; i--)
        word = word << 8 | p[(n & sizeof half) + i - 1];
    if (n & sizeof half) {
        memcpy(&half, p, sizeof half);
        word = word << 32 | le32toh(half);
    }
    return hash_word(hash, word);
}
