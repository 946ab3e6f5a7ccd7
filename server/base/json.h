/* json.h - JSON values as text, with fractions as number.h writes them. */
#pragma once

#include <jansson.h>

#include "base/buf.h"

/* Appends the value in one line without blanks, members in their order. NULL is taken as a value
 * for which there was no memory. Returns 0 or -ENOMEM (out->failed is set). */
int json_write(struct buf *out, const json_t *value);
