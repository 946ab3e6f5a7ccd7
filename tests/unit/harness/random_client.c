#include "random_client.h"

uint64_t random_state;
uint8_t random_large[LARGE_LEN];

uint32_t random_below(uint32_t n)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((random_state >> 33) * n >> 31);
}

static void put_frame(struct buf *to, uint8_t type, uint8_t flags, uint32_t stream,
                      const void *payload, size_t n)
{
    const uint8_t head[] = {
        (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n, type, flags, 0, 0, 0, (uint8_t)stream
    };
    assert_int_equal(buf_add(to, head, sizeof head), 0);
    assert_int_equal(buf_add(to, payload, n), 0);
}

/* --- What it asks. The nth request has the key "kN". */

static void compose_h1(struct random_client *c, unsigned i)
{
    static const uint8_t content[4096];
    struct ask *a = &c->asks[i];
    bool chunked = a->post && random_below(2);
    a->begin = buf_len(&c->bytes);
    buf_printf(&c->bytes, "%s %s?%u HTTP/1.1\r\nHost: x\r\nIdempotency-Key: k%u\r\n",
               a->post ? "POST" : "GET", a->large ? LARGE_PATH : SMALL_PATH, i, i + 1);
    if (chunked)
        buf_text(&c->bytes, "Transfer-Encoding: chunked\r\n");
    else if (a->post)
        buf_printf(&c->bytes, "Content-Length: %zu\r\n", a->content);
    buf_text(&c->bytes, "\r\n");
    a->head = buf_len(&c->bytes);
    while (a->sent < a->content) {
        size_t n = chunked ? 1 + random_below((uint32_t)(a->content - a->sent)) : a->content;
        if (chunked)
            buf_printf(&c->bytes, "%zx\r\n", n);
        buf_add(&c->bytes, content, n);
        if (chunked)
            buf_text(&c->bytes, "\r\n");
        a->sent += n;
    }
    if (chunked)
        buf_text(&c->bytes, "0\r\n\r\n");
    a->end = buf_len(&c->bytes);
}

static void compose_head_h2(struct random_client *c, unsigned i)
{
    struct ask *a = &c->asks[i];
    struct buf block = { 0 };
    char path[40], key[8];
    uint8_t last = a->post ? 0 : NGHTTP2_FLAG_END_STREAM;
    uint32_t stream = 2 * i + 1;
    snprintf(path, sizeof path, "%s?%u", a->large ? LARGE_PATH : SMALL_PATH, i);
    snprintf(key, sizeof key, "k%u", i + 1);
    buf_add(&block, a->post ? "\x83\x86\x04" : "\x82\x86\x04", 3);
    buf_printf(&block, "%c%s%c%cx%c%cidempotency-key%c%s", (int)strlen(path), path, 1, 1, 0, 15,
               (int)strlen(key), key);
    a->begin = buf_len(&c->bytes);
    size_t at = random_below(3) ? buf_len(&block) : random_below((uint32_t)buf_len(&block));
    uint8_t whole = at == buf_len(&block) ? NGHTTP2_FLAG_END_HEADERS : 0;
    put_frame(&c->bytes, NGHTTP2_HEADERS, last | whole, stream, buf_bytes(&block), at);
    if (!whole)
        put_frame(&c->bytes, NGHTTP2_CONTINUATION, NGHTTP2_FLAG_END_HEADERS, stream,
                  buf_bytes(&block) + at, buf_len(&block) - at);
    buf_free(&block);
    a->head = a->end = buf_len(&c->bytes);
    a->whole = !a->post;
}

/* A DATA frame, padded or not, empty or not, and after the last octet of content END_STREAM. */
static void compose_data_h2(struct random_client *c, unsigned i)
{
    uint8_t payload[4096] = { 0 };
    struct ask *a = &c->asks[i];
    size_t n = random_below((uint32_t)(a->content - a->sent) + 1), at = 0;
    uint8_t flags = 0;
    if (random_below(3) == 0) {
        flags = NGHTTP2_FLAG_PADDED;
        payload[at++] = (uint8_t)random_below(5);
    }
    a->sent += n;
    if (a->sent == a->content)
        flags |= NGHTTP2_FLAG_END_STREAM;
    put_frame(&c->bytes, NGHTTP2_DATA, flags, 2 * i + 1, payload, at + n + (at ? payload[0] : 0));
    a->end = buf_len(&c->bytes);
    a->whole = flags & NGHTTP2_FLAG_END_STREAM;
}

/* Requests are opened in their order; the content of those that are open comes mixed. */
static void compose_h2(struct random_client *c)
{
    static const uint8_t windows[] = { 0, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0, 16, 0, 0 };
    unsigned opened = 0, due;
    put_frame(&c->bytes, NGHTTP2_SETTINGS, 0, 0, windows, sizeof windows);
    put_frame(&c->bytes, NGHTTP2_WINDOW_UPDATE, 0, 0, "\0\x10\0\0", 4);
    do {
        due = 0;
        if (opened < c->count && random_below(2))
            compose_head_h2(c, opened++);
        for (unsigned i = 0; i < opened; i++) {
            if (!c->asks[i].whole && random_below(2))
                compose_data_h2(c, i);
            due += !c->asks[i].whole;
        }
    } while (due || opened < c->count);
}

static void compose(struct random_client *c)
{
    static const size_t contents[] = { 0, 1, 5, 900, 3000 };
    c->count = 1 + random_below(ASKS_MAX);
    for (unsigned i = 0; i < c->count; i++) {
        c->asks[i].post = random_below(2);
        c->asks[i].large = !c->asks[i].post && random_below(3) == 0;
        c->asks[i].content = c->asks[i].post ? PICK(contents) : 0;
    }
    if (c->peer.http == H2)
        compose_h2(c);
    else
        for (unsigned i = 0; i < c->count; i++)
            compose_h1(c, i);
}

/* --- How it sends */

bool random_has_ended(const struct random_client *c)
{
    return c->fin || c->rst || c->close_notify;
}

bool random_has_said_all(const struct random_client *c)
{
    return c->sealed == buf_len(&c->bytes) && !buf_len(&c->peer.out);
}

void random_say_some(struct random_client *c)
{
    static const uint32_t parts[] = { 1, 3, 20, 200, 20000 }, sizes[] = { 1, 9, 40, 500, 16000 };
    struct peer *p = &c->peer;
    size_t left = buf_len(&c->bytes) - c->sealed, n = 1 + random_below(PICK(parts));
    size_t each = 1 + random_below(PICK(sizes));
    if (n > left)
        n = left;
    for (size_t at = 0; at < n && !c->broken && buf_len(&p->out) < 100000; at += each) {
        size_t part = n - at < each ? n - at : each;
        /* GnuTLS seals nothing more once a fatal alert or the end has come. */
        c->broken = p->tls && random_has_ended(c);
        if (!c->broken)
            peer_record(p, buf_bytes(&c->bytes) + c->sealed, part);
        c->sealed += part;
    }
    n = random_below(4) ? buf_len(&p->out) : random_below((uint32_t)buf_len(&p->out) + 1);
    ssize_t sent = n ? send(p->fd, buf_bytes(&p->out), n, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;
    c->broken |= sent < 0 && errno != EAGAIN;
    if (sent > 0)
        buf_consume(&p->out, (size_t)sent);
    if (!buf_len(&p->out) && !c->broken)
        c->delivered = c->sealed;
}

/* --- What it reads */

void show_ledger(const struct random_client *c)
{
    json_t *events = events_since(c->peer.since), *event;
    size_t i;
    json_array_foreach(events, i, event)
    {
        json_dumpf(event, stderr, JSON_COMPACT);
        fputc('\n', stderr);
    }
    json_decref(events);
}

/* The entitlement's body names the connection and the exchange; the times in it are any. */
static void check_small(const struct random_client *c, unsigned i, const char *what)
{
    const char *text = (const char *)buf_bytes(&c->asks[i].answer);
    size_t n = buf_len(&c->asks[i].answer);
    char expected[400];
    json_t *body = json_loadb(text, n, 0, NULL);
    const char *issued = json_string_value(json_object_get(body, "issued")),
               *expires = json_string_value(json_object_get(body, "expires"));
    int len = snprintf(expected, sizeof expected,
                       "{\"entitlements\":[{\"id\":\"premium\",\"active\":true}],\"issued\":\"%s\","
                       "\"expires\":\"%s\",\"served\":{\"connection\":%llu,\"exchange\":%u,"
                       "\"protocol\":\"%s\",\"attempt\":1}}\n",
                       issued ? issued : "", expires ? expires : "", (unsigned long long)c->id,
                       i + 1, c->peer.http == H2 ? "h2" : "http/1.1");
    if ((size_t)len != n || memcmp(expected, text, n) != 0) {
        show_ledger(c);
        fail_msg("%s: the answer to %u is %.*s", what, i + 1, (int)n, text);
    }
    json_decref(body);
}

/* Octets of the content of a response. */
static void take_content(struct random_client *c, unsigned i, const uint8_t *bytes, size_t n,
                         const char *what)
{
    struct ask *a = &c->asks[i];
    if (a->answered || !a->headed)
        fail_msg("%s: content outside the answer to %u", what, i + 1);
    if (a->large && (a->got + n > LARGE_LEN || memcmp(bytes, random_large + a->got, n) != 0))
        fail_msg("%s: the answer to %u is not what is served", what, i + 1);
    if (!a->large)
        buf_add(&a->answer, bytes, n);
    a->got += n;
}

static void take_end(struct random_client *c, unsigned i, const char *what)
{
    struct ask *a = &c->asks[i];
    if (a->answered || !a->headed || (a->large && a->got != LARGE_LEN))
        fail_msg("%s: the answer to %u ends wrongly, after %zu octets", what, i + 1, a->got);
    if (!a->large)
        check_small(c, i, what);
    a->answered = true;
    c->answered++;
}

/* Takes what there is of answers, one after the other. */
static void take_h1(struct random_client *c, const char *what)
{
    static const char first[] = "HTTP/1.1 200 OK\r\n";
    while (buf_len(&c->in) > 0) {
        const char *text = (const char *)buf_bytes(&c->in);
        unsigned i = c->answered;
        if (i == c->count)
            fail_msg("%s: an answer to nothing: %.*s", what, (int)buf_len(&c->in), text);
        struct ask *a = &c->asks[i];
        if (!a->headed) {
            size_t n = buf_len(&c->in) < sizeof first - 1 ? buf_len(&c->in) : sizeof first - 1;
            const char *end = memmem(text, buf_len(&c->in), "\r\n\r\n", 4);
            if (memcmp(text, first, n) != 0)
                fail_msg("%s: the answer to %u: %.*s", what, i + 1, (int)buf_len(&c->in), text);
            if (!end)
                return;
            const char *length = memmem(text, (size_t)(end - text), "Content-Length: ", 16);
            assert_non_null(length);
            a->length = strtoul(length + 16, NULL, 10);
            a->headed = true;
            buf_consume(&c->in, (size_t)(end + 4 - text));
        }
        size_t n = a->length - a->got < buf_len(&c->in) ? a->length - a->got : buf_len(&c->in);
        take_content(c, i, buf_bytes(&c->in), n, what);
        buf_consume(&c->in, n);
        if (a->got < a->length)
            return;
        take_end(c, i, what);
    }
}

/* The status in a header block, which goes through the decoder in any case. */
static int take_block(struct random_client *c, const uint8_t *bytes, size_t n)
{
    int status = 0, flags = 0;
    nghttp2_nv field;
    while (n > 0 && !(flags & NGHTTP2_HD_INFLATE_FINAL)) {
        ssize_t used = nghttp2_hd_inflate_hd2(c->inflater, &field, &flags, bytes, n, 1);
        assert_true(used >= 0);
        bytes += used;
        n -= (size_t)used;
        if (flags & NGHTTP2_HD_INFLATE_EMIT && field.namelen == 7 &&
            memcmp(field.name, ":status", 7) == 0)
            status = atoi((const char *)field.value);
    }
    nghttp2_hd_inflate_end_headers(c->inflater);
    return status;
}

static void take_frame(struct random_client *c, const uint8_t *f, size_t n, const char *what)
{
    unsigned i = f[8] / 2u;
    if (f[3] != NGHTTP2_HEADERS && f[3] != NGHTTP2_DATA)
        return;
    if (!(f[8] & 1) || i >= c->count)
        fail_msg("%s: a frame of type %u on stream %u", what, f[3], f[8]);
    if (f[3] == NGHTTP2_HEADERS) {
        int status = take_block(c, f + 9, n);
        if (status != 200 || c->asks[i].headed)
            fail_msg("%s: the answer to %u has status %d", what, i + 1, status);
        c->asks[i].headed = true;
    } else {
        take_content(c, i, f + 9, n, what);
    }
    if (f[4] & NGHTTP2_FLAG_END_STREAM)
        take_end(c, i, what);
}

static void take_h2(struct random_client *c, const char *what)
{
    while (buf_len(&c->in) >= 9) {
        const uint8_t *f = buf_bytes(&c->in);
        size_t n = (size_t)f[0] << 16 | (size_t)f[1] << 8 | f[2];
        if (buf_len(&c->in) < 9 + n)
            return;
        take_frame(c, f, n, what);
        buf_consume(&c->in, 9 + n);
    }
}

bool random_hear_some(struct random_client *c, const char *what)
{
    static uint8_t bytes[16384];
    struct peer *p = &c->peer;
    if (random_has_ended(c))
        return false;
    errno = 0;
    ssize_t n = p->tls ? gnutls_record_recv(p->tls, bytes, sizeof bytes)
                       : recv(p->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (p->tls ? n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED
               : n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (n <= 0) {
        c->close_notify = p->tls && n == 0;
        c->fin = p->tls ? n == GNUTLS_E_PREMATURE_TERMINATION : n == 0;
        c->rst = !c->fin && !c->close_notify;
        return false;
    }
    buf_add(&c->in, bytes, (size_t)n);
    if (p->http == H2)
        take_h2(c, what);
    else
        take_h1(c, what);
    return true;
}

void open_random(struct random_client *c, enum over over, enum http http)
{
    *c = (struct random_client){ .lazy = random_below(4) == 0 };
    open_peer(&c->peer, over, http);
    c->id = newest_id();
    assert_int_equal(nghttp2_hd_inflate_new(&c->inflater), 0);
    if (random_below(2)) {
        int few = 4096;
        setsockopt(c->peer.fd, SOL_SOCKET, SO_RCVBUF, &few, sizeof few);
    }
    compose(c);
}

void close_random(struct random_client *c)
{
    nghttp2_hd_inflate_del(c->inflater);
    buf_free(&c->bytes);
    buf_free(&c->in);
    for (unsigned i = 0; i < c->count; i++)
        buf_free(&c->asks[i].answer);
    close_peer(&c->peer);
}
