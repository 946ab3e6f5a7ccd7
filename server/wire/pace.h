/* pace.h - when bytes may leave, and how many: arithmetic on times, without timers.
 *
 * A pace is either a rate (so many bytes a second) or drops (so many bytes at a time, with a time
 * between two). Both count from a fixed time, not from the last time something left, so that
 * neither rounding nor lateness of timers adds up. No byte leaves before its time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PACE_RATE_MAX  1000000000 /* bytes a second */
#define PACE_CHUNK_MAX 65536      /* bytes at a time */

/* Zeroed: there is no pace. */
struct pace {
    uint32_t rate;  /* bytes a second; 0: drops */
    uint32_t chunk; /* bytes in a drop; 0: no drops */
    int64_t every;  /* ns between two drops */
    int64_t since;  /* what is counted began then: its first byte, or drop, may leave */
    uint64_t sent;  /* bytes, or drops, since then */
    int64_t last;   /* when something last left; meaningless before anything has */
    bool used;      /* something has left */
};

/* Another pace from now on. What may leave next may leave no later than before. */
void pace_set_rate(struct pace *p, uint32_t rate, int64_t now);
/* chunk: at most PACE_CHUNK_MAX; 0: no pace. */
void pace_set_drops(struct pace *p, uint32_t chunk, int64_t every, int64_t now);

static inline bool pace_is_set(const struct pace *p)
{
    return p->rate || p->chunk;
}

/* Something waits to leave, where nothing has waited before. */
void pace_begin(struct pace *p, int64_t now);

/* When the next bytes may leave, of so many that wait (at least 1). */
int64_t pace_due(const struct pace *p, size_t waiting);
/* How many of them may leave now, in one piece; 0 before pace_due. */
size_t pace_room(const struct pace *p, size_t waiting, int64_t now);
/* So many have left: at most what pace_room said for this time. */
void pace_left(struct pace *p, size_t n, int64_t now);
