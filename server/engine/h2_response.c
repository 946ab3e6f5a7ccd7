/* h2_response.c - a response into nghttp2: its header section at once, its body when there is room.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "engine/h2_impl.h"

#define NV_ADDED  3  /* :status, date, content-length */
#define NV_INLINE 64 /* without memory from the heap */

/* A response that came before its request's header section: whether it has a body is not known yet.
 * Or one that waits for the end of ENGINE_HOLD_STREAMS. */
struct h2_stored {
    int status;
    size_t header_count;
    struct header headers[];
};

/* --- The body */

static int set_body(struct h2_exchange *ex, const struct response *response)
{
    ex->body_len = response->body_len;
    ex->release = response->release;
    ex->release_arg = response->release_arg;
    if (ex->release) {
        ex->body = response->body;
        return 0;
    }
    uint8_t *copy = ex->inline_body;
    if (ex->body_len > sizeof ex->inline_body && !(copy = ex->body_copy = malloc(ex->body_len)))
        return -ENOMEM;
    if (ex->body_len)
        memcpy(copy, response->body, ex->body_len);
    ex->body = copy;
    return 0;
}

void h2_response_drop(struct h2_exchange *ex)
{
    void (*release)(void *) = ex->release;
    ex->release = NULL;
    if (release)
        release(ex->release_arg);
    free(ex->body_copy);
    ex->body_copy = NULL;
    free(ex->stored);
    ex->stored = NULL;
}

/* A DATA frame with nothing in it, and no end: nghttp2 would ask for the next one at once, for
 * ever. No place and no window makes such a frame; should one all the same, the response ends here.
 */
static h2_ssize no_progress(struct h2_exchange *ex)
{
    static struct log_gate gate;
    log_sometimes(&gate, LOG_ERROR, "h2: stream %d: its response made no progress and is given up",
                  ex->pub.stream);
    h2_exchange_lose(ex, LOST_BY_SERVER, "the server made no progress with its response");
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

/* nghttp2 asks how much goes into a DATA frame; the bytes themselves go past it, see send_data in
 * h2_session.c. */
static h2_ssize read_body(nghttp2_session *session, int32_t stream, uint8_t *unused, size_t length,
                          uint32_t *flags, nghttp2_data_source *source, void *user)
{
    struct h2 *h = user;
    struct h2_exchange *ex = source->ptr;
    size_t rest = ex->body_len - ex->body_sent;
    size_t n = rest < length ? rest : length;
    if (ex->outcome != H2_OPEN)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    int not_now = h->special ? h2_stop_ask(h, ex, &n) : 0;
    if (not_now)
        return not_now;
    n = h2_output_grant(h, n);
    if (n == 0 && h->paused)
        return NGHTTP2_ERR_PAUSE;
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    /* It ends with this frame; or with the next one, when it is to stop between. While what is said
     * is dropped, nothing stops. */
    if (n == rest && (ex->stop.content != ex->body_len + 1 || h->watch == H2_WATCHING))
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    else if (n == 0)
        return no_progress(ex);
    return (h2_ssize)n;
}

/* --- The header section */

static const char *date_now(void)
{
    static char text[CLOCK_IMF_SIZE];
    static time_t second = -1;
    time_t now = time(NULL);
    if (now != second) {
        clock_imf((int64_t)now * NS_PER_S, text);
        second = now;
    }
    return text;
}

/* What a response must not say on h2 (RFC 9113 8.2.2), or what we say ourselves. */
static bool left_out(const struct header *h)
{
#define NAME(text)                                                                                 \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }
    static const struct {
        const char *text;
        size_t len;
    } names[] = {
        NAME("connection"),       NAME("content-length"),    NAME("date"),    NAME("keep-alive"),
        NAME("proxy-connection"), NAME("transfer-encoding"), NAME("upgrade"),
    };
#undef NAME
    if (h->name_len == 0 || h->name[0] == ':')
        return true;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (names[i].len == h->name_len && strncasecmp(names[i].text, h->name, h->name_len) == 0)
            return true;
    }
    return false;
}

/* A name of ours is static and lower-case: it need not be copied. nghttp2 copies the values. */
static nghttp2_nv own(const char *name, size_t name_len, const char *value, size_t value_len)
{
    return (nghttp2_nv){ (uint8_t *)name, (uint8_t *)value, name_len, value_len,
                         NGHTTP2_NV_FLAG_NO_COPY_NAME };
}
#define OWN(name, value, value_len) own(name, sizeof(name) - 1, value, value_len)

static size_t decimal(size_t value, char out[24])
{
    char digits[24];
    size_t n = 0;
    do {
        digits[n++] = (char)('0' + value % 10);
    } while (value /= 10);
    for (size_t i = 0; i < n; i++)
        out[i] = digits[n - 1 - i];
    return n;
}

static int submit_with(struct h2_exchange *ex, nghttp2_nv *nv, int status,
                       const struct header *headers, size_t count, bool fixed)
{
    const uint8_t flags =
        fixed ? NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE : NGHTTP2_NV_FLAG_NONE;
    struct h2 *h = h2_of(ex->pub.engine);
    bool bodiless = response_has_no_content(status);
    char length_text[24];
    size_t n = 0;

    assert(status >= 200 && status <= 999);
    const char status_text[] = { (char)('0' + status / 100), (char)('0' + status / 10 % 10),
                                 (char)('0' + status % 10) };
    nv[n++] = OWN(":status", status_text, sizeof status_text);
    for (size_t i = 0; i < count; i++) {
        if (!left_out(&headers[i]))
            nv[n++] = (nghttp2_nv){ (uint8_t *)headers[i].name, (uint8_t *)headers[i].value,
                                    headers[i].name_len, headers[i].value_len, flags };
    }
    nv[n++] = OWN("date", date_now(), CLOCK_IMF_SIZE - 1);
    if (status == 205)
        nv[n++] = OWN("content-length", "0", 1);
    else if (!bodiless)
        nv[n++] = OWN("content-length", length_text, decimal(ex->body_len, length_text));

    if (bodiless || ex->is_head)
        ex->body_len = 0;                                  /* none of it is sent */
    bool body = ex->body_len > 0 || ex->stop.content == 1; /* or it stops behind this section */
    h2_data_provider provider = { .source.ptr = ex, .read_callback = read_body };
    return h2_submit_response(h->session, ex->pub.stream, nv, n, body ? &provider : NULL);
}

