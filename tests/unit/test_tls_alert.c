/* Clients that do not take our TLS: each alert by its name, whatever way it comes; those that leave
 * without a word; and what is no TLS at all.
 */
#include "harness/hello.h"

#include "wire/tls_alert.h"

/* The registry "TLS Alerts", and what RFC 5246 and 4346 call those that it has as reserved. */
static const struct {
    uint8_t number;
    const char *name;
} registry[] = {
    { 0, "close_notify" },
    { 10, "unexpected_message" },
    { 20, "bad_record_mac" },
    { 21, "decryption_failed" },
    { 22, "record_overflow" },
    { 30, "decompression_failure" },
    { 40, "handshake_failure" },
    { 41, "no_certificate" },
    { 42, "bad_certificate" },
    { 43, "unsupported_certificate" },
    { 44, "certificate_revoked" },
    { 45, "certificate_expired" },
    { 46, "certificate_unknown" },
    { 47, "illegal_parameter" },
    { 48, "unknown_ca" },
    { 49, "access_denied" },
    { 50, "decode_error" },
    { 51, "decrypt_error" },
    { 52, "too_many_cids_requested" },
    { 60, "export_restriction" },
    { 70, "protocol_version" },
    { 71, "insufficient_security" },
    { 80, "internal_error" },
    { 86, "inappropriate_fallback" },
    { 90, "user_canceled" },
    { 100, "no_renegotiation" },
    { 109, "missing_extension" },
    { 110, "unsupported_extension" },
    { 111, "certificate_unobtainable" },
    { 112, "unrecognized_name" },
    { 113, "bad_certificate_status_response" },
    { 114, "bad_certificate_hash_value" },
    { 115, "unknown_psk_identity" },
    { 116, "certificate_required" },
    { 117, "general_error" },
    { 120, "no_application_protocol" },
    { 121, "ech_required" },
};

static const char *registered(unsigned number)
{
    for (size_t i = 0; i < COUNT(registry); i++)
        if (registry[i].number == number)
            return registry[i].name;
    return NULL;
}

static void each_number_has_its_name_or_is_shown_itself(void **state)
{
    for (unsigned number = 0; number < 256; number++) {
        char itself[8];
        const char *name = registered(number);
        snprintf(itself, sizeof itself, "%u", number);
        assert_string_equal(tls_alert_name((int)number), name ? name : itself);
    }
}

static bool ledger_has_pair(struct bench *b, const char *member, const char *value)
{
    char text[160];
    snprintf(text, sizeof text, "\"%s\":\"%s\"", member, value);
    return bench_ledger_has(b, text);
}

static void expect(struct bench *b, const char *member, const char *value)
{
    if (!ledger_has_pair(b, member, value))
        fail_msg("the ledger has no %s %s", member, value);
}

/* How the bytes of an alert come. */
enum way { WHOLE, BYTE_BY_BYTE, BEHIND_A_CCS, WITH_THE_FIN, WAYS };

static void send_alert(struct bench *b, uint8_t level, uint8_t description, enum way way)
{
    const uint8_t ccs[] = { 20, 3, 3, 0, 1, 1 };
    const uint8_t alert[] = { 21, 3, 3, 0, 2, level, description };
    if (way == BEHIND_A_CCS) /* as a client in "middlebox compatibility mode" (RFC 8446 D.4) */
        client_sends(b, ccs, sizeof ccs);
    for (size_t i = 0; way == BYTE_BY_BYTE && i < sizeof alert - 1; i++) {
        client_sends(b, alert + i, 1);
        loop_until(&loop, bench_all_read, b);
    }
    size_t sent = way == BYTE_BY_BYTE ? sizeof alert - 1 : 0;
    client_sends(b, alert + sent, sizeof alert - sent);
    if (way == WITH_THE_FIN)
        shutdown(b->client, SHUT_WR);
}

static void await_pair(struct bench *b, const char *member, const char *value)
{
    char text[160];
    snprintf(text, sizeof text, "\"%s\":\"%s\"", member, value);
    bench_await(b, text);
}

/* The client closes, and the connection ends. */
static void close_client(struct bench *b)
{
    shutdown(b->client, SHUT_WR);
    loop_until(&loop, is_set, &b->closed);
}

