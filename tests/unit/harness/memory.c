#include "memory.h"

#include <jansson.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t n);
void *__wrap_realloc(void *old, size_t n);
char *__real_strdup(const char *s);
char *__wrap_strdup(const char *s);
char *__real_strndup(const char *s, size_t n);
char *__wrap_strndup(const char *s, size_t n);
void __real_free(void *p);
void __wrap_free(void *p);

static bool limited;            /* only so many allocations succeed */
static long left;               /* of them */
static long failing;            /* how many fail then */
static size_t lacks = SIZE_MAX; /* blocks of this size and more */
static unsigned long failed;
static long blocks;

static bool fails(void)
{
    if (!limited || left-- > 0)
        return false;
    left = 0;
    if (failing == 0)
        return false;
    if (failing != LONG_MAX)
        failing--;
    failed++;
    return true;
}

static void *counted(void *block)
{
    blocks += block != NULL;
    return block;
}

void *__wrap_malloc(size_t n)
{
    if (n >= lacks) {
        failed++;
        return NULL;
    }
    return fails() ? NULL : counted(__real_malloc(n));
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : counted(__real_calloc(count, size));
}

void *__wrap_realloc(void *old, size_t n)
{
    void *block = fails() ? NULL : __real_realloc(old, n);
    if (!old)
        counted(block);
    return block;
}

char *__wrap_strdup(const char *s)
{
    return fails() ? NULL : counted(__real_strdup(s));
}

char *__wrap_strndup(const char *s, size_t n)
{
    return fails() ? NULL : counted(__real_strndup(s, n));
}

void __wrap_free(void *p)
{
    blocks -= p != NULL;
    __real_free(p);
}

static void limit(long successes, long failures)
{
    memory_restore();
    limited = true;
    left = successes;
    failing = failures;
}

void memory_ends_after(long n)
{
    limit(n, LONG_MAX);
}

void memory_fails_once_after(long n)
{
    limit(n, 1);
}

void memory_lacks_blocks_of(size_t size)
{
    memory_restore();
    lacks = size;
}

unsigned long memory_restore(void)
{
    unsigned long count = failed;
    limited = false;
    lacks = SIZE_MAX;
    failed = 0;
    return count;
}

long memory_blocks(void)
{
    return blocks;
}

void memory_for_jansson(bool on)
{
    if (on)
        json_set_alloc_funcs(__wrap_malloc, __wrap_free);
    else
        json_set_alloc_funcs(__real_malloc, __real_free);
}
