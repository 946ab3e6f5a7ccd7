/* input.c - what a call brings: its query, its body, its Accept. All of it is refused as a whole
 * when any of it is not known. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "admin/call.h"
#include "base/json.h"

/* Is name one of "a, b, c"? */
static bool listed(const char *list, const char *name, size_t len)
{
    while (list && *list) {
        size_t n = strcspn(list, ",");
        if (n == len && memcmp(list, name, n) == 0)
            return true;
        list += n + strspn(list + n, ", ");
    }
    return false;
}

/* The next "name=value" of a query; false at its end. Empty ones ("a&&b") are passed over. */
static bool next_parameter(const char **at, const char **name, size_t *name_len, const char **value,
                           size_t *value_len)
{
    *at += strspn(*at, "&");
    size_t len = strcspn(*at, "&#");
    if (len == 0)
        return false;
    const char *equals = memchr(*at, '=', len);
    *name = *at;
    *name_len = equals ? (size_t)(equals - *at) : len;
    *value = equals ? equals + 1 : *at + len;
    *value_len = (size_t)(*at + len - *value);
    *at += len;
    return true;
}

const char *input_query(const struct call *call, const char *wanted, size_t *len)
{
    const char *at = call->target.query, *name, *value;
    size_t name_len;
    while (at && next_parameter(&at, &name, &name_len, &value, len)) {
        if (name_len == strlen(wanted) && memcmp(name, wanted, name_len) == 0)
            return value;
    }
    return NULL;
}

int input_check_query(struct call *call)
{
    const char *at = call->target.query, *name, *value;
    size_t name_len, value_len;
    while (at && next_parameter(&at, &name, &name_len, &value, &value_len)) {
        char where[64];
        snprintf(where, sizeof where, "?%.*s", (int)(name_len < 60 ? name_len : 60), name);
        if (!listed(call->route->query, name, name_len)) {
            response_refuse(call, PROBLEM_QUERY, where,
                            call->route->query ? call->route->query : "no query",
                            "is no query parameter of this call");
            return BAD_INPUT;
        }
        const char *rest = at, *other;
        size_t other_len;
        while (next_parameter(&rest, &other, &other_len, &value, &value_len)) {
            if (other_len == name_len && memcmp(other, name, name_len) == 0) {
                response_refuse(call, PROBLEM_QUERY, where, "one value", "is there twice");
                return BAD_INPUT;
            }
        }
    }
    return 0;
}

int input_query_number(struct call *call, const char *name, uint64_t min, uint64_t max,
                       uint64_t fallback, uint64_t *out)
{
    size_t len;
    const char *text = input_query(call, name, &len);
    uint64_t n = 0;
    bool ok = text && len > 0 && len <= 19; /* 19 digits cannot overflow */
    if (!text) {
        *out = fallback;
        return 0;
    }
    for (size_t i = 0; ok && i < len; i++) {
        ok = text[i] >= '0' && text[i] <= '9';
        n = n * 10 + (uint64_t)(text[i] - '0');
    }
    if (ok && n >= min && n <= max) {
        *out = n;
        return 0;
    }
    char where[32], allowed[96];
    snprintf(where, sizeof where, "?%s", name);
    snprintf(allowed, sizeof allowed, "a number from %llu to %llu", (unsigned long long)min,
             (unsigned long long)max);
    response_refuse(call, PROBLEM_QUERY, where, allowed, "\"%.*s\" is not in range",
                    (int)(len < 64 ? len : 64), text);
    return BAD_INPUT;
}

int input_json(struct call *call)
{
    struct refusal why;
    if (!buf_len(&call->body)) {
        response_refuse(call, PROBLEM_JSON, "body", "JSON (RFC 8259)", "the body is missing");
        return BAD_INPUT;
    }
    int error = json_read((const char *)buf_bytes(&call->body), buf_len(&call->body), "body",
                          &call->json, &why);
    if (error == BAD_INPUT)
        response_problem(call, PROBLEM_JSON, &why);
    else if (error)
        response_refuse(call, PROBLEM_NO_MEMORY, "", "", "the server is out of memory");
    return error ? BAD_INPUT : 0;
}

bool input_is_empty_object(const struct call *call)
{
    json_auto_t *body =
        json_loadb((const char *)buf_bytes(&call->body), buf_len(&call->body), 0, NULL);
    return json_is_object(body) && json_object_size(body) == 0;
}

int input_members(struct call *call, const struct json_member *members)
{
    struct refusal why;
    int error = json_members(call->json, members, &why);
    if (error)
        response_problem(call, PROBLEM_VALUE, &why);
    return error;
}

/* "q=0.5" among the parameters of a media range, in thousandths. */
static int quality(const char *parameters, size_t len)
{
    const char *end = parameters + len;
    for (const char *at = parameters; at < end; at++) {
        if (*at != ';')
            continue;
        const char *p = at + 1;
        while (p < end && (*p == ' ' || *p == '\t'))
            p++;
        if (end - p < 3 || (*p | 0x20) != 'q' || p[1] != '=')
            continue;
        if (p[2] == '1')
            return 1000;
        int q = 0, unit = 100;
        for (p += 3; p < end && unit && (*p == '.' || (*p >= '0' && *p <= '9')); p++) {
            if (*p != '.') {
                q += (*p - '0') * unit;
                unit /= 10;
            }
        }
        return q;
    }
    return 1000;
}

/* How closely a media range names a type: 3 itself, 2 all of its kind ("text/..."), 1 anything. */
static int closeness(const char *range, size_t len, const char *type)
{
    size_t kind = strcspn(type, "/") + 1;
    if (len == 3 && memcmp(range, "*/*", 3) == 0)
        return 1;
    if (len == kind + 1 && range[kind] == '*' && strncasecmp(range, type, kind) == 0)
        return 2;
    return len == strlen(type) && strncasecmp(range, type, len) == 0 ? 3 : 0;
}

int input_accepts(const char *accept, const char *type)
{
    int best = 0, q = 0;
    if (!accept)
        return 1000;
    while (*accept) {
        accept += strspn(accept, ", \t");
        size_t len = strcspn(accept, ","), range = strcspn(accept, ",; \t");
        int close = closeness(accept, range, type);
        if (close > best) {
            best = close;
            q = quality(accept + range, len - range);
        }
        accept += len;
    }
    return q;
}

int input_choose_type(struct call *call, const char *const *types, size_t count)
{
    const char *accept = MHD_lookup_connection_value(call->mhd, MHD_HEADER_KIND, "Accept");
    int best = 0, chosen = -1;
    for (size_t i = 0; i < count; i++) {
        int q = input_accepts(accept, types[i]);
        if (q > best) {
            best = q;
            chosen = (int)i;
        }
    }
    if (chosen < 0) {
        char list[160] = "";
        for (size_t i = 0, n = 0; i < count && n < sizeof list; i++)
            n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", i ? ", " : "", types[i]);
        response_refuse(call, PROBLEM_NOT_ACCEPTABLE, "Accept", list,
                        "asks for no type that the response comes as");
    }
    return chosen;
}
