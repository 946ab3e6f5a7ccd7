/* suggest.h - which of the known names a mistyped one may have meant. */
#pragma once

#include <stddef.h>

#define SUGGEST_MAX 3

/* The likeliest candidates so far, the best first. Begins as { .word = the mistyped name }; names
 * point to the candidates offered. Without a word nothing is kept. */
struct suggestions {
    const char *word;
    const char *names[SUGGEST_MAX];
    size_t costs[SUGGEST_MAX];
    size_t count;
};

/* Keeps the candidate if it may have been meant: when few letters were put in, left out, replaced
 * or exchanged with their neighbour (one in three, the case aside), or when the word, of three
 * letters or more, is a part of it. Among equals the first one offered is the best. */
void suggest_offer(struct suggestions *s, const char *candidate);

/* The same for a list: the likeliest, the best first, in out, which has room for max (of which
 * SUGGEST_MAX are used). Returns how many. */
size_t suggest(const char *word, const char *const *candidates, size_t count, const char **out,
               size_t max);
