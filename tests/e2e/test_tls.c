/* TLS: versions, ALPN, resumption, the certificate; and which protocol a listener speaks. */
#include "talk.h"

#include <stdio.h>
#include <string.h>

static struct server server;

static int setup(void **state)
{
    server_start(&server,
                 (const char *const[]){ "--name", "tv.example", "--name", "*.app.test", NULL });
    return 0;
}

static int teardown(void **state)
{
    server_stop(&server);
    return 0;
}

/* Sends an HTTP/1.1 request and returns the answer's served.connection. */
static uint64_t served_h1(struct client *c, const char *protocol)
{
    struct h1_response r;

    client_text(c, "GET " ENTITLEMENT " HTTP/1.1\r\nHost: localhost\r\n\r\n");
    bool whole = h1_read(c, false, &r, in_ms(PATIENCE_MS));
    check(whole, "no answer: %s", client_story(c));
    assert_int_equal(r.status, 200);
    json_t *json = json_loads((const char *)buf_bytes(&r.body), 0, NULL);
    json_t *served = json_object_get(json, "served");
    assert_string_equal(event_text(served, "protocol"), protocol);
    uint64_t id = (uint64_t)json_integer_value(json_object_get(served, "connection"));
    json_decref(json);
    h1_free(&r);
    return id;
}

static void served_h2(struct client *c)
{
    static struct h2 h;

    h2_start(&h, c);
    int32_t stream = h2_request(&h, "GET", ENTITLEMENT);
    bool whole = h2_wait_stream(&h, stream, in_ms(PATIENCE_MS));
    int status = h2_stream(&h, stream)->status;
    h2_free(&h);
    check(whole, "no answer: %s", client_story(c));
    assert_int_equal(status, 200);
}

static void alpn_decides_the_protocol(void **state)
{
    struct {
        const char *offered[3];
        uint16_t port;
        const char *agreed;
    } cases[] = {
        { { "h2", "http/1.1" }, server.https, "h2" },
        { { "http/1.1", "h2" }, server.https, "h2" },
        { { "h2" }, server.https, "h2" },
        { { "http/1.1" }, server.https, "http/1.1" },
        { { "spdy/1", "http/1.1" }, server.https, "http/1.1" },
        { { NULL }, server.https, "" },
        { { "h2", "http/1.1" }, server.https1, "http/1.1" },
        { { "http/1.1" }, server.https1, "http/1.1" },
        { { NULL }, server.https1, "" },
    };

    for (int version = CLIENT_TLS12; version <= CLIENT_TLS13; version++)
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            struct client_options to = { .port = cases[i].port,
                                         .tls = (enum client_tls)version,
                                         .ca = server.ca };
            struct client c;
            char alpn[32];

            memcpy(to.alpn, cases[i].offered, sizeof to.alpn);
            check(client_connect(&c, &to), "case %zu: %s", i, client_story(&c));
            client_alpn(&c, alpn);
            assert_string_equal(alpn, cases[i].agreed);
            if (strcmp(alpn, "h2") == 0)
                served_h2(&c);
            else
                served_h1(&c, "http/1.1");
            client_close(&c);
        }
}

static void only_unknown_protocols_draw_no_application_protocol(void **state)
{
    struct {
        const char *offered;
        uint16_t port;
    } cases[] = { { "spdy/1", server.https }, { "h3", server.https }, { "h2", server.https1 } };

    for (int version = CLIENT_TLS12; version <= CLIENT_TLS13; version++)
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            struct client_options to = { .port = cases[i].port,
                                         .tls = (enum client_tls)version,
                                         .alpn = { cases[i].offered } };
            struct client c;
            bool connected = client_connect(&c, &to);
            /* In TLS 1.3 a client may think the handshake done before the alert comes. */
            if (connected)
                client_wait_end(&c, in_ms(PATIENCE_MS));
            int alert = c.alert;
            client_close(&c);
            check(alert == GNUTLS_A_NO_APPLICATION_PROTOCOL, "case %zu: alert %d", i, alert);
        }
    json_t *failed = ledger_await(&server, 0, "tls_failed", NULL);
    json_decref(failed);
}

static void the_ledger_tells_of_the_handshake(void **state)
{
    struct client_options to = {
        .port = server.https, .tls = CLIENT_TLS13, .alpn = { "foo", "http/1.1" }, .ca = server.ca
    };
    struct client c;

    assert_true(client_connect(&c, &to));
    uint64_t id = served_h1(&c, "http/1.1");
    client_close(&c);
    json_t *hello = ledger_await(&server, id, "client_hello", NULL);
    assert_string_equal(event_text(hello, "sni"), "localhost");
    json_t *offered = json_object_get(hello, "alpn_offered");
    assert_int_equal(json_array_size(offered), 2);
    assert_string_equal(json_string_value(json_array_get(offered, 0)), "foo");
    assert_false(event_true(hello, "resumption_offered"));
    json_decref(hello);
    json_t *tls = ledger_await(&server, id, "tls_established", NULL);
    assert_string_equal(event_text(tls, "alpn"), "http/1.1");
    assert_non_null(strstr(event_text(tls, "tls_version"), "1.3"));
    assert_true(*event_text(tls, "cipher"));
    assert_false(event_true(tls, "resumed"));
    json_decref(tls);
}

