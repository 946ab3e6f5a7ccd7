/* head_memory.h - what the header sections of open requests take, together.
 *
 * A header section stays in memory until its exchange is over, which a mode, or a client that never
 * finishes its requests, can make long. Each section has a limit of its own; these are limits of
 * their sum: for a connection, and for the whole server, where those that hold little already get
 * more than the others, so that one greedy client does not lock out the rest. */
#pragma once

#include <stddef.h>

#define HEAD_MEMORY_CONNECTION ((size_t)2 * 1024 * 1024)
#define HEAD_MEMORY_SERVER     ((size_t)64 * 1024 * 1024) /* for who holds more than a */
#define HEAD_MEMORY_SMALL      ((size_t)64 * 1024)        /* small section or two; for others: */
#define HEAD_MEMORY_RESERVE    ((size_t)128 * 1024 * 1024)

enum head_memory { HEAD_MEMORY_TAKEN, HEAD_MEMORY_CONNECTION_FULL, HEAD_MEMORY_SERVER_FULL };

/* Counts n more octets for a connection whose count is *own, or nothing when that is too much. */
enum head_memory head_memory_take(size_t *own, size_t n);

/* No more than were taken. */
void head_memory_give(size_t *own, size_t n);

/* Of all connections. */
size_t head_memory_total(void);
