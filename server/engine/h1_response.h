/* h1_response.h - a struct response (engine.h) as libmicrohttpd wants it, and as bytes. */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "engine/engine.h"

struct MHD_Response;

/* For libmicrohttpd. close: with Connection: close. The response's release is taken over; on
 * failure it was called. Returns 0, -EINVAL (a status or header that HTTP cannot carry) or -ENOMEM.
 */
int h1_response_make(const struct response *response, bool close, struct MHD_Response **out);

/* The bytes of a last response, with Connection: close; head: without the body. The response's
 * release is called. Returns as h1_response_make. */
int h1_response_write(const struct response *response, bool head, struct buf *out);

/* A last response that says why a request was refused. Returns 0 or -ENOMEM. */
int h1_response_refuse(int status, const char *why, struct buf *out);
