/* h2_stop.c - a response stops where the host says, and continues when it says.
 *
 * A place in the content is the end of a DATA frame, cut to size when nghttp2 asks for its length;
 * behind it nghttp2 is told to wait with this stream ("deferred"), and the others continue.
 * END_STREAM is never on the frame that ends at a place: there would be nothing left to stop.
 *
 * A place in the octets may be inside a frame. Then nothing else can be put out, so the connection
 * stops as a whole: the rest of that frame is kept (h2.block), and nghttp2 is asked for nothing. It
 * believes that the frame was sent, and may have closed the stream.
 *
 * What has stopped is told to the host with the other ends of exchanges (h2_settle), one place at a
 * time. A lost exchange stops nothing, as nobody is left to continue it: its frame is finished.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/h2_impl.h"

/* A frame is out in full only after the stop in its octets, so it is one place at a time. */
static void reach(struct h2 *h, struct h2_exchange *ex, enum h2_stopped at)
{
    ex->stop.at = at;
    *(at == H2_AT_OCTETS ? &ex->stop.octets : &ex->stop.content) = 0;
    h->stop_reached = true;
}

/* --- Counting what is put out */

/* Puts out so much of it as the place allows; returns how much. */
static size_t put_some(struct h2 *h, struct h2_exchange *ex, const uint8_t *bytes, size_t n)
{
    struct h2_stop *stop = &ex->stop;
    bool here = false;
    if (stop->at == H2_AT_OCTETS)
        return 0;
    if (stop->octets && stop->octets - 1 - stop->out <= n) {
        n = (size_t)(stop->octets - 1 - stop->out);
        here = true;
    }
    if (n > 0)
        h2_output_put(h, bytes, n);
    stop->out += n;
    if (here)
        reach(h, ex, H2_AT_OCTETS);
    return n;
}

/* A header section or a DATA frame is out. */
static void frame_done(struct h2 *h, struct h2_exchange *ex)
{
    if (ex->stop.content == ex->body_sent + 1)
        reach(h, ex, H2_AT_CONTENT);
}

/* Puts out a frame in two pieces as far as its place, and keeps the rest. */
static void put_frame(struct h2 *h, struct h2_exchange *ex, const uint8_t *head, size_t head_len,
                      const uint8_t *payload, size_t len, bool whole_section)
{
    if (h->watch == H2_WATCHING)
        return;
    size_t n = put_some(h, ex, head, head_len);
    head += n;
    head_len -= n;
    if (head_len == 0 && len > 0) {
        n = put_some(h, ex, payload, len);
        payload += n;
        len -= n;
    }
    if (ex->stop.at != H2_AT_OCTETS) {
        if (whole_section)
            frame_done(h, ex);
        return;
    }
    struct h2_block *block = malloc(sizeof *block + head_len + len);
    if (!block) { /* it cannot stop here, and says so by ending the connection */
        ex->stop.at = H2_RUNS;
        if (head_len)
            h2_output_put(h, head, head_len);
        if (len)
            h2_output_put(h, payload, len);
        h2_fail(h, NGHTTP2_INTERNAL_ERROR, NULL, true);
        return;
    }
    *block = (struct h2_block){ .ex = ex, .whole_section = whole_section, .end = head_len + len };
    if (head_len)
        memcpy(block->octets, head, head_len);
    if (len)
        memcpy(block->octets + head_len, payload, len);
    h->block = block;
}

void h2_stop_put(struct h2 *h, const uint8_t *frame, size_t n)
{
    struct h2_exchange *ex = h->saying;
    bool whole_section = frame[4] & NGHTTP2_FLAG_END_HEADERS;
    if (whole_section)
        h->saying = NULL;
    put_frame(h, ex, frame, n, NULL, 0, whole_section);
}

void h2_stop_put_data(struct h2 *h, struct h2_exchange *ex, const uint8_t *head, size_t length)
{
    const uint8_t *payload = ex->body + ex->body_sent;
    ex->body_sent += length;
    put_frame(h, ex, head, H2_FRAME_HEAD, payload, length, true);
}

/* A 100 (Continue) is no part of the response that stops. */
void h2_stop_watch(struct h2 *h, const nghttp2_frame *frame)
{
    h->saying = NULL;
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.nvlen == 0 ||
        frame->headers.nva[0].value[0] == '1')
        return;
    struct h2_exchange *ex = nghttp2_session_get_stream_user_data(h->session, frame->hd.stream_id);
    if (ex && ex->stop.counted && ex->outcome == H2_OPEN && h->watch != H2_WATCHING)
        h->saying = ex;
}

