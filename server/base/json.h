/* json.h - JSON texts read, with the place of an error, and JSON values written, with fractions as
 * number.h writes them. */
#pragma once

#include <jansson.h>

#include "base/buf.h"
#include "base/refusal.h"

/* Reads the one JSON array or object that a text of len octets is (RFC 8259); no object may have a
 * member twice. place is where the text comes from (an option, a file, "body"): a refusal has it,
 * the line and the column in where. *out is the caller's, and is set on success only. Returns 0,
 * BAD_INPUT or -ENOMEM. */
int json_read(const char *text, size_t len, const char *place, json_t **out, struct refusal *why);

/* Appends the value in one line without blanks, members in their order. NULL is taken as a value
 * for which there was no memory. Returns 0 or -ENOMEM (out->failed is set). */
int json_write(struct buf *out, const json_t *value);
