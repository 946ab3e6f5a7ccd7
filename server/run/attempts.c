/* attempts.c - open chains in a hash table of fixed size.
 *
 * Everything is allocated once: chains lie in an array, collisions are linked by index. Each chain
 * in use is in exactly one bucket and in the ring by_use, least recently used first; the others are
 * in the ring spare, or were never touched (from index untouched on).
 */
#include "run/attempts.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/hash.h"
#include "base/list.h"

#define BUCKETS (2 * ATTEMPTS_MAX) /* a power of two */

struct chain {
    struct link link;
    uint64_t hash;
    uint32_t attempts;
    uint32_t next; /* in the bucket: index + 1, 0 for the end */
};

struct attempts {
    struct link by_use, spare;
    uint32_t untouched;
    uint32_t buckets[BUCKETS];
    struct chain chains[ATTEMPTS_MAX];
};

struct attempts *attempts_create(void)
{
    struct attempts *a = malloc(sizeof *a);
    if (a)
        attempts_clear(a);
    return a;
}

void attempts_destroy(struct attempts *a)
{
    free(a);
}

void attempts_clear(struct attempts *a)
{
    link_init(&a->by_use);
    link_init(&a->spare);
    a->untouched = 0;
    memset(a->buckets, 0, sizeof a->buckets);
}

/* What joins attempts, the strongest first. */
static const struct {
    const char *name;
    size_t len;
} keys[] = { { "idempotency-key", 15 }, { "x-request-id", 12 }, { "traceparent", 11 } };
#define KEYS (sizeof keys / sizeof *keys)

struct attempt_key attempts_key(const struct request *request, uint64_t digest)
{
    const struct header *found[KEYS] = { NULL }; /* of each the first */
    for (size_t k = 0; k < request->header_count; k++) {
        const struct header *h = &request->headers[k];
        for (size_t i = 0; i < KEYS; i++)
            if (h->name_len == keys[i].len && !found[i] &&
                strncasecmp(h->name, keys[i].name, keys[i].len) == 0)
                found[i] = h;
    }
    for (size_t i = 0; i < KEYS; i++)
        if (found[i] && found[i]->value_len > 0)
            return (struct attempt_key){
                .hash = hash_item(HASH_START + 1 + i, found[i]->value, found[i]->value_len),
                .key = found[i],
            };

    uint64_t hash = hash_item(HASH_START, request->method, strlen(request->method));
    hash = hash_item(hash, request->target, strlen(request->target));
    return (struct attempt_key){ .hash = hash_word(hash, digest) };
}

/* The index + 1 that leads to the chain of this hash, or to where its bucket ends. */
static uint32_t *find(struct attempts *a, uint64_t hash)
{
    uint32_t *at = &a->buckets[(hash ^ hash >> 32) % BUCKETS];
    while (*at && a->chains[*at - 1].hash != hash)
        at = &a->chains[*at - 1].next;
    return at;
}

static void forget(struct attempts *a, uint64_t hash)
{
    uint32_t *at = find(a, hash);
    if (!*at)
        return;
    struct chain *c = &a->chains[*at - 1];
    *at = c->next;
    link_remove(&c->link);
    link_append(&a->spare, &c->link);
}

/* A chain that is in no bucket and no ring. */
static struct chain *take_unused(struct attempts *a)
{
    if (link_empty(&a->spare) && a->untouched < ATTEMPTS_MAX) {
        struct chain *c = &a->chains[a->untouched++];
        link_init(&c->link);
        return c;
    }
    if (link_empty(&a->spare))
        forget(a, link_entry(a->by_use.next, struct chain, link)->hash);
    struct chain *c = link_entry(a->spare.next, struct chain, link);
    link_remove(&c->link);
    return c;
}

uint32_t attempts_begin(struct attempts *a, uint64_t hash)
{
    uint32_t *at = find(a, hash);
    struct chain *c;
    if (*at) {
        c = &a->chains[*at - 1];
        link_remove(&c->link);
    } else {
        c = take_unused(a); /* may have changed the bucket that at leads into */
        *c = (struct chain){ .hash = hash };
        *find(a, hash) = (uint32_t)(c - a->chains) + 1;
    }
    link_append(&a->by_use, &c->link);
    return ++c->attempts;
}

void attempts_answered(struct attempts *a, uint64_t hash)
{
    forget(a, hash);
}
