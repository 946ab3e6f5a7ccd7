/* environment.h - the environment of a program that is started: ours, and what is put into it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct environment {
    char **list; /* NAME=VALUE, ended by NULL */
    size_t count;
    bool failed; /* there was no memory for all of it */
};

/* Begins with a copy of ours. */
void environment_take(struct environment *e);
/* Sets NAME to a value, in place of what it was. */
void environment_set(struct environment *e, const char *name, const char *value);
/* Appends to the value behind a comma, or sets it. */
void environment_add(struct environment *e, const char *name, const char *value);
/* NULL: it has none of it. */
const char *environment_get(const struct environment *e, const char *name);
void environment_free(struct environment *e);
