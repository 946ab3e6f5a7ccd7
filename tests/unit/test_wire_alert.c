/* Alerts, at the ClientHello and later: the bytes that the client reads from its socket. */
#include "harness/hello.h"

static void sees_just_the_alert(struct bench *b, uint8_t level, uint8_t description)
{
    uint8_t bytes[256];
    assert_int_equal(client_reads(b, bytes, sizeof bytes), 7);
    assert_int_equal(bytes[0], 21); /* RFC 8446 5.1 */
    assert_int_equal(bytes[1], 3);
    assert_int_equal(bytes[4], 2);
    assert_int_equal(bytes[5], level);
    assert_int_equal(bytes[6], description);
}

static void alert_now(struct bench *b)
{
    assert_int_equal(wire_alert(b->wire, true, GNUTLS_A_INTERNAL_ERROR), 0);
    assert_int_equal(wire_alert(b->wire, true, GNUTLS_A_INTERNAL_ERROR), WIRE_TOO_LATE);
}

static void a_fatal_alert_at_the_hello_is_all_that_is_said(void **state)
{
    for (size_t k = 0; k < HELLO_KINDS; k++) {
        struct bench b;
        hello_begin(&b, k, alert_now);
        hello_say(&b);
        sees_just_the_alert(&b, 2, GNUTLS_A_INTERNAL_ERROR);
        client_sees_nothing(&b); /* TCP continues */
        client_says(&b, "not TLS at all");
        client_sees_nothing(&b);
        assert_false(b.closed);
        shutdown(b.client, SHUT_WR);
        loop_until(&loop, is_set, &b.closed);
        assert_int_equal(client_sees(&b), 0);
        assert_true(bench_ledger_has(&b, "\"by\":\"client\",\"how\":\"fin\""));
        assert_true(bench_ledger_has(&b, "\"bytes_out\":7"));
        assert_false(b.established);
        bench_close(&b);
    }
}

static void a_client_understands_the_alert(void **state)
{
    for (size_t k = 0; k < HELLO_KINDS; k++) {
        struct bench b;
        hello_begin(&b, k, alert_now);
        assert_int_equal(hello_shake(&b), GNUTLS_E_FATAL_ALERT_RECEIVED);
        assert_int_equal(gnutls_alert_get(b.tls), GNUTLS_A_INTERNAL_ERROR);
        bench_close(&b);
    }
}

static void alert_and_fin_now(struct bench *b)
{
    alert_now(b);
    assert_int_equal(wire_fin(b->wire, true, 0, false), 0);
}

static void other_verbs_may_follow_an_alert(void **state)
{
    struct bench b;
    hello_begin(&b, TLS13, alert_and_fin_now);
    hello_say(&b);
    sees_just_the_alert(&b, 2, GNUTLS_A_INTERNAL_ERROR);
    assert_int_equal(client_sees(&b), 0);
    bench_close(&b);

    hello_begin(&b, TLS13, alert_now);
    hello_say(&b);
    assert_int_equal(wire_stall(b.wire), 0);
    client_says(&b, "x");
    assert_int_equal(wire_resume(b.wire), 0);
    loop_turns(3);
    assert_int_equal(wire_rst(b.wire, false), 0);
    sees_just_the_alert(&b, 2, GNUTLS_A_INTERNAL_ERROR);
    assert_int_equal(client_sees(&b), -ECONNRESET);
    bench_close(&b);
}

static void an_alert_after_a_stall_is_still_the_first_thing_said(void **state)
{
    for (size_t k = 0; k < HELLO_KINDS; k++) {
        struct bench b;
        hello_begin(&b, k, hello_stall);
        hello_say(&b);
        assert_int_equal(wire_resume(b.wire), 0);
        assert_int_equal(wire_alert(b.wire, true, GNUTLS_A_ACCESS_DENIED), 0);
        sees_just_the_alert(&b, 2, GNUTLS_A_ACCESS_DENIED);
        client_sees_nothing(&b);
        bench_close(&b);
    }
}

static void an_alert_may_come_before_the_hello(void **state)
{
    struct bench b;
    hello_begin(&b, TLS13, NULL);
    assert_int_equal(wire_alert(b.wire, true, GNUTLS_A_USER_CANCELED), 0);
    sees_just_the_alert(&b, 2, GNUTLS_A_USER_CANCELED);
    gnutls_handshake(b.tls);
    client_sees_nothing(&b);
    assert_int_equal(b.hellos, 0);
    bench_close(&b);
}

static void warning_now(struct bench *b)
{
    assert_int_equal(wire_alert(b->wire, false, GNUTLS_A_UNRECOGNIZED_NAME), 0);
}

/* As a server that does not know the name does it (RFC 6066 3). */
static void a_warning_at_the_hello_lets_the_handshake_continue(void **state)
{
    struct bench b;
    uint8_t bytes[6];
    hello_begin(&b, TLS12, warning_now);
    hello_say(&b);
    loop_until(&loop, client_has_more, &b);
    assert_int_equal(recv(b.client, bytes, sizeof bytes, MSG_PEEK), sizeof bytes);
    assert_int_equal(bytes[0], 21);
    assert_int_equal(hello_shake(&b), GNUTLS_E_WARNING_ALERT_RECEIVED);
    assert_int_equal(gnutls_alert_get(b.tls), GNUTLS_A_UNRECOGNIZED_NAME);
    hello_works(&b);
    bench_close(&b);
}

