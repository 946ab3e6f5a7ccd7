/* wire_bench.h - a wire on a connection over loopback, and its client's seat. */
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
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/timer.h"
#include "ledger/ledger.h"
#include "wire/caps.h"
#include "wire/wire.h"

/* A wire, the client's end of its connection, and what the owner was told. */
struct bench {
    struct wire *wire;
    int client;
    int socket;    /* the wire's own */
    uint64_t sent; /* by the client */
    struct ledger *ledger;
    struct buf received, before, stale;
    bool peer_closed, closed, established;
    unsigned progress, stales;
    unsigned told;            /* of progress, before it is waited for */
    uint64_t handed;          /* in the end */
    unsigned cuts;            /* how often a cut was reached, */
    enum wire_state cut_into; /* and the state then */
    enum wire_state state;    /* as it was told */
};

#include "wire_seat.h"

static inline void received(void *owner, const uint8_t *bytes, size_t n)
{
    struct bench *b = owner;
    buf_add(&b->received, bytes, n);
}

static inline void before(void *owner, const uint8_t *bytes, size_t n)
{
    struct bench *b = owner;
    buf_add(&b->before, bytes, n);
}

static inline void stale(void *owner, const uint8_t *bytes, size_t n)
{
    struct bench *b = owner;
    b->stales++;
    buf_add(&b->stale, bytes, n);
}

static inline void ending(void *owner, enum ledger_by by)
{
    struct bench *b = owner;
    b->handed = wire_handed(b->wire);
}

static inline void end_fields(void *owner)
{
    struct bench *b = owner;
    ledger_int(b->ledger, F_EXCHANGES, 7);
}

static inline void peer_closed(void *owner, bool at_end)
{
    struct bench *b = owner;
    assert_true(at_end || wire_is_tls(b->wire));
    b->peer_closed = true;
}

static inline void progress(void *owner)
{
    struct bench *b = owner;
    b->progress++;
}

static inline void established(void *owner, const char *alpn)
{
    struct bench *b = owner;
    b->established = true;
}

/* Every change is told once, as what it was before. */
static inline void changed(void *owner, enum wire_state from, bool cut)
{
    struct bench *b = owner;
    assert_int_equal(from, b->state);
    b->state = wire_state(b->wire);
    assert_int_not_equal(from, b->state);
    if (!cut)
        return;
    b->cuts++;
    b->cut_into = b->state;
}

static inline void closed(void *owner)
{
    struct bench *b = owner;
    b->closed = true;
}

static const struct wire_owner calls = {
    .established = established,
    .received = received,
    .before = before,
    .stale = stale,
    .ending = ending,
    .end_fields = end_fields,
    .peer_closed = peer_closed,
    .changed = changed,
    .progress = progress,
    .closed = closed,
};

static inline void connect_bench(struct bench *b, struct tls_server *tls)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof at;
    int listening = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listening, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(listening, 1), 0);
    getsockname(listening, (struct sockaddr *)&at, &len);
    b->client = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(b->client, (struct sockaddr *)&at, len), 0);
    int fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK);
    close(listening);
    b->socket = fd;
    fcntl(b->client, F_SETFL, O_NONBLOCK);
    b->ledger = ledger_create(1 << 20);
    struct wire_config config = {
        .loop = &loop, .owner_calls = &calls, .owner = b, .ledger = b->ledger, .id = 1, .tls = tls
    };
    assert_int_equal(wire_create(&config, fd, &b->wire), 0);
    b->state = wire_state(b->wire);
}

static inline int set_up(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    connect_bench(b, NULL);
    *state = b;
    return 0;
}

static inline int tear_down(void **state)
{
    struct bench *b = *state;
    if (!b->closed)
        wire_abort(b->wire, BY_SHUTDOWN, HOW_AS_SEEN);
    loop_until(&loop, is_set, &b->closed);
    assert_int_equal(b->state, WIRE_CLOSED);
    close(b->client);
    buf_free(&b->received);
    buf_free(&b->before);
    buf_free(&b->stale);
    ledger_destroy(b->ledger);
    free(b);
    return 0;
}

static inline int client_unacked(struct bench *b)
{
    int bytes = -1;
    ioctl(b->client, SIOCOUTQ, &bytes);
    return bytes;
}

static inline bool client_is_acked(void *bench)
{
    return client_unacked(bench) == 0;
}

/* The client's kernel has sent something a second time. */
static inline bool client_has_repeated(void *bench)
{
    const struct bench *b = bench;
    struct tcp_info info = { 0 };
    socklen_t len = sizeof info;
    assert_int_equal(getsockopt(b->client, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
    return info.tcpi_total_retrans > 0;
}

/* The client is gone, with RST. */
static inline void reset_client(struct bench *b)
{
    struct linger now = { 1, 0 };
    setsockopt(b->client, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(b->client);
    b->client = socket(AF_INET, SOCK_STREAM, 0);
}

static inline int start_loop(void **state)
{
    caps_probe();
    return loop_start(state);
}
