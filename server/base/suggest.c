#include "base/suggest.h"

#include <stdint.h>
#include <string.h>

#define LENGTH_MAX 64 /* what is longer is compared so far */
#define NO_MATCH   SIZE_MAX
#define PART       LENGTH_MAX /* a part of a candidate is less like it than any mistyped whole */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* The least number of letters put in, left out, replaced or exchanged with their neighbour that
 * make one text of the other (optimal string alignment). Each row of the table needs the two before
 * it. */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t rows[3][LENGTH_MAX + 1];
    for (size_t j = 0; j <= b_len; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            char x = lower(a[i - 1]), y = lower(b[j - 1]);
            row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + (x != y));
            if (i > 1 && j > 1 && x == lower(b[j - 2]) && y == lower(a[i - 2]))
                row[j] = least(row[j], two_above[j - 2] + 1);
        }
    }
    return rows[a_len % 3][b_len];
}

/* How far a candidate is from the word; NO_MATCH: so far that it was not meant. */
static size_t cost(const char *word, const char *candidate)
{
    size_t len = strnlen(word, LENGTH_MAX), other = strnlen(candidate, LENGTH_MAX);
    size_t changes = distance(word, len, candidate, other);
    if (changes <= (len + 1) / 3)
        return changes;
    return len >= 3 && strcasestr(candidate, word) ? PART + changes : NO_MATCH;
}

void suggest_offer(struct suggestions *s, const char *candidate)
{
    size_t here = s->word ? cost(s->word, candidate) : NO_MATCH, i = s->count;
    if (here == NO_MATCH)
        return;
    while (i > 0 && s->costs[i - 1] > here)
        i--;
    if (i == SUGGEST_MAX)
        return;
    if (s->count < SUGGEST_MAX)
        s->count++;
    for (size_t k = s->count - 1; k > i; k--) {
        s->names[k] = s->names[k - 1];
        s->costs[k] = s->costs[k - 1];
    }
    s->names[i] = candidate;
    s->costs[i] = here;
}

size_t suggest(const char *word, const char *const *candidates, size_t count, const char **out,
               size_t max)
{
    struct suggestions s = { .word = word };
    for (size_t i = 0; i < count; i++)
        suggest_offer(&s, candidates[i]);
    size_t found = least(s.count, max);
    for (size_t i = 0; i < found; i++)
        out[i] = s.names[i];
    return found;
}
