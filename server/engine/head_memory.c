/* head_memory.c - see head_memory.h. */
#include "engine/head_memory.h"

#include "base/limits.h"

static size_t total;

enum head_memory head_memory_take(size_t *own, size_t n)
{
    size_t most = *own > LIMIT_HEADS_SMALL ? LIMIT_HEADS_SERVER : LIMIT_HEADS_RESERVE;
    if (*own + n > LIMIT_HEADS_CONNECTION)
        return HEAD_MEMORY_CONNECTION_FULL;
    if (total + n > most)
        return HEAD_MEMORY_SERVER_FULL;
    *own += n;
    total += n;
    return HEAD_MEMORY_TAKEN;
}

void head_memory_give(size_t *own, size_t n)
{
    *own -= n;
    total -= n;
}

size_t head_memory_total(void)
{
    return total;
}
