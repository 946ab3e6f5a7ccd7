/* The wire's verbs on a clear connection, as the client's socket sees them. */
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
#include <uv.h>

#include "base/buf.h"
#include "ledger/ledger.h"
#include "tests/skip.h"
#include "wire/caps.h"
#include "wire/moment.h"
#include "wire/wire.h"

#define PATIENCE (5 * NS_PER_S)

static uv_loop_t loop;

/* A wire, the client's end of its connection, and what the owner was told. */
struct bench {
    struct wire *wire;
    int client;
    struct ledger *ledger;
    struct buf received, stale;
    bool peer_closed, closed, stale_is_whole;
    unsigned progress;
};

static void received(void *owner, const uint8_t *bytes, size_t n)
{
    struct bench *b = owner;
    buf_add(&b->received, bytes, n);
}

static void stale(void *owner, const uint8_t *bytes, size_t n)
{
    struct bench *b = owner;
    buf_add(&b->stale, bytes, n);
}

static bool stale_whole(void *owner)
{
    struct bench *b = owner;
    return b->stale_is_whole;
}

static uint32_t ending(void *owner, const char *by)
{
    return 7;
}

static void peer_closed(void *owner, bool at_end)
{
    struct bench *b = owner;
    assert_true(at_end);
    b->peer_closed = true;
}

static void progress(void *owner)
{
    struct bench *b = owner;
    b->progress++;
}

static void closed(void *owner)
{
    struct bench *b = owner;
    b->closed = true;
}

static const struct wire_owner calls = {
    .received = received,
    .stale = stale,
    .stale_whole = stale_whole,
    .ending = ending,
    .peer_closed = peer_closed,
    .progress = progress,
    .closed = closed,
};

static void wake(struct moment *m, int64_t late)
{
    *(bool *)(m + 1) = true;
}

/* Runs the loop until *done or for ns. */
static void run_for(int64_t ns, const bool *done)
{
    struct {
        struct moment moment;
        bool over;
    } end = { .moment.reached = wake };
    moment_at(&end.moment, clock_now() + ns);
    while (!end.over && !(done && *done))
        uv_run(&loop, UV_RUN_ONCE);
    moment_cancel(&end.moment);
}

static void connect_bench(struct bench *b)
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
    fcntl(b->client, F_SETFL, O_NONBLOCK);
    b->ledger = ledger_create(1 << 20);
    b->stale_is_whole = true;
    struct wire_config config = {
        .loop = &loop, .owner_calls = &calls, .owner = b, .ledger = b->ledger, .id = 1
    };
    assert_int_equal(wire_create(&config, fd, &b->wire), 0);
}

static int set_up(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    connect_bench(b);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;
    if (!b->closed)
        wire_abort(b->wire, "test", NULL);
    run_for(PATIENCE, &b->closed);
    assert_true(b->closed);
    close(b->client);
    buf_free(&b->received);
    buf_free(&b->stale);
    ledger_destroy(b->ledger);
    free(b);
    return 0;
}

/* --- The client's seat */

/* What recv says: bytes, 0 for FIN, or -errno. */
static int client_sees(struct bench *b)
{
    char bytes[256];
    run_for(30 * NS_PER_MS, NULL);
    ssize_t n = recv(b->client, bytes, sizeof bytes, 0);
    return n < 0 ? -errno : (int)n;
}

static void client_says(struct bench *b, const char *text)
{
    assert_int_equal(send(b->client, text, strlen(text), MSG_NOSIGNAL), strlen(text));
    run_for(30 * NS_PER_MS, NULL);
}

static int client_unacked(struct bench *b)
{
    int bytes = -1;
    ioctl(b->client, SIOCOUTQ, &bytes);
    return bytes;
}

/* Has a RST come? After a FIN recv() keeps saying 0, but sending fails (tcp(7), EPIPE). */
static bool client_was_reset(struct bench *b)
{
    run_for(30 * NS_PER_MS, NULL);
    return send(b->client, "x", 1, MSG_NOSIGNAL) < 0 && (errno == EPIPE || errno == ECONNRESET);
}

static bool ledger_has(struct bench *b, const char *part)
{
    struct buf out = { 0 };
    uint64_t next;
    ledger_read(b->ledger, 0, 1000, 1 << 20, "\n", &out, &next);
    buf_add(&out, "", 1);
    bool found = strstr((const char *)buf_bytes(&out), part) != NULL;
    buf_free(&out);
    return found;
}

