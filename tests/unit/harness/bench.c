#include "bench.h"

#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>

#include "minted_server.h"
#include "sockets.h"

struct tls_server *bench_server;

/* --- The owner */

static void hello(void *owner)
{
    struct bench *b = owner;
    b->hellos++;
    assert_int_equal(wire_state(b->wire), WIRE_HANDSHAKE);
    assert_int_equal(wire_bytes_out(b->wire), b->injected);
    if (b->at_hello)
        b->at_hello(b);
}

static void established(void *owner, const char *alpn)
{
    struct bench *b = owner;
    b->established = true;
}

static void received(void *owner, const uint8_t *bytes, size_t n)
{
    struct bench *b = owner;
    buf_add(&b->received, bytes, n);
}

static void before(void *owner, const uint8_t *bytes, size_t n)
{
    struct bench *b = owner;
    buf_add(&b->before, bytes, n);
}

static void stale(void *owner, const uint8_t *bytes, size_t n)
{
    struct bench *b = owner;
    b->stales++;
    buf_add(&b->stale, bytes, n);
}

static void ending(void *owner, enum ledger_by by)
{
    struct bench *b = owner;
    b->handed = wire_handed(b->wire);
}

static void add_fields(void *owner, enum ledger_event event)
{
    struct bench *b = owner;
    if (event == EV_CONNECTION_END)
        ledger_int(b->ledger, F_EXCHANGES, 7);
}

static void peer_closed(void *owner, bool at_end)
{
    struct bench *b = owner;
    assert_true(at_end || wire_is_tls(b->wire));
    b->peer_closed = true;
}

static void progress(void *owner)
{
    struct bench *b = owner;
    b->progress++;
}

/* Every change is told once, as what it was before. */
static void changed(void *owner, enum wire_state from, bool cut)
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

static void closed(void *owner)
{
    struct bench *b = owner;
    b->closed = true;
}

const struct wire_owner bench_calls = {
    .hello = hello,
    .established = established,
    .received = received,
    .before = before,
    .stale = stale,
    .ending = ending,
    .add_fields = add_fields,
    .peer_closed = peer_closed,
    .changed = changed,
    .progress = progress,
    .closed = closed,
};

/* --- From the beginning to the end */

void bench_open(struct bench *b, const struct wire_owner *owner, bool tls)
{
    static const char *const alpn[] = { "h2", "http/1.1", NULL };
    *b = (struct bench){ 0 };
    b->socket = connect_loopback(&b->client, NULL);
    b->ledger = ledger_create(1 << 20);
    struct wire_config config = { .loop = &loop,
                                  .owner_calls = owner,
                                  .owner = b,
                                  .ledger = b->ledger,
                                  .id = 1,
                                  .tls = tls ? bench_server : NULL,
                                  .alpn = alpn };
    assert_int_equal(wire_create(&config, b->socket, &b->wire), 0);
    b->state = wire_state(b->wire);
}

void bench_close(struct bench *b)
{
    if (!b->closed)
        wire_abort(b->wire, BY_SHUTDOWN, HOW_AS_SEEN);
    loop_until(&loop, is_set, &b->closed);
    assert_int_equal(b->state, WIRE_CLOSED);
    close(b->client);
    if (b->tls) {
        gnutls_deinit(b->tls);
        gnutls_certificate_free_credentials(b->trust);
    }
    buf_free(&b->received);
    buf_free(&b->before);
    buf_free(&b->stale);
    ledger_destroy(b->ledger);
}

int bench_start(void **state)
{
    caps_probe();
    return loop_start(state);
}

int bench_start_tls(void **state)
{
    log_set_level(LOG_ERROR);
    bench_server = minted_server();
    return bench_start(state);
}

int bench_stop(void **state)
{
    tls_server_destroy(bench_server);
    bench_server = NULL;
    return loop_stop(state);
}

