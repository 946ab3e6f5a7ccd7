/* How TLS ends with the connection: who says close_notify, what comes behind our FIN. */
#include "harness/hello.h"

static const size_t versions[] = { TLS13, TLS12 };

static void open_bench(struct bench *b, size_t version, const struct wire_closing *closing)
{
    hello_begin(b, version, NULL);
    hello_works(b);
    if (closing)
        wire_closing(b->wire, closing);
}

/* --- What TLS calls it does not matter */

static void fatal_alert(struct bench *b)
{
    assert_int_equal(gnutls_alert_send(b->tls, GNUTLS_AL_FATAL, GNUTLS_A_DECODE_ERROR), 0);
}

static void warning(struct bench *b)
{
    assert_int_equal(gnutls_alert_send(b->tls, GNUTLS_AL_WARNING, GNUTLS_A_USER_CANCELED), 0);
}

static void data(struct bench *b)
{
    assert_int_equal(gnutls_record_send(b->tls, "late", 4), 4);
}

static void key_update(struct bench *b)
{
    if (gnutls_protocol_get_version(b->tls) == GNUTLS_TLS1_3)
        assert_int_equal(gnutls_session_key_update(b->tls, 0), 0);
    else
        data(b);
}

static void garbage(struct bench *b)
{
    client_sends(b, "not TLS", 7);
}

static void half_a_record(struct bench *b)
{
    client_sends(b, "\x17\x03\x03\x00\x40 only its head", 16);
}

static void notify(struct bench *b)
{
    assert_int_equal(gnutls_bye(b->tls, GNUTLS_SHUT_WR), 0);
}

static void notify_and_more(struct bench *b)
{
    notify(b);
    garbage(b);
}

static void (*const records[])(struct bench *b) = { fatal_alert,    warning, data,
                                                    key_update,     garbage, half_a_record,
                                                    notify_and_more };

/* Clients answer a bare FIN with a fatal alert: OpenSSL 3 says decode_error. */
static void any_record_behind_our_fin_is_stale_and_draws_rst(void **state)
{
    for (size_t v = 0; v < COUNT(versions); v++) {
        for (size_t r = 0; r < COUNT(records); r++) {
            for (int notified = 0; notified < 2; notified++) {
                struct bench b;
                open_bench(&b, versions[v], NULL);
                assert_int_equal(wire_fin(b.wire, notified, 0, false), 0);
                bench_await(&b, "\"event\":\"fault_acked\"");
                records[r](&b);
                loop_until(&loop, is_set, &b.closed);
                assert_true(bench_ledger_has(&b, "\"event\":\"stale_bytes\""));
                assert_true(bench_ledger_has(&b, "\"by\":\"fault\",\"how\":\"rst\""));
                assert_int_equal(b.stales > 0, true);
                bench_close(&b);
            }
        }
    }
}

/* ... in a stall it draws nothing, but it is told, too. */
static void any_record_in_a_stall_is_told(void **state)
{
    for (size_t v = 0; v < COUNT(versions); v++) {
        for (size_t r = 0; r < COUNT(records); r++) {
            struct bench b;
            open_bench(&b, versions[v], NULL);
            assert_int_equal(wire_stall(b.wire), 0);
            records[r](&b);
            loop_until(&loop, bench_all_read, &b);
            assert_false(b.closed);
            assert_true(bench_ledger_has(&b, "\"event\":\"stale_bytes\""));
            assert_true(b.stales > 0);
            bench_close(&b);
        }
    }
}

/* --- The client's close_notify behind our FIN */

static void a_late_close_notify_is_ignored_or_draws_rst(void **state)
{
    for (size_t v = 0; v < COUNT(versions); v++) {
        for (int way = 0; way < 3; way++) { /* fin, fin with close_notify, orderly */
            for (int resets = 0; resets < 2; resets++) {
                struct bench b;
                struct wire_closing closing = WIRE_CLOSING_DEFAULT;
                closing.linger = 0;
                closing.reset_late_notify = resets;
                open_bench(&b, versions[v], &closing);
                if (way < 2)
                    assert_int_equal(wire_fin(b.wire, way == 1, 0, false), 0);
                else
                    wire_close(b.wire, BY_SERVER);
                loop_until(&loop, client_has_more, &b);
                notify(&b);
                bench_await(&b, "\"event\":\"peer_close_notify\"");
                if (resets)
                    loop_until(&loop, is_set, &b.closed);
                else
                    loop_quiet(&loop, is_set, &b.closed, A_WHILE / 2);
                assert_int_equal(bench_ledger_has(&b, "\"event\":\"stale_bytes\""), resets);
                if (!resets) {
                    shutdown(b.client, SHUT_WR);
                    loop_until(&loop, is_set, &b.closed);
                    assert_true(bench_ledger_has(&b, "\"how\":\"fin\""));
                }
                bench_close(&b);
            }
        }
    }
}

