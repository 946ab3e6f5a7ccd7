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

#define BAD_INPUT 1

struct refusal {
    char where[160];   /* JSON path ("$.rules[0].after"), option ("--https"), file or URL part */
    char what[240];    /* what is wrong with it, one clause without a full stop */
    char allowed[480]; /* what would be right; may be empty */
};

/* Fills *why (NULL is fine) and returns BAD_INPUT. Texts too long are cut. */
int refuse(struct refusal *why, const char *where, const char *allowed, const char *what, ...)
    __attribute__((format(printf, 4, 5)));
