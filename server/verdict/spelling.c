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

uint64_t spelling_path(const char *target, size_t len)
{
    const char *at = spelling_origin(target, &len);
    const char *query = memchr(at, '?', len), *end = query ? query : at + len;
    uint64_t hash = HASH_START;
    while (at < end) {
        const char *slash = memchr(at, '/', (size_t)(end - at)), *stop = slash ? slash : end;
        char octets[3];
        const char *p = at;
        bool dot = p < stop && next_octet(&p, stop, octets) == 1 && octets[0] == '.' && p == stop;
        if (stop > at && !dot)
            hash = hash_octets(hash_more(hash, "/", 1), at, stop);
        at = slash ? slash + 1 : end;
    }
    return hash ? hash : 1;
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
