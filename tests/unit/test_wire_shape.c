/* How a wire's bytes leave: paced, cut, injected, and reset once they are ACKed; from the client's
 * seat, clear and TLS. */
#include "wire_bench.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <netinet/tcp.h>
#include <time.h>

#include "certs/mint.h"
#include "tests/skip.h"
#include "wire/tls_server.h"

#define MS NS_PER_MS

static char dir[64];
static struct tls_server *tls;

/* --- Memory that runs out */

static bool no_memory;
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size)
{
    return no_memory ? NULL : __real_calloc(count, size);
}

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

static void read_client(struct bench *b)
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

static void client_readable(uv_poll_t *poll, int status, int events)
{
    read_client(poll->data);
}

static void watch_client(struct bench *b)
{
    assert_int_equal(uv_poll_init(&loop, &watch, b->client), 0);
    watch.data = b;
    uv_poll_start(&watch, UV_READABLE, client_readable);
}

static void run_until_raw(size_t n)
{
    int64_t end = clock_now() + PATIENCE;
    while (buf_len(&raw) < n && !saw_fin && !saw_rst && clock_now() < end)
        run_for(MS, NULL);
    assert_int_equal(buf_len(&raw), n);
}

static void run_until_fin(void)
{
    int64_t end = clock_now() + PATIENCE;
    while (!saw_fin && clock_now() < end)
        run_for(MS, NULL);
    assert_true(saw_fin);
}

static void run_until_cut(struct bench *b)
{
    int64_t end = clock_now() + PATIENCE;
    while (!b->cuts && clock_now() < end)
        run_for(MS, NULL);
    assert_int_equal(b->cuts, 1);
}

/* Segments with data that the client's kernel was sent: <linux/tcp.h> knows of them, but cannot be
 * included beside <netinet/tcp.h>. */
static unsigned segments(struct bench *b)
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

static ssize_t pull(gnutls_transport_ptr_t transport, void *out, size_t size)
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

static ssize_t push(gnutls_transport_ptr_t transport, const void *bytes, size_t n)
{
    return send(((struct bench *)transport)->client, bytes, n, MSG_NOSIGNAL);
}

static void start_tls(struct bench *b)
{
    assert_int_equal(gnutls_certificate_allocate_credentials(&trust), 0);
    assert_int_equal(gnutls_init(&client, GNUTLS_CLIENT | GNUTLS_NONBLOCK), 0);
    assert_int_equal(gnutls_priority_set_direct(client, "NORMAL:-VERS-ALL:+VERS-TLS1.3", NULL), 0);
    assert_int_equal(gnutls_credentials_set(client, GNUTLS_CRD_CERTIFICATE, trust), 0);
    gnutls_transport_set_ptr(client, b);
    gnutls_transport_set_pull_function(client, pull);
    gnutls_transport_set_push_function(client, push);
}

static void read_tls(void)
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

/* Did TLS end without close_notify? */
static bool tls_was_cut(void)
{
    return tls_error == GNUTLS_E_PREMATURE_TERMINATION ||
           tls_error == GNUTLS_E_UNEXPECTED_PACKET_LENGTH;
}

/* Shakes hands; what comes later is counted from here. */
static void establish(struct bench *b)
{
    int64_t end = clock_now() + PATIENCE;
    int rc;
    while ((rc = gnutls_handshake(client)) == GNUTLS_E_AGAIN && clock_now() < end)
        run_for(MS, NULL);
    assert_int_equal(rc, 0);
    while (!b->established && clock_now() < end)
        run_for(MS, NULL);
    run_for(20 * MS, NULL); /* tickets */
    read_tls();
    raw.start = raw.end = pulled = 0;
}

/* The body length of the i-th TLS record that came; checks that it is application data. */
static size_t record(unsigned i)
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

static int set_up_shape(struct bench *b, struct tls_server *server)
{
    saw_fin = saw_rst = no_memory = false;
    pulled = 0;
    tls_error = 0;
    connect_bench(b, server);
    watch_client(b);
    return 0;
}

static int set_up_clear(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    *state = b;
    return set_up_shape(b, NULL);
}

static int set_up_tls(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    *state = b;
    set_up_shape(b, tls);
    start_tls(b);
    return 0;
}

static void watch_closed(uv_handle_t *handle)
{
    *(bool *)handle->data = true;
}

