/* h1.h - reads HTTP/1.1 responses from a raw client. */
#pragma once

#include <stdbool.h>

#include "client.h"

struct h1_response {
    int status, minor; /* HTTP/1.minor */
    struct buf head;   /* status line and header section, NUL-terminated */
    struct buf body;   /* NUL-terminated behind its end */
    bool to_the_end;   /* neither length nor chunks: the body ended with the connection */
};

/* Reads the next response; what follows it stays in c->in. head: it answers a HEAD request.
 * True when it came in full. free with h1_free in any case. */
bool h1_read(struct client *c, bool head, struct h1_response *r, int64_t until);

/* Copies a header's value; false if there is none. */
bool h1_header(const struct h1_response *r, const char *name, char *value, size_t size);

void h1_free(struct h1_response *r);

/* Appends a request. headers: lines with CRLF, or "". body: NULL for none, else sent with its
 * length. */
void h1_compose(struct buf *out, const char *method, const char *target, const char *headers,
                const char *body);