/* --- The client ends first */

static void close_as_the_engine_does(void *owner, bool at_end)
{
    struct bench *b = owner;
    b->peer_closed = true;
    wire_close(b->wire, BY_SERVER);
}

/* Bytes on the wire from here on to the FIN. */
static int octets_until_fin(struct bench *b)
{
    uint8_t bytes[512];
    int n, all = 0;
    while ((n = client_reads(b, bytes, sizeof bytes)) > 0)
        all += n;
    assert_int_equal(n, 0);
    return all;
}

static void who_ends_first_is_answered_as_asked_for(void **state)
{
    struct wire_owner owner = bench_calls;
    owner.peer_closed = close_as_the_engine_does;
    for (size_t v = 0; v < COUNT(versions); v++) {
        /* the server; the client: close_notify and FIN, FIN alone, a fatal alert */
        for (int says = 0; says < 4; says++) {
            for (int alone = 0; alone < 2; alone++) {
                struct bench b;
                struct wire_closing closing = WIRE_CLOSING_DEFAULT;
                closing.fin_alone = alone;
                bench_open(&b, &owner, true);
                hello_client(&b, hello_kinds[versions[v]].priority);
                hello_offer_h2(&b);
                hello_works(&b);
                wire_closing(b.wire, &closing);
                if (says == 0)
                    wire_close(b.wire, BY_SERVER);
                if (says == 1)
                    notify(&b);
                if (says == 3)
                    fatal_alert(&b);
                else if (says > 0)
                    shutdown(b.client, SHUT_WR);
                int octets = octets_until_fin(&b);
                if (says == 3)
                    shutdown(b.client, SHUT_WR);
                if (says > 0)
                    loop_until(&loop, is_set, &b.closed);
                if (says == 3 || (says > 0 && alone))
                    assert_int_equal(octets, 0);
                else
                    assert_in_range(octets, 5 + 2 + 16, 5 + 8 + 2 + 16); /* one alert */
                if (says > 0)
                    assert_true(bench_ledger_has(&b, "\"by\":\"client\",\"how\":\"fin\""));
                bench_close(&b);
            }
        }
    }
}

/* Between its close_notify and its FIN there is nothing of ours that a client would leave unread:
 * its close() would draw an RST, as if it had left its answer. Without a FIN it is answered. */
static void our_close_notify_waits_for_the_clients_fin(void **state)
{
    struct wire_owner owner = bench_calls;
    owner.peer_closed = close_as_the_engine_does;
    for (size_t v = 0; v < COUNT(versions); v++) {
        for (int leaves = 0; leaves < 2; leaves++) {
            struct bench b;
            bench_open(&b, &owner, true);
            hello_client(&b, hello_kinds[versions[v]].priority);
            hello_offer_h2(&b);
            hello_works(&b);
            int64_t since = clock_now();
            notify(&b);
            bench_await(&b, "\"event\":\"peer_close_notify\"");
            if (leaves)
                shutdown(b.client, SHUT_WR);
            else
                loop_until(&loop, client_has_more, &b);
            int64_t took = clock_now() - since;
            assert_true(leaves ? !client_has_more(&b) || took >= 30 * NS_PER_MS
                               : took >= 30 * NS_PER_MS);
            assert_in_range(octets_until_fin(&b), 5 + 2 + 16, 5 + 8 + 2 + 16);
            if (!leaves)
                shutdown(b.client, SHUT_WR);
            loop_until(&loop, is_set, &b.closed);
            assert_true(bench_ledger_has(&b, "\"by\":\"client\",\"how\":\"fin\""));
            bench_close(&b);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_record_behind_our_fin_is_stale_and_draws_rst),
        cmocka_unit_test(any_record_in_a_stall_is_told),
        cmocka_unit_test(a_late_close_notify_is_ignored_or_draws_rst),
        cmocka_unit_test(who_ends_first_is_answered_as_asked_for),
        cmocka_unit_test(our_close_notify_waits_for_the_clients_fin),
    };
    return cmocka_run_group_tests(tests, bench_start_tls, bench_stop);
}
