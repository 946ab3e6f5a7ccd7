/* hello_rig.h - a wire in a TLS handshake, and its client. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/timer.h"
#include "ledger/ledger.h"
#include "minted_server.h"
#include "wire/caps.h"
#include "wire/wire.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static struct tls_server *server;

/* Clients whose ClientHellos are answered in different ways: a full handshake, a HelloRetryRequest
 * (the only key share is for a group that we do not speak), a resumption by ticket. */
static const struct {
    const char *priority;
    bool retries, resumes;
} kinds[] = {
    { "NORMAL:-VERS-ALL:+VERS-TLS1.3", false, false },
    { "NORMAL:-VERS-ALL:+VERS-TLS1.2", false, false },
    { "NORMAL:-VERS-ALL:+VERS-TLS1.3:-GROUP-ALL:+GROUP-FFDHE2048:+GROUP-SECP256R1", true, false },
    { "NORMAL:-VERS-ALL:+VERS-TLS1.2", false, true },
    { "NORMAL:-VERS-ALL:+VERS-TLS1.3", false, true },
};
enum { TLS13, TLS12 }; /* the first two */

/* A wire, the client's end of its connection and its TLS, and what the owner was told. */
struct bench {
    struct wire *wire;
    int client;
    uint64_t sent; /* by it */
    gnutls_session_t tls;
    gnutls_certificate_credentials_t trust;
    struct ledger *ledger;
    struct buf received;
    unsigned hellos, stales;
    void (*at_hello)(struct bench *b);
    bool established, peer_closed, closed;
};

#include "wire_seat.h"

/* --- The owner */

static inline void hello(void *owner)
{
    struct bench *b = owner;
    b->hellos++;
    assert_int_equal(wire_state(b->wire), WIRE_HANDSHAKE);
    assert_int_equal(wire_bytes_out(b->wire), 0);
    if (b->at_hello)
        b->at_hello(b);
}

static inline void established(void *owner, const char *alpn)
{
    struct bench *b = owner;
    b->established = true;
}

static inline void received(void *owner, const uint8_t *bytes, size_t n)
{
    struct bench *b = owner;
    buf_add(&b->received, bytes, n);
}

static inline void stale(void *owner, const uint8_t *bytes, size_t n)
{
    struct bench *b = owner;
    b->stales++;
}

static inline void ending(void *owner, enum ledger_by by)
{
}

static inline void peer_closed(void *owner, bool at_end)
{
    struct bench *b = owner;
    b->peer_closed = true;
}

static inline void progress(void *owner)
{
}

static inline void closed(void *owner)
{
    struct bench *b = owner;
    b->closed = true;
}

static const struct wire_owner calls = {
    .hello = hello,
    .established = established,
    .received = received,
    .before = received,
    .stale = stale,
    .ending = ending,
    .peer_closed = peer_closed,
    .progress = progress,
    .closed = closed,
};

/* --- Both sides */

static inline ssize_t push(gnutls_transport_ptr_t transport, const void *bytes, size_t n)
{
    return try_say(transport, bytes, n);
}

static inline void open_client(struct bench *b, const char *priority)
{
    assert_int_equal(gnutls_certificate_allocate_credentials(&b->trust), 0);
    assert_int_equal(gnutls_init(&b->tls, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_KEY_SHARE_TOP),
                     0);
    assert_int_equal(gnutls_priority_set_direct(b->tls, priority, NULL), 0);
    assert_int_equal(gnutls_credentials_set(b->tls, GNUTLS_CRD_CERTIFICATE, b->trust), 0);
    gnutls_transport_set_ptr2(b->tls, (gnutls_transport_ptr_t)(intptr_t)b->client, b);
    gnutls_transport_set_push_function(b->tls, push);
}

static inline void connect_bench(struct bench *b, const struct wire_owner *owner, bool tls)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof at;
    int on = 1, listening = socket(AF_INET, SOCK_STREAM, 0);
    *b = (struct bench){ 0 };
    assert_int_equal(bind(listening, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(listening, 1), 0);
    getsockname(listening, (struct sockaddr *)&at, &len);
    b->client = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(b->client, (struct sockaddr *)&at, len), 0);
    int fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK);
    close(listening);
    fcntl(b->client, F_SETFL, O_NONBLOCK);
    setsockopt(b->client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    b->ledger = ledger_create(1 << 20);
    static const char *const alpn[] = { "h2", "http/1.1", NULL };
    struct wire_config config = { .loop = &loop,
                                  .owner_calls = owner,
                                  .owner = b,
                                  .ledger = b->ledger,
                                  .id = 1,
                                  .tls = tls ? server : NULL,
                                  .alpn = alpn };
    assert_int_equal(wire_create(&config, fd, &b->wire), 0);
}

