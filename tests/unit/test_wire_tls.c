/* The wire's verbs inside a TLS handshake, and alerts: the bytes that the client reads from its
 * socket. */
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
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "base/buf.h"
#include "base/log.h"
#include "certs/mint.h"
#include "ledger/ledger.h"
#include "tests/skip.h"
#include "wire/caps.h"
#include "wire/moment.h"
#include "wire/tls.h"
#include "wire/wire.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define PATIENCE     (5 * NS_PER_S)
#define A_WHILE      (20 * NS_PER_MS)

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
    unsigned hellos;
    void (*at_hello)(struct bench *b);
    bool established, peer_closed, closed;
};

/* --- The owner */

static void hello(void *owner)
{
    struct bench *b = owner;
    b->hellos++;
    assert_int_equal(wire_state(b->wire), WIRE_HANDSHAKE);
    assert_int_equal(wire_bytes_out(b->wire), 0);
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

static void stale(void *owner, const uint8_t *bytes, size_t n)
{
}

static bool stale_whole(void *owner)
{
    return true;
}

static uint32_t ending(void *owner, const char *by)
{
    return 0;
}

static void peer_closed(void *owner, bool at_end)
{
    struct bench *b = owner;
    b->peer_closed = true;
}

static void progress(void *owner)
{
}

static void closed(void *owner)
{
    struct bench *b = owner;
    b->closed = true;
}

static const struct wire_owner calls = {
    .hello = hello,
    .established = established,
    .received = received,
    .stale = stale,
    .stale_whole = stale_whole,
    .ending = ending,
    .peer_closed = peer_closed,
    .progress = progress,
    .closed = closed,
};

/* --- Both sides */

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

static void open_client(struct bench *b, const char *priority)
{
    assert_int_equal(gnutls_certificate_allocate_credentials(&b->trust), 0);
    assert_int_equal(gnutls_init(&b->tls, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_KEY_SHARE_TOP),
                     0);
    assert_int_equal(gnutls_priority_set_direct(b->tls, priority, NULL), 0);
    assert_int_equal(gnutls_credentials_set(b->tls, GNUTLS_CRD_CERTIFICATE, b->trust), 0);
    gnutls_transport_set_int(b->tls, b->client);
}

static void connect_bench(struct bench *b, const struct wire_owner *owner, bool tls)
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
    struct wire_config config = { .loop = &loop,
                                  .owner_calls = owner,
                                  .owner = b,
                                  .ledger = b->ledger,
                                  .id = 1,
                                  .tls = tls ? server : NULL,
                                  .h2 = true };
    assert_int_equal(wire_create(&config, fd, &b->wire), 0);
}

static void set_alpn(struct bench *b)
{
    static const gnutls_datum_t h2 = { (unsigned char *)"h2", 2 };
    assert_int_equal(gnutls_alpn_set_protocols(b->tls, &h2, 1, 0), 0);
}

