/* h1_pass.c - a request that is whole and answered goes to libmicrohttpd, for it to make the
 * response.
 *
 * It is told what it needs to know for that: the method, the version, and whether the connection
 * persists. A small head leaves its memory small, which it clears for each request (and 0.9.75
 * loops for ever when the tables it makes of a query or of cookies do not fit); and the content,
 * which the host was told of, is none of its business.
 */
#include <errno.h>
#include <string.h>

#include "engine/h1_impl.h"

#define METHOD_MAX 256 /* a longer one would not fit into libmicrohttpd's memory */

static const char stays[] = "Connection: keep-alive\r\n", closes[] = "Connection: close\r\n";

/* What the client said about the connection (RFC 9112 9.3). */
static const char *persistence(const struct request *request)
{
    const char *said = "";

    for (size_t i = 0; i < request->header_count; i++) {
        const struct header *f = &request->headers[i];

        if (!header_is(f, "Connection"))
            continue;
        if (header_has_token(f, "close"))
            return closes;
        if (header_has_token(f, "keep-alive"))
            said = stays;
    }
    return said;
}

bool h1_persists(const struct h1 *h)
{
    const char *said = persistence(&h->ex.request);

    return h->in.minor ? said != closes : said == stays;
}

int h1_pass_on(struct h1 *h)
{
    static struct buf head; /* used up here; kept, so that a request costs no allocation */
    int err = strlen(h->ex.request.method) > METHOD_MAX ? -E2BIG : h1_pair_take(h, &h->pair);

    if (err)
        return err;
    buf_consume(&head, buf_len(&head));
    buf_text(&head, h->ex.request.method);
    /* A minor version above ours is treated as ours (RFC 9110 2.5). */
    buf_text(&head, h->in.minor ? " / HTTP/1.1\r\nHost: x\r\n" : " / HTTP/1.0\r\nHost: x\r\n");
    buf_text(&head, persistence(&h->ex.request));
    err = buf_text(&head, "\r\n"); /* or what failed before it */
    if (err)
        buf_free(&head);
    else
        err = h1_pair_write(h->pair, buf_bytes(&head), buf_len(&head));
    if (err)
        h1_drop_pair(h);
    return err;
}

static enum MHD_Result queue_response(struct h1 *h, struct h1_pair *p)
{
    struct MHD_Response *response = h->response;

    if (h->stop)
        h1_stop_count(h, h1_pair_unread(p));
    enum MHD_Result queued = MHD_queue_response(p->mhd, (unsigned)h->status, response);

    h->response = NULL;
    MHD_destroy_response(response);
    return queued;
}

enum MHD_Result h1_pass_handle(struct h1_pair *p, const char *upload, size_t *n, bool first)
{
    struct h1 *h = p->owner;

    if (h->mode != H1_SERVING) {
        h1_pair_suspend(p);
        return MHD_YES;
    }
    if (first)
        return MHD_YES;
    return h->response ? queue_response(h, p) : MHD_NO;
}
