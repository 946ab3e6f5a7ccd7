/* store.h - a bounded store of items of one size, each under a key, in the order in which they
 * came.
 *
 * All memory is taken at the start. Items stay where they are until they are dropped.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store {
    char *items;
    uint64_t *keys;
    uint32_t *buckets, *next; /* place + 1; 0 for the end */
    uint64_t *names;          /* NULL: it has none; 0: this item has none */
    uint32_t *name_buckets, *name_next;
    size_t item_size, max, bucket_count;
    uint64_t begin, end; /* those held have these serial numbers */
};

/* At most max items, at least 1. Returns 0 or -ENOMEM (finish is then allowed, and not needed). */
int store_init(struct store *s, size_t item_size, size_t max);
void store_finish(struct store *s);
/* Its items can have a name beside the key, which may be that of several. Behind store_init, which
 * see. */
int store_init_names(struct store *s);

size_t store_count(const struct store *s);
bool store_full(const struct store *s);
/* A new item, all zero. It must not be full, nor hold this key. */
void *store_add(struct store *s, uint64_t key);
/* Gives an item a name, which is not 0, instead of the one that it has. */
void store_name(struct store *s, const void *item, uint64_t name);
/* The newest of this name; NULL: none. */
void *store_named(const struct store *s, uint64_t name);
/* Takes out the oldest, of which there must be one. */
void store_drop(struct store *s);
void *store_find(const struct store *s, uint64_t key); /* NULL: none */
void *store_at(const struct store *s, size_t i);       /* from the oldest; NULL: beyond the last */
void *store_back(const struct store *s, size_t i);     /* from the newest */
