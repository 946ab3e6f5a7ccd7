/* duration.h - spans of time as people write them: "250ms", "3s", "1.5s", "5m", "2h", "never". */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define DURATION_NEVER   INT64_MAX
#define DURATION_MAX     (INT64_C(366) * 24 * 3600 * 1000000000) /* longest finite one: 366 days */
#define DURATION_ALLOWED "a duration such as \"250ms\", \"3s\", \"5m\", \"2h\" or \"never\""

/* Reads a whole text as a duration: a decimal number and a unit out of us, ms, s, m, h ("0" needs
 * no unit), or "never". *ns is set on success only. Returns 0 or BAD_INPUT. */
int duration_parse(const char *text, size_t len, int64_t *ns);

/* Writes the shortest exact text that does not begin with "0." if there is one ("1.5s", "100ms",
 * "0", "never") with a NUL and returns its length. ns >= 0. */
#define DURATION_TEXT_SIZE 32
size_t duration_format(int64_t ns, char out[DURATION_TEXT_SIZE]);

/* Multiplies by a run's time_scale. "never" stays never; the result is at most DURATION_MAX.
 * ns >= 0, scale >= 0. */
int64_t duration_scale(int64_t ns, double scale);
