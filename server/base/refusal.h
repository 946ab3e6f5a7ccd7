/* refusal.h - why input from outside was not accepted.
 *
 * Functions of this project that can fail return int:
 *     0         done; outputs are assigned only now
 *     negative  our own trouble, -errno (-ENOMEM, -EMFILE ...); pass it up
 *     positive  documented with the function and to be handled by the caller. For input from
 *               outside it is BAD_INPUT, and a struct refusal says where, what and what is allowed.
 * Input from outside never meets an assert; a programmer's mistake does.
 */
#pragma once

#include "base/suggest.h"

#define BAD_INPUT 1

struct refusal {
    char where[160];   /* JSON path ("$.rules[0].after"), option ("--https"), file or URL part */
    char what[240];    /* what is wrong with it, one clause without a full stop */
    char allowed[480]; /* what would be right; may be empty */
    char meant[SUGGEST_MAX][64]; /* names that may have been meant, the likeliest first; an empty
                                    one ends them */
};

/* Fills *why (NULL is fine) and returns BAD_INPUT. Texts too long are cut. */
int refuse(struct refusal *why, const char *where, const char *allowed, const char *what, ...)
    __attribute__((format(printf, 4, 5)));

/* Puts in what was suggested for an unknown name. Returns BAD_INPUT; NULL is fine. */
int refuse_meant(struct refusal *why, const struct suggestions *s);

/* Says a refusal anew about another place, of which the one so far is a part: where becomes the
 * place, and what begins with prefix and a colon (NULL: stays). The texts may be those of *why.
 * Returns BAD_INPUT; NULL is fine. */
int refuse_in(struct refusal *why, const char *where, const char *prefix);