static inline void set_alpn(struct bench *b)
{
    static const gnutls_datum_t h2 = { (unsigned char *)"h2", 2 };
    assert_int_equal(gnutls_alpn_set_protocols(b->tls, &h2, 1, 0), 0);
}

static inline void end(struct bench *b)
{
    if (!b->closed)
        wire_abort(b->wire, BY_SHUTDOWN, HOW_AS_SEEN);
    loop_until(&loop, is_set, &b->closed);
    close(b->client);
    gnutls_deinit(b->tls);
    gnutls_certificate_free_credentials(b->trust);
    buf_free(&b->received);
    ledger_destroy(b->ledger);
}

struct shaking {
    gnutls_session_t tls;
    int result;
};

static inline bool is_shaken(void *shaking)
{
    struct shaking *s = shaking;
    s->result = gnutls_handshake(s->tls);
    return s->result != GNUTLS_E_AGAIN;
}

/* Continues with the client's handshake until it is done. Returns 0, or what stopped it;
 * GNUTLS_E_AGAIN: nothing, for long enough. */
static inline int shake(struct bench *b)
{
    struct shaking s = { .tls = b->tls };
    loop_wait(&loop, is_shaken, &s, PATIENCE);
    return s.result;
}

/* What the client reads of TLS; GNUTLS_E_AGAIN: nothing came for long enough. */
struct hearing {
    gnutls_session_t tls;
    char bytes[64];
    ssize_t result;
};

static inline bool has_heard(void *hearing)
{
    struct hearing *h = hearing;
    h->result = gnutls_record_recv(h->tls, h->bytes, sizeof h->bytes);
    return h->result != GNUTLS_E_AGAIN && h->result != GNUTLS_E_INTERRUPTED;
}

static inline ssize_t hears(struct bench *b)
{
    struct hearing h = { .tls = b->tls };
    loop_wait(&loop, has_heard, &h, PATIENCE);
    return h.result;
}

static inline bool is_received(void *bench)
{
    const struct bench *b = bench;
    return buf_len(&b->received) > 0;
}

static inline void works(struct bench *b)
{
    assert_int_equal(shake(b), 0);
    assert_int_equal(gnutls_record_send(b->tls, "ping", 4), 4);
    loop_until(&loop, is_received, b);
    assert_true(b->established);
    assert_int_equal(buf_len(&b->received), 4);
    wire_send(b->wire, "pong", 4);
    assert_int_equal(hears(b), 4);
}

/* The ClientHello is read, or was already. */
static inline void say_hello(struct bench *b)
{
    assert_int_equal(gnutls_handshake(b->tls), GNUTLS_E_AGAIN);
    loop_until(&loop, all_is_read, b);
}

/* A ticket of that client, for the next time. */
static inline gnutls_datum_t ticket_for(const char *priority)
{
    struct bench b;
    gnutls_datum_t ticket;
    connect_bench(&b, &calls, true);
    open_client(&b, priority);
    set_alpn(&b);
    works(&b);
    assert_int_equal(gnutls_session_get_data2(b.tls, &ticket), 0);
    end(&b);
    return ticket;
}

static inline void begin(struct bench *b, size_t kind, void (*at_hello)(struct bench *b))
{
    gnutls_datum_t ticket = { NULL, 0 };
    if (kinds[kind].resumes)
        ticket = ticket_for(kinds[kind].priority);
    connect_bench(b, &calls, true);
    open_client(b, kinds[kind].priority);
    set_alpn(b);
    b->at_hello = at_hello;
    if (ticket.data)
        assert_int_equal(gnutls_session_set_data(b->tls, ticket.data, ticket.size), 0);
    gnutls_free(ticket.data);
}

static inline void stall_now(struct bench *b)
{
    assert_int_equal(wire_stall(b->wire), 0);
}

static inline int start(void **state)
{
    log_set_level(LOG_ERROR);
    server = minted_server();
    caps_probe();
    return loop_start(state);
}

static inline int stop(void **state)
{
    tls_server_destroy(server);
    return loop_stop(state);
}
