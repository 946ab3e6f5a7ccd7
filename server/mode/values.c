/* values.c - the types of arguments and parameters: what JSON each takes, and what it becomes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "base/hex.h"
#include "base/json.h"
#include "engine/h2_error.h"
#include "mode/language.h"

#define HEADERS_MAX 64

static int refuse_value(struct compiler *c, const struct path *at, const struct arg_row *arg,
                        const json_t *json)
{
    char shown[SHOWN_SIZE];
    const struct value_row *row = &value_rows[arg->type];
    return mode_refuse_at(c, at, row->about, "%s is not %s %s", mode_json_shown(json, shown),
                          strchr("aeiou", row->name[0]) ? "an" : "a", row->name);
}

static int read_bool(struct compiler *c, const struct path *at, const struct arg_row *arg,
                     const json_t *json, union mode_value *out)
{
    if (!json_is_boolean(json))
        return refuse_value(c, at, arg, json);
    out->number = json_is_true(json);
    return 0;
}

static int read_int(struct compiler *c, const struct path *at, const struct arg_row *arg,
                    const json_t *json, union mode_value *out)
{
    if (!json_is_integer(json))
        return refuse_value(c, at, arg, json);
    int64_t number = json_integer_value(json);
    if (number < arg->min || number > arg->max) {
        char allowed[80];
        snprintf(allowed, sizeof allowed, "an integer from %lld to %lld", (long long)arg->min,
                 (long long)arg->max);
        return mode_refuse_at(c, at, allowed, "%lld is out of range", (long long)number);
    }
    out->number = number;
    return 0;
}

static int read_duration(struct compiler *c, const struct path *at, const struct arg_row *arg,
                         const json_t *json, union mode_value *out)
{
    int64_t ns;
    if (!json_is_string(json) ||
        duration_parse(json_string_value(json), json_string_length(json), &ns) != 0)
        return refuse_value(c, at, arg, json);
    out->number = duration_scale(ns, c->scale);
    return 0;
}

static int read_choice(struct compiler *c, const struct path *at, const struct arg_row *arg,
                       const json_t *json, union mode_value *out)
{
    struct name_list allowed = { .meant.word = json_string_value(json) };
    for (int i = 0; arg->choices[i]; i++) {
        if (json_is_string(json) && strcmp(arg->choices[i], json_string_value(json)) == 0) {
            out->number = i;
            return 0;
        }
        mode_names_add(&allowed, arg->choices[i]);
    }
    char shown[SHOWN_SIZE];
    mode_refuse_at(c, at, allowed.text, "%s is none of the choices", mode_json_shown(json, shown));
    return refuse_meant(c->why, &allowed.meant);
}

static int read_text(struct compiler *c, const struct path *at, const struct arg_row *arg,
                     const json_t *json, union mode_value *out)
{
    if (!json_is_string(json) || json_string_length(json) > MODE_TEXT_MAX)
        return refuse_value(c, at, arg, json);
    out->text = program_text(c->program, json_string_value(json), json_string_length(json));
    return out->text ? 0 : -ENOMEM;
}

static int read_error_code(struct compiler *c, const struct path *at, const struct arg_row *arg,
                           const json_t *json, union mode_value *out)
{
    if (json_is_integer(json) && json_integer_value(json) >= 0 &&
        json_integer_value(json) <= UINT32_MAX) {
        out->number = json_integer_value(json);
        return 0;
    }
    uint32_t code;
    if (json_is_string(json) && h2_error_code(json_string_value(json), &code)) {
        out->number = code;
        return 0;
    }
    struct name_list allowed = { .meant.word = json_string_value(json) };
    for (code = 0; code < H2_ERROR_COUNT; code++)
        mode_names_add(&allowed, h2_error_name(code));
    mode_names_add(&allowed, "or a number from 0 to 4294967295");
    char shown[SHOWN_SIZE];
    mode_refuse_at(c, at, allowed.text, "%s is not an HTTP/2 error code",
                   mode_json_shown(json, shown));
    return refuse_meant(c->why, &allowed.meant);
}

/* "+2", "-2": a sign and up to nine digits. */
static bool is_offset(const char *text)
{
    size_t digits = text[0] == '+' || text[0] == '-' ? strspn(text + 1, "0123456789") : 0;
    return digits > 0 && digits < 10 && !text[1 + digits];
}

