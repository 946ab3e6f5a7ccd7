/* The wire's verbs at the ClientHello: the bytes that the client reads from its socket. */
#include "harness/hello.h"
#include "tests/skip.h"

/* A whole record that says little: user_canceled. */
static const uint8_t warning[] = { 21, 3, 1, 0, 2, 1, 90 };

static void hello_is_called_once_and_the_handshake_continues(void **state)
{
    for (size_t k = 0; k < HELLO_KINDS; k++) {
        struct bench b;
        hello_begin(&b, k, NULL);
        hello_works(&b);
        assert_int_equal(b.hellos, 1);
        assert_int_equal(!!gnutls_session_is_resumed(b.tls), hello_kinds[k].resumes);
        if (hello_kinds[k].retries) /* another group than the key share was for */
            assert_int_equal(gnutls_group_get(b.tls), GNUTLS_GROUP_SECP256R1);
        bench_close(&b);
    }
}

static void an_owner_need_not_care(void **state)
{
    struct bench b;
    struct wire_owner without = bench_calls;
    without.hello = NULL;
    bench_open(&b, &without, true);
    hello_client(&b, "NORMAL");
    hello_offer_h2(&b);
    hello_works(&b);
    bench_close(&b);
}

static void fin_now(struct bench *b)
{
    assert_true(bench_ledger_has(b, "\"event\":\"client_hello\""));
    assert_int_equal(wire_fin(b->wire, false, 0, false), 0);
}

static void fin_and_notify_now(struct bench *b)
{
    assert_int_equal(wire_fin(b->wire, true, 0, false), 0); /* there is nothing to notify of yet */
}

static void close_now(struct bench *b)
{
    wire_close(b->wire, BY_SERVER);
}

