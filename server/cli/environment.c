#include "cli/environment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void append(struct environment *e, char *entry)
{
    char **list = entry ? realloc(e->list, (e->count + 2) * sizeof *list) : NULL;
    if (!list) {
        free(entry);
        e->failed = true;
        return;
    }
    e->list = list;
    e->list[e->count++] = entry;
    e->list[e->count] = NULL;
}

/* "name=a,b", or without b "name=a". NULL without memory. */
static char *entry_of(const char *name, const char *a, const char *b)
{
    size_t size = strlen(name) + strlen(a) + (b ? strlen(b) : 0) + 3;
    char *entry = malloc(size);
    if (entry)
        snprintf(entry, size, "%s=%s%s%s", name, a, b ? "," : "", b ? b : "");
    return entry;
}

void environment_take(struct environment *e)
{
    *e = (struct environment){ .list = NULL };
    for (char **entry = environ; entry && *entry; entry++)
        append(e, strdup(*entry));
}

/* Its place; e->count: there is none. */
static size_t find(const struct environment *e, const char *name)
{
    size_t len = strlen(name), i = 0;
    while (i < e->count && (strncmp(e->list[i], name, len) != 0 || e->list[i][len] != '='))
        i++;
    return i;
}

const char *environment_get(const struct environment *e, const char *name)
{
    size_t i = find(e, name);
    return i < e->count ? e->list[i] + strlen(name) + 1 : NULL;
}

static void put(struct environment *e, const char *name, char *entry)
{
    size_t i = find(e, name);
    if (i == e->count || !entry) {
        append(e, entry);
        return;
    }
    free(e->list[i]);
    e->list[i] = entry;
}

void environment_set(struct environment *e, const char *name, const char *value)
{
    put(e, name, entry_of(name, value, NULL));
}

void environment_add(struct environment *e, const char *name, const char *value)
{
    const char *old = environment_get(e, name);
    put(e, name, old && *old ? entry_of(name, old, value) : entry_of(name, value, NULL));
}

void environment_free(struct environment *e)
{
    for (size_t i = 0; i < e->count; i++)
        free(e->list[i]);
    free(e->list);
    *e = (struct environment){ .list = NULL };
}
