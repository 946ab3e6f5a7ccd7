/* endpoint.h - what the server serves when it behaves: the entitlement service, and the tester's
 * stubs beside it.
 *
 *     GET|HEAD|POST /api/entitlement/get    200, JSON: entitlements, issued, expires, served
 *     GET|HEAD      /healthz                is the admin API's; here it is 404 like anything else
 *     stubs                                 DIR/PATH is served for /PATH: see docs/stubs.md
 *     anything else                         404; a known path with another method: 405 with Allow
 *
 * Every error has a JSON body (problem details, RFC 9457).
 */
#pragma once

#include <stdint.h>

#include "base/refusal.h"
#include "endpoint/problem.h"
#include "engine/engine.h"

struct endpoint;

/* Which exchange is being answered, so that a tester sees it in the app. */
struct served {
    uint64_t connection;
    uint32_t exchange;
    const char *protocol;
    uint32_t attempt; /* 1 unless the request was tried before, see run/attempts.h */
};

/* stubs_dir may be NULL. Reads the tree's side files now, so that a mistake in one is said at the
 * start. Returns 0, BAD_INPUT or -errno. */
int endpoint_create(const char *stubs_dir, struct endpoint **out, struct refusal *why);
void endpoint_destroy(struct endpoint *e);

/* Answers a request. The response's memory is the endpoint's and stays as it is until the next
 * call (bodies with release set: until released). Returns whether it did what is asked: it, or a
 * stub; false: it refuses that (400, 404, 405, 501). */
bool endpoint_respond(struct endpoint *e, const struct request *request,
                      const struct served *served, struct response *response);

/* A problem-details response with this status, about:blank; detail is one sentence. Same memory
 * rule.
 */
void endpoint_problem(struct endpoint *e, int status, const char *detail,
                      struct response *response);
/* The same of a kind of ours. */
void endpoint_refuse(struct endpoint *e, enum problem problem, const struct refusal *why,
                     struct response *response);
