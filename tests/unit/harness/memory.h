/* memory.h - memory that fails when a test wants it to.
 *
 * tests/unit/meson.build links every unit program so (ld's --wrap) that malloc, calloc, realloc,
 * strdup, strndup and free of the program and of the layers in it come here. Shared libraries are
 * not reached: they keep their own, except jansson after memory_for_jansson(true).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* The next n allocations succeed; all that follow fail. */
void memory_ends_after(long n);

/* The next n allocations succeed, one fails, and all that follow succeed. */
void memory_fails_once_after(long n);

/* Every malloc() of this size or more fails. */
void memory_lacks_blocks_of(size_t size);

/* From now on none fails. Returns how many have failed since one of the above was called. */
unsigned long memory_restore(void);

/* The blocks that were allocated and are not freed. */
long memory_blocks(void);

/* From now on, does jansson allocate here too? */
void memory_for_jansson(bool on);
