/* endpoint.c - chooses and writes the response to a request.
 *
 * Hundreds of thousands of entitlement responses a second come from here. Its body is one buffer
 * whose front, up to the connection's number, changes only with the second; a response writes the
 * rest by hand.
 */
#include "endpoint/endpoint.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "endpoint/problem.h"
#include "endpoint/stubs.h"
#include "endpoint/target.h"

#define ENTITLEMENT       "/api/entitlement/get"
#define ENTITLEMENT_ALLOW "GET, HEAD, POST, OPTIONS"
#define LIFETIME_S        3600
#define BORROW_FROM       4096 /* stub bodies of this size and more are lent to the engine */

#define HEADER(n, v)                                                                               \
    {                                                                                              \
        .name = n, .value = v, .name_len = sizeof n - 1, .value_len = sizeof v - 1                 \
    }

struct endpoint {
    struct stubs *stubs;
    bool replaced; /* a stub stands in for the entitlement service */
    time_t second; /* what the front of body says */
    size_t front;
    char body[384];
    struct buf problem;
    struct header headers[3];
};

static const struct header json_headers[] = {
    HEADER("content-type", "application/json"),
    HEADER("cache-control", "no-store"),
};

int endpoint_create(const char *stubs_dir, struct endpoint **out, struct refusal *why)
{
    struct endpoint *e = calloc(1, sizeof *e);
    if (!e)
        return -ENOMEM;
    e->second = -1;
    if (stubs_dir) {
        int rc = stubs_load(stubs_dir, &e->stubs, why);
        if (rc) {
            endpoint_destroy(e);
            return rc;
        }
        e->replaced = stubs_find(e->stubs, ENTITLEMENT) != NULL;
    }
    *out = e;
    return 0;
}

void endpoint_destroy(struct endpoint *e)
{
    if (!e)
        return;
    stubs_destroy(e->stubs);
    buf_free(&e->problem);
    free(e);
}

static void write_front(struct endpoint *e, time_t second)
{
    char issued[CLOCK_RFC3339_SIZE], expires[CLOCK_RFC3339_SIZE];
    clock_rfc3339((int64_t)second * NS_PER_S, issued);
    clock_rfc3339((int64_t)(second + LIFETIME_S) * NS_PER_S, expires);
    /* 19: up to the seconds */
    int n = snprintf(e->body, sizeof e->body,
                     "{\"entitlements\":[{\"id\":\"premium\",\"active\":true}],"
                     "\"issued\":\"%.19sZ\",\"expires\":\"%.19sZ\",\"served\":{\"connection\":",
                     issued, expires);
    assert(n > 0 && (size_t)n < 192);
    e->front = (size_t)n;
    e->second = second;
}

static char *put_number(char *at, uint64_t number)
{
    char digits[20];
    size_t n = 0;
    do
        digits[n++] = (char)('0' + number % 10);
    while (number /= 10);
    while (n)
        *at++ = digits[--n];
    return at;
}

static char *put(char *at, const char *text, size_t len)
{
    memcpy(at, text, len);
    return at + len;
}

#define PUT(at, literal) put(at, literal, sizeof literal - 1)

static void respond_entitlement(struct endpoint *e, const struct served *served,
                                struct response *response)
{
    time_t second = time(NULL);
    if (second != e->second)
        write_front(e, second);
    size_t protocol_len = strlen(served->protocol);
    assert(protocol_len <= 16);
    char *at = put_number(e->body + e->front, served->connection);
    at = PUT(at, ",\"exchange\":");
    at = put_number(at, served->exchange);
    at = PUT(at, ",\"protocol\":\"");
    at = put(at, served->protocol, protocol_len);
    at = PUT(at, "\",\"attempt\":");
    at = put_number(at, served->attempt);
    at = PUT(at, "}}\n");
    *response = (struct response){
        .status = 200,
        .headers = json_headers,
        .header_count = sizeof json_headers / sizeof *json_headers,
        .fixed_headers = true,
        .body = e->body,
        .body_len = (size_t)(at - e->body),
    };
}

static void set_allow(struct endpoint *e, struct response *response, const char *allow)
{
    e->headers[response->header_count++] = (struct header){
        .name = "allow", .value = allow, .name_len = 5, .value_len = strlen(allow)
    };
}