static int tear_down_shape(void **state)
{
    bool over = false;
    watch.data = &over;
    uv_close((uv_handle_t *)&watch, watch_closed);
    tear_down(state);
    run_for(PATIENCE, &over);
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

static void send_block(struct bench *b, size_t n)
{
    wire_send(b->wire, block, n);
}

static bool came_in_order(const struct buf *got)
{
    return memcmp(buf_bytes(got), block, buf_len(got)) == 0;
}

/* --- Pace */

static void without_a_pace_all_leaves_at_once(void **state)
{
    struct bench *b = *state;
    send_block(b, 35);
    assert_int_equal(wire_handed(b->wire), 35);
    run_until_raw(35);
    assert_int_equal(segments(b), 1);
}

static void paced_bytes_leave_in_chunks_and_never_early(void **state)
{
    struct bench *b = *state;
    size_t room = wire_room(b->wire);
    assert_int_equal(wire_pace(b->wire, 10, 30 * MS), 0);
    int64_t start = clock_now();
    send_block(b, 35);
    assert_int_equal(wire_queued(b->wire), 35);
    assert_int_equal(wire_handed(b->wire), 10);
    assert_int_equal(wire_room(b->wire), room - 25);
    run_until_raw(35);
    for (unsigned i = 0; i < 35; i++)
        assert_true(came_at[i] - start >= i / 10 * 30 * MS);
    assert_true(came_at[34] - start < 2 * NS_PER_S);
    assert_int_equal(segments(b), 4);
    assert_int_equal(wire_handed(b->wire), 35);
    assert_int_equal(b->progress, 3);
    assert_int_equal(wire_room(b->wire), room);
    assert_true(came_in_order(&raw));
}

static void a_pace_holds_for_what_is_sent_later_and_does_not_stop_reading(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_pace(b->wire, 10, 100 * MS), 0);
    int64_t start = clock_now();
    send_block(b, 10);
    wire_send(b->wire, block + 10, 10);
    assert_int_equal(wire_handed(b->wire), 10);
    client_says(b, "meanwhile");
    assert_int_equal(buf_len(&b->received), 9);
    run_until_raw(20);
    assert_true(came_at[10] - start >= 100 * MS);
    run_for(110 * MS, NULL);
    wire_send(b->wire, block + 20, 5); /* after a quiet spell it may leave at once */
    assert_int_equal(wire_handed(b->wire), 25);
}

static void another_pace_takes_over_what_waits_and_none_lets_it_out(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_pace(b->wire, 1, 3600 * NS_PER_S), 0);
    send_block(b, 31);
    assert_int_equal(wire_handed(b->wire), 1);
    assert_int_equal(wire_pace(b->wire, 5, 20 * MS), 0);
    run_until_raw(31);
    assert_int_equal(wire_pace(b->wire, 1, 3600 * NS_PER_S), 0);
    run_for(30 * MS, NULL);
    wire_send(b->wire, block + 31, 100);
    assert_int_equal(wire_handed(b->wire), 32);
    assert_int_equal(wire_pace(b->wire, 0, 0), 0);
    assert_int_equal(wire_handed(b->wire), 131);
    run_until_raw(131);
    wire_send(b->wire, block + 131, 100);
    assert_int_equal(wire_handed(b->wire), 231);
}

static void a_fast_pace_is_not_held_up_by_what_may_wait(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_pace(b->wire, 1 << 20, 200 * MS), 0); /* 64 KiB each 12.5 ms */
    int64_t start = clock_now();
    send_block(b, 1 << 20);
    run_until_raw(1 << 20);
    assert_true(clock_now() - start >= 15 * (200 * MS / 16));
    assert_true(clock_now() - start < 2 * NS_PER_S);
    assert_true(came_in_order(&raw));
}

static void the_verbs_wait_until_the_pace_has_let_all_out(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_pace(b->wire, 10, 20 * MS), 0);
    int64_t start = clock_now();
    send_block(b, 40);
    assert_int_equal(wire_fin(b->wire, false), 0);
    run_for(5 * MS, NULL);
    assert_false(saw_fin);
    run_until_fin();
    assert_int_equal(buf_len(&raw), 40);
    assert_true(clock_now() - start >= 60 * MS);
    assert_true(wire_fault_since(b->wire) - start >= 60 * MS);
    assert_int_equal(wire_handed(b->wire), 40);
    assert_int_equal(wire_pace(b->wire, 0, 0), WIRE_TOO_LATE);
}

static void the_orderly_close_waits_for_the_pace(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_pace(b->wire, 10, 20 * MS), 0);
    send_block(b, 40);
    wire_close(b->wire);
    assert_int_equal(wire_state(b->wire), WIRE_ENDING);
    run_until_fin();
    assert_int_equal(buf_len(&raw), 40);
}

static void a_stall_begins_behind_what_is_paced(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_pace(b->wire, 10, 20 * MS), 0);
    send_block(b, 40);
    assert_int_equal(wire_stall(b->wire), 0);
    run_until_raw(40);
    client_says(b, "hello?");
    assert_int_equal(buf_len(&b->stale), 6);
    assert_int_equal(wire_resume(b->wire), 0);
    wire_send(b->wire, block + 40, 20);
    run_until_raw(60);
    assert_true(came_in_order(&raw));
}

static void forget_waits_for_the_pace_also_when_the_client_has_closed_its_half(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_pace(b->wire, 10, 20 * MS), 0);
    send_block(b, 40);
    assert_int_equal(wire_forget(b->wire, false), 0);
    shutdown(b->client, SHUT_WR);
    run_until_raw(40);
    run_for(50 * MS, NULL);
    assert_false(saw_fin || saw_rst || b->closed);
}

