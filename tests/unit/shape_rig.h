/* shape_rig.h - a wire whose bytes are held back, and what its client reads, clear and TLS. */
#pragma once

#include "wire_bench.h"

#include <gnutls/gnutls.h>
#include <netinet/tcp.h>

#include "minted_server.h"

#define MS REAL_MS

static struct tls_server *tls;

/* --- The client's seat */

/* What has come, and over TLS what it means. */
static struct buf raw, plain;
static size_t pulled; /* of raw, by GnuTLS */
static bool saw_fin, saw_rst;
static int64_t came_at[64]; /* when each of the first bytes had come */
static gnutls_session_t client;
static gnutls_certificate_credentials_t trust;
static uv_poll_t watch;
static int tls_error; /* what ended reading TLS; 0: close_notify, GNUTLS_E_AGAIN: nothing did */

static inline void read_client(struct bench *b)
{
    uint8_t bytes[65536];
    ssize_t n;
    while ((n = recv(b->client, bytes, sizeof bytes, 0)) > 0) {
        for (size_t i = buf_len(&raw); i < buf_len(&raw) + (size_t)n && i < 64; i++)
            came_at[i] = clock_now();
        buf_add(&raw, bytes, (size_t)n);
    }
    saw_fin = saw_fin || n == 0;
    saw_rst = saw_rst || (n < 0 && errno == ECONNRESET);
    if (saw_fin || saw_rst)
        uv_poll_stop(&watch);
}

static inline void client_readable(uv_poll_t *poll, int status, int events)
{
    read_client(poll->data);
}

static inline void watch_client(struct bench *b)
{
    assert_int_equal(uv_poll_init(&loop, &watch, b->client), 0);
    watch.data = b;
    uv_poll_start(&watch, UV_READABLE, client_readable);
}

static inline bool has_raw(void *n)
{
    return buf_len(&raw) >= *(size_t *)n || saw_fin || saw_rst;
}

static inline void run_until_raw(size_t n)
{
    loop_wait(&loop, has_raw, &n, PATIENCE);
    assert_int_equal(buf_len(&raw), n);
}

static inline void run_until_fin(void)
{
    loop_until(&loop, is_set, &saw_fin);
}

static inline bool is_cut(void *bench)
{
    return ((struct bench *)bench)->cuts > 0;
}

static inline void run_until_cut(struct bench *b)
{
    loop_until(&loop, is_cut, b);
    assert_int_equal(b->cuts, 1);
}

/* Segments with data that the client's kernel was sent: <linux/tcp.h> knows of them, but cannot be
 * included beside <netinet/tcp.h>. */
static inline unsigned segments(struct bench *b)
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

static inline ssize_t pull(gnutls_transport_ptr_t transport, void *out, size_t size)
{
    size_t there = buf_len(&raw) - pulled, n = size < there ? size : there;
    if (n == 0 && !saw_fin) {
        gnutls_transport_set_errno(client, EAGAIN);
        return -1;
    }
    memcpy(out, buf_bytes(&raw) + pulled, n);
    pulled += n;
    return (ssize_t)n;
}

static inline ssize_t push(gnutls_transport_ptr_t transport, const void *bytes, size_t n)
{
    return try_say(transport, bytes, n);
}

static inline void start_tls(struct bench *b)
{
    assert_int_equal(gnutls_certificate_allocate_credentials(&trust), 0);
    assert_int_equal(gnutls_init(&client, GNUTLS_CLIENT | GNUTLS_NONBLOCK), 0);
    assert_int_equal(gnutls_priority_set_direct(client, "NORMAL:-VERS-ALL:+VERS-TLS1.3", NULL), 0);
    assert_int_equal(gnutls_credentials_set(client, GNUTLS_CRD_CERTIFICATE, trust), 0);
    gnutls_transport_set_ptr(client, b);
    gnutls_transport_set_pull_function(client, pull);
    gnutls_transport_set_push_function(client, push);
}

static inline void read_tls(void)
{
    uint8_t bytes[16384];
    ssize_t n;
    do {
        n = gnutls_record_recv(client, bytes, sizeof bytes);
        if (n > 0)
            buf_add(&plain, bytes, (size_t)n);
    } while (n > 0 || (n == GNUTLS_E_AGAIN && (saw_fin || pulled < buf_len(&raw))));
    tls_error = (int)n;
}

/* TLS has let so many bytes through. */
static inline bool has_plain(void *n)
{
    read_tls();
    return buf_len(&plain) >= *(size_t *)n;
}

/* Did TLS end without close_notify? */
static inline bool tls_was_cut(void)
{
    return tls_error == GNUTLS_E_PREMATURE_TERMINATION ||
           tls_error == GNUTLS_E_UNEXPECTED_PACKET_LENGTH;
}

static int shaken; /* what gnutls_handshake() said last */

static inline bool is_shaken(void *bench)
{
    shaken = gnutls_handshake(client);
    return shaken != GNUTLS_E_AGAIN;
}

/* All that the wire has said has come, tickets too. */
static inline bool all_has_come(void *bench)
{
    const struct bench *b = bench;
    return b->established && buf_len(&raw) >= wire_bytes_out(b->wire);
}

/* Shakes hands; what comes later is counted from here. */
static inline void establish(struct bench *b)
{
    loop_until(&loop, is_shaken, b);
    assert_int_equal(shaken, 0);
    loop_until(&loop, all_has_come, b);
    read_tls();
    raw.start = raw.end = pulled = 0;
}

/* The body length of the i-th TLS record that came; checks that it is application data. */
static inline size_t record(unsigned i)
{
    const uint8_t *at = buf_bytes(&raw), *end = at + buf_len(&raw);
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

#define RECORD(n) ((n) + 5 + 1 + 16) /* of n bytes, in TLS 1.3 with a 16-byte tag */

static inline int set_up_shape(struct bench *b, struct tls_server *server)
{
    saw_fin = saw_rst = false;
    pulled = 0;
    tls_error = 0;
    connect_bench(b, server);
    watch_client(b);
    return 0;
}

static inline int set_up_clear(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    *state = b;
    return set_up_shape(b, NULL);
}

static inline int set_up_tls(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    *state = b;
    set_up_shape(b, tls);
    start_tls(b);
    return 0;
}

static inline void watch_closed(uv_handle_t *handle)
{
    *(bool *)handle->data = true;
}

static inline int tear_down_shape(void **state)
{
    bool over = false;
    watch.data = &over;
    uv_close((uv_handle_t *)&watch, watch_closed);
    tear_down(state);
    loop_until(&loop, is_set, &over);
    buf_free(&raw);
    buf_free(&plain);
    if (client) {
        gnutls_deinit(client);
        gnutls_certificate_free_credentials(trust);
    }
    client = NULL;
    return 0;
}

static char block[1 << 20]; /* of letters in order, so that what comes can be told from the rest */

static inline void send_block(struct bench *b, size_t n)
{
    wire_send(b->wire, block, n);
}

static inline bool came_in_order(const struct buf *got)
{
    return memcmp(buf_bytes(got), block, buf_len(got)) == 0;
}

static inline int start(void **state)
{
    for (size_t i = 0; i < sizeof block; i++)
        block[i] = (char)('a' + i % 26);
    tls = minted_server();
    return start_loop(state);
}

static inline int stop(void **state)
{
    tls_server_destroy(tls);
    return loop_stop(state);
}

#define clear(name)   cmocka_unit_test_setup_teardown(name, set_up_clear, tear_down_shape)
#define secured(name) cmocka_unit_test_setup_teardown(name, set_up_tls, tear_down_shape)
