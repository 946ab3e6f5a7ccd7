/* head_memory.h - what the header sections of open requests take, together.
 *
 * Each section has a limit of its own; LIMIT_HEADS_... (base/limits.h) are those of their sum. */
#pragma once

#include <stddef.h>

enum head_memory { HEAD_MEMORY_TAKEN, HEAD_MEMORY_CONNECTION_FULL, HEAD_MEMORY_SERVER_FULL };

/* Counts n more octets for a connection whose count is *own, or nothing when that is too much. */
enum head_memory head_memory_take(size_t *own, size_t n);

/* No more than were taken. */
void head_memory_give(size_t *own, size_t n);

/* Of all connections. */
size_t head_memory_total(void);