static void a_black_hole_begins_behind_what_is_paced(void **state)
{
    struct bench *b = *state;
    if (!caps_have(CAP_BLACK_HOLE))
        skip_because(caps_row(CAP_BLACK_HOLE)->why_not);
    assert_int_equal(wire_pace(b->wire, 10, 20 * MS), 0);
    send_block(b, 40);
    int64_t start = clock_now();
    assert_int_equal(wire_black_hole(b->wire), 0);
    run_until_raw(40);
    run_for(100 * MS, NULL);
    client_says(b, "lost");
    assert_int_equal(client_unacked(b), 4);
    assert_true(ledger_has(b, "in effect: all we sent is ACKed"));
    assert_true(wire_fault_since(b->wire) - start >= 60 * MS);
}

static void a_reset_does_not_wait_for_the_pace(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_pace(b->wire, 10, 20 * MS), 0);
    send_block(b, 40);
    run_until_raw(10);
    assert_int_equal(wire_rst(b->wire, false), 0);
    run_for(100 * MS, NULL);
    assert_true(saw_rst);
    assert_int_equal(buf_len(&raw), 10);
    assert_int_equal(b->handed, 10);
}

static void each_paced_chunk_is_a_tls_record(void **state)
{
    struct bench *b = *state;
    establish(b);
    unsigned before = segments(b);
    assert_int_equal(wire_pace(b->wire, 10, 20 * MS), 0);
    send_block(b, 35);
    assert_int_equal(wire_handed(b->wire), 10);
    run_until_raw(3 * RECORD(10) + RECORD(5));
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(record(i) + 5, RECORD(10));
    assert_int_equal(record(3) + 5, RECORD(5));
    assert_int_equal(segments(b) - before, 4);
    read_tls();
    assert_int_equal(buf_len(&plain), 35);
    assert_true(came_in_order(&plain));
}

static void without_a_pace_a_response_is_one_tls_record(void **state)
{
    struct bench *b = *state;
    establish(b);
    send_block(b, 35);
    run_until_raw(RECORD(35));
    assert_int_equal(record(0) + 5, RECORD(35));
}

static void a_close_notify_waits_for_the_pace(void **state)
{
    struct bench *b = *state;
    establish(b);
    assert_int_equal(wire_pace(b->wire, 10, 20 * MS), 0);
    send_block(b, 40);
    assert_int_equal(wire_close_notify(b->wire), 0);
    assert_false(wire_can_send(b->wire));
    run_until_raw(4 * RECORD(10) + RECORD(2));
    read_tls();
    assert_int_equal(buf_len(&plain), 40);
    assert_int_equal(tls_error, 0);
    assert_false(saw_fin);
}

static void a_fin_with_close_notify_waits_for_the_pace(void **state)
{
    struct bench *b = *state;
    establish(b);
    assert_int_equal(wire_pace(b->wire, 10, 20 * MS), 0);
    send_block(b, 40);
    assert_int_equal(wire_fin(b->wire, true), 0);
    run_until_fin();
    read_tls();
    assert_int_equal(buf_len(&plain), 40);
    assert_int_equal(tls_error, 0);
}

static void paced_bytes_are_dropped_when_the_client_ends_tls(void **state)
{
    struct bench *b = *state;
    establish(b);
    assert_int_equal(wire_pace(b->wire, 10, 20 * MS), 0);
    send_block(b, 400);
    gnutls_alert_send(client, GNUTLS_AL_FATAL, GNUTLS_A_INTERNAL_ERROR);
    run_for(5 * MS, NULL);
    assert_true(b->peer_closed);
    wire_close(b->wire);
    run_until_fin();
    assert_true(wire_handed(b->wire) < 400);
    assert_false(ledger_has(b, "\"by\":\"server\",\"how\":\"P"));
}

/* --- Cut */

static void a_cut_lets_exactly_so_many_bytes_out_and_then_fin(void **state)
{
    struct bench *b = *state;
    send_block(b, 100); /* before it, and not counted */
    assert_int_equal(wire_cut(b->wire, 700, WIRE_CUT_FIN), 0);
    wire_send(b->wire, block + 100, 2000);
    assert_int_equal(b->cuts, 0); /* from the loop */
    assert_int_equal(wire_handed(b->wire), 800);
    run_until_fin();
    assert_int_equal(b->cuts, 1);
    assert_int_equal(b->cut_into, WIRE_FINNED);
    assert_true(wire_fault_since(b->wire) != MOMENT_NONE);
    assert_int_equal(buf_len(&raw), 800);
    assert_true(came_in_order(&raw));
    assert_int_equal(wire_handed(b->wire), 800);
    assert_int_equal(wire_queued(b->wire), 2100);
    assert_true(ledger_has(b, "\"step\":\"cut\",\"why\":\"in effect: 700 bytes were let out\""));
    assert_true(ledger_has(b, "\"bytes\":700"));
    client_says(b, "stale");
    assert_int_equal(buf_len(&b->stale), 5);
    run_for(PATIENCE, &b->closed);
    assert_true(ledger_has(b, "\"how\":\"rst\""));
    assert_int_equal(b->cuts, 1);
}

