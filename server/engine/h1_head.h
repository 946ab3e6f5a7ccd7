/* h1_head.h - reads a stream of HTTP/1.x requests: heads strictly, bodies to know where they end.
 *
 * Both the engine and its witness (engine.h, "Watching") need to know where each message begins and
 * ends, and what a head says even if it never becomes whole; libmicrohttpd tells neither. Strict
 * means RFC 9112: what two parsers could read differently (RFC 9112 6.3, 11.2) is refused here, so
 * that libmicrohttpd, which gets the messages one at a time, sees the same boundaries.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "engine/engine.h"

#define H1_HEAD_MAX (12 * 1024) /* request line and header section, with their line ends */

enum h1_at {
    H1_BETWEEN, /* no request has begun: nothing but empty lines came */
    H1_IN_HEAD, /* the first octet is there */
    H1_IN_BODY, /* the head is whole, more of the message must come */
    H1_WHOLE,   /* the last octet was taken; h1_head_next() begins another */
    H1_BROKEN   /* can never become a request: status and why tell how and why to refuse it */
};

/* Where in a chunked body (RFC 9112 7.1) the next octet is. */
enum h1_chunk {
    H1_CHUNK_SIZE,
    H1_CHUNK_EXTENSION,
    H1_CHUNK_SIZE_LF,
    H1_CHUNK_DATA,
    H1_CHUNK_DATA_CR,
    H1_CHUNK_DATA_LF,
    H1_CHUNK_TRAILER, /* first octet of a trailer line */
    H1_CHUNK_TRAILER_NAME,
    H1_CHUNK_TRAILER_VALUE,
    H1_CHUNK_TRAILER_LF,
    H1_CHUNK_END_LF
};

/* Zeroed, it is between requests and owns nothing. */
struct h1_head {
    enum h1_at at;
    int status;             /* BROKEN: 4xx, 5xx; 503 for lack of memory */
    struct buf text;        /* the head as received, then the strings of request */
    size_t head_len;        /* of text, once the head is whole */
    struct request request; /* once the head is whole, until h1_head_next() */
    struct header *headers;
    int64_t begun_at; /* for request, set by who wants it there */
    size_t memory;    /* that head_memory.h counts for it */
    size_t line;      /* in head: where the line being received starts */
    bool uncounted;   /* memory is not counted; set at first by who has limits of its own */
    bool method_end;  /* in head: the method is whole */
    bool chunked;
    bool any;  /* a chunk-size has a digit */
    int minor; /* once the head is whole: of its version, HTTP/1.minor */
    enum h1_chunk chunk;
    unsigned extra;  /* octets of chunk extensions and trailers */
    uint64_t left;   /* octets of the body or the chunk to come */
    const char *why; /* BROKEN: one clause */
};

/* Takes octets and returns how many; stops early where `at` changes, so that each change is seen:
 * before the first octet of a request, after its head, after its last octet, and where it broke;
 * and where the content begins and ends between the framing of its chunks: what is taken is content
 * if h1_head_in_content() says so before. In WHOLE and BROKEN nothing is taken. */
size_t h1_head_feed(struct h1_head *h, const uint8_t *bytes, size_t n);

/* Whether the next octets, if there are any, are content. */
static inline bool h1_head_in_content(const struct h1_head *h)
{
    return h->at == H1_IN_BODY && (!h->chunked || h->chunk == H1_CHUNK_DATA);
}

/* From WHOLE to BETWEEN: forgets the message and frees its memory. */
void h1_head_next(struct h1_head *h);

/* In head: sets request to what has arrived, the rest is "" (method, target) or left out. The
 * parser can only be given to h1_head_free afterwards. Returns 0 or -ENOMEM. */
int h1_head_partial(struct h1_head *h);

/* A parser that continues where from stands; without request. Returns 0 or -ENOMEM (then zeroed).
 */
int h1_head_copy(struct h1_head *to, const struct h1_head *from);

void h1_head_free(struct h1_head *h);