int bench_set_up(void **state)
{
    struct bench *b = malloc(sizeof *b);
    assert_non_null(b);
    bench_open(b, &bench_calls, false);
    *state = b;
    return 0;
}

int bench_tear_down(void **state)
{
    bench_close(*state);
    free(*state);
    return 0;
}

/* --- The ledger */

bool bench_ledger_has(struct bench *b, const char *part)
{
    struct buf out = { 0 };
    uint64_t next;
    ledger_read(b->ledger, 0, 1000, 1 << 20, "\n", &out, &next);
    buf_add(&out, "", 1);
    bool found = strstr((const char *)buf_bytes(&out), part) != NULL;
    buf_free(&out);
    return found;
}

struct awaited {
    struct bench *bench;
    const char *part;
};

static bool has_awaited(void *awaited)
{
    const struct awaited *a = awaited;
    return bench_ledger_has(a->bench, a->part);
}

void bench_await(struct bench *b, const char *part)
{
    if (!loop_wait(&loop, has_awaited, &(struct awaited){ b, part }, PATIENCE))
        fail_msg("waited in vain for %s in the ledger", part);
}

void bench_await_none(struct bench *b, const char *part)
{
    if (loop_wait(&loop, has_awaited, &(struct awaited){ b, part }, A_WHILE))
        fail_msg("the ledger has %s", part);
}

/* --- Conditions */

bool bench_all_read(void *bench)
{
    const struct bench *b = bench;
    return b->closed || wire_bytes_in(b->wire) >= b->sent;
}

bool bench_is_cut(void *bench)
{
    return ((struct bench *)bench)->cuts > 0;
}

static bool client_has(struct bench *b, short events)
{
    struct pollfd client = { .fd = b->client, .events = events };
    return poll(&client, 1, 0) > 0 && client.revents & (events | POLLERR);
}

bool client_has_more(void *bench)
{
    return client_has(bench, POLLIN);
}

bool client_has_rst(void *bench)
{
    return client_has(bench, 0);
}

bool client_is_acked(void *bench)
{
    return client_unacked(bench) == 0;
}

bool client_has_repeated(void *bench)
{
    const struct bench *b = bench;
    struct tcp_info info = { 0 };
    socklen_t len = sizeof info;
    assert_int_equal(getsockopt(b->client, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
    return info.tcpi_total_retrans > 0;
}

/* --- The client's seat */

ssize_t client_tries(struct bench *b, const void *bytes, size_t n)
{
    ssize_t sent = send(b->client, bytes, n, MSG_NOSIGNAL);
    b->sent += sent > 0 ? (size_t)sent : 0;
    return sent;
}

void client_sends(struct bench *b, const void *bytes, size_t n)
{
    assert_int_equal(client_tries(b, bytes, n), n);
}

void client_says(struct bench *b, const char *text)
{
    client_sends(b, text, strlen(text));
    if (!loop_wait(&loop, bench_all_read, b, PATIENCE))
        fail_msg("waited in vain for the wire to read \"%s\"", text);
}

int client_reads(struct bench *b, void *bytes, size_t size)
{
    loop_wait(&loop, client_has_more, b, PATIENCE);
    ssize_t n = recv(b->client, bytes, size, 0);
    return n < 0 ? -errno : (int)n;
}

int client_sees(struct bench *b)
{
    char bytes[256];
    return client_reads(b, bytes, sizeof bytes);
}

void client_sees_nothing(struct bench *b)
{
    loop_quiet(&loop, client_has_more, b, A_WHILE);
}

bool client_was_reset(struct bench *b)
{
    return loop_wait(&loop, client_has_rst, b, PATIENCE);
}

void client_resets(struct bench *b)
{
    struct linger now = { 1, 0 };
    setsockopt(b->client, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(b->client);
    b->client = socket(AF_INET, SOCK_STREAM, 0);
}

int client_unacked(struct bench *b)
{
    int bytes = -1;
    ioctl(b->client, SIOCOUTQ, &bytes);
    return bytes;
}