int h2_stop_ask(struct h2 *h, struct h2_exchange *ex, size_t *n)
{
    struct h2_stop *stop = &ex->stop;
    if (h->watch == H2_WATCHING)
        return 0; /* what is said is dropped: nobody would be told of the place, nor continues it
                   */
    if (h->hold_streams)
        return NGHTTP2_ERR_PAUSE;
    if (stop->at == H2_AT_CONTENT) {
        stop->deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    if (stop->content && stop->content - 1 - ex->body_sent < *n)
        *n = (size_t)(stop->content - 1 - ex->body_sent);
    return 0;
}

/* --- Continuing */

bool h2_stop_pass(struct h2 *h)
{
    struct h2_block *block = h->block;
    struct h2_exchange *ex = block->ex;
    if (h->watch == H2_WATCHING)
        return true;
    if (ex && ex->stop.at == H2_AT_OCTETS)
        return false;
    const uint8_t *rest = block->octets + block->start;
    size_t n = block->end - block->start;
    if (!ex && n > 0)
        h2_output_put(h, rest, n);
    else if (n > 0)
        block->start += put_some(h, ex, rest, n);
    if (ex && ex->stop.at == H2_AT_OCTETS)
        return false;
    h->block = NULL;
    if (ex && block->whole_section)
        frame_done(h, ex);
    free(block);
    return true;
}

bool h2_stop_cuts(const struct h2_exchange *ex)
{
    const struct h2_block *block = h2_of(ex->pub.engine)->block;
    return block && block->ex == ex && block->end > block->start;
}

void h2_stop_release(struct h2_exchange *ex)
{
    struct h2 *h = h2_of(ex->pub.engine);
    if (h->block && h->block->ex == ex)
        h->block->ex = NULL;
    if (h->saying == ex)
        h->saying = NULL;
}

/* --- The host's side */

static struct h2_exchange *first_stopped(struct h2 *h)
{
    for (struct link *i = h->exchanges.next; i != &h->exchanges; i = i->next) {
        struct h2_exchange *ex = link_entry(i, struct h2_exchange, link);
        if (ex->stop.at && !ex->stop.told && ex->outcome != H2_LOST && !ex->told)
            return ex;
    }
    return NULL;
}

bool h2_stop_tell(struct h2 *h)
{
    struct h2_exchange *ex = first_stopped(h);
    if (!ex) {
        h->stop_reached = false;
        return false;
    }
    enum engine_stop of = ex->stop.at == H2_AT_OCTETS ? STOP_OCTETS : STOP_CONTENT;
    ex->stop.told = true;
    ex->refs++;
    h->engine.calls->stopped(h->engine.host, &ex->pub, of);
    h2_exchange_unref(ex);
    return true;
}

/* Has the response passed this place of its content, or is it bound to? */
static bool content_passed(const struct h2_exchange *ex, uint64_t n)
{
    if (ex->outcome != H2_OPEN || n < ex->body_sent)
        return true;
    const struct h2_block *block = h2_of(ex->pub.engine)->block;
    bool in_frame = block && block->ex == ex; /* which may end there */
    return n == ex->body_sent && ex->stop.out > 0 && !in_frame;
}

int h2_stop_at(struct exchange *pub, enum engine_stop of, uint64_t n)
{
    struct h2_exchange *ex = (struct h2_exchange *)pub;
    struct h2 *h = h2_of(pub->engine);
    struct h2_stop *stop = &ex->stop;
    if (!h->engine.calls->stopped)
        return -ENOTSUP;
    if (ex->outcome == H2_LOST)
        return 0; /* the host will hear of it */
    if (n == UINT64_MAX || (ex->answered && !stop->counted))
        return -EINVAL;
    if (of == STOP_OCTETS ? n <= stop->out : content_passed(ex, n))
        return -EINVAL;
    h->special = true;
    stop->counted = true;
    *(of == STOP_OCTETS ? &stop->octets : &stop->content) = n + 1;
    return 0;
}

void h2_stop_continue(struct exchange *pub)
{
    struct h2_exchange *ex = (struct h2_exchange *)pub;
    struct h2 *h = h2_of(pub->engine);
    struct h2_stop *stop = &ex->stop;
    if (!stop->told || ex->outcome == H2_LOST)
        return;
    stop->at = H2_RUNS;
    stop->told = false;
    if (stop->deferred) {
        stop->deferred = false;
        if (nghttp2_session_resume_data(h->session, pub->stream) == NGHTTP2_ERR_NOMEM)
            h2_exchange_abort(ex, NGHTTP2_INTERNAL_ERROR, LOST_BY_SERVER,
                              "the server has no memory for it");
    }
    if (!h->in_input)
        h2_pump(h, false);
}

uint64_t h2_said(const struct exchange *pub, enum engine_stop of)
{
    const struct h2_exchange *ex = (const struct h2_exchange *)pub;
    return of == STOP_OCTETS ? ex->stop.out : ex->body_sent;
}

bool h2_content(const struct exchange *pub, uint64_t *said, uint64_t *of)
{
    const struct h2_exchange *ex = (const struct h2_exchange *)pub;
    if (!ex->answered || ex->stored)
        return false;
    *said = ex->body_sent;
    *of = ex->body_len;
    return true;
}

bool h2_said_all(const struct exchange *pub)
{
    const struct h2_exchange *ex = (const struct h2_exchange *)pub;
    return ex->outcome == H2_ANSWERED && !h2_stop_cuts(ex);
}
