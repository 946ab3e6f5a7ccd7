/* What a client sends while its connection is held up is served afterwards, whatever its size and
 * however it comes: random stalls, holes, delays and reads, over real sockets. HELD_SEED,
 * HELD_RUNS.
 */
#include "engine/h2_impl.h"

#include "harness/run_peer.h"

#include "wire/caps.h"

#define REQUESTS_MAX 6
#define SEND_MAX     (200 * 1024) /* queued by the client at once */
#define TOO_LONG     (30 * NS_PER_S)

static uint32_t dice;

static uint32_t random_below(uint32_t n)
{
    dice = dice * 1664525 + 1013904223;
    return (uint32_t)((uint64_t)(dice >> 8) * n >> 24);
}

#define PICK(array) (array)[random_below(COUNT(array))]

/* --- What a client asks */

struct upload {
    size_t size, sent;
    bool chunked, any;
};

struct client {
    struct peer peer;
    struct upload uploads[REQUESTS_MAX];
    unsigned count, asked, answered;
    nghttp2_session *h2;
    struct buf in; /* over h1 */
    bool ended;
};

static const uint8_t content[64 * 1024];

static struct upload random_upload(void)
{
    static const size_t sizes[] = { 0, 0, 1, 1000, 65535, 70000, 300000, 300000 };
    size_t size = random_below(12) ? PICK(sizes) : 5 * 1024 * 1024;
    return (struct upload){ .size = size, .chunked = random_below(2) };
}

