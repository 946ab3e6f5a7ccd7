#include "base/gateway.h"

#include <stdio.h>
#include <string.h>

#include "base/hex.h"

#define RTF_GATEWAY 0x0002u

static void add(struct gateways *g, const union address *a)
{
    if (g->count < GATEWAYS_MAX && !address_is_any(a))
        g->list[g->count++] = *a;
}

/* "eth0 00000000 010200C0 0003 ...": interface, destination and gateway in the machine's order,
 * flags. The first line has the columns' names. */
static void read_v4(const char *line, struct gateways *g)
{
    unsigned destination, gateway, flags;
    union address a = { .v4 = { .sin_family = AF_INET } };
    if (sscanf(line, "%*63s %8X %8X %X", &destination, &gateway, &flags) != 3 || destination ||
        !(flags & RTF_GATEWAY))
        return;
    memcpy(&a.v4.sin_addr, &gateway, sizeof a.v4.sin_addr);
    add(g, &a);
}

/* Destination and the length of its prefix, source and the same, next hop, metric, two counters,
 * flags, interface; all in hexadecimal digits. */
static void read_v6(const char *line, struct gateways *g)
{
    char hop[33];
    unsigned length, flags;
    union address a = { .v6 = { .sin6_family = AF_INET6 } };
    if (sscanf(line, "%*32s %2x %*32s %*2s %32s %*8s %*8s %*8s %8x", &length, hop, &flags) != 3 ||
        length || !(flags & RTF_GATEWAY) || strlen(hop) != 32 ||
        !hex_read(hop, 16, a.v6.sin6_addr.s6_addr))
        return;
    add(g, &a);
}

static void read_table(const char *directory, const char *name,
                       void (*row)(const char *line, struct gateways *g), struct gateways *g)
{
    char path[256], line[512];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "re");
    if (!file)
        return;
    while (fgets(line, sizeof line, file))
        row(line, g);
    fclose(file);
}

void gateways_read(const char *directory, struct gateways *out)
{
    *out = (struct gateways){ .count = 0 };
    read_table(directory, "route", read_v4, out);
    read_table(directory, "ipv6_route", read_v6, out);
}

bool gateways_have(const struct gateways *g, const struct sockaddr *host)
{
    const union address a = address_of(host);
    for (unsigned i = 0; i < g->count; i++)
        if (address_same_host(&g->list[i], &a))
            return true;
    return false;
}
