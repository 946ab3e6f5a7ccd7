/* Random, mutated and truncated bytes at every port: the server lives, and serves. The bytes come
 * from a generator with a fixed seed, so that a failure can be had again. */
#include "talk.h"

#include <string.h>

#define SEED   20240229u
#define ROUNDS 800

static struct server server;
static uint64_t random_state = SEED;

/* xorshift64*, good enough for noise */
static uint32_t noise(uint32_t below)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (uint32_t)((random_state * UINT64_C(0x2545F4914F6CDD1D)) >> 33) % below;
}

static int setup(void **state)
{
    server_start(&server, NULL);
    return 0;
}

static int teardown(void **state)
{
    server_stop(&server);
    return 0;
}

static void handshakes(struct buf *out)
{
    static const gnutls_datum_t h2 = { (unsigned char *)"h2", 2 };

    client_hello(out, "localhost", 9, &h2, 1);
}

static void h1_requests(struct buf *out)
{
    h1_compose(out, "POST", "/mode/idle-close;idle=1s" ENTITLEMENT, "X-Request-ID: 7\r\n", "{}");
    buf_text(out, "POST " ENTITLEMENT " HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked"
                  "\r\n\r\n2\r\n{}\r\n0\r\n\r\nHEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n");
}

static void h2_requests(struct buf *out)
{
    static struct h2 h;
    static const uint8_t settings[] = { 0, 3, 0, 0, 0, 100, 0, 4, 0, 0, 255, 255 };

    h2_init(&h, &(struct client){ .fd = -1 });
    buf_text(out, H2_PREFACE);
    h2_compose_frame(out, NGHTTP2_SETTINGS, 0, 0, settings, sizeof settings);
    h2_compose_request(&h, out, "POST", ENTITLEMENT, NULL, "{\"device\":\"tv\"}");
    h2_compose_frame(out, NGHTTP2_PING, 0, 0, "12345678", 8);
    h2_compose_request(&h, out, "GET", "/mode/normal" ENTITLEMENT, NULL, NULL);
    h2_compose_frame(out, NGHTTP2_RST_STREAM, 0, 3, "\0\0\0\x8", 4);
    h2_free(&h);
}

static void admin_calls(struct buf *out)
{
    h1_compose(out, "PUT", "/v1/mode", "",
               "{\"mode\":\"idle-close\",\"params\":{\"idle\":\"1s\"},\"apply\":\"new\"}");
    h1_compose(out, "GET", "/v1/runs/default/events?since=0&wait=1ms", "", NULL);
}

/* Changes some bytes, and cuts or doubles the end. */
static void mutate(struct buf *b)
{
    uint8_t *bytes = b->data + b->start;
    size_t n = buf_len(b);

    for (uint32_t i = noise(6); i > 0; i--)
        bytes[noise((uint32_t)n)] = (uint8_t)(noise(2) ? noise(256) : noise(4) * 85);
    if (noise(3) == 0)
        b->end = b->start + 1 + noise((uint32_t)n);
    else if (noise(8) == 0)
        buf_add(b, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
}

static void random_bytes(struct buf *out)
{
    for (uint32_t n = 1 + noise(600); n > 0; n--)
        buf_add(out, (uint8_t[]){ (uint8_t)noise(256) }, 1);
}

/* One connection: the bytes in up to three pieces, then one of several ends. */
static void throw(uint16_t port, const struct buf *bytes)
{
    struct client_options to = { .port = port };
    struct client c;
    const uint8_t *at = buf_bytes(bytes);
    size_t left = buf_len(bytes);

    check(client_connect(&c, &to), "connecting failed");
    while (left > 0) {
        size_t n = noise(3) ? left : 1 + noise((uint32_t)left);
        if (client_send(&c, at, n) < 0)
            break;
        at += n;
        left -= n;
    }
    switch (noise(4)) {
    case 0:
        client_shut(&c);
        client_look(&c, in_ms(1));
        client_close(&c);
        break;
    case 1:
        client_drop(&c);
        break;
    case 2:
        client_look(&c, in_ms(2));
        client_close(&c);
        break;
    default:
        client_close(&c);
        break;
    }
}

static void throw_many(uint16_t port, void (*make)(struct buf *out), bool change)
{
    struct buf made = { .data = NULL };
    unsigned long rounds = scaled(ROUNDS);

    for (unsigned long i = 0; i < rounds; i++) {
        make(&made);
        if (change)
            mutate(&made);
        throw(port, &made);
        made.start = made.end = 0;
        check(server_alive(&server), "the server died in round %lu (seed %u)", i, SEED);
    }
    buf_free(&made);
    /* Mutated calls may have set a mode. */
    server.token = NULL;
    admin_reset(&server);
    struct stage stage = { .server = &server };
    static const struct seat seats[] = { { "h1 cleartext", false, CLIENT_CLEARTEXT },
                                         { "h2 TLS", true, CLIENT_TLS13 } };
    for (int i = 0; i < 2; i++) {
        stage.seat = &seats[i];
        talk_served(talk_open(&stage));
        stage_clear(&stage);
    }
}

static void random_bytes_at_every_port(void **state)
{
    throw_many(server.http, random_bytes, false);
    throw_many(server.https, random_bytes, false);
    throw_many(server.https1, random_bytes, false);
    throw_many(server.admin, random_bytes, false);
}

static void mutated_handshakes(void **state)
{
    throw_many(server.https, handshakes, true);
    throw_many(server.https1, handshakes, true);
}

static void mutated_requests(void **state)
{
    throw_many(server.http, h1_requests, true);
    throw_many(server.http, h2_requests, true);
}

static void mutated_admin_calls(void **state)
{
    throw_many(server.admin, admin_calls, true);
}

static void nothing_is_left_over(void **state)
{
    int64_t until = in_ms(3 * PATIENCE_MS);
    size_t left;

    do {
        json_t *all = admin_call(&server, 200, "GET", "/v1/connections", NULL);
        left = json_array_size(json_object_get(all, "connections"));
        json_decref(all);
    } while (left > 0 && clock_now() < until);
    check(left == 0, "%zu connections are still there", left);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_bytes_at_every_port), cmocka_unit_test(mutated_handshakes),
        cmocka_unit_test(mutated_requests),           cmocka_unit_test(mutated_admin_calls),
        cmocka_unit_test(nothing_is_left_over),
    };

    return cmocka_run_group_tests_name("garbage", tests, setup, teardown);
}
