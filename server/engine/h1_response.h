/* h1_response.h - a struct response (engine.h) as libmicrohttpd wants it, and as bytes. */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "engine/engine.h"

struct MHD_Response;

/* For libmicrohttpd. close: with Connection: close. kept: the connection stays, unless that is the
 * case; else there is no Keep-Alive header. The response's release is taken over; on failure it was
 * called. Returns 0, -EINVAL (a status or header that HTTP cannot carry) or -ENOMEM. */
int h1_response_make(const struct response *response, bool close, bool kept,
                     struct MHD_Response **out);

/* A response that says Connection: keep-alive says it in the host's letters, not in those of
 * libmicrohttpd: they are put into its octets as these go out. All zeroes: as they are. */
struct h1_spelling {
    char value[10];
    uint8_t at; /* so many octets of the line, and of the line end before it, have gone out */
    bool wanted;
};
void h1_spelling_begin(struct h1_spelling *s, const struct response *response);
void h1_spelling_apply(struct h1_spelling *s, uint8_t *bytes, size_t n);

/* Whether it says Connection: close. */
bool h1_response_closes(const struct response *response);

/* The bytes of a response; close: with Connection: close; head: without the body. The response's
 * release is called. Returns as h1_response_make. */
int h1_response_write(const struct response *response, bool head, bool close, struct buf *out);

/* The bytes of an interim response (100 to 199). Returns as h1_response_make; nothing was appended
 * then. */
int h1_response_interim(const struct response *response, struct buf *out);

/* How many octets come behind its header section, if it has content: with the framing of chunks. */
size_t h1_response_content(const struct response *response);

/* A last response that says why a request was refused. Returns 0 or -ENOMEM. */
int h1_response_refuse(int status, const char *why, struct buf *out);
