/* request.c - what both engines share about requests. See engine.h. */
#include "engine/engine.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

const struct header *request_header(const struct request *request, const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < request->header_count; i++) {
        const struct header *h = &request->headers[i];
        if (h->name_len == len && strncasecmp(h->name, name, len) == 0)
            return h;
    }
    return NULL;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

/* unreserved or sub-delims of RFC 3986 2.2, 2.3 */
static bool is_name_char(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
           (c && strchr("-._~!$&'()*+,;=", c));
}

/* What stands between the brackets of an IP-literal: IPv6address or IPvFuture. */
static bool is_ip_literal(const char *text, size_t len)
{
    char address[INET6_ADDRSTRLEN];
    struct in6_addr parsed;
    size_t i = 1;

    if (len < sizeof address && text[0] != 'v' && text[0] != 'V') {
        memcpy(address, text, len);
        address[len] = '\0';
        return strlen(address) == len && inet_pton(AF_INET6, address, &parsed) == 1;
    }
    while (i < len && is_hex(text[i]))
        i++;
    if (i == 1 || i + 1 >= len || text[i] != '.')
        return false;
    for (i++; i < len && (text[i] == ':' || is_name_char(text[i])); i++)
        ;
    return i == len;
}

/* The length of the host that text begins with; 0: it is none. */
static size_t host_length(const char *text, size_t len)
{
    const char *bracket = len && text[0] == '[' ? memchr(text, ']', len) : NULL;
    size_t i = 0;

    if (bracket) {
        size_t inside = (size_t)(bracket - text) - 1;
        return inside && is_ip_literal(text + 1, inside) ? inside + 2 : 0;
    }
    while (i < len) {
        if (text[i] == '%' && i + 2 < len && is_hex(text[i + 1]) && is_hex(text[i + 2]))
            i += 3;
        else if (is_name_char(text[i]))
            i++;
        else
            break;
    }
    return i;
}

bool request_authority_valid(const char *text, size_t len)
{
    size_t i = host_length(text, len);

    if (i == 0)
        return false;
    if (i < len && text[i] == ':')
        for (i++; i < len && text[i] >= '0' && text[i] <= '9'; i++)
            ;
    return i == len;
}