static void both_ways_carry_bytes_while_open(void **state)
{
    struct bench *b = *state;
    client_says(b, "hello");
    assert_int_equal(buf_len(&b->received), 5);
    wire_send(b->wire, "answer", 6);
    assert_int_equal(wire_queued(b->wire), 6);
    assert_int_equal(wire_handed(b->wire), 6);
    assert_int_equal(client_sees(b), 6);
}

static void fin_is_a_fin_and_later_bytes_draw_a_reset(void **state)
{
    struct bench *b = *state;
    wire_send(b->wire, "last", 4);
    assert_int_equal(wire_fin(b->wire, false), 0);
    assert_int_equal(client_sees(b), 4);
    assert_int_equal(client_sees(b), 0);
    assert_false(b->closed);
    run_for(100 * NS_PER_MS, NULL); /* a kernel may delay its ACK by 40 ms */
    assert_true(ledger_has(b, "\"event\":\"fin_acked\""));
    client_says(b, "stale");
    assert_int_equal(buf_len(&b->stale), 5);
    assert_true(b->closed);
    assert_true(client_was_reset(b));
    assert_true(ledger_has(b, "\"sent_into\":\"finned\""));
    assert_true(ledger_has(b, "\"fin_acked\":\"acked\""));
    assert_true(ledger_has(b, "\"by\":\"fault\",\"how\":\"rst\",\"exchanges\":7"));
}

static void a_client_that_closes_after_our_fin_gets_no_reset(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_fin(b->wire, false), 0);
    assert_int_equal(client_sees(b), 0);
    shutdown(b->client, SHUT_WR);
    run_for(PATIENCE, &b->closed);
    assert_true(b->closed);
    assert_int_equal(client_sees(b), 0);
    assert_true(ledger_has(b, "\"by\":\"fault\",\"how\":\"fin\""));
}

static void half_a_stale_request_is_given_time_and_then_reset(void **state)
{
    struct bench *b = *state;
    b->stale_is_whole = false;
    assert_int_equal(wire_fin(b->wire, false), 0);
    run_for(10 * NS_PER_MS, NULL);
    int64_t sent = clock_now();
    client_says(b, "GET");
    assert_false(b->closed);
    run_for(PATIENCE, &b->closed);
    assert_true(clock_now() - sent >= WIRE_STALE_WAIT);
    assert_true(client_was_reset(b));
}

static void rst_is_a_reset_at_once(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_rst(b->wire), 0);
    assert_int_equal(wire_rst(b->wire), WIRE_TOO_LATE);
    assert_int_equal(client_sees(b), -ECONNRESET);
}

static void forget_says_nothing_until_the_client_does(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_forget(b->wire, false), 0);
    assert_int_equal(client_sees(b), -EAGAIN);
    client_says(b, "anyone?");
    assert_int_equal(buf_len(&b->stale), 7);
    assert_int_equal(client_sees(b), -ECONNRESET);
}

static void a_forgotten_connection_answers_a_fin_with_a_reset(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_forget(b->wire, false), 0);
    shutdown(b->client, SHUT_WR);
    run_for(PATIENCE, &b->closed);
    assert_int_equal(client_sees(b), -ECONNRESET);
}

static void stall_acks_and_says_nothing_until_resumed(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_stall(b->wire), 0);
    wire_send(b->wire, "ignored", 7);
    client_says(b, "ping");
    assert_int_equal(client_unacked(b), 0);
    assert_int_equal(buf_len(&b->stale), 4);
    assert_int_equal(client_sees(b), -EAGAIN);
    shutdown(b->client, SHUT_WR);
    assert_int_equal(client_sees(b), -EAGAIN);
    assert_false(b->peer_closed);
    assert_int_equal(wire_resume(b->wire), 0);
    wire_send(b->wire, "pong", 4);
    assert_int_equal(client_sees(b), 4);
    assert_true(b->peer_closed);
}

