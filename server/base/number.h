/* number.h - how spans of time and other fractions are written: the same in the ledger, the admin
 * API and the ready line. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define NUMBER_SIZE 32

/* Writes nanoseconds as milliseconds with three decimals, cut and not rounded ("1.500", "-0.001"),
 * and a NUL. Returns the length. */
size_t number_ms(int64_t ns, char out[NUMBER_SIZE]);

/* Writes a finite number with as few digits as read back as the same one, and with a point or an
 * exponent ("0.1", "1.0", "1e-06"), and a NUL. Returns the length. */
size_t number_real(double value, char out[NUMBER_SIZE]);