static void fin_is_a_bare_fin(void **state)
{
    static void (*const ways[])(struct bench *) = { fin_now, fin_and_notify_now, close_now };
    for (size_t w = 0; w < COUNT(ways); w++) {
        for (size_t k = 0; k < HELLO_KINDS; k++) {
            struct bench b;
            hello_begin(&b, k, ways[w]);
            hello_say(&b);
            assert_int_equal(client_sees(&b), 0);
            assert_int_equal(b.hellos, 1);
            shutdown(b.client, SHUT_WR);
            loop_until(&loop, is_set, &b.closed);
            assert_false(client_has_rst(&b));
            assert_true(bench_ledger_has(&b, "\"bytes_out\":0"));
            assert_false(bench_ledger_has(&b, "\"event\":\"tls_failed\""));
            bench_close(&b);
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
    hello_begin(&b, TLS13, inject_now);
    hello_say(&b);
    assert_int_equal(client_reads(&b, bytes, 7), 7);
    assert_memory_equal(bytes, "garbage", 7);
    hello_works(&b);
    bench_close(&b);
}

static void rst_now(struct bench *b)
{
    assert_int_equal(wire_rst(b->wire, false), 0);
}

static void rst_is_a_reset_and_nothing_before_it(void **state)
{
    for (size_t k = 0; k < HELLO_KINDS; k++) {
        struct bench b;
        hello_begin(&b, k, rst_now);
        hello_say(&b);
        assert_int_equal(client_sees(&b), -ECONNRESET);
        loop_until(&loop, is_set, &b.closed);
        assert_true(bench_ledger_has(&b, "\"bytes_out\":0"));
        bench_close(&b);
    }
}

static void forget_now(struct bench *b)
{
    assert_int_equal(wire_forget(b->wire, false), 0);
}

static void forget_is_silence_and_then_a_reset(void **state)
{
    for (size_t k = 0; k < HELLO_KINDS; k++) {
        struct bench b;
        hello_begin(&b, k, forget_now);
        hello_say(&b);
        client_sees_nothing(&b);
        client_sends(&b, warning, sizeof warning);
        assert_int_equal(client_sees(&b), -ECONNRESET);
        bench_close(&b);
    }
}

static void stall_puts_the_handshake_off(void **state)
{
    for (size_t k = 0; k < HELLO_KINDS; k++) {
        struct bench b;
        hello_begin(&b, k, hello_stall);
        hello_say(&b);
        client_sees_nothing(&b);
        assert_int_equal(wire_alert(b.wire, true, GNUTLS_A_INTERNAL_ERROR), WIRE_TOO_LATE);
        assert_int_equal(wire_resume(b.wire), 0);
        hello_works(&b);
        assert_int_equal(b.hellos, 1);
        assert_int_equal(!!gnutls_session_is_resumed(b.tls), hello_kinds[k].resumes);
        bench_close(&b);
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
    hello_begin(&b, TLS13, stall_and_resume_now);
    hello_works(&b);
    bench_close(&b);
}

static void black_hole_now(struct bench *b)
{
    assert_int_equal(wire_black_hole(b->wire), 0);
}

static void a_black_hole_puts_the_handshake_off(void **state)
{
    if (!caps_have(CAP_BLACK_HOLE))
        skip_because(caps_row(CAP_BLACK_HOLE)->why_not);
    for (size_t k = 0; k < HELLO_KINDS; k++) {
        struct bench b;
        hello_begin(&b, k, black_hole_now);
        hello_say(&b);
        client_sees_nothing(&b);
        assert_int_equal(wire_heal(b.wire), 0);
        hello_works(&b);
        assert_int_equal(b.hellos, 1);
        bench_close(&b);
    }
}

static void a_stalled_handshake_may_end_in_a_fin(void **state)
{
    struct bench b;
    hello_begin(&b, TLS13, hello_stall);
    hello_say(&b);
    assert_int_equal(wire_fin(b.wire, false, 0, false), 0);
    assert_int_equal(client_sees(&b), 0);
    bench_close(&b);
}

static void a_fin_that_comes_in_the_stall_ends_it_after_the_resume(void **state)
{
    struct bench b;
    hello_begin(&b, TLS13, hello_stall);
    hello_say(&b);
    shutdown(b.client, SHUT_WR);
    client_sees_nothing(&b);
    assert_int_equal(wire_resume(b.wire), 0);
    loop_until(&loop, is_set, &b.closed);
    bench_close(&b);
}

/* The client's socket takes what GnuTLS sends in two halves, the second when the first is read. */
static void (*between)(struct bench *b);

static ssize_t push_in_halves(gnutls_transport_ptr_t transport, const void *bytes, size_t n)
{
    struct bench *b = transport;
    if (between && b->hellos == 0) {
        client_sends(b, bytes, n / 2);
        loop_until(&loop, bench_all_read, b);
        assert_int_equal(b->hellos, 0);
        between(b);
        between = NULL;
        client_sends(b, (const char *)bytes + n / 2, n - n / 2);
        return (ssize_t)n;
    }
    return client_tries(b, bytes, n);
}

static bool is_greeted(void *bench)
{
    return ((struct bench *)bench)->hellos > 0;
}

static void nothing(struct bench *b)
{
}

static void a_hello_in_two_segments_is_put_off_too(void **state)
{
    static void (*const ways[])(struct bench *) = { nothing, hello_stall };
    for (size_t w = 0; w < COUNT(ways); w++) { /* the second one: stalled before the hello, too */
        struct bench b;
        hello_begin(&b, TLS13, hello_stall);
        between = ways[w];
        gnutls_transport_set_push_function(b.tls, push_in_halves);
        hello_say(&b);
        if (ways[w] == hello_stall) {
            assert_int_equal(b.hellos, 0);
            assert_int_equal(wire_resume(b.wire), 0);
            loop_until(&loop, is_greeted, &b);
        }
        assert_int_equal(b.hellos, 1);
        assert_int_equal(wire_state(b.wire), WIRE_STALLED);
        client_sees_nothing(&b);
        assert_int_equal(wire_resume(b.wire), 0);
        hello_works(&b);
        assert_int_equal(b.hellos, 1);
        bench_close(&b);
    }
}

/* What comes before a ClientHello is kept, for the case that it is put off. */
static void a_hello_that_never_comes_is_not_kept_for_ever(void **state)
{
    struct bench b;
    hello_begin(&b, TLS13, NULL);
    for (size_t sent = 0; !b.closed && sent < 1u << 20;) {
        uint8_t many[100 * sizeof warning];
        for (size_t i = 0; i < sizeof many; i += sizeof warning)
            memcpy(many + i, warning, sizeof warning);
        ssize_t n = client_tries(&b, many, sizeof many);
        if (n < 0 && errno != EAGAIN)
            break;
        sent += n > 0 ? (size_t)n : 0;
        assert_true(sent < 1u << 20 || wire_state(b.wire) != WIRE_HANDSHAKE);
        loop_turns(1);
    }
    bench_await(&b, "\"event\":\"tls_failed\"");
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hello_is_called_once_and_the_handshake_continues),
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
    };
    return cmocka_run_group_tests(tests, bench_start_tls, bench_stop);
}
