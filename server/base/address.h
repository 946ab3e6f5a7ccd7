/* address.h - IPv4 and IPv6 addresses, to text and back. No name is ever looked up. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* any.sa_family says which. Unused bytes are 0. */
union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* Reads an address alone ("127.0.0.1", "::1"; without brackets, port and zone); the port is 0.
 * False: it is none, and *out is undefined. */
bool address_read(const char *text, union address *out);

/* What people give a server to listen on. */
struct address_spec {
    enum {
        ADDRESS_EVERY,     /* ":8443", "8443", "[::]:8443": IPv6 and IPv4 */
        ADDRESS_LOCALHOST, /* "localhost:8443": both loopback addresses */
        ADDRESS_ONE,       /* "127.0.0.1:8443", "[fd00::1]:8443": this address */
    } kind;
    union address one; /* ADDRESS_ONE */
    uint16_t port;     /* 0: the kernel is to choose */
};

#define ADDRESS_SPEC_FORMS "PORT, :PORT, IPV4:PORT, [IPV6]:PORT or localhost:PORT"

/* False: it is none of these, and *out is undefined. */
bool address_read_spec(const char *text, struct address_spec *out);

/* "localhost" and what is below it (RFC 6761 6.3), in any case, also with the dot at the end: the
 * loopback addresses, without a look into /etc/hosts or DNS. */
bool address_is_localhost(const char *name);

/* Sets the address to 127.0.0.1 (AF_INET) or ::1 (AF_INET6), port 0. */
void address_set_loopback(union address *out, int family);

/* Its length for bind() and connect(). */
socklen_t address_len(const union address *a);

uint16_t address_port(const union address *a);
void address_set_port(union address *a, uint16_t port);

/* Of an IPv4 address that is written as IPv6 (::ffff:127.0.0.1) makes the IPv4 address. */
void address_unmap(union address *a);
/* A socket's address, AF_INET or AF_INET6, unmapped. */
union address address_of(const struct sockaddr *address);

/* These look at the host alone, not at the port. */
bool address_is_any(const union address *a);
bool address_is_loopback(const union address *a);
bool address_same_host(const union address *a, const union address *b);

/* Writes an address with its port ("127.0.0.1:80", "[::1]:80"; an IPv4 one that came to an IPv6
 * socket as IPv4). */
#define ADDRESS_TEXT_SIZE 56
void address_text(const struct sockaddr *address, char out[ADDRESS_TEXT_SIZE]);
