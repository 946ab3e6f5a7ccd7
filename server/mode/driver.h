/* driver.h - what a test of a client says as data: the steps that its driver performs, and what is
 * expected of the client. Members of modes (expect), cases and the rows of suites (both).
 *
 * A driver is a program that makes the client do one thing after the other and says how each went
 * (docs/suites.md).
 */
#pragma once

#include <jansson.h>
#include <stddef.h>

#include "base/refusal.h"

enum driver_word {
    DRIVER_GET,        /* get, get*N: N at once */
    DRIVER_POST,       /* post: with content, without a key */
    DRIVER_POST_KEY,   /* post-key: with an Idempotency-Key, the same in all its attempts */
    DRIVER_PAUSE,      /* pause: waits until the idle fault is in effect */
    DRIVER_BACKGROUND, /* background, foreground: sets the mark and waits for its response */
    DRIVER_FOREGROUND,
    DRIVER_WORDS
};

struct driver_step {
    enum driver_word word;
    unsigned times; /* of get: how many at once; else 1 */
};

#define DRIVER_STEPS_MAX 64
#define DRIVER_TIMES_MAX 100
#define DRIVER_ALLOWED   "words out of get, get*N, post, post-key, pause, background, foreground"

const char *driver_word_name(enum driver_word word);

/* Reads steps, words separated by blanks, at least one of them a request. where: their place, for
 * the refusal, which has the word's number behind it. *out is set on success only. Returns how many
 * there are in *count, and 0 or BAD_INPUT. */
int driver_steps_read(const char *text, const char *where, struct driver_step out[DRIVER_STEPS_MAX],
                      size_t *count, struct refusal *why);

/* How many requests the steps are, each of which the driver has to account for. */
size_t driver_requests(const struct driver_step *steps, size_t count);

#define DRIVER_EXPECT_MAX 32
/* Checks the shape of a list of expectations: names, or {"name": {"parameter": value}} with one
 * member. Which names there are is the verdict's to say (verdict/expect.h). Returns 0 or BAD_INPUT.
 */
int driver_expect_check(const json_t *list, const char *where, struct refusal *why);
