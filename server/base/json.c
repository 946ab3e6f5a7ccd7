#include "base/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"

int json_read(const char *text, size_t len, const char *place, json_t **out, struct refusal *why)
{
    json_error_t error;
    char where[sizeof((struct refusal){ 0 }).where];
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

/* --- Members */

static const char *type_name(json_type type)
{
    switch (type) {
    case JSON_STRING:
        return "a string";
    case JSON_OBJECT:
        return "an object";
    case JSON_INTEGER:
        return "a whole number";
    case JSON_REAL:
        return "a number";
    case JSON_TRUE:
        return "true, false";
    default:
        return "an array";
    }
}

static bool fits_type(const json_t *value, json_type type)
{
    return json_typeof(value) == type || (type == JSON_REAL && json_is_integer(value)) ||
           (type == JSON_TRUE && json_is_false(value));
}

static void list_members(const struct json_member *members, char *out, size_t size)
{
    size_t n = 0;
    out[0] = '\0';
    for (const struct json_member *m = members; m->name && n < size; m++)
        n += (size_t)snprintf(out + n, size - n, "%s%s", n ? ", " : "", m->name);
}

static int refuse_member(struct refusal *why, const char *name, const char *allowed,
                         const char *what)
{
    char where[sizeof((struct refusal){ 0 }).where];
    snprintf(where, sizeof where, "$.%.128s", name);
    return refuse(why, where, allowed, "%s", what);
}

/* With those that it may have been meant for. */
static int refuse_unknown(struct refusal *why, const char *name, const char *allowed,
                          const struct json_member *members)
{
    struct suggestions meant = { .word = name };
    refuse_member(why, name, allowed, "is not known");
    for (; members->name; members++)
        suggest_offer(&meant, members->name);
    return refuse_meant(why, &meant);
}

int json_members(const json_t *object, const struct json_member *members, struct refusal *why)
{
    const char *key;
    json_t *value;
    char names[sizeof why->allowed];
    list_members(members, names, sizeof names);
    if (!json_is_object(object))
        return refuse(why, "$", names, "is not an object");
    json_object_foreach((json_t *)object, key, value)
    {
        const struct json_member *m = members;
        while (m->name && strcmp(m->name, key) != 0)
            m++;
        if (!m->name)
            return refuse_unknown(why, key, names, members);
        if (!fits_type(value, m->type) && !(m->nullable && json_is_null(value)))
            return refuse_member(why, key, type_name(m->type), "is of another type");
    }
    for (const struct json_member *m = members; m->name; m++) {
        *m->value = json_object_get(object, m->name);
        if (m->required && !*m->value)
            return refuse_member(why, m->name, type_name(m->type), "is missing");
    }
    return 0;
}