/* Adds up to n octets of the next request. */
static void ask_h1(struct client *c, struct buf *out, size_t n)
{
    struct upload *u = &c->uploads[c->asked];
    if (!u->any && u->size && u->chunked)
        buf_text(out, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    else if (!u->any)
        buf_printf(out, "%s / HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n",
                   u->size ? "POST" : "GET", u->size);
    u->any = true;
    if (n > u->size - u->sent)
        n = u->size - u->sent;
    if (n > sizeof content)
        n = sizeof content;
    if (n && u->chunked)
        buf_printf(out, "%zx;a=b\r\n", n);
    buf_add(out, content, n);
    if (n && u->chunked)
        buf_text(out, "\r\n");
    u->sent += n;
    if (u->sent < u->size)
        return;
    if (u->size && u->chunked)
        buf_text(out, "0\r\nA: b\r\n\r\n");
    c->asked++;
}

static h2_ssize read_upload(nghttp2_session *session, int32_t stream, uint8_t *out, size_t n,
                            uint32_t *flags, nghttp2_data_source *source, void *user)
{
    struct upload *u = source->ptr;
    if (n > u->size - u->sent)
        n = u->size - u->sent;
    memset(out, 0, n);
    u->sent += n;
    if (u->sent == u->size)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (h2_ssize)n;
}

#if NGHTTP2_VERSION_NUM >= 0x013c00
#define submit_request nghttp2_submit_request2
#else
#define submit_request nghttp2_submit_request
#endif

static void ask_h2(struct client *c)
{
#define FIELD(name, value)                                                                         \
    {                                                                                              \
        (uint8_t *)(name), (uint8_t *)(value), strlen(name), strlen(value), 0                      \
    }
    struct upload *u = &c->uploads[c->asked++];
    const nghttp2_nv fields[] = { FIELD(":method", u->size ? "POST" : "GET"),
                                  FIELD(":scheme", "http"), FIELD(":path", "/"),
                                  FIELD(":authority", "x") };
    h2_data_provider provider = { .source.ptr = u, .read_callback = read_upload };
    assert_true(submit_request(c->h2, NULL, fields, COUNT(fields), u->size ? &provider : NULL, c) >
                0);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *peer_frame, void *user)
{
    struct client *c = user;
    if ((peer_frame->hd.type == NGHTTP2_HEADERS || peer_frame->hd.type == NGHTTP2_DATA) &&
        peer_frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
        c->answered++;
    c->ended |= peer_frame->hd.type == NGHTTP2_GOAWAY || peer_frame->hd.type == NGHTTP2_RST_STREAM;
    return 0;
}

/* --- How it sends and reads */

static void send_some(struct client *c)
{
    struct peer *p = &c->peer;
    struct buf bytes = { 0 };
    if (buf_len(&p->out) < SEND_MAX && c->asked < c->count && random_below(3)) {
        if (c->h2)
            ask_h2(c);
        else
            ask_h1(c, &bytes, 1 + random_below(random_below(2) ? 100 : 60000));
    }
    const uint8_t *frames;
    h2_ssize n;
    while (c->h2 && buf_len(&p->out) < SEND_MAX && (n = h2_session_send(c->h2, &frames)) > 0)
        buf_add(&bytes, frames, (size_t)n);
    peer_records(p, &bytes, 1 + random_below(16000));
    buf_free(&bytes);
    if (!buf_len(&p->out))
        return;
    size_t part = random_below(4) ? buf_len(&p->out) : 1 + random_below((uint32_t)buf_len(&p->out));
    ssize_t sent = send(p->fd, buf_bytes(&p->out), part, MSG_NOSIGNAL | MSG_DONTWAIT);
    c->ended |= sent < 0 && errno != EAGAIN;
    if (sent > 0)
        buf_consume(&p->out, (size_t)sent);
}

/* Takes whole answers off what was read over h1. */
static void count_answers(struct client *c)
{
    for (;;) {
        const char *text = (const char *)buf_bytes(&c->in), *length;
        const char *end = buf_len(&c->in) ? memmem(text, buf_len(&c->in), "\r\n\r\n", 4) : NULL;
        if (!end)
            return;
        length = memmem(text, (size_t)(end - text), "Content-Length: ", 16);
        size_t whole = (size_t)(end + 4 - text) + (length ? strtoul(length + 16, NULL, 10) : 0);
        if (buf_len(&c->in) < whole)
            return;
        assert_memory_equal(text, "HTTP/1.1 4", 10); /* 404: nothing is at "/" */
        buf_consume(&c->in, whole);
        c->answered++;
    }
}

static void read_some(struct client *c)
{
    static uint8_t bytes[16384];
    struct peer *p = &c->peer;
    ssize_t n = p->tls ? gnutls_record_recv(p->tls, bytes, sizeof bytes)
                       : recv(p->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    bool again = p->tls ? n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED
                        : n < 0 && (errno == EAGAIN || errno == EINTR);
    c->ended |= !again && n <= 0;
    if (n <= 0)
        return;
    if (c->h2)
        assert_int_equal(h2_session_recv(c->h2, bytes, (size_t)n), n);
    else
        buf_add(&c->in, bytes, (size_t)n);
    count_answers(c);
}

static void open_client(struct client *c, enum over over, enum http http)
{
    *c = (struct client){ .count = 1 + random_below(REQUESTS_MAX) };
    for (unsigned i = 0; i < c->count; i++)
        c->uploads[i] = random_upload();
    open_peer(&c->peer, over, http == H2 ? H2 : H1);
    if (http != H2)
        return;
    nghttp2_session_callbacks *callbacks;
    assert_int_equal(nghttp2_session_callbacks_new(&callbacks), 0);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    assert_int_equal(nghttp2_session_client_new(&c->h2, callbacks, c), 0);
    nghttp2_session_callbacks_del(callbacks);
    const uint8_t *said; /* by open_peer */
    assert_int_equal(nghttp2_submit_settings(c->h2, NGHTTP2_FLAG_NONE, NULL, 0), 0);
    assert_int_equal(h2_session_send(c->h2, &said), 24);
    assert_int_equal(h2_session_send(c->h2, &said), 9);
}

static void close_client(struct client *c)
{
    nghttp2_session_del(c->h2);
    buf_free(&c->in);
    close_peer(&c->peer);
}

/* --- What holds it up */

static void random_rules(char *rules, size_t size)
{
    static const char *const when[] = {
        "\"on\":\"request\",\"at\":\"first_byte\"", "\"on\":\"request\",\"at\":\"headers\"",
        "\"on\":\"request\",\"at\":\"complete\"",   "\"on\":\"reuse\"",
        "\"on\":\"age\",\"after\":\"3ms\"",         "\"on\":\"protocol\"",
    };
    char text[600] = "";
    size_t len = 0;
    for (unsigned n = 1 + random_below(3); n > 0; n--) {
        unsigned ms = 1 + random_below(20);
        bool hole = caps_have(CAP_BLACK_HOLE) && random_below(8) == 0;
        const char *place = PICK(when);
        len += (size_t)snprintf(text + len, sizeof text - len,
                                "%s{%s,\"times\":%u,\"do\":[\"%s\",{\"wait\":\"%ums\"},\"%s\"]}",
                                len ? "," : "", place, 1 + random_below(3),
                                hole ? "black_hole" : "stall", ms, hole ? "heal" : "resume");
    }
    if (random_below(3) == 0)
        snprintf(text + len, sizeof text - len,
                 ",{\"on\":\"request\",\"at\":\"headers\",\"do\":[{\"delay\":\"%ums\"}]}",
                 1 + random_below(20));
    snprintf(rules, size, "[%s]", text);
}

static void check_ledger(const struct client *c, const char *what)
{
    json_t *events = events_since(c->peer.since);
    json_int_t told = 0, sent = 0;
    size_t i;
    json_t *event;
    json_array_foreach(events, i, event)
    {
        if (strcmp(json_string_value(json_object_get(event, "event")), "request_complete") == 0 &&
            !json_object_get(event, "sent_into")) /* which was stale, and is served later */
            told += number_in(event, "body_bytes");
    }
    for (unsigned n = 0; n < c->count; n++)
        sent += (json_int_t)c->uploads[n].size;
    if (count_events(events, "request") != c->count || told != sent ||
        count_events(events, "response_end") != c->count || count_events(events, "limit") ||
        count_events(events, "exchange_lost") || count_events(events, "protocol_error"))
        fail_msg("%s: %zu requests, %zu response_end, %zu lost, %lld of %lld bytes", what,
                 count_events(events, "request"), count_events(events, "response_end"),
                 count_events(events, "exchange_lost"), (long long)told, (long long)sent);
    json_decref(events);
}

static void one(uint32_t seed)
{
    static struct client c;
    char rules[700], what[1000];
    dice = seed;
    enum over over = random_below(2) ? TLS13 : CLEARTEXT;
    enum http http = random_below(2) ? H2 : H1;
    random_rules(rules, sizeof rules);
    snprintf(what, sizeof what, "HELD_SEED=%u HELD_RUNS=1 (%s %s, %s)", seed, over_names[over],
             http_names[http], rules);
    set_rules(rules);
    open_client(&c, over, http);
    int64_t until = clock_now() + TOO_LONG;
    while (c.answered < c.count && !c.ended && clock_now() < until) {
        send_some(&c);
        if (random_below(4))
            read_some(&c);
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    if (c.answered < c.count && getenv("HELD_SEED")) {
        json_t *events = events_since(c.peer.since);
        json_dumpf(events, stderr, JSON_INDENT(1) | JSON_COMPACT);
        json_decref(events);
    }
    if (c.answered < c.count)
        fail_msg("%s: %u of %u requests were answered%s", what, c.answered, c.count,
                 c.ended ? ", then it ended" : "");
    for (int i = 0; i < 100; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
    check_ledger(&c, what);
    close_client(&c);
}

static void what_came_meanwhile_is_served(void **state)
{
    const char *seed = getenv("HELD_SEED"), *runs = getenv("HELD_RUNS");
    uint32_t first = seed ? (uint32_t)strtoul(seed, NULL, 10) : 1;
    for (uint32_t i = 0; i < (runs ? strtoul(runs, NULL, 10) : 60); i++)
        one(first + i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_came_meanwhile_is_served, rig_reset),
    };
    caps_probe();
    rig_body_limit = 16 * 1024 * 1024;
    rig_tls = minted_server();
    int failed = cmocka_run_group_tests(tests, rig_start, rig_stop);
    tls_server_destroy(rig_tls);
    return failed;
}