static void end(struct bench *b)
{
    if (!b->closed)
        wire_abort(b->wire, "test", NULL);
    run_for(PATIENCE, &b->closed);
    assert_true(b->closed);
    close(b->client);
    gnutls_deinit(b->tls);
    gnutls_certificate_free_credentials(b->trust);
    buf_free(&b->received);
    ledger_destroy(b->ledger);
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

/* Goes on with the client's handshake until it is done. Returns 0, or what stopped it;
 * GNUTLS_E_AGAIN: nothing, for long enough. */
static int shake(struct bench *b)
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

static void works(struct bench *b)
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
static void say_hello(struct bench *b)
{
    assert_int_equal(gnutls_handshake(b->tls), GNUTLS_E_AGAIN);
    run_for(A_WHILE, NULL);
}

/* A ticket of that client, for the next time. */
static gnutls_datum_t ticket_for(const char *priority)
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

static void begin(struct bench *b, size_t kind, void (*at_hello)(struct bench *b))
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
static int client_sees(struct bench *b, uint8_t *bytes, size_t size)
{
    run_for(A_WHILE, NULL);
    ssize_t n = recv(b->client, bytes, size, 0);
    return n < 0 ? -errno : (int)n;
}

static int client_sees_any(struct bench *b)
{
    uint8_t bytes[256];
    return client_sees(b, bytes, sizeof bytes);
}

static void sees_just_the_alert(struct bench *b, uint8_t level, uint8_t description)
{
    uint8_t bytes[256];
    assert_int_equal(client_sees(b, bytes, sizeof bytes), 7);
    assert_int_equal(bytes[0], 21); /* RFC 8446 5.1 */
    assert_int_equal(bytes[1], 3);
    assert_int_equal(bytes[4], 2);
    assert_int_equal(bytes[5], level);
    assert_int_equal(bytes[6], description);
}

/* A whole record that says little: user_canceled. */
static const uint8_t warning[] = { 21, 3, 1, 0, 2, 1, 90 };

/* --- At the ClientHello */

static void hello_is_called_once_and_the_handshake_goes_on(void **state)
{
    for (size_t k = 0; k < COUNT(kinds); k++) {
        struct bench b;
        begin(&b, k, NULL);
        works(&b);
        assert_int_equal(b.hellos, 1);
        assert_int_equal(!!gnutls_session_is_resumed(b.tls), kinds[k].resumes);
        if (kinds[k].retries) /* another group than the key share was for */
            assert_int_equal(gnutls_group_get(b.tls), GNUTLS_GROUP_SECP256R1);
        end(&b);
    }
}

static void an_owner_need_not_care(void **state)
{
    struct bench b;
    struct wire_owner without = calls;
    without.hello = NULL;
    connect_bench(&b, &without, true);
    open_client(&b, "NORMAL");
    set_alpn(&b);
    works(&b);
    end(&b);
}

static void fin_now(struct bench *b)
{
    assert_true(ledger_has(b, "\"event\":\"client_hello\""));
    assert_int_equal(wire_fin(b->wire, false), 0);
}

static void fin_and_notify_now(struct bench *b)
{
    assert_int_equal(wire_fin(b->wire, true), 0); /* there is nothing to notify of yet */
}

static void close_now(struct bench *b)
{
    wire_close(b->wire);
}

static void fin_is_a_bare_fin(void **state)
{
    static void (*const ways[])(struct bench *) = { fin_now, fin_and_notify_now, close_now };
    for (size_t w = 0; w < COUNT(ways); w++) {
        for (size_t k = 0; k < COUNT(kinds); k++) {
            struct bench b;
            begin(&b, k, ways[w]);
            say_hello(&b);
            assert_int_equal(client_sees_any(&b), 0);
            assert_int_equal(b.hellos, 1);
            shutdown(b.client, SHUT_WR);
            run_for(PATIENCE, &b.closed);
            assert_int_equal(client_sees_any(&b), 0);
            assert_true(ledger_has(&b, "\"bytes_out\":0"));
            assert_false(ledger_has(&b, "\"event\":\"tls_failed\""));
            end(&b);
        }
    }
}

static void inject_now(struct bench *b)
{
    assert_int_equal(wire_inject(b->wire, "garbage", 7, false), 0);
}

static void what_is_injected_comes_before_the_answer(void **state)
{
    struct bench b;
    uint8_t bytes[256];
    begin(&b, TLS13, inject_now);
    say_hello(&b);
    assert_int_equal(client_sees(&b, bytes, 7), 7);
    assert_memory_equal(bytes, "garbage", 7);
    works(&b);
    end(&b);
}

static void rst_now(struct bench *b)
{
    assert_int_equal(wire_rst(b->wire, false), 0);
}

static void rst_is_a_reset_and_nothing_before_it(void **state)
{
    for (size_t k = 0; k < COUNT(kinds); k++) {
        struct bench b;
        begin(&b, k, rst_now);
        say_hello(&b);
        assert_int_equal(client_sees_any(&b), -ECONNRESET);
        assert_true(b.closed);
        assert_true(ledger_has(&b, "\"bytes_out\":0"));
        end(&b);
    }
}

static void forget_now(struct bench *b)
{
    assert_int_equal(wire_forget(b->wire, false), 0);
}

static void forget_is_silence_and_then_a_reset(void **state)
{
    for (size_t k = 0; k < COUNT(kinds); k++) {
        struct bench b;
        begin(&b, k, forget_now);
        say_hello(&b);
        assert_int_equal(client_sees_any(&b), -EAGAIN);
        assert_int_equal(send(b.client, warning, sizeof warning, MSG_NOSIGNAL), sizeof warning);
        assert_int_equal(client_sees_any(&b), -ECONNRESET);
        end(&b);
    }
}

static void stall_now(struct bench *b)
{
    assert_int_equal(wire_stall(b->wire), 0);
}

static void stall_puts_the_handshake_off(void **state)
{
    for (size_t k = 0; k < COUNT(kinds); k++) {
        struct bench b;
        begin(&b, k, stall_now);
        say_hello(&b);
        assert_int_equal(client_sees_any(&b), -EAGAIN);
        assert_int_equal(wire_alert(b.wire, true, GNUTLS_A_INTERNAL_ERROR), WIRE_TOO_LATE);
        assert_int_equal(wire_resume(b.wire), 0);
        works(&b);
        assert_int_equal(b.hellos, 1);
        assert_int_equal(!!gnutls_session_is_resumed(b.tls), kinds[k].resumes);
        end(&b);
    }
}

static void stall_and_resume_now(struct bench *b)
{
    assert_int_equal(wire_stall(b->wire), 0);
    assert_int_equal(wire_resume(b->wire), 0);
}

static void a_stall_may_end_where_it_began(void **state)
{
    struct bench b;
    begin(&b, TLS13, stall_and_resume_now);
    works(&b);
    end(&b);
}

static void black_hole_now(struct bench *b)
{
    assert_int_equal(wire_black_hole(b->wire), 0);
}

static void a_black_hole_puts_the_handshake_off(void **state)
{
    if (!caps_have(CAP_BLACK_HOLE))
        skip_because(caps_row(CAP_BLACK_HOLE)->why_not);
    for (size_t k = 0; k < COUNT(kinds); k++) {
        struct bench b;
        begin(&b, k, black_hole_now);
        say_hello(&b);
        assert_int_equal(client_sees_any(&b), -EAGAIN);
        assert_int_equal(wire_heal(b.wire), 0);
        works(&b);
        assert_int_equal(b.hellos, 1);
        end(&b);
    }
}

static void a_stalled_handshake_may_end_in_a_fin(void **state)
{
    struct bench b;
    begin(&b, TLS13, stall_now);
    say_hello(&b);
    assert_int_equal(wire_fin(b.wire, false), 0);
    assert_int_equal(client_sees_any(&b), 0);
    end(&b);
}

static void a_fin_that_comes_in_the_stall_ends_it_after_the_resume(void **state)
{
    struct bench b;
    begin(&b, TLS13, stall_now);
    say_hello(&b);
    shutdown(b.client, SHUT_WR);
    assert_int_equal(client_sees_any(&b), -EAGAIN);
    assert_int_equal(wire_resume(b.wire), 0);
    run_for(PATIENCE, &b.closed);
    assert_true(b.closed);
    end(&b);
}

/* The client's socket takes what GnuTLS sends in two halves, with a while between. */
static struct bench *halving;
static void (*between)(struct bench *b);

static ssize_t push_in_halves(gnutls_transport_ptr_t transport, const void *bytes, size_t n)
{
    struct bench *b = halving;
    if (between && b->hellos == 0) {
        assert_int_equal(send(b->client, bytes, n / 2, MSG_NOSIGNAL), n / 2);
        run_for(A_WHILE, NULL);
        assert_int_equal(b->hellos, 0);
        between(b);
        between = NULL;
        assert_int_equal(send(b->client, (const char *)bytes + n / 2, n - n / 2, MSG_NOSIGNAL),
                         n - n / 2);
        return (ssize_t)n;
    }
    return send(b->client, bytes, n, MSG_NOSIGNAL);
}

static void nothing(struct bench *b)
{
}

static void a_hello_in_two_segments_is_put_off_too(void **state)
{
    static void (*const ways[])(struct bench *) = { nothing, stall_now };
    for (size_t w = 0; w < COUNT(ways); w++) { /* the second one: stalled before the hello, too */
        struct bench b;
        begin(&b, TLS13, stall_now);
        halving = &b;
        between = ways[w];
        gnutls_transport_set_push_function(b.tls, push_in_halves);
        say_hello(&b);
        if (ways[w] == stall_now) {
            assert_int_equal(b.hellos, 0);
            assert_int_equal(wire_resume(b.wire), 0);
            run_for(A_WHILE, NULL);
        }
        assert_int_equal(b.hellos, 1);
        assert_int_equal(wire_state(b.wire), WIRE_STALLED);
        assert_int_equal(client_sees_any(&b), -EAGAIN);
        assert_int_equal(wire_resume(b.wire), 0);
        works(&b);
        assert_int_equal(b.hellos, 1);
        end(&b);
    }
}

/* What comes before a ClientHello is kept, for the case that it is put off. */
static void a_hello_that_never_comes_is_not_kept_for_ever(void **state)
{
    struct bench b;
    begin(&b, TLS13, NULL);
    for (size_t sent = 0; !b.closed && sent < 1u << 20;) {
        uint8_t many[100 * sizeof warning];
        for (size_t i = 0; i < sizeof many; i += sizeof warning)
            memcpy(many + i, warning, sizeof warning);
        ssize_t n = send(b.client, many, sizeof many, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN)
            break;
        sent += n > 0 ? (size_t)n : 0;
        assert_true(sent < 1u << 20 || wire_state(b.wire) != WIRE_HANDSHAKE);
        run_for(NS_PER_MS, NULL);
    }
    assert_true(ledger_has(&b, "\"event\":\"tls_failed\""));
    end(&b);
}

/* --- Alerts */

static void alert_now(struct bench *b)
{
    assert_int_equal(wire_alert(b->wire, true, GNUTLS_A_INTERNAL_ERROR), 0);
    assert_int_equal(wire_alert(b->wire, true, GNUTLS_A_INTERNAL_ERROR), WIRE_TOO_LATE);
}

static void a_fatal_alert_at_the_hello_is_all_that_is_said(void **state)
{
    for (size_t k = 0; k < COUNT(kinds); k++) {
        struct bench b;
        begin(&b, k, alert_now);
        say_hello(&b);
        sees_just_the_alert(&b, 2, GNUTLS_A_INTERNAL_ERROR);
        assert_int_equal(client_sees_any(&b), -EAGAIN); /* TCP goes on */
        assert_int_equal(send(b.client, "not TLS at all", 14, MSG_NOSIGNAL), 14);
        assert_int_equal(client_sees_any(&b), -EAGAIN);
        assert_false(b.closed);
        shutdown(b.client, SHUT_WR);
        run_for(PATIENCE, &b.closed);
        assert_int_equal(client_sees_any(&b), 0);
        assert_true(ledger_has(&b, "\"by\":\"client\",\"how\":\"fin\""));
        assert_true(ledger_has(&b, "\"bytes_out\":7"));
        assert_false(b.established);
        end(&b);
    }
}

static void a_client_understands_the_alert(void **state)
{
    for (size_t k = 0; k < COUNT(kinds); k++) {
        struct bench b;
        begin(&b, k, alert_now);
        assert_int_equal(shake(&b), GNUTLS_E_FATAL_ALERT_RECEIVED);
        assert_int_equal(gnutls_alert_get(b.tls), GNUTLS_A_INTERNAL_ERROR);
        end(&b);
    }
}

static void alert_and_fin_now(struct bench *b)
{
    alert_now(b);
    assert_int_equal(wire_fin(b->wire, true), 0);
}

static void other_verbs_may_follow_an_alert(void **state)
{
    struct bench b;
    begin(&b, TLS13, alert_and_fin_now);
    say_hello(&b);
    sees_just_the_alert(&b, 2, GNUTLS_A_INTERNAL_ERROR);
    assert_int_equal(client_sees_any(&b), 0);
    end(&b);

    begin(&b, TLS13, alert_now);
    say_hello(&b);
    assert_int_equal(wire_stall(b.wire), 0);
    assert_int_equal(send(b.client, "x", 1, MSG_NOSIGNAL), 1);
    run_for(A_WHILE, NULL);
    assert_int_equal(wire_resume(b.wire), 0);
    run_for(A_WHILE, NULL);
    assert_int_equal(wire_rst(b.wire, false), 0);
    sees_just_the_alert(&b, 2, GNUTLS_A_INTERNAL_ERROR);
    assert_int_equal(client_sees_any(&b), -ECONNRESET);
    end(&b);
}

static void an_alert_after_a_stall_is_still_the_first_thing_said(void **state)
{
    for (size_t k = 0; k < COUNT(kinds); k++) {
        struct bench b;
        begin(&b, k, stall_now);
        say_hello(&b);
        assert_int_equal(wire_resume(b.wire), 0);
        assert_int_equal(wire_alert(b.wire, true, GNUTLS_A_ACCESS_DENIED), 0);
        sees_just_the_alert(&b, 2, GNUTLS_A_ACCESS_DENIED);
        assert_int_equal(client_sees_any(&b), -EAGAIN);
        end(&b);
    }
}

static void an_alert_may_come_before_the_hello(void **state)
{
    struct bench b;
    begin(&b, TLS13, NULL);
    assert_int_equal(wire_alert(b.wire, true, GNUTLS_A_USER_CANCELED), 0);
    sees_just_the_alert(&b, 2, GNUTLS_A_USER_CANCELED);
    gnutls_handshake(b.tls);
    assert_int_equal(client_sees_any(&b), -EAGAIN);
    assert_int_equal(b.hellos, 0);
    end(&b);
}

static void warning_now(struct bench *b)
{
    assert_int_equal(wire_alert(b->wire, false, GNUTLS_A_UNRECOGNIZED_NAME), 0);
}

/* As a server that does not know the name does it (RFC 6066 3). */
static void a_warning_at_the_hello_lets_the_handshake_go_on(void **state)
{
    struct bench b;
    uint8_t bytes[6];
    begin(&b, TLS12, warning_now);
    say_hello(&b);
    assert_int_equal(recv(b.client, bytes, sizeof bytes, MSG_PEEK), sizeof bytes);
    assert_int_equal(bytes[0], 21);
    assert_int_equal(shake(&b), GNUTLS_E_WARNING_ALERT_RECEIVED);
    assert_int_equal(gnutls_alert_get(b.tls), GNUTLS_A_UNRECOGNIZED_NAME);
    works(&b);
    end(&b);
}

static void an_alert_on_an_established_connection_reaches_the_client(void **state)
{
    for (size_t k = 0; k < COUNT(kinds); k++) {
        struct bench b;
        char byte;
        begin(&b, k, NULL);
        works(&b);
        assert_int_equal(wire_alert(b.wire, true, GNUTLS_A_DECRYPT_ERROR), 0);
        assert_false(wire_can_send(b.wire));
        assert_int_equal(wire_alert(b.wire, false, GNUTLS_A_USER_CANCELED), WIRE_TOO_LATE);
        assert_int_equal(wire_close_notify(b.wire), WIRE_TOO_LATE);
        wire_send(b.wire, "late", 4);
        run_for(A_WHILE, NULL);
        assert_int_equal(gnutls_record_recv(b.tls, &byte, 1), GNUTLS_E_FATAL_ALERT_RECEIVED);
        assert_int_equal(gnutls_alert_get(b.tls), GNUTLS_A_DECRYPT_ERROR);
        assert_int_equal(client_sees_any(&b), -EAGAIN);
        assert_false(b.closed);
        wire_close(b.wire);
        assert_int_equal(client_sees_any(&b), 0); /* and no close_notify behind the alert */
        end(&b);
    }
}

/* Not even the KeyUpdate that the client asks for in return (RFC 8446 4.6.3). */
static void nothing_follows_a_last_alert(void **state)
{
    static const bool fatal[] = { true, false };
    for (size_t i = 0; i < COUNT(fatal); i++) {
        struct bench b;
        begin(&b, TLS13, NULL);
        works(&b);
        assert_int_equal(wire_alert(b.wire, fatal[i], GNUTLS_A_CLOSE_NOTIFY), 0);
        assert_false(wire_can_send(b.wire));
        uint64_t before = wire_bytes_out(b.wire);
        assert_int_equal(gnutls_session_key_update(b.tls, GNUTLS_KU_PEER), 0);
        assert_int_equal(gnutls_record_send(b.tls, "still heard", 11), 11);
        run_for(A_WHILE, NULL);
        assert_int_equal(buf_len(&b.received), 4 + 11);
        wire_send(b.wire, "late", 4);
        run_for(A_WHILE, NULL);
        assert_int_equal(wire_bytes_out(b.wire), before);
        end(&b);
    }
}

static void a_warning_leaves_the_connection_as_it_is(void **state)
{
    for (size_t k = TLS13; k <= TLS12; k++) {
        struct bench b;
        char bytes[8];
        begin(&b, k, NULL);
        works(&b);
        assert_int_equal(wire_alert(b.wire, false, GNUTLS_A_USER_CANCELED), 0);
        assert_true(wire_can_send(b.wire));
        uint64_t before = wire_bytes_out(b.wire);
        wire_send(b.wire, "more", 4);
        run_for(A_WHILE, NULL);
        assert_true(wire_bytes_out(b.wire) > before);
        int first = (int)gnutls_record_recv(b.tls, bytes, sizeof bytes);
        assert_int_equal(gnutls_alert_get(b.tls), GNUTLS_A_USER_CANCELED);
        if (k == TLS12) { /* in TLS 1.3 this client takes every alert as fatal */
            assert_int_equal(first, GNUTLS_E_WARNING_ALERT_RECEIVED);
            assert_int_equal(gnutls_record_recv(b.tls, bytes, sizeof bytes), 4);
        }
        end(&b);
    }
}

static void a_clear_connection_has_no_alerts(void **state)
{
    struct bench b;
    connect_bench(&b, &calls, false);
    open_client(&b, "NORMAL");
    assert_int_equal(wire_alert(b.wire, true, GNUTLS_A_INTERNAL_ERROR), WIRE_TOO_LATE);
    assert_int_equal(client_sees_any(&b), -EAGAIN);
    assert_int_equal(b.hellos, 0);
    end(&b);
}

/* --- The server's key and certificate */

static char dir[64];

static const char *put(const char *name, const gnutls_datum_t *text)
{
    static char paths[2][128];
    char *path = paths[name[0] == 'k'];
    snprintf(path, sizeof paths[0], "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text->data, 1, text->size, f), text->size);
    assert_int_equal(fclose(f), 0);
    return path;
}

static int start(void **state)
{
    gnutls_x509_privkey_t ca_key, key;
    gnutls_x509_crt_t ca, cert;
    gnutls_datum_t key_pem, cert_pem;
    struct names names;
    struct refusal why;
    strcpy(dir, "/tmp/hangup-wire-tls-XXXXXX");
    if (!mkdtemp(dir) || names_wanted(NULL, 0, &names, &why) != 0)
        return -1;
    assert_int_equal(mint_key(&ca_key), 0);
    assert_int_equal(mint_key(&key), 0);
    assert_int_equal(mint_authority(ca_key, time(NULL), &ca), 0);
    assert_int_equal(mint_server(key, &names, time(NULL), ca, ca_key, &cert), 0);
    assert_int_equal(mint_key_pem(key, &key_pem), 0);
    assert_int_equal(mint_cert(cert, GNUTLS_X509_FMT_PEM, &cert_pem), 0);
    const char *cert_file = put("cert", &cert_pem), *key_file = put("key", &key_pem);
    assert_int_equal(tls_server_create(cert_file, key_file, &server, &why), 0);
    unlink(cert_file);
    unlink(key_file);
    rmdir(dir);
    gnutls_free(key_pem.data);
    gnutls_free(cert_pem.data);
    gnutls_x509_privkey_deinit(ca_key);
    gnutls_x509_privkey_deinit(key);
    gnutls_x509_crt_deinit(ca);
    gnutls_x509_crt_deinit(cert);
    names_finish(&names);
    caps_probe();
    return uv_loop_init(&loop) || moments_start(&loop);
}

static int stop(void **state)
{
    tls_server_destroy(server);
    moments_stop();
    uv_run(&loop, UV_RUN_DEFAULT);
    return uv_loop_close(&loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hello_is_called_once_and_the_handshake_goes_on),
        cmocka_unit_test(an_owner_need_not_care),
        cmocka_unit_test(fin_is_a_bare_fin),
        cmocka_unit_test(what_is_injected_comes_before_the_answer),
        cmocka_unit_test(rst_is_a_reset_and_nothing_before_it),
        cmocka_unit_test(forget_is_silence_and_then_a_reset),
        cmocka_unit_test(stall_puts_the_handshake_off),
        cmocka_unit_test(a_stall_may_end_where_it_began),
        cmocka_unit_test(a_black_hole_puts_the_handshake_off),
        cmocka_unit_test(a_stalled_handshake_may_end_in_a_fin),
        cmocka_unit_test(a_fin_that_comes_in_the_stall_ends_it_after_the_resume),
        cmocka_unit_test(a_hello_in_two_segments_is_put_off_too),
        cmocka_unit_test(a_hello_that_never_comes_is_not_kept_for_ever),
        cmocka_unit_test(a_fatal_alert_at_the_hello_is_all_that_is_said),
        cmocka_unit_test(a_client_understands_the_alert),
        cmocka_unit_test(other_verbs_may_follow_an_alert),
        cmocka_unit_test(an_alert_after_a_stall_is_still_the_first_thing_said),
        cmocka_unit_test(an_alert_may_come_before_the_hello),
        cmocka_unit_test(a_warning_at_the_hello_lets_the_handshake_go_on),
        cmocka_unit_test(an_alert_on_an_established_connection_reaches_the_client),
        cmocka_unit_test(nothing_follows_a_last_alert),
        cmocka_unit_test(a_warning_leaves_the_connection_as_it_is),
        cmocka_unit_test(a_clear_connection_has_no_alerts),
    };
    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, start, stop);
}
