/* guard.h - who may call the admin API.
 *
 * The API listens on loopback and changes a server that a browser on the same machine can reach, so
 * web pages are what it must be safe from. A page of another site cannot hide where it comes from:
 * its calls carry Origin or Sec-Fetch-Site (cross-site calls), or, when its name was made to point
 * at us, that name in Host (DNS rebinding). Addresses in Host cannot be made to point elsewhere.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/address.h"
#include "base/refusal.h"

#define GUARD_BOUND_MAX 4

struct guard {
    char *token; /* NULL: none is asked for */
    char **names;
    unsigned name_count;
    bool any_address; /* bound to every address: each address in Host can be one of ours */
    union address bound[GUARD_BOUND_MAX];
    unsigned bound_count;
};

/* The header fields that matter, NULL where missing. */
struct guard_request {
    const char *host, *origin, *fetch_site, *authorization;
    bool repeated;         /* one of these came more than once */
    const char *authority; /* of an absolute-form target; not NUL-terminated */
    size_t authority_len;
};

/* Copies token and names ("*." as first label stands for any label). Returns 0, BAD_INPUT (a token
 * that no header field could carry) or -ENOMEM; guard_finish is due in every case. */
int guard_init(struct guard *guard, const char *token, const char *const *names, unsigned count,
               struct refusal *why);
void guard_finish(struct guard *guard);

/* Tells an address that the API listens on, as listener_address gives it. */
void guard_bound(struct guard *guard, const char *address);

/* Returns 0 or the status to refuse with: 400, 401 or 403. open: the token is not asked for. */
int guard_check(const struct guard *guard, const struct guard_request *request, bool open,
                struct refusal *why);
