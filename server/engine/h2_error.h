/* h2_error.h - the error codes of HTTP/2 by name (RFC 9113 7). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define H2_ERROR_COUNT 14 /* the registered codes are 0 to 13 */

/* "NO_ERROR", "PROTOCOL_ERROR" ...; a code without a name as "0x1f", in memory that the next call
 * reuses. */
const char *h2_error_name(uint32_t code);

/* The reverse, for a registered name. */
bool h2_error_code(const char *name, uint32_t *code);
