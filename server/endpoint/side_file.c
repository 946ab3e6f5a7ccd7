/* side_file.c - what NAME.meta.json says about NAME, and what is true without one. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/json.h"
#include "endpoint/stubs.h"

#define KEYS          "status, headers, methods"
#define ALLOW_DEFAULT "GET, HEAD, OPTIONS"

static const struct {
    const char *extension, *type;
} types[] = {
    { "aac", "audio/aac" },
    { "css", "text/css; charset=utf-8" },
    { "csv", "text/csv; charset=utf-8" },
    { "gif", "image/gif" },
    { "htm", "text/html; charset=utf-8" },
    { "html", "text/html; charset=utf-8" },
    { "ico", "image/x-icon" },
    { "jpeg", "image/jpeg" },
    { "jpg", "image/jpeg" },
    { "js", "text/javascript; charset=utf-8" },
    { "json", "application/json" },
    { "m3u8", "application/vnd.apple.mpegurl" },
    { "m4a", "audio/mp4" },
    { "m4s", "video/iso.segment" },
    { "md", "text/markdown; charset=utf-8" },
    { "mp3", "audio/mpeg" },
    { "mp4", "video/mp4" },
    { "mpd", "application/dash+xml" },
    { "pdf", "application/pdf" },
    { "plist", "application/x-plist" },
    { "png", "image/png" },
    { "svg", "image/svg+xml" },
    { "ts", "video/mp2t" },
    { "txt", "text/plain; charset=utf-8" },
    { "vtt", "text/vtt; charset=utf-8" },
    { "webp", "image/webp" },
    { "woff2", "font/woff2" },
    { "xml", "application/xml" },
};

/* Header fields that are the server's own business: framing, and the connection. */
static const char *const reserved[] = {
    "connection", "content-length", "date",    "keep-alive",        "proxy-connection",
    "te",         "trailer",        "upgrade", "transfer-encoding",
};

struct place {
    const char *path; /* of the side file */
    struct refusal *why;
};

static int refused(const struct place *place, const char *json_path, const char *allowed,
                   const char *what)
{
    char where[sizeof place->why->where];
    snprintf(where, sizeof where, "%s: %s", place->path, json_path);
    return refuse(place->why, where, allowed, "%s", what);
}

/* The extension decides; a name without one is JSON when it looks like it, since that is what an
 * app's calls answer with. */
static const char *type_of(const char *name, const char *body)
{
    const char *dot = strrchr(name, '.');
    if (dot && dot != name) {
        for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
            if (strcasecmp(types[i].extension, dot + 1) == 0)
                return types[i].type;
        }
    } else {
        body += strspn(body, " \t\r\n");
        if (*body == '{' || *body == '[')
            return "application/json";
    }
    return "application/octet-stream";
}

/* RFC 9110 5.6.2 */
static bool is_token(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!isalnum((unsigned char)text[i]) && !memchr("!#$%&'*+-.^_`|~", text[i], 15))
            return false;
    }
    return len > 0;
}

static bool is_field_value(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return !len || (!isspace((unsigned char)text[0]) && !isspace((unsigned char)text[len - 1]));
}

static struct header *find_header(const struct stub *stub, const char *name, size_t len)
{
    for (size_t i = 0; i < stub->header_count; i++) {
        struct header *h = &stub->headers[i];
        if (h->name_len == len && strncasecmp(h->name, name, len) == 0)
            return h;
    }
    return NULL;
}

/* There is room in stub->headers. */
static int add_header(struct stub *stub, const char *name, const char *value, size_t value_len)
{
    size_t len = strlen(name);
    char *n = strdup(name), *v = malloc(value_len + 1);
    if (!n || !v) {
        free(n);
        free(v);
        return -ENOMEM;
    }
    for (char *c = n; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    memcpy(v, value, value_len);
    v[value_len] = '\0';
    stub->headers[stub->header_count++] =
        (struct header){ .name = n, .value = v, .name_len = len, .value_len = value_len };
    return 0;
}

static bool is_reserved(const char *name)
{
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++) {
        if (strcasecmp(reserved[i], name) == 0)
            return true;
    }
    return false;
}