static void a_cut_stays_armed_for_later_responses(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_cut(b->wire, 700, WIRE_CUT_FIN), 0);
    send_block(b, 699);
    run_for(30 * MS, NULL);
    assert_int_equal(b->cuts, 0);
    assert_int_equal(wire_state(b->wire), WIRE_OPEN);
    wire_send(b->wire, block + 699, 1);
    run_until_fin();
    assert_int_equal(b->cuts, 1);
    assert_int_equal(buf_len(&raw), 700);
}

static void a_cut_after_nothing_waits_for_what_is_queued(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_pace(b->wire, 10, 20 * MS), 0);
    send_block(b, 30);
    assert_int_equal(wire_cut(b->wire, 0, WIRE_CUT_FIN), 0);
    wire_send(b->wire, "never", 5);
    run_until_fin();
    assert_int_equal(buf_len(&raw), 30);
    assert_int_equal(wire_handed(b->wire), 30);
}

static void a_cut_after_nothing_on_a_quiet_connection_is_done_by_the_loop(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_cut(b->wire, 0, WIRE_CUT_FIN), 0);
    assert_int_equal(wire_state(b->wire), WIRE_OPEN);
    assert_int_equal(b->cuts, 0);
    run_until_cut(b);
    run_until_fin();
    assert_int_equal(buf_len(&raw), 0);
}

static void a_cut_counts_behind_what_is_paced(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_pace(b->wire, 10, 20 * MS), 0);
    send_block(b, 30);
    assert_int_equal(wire_cut(b->wire, 15, WIRE_CUT_FIN), 0);
    wire_send(b->wire, block + 30, 100);
    run_until_fin();
    assert_int_equal(buf_len(&raw), 45);
    assert_int_equal(wire_handed(b->wire), 45);
    assert_true(came_in_order(&raw));
}

static void a_cut_goes_before_the_orderly_end(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_cut(b->wire, 700, WIRE_CUT_RST), 0);
    send_block(b, 2000);
    wire_close(b->wire);
    run_for(PATIENCE, &saw_rst);
    assert_true(saw_rst);
    assert_int_equal(buf_len(&raw), 700);
    assert_int_equal(b->cuts, 1);
    assert_true(ledger_has(b, "\"by\":\"fault\",\"how\":\"rst\""));
}

static void a_connection_that_ends_before_the_cut_is_not_cut(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_cut(b->wire, 700, WIRE_CUT_RST), 0);
    send_block(b, 600);
    wire_close(b->wire);
    run_until_fin();
    assert_int_equal(buf_len(&raw), 600);
    assert_int_equal(b->cuts, 0);
    assert_false(ledger_has(b, "\"step\":\"cut\""));
    assert_int_equal(wire_cut(b->wire, 7, WIRE_CUT_FIN), WIRE_TOO_LATE);
}

static void another_cut_moves_the_first(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_cut(b->wire, 10, WIRE_CUT_RST), 0);
    send_block(b, 5);
    assert_int_equal(wire_pace(b->wire, 10, 20 * MS), 0);
    assert_int_equal(wire_cut(b->wire, 100, WIRE_CUT_RST), 0);
    wire_send(b->wire, block + 5, 30);
    assert_int_equal(wire_cut(b->wire, 3, WIRE_CUT_RST), 0); /* behind what waits */
    assert_int_equal(wire_cut(b->wire, 8, WIRE_CUT_FIN), 0);
    wire_send(b->wire, block + 35, 30);
    run_until_fin();
    assert_int_equal(buf_len(&raw), 43);
    assert_int_equal(b->cuts, 1);
}

static void what_a_moved_cut_lets_out_is_told_of(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_cut(b->wire, 10, WIRE_CUT_FIN), 0);
    send_block(b, 30);
    assert_int_equal(wire_handed(b->wire), 10);
    unsigned told = b->progress;
    assert_int_equal(wire_cut(b->wire, 100, WIRE_CUT_FIN), 0);
    assert_int_equal(wire_handed(b->wire), 30);
    assert_int_equal(b->progress, told); /* never from inside a verb */
    run_until_raw(30);
    run_for(30 * MS, NULL);
    assert_int_equal(b->progress, told + 1);
    assert_int_equal(b->cuts, 0);
}

static void a_cut_holds_though_the_client_reads_late(void **state)
{
    struct bench *b = *state;
    size_t sent = 0;
    uv_poll_stop(&watch);
    assert_int_equal(wire_cut(b->wire, 30 << 20, WIRE_CUT_FIN), 0);
    while (wire_room(b->wire) > 0 && sent < 20u << 20) {
        send_block(b, 65536);
        sent += 65536;
    }
    assert_int_equal(wire_room(b->wire), 0);
    assert_int_equal(wire_cut(b->wire, 100, WIRE_CUT_FIN), 0);
    send_block(b, 65536);
    run_for(30 * MS, NULL);
    assert_int_equal(b->cuts, 0);
    uv_poll_start(&watch, UV_READABLE, client_readable);
    run_until_fin();
    assert_int_equal(buf_len(&raw), sent + 100);
    assert_int_equal(wire_handed(b->wire), sent + 100);
}

