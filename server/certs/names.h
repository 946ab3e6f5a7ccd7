/* names.h - what a server certificate is good for: DNS names and IP addresses. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/refusal.h"

#define NAME_MAX_DNS 253 /* RFC 1035 2.3.4, as text without the trailing dot */
#define NAMES_ALWAYS 5
#define NAMES_MAX    256 /* given by the user; clients choke on certificates with too many */

struct name {
    bool is_ip;
    size_t len;
    char bytes[NAME_MAX_DNS + 1]; /* a DNS name in lower case and a NUL, or an address's 4 or 16 */
};

/* Distinct names, in order. */
struct names {
    struct name *list;
    size_t count;
};

/* Reads a DNS name (its first label may be "*") or an IP address.
 * Returns 0 or BAD_INPUT, where being "--name". */
int name_parse(const char *text, struct name *out, struct refusal *why);

/* Its place, or names->count when it is not among them. */
size_t names_find(const struct names *names, const struct name *name);

/* The names that are always there, the host name if it is one, and the extra ones.
 * Returns 0, BAD_INPUT or -ENOMEM. */
int names_wanted(const char *const *extra, size_t count, struct names *out, struct refusal *why);
void names_finish(struct names *names);
