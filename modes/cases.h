/* cases.h - cases from real reports: ready plans with what they are for, compiled into the binary
 * from cases/NN-name.json.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>

#include "modes/mode.h"

/* The members of a case, in the order they are shown; ends with NULL. */
extern const char *const cases_members[];

size_t cases_count(void);
/* The i-th of them, by number. New reference; NULL without memory. */
json_t *cases_at(size_t i);

/* The case of this name, a new reference in *out. Returns 0, MODE_UNKNOWN (where is "$.case",
 * allowed lists the names) or -ENOMEM. */
int cases_get(const char *name, json_t **out, struct refusal *why);