/* Its hash, of 16 hexadecimal digits, on this connection. */
static void read_client(uint64_t id, char out[17])
{
    json_t *protocol = ledger_await(&server, id, "protocol", NULL);
    snprintf(out, 17, "%s", event_text(protocol, "client"));
    assert_int_equal(strlen(out), 16);
    json_decref(protocol);
}

/* Whatever it asks for and whenever; another kind of client has another. */
static void a_client_is_known_by_its_hello(void **state)
{
    struct client_options to[] = {
        { .port = server.https, .tls = CLIENT_TLS13, .alpn = { "http/1.1" }, .ca = server.ca },
        { .port = server.https,
          .tls = CLIENT_TLS13,
          .alpn = { "foo", "http/1.1" },
          .ca = server.ca },
        { .port = server.https, .tls = CLIENT_TLS12, .alpn = { "http/1.1" }, .ca = server.ca },
    };
    char hash[3][17];

    for (int i = 0; i < 3; i++) {
        struct client c;
        assert_true(client_connect(&c, &to[i]));
        read_client(served_h1(&c, "http/1.1"), hash[i]);
        client_close(&c);
    }
    assert_string_equal(hash[0], hash[1]);
    assert_string_not_equal(hash[0], hash[2]);
}

/* JSON has no bytes: what is no UTF-8 is shown, not left out, and hides nothing. */
static void names_of_any_bytes_are_shown(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *shown; /* as JSON */
    } cases[] = {
        { "caf\xe9.test", 9, "\"caf\\u00e9.test\"" },
        { "caf\xc3\xa9.test", 10, "\"caf\\u00e9.test\"" },
        { "\xff\xfe\xfd\xfc\xfb", 5, "\"\\u00ff\\u00fe\\u00fd\\u00fc\\u00fb\"" },
        { "a\0b\nc\"d\x7f", 8, "\"a\\u0000b\\nc\\\"d\\u007f\"" },
    };
    gnutls_datum_t alpn[3] = { { (unsigned char *)"\x0a\x0a", 2 }, /* RFC 8701 */
                               { (unsigned char *)"\xfa\xfa", 2 },
                               { (unsigned char *)"http/1.1", 8 } };

    admin_mode(&server, "handshake-stall", NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct client_options to = { .port = server.https };
        struct client c;
        struct buf hello = { 0 };
        char path[64];

        client_hello(&hello, cases[i].bytes, cases[i].len, alpn, 3);
        assert_true(client_connect(&c, &to));
        assert_int_equal(client_send(&c, buf_bytes(&hello), buf_len(&hello)), 0);
        json_t *fault = ledger_await(&server, 0, "fault", "stall");
        uint64_t id = (uint64_t)event_ms(fault, "connection");
        json_t *seen = ledger_await(&server, id, "client_hello", NULL);
        json_t *shown = json_loads(cases[i].shown, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        json_t *offered = json_loads("[\"\\n\\n\", \"\\u00fa\\u00fa\", \"http/1.1\"]", 0, NULL);
        check(json_equal(json_object_get(seen, "sni"), shown), "case %zu: ledger", i);
        check(json_equal(json_object_get(seen, "alpn_offered"), offered), "case %zu: ALPN", i);
        snprintf(path, sizeof path, "/v1/connections/%llu", (unsigned long long)id);
        json_t *one = admin_call(&server, 200, "GET", path, NULL);
        json_t *all = admin_call(&server, 200, "GET", "/v1/connections", NULL);
        json_t *connections = json_object_get(all, "connections"), *row;
        size_t at, listed = 0;
        json_array_foreach(connections, at, row) listed += event_ms(row, "id") == (double)id;
        assert_int_equal(listed, 1);
        check(json_equal(json_object_get(json_object_get(one, "tls"), "sni"), shown),
              "case %zu: connection", i);
        json_t *const mine[] = { fault, seen, shown, offered, one, all };
        for (size_t k = 0; k < sizeof mine / sizeof mine[0]; k++)
            json_decref(mine[k]);
        buf_free(&hello);
        client_close(&c);
        admin_reset(&server);
        admin_mode(&server, "handshake-stall", NULL);
    }
    admin_reset(&server);
}

static void resumes(enum client_tls version)
{
    struct client_options to = {
        .port = server.https, .tls = version, .alpn = { "http/1.1" }, .ca = server.ca
    };
    gnutls_datum_t session = { .data = NULL };
    struct client c;
    char first[17], again[17];

    assert_true(client_connect(&c, &to));
    read_client(served_h1(&c, "http/1.1"), first);
    check(client_session(&c, &session), "no session ticket came: %s", client_story(&c));
    client_close(&c);

    /* Resumed sessions are not verified again: GnuTLS keeps the outcome. */
    to.session = &session;
    to.ca = NULL;
    assert_true(client_connect(&c, &to));
    assert_true(gnutls_session_is_resumed(c.tls));
    uint64_t id = served_h1(&c, "http/1.1");
    client_close(&c);
    gnutls_free(session.data);

    json_t *hello = ledger_await(&server, id, "client_hello", NULL);
    assert_true(event_true(hello, "resumption_offered"));
    json_decref(hello);
    read_client(id, again);
    assert_string_equal(first, again);
    json_t *tls = ledger_await(&server, id, "tls_established", NULL);
    assert_true(event_true(tls, "resumed"));
    json_decref(tls);
}