static void a_cut_that_resets_does_so_when_all_is_acked(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_cut(b->wire, 70000, WIRE_CUT_RST), 0);
    send_block(b, 100000);
    run_for(PATIENCE, &saw_rst);
    assert_true(saw_rst);
    assert_false(saw_fin);
    assert_int_equal(buf_len(&raw), 70000);
    assert_int_equal(b->cuts, 1);
    run_for(PATIENCE, &b->closed);
}

static void a_cut_that_stalls_lets_the_rest_out_when_resumed(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_cut(b->wire, 700, WIRE_CUT_STALL), 0);
    send_block(b, 1000);
    run_until_cut(b);
    assert_int_equal(b->cut_into, WIRE_STALLED);
    client_says(b, "hello?");
    assert_int_equal(buf_len(&b->stale), 6);
    assert_int_equal(buf_len(&raw), 700);
    assert_int_equal(wire_handed(b->wire), 700);
    unsigned told = b->progress;
    assert_int_equal(wire_resume(b->wire), 0);
    assert_int_equal(b->progress, told); /* never from inside a verb */
    run_until_raw(1000);
    assert_true(came_in_order(&raw));
    assert_int_equal(wire_handed(b->wire), 1000);
    assert_int_equal(b->progress, told + 1);
    wire_send(b->wire, block + 1000, 1000); /* it cuts once */
    run_until_raw(2000);
    assert_int_equal(b->cuts, 1);
}

static void a_fault_after_a_stalling_cut_drops_the_rest(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_cut(b->wire, 700, WIRE_CUT_STALL), 0);
    send_block(b, 1000);
    run_until_cut(b);
    assert_int_equal(wire_fin(b->wire, false), 0);
    run_until_fin();
    assert_int_equal(buf_len(&raw), 700);
    assert_int_equal(wire_handed(b->wire), 700);
}

static void a_stalling_cut_in_an_orderly_end_ends_it_when_resumed(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_cut(b->wire, 700, WIRE_CUT_STALL), 0);
    send_block(b, 1000);
    wire_close(b->wire);
    run_until_cut(b);
    run_for(30 * MS, NULL);
    assert_false(saw_fin);
    unsigned told = b->progress;
    assert_int_equal(wire_resume(b->wire), 0);
    assert_int_equal(wire_state(b->wire), WIRE_ENDING);
    run_until_fin();
    assert_int_equal(b->progress, told + 1);
    assert_int_equal(buf_len(&raw), 1000);
}

static void a_verb_before_the_cut_takes_its_place(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_cut(b->wire, 700, WIRE_CUT_RST), 0);
    send_block(b, 1000);
    assert_int_equal(wire_fin(b->wire, false), 0);
    run_until_fin();
    run_for(30 * MS, NULL);
    assert_int_equal(buf_len(&raw), 700);
    assert_int_equal(b->cuts, 0);
    assert_false(saw_rst);
}

static void a_cut_is_still_there_after_a_stall_that_ended(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_cut(b->wire, 700, WIRE_CUT_FIN), 0);
    send_block(b, 1000);
    assert_int_equal(wire_stall(b->wire), 0);
    run_for(30 * MS, NULL);
    assert_int_equal(b->cuts, 0);
    assert_int_equal(buf_len(&raw), 700);
    assert_int_equal(wire_resume(b->wire), 0);
    run_until_fin();
    assert_int_equal(b->cuts, 1);
    assert_int_equal(buf_len(&raw), 700);
}

static void a_cut_divides_a_tls_record_and_counts_only_whole_ones(void **state)
{
    struct bench *b = *state;
    establish(b);
    assert_int_equal(wire_cut(b->wire, RECORD(100) + 60, WIRE_CUT_FIN), 0);
    send_block(b, 100);
    wire_send(b->wire, block + 100, 100);
    assert_int_equal(wire_handed(b->wire), 100);
    run_until_fin();
    assert_int_equal(buf_len(&raw), RECORD(100) + 60);
    assert_int_equal(wire_handed(b->wire), 100);
    read_tls();
    assert_int_equal(buf_len(&plain), 100);
    assert_true(tls_was_cut());
}

static void a_cut_in_a_large_tls_answer_is_exact(void **state)
{
    struct bench *b = *state;
    establish(b);
    assert_int_equal(wire_cut(b->wire, 40000, WIRE_CUT_FIN), 0);
    send_block(b, 100000);
    wire_close(b->wire);
    run_until_fin();
    assert_int_equal(buf_len(&raw), 40000);
    assert_int_equal(wire_handed(b->wire), 2 * 16384);
    read_tls();
    assert_int_equal(buf_len(&plain), 2 * 16384);
    assert_true(tls_was_cut()); /* and no close_notify */
}

static void a_stalling_cut_resumes_in_the_middle_of_a_tls_record(void **state)
{
    struct bench *b = *state;
    establish(b);
    assert_int_equal(wire_cut(b->wire, 60, WIRE_CUT_STALL), 0);
    send_block(b, 50000);
    run_until_cut(b);
    run_until_raw(60);
    assert_int_equal(wire_handed(b->wire), 0);
    assert_int_equal(wire_resume(b->wire), 0);
    assert_int_equal(wire_handed(b->wire), 50000);
    run_for(30 * MS, NULL);
    read_tls();
    assert_int_equal(buf_len(&plain), 50000);
    assert_true(came_in_order(&plain));
}

