/* http.h - calls of a server's admin API from a command: one after the other, each waits for its
 * response.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "base/buf.h"
#include "base/refusal.h"

#define HTTP_HOST_MAX  255
#define HTTP_ADDRESSES 4

struct http {
    char host[HTTP_HOST_MAX + 10];           /* as in the URL, with its port */
    union address addresses[HTTP_ADDRESSES]; /* are tried in this order */
    unsigned address_count;
    const char *token; /* NULL: none */
    int64_t patience;  /* ns, for one response */
};

struct http_response {
    int status;
    struct buf body; /* the caller's */
    bool json;       /* its type says so */
};

/* Where a server is: "http://HOST:PORT", or without http://. Looks HOST up, unless it is
 * "localhost", which is loopback. option: what gave the URL. Returns 0 or BAD_INPUT. */
int http_find(struct http *h, const char *url, const char *option, struct refusal *why);

/* Takes the token from HANGUP_ADMIN_TOKEN, if it is set and not empty. Returns 0 or BAD_INPUT. */
int http_take_token(struct http *h, struct refusal *why);

/* Calls. body NULL: none; accept NULL: JSON. Returns 0, or -errno: it was not reached, or gave no
 * response; out is set on success only. */
int http_call(const struct http *h, const char *method, const char *path, const char *body,
              const char *accept, struct http_response *out);
void http_free(struct http_response *r);
