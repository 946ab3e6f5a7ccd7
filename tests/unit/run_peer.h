/* run_peer.h - a client of a run over h1 or h2, clear or TLS, that decides how its bytes are split
 * into records and segments.
 */
#pragma once

#include <gnutls/gnutls.h>
#include <netinet/tcp.h>

#include "run_client.h"

#include "harness/minted_server.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum over { CLEAR, TLS12, TLS13, OVERS };
enum http { H1, H2, HTTPS };
static const char *const over_names[] = { "clear", "TLS 1.2", "TLS 1.3" };
static const char *const http_names[] = { "h1", "h2" };

/* --- A client whose records are gathered, and sent when it says so */

struct peer {
    enum over over;
    enum http http;
    int fd;
    gnutls_session_t tls;
    int shaken; /* what gnutls_handshake() said last */
    gnutls_certificate_credentials_t trust;
    struct buf out;
    bool gathers;
    uint32_t stream;
    uint64_t since; /* the ledger's last event when it connected */
};

static inline ssize_t push(gnutls_transport_ptr_t transport, const void *bytes, size_t n)
{
    struct peer *p = transport;
    if (!p->gathers)
        return send(p->fd, bytes, n, MSG_NOSIGNAL);
    assert_int_equal(buf_add(&p->out, bytes, n), 0);
    return (ssize_t)n;
}

static inline ssize_t pull(gnutls_transport_ptr_t transport, void *bytes, size_t n)
{
    struct peer *p = transport;
    ssize_t got_now = recv(p->fd, bytes, n, 0);
    if (got_now < 0)
        gnutls_transport_set_errno(p->tls, errno);
    return got_now;
}

static inline bool is_shaken(void *peer)
{
    struct peer *p = peer;
    p->shaken = gnutls_handshake(p->tls);
    return p->shaken != GNUTLS_E_AGAIN;
}

static inline void shake(struct peer *p)
{
    static const char *const priorities[] = {
        [TLS12] = "NORMAL:-VERS-ALL:+VERS-TLS1.2", [TLS13] = "NORMAL:-VERS-ALL:+VERS-TLS1.3"
    };
    const gnutls_datum_t alpn = { (unsigned char *)(p->http == H2 ? "h2" : "http/1.1"),
                                  p->http == H2 ? 2 : 8 };
    assert_int_equal(gnutls_certificate_allocate_credentials(&p->trust), 0);
    assert_int_equal(gnutls_init(&p->tls, GNUTLS_CLIENT | GNUTLS_NONBLOCK), 0);
    assert_int_equal(gnutls_priority_set_direct(p->tls, priorities[p->over], NULL), 0);
    assert_int_equal(gnutls_credentials_set(p->tls, GNUTLS_CRD_CERTIFICATE, p->trust), 0);
    assert_int_equal(gnutls_alpn_set_protocols(p->tls, &alpn, 1, 0), 0);
    gnutls_transport_set_ptr(p->tls, p);
    gnutls_transport_set_push_function(p->tls, push);
    gnutls_transport_set_pull_function(p->tls, pull);
    loop_until(&loop, is_shaken, p);
    assert_int_equal(p->shaken, 0);
}

/* One record (clear: no boundary) of these bytes. */
static inline void record(struct peer *p, const void *bytes, size_t n)
{
    if (p->tls)
        assert_int_equal(gnutls_record_send(p->tls, bytes, n), n);
    else
        assert_int_equal(buf_add(&p->out, bytes, n), 0);
}

/* Records of at most each bytes. */
static inline void records(struct peer *p, const struct buf *bytes, size_t each)
{
    for (size_t at = 0; at < buf_len(bytes); at += each) {
        size_t n = buf_len(bytes) - at < each ? buf_len(bytes) - at : each;
        record(p, buf_bytes(bytes) + at, n);
    }
}

/* Waits until the ledger has so many events of this name since the client connected. */
static inline bool sees(struct peer *p, const char *name, size_t count)
{
    look_for(p->since, name, count);
    return run_until(is_found, PATIENCE);
}

/* All that was gathered, in one segment. */
static inline void send_out(struct peer *p)
{
    assert_int_equal(send(p->fd, buf_bytes(&p->out), buf_len(&p->out), MSG_NOSIGNAL),
                     buf_len(&p->out));
    buf_consume(&p->out, buf_len(&p->out));
}

static inline void greet(struct peer *p)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    if (p->http == H2) {
        record(p, preface, sizeof preface - 1);
        send_out(p);
        assert_true(sees(p, "peer_settings", 1));
    }
}

static inline void open_peer(struct peer *p, enum over over, enum http http)
{
    *p = (struct peer){ .over = over, .http = http, .stream = 1, .since = now_in_ledger() };
    listener.tls = over != CLEAR;
    int on = 1;
    p->fd = connect_client();
    setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (over != CLEAR) {
        shake(p);
        assert_true(sees(p, "tls_established", 1));
    }
    p->gathers = true;
    greet(p);
}

static inline void close_peer(struct peer *p)
{
    if (p->tls) {
        gnutls_deinit(p->tls);
        gnutls_certificate_free_credentials(p->trust);
    }
    buf_free(&p->out);
    listener.tls = false;
    end(p->fd);
}

/* --- Requests */

static inline void frame(struct buf *to, uint8_t type, uint8_t flags, uint32_t stream,
                         const void *payload, size_t n)
{
    const uint8_t head[] = { 0, 0, (uint8_t)n, type, flags, 0, 0, 0, (uint8_t)stream };
    assert_int_equal(buf_add(to, head, sizeof head), 0);
    assert_int_equal(buf_add(to, payload, n), 0);
}

/* Every second one has a body; over h2 every third a header section in two frames. */
static inline void add_request(struct peer *p, struct buf *to, unsigned nth)
{
    static const uint8_t get[] = { 0x82, 0x86, 0x84, 0x01, 1, 'x' },
                         post[] = { 0x83, 0x86, 0x84, 0x01, 1, 'x' };
    const uint8_t *block = nth % 2 ? get : post;
    uint8_t last = nth % 2 ? 1 : 0;
    if (p->http == H1) {
        buf_text(to, nth % 2 ? "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
                             : "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
        return;
    }
    if (nth % 3) {
        frame(to, 1, 4 | last, p->stream, block, sizeof get);
    } else {
        frame(to, 1, last, p->stream, block, 3);
        frame(to, 9, 4, p->stream, block + 3, 3);
    }
    if (!last)
        frame(to, 0, 1, p->stream, "hello", 5);
    p->stream += 2;
}