/* fixed: as fixed_headers of struct response. */
static int submit(struct h2_exchange *ex, int status, const struct header *headers, size_t count,
                  bool fixed)
{
    nghttp2_nv inline_nv[NV_INLINE], *nv = inline_nv;
    if (count + NV_ADDED > NV_INLINE && !(nv = malloc((count + NV_ADDED) * sizeof *nv)))
        return -ENOMEM;
    int error = submit_with(ex, nv, status, headers, count, fixed);
    if (nv != inline_nv)
        free(nv);
    return error ? -ENOMEM : 0; /* nghttp2 can fail here for no other reason */
}

static int store(struct h2_exchange *ex, const struct response *response)
{
    size_t text = 0, count = response->header_count;
    for (size_t i = 0; i < count; i++)
        text += response->headers[i].name_len + response->headers[i].value_len;
    struct h2_stored *stored = malloc(sizeof *stored + count * sizeof *stored->headers + text);
    if (!stored)
        return -ENOMEM;
    char *at = (char *)(stored->headers + count);
    stored->status = response->status;
    stored->header_count = count;
    for (size_t i = 0; i < count; i++) {
        struct header *h = &stored->headers[i];
        *h = response->headers[i];
        h->name = memcpy(at, h->name, h->name_len);
        at += h->name_len;
        h->value = memcpy(at, h->value, h->value_len);
        at += h->value_len;
    }
    ex->stored = stored;
    return 0;
}

int h2_respond(struct exchange *pub, const struct response *response)
{
    struct h2_exchange *ex = (struct h2_exchange *)pub;
    struct h2 *h = h2_of(pub->engine);

    assert(!ex->answered);
    ex->answered = true;
    if (pub->stream > h->answered)
        h->answered = pub->stream;
    if (h->watch == H2_WATCHING || ex->outcome != H2_OPEN || h->failed) {
        if (response->release)
            response->release(response->release_arg);
        return 0;
    }
    int error = set_body(ex, response);
    if (!error)
        error = ex->headers_in && !h->hold_streams
                    ? submit(ex, response->status, response->headers, response->header_count,
                             response->fixed_headers)
                    : store(ex, response);
    if (error) {
        h2_exchange_abort(ex, NGHTTP2_INTERNAL_ERROR, LOST_BY_SERVER,
                          "the server has no memory for the response");
        h2_settle(h);
        return error;
    }
    if (!h->in_input)
        h2_pump(h, false);
    return 0;
}

void h2_response_stored(struct h2_exchange *ex)
{
    if (h2_of(ex->pub.engine)->hold_streams)
        return;
    if (ex->outcome == H2_OPEN &&
        submit(ex, ex->stored->status, ex->stored->headers, ex->stored->header_count, false) < 0)
        h2_exchange_abort(ex, NGHTTP2_INTERNAL_ERROR, LOST_BY_SERVER,
                          "the server has no memory for the response");
    free(ex->stored);
    ex->stored = NULL;
}

/* Is the request answered, whole or lost, or may nothing of a response be said? */
static bool is_past_interim(const struct h2_exchange *ex)
{
    return ex->answered || ex->outcome != H2_OPEN || h2_of(ex->pub.engine)->hold_streams;
}

bool h2_expects(const struct exchange *pub)
{
    const struct h2_exchange *ex = (const struct h2_exchange *)pub;
    return ex->expects && !ex->whole && !is_past_interim(ex);
}

void h2_no_continue(struct exchange *pub)
{
    ((struct h2_exchange *)pub)->expects = false;
}

bool h2_takes_interim(const struct exchange *pub)
{
    return true;
}

int h2_interim(struct exchange *pub, const struct response *response)
{
    struct h2_exchange *ex = (struct h2_exchange *)pub;
    struct h2 *h = h2_of(pub->engine);
    nghttp2_nv nv[NV_INLINE];
    char status[4];
    size_t n = 0;

    if (is_past_interim(ex) || h->watch != H2_SERVING || h->failed)
        return -EALREADY;
    if (response->header_count + 1 > NV_INLINE)
        return -EINVAL;
    snprintf(status, sizeof status, "%03u", (unsigned)response->status % 1000);
    nv[n++] = OWN(":status", status, 3);
    for (size_t i = 0; i < response->header_count; i++) {
        const struct header *f = &response->headers[i];
        if (!left_out(f))
            nv[n++] = (nghttp2_nv){ (uint8_t *)f->name, (uint8_t *)f->value, f->name_len,
                                    f->value_len, NGHTTP2_NV_FLAG_NONE };
    }
    if (response->status == 100)
        ex->expects = false;
    if (nghttp2_submit_headers(h->session, NGHTTP2_FLAG_NONE, pub->stream, NULL, nv, n, NULL) < 0)
        return -ENOMEM;
    if (!h->in_input)
        h2_pump(h, false);
    return 0;
}

void h2_response_continue(struct h2_exchange *ex)
{
    static const struct response go_on = { .status = 100 };
    if (h2_expects(&ex->pub))
        h2_interim(&ex->pub, &go_on);
}