static void a_reset_is_noticed_while_stalled(void **state)
{
    struct bench *b = *state;
    struct linger now = { 1, 0 };
    assert_int_equal(wire_stall(b->wire), 0);
    shutdown(b->client, SHUT_WR);
    run_for(20 * NS_PER_MS, NULL);
    setsockopt(b->client, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(b->client);
    b->client = socket(AF_INET, SOCK_STREAM, 0);
    run_for(PATIENCE, &b->closed);
    assert_true(b->closed);
    assert_true(ledger_has(b, "\"event\":\"peer_rst\""));
}

static void a_black_hole_acks_nothing_and_heals(void **state)
{
    struct bench *b = *state;
    if (!caps_have(CAP_BLACK_HOLE))
        skip_because(caps_row(CAP_BLACK_HOLE)->why_not);
    assert_int_equal(wire_black_hole(b->wire), 0);
    client_says(b, "lost");
    run_for(300 * NS_PER_MS, NULL);
    assert_int_equal(client_unacked(b), 4);
    assert_int_equal(buf_len(&b->received) + buf_len(&b->stale), 0);
    assert_int_equal(client_sees(b), -EAGAIN);
    assert_true(ledger_has(b, "\"event\":\"segments_dropped\""));
    assert_true(wire_hole_used(b->wire) >= wire_fault_since(b->wire));
    assert_int_equal(wire_heal(b->wire), 0);
    for (int i = 0; i < 100 && buf_len(&b->received) == 0; i++)
        run_for(50 * NS_PER_MS, NULL);
    assert_int_equal(buf_len(&b->received), 4);
    assert_int_equal(client_unacked(b), 0);
}

static void a_black_hole_waits_until_the_client_has_acked_what_was_sent(void **state)
{
    struct bench *b = *state;
    if (!caps_have(CAP_BLACK_HOLE))
        skip_because(caps_row(CAP_BLACK_HOLE)->why_not);
    wire_send(b->wire, "before", 6);
    assert_int_equal(wire_black_hole(b->wire), 0);
    assert_int_equal(client_sees(b), 6);
    run_for(200 * NS_PER_MS, NULL);
    client_says(b, "lost");
    assert_int_equal(client_unacked(b), 4);
    wire_abort(b->wire, "test", NULL);
    run_for(PATIENCE, &b->closed);
    assert_true(ledger_has(b, "\"how\":\"silence\""));
    assert_int_equal(client_sees(b), -EAGAIN);
}

static void an_orderly_close_sends_fin_and_waits_for_the_clients(void **state)
{
    struct bench *b = *state;
    wire_send(b->wire, "bye", 3);
    wire_close(b->wire);
    assert_int_equal(client_sees(b), 3);
    assert_int_equal(client_sees(b), 0);
    client_says(b, "too late, and dropped without a reset");
    assert_int_equal(client_sees(b), 0);
    assert_false(b->closed);
    shutdown(b->client, SHUT_WR);
    run_for(PATIENCE, &b->closed);
    assert_true(b->closed);
    assert_int_equal(buf_len(&b->received) + buf_len(&b->stale), 0);
}

static void a_client_that_does_not_read_bounds_what_is_queued(void **state)
{
    struct bench *b = *state;
    static char block[16384], sink[65536];
    size_t sent = 0;
    while (wire_room(b->wire) > 0) {
        wire_send(b->wire, block, sizeof block);
        sent += sizeof block;
        assert_true(sent < 64u << 20);
    }
    assert_int_equal(wire_queued(b->wire), sent);
    assert_true(wire_handed(b->wire) < sent);
    client_says(b, "not read meanwhile");
    assert_int_equal(buf_len(&b->received), 0);
    for (size_t got = 0; got < sent;) {
        ssize_t n = recv(b->client, sink, sizeof sink, 0);
        if (n > 0)
            got += (size_t)n;
        else
            run_for(2 * NS_PER_MS, NULL);
    }
    run_for(20 * NS_PER_MS, NULL);
    assert_int_equal(wire_handed(b->wire), sent);
    assert_true(b->progress > 0);
    assert_int_equal(buf_len(&b->received), 18);
}

static int start_loop(void **state)
{
    caps_probe();
    return uv_loop_init(&loop) || moments_start(&loop);
}

static int stop_loop(void **state)
{
    moments_stop();
    uv_run(&loop, UV_RUN_DEFAULT);
    return uv_loop_close(&loop);
}

#define scenario(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        scenario(both_ways_carry_bytes_while_open),
        scenario(fin_is_a_fin_and_later_bytes_draw_a_reset),
        scenario(a_client_that_closes_after_our_fin_gets_no_reset),
        scenario(half_a_stale_request_is_given_time_and_then_reset),
        scenario(rst_is_a_reset_at_once),
        scenario(forget_says_nothing_until_the_client_does),
        scenario(a_forgotten_connection_answers_a_fin_with_a_reset),
        scenario(stall_acks_and_says_nothing_until_resumed),
        scenario(a_reset_is_noticed_while_stalled),
        scenario(a_black_hole_acks_nothing_and_heals),
        scenario(a_black_hole_waits_until_the_client_has_acked_what_was_sent),
        scenario(an_orderly_close_sends_fin_and_waits_for_the_clients),
        scenario(a_client_that_does_not_read_bounds_what_is_queued),
    };
    return cmocka_run_group_tests(tests, start_loop, stop_loop);
}
