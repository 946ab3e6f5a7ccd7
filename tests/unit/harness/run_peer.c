#include "run_peer.h"

const char *const over_names[OVERS] = { "cleartext", "TLS 1.2", "TLS 1.3" };
const char *const http_names[2] = { "h1", "h2" };

/* --- A client whose records are gathered, and sent when it says so */

static ssize_t push(gnutls_transport_ptr_t transport, const void *bytes, size_t n)
{
    struct peer *p = transport;
    if (!p->gathers)
        return send(p->fd, bytes, n, MSG_NOSIGNAL);
    assert_int_equal(buf_add(&p->out, bytes, n), 0);
    return (ssize_t)n;
}

static ssize_t pull(gnutls_transport_ptr_t transport, void *bytes, size_t n)
{
    struct peer *p = transport;
    ssize_t got_now = recv(p->fd, bytes, n, 0);
    if (got_now < 0)
        gnutls_transport_set_errno(p->tls, errno);
    return got_now;
}

static bool is_shaken(void *peer)
{
    struct peer *p = peer;
    p->handshaken = gnutls_handshake(p->tls);
    return p->handshaken != GNUTLS_E_AGAIN;
}

static void handshake(struct peer *p)
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
    assert_int_equal(p->handshaken, 0);
}

void peer_record(struct peer *p, const void *bytes, size_t n)
{
    if (p->tls)
        assert_int_equal(gnutls_record_send(p->tls, bytes, n), n);
    else
        assert_int_equal(buf_add(&p->out, bytes, n), 0);
}

void peer_records(struct peer *p, const struct buf *bytes, size_t each)
{
    for (size_t at = 0; at < buf_len(bytes); at += each) {
        size_t n = buf_len(bytes) - at < each ? buf_len(bytes) - at : each;
        peer_record(p, buf_bytes(bytes) + at, n);
    }
}

bool peer_sees(struct peer *p, const char *name, size_t count)
{
    look_for(p->since, name, count);
    return run_until(is_found, PATIENCE);
}

void peer_send_out(struct peer *p)
{
    assert_int_equal(send(p->fd, buf_bytes(&p->out), buf_len(&p->out), MSG_NOSIGNAL),
                     buf_len(&p->out));
    buf_consume(&p->out, buf_len(&p->out));
}

static void greet(struct peer *p)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    if (p->http == H2) {
        peer_record(p, preface, sizeof preface - 1);
        peer_send_out(p);
        assert_true(peer_sees(p, "peer_settings", 1));
    }
}

void open_peer(struct peer *p, enum over over, enum http http)
{
    *p = (struct peer){ .over = over, .http = http, .stream = 1, .since = now_in_ledger() };
    listener.tls = over != CLEARTEXT;
    int on = 1;
    p->fd = connect_client();
    setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (over != CLEARTEXT) {
        handshake(p);
        assert_true(peer_sees(p, "tls_established", 1));
    }
    p->gathers = true;
    greet(p);
}

void close_peer(struct peer *p)
{
    if (p->tls) {
        gnutls_deinit(p->tls);
        gnutls_certificate_free_credentials(p->trust);
    }
    buf_free(&p->out);
    listener.tls = false;
    end_client(p->fd);
}

/* --- Requests */

void peer_frame(struct buf *to, uint8_t type, uint8_t flags, uint32_t stream, const void *payload,
                size_t n)
{
    const uint8_t head[] = { 0, 0, (uint8_t)n, type, flags, 0, 0, 0, (uint8_t)stream };
    assert_int_equal(buf_add(to, head, sizeof head), 0);
    assert_int_equal(buf_add(to, payload, n), 0);
}

void peer_add_request(struct peer *p, struct buf *to, unsigned nth)
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
        peer_frame(to, 1, 4 | last, p->stream, block, sizeof get);
    } else {
        peer_frame(to, 1, last, p->stream, block, 3);
        peer_frame(to, 9, 4, p->stream, block + 3, 3);
    }
    if (!last)
        peer_frame(to, 0, 1, p->stream, "hello", 5);
    p->stream += 2;
}
