/* expected.h - what is expected of a run's client, and by whom. */
#pragma once

#include <jansson.h>

#include "mode/catalogue.h"
#include "mode/exercise.h"
#include "trial/setting.h"

#define EXPECTED_ORIGIN_SIZE 160

struct expected_of {
    json_t *list;                      /* as expect_read takes it; NULL: nothing is set yet */
    char origin[EXPECTED_ORIGIN_SIZE]; /* "run", "case NAME", "mode NAME", "default" */
    bool by_user;                      /* "run" */
};

/* What the user gave: checked against what the plan can make a client meet. Returns 0, BAD_INPUT
 * (places begin with "$.expect") or -ENOMEM. */
int expected_given(const json_t *list, const struct exercise *can, struct expected_of *out,
                   struct refusal *why);
/* What a user gave before, with another plan: whether it may still be judged, as this one lets a
 * later connection answer, or strikes nothing. Returns 0, BAD_INPUT or -ENOMEM. */
int expected_stays(const struct expected_of *given, const struct exercise *can,
                   struct refusal *why);
/* What the case or the mode expects by itself; else what a user feels, as far as the plan lets him.
 * Returns 0 or -ENOMEM. */
int expected_own(const struct catalogue *c, const struct setting *s, const struct exercise *can,
                 struct expected_of *out);
/* Whether it is what a verdict judges by of which nothing is said: all that a user feels. */
bool expected_is_usual(const struct expected_of *e);
/* Another reference. */
struct expected_of expected_ref(const struct expected_of *e);
void expected_free(struct expected_of *e);
