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
#include <uv.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/timer.h"
#include "ledger/ledger.h"
#include "minted_server.h"
#include "wire/caps.h"
#include "wire/wire.h"

#include "harness/memcheck.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define PATIENCE     (5000 * REAL_MS)
#define A_WHILE      (20 * REAL_MS)

static uv_loop_t loop;
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
    gnutls_session_t tls;
    gnutls_certificate_credentials_t trust;
    struct ledger *ledger;
    struct buf received;
    unsigned hellos, stales;
    void (*at_hello)(struct bench *b);
    bool established, peer_closed, closed;
};

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

static inline void wake(struct timer *m, int64_t late)
{
    *(bool *)(m + 1) = true;
}

/* Runs the loop until *done or for ns. */
static inline void run_for(int64_t ns, const bool *done)
{
    struct {
        struct timer timer;
        bool over;
    } end = { .timer.reached = wake };
    timer_at(&end.timer, clock_now() + ns);
    while (!end.over && !(done && *done))
        uv_run(&loop, UV_RUN_ONCE);
    timer_cancel(&end.timer);
}

static inline void open_client(struct bench *b, const char *priority)
{
    assert_int_equal(gnutls_certificate_allocate_credentials(&b->trust), 0);
    assert_int_equal(gnutls_init(&b->tls, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_KEY_SHARE_TOP),
                     0);
    assert_int_equal(gnutls_priority_set_direct(b->tls, priority, NULL), 0);
    assert_int_equal(gnutls_credentials_set(b->tls, GNUTLS_CRD_CERTIFICATE, b->trust), 0);
    gnutls_transport_set_int(b->tls, b->client);
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
    run_for(PATIENCE, &b->closed);
    assert_true(b->closed);
    close(b->client);
    gnutls_deinit(b->tls);
    gnutls_certificate_free_credentials(b->trust);
    buf_free(&b->received);
    ledger_destroy(b->ledger);
}

static inline bool ledger_has(struct bench *b, const char *part)
{
    struct buf out = { 0 };
    uint64_t next;
    ledger_read(b->ledger, 0, 1000, 1 << 20, "\n", &out, &next);
    buf_add(&out, "", 1);
    bool found = strstr((const char *)buf_bytes(&out), part) != NULL;
    buf_free(&out);
    return found;
}

/* Continues with the client's handshake until it is done. Returns 0, or what stopped it;
 * GNUTLS_E_AGAIN: nothing, for long enough. */
static inline int shake(struct bench *b)
{
    int result;
    for (int i = 0; i < 20; i++) {
        result = gnutls_handshake(b->tls);
        if (result != GNUTLS_E_AGAIN)
            break;
        run_for(5 * NS_PER_MS, NULL);
    }
    return result;
}

static inline void works(struct bench *b)
{
    char bytes[8];
    int n;
    assert_int_equal(shake(b), 0);
    assert_int_equal(gnutls_record_send(b->tls, "ping", 4), 4);
    run_for(A_WHILE, NULL);
    assert_true(b->established);
    assert_int_equal(buf_len(&b->received), 4);
    wire_send(b->wire, "pong", 4);
    do {
        n = (int)gnutls_record_recv(b->tls, bytes, sizeof bytes);
        run_for(2 * NS_PER_MS, NULL);
    } while (n == GNUTLS_E_AGAIN);
    assert_int_equal(n, 4);
}

/* The ClientHello is on its way, or there already. */
static inline void say_hello(struct bench *b)
{
    assert_int_equal(gnutls_handshake(b->tls), GNUTLS_E_AGAIN);
    run_for(A_WHILE, NULL);
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

/* What the socket holds next: so many bytes, 0 for FIN, or -errno. */
static inline int client_sees(struct bench *b, uint8_t *bytes, size_t size)
{
    run_for(A_WHILE, NULL);
    ssize_t n = recv(b->client, bytes, size, 0);
    return n < 0 ? -errno : (int)n;
}

static inline int client_sees_any(struct bench *b)
{
    uint8_t bytes[256];
    return client_sees(b, bytes, sizeof bytes);
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
    return uv_loop_init(&loop) || timers_start(&loop);
}

static inline int stop(void **state)
{
    tls_server_destroy(server);
    timers_stop();
    uv_run(&loop, UV_RUN_DEFAULT);
    return uv_loop_close(&loop);
}