static void an_alert_on_an_established_connection_reaches_the_client(void **state)
{
    for (size_t k = 0; k < HELLO_KINDS; k++) {
        struct bench b;
        hello_begin(&b, k, NULL);
        hello_works(&b);
        assert_int_equal(wire_alert(b.wire, true, GNUTLS_A_DECRYPT_ERROR), 0);
        assert_false(wire_can_send(b.wire));
        assert_int_equal(wire_alert(b.wire, false, GNUTLS_A_USER_CANCELED), WIRE_TOO_LATE);
        assert_int_equal(wire_close_notify(b.wire), WIRE_TOO_LATE);
        wire_send(b.wire, "late", 4);
        assert_int_equal(hello_hears(&b), GNUTLS_E_FATAL_ALERT_RECEIVED);
        assert_int_equal(gnutls_alert_get(b.tls), GNUTLS_A_DECRYPT_ERROR);
        client_sees_nothing(&b);
        assert_false(b.closed);
        wire_close(b.wire, BY_SERVER);
        assert_int_equal(client_sees(&b), 0); /* and no close_notify behind the alert */
        bench_close(&b);
    }
}

/* Not even the KeyUpdate that the client asks for in return (RFC 8446 4.6.3). */
static void nothing_follows_a_last_alert(void **state)
{
    static const bool fatal[] = { true, false };
    for (size_t i = 0; i < COUNT(fatal); i++) {
        struct bench b;
        hello_begin(&b, TLS13, NULL);
        hello_works(&b);
        assert_int_equal(wire_alert(b.wire, fatal[i], GNUTLS_A_CLOSE_NOTIFY), 0);
        assert_false(wire_can_send(b.wire));
        uint64_t before = wire_bytes_out(b.wire);
        assert_int_equal(gnutls_session_key_update(b.tls, GNUTLS_KU_PEER), 0);
        assert_int_equal(gnutls_record_send(b.tls, "still heard", 11), 11);
        loop_until(&loop, bench_all_read, &b);
        assert_int_equal(buf_len(&b.received), 4 + 11);
        wire_send(b.wire, "late", 4);
        loop_turns(3);
        assert_int_equal(wire_bytes_out(b.wire), before);
        bench_close(&b);
    }
}

static void a_warning_leaves_the_connection_as_it_is(void **state)
{
    for (size_t k = TLS13; k <= TLS12; k++) {
        struct bench b;
        hello_begin(&b, k, NULL);
        hello_works(&b);
        assert_int_equal(wire_alert(b.wire, false, GNUTLS_A_USER_CANCELED), 0);
        assert_true(wire_can_send(b.wire));
        uint64_t before = wire_bytes_out(b.wire);
        wire_send(b.wire, "more", 4);
        int first = (int)hello_hears(&b);
        assert_true(wire_bytes_out(b.wire) > before);
        assert_int_equal(gnutls_alert_get(b.tls), GNUTLS_A_USER_CANCELED);
        if (k == TLS12) { /* in TLS 1.3 this client takes every alert as fatal */
            assert_int_equal(first, GNUTLS_E_WARNING_ALERT_RECEIVED);
            assert_int_equal(hello_hears(&b), 4);
        }
        bench_close(&b);
    }
}

/* A library that takes nothing of what is there, and says "again" (--wrap). */
ssize_t __real_gnutls_record_recv(gnutls_session_t session, void *data, size_t size);
ssize_t __wrap_gnutls_record_recv(gnutls_session_t session, void *data, size_t size);
int __real_gnutls_handshake(gnutls_session_t session);
int __wrap_gnutls_handshake(gnutls_session_t session);

static gnutls_session_t client_of_stuck; /* the server's is stuck when this is set */

ssize_t __wrap_gnutls_record_recv(gnutls_session_t session, void *data, size_t size)
{
    return client_of_stuck && session != client_of_stuck
               ? GNUTLS_E_INTERRUPTED
               : __real_gnutls_record_recv(session, data, size);
}

int __wrap_gnutls_handshake(gnutls_session_t session)
{
    return client_of_stuck && session != client_of_stuck ? GNUTLS_E_INTERRUPTED
                                                         : __real_gnutls_handshake(session);
}

static void tls_that_makes_no_progress_ends(void **state)
{
    for (unsigned established = 0; established < 2; established++) {
        struct bench b;
        hello_begin(&b, TLS13, NULL);
        if (established)
            hello_works(&b);
        client_of_stuck = b.tls;
        if (established)
            assert_int_equal(gnutls_record_send(b.tls, "x", 1), 1);
        else
            gnutls_handshake(b.tls);
        bench_await(&b, "\"event\":\"tls_failed\"");
        client_of_stuck = NULL;
        assert_int_equal(wire_state(b.wire), WIRE_ENDING);
        bench_close(&b);
    }
}

static void a_clear_connection_has_no_alerts(void **state)
{
    struct bench b;
    bench_open(&b, &bench_calls, false);
    hello_client(&b, "NORMAL");
    assert_int_equal(wire_alert(b.wire, true, GNUTLS_A_INTERNAL_ERROR), WIRE_TOO_LATE);
    client_sees_nothing(&b);
    assert_int_equal(b.hellos, 0);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fatal_alert_at_the_hello_is_all_that_is_said),
        cmocka_unit_test(a_client_understands_the_alert),
        cmocka_unit_test(other_verbs_may_follow_an_alert),
        cmocka_unit_test(an_alert_after_a_stall_is_still_the_first_thing_said),
        cmocka_unit_test(an_alert_may_come_before_the_hello),
        cmocka_unit_test(a_warning_at_the_hello_lets_the_handshake_continue),
        cmocka_unit_test(an_alert_on_an_established_connection_reaches_the_client),
        cmocka_unit_test(nothing_follows_a_last_alert),
        cmocka_unit_test(a_warning_leaves_the_connection_as_it_is),
        cmocka_unit_test(tls_that_makes_no_progress_ends),
        cmocka_unit_test(a_clear_connection_has_no_alerts),
    };
    return cmocka_run_group_tests(tests, bench_start_tls, bench_stop);
}
