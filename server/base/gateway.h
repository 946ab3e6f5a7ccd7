/* gateway.h - the default gateways of this machine or container. A client that comes from one of
 * them is somebody behind it: docker-proxy, a port forwarding, a NAT. What ACKs our segments then
 * may not be the client.
 */
#pragma once

#include "base/address.h"

#define GATEWAYS_MAX 8

struct gateways {
    union address list[GATEWAYS_MAX]; /* beyond these none is known */
    unsigned count;
};

/* Reads them from the kernel's tables, which are files in this directory ("/proc/net"). What cannot
 * be read, or is in no form of theirs, counts as no gateway. */
void gateways_read(const char *directory, struct gateways *out);

/* By the host alone; an IPv4 address that came to an IPv6 socket too. */
bool gateways_have(const struct gateways *g, const struct sockaddr *host);