static void no_close_notify_follows_half_a_record(void **state)
{
    struct bench *b = *state;
    establish(b);
    assert_int_equal(wire_cut(b->wire, 60, WIRE_CUT_STALL), 0);
    send_block(b, 500);
    run_until_cut(b);
    assert_int_equal(wire_fin(b->wire, true), 0);
    run_until_fin();
    assert_int_equal(buf_len(&raw), 60);
}

static void a_cut_counts_the_handshake(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_cut(b->wire, 50, WIRE_CUT_FIN), 0);
    assert_int_equal(gnutls_handshake(client), GNUTLS_E_AGAIN);
    run_until_fin();
    assert_int_equal(buf_len(&raw), 50);
    assert_int_equal(b->cuts, 1);
    assert_false(b->established);
}

/* --- Inject */

static void injected_bytes_go_out_in_their_place(void **state)
{
    struct bench *b = *state;
    send_block(b, 10);
    assert_int_equal(wire_inject(b->wire, block + 10, 10, true), 0);
    assert_int_equal(wire_inject(b->wire, block + 20, 10, false), 0);
    assert_int_equal(wire_queued(b->wire), 30);
    assert_int_equal(wire_handed(b->wire), 30);
    assert_int_equal(wire_pace(b->wire, 8, 20 * MS), 0);
    wire_send(b->wire, block + 30, 20);
    assert_int_equal(wire_inject(b->wire, block + 50, 10, false), 0);
    wire_send(b->wire, block + 60, 4);
    assert_int_equal(wire_queued(b->wire), 64);
    assert_int_equal(wire_handed(b->wire), 38);
    run_until_raw(64);
    assert_true(came_in_order(&raw));
}

static void nothing_can_be_injected_when_nothing_can_be_said(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_stall(b->wire), 0);
    assert_int_equal(wire_inject(b->wire, "x", 1, true), WIRE_TOO_LATE);
    assert_int_equal(wire_resume(b->wire), 0);
    assert_int_equal(wire_inject(b->wire, "x", 1, true), 0);
    assert_int_equal(wire_fin(b->wire, false), 0);
    assert_int_equal(wire_inject(b->wire, "x", 1, true), WIRE_TOO_LATE);
    run_until_fin();
    assert_int_equal(buf_len(&raw), 1);
}

static void bytes_are_injected_inside_tls_and_between_its_records(void **state)
{
    struct bench *b = *state;
    establish(b);
    assert_int_equal(wire_inject(b->wire, block, 10, true), 0);
    assert_int_equal(wire_pace(b->wire, 10, 20 * MS), 0);
    wire_send(b->wire, block + 10, 15);
    assert_int_equal(wire_inject(b->wire, "raw!", 4, false), 0);
    wire_send(b->wire, block + 25, 5);
    run_until_raw(2 * RECORD(10) + RECORD(5) + 4 + RECORD(5));
    assert_memory_equal(buf_bytes(&raw) + 2 * RECORD(10) + RECORD(5), "raw!", 4);
    assert_int_equal(wire_handed(b->wire), 34);
    read_tls();
    assert_int_equal(buf_len(&plain), 25);
    assert_true(came_in_order(&plain));
    assert_true(tls_error < 0 && tls_error != GNUTLS_E_AGAIN);
}

static void before_tls_bytes_are_injected_as_they_are(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_inject(b->wire, "HTTP/1.1 400\r\n", 14, true), 0);
    assert_int_equal(wire_handed(b->wire), 14);
    run_until_raw(14);
    assert_memory_equal(buf_bytes(&raw), "HTTP/1.1 400\r\n", 14);
    pulled = 14;
    establish(b);
}

/* --- RST once all is ACKed */

static void a_drained_reset_waits_for_the_pace_and_the_acks(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_pace(b->wire, 10, 40 * MS), 0);
    send_block(b, 30);
    assert_int_equal(wire_rst(b->wire, true), 0);
    assert_int_equal(wire_state(b->wire), WIRE_RESETTING);
    assert_int_equal(wire_rst(b->wire, true), WIRE_TOO_LATE);
    assert_false(wire_can_send(b->wire));
    client_says(b, "stale");
    assert_int_equal(buf_len(&b->stale), 5);
    assert_true(ledger_has(b, "\"sent_into\":\"resetting\""));
    assert_int_equal(client_unacked(b), 0);
    shutdown(b->client, SHUT_WR); /* noted, and no more */
    run_for(PATIENCE, &b->closed);
    run_for(30 * MS, NULL);
    assert_true(saw_rst);
    assert_false(saw_fin);
    assert_int_equal(buf_len(&raw), 30);
    assert_int_equal(b->handed, 30);
    assert_true(ledger_has(b, "\"step\":\"rst\",\"why\":\"in effect: all we sent is ACKed\""));
}

