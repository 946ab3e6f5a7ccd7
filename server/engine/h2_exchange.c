/* h2_exchange.c - the memory of an exchange, and its header section.
 *
 * Structs are pooled with room for an ordinary request and its response, so that serving one
 * allocates nothing beyond what nghttp2 does, and an idle connection holds none. Header names and
 * values are not copied: they are nghttp2's own strings, kept by reference.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "engine/h2_impl.h"
#include "engine/head_memory.h"

#define POOL_MAX 256
#define FIELD_COST                                                                                 \
    160 /* of a field, beside its octets: two strings of nghttp2's, and its place                  \
         */

static struct h2_exchange *pool; /* linked by pub.data */
static unsigned pooled;

struct h2_exchange *h2_exchange_create(struct h2 *h, int32_t stream)
{
    struct h2_exchange *ex = pool;
    if (ex) {
        pool = ex->pub.data;
        pooled--;
    } else if (!(ex = malloc(sizeof *ex))) {
        return NULL;
    }
    memset(ex, 0, offsetof(struct h2_exchange, inline_headers));
    ex->pub.engine = &h->engine;
    ex->pub.stream = stream;
    ex->pub.request = (struct request){ .method = "", .target = "", .authority = "" };
    ex->headers = ex->inline_headers;
    ex->strings = ex->inline_strings;
    ex->header_max = H2_HEADERS_INLINE;
    ex->refs = 1;
    link_init(&ex->over);
    link_append(&h->exchanges, &ex->link);
    return ex;
}

void h2_exchange_unref(struct h2_exchange *ex)
{
    struct h2 *h = h2_of(ex->pub.engine);
    if (--ex->refs > 0)
        return;
    assert(link_empty(&ex->over));
    if (h->current == ex)
        h->current = NULL;
    link_remove(&ex->link);
    h2_response_drop(ex);
    buf_free(&ex->held);
    head_memory_give(&h->memory, ex->memory);
    for (size_t i = 0; i < ex->string_count; i++)
        nghttp2_rcbuf_decref(ex->strings[i]);
    if (ex->headers != ex->inline_headers)
        free(ex->headers);
    if (pooled < POOL_MAX) {
        ex->pub.data = pool;
        pool = ex;
        pooled++;
    } else {
        free(ex);
    }
}

void h2_exchange_stop(void)
{
    struct h2_exchange *ex;
    while ((ex = pool)) {
        pool = ex->pub.data;
        free(ex);
    }
    pooled = 0;
}

/* --- The header section */

static void keep(struct h2_exchange *ex, nghttp2_rcbuf *string)
{
    nghttp2_rcbuf_incref(string);
    ex->strings[ex->string_count++] = string;
}

/* Headers and strings share a block, of twice the size each time. Both are counted by header_max:
 * at most two strings are kept for a field. */
static int grow(struct h2_exchange *ex)
{
    size_t max = ex->header_max * 2;
    struct header *headers = malloc(max * (sizeof *headers + 2 * sizeof *ex->strings));
    if (!headers)
        return -ENOMEM;
    nghttp2_rcbuf **strings = (nghttp2_rcbuf **)(headers + max);
    memcpy(headers, ex->headers, ex->header_count * sizeof *headers);
    memcpy(strings, ex->strings, ex->string_count * sizeof *strings);
    if (ex->headers != ex->inline_headers)
        free(ex->headers);
    ex->headers = headers;
    ex->strings = strings;
    ex->header_max = max;
    return 0;
}

static bool is(nghttp2_vec have, const char *name)
{
    return have.len == strlen(name) && memcmp(have.base, name, have.len) == 0;
}

static const char **pseudo(struct request *request, nghttp2_vec name)
{
    switch (name.len) {
    case sizeof ":path" - 1:
        return is(name, ":path") ? &request->target : NULL;
    case sizeof ":method" - 1: /* and of ":scheme" */
        return is(name, ":method") ? &request->method : NULL;
    case sizeof ":authority" - 1:
        return is(name, ":authority") ? &request->authority : NULL;
    default:
        return NULL;
    }
}

