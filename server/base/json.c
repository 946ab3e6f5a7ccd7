#include "base/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"

int json_read(const char *text, size_t len, const char *place, json_t **out, struct refusal *why)
{
    json_error_t error;
    char where[sizeof why->where];
    json_t *value = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
    if (value) {
        *out = value;
        return 0;
    }
    /* Without memory jansson says so, or nothing at all; of a string, that it is no token. */
    if (!error.text[0] || json_error_code(&error) == json_error_out_of_memory)
        return -ENOMEM;
    snprintf(where, sizeof where, "%.100s, line %d, column %d", place, error.line, error.column);
    return refuse(why, where, "JSON (RFC 8259), each member once", "%s", error.text);
}

static void write_value(struct buf *out, const json_t *value);

static void write_array(struct buf *out, const json_t *array)
{
    size_t i;
    json_t *item;
    buf_text(out, "[");
    json_array_foreach(array, i, item)
    {
        if (i)
            buf_text(out, ",");
        write_value(out, item);
    }
    buf_text(out, "]");
}

static void write_object(struct buf *out, const json_t *object)
{
    const char *key, *comma = "";
    json_t *value;
    buf_text(out, "{");
    json_object_foreach((json_t *)object, key, value)
    {
        buf_text(out, comma);
        buf_json(out, key, strlen(key));
        buf_text(out, ":");
        write_value(out, value);
        comma = ",";
    }
    buf_text(out, "}");
}

static void write_value(struct buf *out, const json_t *value)
{
    char number[NUMBER_SIZE];
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        write_object(out, value);
        break;
    case JSON_ARRAY:
        write_array(out, value);
        break;
    case JSON_STRING:
        buf_json(out, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
        buf_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        break;
    case JSON_REAL:
        buf_add(out, number, number_real(json_real_value(value), number));
        break;
    case JSON_TRUE:
        buf_text(out, "true");
        break;
    case JSON_FALSE:
        buf_text(out, "false");
        break;
    case JSON_NULL:
        buf_text(out, "null");
        break;
    }
}

int json_write(struct buf *out, const json_t *value)
{
    if (value)
        write_value(out, value);
    else
        out->failed = true;
    return out->failed ? -ENOMEM : 0;
}
