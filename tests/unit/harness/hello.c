#include "hello.h"

const struct hello_kind hello_kinds[HELLO_KINDS] = {
    { "NORMAL:-VERS-ALL:+VERS-TLS1.3", false, false },
    { "NORMAL:-VERS-ALL:+VERS-TLS1.2", false, false },
    { "NORMAL:-VERS-ALL:+VERS-TLS1.3:-GROUP-ALL:+GROUP-FFDHE2048:+GROUP-SECP256R1", true, false },
    { "NORMAL:-VERS-ALL:+VERS-TLS1.2", false, true },
    { "NORMAL:-VERS-ALL:+VERS-TLS1.3", false, true },
};

static ssize_t push(gnutls_transport_ptr_t transport, const void *bytes, size_t n)
{
    return client_tries(transport, bytes, n);
}

void hello_client(struct bench *b, const char *priority)
{
    assert_int_equal(gnutls_certificate_allocate_credentials(&b->trust), 0);
    assert_int_equal(gnutls_init(&b->tls, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_KEY_SHARE_TOP),
                     0);
    assert_int_equal(gnutls_priority_set_direct(b->tls, priority, NULL), 0);
    assert_int_equal(gnutls_credentials_set(b->tls, GNUTLS_CRD_CERTIFICATE, b->trust), 0);
    gnutls_transport_set_ptr2(b->tls, (gnutls_transport_ptr_t)(intptr_t)b->client, b);
    gnutls_transport_set_push_function(b->tls, push);
}

void hello_offer_h2(struct bench *b)
{
    static const gnutls_datum_t h2 = { (unsigned char *)"h2", 2 };
    assert_int_equal(gnutls_alpn_set_protocols(b->tls, &h2, 1, 0), 0);
}

/* A ticket of that client, for the next time. */
static gnutls_datum_t ticket_for(const char *priority)
{
    struct bench b;
    gnutls_datum_t ticket;
    bench_open(&b, &bench_calls, true);
    hello_client(&b, priority);
    hello_offer_h2(&b);
    hello_works(&b);
    assert_int_equal(gnutls_session_get_data2(b.tls, &ticket), 0);
    bench_close(&b);
    return ticket;
}

void hello_begin(struct bench *b, size_t kind, void (*at_hello)(struct bench *b))
{
    gnutls_datum_t ticket = { NULL, 0 };
    if (hello_kinds[kind].resumes)
        ticket = ticket_for(hello_kinds[kind].priority);
    bench_open(b, &bench_calls, true);
    hello_client(b, hello_kinds[kind].priority);
    hello_offer_h2(b);
    b->at_hello = at_hello;
    if (ticket.data)
        assert_int_equal(gnutls_session_set_data(b->tls, ticket.data, ticket.size), 0);
    gnutls_free(ticket.data);
}

void hello_stall(struct bench *b)
{
    assert_int_equal(wire_stall(b->wire), 0);
}

void hello_say(struct bench *b)
{
    assert_int_equal(gnutls_handshake(b->tls), GNUTLS_E_AGAIN);
    loop_until(&loop, bench_all_read, b);
}

struct shaking {
    gnutls_session_t tls;
    int result;
};

static bool is_shaken(void *shaking)
{
    struct shaking *s = shaking;
    s->result = gnutls_handshake(s->tls);
    return s->result != GNUTLS_E_AGAIN;
}

int hello_shake(struct bench *b)
{
    struct shaking s = { .tls = b->tls };
    loop_wait(&loop, is_shaken, &s, PATIENCE);
    return s.result;
}

struct hearing {
    gnutls_session_t tls;
    char bytes[64];
    ssize_t result;
};

static bool has_heard(void *hearing)
{
    struct hearing *h = hearing;
    h->result = gnutls_record_recv(h->tls, h->bytes, sizeof h->bytes);
    return h->result != GNUTLS_E_AGAIN && h->result != GNUTLS_E_INTERRUPTED;
}

ssize_t hello_hears(struct bench *b)
{
    struct hearing h = { .tls = b->tls };
    loop_wait(&loop, has_heard, &h, PATIENCE);
    return h.result;
}

static bool is_received(void *bench)
{
    const struct bench *b = bench;
    return buf_len(&b->received) > 0;
}

void hello_works(struct bench *b)
{
    assert_int_equal(hello_shake(b), 0);
    assert_int_equal(gnutls_record_send(b->tls, "ping", 4), 4);
    loop_until(&loop, is_received, b);
    assert_true(b->established);
    assert_int_equal(buf_len(&b->received), 4);
    wire_send(b->wire, "pong", 4);
    assert_int_equal(hello_hears(b), 4);
}