/* Fills the client's window and the kernel's buffer; returns how many bytes. */
static size_t fill(struct bench *b)
{
    size_t sent = 0;
    uv_poll_stop(&watch);
    while (wire_room(b->wire) > 0 && sent < 30u << 20) {
        send_block(b, 65536);
        sent += 65536;
        run_for(MS, NULL);
    }
    assert_int_equal(wire_room(b->wire), 0);
    return sent;
}

static void drained_reset_of_a_slow_client(struct bench *b, size_t sent)
{
    assert_int_equal(wire_rst(b->wire, true), 0);
    run_for(100 * MS, NULL);
    assert_false(b->closed);
    assert_int_equal(wire_state(b->wire), WIRE_RESETTING);
    uv_poll_start(&watch, UV_READABLE, client_readable);
    run_for(PATIENCE, &b->closed);
    run_for(30 * MS, NULL);
    assert_true(saw_rst);
    assert_int_equal(buf_len(&raw), sent);
}

static void a_drained_reset_lets_a_slow_client_have_all_that_was_queued(void **state)
{
    struct bench *b = *state;
    drained_reset_of_a_slow_client(b, fill(b));
}

static void a_drained_reset_lets_a_slow_client_have_all_that_the_kernel_took(void **state)
{
    struct bench *b = *state;
    uv_poll_stop(&watch);
    send_block(b, 400000); /* more than the client's window, less than our kernel's buffer */
    drained_reset_of_a_slow_client(b, 400000);
}

static void a_reset_that_is_not_drained_does_not(void **state)
{
    struct bench *b = *state;
    size_t sent = fill(b);
    assert_int_equal(wire_rst(b->wire, false), 0);
    uv_poll_start(&watch, UV_READABLE, client_readable);
    run_for(30 * MS, NULL);
    assert_true(saw_rst);
    assert_true(buf_len(&raw) < sent);
}

static void a_client_that_does_not_read_is_reset_in_the_end(void **state)
{
    struct bench *b = *state;
    fill(b);
    int64_t start = clock_now();
    assert_int_equal(wire_rst(b->wire, true), 0);
    run_for(2 * WIRE_DRAIN_MAX, &b->closed);
    assert_true(b->closed);
    assert_true(clock_now() - start >= WIRE_DRAIN_MAX);
    assert_true(ledger_has(b, "bytes of ours are not ACKed"));
}

/* --- Without memory */

static void without_memory_nothing_is_shaped(void **state)
{
    struct bench *b = *state;
    no_memory = true;
    assert_int_equal(wire_pace(b->wire, 10, MS), -ENOMEM);
    assert_int_equal(wire_cut(b->wire, 10, WIRE_CUT_FIN), -ENOMEM);
    no_memory = false;
    send_block(b, 100);
    run_until_raw(100);
}

static void a_wire_that_cannot_keep_what_waits_is_reset(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_pace(b->wire, 10, MS), 0);
    no_memory = true;
    send_block(b, 100);
    no_memory = false;
    assert_int_equal(wire_state(b->wire), WIRE_CLOSED);
    run_for(30 * MS, NULL);
    assert_true(saw_rst);
    assert_true(ledger_has(b, "\"by\":\"server\""));
}

static void a_cut_without_memory_leaves_what_waits_alone(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_pace(b->wire, 10, 20 * MS), 0);
    send_block(b, 30);
    no_memory = true;
    assert_int_equal(wire_cut(b->wire, 5, WIRE_CUT_FIN), -ENOMEM);
    no_memory = false;
    run_until_raw(30);
    assert_int_equal(wire_state(b->wire), WIRE_OPEN);
}

static void a_cut_that_cannot_be_moved_stays_where_it_is(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_pace(b->wire, 10, 20 * MS), 0);
    send_block(b, 30);
    assert_int_equal(wire_cut(b->wire, 5, WIRE_CUT_FIN), 0);
    no_memory = true;
    assert_int_equal(wire_cut(b->wire, 8, WIRE_CUT_RST), -ENOMEM);
    no_memory = false;
    wire_send(b->wire, block + 30, 30);
    run_until_fin();
    assert_int_equal(buf_len(&raw), 35);
}

static void a_close_notify_that_cannot_be_kept_ends_the_wire(void **state)
{
    struct bench *b = *state;
    establish(b);
    assert_int_equal(wire_pace(b->wire, 10, 20 * MS), 0);
    send_block(b, 30);
    no_memory = true;
    assert_int_equal(wire_close_notify(b->wire), 0);
    no_memory = false;
    assert_int_equal(wire_state(b->wire), WIRE_CLOSED);
}

/* --- The certificate */

