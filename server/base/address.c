#include "base/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

bool address_read(const char *text, union address *out)
{
    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, text, &out->v4.sin_addr) == 1) {
        out->any.sa_family = AF_INET;
        return true;
    }
    if (inet_pton(AF_INET6, text, &out->v6.sin6_addr) != 1)
        return false;
    out->any.sa_family = AF_INET6;
    return true;
}

static bool read_port(const char *text, uint16_t *port)
{
    unsigned long value = 0;
    if (!*text || strlen(text) > 5)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        value = value * 10 + (unsigned)(*text - '0');
    }
    *port = (uint16_t)value;
    return value <= 65535;
}

bool address_read_spec(const char *text, struct address_spec *out)
{
    char host[INET6_ADDRSTRLEN + 2];
    const char *colon = strrchr(text, ':');
    size_t len = colon ? (size_t)(colon - text) : 0;
    memset(out, 0, sizeof *out);
    if (!read_port(colon ? colon + 1 : text, &out->port) || len >= sizeof host)
        return false;
    memcpy(host, text, len);
    host[len] = '\0';
    if (!len || strcmp(host, "[::]") == 0) {
        out->kind = ADDRESS_EVERY;
        return true;
    }
    if (address_is_localhost(host)) {
        out->kind = ADDRESS_LOCALHOST;
        return true;
    }
    bool brackets = host[0] == '[' && host[len - 1] == ']';
    if (brackets)
        host[len - 1] = '\0';
    out->kind = ADDRESS_ONE;
    if (!address_read(host + brackets, &out->one) ||
        (out->one.any.sa_family == AF_INET6) != brackets)
        return false;
    address_set_port(&out->one, out->port);
    return true;
}

bool address_is_localhost(const char *name)
{
    static const char localhost[] = "localhost";
    size_t len = strlen(name), own = sizeof localhost - 1;
    len -= len > own && name[len - 1] == '.';
    return len >= own && strncasecmp(name + len - own, localhost, own) == 0 &&
           (len == own || (len > own + 1 && name[len - own - 1] == '.'));
}

void address_set_loopback(union address *out, int family)
{
    memset(out, 0, sizeof *out);
    out->any.sa_family = (sa_family_t)family;
    if (family == AF_INET6)
        out->v6.sin6_addr = in6addr_loopback;
    else
        out->v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
}

socklen_t address_len(const union address *a)
{
    return a->any.sa_family == AF_INET6 ? sizeof a->v6 : sizeof a->v4;
}

uint16_t address_port(const union address *a)
{
    return ntohs(a->any.sa_family == AF_INET6 ? a->v6.sin6_port : a->v4.sin_port);
}

void address_set_port(union address *a, uint16_t port)
{
    if (a->any.sa_family == AF_INET6)
        a->v6.sin6_port = htons(port);
    else
        a->v4.sin_port = htons(port);
}

void address_unmap(union address *a)
{
    if (a->any.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&a->v6.sin6_addr))
        return;
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = a->v6.sin6_port };
    memcpy(&v4.sin_addr, &a->v6.sin6_addr.s6_addr[12], sizeof v4.sin_addr);
    memset(a, 0, sizeof *a);
    a->v4 = v4;
}

bool address_is_any(const union address *a)
{
    return a->any.sa_family == AF_INET6 ? IN6_IS_ADDR_UNSPECIFIED(&a->v6.sin6_addr)
                                        : a->v4.sin_addr.s_addr == htonl(INADDR_ANY);
}

bool address_is_loopback(const union address *a)
{
    return a->any.sa_family == AF_INET6 ? IN6_IS_ADDR_LOOPBACK(&a->v6.sin6_addr)
                                        : ntohl(a->v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

bool address_same_host(const union address *a, const union address *b)
{
    if (a->any.sa_family != b->any.sa_family)
        return false;
    return a->any.sa_family == AF_INET6 ? IN6_ARE_ADDR_EQUAL(&a->v6.sin6_addr, &b->v6.sin6_addr)
                                        : a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
}

union address address_of(const struct sockaddr *address)
{
    union address a = { 0 };
    memcpy(&a, address, address->sa_family == AF_INET6 ? sizeof a.v6 : sizeof a.v4);
    address_unmap(&a);
    return a;
}

void address_text(const struct sockaddr *address, char out[ADDRESS_TEXT_SIZE])
{
    char host[INET6_ADDRSTRLEN] = "";
    const union address a = address_of(address);
    if (a.any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &a.v6.sin6_addr, host, sizeof host);
        snprintf(out, ADDRESS_TEXT_SIZE, "[%s]:%u", host, address_port(&a));
    } else {
        inet_ntop(AF_INET, &a.v4.sin_addr, host, sizeof host);
        snprintf(out, ADDRESS_TEXT_SIZE, "%s:%u", host, address_port(&a));
    }
}
