#include "shape.h"

struct shape shape;
char shape_block[1 << 20];

/* --- The client's seat */

static void read_client(struct bench *b)
{
    uint8_t bytes[65536];
    ssize_t n;
    while ((n = recv(b->client, bytes, sizeof bytes, 0)) > 0) {
        size_t at = buf_len(&shape.raw);
        for (size_t i = at; i < at + (size_t)n && i < 64; i++)
            shape.came_at[i] = clock_now();
        buf_add(&shape.raw, bytes, (size_t)n);
    }
    shape.fin = shape.fin || n == 0;
    shape.rst = shape.rst || (n < 0 && errno == ECONNRESET);
    if (shape.fin || shape.rst)
        shape_pause();
}

static void readable(uv_poll_t *poll, int status, int events)
{
    read_client(poll->data);
}

void shape_pause(void)
{
    uv_poll_stop(&shape.watch);
}

void shape_read(void)
{
    uv_poll_start(&shape.watch, UV_READABLE, readable);
}

static bool has_come(void *n)
{
    return buf_len(&shape.raw) >= *(size_t *)n || shape.fin || shape.rst;
}

void shape_until_raw(size_t n)
{
    loop_until(&loop, has_come, &n);
    assert_int_equal(buf_len(&shape.raw), n);
}

void shape_until_fin(void)
{
    loop_until(&loop, is_set, &shape.fin);
}

void shape_until_cut(struct bench *b)
{
    loop_until(&loop, bench_is_cut, b);
    assert_int_equal(b->cuts, 1);
}

/* <linux/tcp.h> knows of them, but cannot be included beside <netinet/tcp.h>. */
unsigned shape_segments(struct bench *b)
{
    struct {
        struct tcp_info known;
        uint64_t pacing_rate, max_pacing_rate, bytes_acked, bytes_received;
        uint32_t segs_out, segs_in, notsent_bytes, min_rtt, data_segs_in;
    } info = { 0 };
    socklen_t len = sizeof info;
    assert_int_equal(getsockopt(b->client, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
    return info.data_segs_in;
}

/* --- TLS */

static ssize_t pull(gnutls_transport_ptr_t transport, void *out, size_t size)
{
    struct bench *b = transport;
    size_t there = buf_len(&shape.raw) - shape.pulled, n = size < there ? size : there;
    if (n == 0 && !shape.fin) {
        gnutls_transport_set_errno(b->tls, EAGAIN);
        return -1;
    }
    memcpy(out, buf_bytes(&shape.raw) + shape.pulled, n);
    shape.pulled += n;
    return (ssize_t)n;
}

static ssize_t push(gnutls_transport_ptr_t transport, const void *bytes, size_t n)
{
    return client_tries(transport, bytes, n);
}

static void start_tls(struct bench *b)
{
    assert_int_equal(gnutls_certificate_allocate_credentials(&b->trust), 0);
    assert_int_equal(gnutls_init(&b->tls, GNUTLS_CLIENT | GNUTLS_NONBLOCK), 0);
    assert_int_equal(gnutls_priority_set_direct(b->tls, "NORMAL:-VERS-ALL:+VERS-TLS1.3", NULL), 0);
    assert_int_equal(gnutls_credentials_set(b->tls, GNUTLS_CRD_CERTIFICATE, b->trust), 0);
    gnutls_transport_set_ptr(b->tls, b);
    gnutls_transport_set_pull_function(b->tls, pull);
    gnutls_transport_set_push_function(b->tls, push);
}

static bool has_shaken(void *bench)
{
    struct bench *b = bench;
    int result = gnutls_handshake(b->tls);
    assert_true(result == 0 || result == GNUTLS_E_AGAIN);
    return result == 0;
}

/* All that the wire has said has come, tickets too. */
static bool all_has_come(void *bench)
{
    const struct bench *b = bench;
    return b->established && buf_len(&shape.raw) >= wire_bytes_out(b->wire);
}

void shape_establish(struct bench *b)
{
    loop_until(&loop, has_shaken, b);
    loop_until(&loop, all_has_come, b);
    shape_read_tls(b);
    shape.raw.start = shape.raw.end = shape.pulled = 0;
}

void shape_read_tls(struct bench *b)
{
    uint8_t bytes[16384];
    ssize_t n;
    do {
        n = gnutls_record_recv(b->tls, bytes, sizeof bytes);
        if (n > 0)
            buf_add(&shape.plain, bytes, (size_t)n);
    } while (n > 0 || (n == GNUTLS_E_AGAIN && (shape.fin || shape.pulled < buf_len(&shape.raw))));
    shape.tls_error = (int)n;
}

bool shape_has_plain(void *n)
{
    shape_read_tls(shape.watch.data);
    return buf_len(&shape.plain) >= *(size_t *)n;
}

bool shape_tls_was_cut(void)
{
    return shape.tls_error == GNUTLS_E_PREMATURE_TERMINATION ||
           shape.tls_error == GNUTLS_E_UNEXPECTED_PACKET_LENGTH;
}

size_t shape_record(unsigned i)
{
    const uint8_t *at = buf_bytes(&shape.raw), *end = at + buf_len(&shape.raw);
    for (;; i--) {
        assert_true(end - at >= 5);
        size_t len = (size_t)at[3] << 8 | at[4];
        if (i == 0) {
            assert_int_equal(at[0], 23);
            return len;
        }
        at += 5 + len;
    }
}

/* --- From the beginning to the end */

int shape_start(void **state)
{
    for (size_t i = 0; i < sizeof shape_block; i++)
        shape_block[i] = (char)('a' + i % 26);
    return bench_start_tls(state);
}

static struct bench *set_up(bool tls)
{
    struct bench *b = malloc(sizeof *b);
    assert_non_null(b);
    shape = (struct shape){ 0 };
    bench_open(b, &bench_calls, tls);
    assert_int_equal(uv_poll_init(&loop, &shape.watch, b->client), 0);
    shape.watch.data = b;
    shape_read();
    return b;
}

int shape_set_up_cleartext(void **state)
{
    *state = set_up(false);
    return 0;
}

int shape_set_up_tls(void **state)
{
    struct bench *b = set_up(true);
    start_tls(b);
    *state = b;
    return 0;
}

static void watch_closed(uv_handle_t *handle)
{
    *(bool *)handle->data = true;
}

int shape_tear_down(void **state)
{
    bool over = false;
    shape.watch.data = &over;
    uv_close((uv_handle_t *)&shape.watch, watch_closed);
    bench_tear_down(state);
    loop_until(&loop, is_set, &over);
    buf_free(&shape.raw);
    buf_free(&shape.plain);
    return 0;
}

void shape_send(struct bench *b, size_t n)
{
    wire_send(b->wire, shape_block, n);
}

void shape_hold(struct bench *b, uint32_t chunk)
{
    assert_int_equal(wire_pace(b->wire, chunk, 3600 * NS_PER_S), 0);
}

void shape_let_go(struct bench *b, uint32_t chunk)
{
    assert_int_equal(wire_pace(b->wire, chunk, 20 * MS), 0);
}

bool shape_in_order(const struct buf *got)
{
    return memcmp(buf_bytes(got), shape_block, buf_len(got)) == 0;
}