static bool about_certificate(uint8_t description)
{
    return (description >= 42 && description <= 46) || description == 48;
}

/* Behind our certificate: in TLS 1.3, where an alert should be encrypted, and in TLS 1.2. */
static void one_alert(size_t kind, uint8_t level, uint8_t description, enum way way)
{
    struct bench b;
    char why[96];
    const char *name = registered(description) ? registered(description) : "77";
    snprintf(why, sizeof why, "%s: %s",
             about_certificate(description) ? "the client refused our certificate"
                                            : "the client ended it",
             name);
    hello_begin(&b, kind, NULL);
    hello_say(&b);
    assert_true(wire_bytes_out(b.wire) > 500);
    send_alert(&b, level, description, way);
    await_pair(&b, "why", why);
    if (description == 0)
        expect(&b, "event", "peer_close_notify");
    else
        expect(&b, "alert", name);
    expect(&b, "event", "tls_failed");
    close_client(&b);
    expect(&b, "by", "client");
    expect(&b, "in", "handshake");
    assert_false(b.established);
    bench_close(&b);
}

static void an_alert_in_the_handshake_ends_it_and_is_told_by_name(void **state)
{
    unsigned way = 0;
    for (size_t kind = TLS13; kind <= TLS12; kind++) {
        for (size_t i = 0; i < COUNT(registry); i++, way++) {
            bool ccs = way % WAYS == BEHIND_A_CCS && kind == TLS13;
            one_alert(kind, 2, registry[i].number,
                      way % WAYS == BEHIND_A_CCS && !ccs ? WHOLE : (enum way)(way % WAYS));
        }
        one_alert(kind, 2, 77, WHOLE); /* nobody's */
    }
}

/* RFC 8446 6: an alert is an error whatever level it says. */
static void in_tls_1_3_the_level_does_not_matter(void **state)
{
    static const uint8_t some[] = { 0, 42, 46, 48, 80, 90 };
    for (size_t i = 0; i < COUNT(some); i++)
        one_alert(TLS13, 1, some[i], WHOLE);
}

static int refuse_certificate(gnutls_session_t session)
{
    return -1;
}

/* As BoringSSL, Go and GnuTLS do: with the handshake's keys. */
static void an_encrypted_alert_is_told_the_same_way(void **state)
{
    for (size_t kind = TLS13; kind <= TLS12; kind++) {
        struct bench b;
        hello_begin(&b, kind, NULL);
        gnutls_session_set_verify_function(b.tls, refuse_certificate);
        assert_int_equal(hello_shake(&b), GNUTLS_E_CERTIFICATE_ERROR);
        gnutls_alert_send(b.tls, GNUTLS_AL_FATAL, GNUTLS_A_CERTIFICATE_UNKNOWN);
        await_pair(&b, "why", "the client refused our certificate: certificate_unknown");
        close_client(&b);
        expect(&b, "in", "handshake");
        bench_close(&b);

        hello_begin(&b, kind, NULL);
        hello_works(&b);
        gnutls_alert_send(b.tls, GNUTLS_AL_FATAL, GNUTLS_A_BAD_CERTIFICATE);
        await_pair(&b, "alert", "bad_certificate");
        assert_false(ledger_has_pair(&b, "event", "tls_failed")); /* the handshake was fine */
        bench_close(&b);
    }
}

/* --- Without a word */

