/* text.c - modes as text in a URL or an option: "NAME;k=v;k=v", percent-encoded. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/utf8.h"
#include "mode/language.h"

#define TEXT_MAX ((size_t)64 * 1024) /* more than the target of any request that is accepted */

/* Undoes the percent-encoding (RFC 3986 2.1) of text into out, which has room for len + 1, with a
 * NUL. False: it is broken, or what it encodes is no text (a NUL, not UTF-8). */
static bool decode(const char *text, size_t len, char *out)
{
    size_t n = 0;
    for (const char *at = text, *end = text + len; at < end;) {
        int c = hex_percent_next(&at, end, NULL);
        if (c <= 0)
            return false;
        out[n++] = (char)c;
    }
    out[n] = '\0';
    for (size_t i = 0, step; i < n; i += step)
        if ((step = utf8_sequence((const uint8_t *)out + i, n - i)) == 0)
            return false;
    return true;
}

#define ENCODED "UTF-8, with \"%\" and two hexadecimal digits for what a URL cannot have"

static int read_name(const char *text, size_t len, char name[MODE_NAME_SIZE], struct refusal *why)
{
    char copy[MODE_NAME_SIZE] = "";
    if (len < sizeof copy)
        memcpy(copy, text, len);
    if (!mode_name_ok(copy))
        return refuse(why, "mode", MODE_NAME_ALLOWED, "this cannot be a mode's name");
    memcpy(name, copy, sizeof copy);
    return 0;
}

static int read_param(const char *text, size_t len, json_t *params, struct refusal *why)
{
    char key[MODE_NAME_SIZE] = "", where[MODE_NAME_SIZE + 8];
    const char *equals = memchr(text, '=', len);
    if (!equals)
        return refuse(why, "mode", "NAME;k=v;k=v", "a parameter has no \"=\"");
    if ((size_t)(equals - text) < sizeof key)
        memcpy(key, text, (size_t)(equals - text));
    if (!mode_name_ok(key))
        return refuse(why, "mode", MODE_NAME_ALLOWED, "this cannot be a parameter's name");
    snprintf(where, sizeof where, "mode;%.63s", key);
    if (json_object_get(params, key))
        return refuse(why, where, "each parameter once", "it is there twice");
    json_t *value = json_stringn(equals + 1, (size_t)(text + len - equals - 1));
    return json_object_set_new(params, key, value) == 0 ? 0 : -ENOMEM;
}

/* decoded: "NAME;k=v;k=v". */
static int read_decoded(const char *decoded, char name[MODE_NAME_SIZE], json_t **params,
                        struct refusal *why)
{
    char found[MODE_NAME_SIZE];
    const char *end = decoded + strlen(decoded), *part = strchr(decoded, ';');
    int error = read_name(decoded, (size_t)((part ? part : end) - decoded), found, why);
    if (error)
        return error;
    json_t *values = json_object();
    if (!values)
        return -ENOMEM;
    while (part && !error) {
        const char *begin = part + 1;
        part = strchr(begin, ';');
        error = read_param(begin, (size_t)((part ? part : end) - begin), values, why);
    }
    if (error) {
        json_decref(values);
        return error;
    }
    memcpy(name, found, sizeof found);
    *params = values;
    return 0;
}

/* The encoding is undone before the text is taken apart: clients that build URLs encode ";" and
 * "=", and no value has a ";". */
int mode_parse_text(const char *text, size_t len, char name[MODE_NAME_SIZE], json_t **params,
                    struct refusal *why)
{
    if (len > TEXT_MAX)
        return refuse(why, "mode", "at most 65536 bytes", "it has %zu bytes", len);
    char *decoded = malloc(len + 1);
    if (!decoded)
        return -ENOMEM;
    int error = decode(text, len, decoded)
                    ? read_decoded(decoded, name, params, why)
                    : refuse(why, "mode", ENCODED, "its percent-encoding is broken");
    free(decoded);
    return error;
}
