/* attempts.h - which attempt of the same request this is.
 *
 * Attempts are joined by the first of Idempotency-Key, X-Request-ID, traceparent that is present,
 * else by method, target and a digest of the body. A chain is the attempts in order, up to the
 * answered one; the next one with the same key begins another chain. Bounded: beyond ATTEMPTS_MAX
 * open chains the least recently used is forgotten.
 */
#pragma once

#include <stdint.h>

#include "engine/engine.h"

#define ATTEMPTS_MAX 4096

struct attempts;

struct attempt_key {
    uint64_t hash;
    const struct header *key; /* the header field; NULL: there is none */
};

struct attempts *attempts_create(void);
void attempts_destroy(struct attempts *a); /* NULL is fine */

/* The key of a request whose body hashed to digest (HASH_START for none). key points into request.
 */
struct attempt_key attempts_key(const struct request *request, uint64_t digest);

/* Counts an attempt and returns its number in its chain, from 1. */
uint32_t attempts_begin(struct attempts *a, uint64_t hash);
/* One of the chain's attempts was answered: the chain is over. */
void attempts_answered(struct attempts *a, uint64_t hash);
void attempts_clear(struct attempts *a);
