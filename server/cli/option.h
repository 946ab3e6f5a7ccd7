/* option.h - options of commands, a row each: how they are read, refused and listed. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/refusal.h"

#define OPTION_TEXTS_MAX 64

/* What a row's place is. */
enum option_kind {
    OPTION_TEXT,        /* const char *, not empty */
    OPTION_TEXTS,       /* struct option_texts: the option may be repeated */
    OPTION_FIELD_NAMES, /* the same, of names of header fields */
    OPTION_WORD,        /* const char *: one of value, parted by "|" */
    OPTION_SCALE,       /* double */
    OPTION_COUNT,       /* unsigned, from 1 */
    OPTION_NUMBER,      /* struct option_number */
    OPTION_SIZE,        /* size_t, bytes */
    OPTION_SPAN,        /* int64_t, ns, above 0 and finite */
    OPTION_LIMIT,       /* int64_t, ns; 0 is "never", too */
    OPTION_WAIT,        /* int64_t, ns; DURATION_NEVER is one */
    OPTION_FLAG,        /* bool */
};

struct option_row {
    const char *name, *value, *about; /* value: what help has behind the name; NULL of a flag */
    enum option_kind kind;
    size_t place; /* offsetof() in what is filled in */
};

struct option_texts {
    const char *list[OPTION_TEXTS_MAX];
    unsigned count;
};

struct option_number {
    bool given;
    uint64_t value;
};

struct option_table {
    const struct option_row *rows;
    size_t count;
    const char *help; /* where all are listed: "hangup help prove" */
};

/* Reads the option at argv[*at] into out, and moves *at behind it and its value. What is before it
 * was read by this table, too: an option that is no list is refused a second time. Texts point into
 * argv. Returns 0 or BAD_INPUT: also when it is none of them. */
int option_read(const struct option_table *table, int argc, char **argv, int *at, void *out,
                struct refusal *why);

/* Reads all of the arguments. One of them may be no option ("-" is none): it becomes *word; of a
 * second one, or word NULL, the refusal says what it would be ("NAME"). Returns the same. */
int option_read_all(const struct option_table *table, int argc, char **argv, void *out,
                    const char **word, const char *what, struct refusal *why);

/* One line an option. */
void option_help(const struct option_table *table, FILE *to);
