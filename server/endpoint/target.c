#include "endpoint/target.h"

#include <string.h>
#include <strings.h>

#include "base/hex.h"

/* An encoded slash would join two segments that the client kept apart, so it is no path here. */
static int decode(const char *text, size_t len, char *out)
{
    size_t n = 0;
    for (const char *at = text, *end = text + len; at < end;) {
        bool encoded;
        int c = hex_percent_next(&at, end, &encoded);
        if (c < 0x20 || c == 0x7f || c == '\\' || (c == '/' && encoded) ||
            n + 1 >= TARGET_PATH_SIZE)
            return BAD_INPUT;
        out[n++] = (char)c;
    }
    out[n] = '\0';
    return 0;
}

static const char *after_scheme(const char *text)
{
    if (strncasecmp(text, "http://", 7) == 0)
        return text + 7;
    if (strncasecmp(text, "https://", 8) == 0)
        return text + 8;
    return NULL;
}

int target_parse(const char *method, const char *text, struct target *out)
{
    const char *path = text;
    out->authority = NULL;
    out->authority_len = 0;
    const char *authority = after_scheme(text);
    if (authority) {
        out->authority = authority;
        out->authority_len = strcspn(authority, "/?#");
        path = authority + out->authority_len;
    } else if (strcmp(text, "*") == 0) {
        path = "*";
    } else if (*text != '/') {
        return BAD_INPUT;
    }
    size_t len = strcspn(path, "?#");
    out->query = path[len] == '?' ? path + len + 1 : NULL;
    if (len == 0) { /* "http://host" is its root, but for OPTIONS the server (RFC 9112 3.2.4) */
        path = strcmp(method, "OPTIONS") == 0 && !out->query ? "*" : "/";
        len = 1;
    }
    return decode(path, len, out->path);
}