static int read_last_stream(struct compiler *c, const struct path *at, const struct arg_row *arg,
                            const json_t *json, union mode_value *out)
{
    struct goaway goaway = { 0 };
    const char *text = json_is_string(json) ? json_string_value(json) : "";
    if (json_is_integer(json) && json_integer_value(json) >= 0 &&
        json_integer_value(json) <= INT32_MAX) {
        goaway.last = GOAWAY_LAST_NUMBER;
        goaway.number = (int32_t)json_integer_value(json);
    } else if (strcmp(text, "seen") == 0) {
        goaway.last = GOAWAY_LAST_SEEN;
    } else if (strcmp(text, "answered") == 0) {
        goaway.last = GOAWAY_LAST_ANSWERED;
    } else if (strcmp(text, "none") == 0) {
        goaway.last = GOAWAY_LAST_NONE;
    } else if (is_offset(text)) {
        goaway.last = GOAWAY_LAST_OFFSET;
        goaway.number = (int32_t)strtol(text, NULL, 10);
    } else {
        return refuse_value(c, at, arg, json);
    }
    struct goaway *kept = program_alloc(c->program, sizeof *kept);
    if (!kept)
        return -ENOMEM;
    *kept = goaway;
    out->goaway = kept;
    return 0;
}

/* --- Headers and bodies of responses */

/* RFC 9110 5.5: no control characters, no white space at the ends. */
static bool is_field_value(const char *text)
{
    size_t len = strlen(text);
    if (len && (strchr(" \t", text[0]) || strchr(" \t", text[len - 1])))
        return false;
    for (const char *p = text; *p; p++)
        if (((unsigned char)*p < 0x20 && *p != '\t') || *p == 0x7f)
            return false;
    return true;
}

/* What the engine says about the message itself. */
static bool is_the_engines(const char *name)
{
    static const char *const names[] = { "content-length", "transfer-encoding", "date", "upgrade" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcasecmp(names[i], name) == 0)
            return true;
    return false;
}

static int check_header_name(struct compiler *c, const struct path *at, const char *name)
{
    if (!header_name_valid(name))
        return mode_refuse_at(c, at, "a token (RFC 9110 5.6.2)", "this is not a header's name");
    if (is_the_engines(name))
        return mode_refuse_at(c, at, "any but Content-Length, Transfer-Encoding, Date and Upgrade",
                              "this header is made from the response itself");
    return 0;
}

static int read_header_name(struct compiler *c, const struct path *at, const struct arg_row *arg,
                            const json_t *json, union mode_value *out)
{
    if (!json_is_string(json) || json_string_length(json) > MODE_TEXT_MAX)
        return refuse_value(c, at, arg, json);
    int error = check_header_name(c, at, json_string_value(json));
    return error ? error : read_text(c, at, arg, json, out);
}

static int read_header_value(struct compiler *c, const struct path *at, const struct arg_row *arg,
                             const json_t *json, union mode_value *out)
{
    if (!json_is_string(json) || !is_field_value(json_string_value(json)) ||
        json_string_length(json) > MODE_TEXT_MAX) {
        char shown[SHOWN_SIZE];
        return mode_refuse_at(c, at, value_rows[VALUE_HEADER_VALUE].about,
                              "%s is not a header's value", mode_json_shown(json, shown));
    }
    return read_text(c, at, arg, json, out);
}

static int read_header(struct compiler *c, const struct path *at, const char *name,
                       const json_t *json, struct header *out)
{
    union mode_value value;
    int error = check_header_name(c, at, name);
    if (!error)
        error = read_header_value(c, at, NULL, json, &value);
    if (error)
        return error;
    out->name_len = strlen(name);
    out->name = program_text(c->program, name, out->name_len);
    out->value_len = json_string_length(json);
    out->value = value.text;
    return out->name ? 0 : -ENOMEM;
}

/* A struct response with nothing but headers. */
static int read_headers(struct compiler *c, const struct path *at, const struct arg_row *arg,
                        const json_t *json, union mode_value *out)
{
    if (!json_is_object(json))
        return refuse_value(c, at, arg, json);
    if (json_object_size(json) > HEADERS_MAX)
        return mode_refuse_at(c, at, "at most 64 headers", "%zu headers", json_object_size(json));

    struct response *response = program_alloc(c->program, sizeof *response);
    struct header *headers =
        program_alloc(c->program, (json_object_size(json) + 1) * sizeof *headers);
    if (!response || !headers)
        return -ENOMEM;
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)json, name, value)
    {
        struct path here = PATH_KEY(at, name);
        int error = read_header(c, &here, name, value, &headers[response->header_count]);
        if (error)
            return error;
        response->header_count++;
    }
    response->headers = headers;
    out->response = response;
    return 0;
}

