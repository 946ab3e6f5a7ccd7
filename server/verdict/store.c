/* store.c - a ring of items, and a hash table of their keys. */
#include "verdict/store.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int store_init(struct store *s, size_t item_size, size_t max)
{
    assert(max > 0 && max < UINT32_MAX / 4);
    *s = (struct store){ .item_size = item_size, .max = max, .bucket_count = 1 };
    while (s->bucket_count < 2 * max)
        s->bucket_count *= 2;
    s->items = calloc(max, item_size);
    s->keys = calloc(max, sizeof *s->keys);
    s->next = calloc(max, sizeof *s->next);
    s->buckets = calloc(s->bucket_count, sizeof *s->buckets);
    if (s->items && s->keys && s->next && s->buckets)
        return 0;
    store_finish(s);
    return -ENOMEM;
}

int store_init_names(struct store *s)
{
    s->names = calloc(s->max, sizeof *s->names);
    s->name_next = calloc(s->max, sizeof *s->name_next);
    s->name_buckets = calloc(s->bucket_count, sizeof *s->name_buckets);
    if (s->names && s->name_next && s->name_buckets)
        return 0;
    store_finish(s);
    return -ENOMEM;
}

void store_finish(struct store *s)
{
    free(s->names);
    free(s->name_next);
    free(s->name_buckets);
    free(s->items);
    free(s->keys);
    free(s->next);
    free(s->buckets);
    *s = (struct store){ 0 };
}

size_t store_count(const struct store *s)
{
    return (size_t)(s->end - s->begin);
}

bool store_full(const struct store *s)
{
    return store_count(s) == s->max;
}

static size_t bucket_of(const struct store *s, uint64_t key)
{
    /* Keys are hashes, or numbers that rise: a multiplication spreads both (Fibonacci hashing). */
    uint64_t hash = key * UINT64_C(0x9e3779b97f4a7c15);
    return (hash >> 32) & (s->bucket_count - 1);
}

/* Where the place of this key is told, or where its bucket ends. */
static uint32_t *place_of(const struct store *s, uint64_t key)
{
    uint32_t *at = &s->buckets[bucket_of(s, key)];
    while (*at && s->keys[*at - 1] != key)
        at = &s->next[*at - 1];
    return at;
}

static void *item(const struct store *s, uint64_t serial)
{
    return s->items + serial % s->max * s->item_size;
}

void *store_add(struct store *s, uint64_t key)
{
    uint32_t *at = place_of(s, key);
    assert(!store_full(s) && !*at);
    size_t place = s->end % s->max;
    s->keys[place] = key;
    s->next[place] = 0;
    *at = (uint32_t)place + 1;
    return memset(item(s, s->end++), 0, s->item_size);
}

static void drop_name(struct store *s, size_t place)
{
    uint32_t *at = &s->name_buckets[bucket_of(s, s->names[place])];
    while (*at != place + 1)
        at = &s->name_next[*at - 1];
    *at = s->name_next[place];
    s->names[place] = 0;
}

void store_name(struct store *s, const void *named, uint64_t name)
{
    size_t place = (size_t)((const char *)named - s->items) / s->item_size;
    uint32_t *bucket = &s->name_buckets[bucket_of(s, name)];
    assert(name);
    if (s->names[place])
        drop_name(s, place);
    s->names[place] = name;
    s->name_next[place] = *bucket;
    *bucket = (uint32_t)place + 1;
}

void *store_named(const struct store *s, uint64_t name)
{
    uint32_t place = s->name_buckets[bucket_of(s, name)];
    while (place && s->names[place - 1] != name)
        place = s->name_next[place - 1];
    return place ? s->items + (place - 1) * s->item_size : NULL;
}

void store_drop(struct store *s)
{
    assert(s->begin < s->end);
    size_t place = s->begin++ % s->max;
    uint32_t *at = place_of(s, s->keys[place]);
    *at = s->next[place];
    if (s->names && s->names[place])
        drop_name(s, place);
}

void *store_find(const struct store *s, uint64_t key)
{
    uint32_t place = *place_of(s, key);
    return place ? s->items + (place - 1) * s->item_size : NULL;
}

void *store_at(const struct store *s, size_t i)
{
    return i < store_count(s) ? item(s, s->begin + i) : NULL;
}

void *store_back(const struct store *s, size_t i)
{
    return i < store_count(s) ? item(s, s->end - 1 - i) : NULL;
}
