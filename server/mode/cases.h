/* cases.h - cases from real reports: ready plans with what they are for, compiled into the binary
 * from modes/cases/NN-name.json.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>

#include "mode/mode.h"

/* The members of a case, in the order they are shown; ends with NULL. */
extern const char *const cases_members[];

size_t cases_count(void);
/* The i-th of them, by number. New reference; NULL without memory. */
json_t *cases_at(size_t i);

/* The case that a person means: by its name, its number ("1", "01"), or what only its name begins
 * with, the number aside or not ("01-answered", "answered"). Else as cases_get; allowed lists those
 * it could be when they are several. */
int cases_find(const char *word, json_t **out, struct refusal *why);

/* The case of this name, a new reference in *out. Returns 0, MODE_UNKNOWN (where is "$.case",
 * allowed lists the names) or -ENOMEM. */
int cases_get(const char *name, json_t **out, struct refusal *why);
