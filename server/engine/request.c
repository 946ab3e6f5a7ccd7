/* request.c - what both engines share about requests. See engine.h. */
#include "engine/engine.h"

#include <string.h>
#include <strings.h>

#include "base/address.h"
#include "base/hex.h"

bool header_name_valid(const char *name)
{
    return *name && name[strspn(name, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                                      "ABCDEFGHIJKLMNOPQRSTUVWXYZ")] == '\0';
}

bool header_has_token(const struct header *h, const char *token)
{
    const char *at = h->value, *end = at + h->value_len;

    while (at < end) {
        const char *comma = memchr(at, ',', (size_t)(end - at)), *stop = comma ? comma : end;
        const char *next = comma ? comma + 1 : end;

        while (at < stop && (*at == ' ' || *at == '\t'))
            at++;
        while (stop > at && (stop[-1] == ' ' || stop[-1] == '\t'))
            stop--;
        if ((size_t)(stop - at) == strlen(token) && strncasecmp(at, token, strlen(token)) == 0)
            return true;
        at = next;
    }
    return false;
}

int64_t header_number(const struct header *h)
{
    int64_t value = h->value_len ? 0 : -1;

    for (size_t i = 0; i < h->value_len; i++) {
        int digit = h->value[i] - '0';
        if (digit < 0 || digit > 9)
            return -1;
        value = value > (INT64_MAX - digit) / 10 ? INT64_MAX : value * 10 + digit;
    }
    return value;
}

const struct header *request_header(const struct request *request, const char *name)
{
    for (size_t i = 0; i < request->header_count; i++)
        if (header_is(&request->headers[i], name))
            return &request->headers[i];
    return NULL;
}

/* unreserved or sub-delims of RFC 3986 2.2, 2.3 */
static bool is_name_char(char c)
{
    switch (c) {
    case '-':
    case '.':
    case '_':
    case '~':
    case '!':
    case '$':
    case '&':
    case '\'':
    case '(':
    case ')':
    case '*':
    case '+':
    case ',':
    case ';':
    case '=':
        return true;
    default:
        return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
    }
}

/* What stands between the brackets of an IP-literal: IPv6address or IPvFuture. */
static bool is_ip_literal(const char *text, size_t len)
{
    char text_only[INET6_ADDRSTRLEN];
    union address address;
    size_t i = 1;

    if (len < sizeof text_only && text[0] != 'v' && text[0] != 'V') {
        memcpy(text_only, text, len);
        text_only[len] = '\0';
        return strlen(text_only) == len && address_read(text_only, &address) &&
               address.any.sa_family == AF_INET6;
    }
    while (i < len && hex_digit(text[i]) >= 0)
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
    const char *at = text, *end = text + len;

    if (bracket) {
        size_t inside = (size_t)(bracket - text) - 1;
        return inside && is_ip_literal(text + 1, inside) ? inside + 2 : 0;
    }
    while (at < end) {
        if (is_name_char(*at))
            at++;
        else if (*at != '%' || hex_percent_next(&at, end, NULL) < 0)
            break;
    }
    return (size_t)(at - text);
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

/* All of it is looked at, with no way out between, so that the compiler makes it 16 at once. */
static bool has_unfit(const char *text, size_t len)
{
    uint8_t unfit = 0;
    for (size_t i = 0; i < len; i++) {
        uint8_t c = (uint8_t)text[i];
        unfit |= (uint8_t)((c <= 0x20) | (c == 0x7f) | (c == '#'));
    }
    return unfit;
}

const char *request_target_wrong(const char *text, size_t len)
{
    if (!has_unfit(text, len))
        return NULL;
    for (size_t i = 0; text[i] != '#'; i++)
        if ((uint8_t)text[i] <= 0x20 || text[i] == 0x7f)
            return "request target with a control character";
    return "request target with a fragment";
}