static void reset_client(struct bench *b)
{
    struct linger now = { .l_onoff = 1, .l_linger = 0 };
    setsockopt(b->client, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(b->client);
    b->client = -1;
    loop_until(&loop, is_set, &b->closed);
}

#define AFTER_CERTIFICATE "closed after our certificate: it may not trust the CA"
#define RIGHT_AFTER                                                                                \
    "closed right after the handshake, with nothing said: it may not trust the CA, or not take "   \
    "the name"

static void leaving_behind_our_certificate_is_told(void **state)
{
    static void (*const ways[])(struct bench *) = { close_client, reset_client };
    for (size_t kind = TLS13; kind <= TLS12; kind++)
        for (size_t way = 0; way < COUNT(ways); way++) {
            struct bench b;
            hello_begin(&b, kind, NULL);
            hello_say(&b);
            ways[way](&b);
            expect(&b, "event", "tls_failed");
            expect(&b, "why", AFTER_CERTIFICATE);
            expect(&b, "in", "handshake");
            bench_close(&b);
        }
}

/* Where no certificate was seen, nobody can have disliked it. */
static void leaving_without_our_certificate_is_not_blamed_on_it(void **state)
{
    static const size_t retries = 2; /* kinds: a HelloRetryRequest is all that was said */
    struct bench b;
    hello_begin(&b, retries, NULL);
    hello_say(&b);
    close_client(&b);
    expect(&b, "in", "handshake");
    assert_false(bench_ledger_has(&b, "certificate"));
    bench_close(&b);

    bench_open(&b, &bench_calls, true); /* not a byte */
    hello_client(&b, hello_kinds[TLS13].priority);
    close_client(&b);
    expect(&b, "in", "handshake");
    assert_false(ledger_has_pair(&b, "event", "tls_failed"));
    bench_close(&b);
}

static void finish_handshake(struct bench *b, size_t kind)
{
    hello_begin(b, kind, NULL);
    assert_int_equal(hello_shake(b), 0);
    loop_until(&loop, is_set, &b->established);
    assert_int_equal(gnutls_session_is_resumed(b->tls), hello_kinds[kind].resumes);
}

static void close_with_notify(struct bench *b)
{
    gnutls_bye(b->tls, GNUTLS_SHUT_WR);
    loop_until(&loop, is_set, &b->peer_closed);
    wire_close(b->wire, BY_SERVER);
    close_client(b);
}

static void close_established(struct bench *b)
{
    shutdown(b->client, SHUT_WR);
    loop_until(&loop, is_set, &b->peer_closed);
    wire_close(b->wire, BY_SERVER); /* as an owner does that has nothing to say */
    loop_until(&loop, is_set, &b->closed);
}

static void leaving_right_behind_the_handshake_is_told_with_the_end(void **state)
{
    static void (*const ways[])(struct bench *) = { close_established, close_with_notify,
                                                    reset_client };
    for (size_t kind = 0; kind < HELLO_KINDS; kind++)
        for (size_t way = 0; way < COUNT(ways); way++) {
            struct bench b;
            finish_handshake(&b, kind);
            ways[way](&b);
            assert_true(b.closed);
            assert_int_equal(ledger_has_pair(&b, "why", RIGHT_AFTER), !hello_kinds[kind].resumes);
            assert_false(ledger_has_pair(&b, "event", "tls_failed"));
            assert_false(ledger_has_pair(&b, "in", "handshake"));
            bench_close(&b);
        }
}

static void who_has_spoken_or_was_ended_by_us_has_no_such_reason(void **state)
{
    struct bench b;
    hello_begin(&b, TLS13, NULL);
    hello_works(&b);
    close_established(&b);
    assert_false(ledger_has_pair(&b, "why", RIGHT_AFTER));
    bench_close(&b);

    finish_handshake(&b, TLS13);
    wire_rst(b.wire, false);
    loop_until(&loop, is_set, &b.closed);
    assert_false(ledger_has_pair(&b, "why", RIGHT_AFTER));
    bench_close(&b);

    finish_handshake(&b, TLS13);
    wire_abort(b.wire, BY_SHUTDOWN, HOW_AS_SEEN);
    loop_until(&loop, is_set, &b.closed);
    assert_false(ledger_has_pair(&b, "why", RIGHT_AFTER));
    bench_close(&b);
}

/* --- The log */

static void the_log_asks_for_the_authority_by_its_file(void **state)
{
    char text[2048], name[] = "/tmp/hangup-tls-alert-XXXXXX";
    int file = mkstemp(name), kept = dup(STDERR_FILENO);
    assert_true(file >= 0);
    unlink(name);
    for (int asked = 0; asked < 2; asked++) {
        tls_server_set_ca(bench_server, asked ? NULL : "/state/ca.pem");
        loop_run(NS_PER_S + A_WHILE); /* at most one line a second */
        log_set_level(LOG_WARN);
        dup2(file, STDERR_FILENO);
        one_alert(TLS13, 2, 48, WHOLE);
        dup2(kept, STDERR_FILENO);
        log_set_level(LOG_ERROR);
    }
    ssize_t n = pread(file, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    close(file);
    close(kept);
    assert_non_null(strstr(text, "refused our certificate: unknown_ca. Does the client trust "
                                 "/state/ca.pem"));
    assert_non_null(strstr(text, "certs/README.md"));
    assert_non_null(strstr(text, "trust the CA that signed the certificate of --cert"));
}

/* --- No TLS */

static char clear_seen[64];

static void in_cleartext(void *owner, const uint8_t *bytes, size_t n)
{
    struct bench *b = owner;
    assert_true(n < sizeof clear_seen);
    memcpy(clear_seen, bytes, n);
    clear_seen[n] = '\0';
    if (memchr(bytes, '\n', n))
        wire_refuse_cleartext(b->wire, "not this way", "no", bytes[0] == 'X' ? 0 : 2);
}

static void text_on_a_tls_port_goes_to_the_owner(void **state)
{
    struct wire_owner owner = bench_calls;
    owner.in_cleartext = in_cleartext;
    static const char *const texts[] = { "GET / HTTP/1.1\r\n", "\r\nx\n", "XY\n" };
    for (size_t i = 0; i < COUNT(texts); i++)
        for (int split = 0; split < 2; split++) {
            struct bench b;
            uint8_t answer[16];
            bench_open(&b, &owner, true);
            hello_client(&b, hello_kinds[TLS13].priority);
            for (const char *p = texts[i]; split && p[1]; p++) {
                client_sends(&b, p, 1);
                loop_until(&loop, bench_all_read, &b);
                if (strcmp(clear_seen, texts[i]) == 0)
                    break;
            }
            const char *rest = texts[i] + (split ? strlen(texts[i]) - 1 : 0);
            client_tries(&b, rest, strlen(rest));
            int n = client_reads(&b, answer, sizeof answer);
            expect(&b, "why", "not this way");
            if (texts[i][0] == 'X') {
                assert_int_equal(n, 7); /* a fatal alert, unexpected_message */
                assert_memory_equal(answer + 5, "\x02\x0a", 2);
                expect(&b, "sent_alert", "unexpected_message");
            } else {
                assert_int_equal(n, 2);
                assert_memory_equal(answer, "no", 2);
            }
            assert_int_equal(client_sees(&b), 0); /* FIN */
            close_client(&b);
            expect(&b, "in", "handshake");
            bench_close(&b);
            clear_seen[0] = '\0';
        }
}

static void wait_for_more(void *owner, const uint8_t *bytes, size_t n)
{
}

static void text_without_an_end_is_not_waited_for_for_ever(void **state)
{
    struct wire_owner owner = bench_calls;
    owner.in_cleartext = wait_for_more;
    struct bench b;
    char text[20000];
    memset(text, 'x', sizeof text);
    bench_open(&b, &owner, true);
    hello_client(&b, hello_kinds[TLS13].priority);
    client_sends(&b, text, sizeof text);
    await_pair(&b, "why", "what the client sent is no TLS");
    close_client(&b);
    bench_close(&b);

    bench_open(&b, &owner, true); /* and what ends by itself is told */
    hello_client(&b, hello_kinds[TLS13].priority);
    client_sends(&b, text, 10);
    close_client(&b);
    expect(&b, "why", "what the client sent is no TLS");
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_number_has_its_name_or_is_shown_itself),
        cmocka_unit_test(an_alert_in_the_handshake_ends_it_and_is_told_by_name),
        cmocka_unit_test(in_tls_1_3_the_level_does_not_matter),
        cmocka_unit_test(an_encrypted_alert_is_told_the_same_way),
        cmocka_unit_test(leaving_behind_our_certificate_is_told),
        cmocka_unit_test(leaving_without_our_certificate_is_not_blamed_on_it),
        cmocka_unit_test(leaving_right_behind_the_handshake_is_told_with_the_end),
        cmocka_unit_test(who_has_spoken_or_was_ended_by_us_has_no_such_reason),
        cmocka_unit_test(the_log_asks_for_the_authority_by_its_file),
        cmocka_unit_test(text_on_a_tls_port_goes_to_the_owner),
        cmocka_unit_test(text_without_an_end_is_not_waited_for_for_ever),
    };
    return cmocka_run_group_tests(tests, bench_start_tls, bench_stop);
}
