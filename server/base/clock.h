/* clock.h - time. Every time and span inside the server is an int64_t of nanoseconds. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NS_PER_US INT64_C(1000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S  INT64_C(1000000000)
#define TIME_NONE INT64_MAX /* a time that never comes */

/* What can wait does not keep the loop for longer than about this at a time: it is how late a fault
 * may be because of it. */
#define CLOCK_SLICE (250 * NS_PER_US)

/* CLOCK_MONOTONIC now. */
int64_t clock_now(void);

/* How long the machine has been asleep since it was booted, to a millisecond: CLOCK_MONOTONIC
 * stands still then. */
int64_t clock_slept(void);

/* CLOCK_REALTIME at the given monotonic time, by the offset between the two now. */
int64_t clock_wall(int64_t monotonic);

/* Writes the wall time as RFC 3339 UTC with microseconds ("2026-01-02T03:04:05.123456Z") and a NUL.
 * Returns the length, 27. */
#define CLOCK_RFC3339_SIZE 28
size_t clock_rfc3339(int64_t wall, char out[CLOCK_RFC3339_SIZE]);

/* Reads what clock_rfc3339 writes. False: it is something else, or no date. */
bool clock_read_rfc3339(const char *text, int64_t *wall);

/* Writes an IMF-fixdate (RFC 9110 5.6.7, "Sun, 06 Nov 1994 08:49:37 GMT") and a NUL. Returns 29. */
#define CLOCK_IMF_SIZE 30
size_t clock_imf(int64_t wall, char out[CLOCK_IMF_SIZE]);