static int take_headers(struct stub *stub, const json_t *headers, const struct place *place)
{
    const char *name;
    json_t *value;
    if (headers && !json_is_object(headers))
        return refused(place, "$.headers", "an object of strings", "is not an object");
    /* two more: content-type and cache-control */
    stub->headers = calloc(json_object_size(headers) + 2, sizeof *stub->headers);
    if (!stub->headers)
        return -ENOMEM;
    json_object_foreach((json_t *)headers, name, value)
    {
        char path[128];
        snprintf(path, sizeof path, "$.headers.%s", name);
        if (!is_token(name, strlen(name)))
            return refused(place, path, "a field name (RFC 9110 5.1)", "is no field name");
        if (is_reserved(name))
            return refused(place, path, "", "is written by the server itself");
        if (find_header(stub, name, strlen(name)))
            return refused(place, path, "", "is there twice");
        if (!json_is_string(value) ||
            !is_field_value(json_string_value(value), json_string_length(value)))
            return refused(place, path, "a string without control characters and outer blanks",
                           "is no field value");
        if (add_header(stub, name, json_string_value(value), json_string_length(value)))
            return -ENOMEM;
    }
    return 0;
}

static int add_default(struct stub *stub, const char *name, const char *value)
{
    return find_header(stub, name, strlen(name)) ? 0 : add_header(stub, name, value, strlen(value));
}

static int take_status(struct stub *stub, const json_t *status, const struct place *place)
{
    stub->status = 200;
    if (!status)
        return 0;
    json_int_t n = json_integer_value(status);
    if (!json_is_integer(status) || n < 200 || n > 599)
        return refused(place, "$.status", "a number from 200 to 599", "is no final status");
    stub->status = (int)n;
    return 0;
}

static int add_method(struct buf *allow, const char *method)
{
    return buf_printf(allow, "%s%s", buf_len(allow) ? ", " : "", method);
}

static bool has_method(const json_t *methods, const char *name)
{
    size_t i;
    json_t *method;
    json_array_foreach((json_t *)methods, i, method)
    {
        if (strcmp(json_string_value(method), name) == 0)
            return true;
    }
    return false;
}

static int take_methods(struct stub *stub, const json_t *methods, const struct place *place)
{
    size_t i;
    json_t *method;
    if (!methods)
        return (stub->allow = strdup(ALLOW_DEFAULT)) ? 0 : -ENOMEM;
    if (!json_is_array(methods) || json_array_size(methods) == 0 || json_array_size(methods) > 16)
        return refused(place, "$.methods", "1 to 16 methods, such as [\"GET\", \"POST\"]",
                       "is no list of methods");
    struct buf allow = { 0 };
    json_array_foreach((json_t *)methods, i, method)
    {
        const char *name = json_string_value(method);
        char path[32];
        snprintf(path, sizeof path, "$.methods[%zu]", i);
        if (!name || !is_token(name, json_string_length(method)) || strcmp(name, "CONNECT") == 0) {
            buf_free(&allow);
            return refused(place, path, "a method but CONNECT, in its own case (\"GET\")",
                           "is no method");
        }
        add_method(&allow, name);
    }
    if (has_method(methods, "GET") && !has_method(methods, "HEAD"))
        add_method(&allow, "HEAD");
    stub->own_options = has_method(methods, "OPTIONS");
    if (!stub->own_options)
        add_method(&allow, "OPTIONS");
    buf_add(&allow, "", 1);
    if (!allow.failed)
        stub->allow = strdup((const char *)buf_bytes(&allow));
    buf_free(&allow);
    return stub->allow ? 0 : -ENOMEM;
}

static int check_keys(const json_t *object, const struct place *place)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value)
    {
        if (strcmp(key, "status") != 0 && strcmp(key, "headers") != 0 &&
            strcmp(key, "methods") != 0) {
            char path[128];
            snprintf(path, sizeof path, "$.%s", key);
            return refused(place, path, KEYS, "is not known");
        }
    }
    return 0;
}

static int parse(const char *text, size_t len, const struct place *place, json_t **out)
{
    int error = json_read(text, len, place->path, out, place->why);
    if (!error && !json_is_object(*out))
        error = refused(place, "$", "an object with " KEYS, "is not an object");
    return error;
}

int side_file_apply(struct stub *stub, const char *name, const char *text, size_t len,
                    const char *path, struct refusal *why)
{
    struct place place = { path, why };
    json_t *object = NULL;
    int rc = text ? parse(text, len, &place, &object) : 0;
    if (!rc)
        rc = check_keys(object, &place);
    if (!rc)
        rc = take_status(stub, json_object_get(object, "status"), &place);
    if (!rc)
        rc = take_headers(stub, json_object_get(object, "headers"), &place);
    if (!rc)
        rc = take_methods(stub, json_object_get(object, "methods"), &place);
    if (!rc)
        rc = add_default(stub, "content-type", type_of(name, stub->body));
    if (!rc)
        rc = add_default(stub, "cache-control", "no-store");
    json_decref(object);
    return rc;
}
