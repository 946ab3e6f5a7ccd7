/* expect.h - what is expected of a client: a list of checks and mitigations with parameters.
 *
 * As JSON, a list of "NAME" or { "NAME": { "PARAMETER": VALUE } }; as text, 'NAME;PARAMETER=VALUE'.
 * Durations are texts ("3s"), counts are numbers.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/refusal.h"
#include "verdict/rows.h"

struct expect; /* immutable */

#define EXPECT_MAX 32 /* expectations in a list */

/* What a run is judged by when nothing is expected: what its user feels. */
#define EXPECT_DEFAULT_COUNT 4
extern const char *const expect_default[EXPECT_DEFAULT_COUNT];

/* Reads a list. *out is the caller's, and set on success only. Returns 0, -ENOMEM, or BAD_INPUT
 * with the place in why->where: "$.expect[0]..." of JSON, the expectation's own text of texts. An
 * empty list is refused. */
int expect_read(const json_t *list, struct expect **out, struct refusal *why);
int expect_read_text(const char *const *texts, size_t count, struct expect **out,
                     struct refusal *why);

/* The list as expect_read takes it; a new reference, NULL without memory. */
json_t *expect_json(const struct expect *e);
void expect_free(struct expect *e);

/* A row for every check and mitigation: { "name", "kind": "check|mitigation", "about", "asks",
 * "params": [{ "name", "type": "duration|count|text|word", "default"?, "words"?, "about" }] }, of
 * a check also "outcomes": { "pass", "fail", "n/a"? }, of a mitigation "checks": [{ "check",
 * "params": {} }]. A new reference, NULL without memory. */
json_t *expect_list(void);

/* --- For the checks: mitigations taken apart */

struct expected {
    enum check check;
    const struct mitigation_row *of; /* NULL: the check itself was listed */
    size_t index;                    /* of the expectation in its list */
    int64_t number[PARAMS_MAX];      /* by the place in its row; PARAM_UNSET */
    char text[PARAMS_MAX][PARAM_TEXT_MAX + 1];
    char method[32], path[PARAM_TEXT_MAX + 1]; /* of "for"; empty: any, as are both without it */
};
#define PARAM_UNSET (-1)

size_t expect_count(const struct expect *e);
const struct expected *expect_at(const struct expect *e, size_t i);
/* How many expectations its list has, and one of them as it was written: the check or mitigation,
 * and its parameters, { } without any (new reference). */
size_t expect_listed(const struct expect *e);
const char *expect_name(const struct expect *e, size_t index);
json_t *expect_params(const struct expect *e, size_t index);
/* ns: for how long behind a fault the client's next steps may matter to one of them, by its within
 * or max; 0: to none. */
int64_t expect_window(const struct expect *e);
/* The parameters of one check, with its defaults: new reference, NULL without memory. */
json_t *expected_params(const struct expected *one);
/* Whether a call of this method and path (of FOR_PATH_MAX octets at most) is one that it is about,
 * however the path is spelled. */
#define FOR_PATH_MAX 200
bool expected_for(const struct expected *one, const char *method, const char *path);