/* Of what was written into e->problem. */
static void respond_problem(struct endpoint *e, int status, struct response *response)
{
    static const struct header type = HEADER("content-type", "application/problem+json");
    static const char no_memory[] = "{\"type\":\"about:blank\"}\n";
    bool written = !e->problem.failed;
    e->headers[0] = type;
    e->headers[1] = json_headers[1];
    *response = (struct response){
        .status = status,
        .headers = e->headers,
        .header_count = 2,
        .body = written ? (const void *)buf_bytes(&e->problem) : no_memory,
        .body_len = written ? buf_len(&e->problem) : sizeof no_memory - 1,
    };
}

static struct buf *begin_problem(struct endpoint *e)
{
    e->problem.start = e->problem.end = 0;
    e->problem.failed = false;
    return &e->problem;
}

void endpoint_problem(struct endpoint *e, int status, const char *detail, struct response *response)
{
    problem_write_status(begin_problem(e), status, detail);
    respond_problem(e, status, response);
}

void endpoint_refuse(struct endpoint *e, enum problem problem, const struct refusal *why,
                     struct response *response)
{
    problem_write(begin_problem(e), problem, why);
    respond_problem(e, problem_row(problem)->status, response);
}

static void respond_options(struct endpoint *e, const char *allow, struct response *response)
{
    *response = (struct response){ .status = 204, .headers = e->headers };
    set_allow(e, response, allow);
}

static void kept(void *stub)
{
    /* A stub's body lives as long as the endpoint, which outlives every engine. */
}

static void respond_stub(const struct stub *stub, struct response *response)
{
    *response = (struct response){
        .status = stub->status,
        .headers = stub->headers,
        .header_count = stub->header_count,
        .body = stub->body,
        .body_len = stub->body_len,
        .release = stub->body_len >= BORROW_FROM ? kept : NULL,
    };
}

/* Whatever is not the entitlement's plain form. */
static bool respond_other(struct endpoint *e, const struct request *request,
                          const struct served *served, struct response *response)
{
    struct target target;
    bool options = strcmp(request->method, "OPTIONS") == 0;
    if (strcmp(request->method, "CONNECT") == 0) {
        endpoint_problem(e, 501, "This server is no proxy.", response);
        return false;
    }
    if (target_parse(request->method, request->target, &target) != 0) {
        endpoint_problem(e, 400, "The target is no path that could be served here.", response);
        return false;
    }
    if (options && strcmp(target.path, "*") == 0) {
        respond_options(e, ENTITLEMENT_ALLOW, response);
        return true;
    }
    const struct stub *stub = stubs_find(e->stubs, target.path);
    if (!stub && strcmp(target.path, ENTITLEMENT) != 0) {
        endpoint_problem(
            e, 404,
            "Nothing is served at this path; the entitlement service is at " ENTITLEMENT
            ", others come with --stubs.",
            response);
        return false;
    }
    const char *allow = stub ? stub->allow : ENTITLEMENT_ALLOW;
    if (!stubs_allow(allow, request->method)) {
        endpoint_problem(e, 405, "This path is not served with this method; Allow lists which.",
                         response);
        set_allow(e, response, allow);
        return false;
    }
    if (options && !(stub && stub->own_options)) {
        respond_options(e, allow, response);
    } else if (stub) {
        respond_stub(stub, response);
    } else {
        respond_entitlement(e, served, response);
    }
    return true;
}

static bool is_plain_entitlement(const struct request *request)
{
    const char *target = request->target;
    if (strncmp(target, ENTITLEMENT, sizeof ENTITLEMENT - 1) != 0)
        return false;
    char next = target[sizeof ENTITLEMENT - 1];
    if (next != '\0' && next != '?')
        return false;
    const char *method = request->method;
    return strcmp(method, "GET") == 0 || strcmp(method, "POST") == 0 || strcmp(method, "HEAD") == 0;
}

bool endpoint_respond(struct endpoint *e, const struct request *request,
                      const struct served *served, struct response *response)
{
    if (e->replaced || !is_plain_entitlement(request))
        return respond_other(e, request, served, response);
    respond_entitlement(e, served, response);
    return true;
}
