/* spelling.c - see spelling.h. */
#include "verdict/spelling.h"

#include <stdbool.h>
#include <string.h>

#include "base/hash.h"
#include "base/hex.h"

const char *spelling_origin(const char *target, size_t *len)
{
    if (*len == 0 || *target == '/')
        return target;
    const char *end = target + *len, *at = target;
    while (at < end && *at != ':' && *at != '/' && *at != '?')
        at++;
    if (end - at < 3 || memcmp(at, "://", 3) != 0)
        return target;
    at += 3;
    while (at < end && *at != '/' && *at != '?')
        at++;
    *len = (size_t)(end - at);
    return at;
}

static bool is_unreserved(int c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

/* The next octet as it is spelled without need: 1, or 3 for one that stays encoded. */
static size_t next_octet(const char **at, const char *end, char out[3])
{
    const char *p = *at;
    int octet = end - p >= 3 && *p == '%' ? hex_octet(p + 1) : -1;
    *at += octet >= 0 ? 3 : 1;
    out[0] = *p;
    if (octet < 0)
        return 1;
    out[0] = (char)octet;
    if (is_unreserved(octet))
        return 1;
    out[0] = '%';
    out[1] = "0123456789ABCDEF"[octet >> 4];
    out[2] = "0123456789ABCDEF"[octet & 15];
    return 3;
}

static uint64_t hash_octets(uint64_t hash, const char *at, const char *end)
{
    char octets[3];
    while (at < end) {
        size_t n = next_octet(&at, end, octets);
        hash = hash_more(hash, octets, n);
    }
    return hash;
}

uint64_t spelling_target(const char *target, size_t len)
{
    const char *at = spelling_origin(target, &len);
    uint64_t hash = HASH_START;
    if (len == 0 || *at == '?')
        hash = hash_more(hash, "/", 1);
    hash = hash_octets(hash, at, at + len);
    return hash ? hash : 1;
}

/* Whether a segment is ".", however it is spelled. */
static bool is_dot(const char *at, const char *end)
{
    char octets[3];
    return at < end && next_octet(&at, end, octets) == 1 && octets[0] == '.' && at == end;
}

/* The next segment of a path that counts for something, from *from to *to. False: there is none. */
static bool next_segment(const char **at, const char *end, const char **from, const char **to)
{
    while (*at < end) {
        const char *slash = memchr(*at, '/', (size_t)(end - *at));
        *from = *at;
        *to = slash ? slash : end;
        *at = slash ? slash + 1 : end;
        if (*to > *from && !is_dot(*from, *to))
            return true;
    }
    return false;
}

uint64_t spelling_path(const char *target, size_t len)
{
    const char *at = spelling_origin(target, &len), *from, *to;
    const char *query = memchr(at, '?', len), *end = query ? query : at + len;
    uint64_t hash = HASH_START;
    while (next_segment(&at, end, &from, &to))
        hash = hash_octets(hash_more(hash, "/", 1), from, to);
    return hash ? hash : 1;
}

void spelling_plain(const char *path, size_t len, char *out)
{
    const char *at = path, *end = path + len, *last = end, *from, *to;
    while (next_segment(&at, end, &from, &to)) {
        *out++ = '/';
        while (from < to)
            out += next_octet(&from, to, out);
    }
    while (last > path && last[-1] != '/')
        last--;
    if (len && (last == end || is_dot(last, end))) /* "/a/." is "/a/" (RFC 3986 5.2.4) */
        *out++ = '/';
    *out = 0;
}

uint64_t spelling_media_type(const char *value, size_t len)
{
    uint64_t hash = HASH_START;
    for (size_t i = 0; i < len && value[i] != ';'; i++) {
        char c = value[i] >= 'A' && value[i] <= 'Z' ? (char)(value[i] | 0x20) : value[i];
        if (c != ' ' && c != '\t')
            hash = hash_more(hash, &c, 1);
    }
    return hash ? hash : 1;
}