static const char *put(const char *name, const gnutls_datum_t *pem)
{
    static char paths[2][128];
    static unsigned next;
    char *path = paths[next++ % 2];
    snprintf(path, sizeof paths[0], "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(pem->data, 1, pem->size, f), pem->size);
    assert_int_equal(fclose(f), 0);
    return path;
}

static int start(void **state)
{
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t ca, cert;
    struct names names;
    gnutls_datum_t key_pem, cert_pem;
    struct refusal why;
    for (size_t i = 0; i < sizeof block; i++)
        block[i] = (char)('a' + i % 26);
    strcpy(dir, "/tmp/hangup-wire-shape-XXXXXX");
    assert_non_null(mkdtemp(dir));
    assert_int_equal(mint_key(&key), 0);
    assert_int_equal(mint_authority(key, time(NULL), &ca), 0);
    assert_int_equal(names_wanted(NULL, 0, &names, &why), 0);
    assert_int_equal(mint_server(key, &names, time(NULL), ca, key, &cert), 0);
    names_finish(&names);
    assert_int_equal(mint_key_pem(key, &key_pem), 0);
    assert_int_equal(mint_cert(cert, GNUTLS_X509_FMT_PEM, &cert_pem), 0);
    const char *cert_file = put("cert", &cert_pem), *key_file = put("key", &key_pem);
    assert_int_equal(tls_server_create(cert_file, key_file, &tls, &why), 0);
    unlink(cert_file);
    unlink(key_file);
    rmdir(dir);
    gnutls_free(key_pem.data);
    gnutls_free(cert_pem.data);
    gnutls_x509_privkey_deinit(key);
    gnutls_x509_crt_deinit(cert);
    gnutls_x509_crt_deinit(ca);
    return start_loop(state);
}

static int stop(void **state)
{
    tls_server_destroy(tls);
    return stop_loop(state);
}

#define clear(name)   cmocka_unit_test_setup_teardown(name, set_up_clear, tear_down_shape)
#define secured(name) cmocka_unit_test_setup_teardown(name, set_up_tls, tear_down_shape)

int main(void)
{
    const struct CMUnitTest tests[] = {
        clear(without_a_pace_all_leaves_at_once),
        clear(paced_bytes_leave_in_chunks_and_never_early),
        clear(a_pace_holds_for_what_is_sent_later_and_does_not_stop_reading),
        clear(another_pace_takes_over_what_waits_and_none_lets_it_out),
        clear(a_fast_pace_is_not_held_up_by_what_may_wait),
        clear(the_verbs_wait_until_the_pace_has_let_all_out),
        clear(the_orderly_close_waits_for_the_pace),
        clear(a_stall_begins_behind_what_is_paced),
        clear(forget_waits_for_the_pace_also_when_the_client_has_closed_its_half),
        clear(a_black_hole_begins_behind_what_is_paced),
        clear(a_reset_does_not_wait_for_the_pace),
        secured(each_paced_chunk_is_a_tls_record),
        secured(without_a_pace_a_response_is_one_tls_record),
        secured(a_close_notify_waits_for_the_pace),
        secured(a_fin_with_close_notify_waits_for_the_pace),
        secured(paced_bytes_are_dropped_when_the_client_ends_tls),
        clear(a_cut_lets_exactly_so_many_bytes_out_and_then_fin),
        clear(a_cut_stays_armed_for_later_responses),
        clear(a_cut_after_nothing_waits_for_what_is_queued),
        clear(a_cut_after_nothing_on_a_quiet_connection_is_done_by_the_loop),
        clear(a_cut_counts_behind_what_is_paced),
        clear(a_cut_goes_before_the_orderly_end),
        clear(a_connection_that_ends_before_the_cut_is_not_cut),
        clear(another_cut_moves_the_first),
        clear(what_a_moved_cut_lets_out_is_told_of),
        clear(a_cut_holds_though_the_client_reads_late),
        clear(a_cut_that_resets_does_so_when_all_is_acked),
        clear(a_cut_that_stalls_lets_the_rest_out_when_resumed),
        clear(a_fault_after_a_stalling_cut_drops_the_rest),
        clear(a_stalling_cut_in_an_orderly_end_ends_it_when_resumed),
        clear(a_verb_before_the_cut_takes_its_place),
        clear(a_cut_is_still_there_after_a_stall_that_ended),
        secured(a_cut_divides_a_tls_record_and_counts_only_whole_ones),
        secured(a_cut_in_a_large_tls_answer_is_exact),
        secured(a_stalling_cut_resumes_in_the_middle_of_a_tls_record),
        secured(no_close_notify_follows_half_a_record),
        secured(a_cut_counts_the_handshake),
        clear(injected_bytes_go_out_in_their_place),
        clear(nothing_can_be_injected_when_nothing_can_be_said),
        secured(bytes_are_injected_inside_tls_and_between_its_records),
        secured(before_tls_bytes_are_injected_as_they_are),
        clear(a_drained_reset_waits_for_the_pace_and_the_acks),
        clear(a_drained_reset_lets_a_slow_client_have_all_that_was_queued),
        clear(a_drained_reset_lets_a_slow_client_have_all_that_the_kernel_took),
        clear(a_reset_that_is_not_drained_does_not),
        clear(a_client_that_does_not_read_is_reset_in_the_end),
        clear(without_memory_nothing_is_shaped),
        clear(a_wire_that_cannot_keep_what_waits_is_reset),
        clear(a_cut_without_memory_leaves_what_waits_alone),
        clear(a_cut_that_cannot_be_moved_stays_where_it_is),
        secured(a_close_notify_that_cannot_be_kept_ends_the_wire),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
