/* response.h - the response to a call: a status, header fields, a media type, and a body or a
 * stream.
 *
 * Each function that begins a response replaces what is there, header fields too. Nothing of it is
 * sent before the call returns to libmicrohttpd, so that fields may be added to a stream that has
 * begun. Without memory for any of it the caller gets 503 instead.
 */
#pragma once

#include <jansson.h>
#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/list.h"
#include "endpoint/problem.h"

struct call;

/* Appends a little to out, or nothing, in well under a slice; returns false at the end. */
typedef bool (*response_more)(struct call *call, struct buf *out);

/* A body that is made while it is sent (work.c). */
struct stream {
    struct link link;
    response_more more; /* NULL: there is none */
    void (*over)(struct call *call);
    bool done;
    bool parked; /* there is nothing to render now (work_park) */
};

struct call_response {
    int status;        /* 0: none yet */
    const char *type;  /* NULL: it has no content */
    struct buf fields; /* "NAME\0VALUE\0" of each further header field */
    struct buf body;   /* all of it; of a stream: what has not been taken yet */
    const void *fixed; /* instead of body: bytes that stay where they are */
    size_t fixed_len;
    struct stream stream;
};

/* Takes the reference; NULL is one for which there was no memory. */
void response_json(struct call *call, int status, json_t *value);
/* Where the caller of this appends the body. */
struct buf *response_text(struct call *call, int status, const char *type);
void response_bytes(struct call *call, const char *type, const void *bytes, size_t n);
/* The same of bytes that are never freed nor changed. */
void response_fixed(struct call *call, const char *type, const void *bytes, size_t n);
void response_empty(struct call *call, int status);
/* A body of any length, which more makes. over is called once, at the end or when the caller has
 * gone, and may be NULL. */
void response_stream(struct call *call, const char *type, response_more more,
                     void (*over)(struct call *call));
void response_problem(struct call *call, enum problem problem, const struct refusal *why);
void response_refuse(struct call *call, enum problem problem, const char *where,
                     const char *allowed, const char *what, ...)
    __attribute__((format(printf, 5, 6)));
/* The response to an outcome of run.h or catalogue.h that is not 0. */
void response_outcome(struct call *call, int outcome, const struct refusal *why);

/* Adds a header field to the response that was begun; the same name may come more than once. */
void response_field(struct call *call, const char *name, const char *value);

/* Gives it to libmicrohttpd. */
enum MHD_Result response_send(struct call *call);

/* Frees what it owns; work_over comes first. */
void response_free(struct call_response *response);