/* A struct response with nothing but a body, and the Content-Type that it has by itself. */
static int read_body(struct compiler *c, const struct path *at, const struct arg_row *arg,
                     const json_t *json, union mode_value *out)
{
    static const struct header plain = { "Content-Type", "text/plain; charset=utf-8", 12, 25 };
    static const struct header as_json = { "Content-Type", "application/json", 12, 16 };

    struct response *response = program_alloc(c->program, sizeof *response);
    if (!response)
        return -ENOMEM;
    out->response = response;
    if (json_is_string(json)) {
        response->headers = &plain;
        response->body_len = json_string_length(json);
        response->body = program_text(c->program, json_string_value(json), response->body_len);
    } else {
        struct buf text = { 0 };
        response->headers = &as_json;
        if (json_write(&text, json) == 0) {
            response->body_len = buf_len(&text);
            response->body =
                program_text(c->program, (const char *)buf_bytes(&text), response->body_len);
        }
        buf_free(&text);
    }
    response->header_count = 1;
    return response->body ? 0 : -ENOMEM;
}

/* --- Bytes */

static int refuse_hex(struct compiler *c, const struct path *at, const struct arg_row *arg,
                      const json_t *json)
{
    char allowed[96], shown[SHOWN_SIZE];
    if (arg->min == arg->max)
        snprintf(allowed, sizeof allowed, "%lld hexadecimal digits", 2 * (long long)arg->max);
    else
        snprintf(allowed, sizeof allowed, "hexadecimal digits, two a byte, at most %lld",
                 2 * (long long)arg->max);
    return mode_refuse_at(c, at, allowed, "%s is not that", mode_json_shown(json, shown));
}

static int read_hex(struct compiler *c, const struct path *at, const struct arg_row *arg,
                    const json_t *json, union mode_value *out)
{
    size_t len = json_string_length(json) / 2;
    const char *text = json_string_value(json);
    if (!text || json_string_length(json) % 2 || (int64_t)len < arg->min || (int64_t)len > arg->max)
        return refuse_hex(c, at, arg, json);
    struct mode_bytes *made = program_alloc(c->program, sizeof *made);
    uint8_t *bytes = program_alloc(c->program, len + 1);
    if (!made || !bytes)
        return -ENOMEM;
    if (!hex_read(text, len, bytes))
        return refuse_hex(c, at, arg, json);
    *made = (struct mode_bytes){ bytes, len };
    out->bytes = made;
    return 0;
}

const struct value_row value_rows[VALUE_TYPES] = {
    [VALUE_BOOL] = { "bool", "true or false", true, read_bool },
    [VALUE_INT] = { "int", "an integer", true, read_int },
    [VALUE_DURATION] = { "duration", DURATION_ALLOWED, true, read_duration },
    [VALUE_CHOICE] = { "choice", "one of the texts allowed", true, read_choice },
    [VALUE_TEXT] = { "text", "a text of at most 4096 bytes", true, read_text },
    [VALUE_ERROR_CODE] = { "error_code", "a name of RFC 9113 7, or a number from 0 to 4294967295",
                           true, read_error_code },
    [VALUE_LAST_STREAM] = { "last_stream",
                            "\"seen\", \"answered\", \"none\", a stream id from 0 to 2147483647, "
                            "or an offset from the newest stream as text (\"+2\", \"-2\")",
                            true, read_last_stream },
    [VALUE_HEADERS] = { "headers object", "an object of header names and their values as texts",
                        false, read_headers },
    [VALUE_HEADER_NAME] = { "header name", "a token (RFC 9110 5.6.2)", false, read_header_name },
    [VALUE_HEADER_VALUE] = { "header value",
                             "a text of at most 4096 bytes without control characters", false,
                             read_header_value },
    [VALUE_BODY] = { "body", "a text, or any JSON value", false, read_body },
    [VALUE_HEX] = { "hex", "hexadecimal digits, two a byte", false, read_hex },
};

int value_read(struct compiler *c, const struct path *at, const struct arg_row *arg,
               const json_t *json, union mode_value *out)
{
    return value_rows[arg->type].read(c, at, arg, json, out);
}

/* Of a text that it has no memory for jansson leaves octets out, and says nothing. */
json_t *value_fallback(const struct arg_row *arg)
{
    json_t *value = json_loads(arg->fallback, JSON_DECODE_ANY, NULL);
    if (json_dumpb(value, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY) == strlen(arg->fallback))
        return value;
    json_decref(value);
    return NULL;
}

json_t *value_from_text(enum value_type type, const char *text)
{
    if (type == VALUE_BOOL && strcmp(text, "true") == 0)
        return json_true();
    if (type == VALUE_BOOL && strcmp(text, "false") == 0)
        return json_false();
    bool is_number = text[0] != '+' && (text[0] != '-' || type == VALUE_INT); /* "-2": an offset */
    if (type == VALUE_INT ||
        ((type == VALUE_ERROR_CODE || type == VALUE_LAST_STREAM) && is_number)) {
        char *end;
        errno = 0;
        long long number = strtoll(text, &end, 10);
        if (end != text && !*end && !errno && strchr("-0123456789", text[0]))
            return json_integer(number);
    }
    return json_string(text);
}
