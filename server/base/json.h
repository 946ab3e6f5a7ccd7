/* json.h - JSON texts read, with the place of an error, and JSON values written, with fractions as
 * number.h writes them. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

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

/* A member that an object may have, of a table that ends with a NULL name. */
struct json_member {
    const char *name;
    json_type
        type; /* JSON_STRING, _OBJECT, _ARRAY, _INTEGER, _TRUE: a boolean; _REAL: any number */
    bool required;
    bool nullable; /* null is a value, too */
    json_t **value;
};
/* Takes an object's members by a table: *value is borrowed, and NULL for one that is not there.
 * Members that the table has not are refused, with those that may have been meant; paths begin with
 * "$". Returns 0 or BAD_INPUT. */
int json_members(const json_t *object, const struct json_member *members, struct refusal *why);