/* Counts what n octets more of a section take. */
static enum h2_refusal take_memory(struct h2_exchange *ex, size_t n)
{
    static const enum h2_refusal refusals[] = { [HEAD_MEMORY_TAKEN] = H2_TAKEN,
                                                [HEAD_MEMORY_CONNECTION_FULL] = H2_CONNECTION_FULL,
                                                [HEAD_MEMORY_SERVER_FULL] = H2_SERVER_FULL };
    enum head_memory taken = head_memory_take(&h2_of(ex->pub.engine)->memory, n);
    if (taken == HEAD_MEMORY_TAKEN)
        ex->memory += n;
    return refusals[taken];
}

enum h2_refusal h2_exchange_add(struct h2_exchange *ex, nghttp2_rcbuf *name, nghttp2_rcbuf *value)
{
    nghttp2_vec n = nghttp2_rcbuf_get_buf(name), v = nghttp2_rcbuf_get_buf(value);
    ex->header_bytes += n.len + v.len + 32;
    if (ex->header_bytes > H2_HEADERS_MAX)
        return H2_TOO_LARGE;
    enum h2_refusal refusal = take_memory(ex, n.len + v.len + FIELD_COST);
    if (refusal)
        return refusal;
    if (ex->string_count + 2 > 2 * ex->header_max && grow(ex) < 0)
        return H2_NO_MEMORY;
    if (n.len > 0 && n.base[0] == ':') {
        struct request *request = &ex->pub.request;
        const char **member = pseudo(request, n);
        /* nghttp2 lets none pass but those of RFC 9113 8.3.1 and RFC 8441 4: this tells them. */
        request->pseudo = hash_word(request->pseudo ? request->pseudo : HASH_START,
                                    (uint64_t)n.base[1] << 32 | n.len);
        if (member) {
            keep(ex, value);
            *member = (const char *)v.base;
            if (member == &request->method)
                ex->is_head = is(v, "HEAD");
        }
        return H2_TAKEN;
    }
    keep(ex, name);
    keep(ex, value);
    ex->headers[ex->header_count++] = (struct header){
        .name = (const char *)n.base,
        .name_len = n.len,
        .value = (const char *)v.base,
        .value_len = v.len,
    };
    if (n.len == 4 && is(n, "host") && !*ex->pub.request.authority)
        ex->pub.request.authority = (const char *)v.base;
    else if (n.len == 6 && is(n, "expect"))
        ex->expects = v.len == 12 && strncasecmp((const char *)v.base, "100-continue", 12) == 0;
    return H2_TAKEN;
}

void h2_exchange_request(struct h2_exchange *ex)
{
    ex->pub.request.headers = ex->headers;
    ex->pub.request.header_count = ex->header_count;
}

/* --- Its end */

void h2_exchange_lose(struct h2_exchange *ex, enum ledger_lost_by by, const char *why)
{
    struct h2 *h = h2_of(ex->pub.engine);
    if (ex->stale || ex->outcome == H2_LOST || (ex->outcome == H2_ANSWERED && !h2_stop_cuts(ex)))
        return;
    if (ex->outcome == H2_OPEN)
        link_append(&h->over, &ex->over);
    ex->outcome = H2_LOST;
    ex->why = why;
    ex->pub.lost_by = by;
    ex->pub.window_shut =
        ex->headers_in && !ex->whole && h2_window_shut(&h->engine, ex->pub.stream);
    h2_stop_release(ex);
}

void h2_exchange_abort(struct h2_exchange *ex, uint32_t code, enum ledger_lost_by by,
                       const char *why)
{
    struct h2 *h = h2_of(ex->pub.engine);
    nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, ex->pub.stream, code);
    h2_exchange_lose(ex, by, why);
}

void h2_exchange_end(struct h2_exchange *ex, const char *why)
{
    struct h2 *h = h2_of(ex->pub.engine);
    if (ex == h->current && !ex->headers_in)
        ex->why_later = why;
    else if (ex->opened)
        h2_exchange_abort(ex, NGHTTP2_NO_ERROR, LOST_BY_FAULT, why);
    else
        h2_exchange_lose(ex, LOST_BY_FAULT, why);
}