static void a_ticket_resumes_tls_1_2(void **state)
{
    resumes(CLIENT_TLS12);
}

static void a_ticket_resumes_tls_1_3(void **state)
{
    resumes(CLIENT_TLS13);
}

static void old_versions_are_refused_with_an_alert(void **state)
{
    struct client_options to = { .port = server.https };
    /* A ClientHello of TLS 1.0 with one cipher suite. */
    static const uint8_t hello[] = { 22, 3, 1,        0,        45,       1, 0,    0, 41,
                                     3,  1, [43] = 0, [44] = 0, [45] = 2, 0, 0x2f, 1, 0 };
    struct client c;

    assert_true(client_connect(&c, &to));
    assert_int_equal(client_send(&c, hello, sizeof hello), 0);
    bool ended = client_wait_end(&c, in_ms(PATIENCE_MS));
    bool alert = buf_len(&c.in) >= 7 && buf_bytes(&c.in)[0] == 21;
    check(ended && alert, "no alert and end: %s", client_story(&c));
    client_close(&c);
}

static void the_certificate_has_the_names_and_is_by_the_authority(void **state)
{
    static const char *const names[] = { "localhost",  "127.0.0.1",   "::1", "host.docker.internal",
                                         "tv.example", "any.app.test" };
    struct client_options to = {
        .port = server.https, .tls = CLIENT_TLS13, .alpn = { "h2" }, .ca = server.ca
    };
    struct client c;

    check(client_connect(&c, &to), "not verified: %s", client_story(&c));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        unsigned status = 0;
        assert_int_equal(gnutls_certificate_verify_peers3(c.tls, names[i], &status), 0);
        check(status == 0, "%s: status %#x", names[i], status);
    }
    unsigned status = 0;
    gnutls_certificate_verify_peers3(c.tls, "other.example", &status);
    assert_true(status & GNUTLS_CERT_UNEXPECTED_OWNER);
    client_close(&c);
}

/* RFC 9113 3.4: on a cleartext connection the preface decides, however it comes. */
static void the_preface_decides_on_a_clear_connection(void **state)
{
    struct client_options to = { .port = server.http };
    struct client c;
    static struct h2 h;

    assert_true(client_connect(&c, &to));
    h2_init(&h, &c);
    for (const char *p = H2_PREFACE; *p; p++)
        assert_int_equal(client_send(&c, p, 1), 0);
    h2_send_frame(&h, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
    int32_t stream = h2_request(&h, "GET", ENTITLEMENT);
    assert_true(h2_wait_stream(&h, stream, in_ms(PATIENCE_MS)));
    assert_int_equal(h2_stream(&h, stream)->status, 200);
    h2_free(&h);
    client_close(&c);
}

static void what_only_begins_like_the_preface_is_http_1_1(void **state)
{
    static const struct {
        const char *request;
        int status;
    } cases[] = {
        { "POST " ENTITLEMENT " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", 200 },
        { "PRI * HTTP/1.1\r\nHost: localhost\r\n\r\n", 0 }, /* refused, whatever the status */
        { "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", 0 },
        { "P * HTTP/1.1\r\nHost: localhost\r\n\r\n", 0 },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct client_options to = { .port = server.http };
        struct client c;
        struct h1_response r;

        assert_true(client_connect(&c, &to));
        for (const char *p = cases[i].request; *p && client_send(&c, p, 1) == 0; p++)
            ;
        bool whole = h1_read(&c, false, &r, in_ms(PATIENCE_MS));
        check(whole, "%s: no answer: %s", cases[i].request, client_story(&c));
        if (cases[i].status)
            assert_int_equal(r.status, cases[i].status);
        else
            check(r.status >= 400, "%s: status %d", cases[i].request, r.status);
        h1_free(&r);
        client_close(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alpn_decides_the_protocol),
        cmocka_unit_test(only_unknown_protocols_draw_no_application_protocol),
        cmocka_unit_test(the_ledger_tells_of_the_handshake),
        cmocka_unit_test(a_client_is_known_by_its_hello),
        cmocka_unit_test(names_of_any_bytes_are_shown),
        cmocka_unit_test(a_ticket_resumes_tls_1_2),
        cmocka_unit_test(a_ticket_resumes_tls_1_3),
        cmocka_unit_test(old_versions_are_refused_with_an_alert),
        cmocka_unit_test(the_certificate_has_the_names_and_is_by_the_authority),
        cmocka_unit_test(the_preface_decides_on_a_clear_connection),
        cmocka_unit_test(what_only_begins_like_the_preface_is_http_1_1),
    };

    return cmocka_run_group_tests_name("TLS and the choice of protocol", tests, setup, teardown);
}
