/* The first mistakes of everybody: a client that does not trust the CA, HTTP in cleartext on
 * a TLS port, TLS on a cleartext one. Each is told in words, by the ledger and the log. */
#include "talk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct server server;

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

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* --- The CA that a client does not trust */

/* %1$u is the port. why: how the ledger's reason begins; NULL: whichever of the two. */
static const struct {
    const char *program, *command, *why;
} clients[] = {
    { "openssl", "openssl s_client -connect 127.0.0.1:%1$u -tls1_3 -verify_return_error",
      "the client refused our certificate: unknown_ca" },
    { "openssl", "openssl s_client -connect 127.0.0.1:%1$u -tls1_2 -verify_return_error",
      "the client refused our certificate: unknown_ca" },
    { "curl", "curl -s -m 9 https://127.0.0.1:%1$u/", NULL },
    { "curl", "curl -s -m 9 --tls-max 1.2 https://127.0.0.1:%1$u/", NULL },
    { "node", "node -e 'require(\"https\").get(\"https://127.0.0.1:%1$u/\").on(\"error\",()=>{})'",
      "closed after our certificate: it may not trust the CA" },
    { "node",
      "node -e 'require(\"http2\").connect(\"https://127.0.0.1:%1$u/\")."
      "on(\"error\",()=>{})'",
      "closed after our certificate: it may not trust the CA" },
    { "gnutls-cli", "gnutls-cli -p %1$u localhost", "the client refused our certificate: " },
    { "python3",
      "python3 -c 'import ssl,socket;ssl.create_default_context().wrap_socket("
      "socket.create_connection((\"127.0.0.1\",%1$u)),server_hostname=\"localhost\")'",
      "the client refused our certificate: unknown_ca" },
};

static bool is_there(const char *program)
{
    char command[64];
    snprintf(command, sizeof command, "command -v %s >/dev/null 2>&1", program);
    return system(command) == 0;
}

static void every_client_that_does_not_trust_us_is_told(void **state)
{
    unsigned tried = 0;
    for (size_t i = 0; i < sizeof clients / sizeof clients[0]; i++) {
        char command[400], line[480];
        if (!is_there(clients[i].program)) {
            print_message("# %s is not there\n", clients[i].program);
            continue;
        }
        tried++;
        admin_reset(&server);
        snprintf(command, sizeof command, clients[i].command, server.https);
        snprintf(line, sizeof line, "timeout 20 %s </dev/null >/dev/null 2>&1", command);
        check(system(line) != -1, "%s: cannot be run", clients[i].program);
        json_t *failed = ledger_await(&server, 0, "tls_failed", NULL);
        const char *why = event_text(failed, "why");
        bool known = clients[i].why ? begins(why, clients[i].why)
                                    : begins(why, "the client refused our certificate: ") ||
                                          begins(why, "closed after our certificate");
        check(known, "%s: %s", command, why);
        json_t *end =
            ledger_await(&server, (uint64_t)event_ms(failed, "connection"), "connection_end", NULL);
        check(end, "%s: no end", command);
        assert_string_equal(event_text(end, "by"), "client");
        assert_string_equal(event_text(end, "in"), "handshake");
        json_decref(failed);
        json_decref(end);
    }
    if (tried == 0)
        skip_because("none of these clients is there");
    char asked[600];
    snprintf(asked, sizeof asked, "Does the client trust %s", server.ca);
    check(server_log_has(&server, asked), "the log does not ask: %s", asked);
    check(server_log_has(&server, "certs/README.md"), "the log does not say where to look");
}

/* --- HTTP on a TLS port */

static char long_line[9000];

static const struct {
    const char *bytes, *told; /* behind "HTTP in cleartext on a TLS port: "; NULL: it is no HTTP */
    bool head;
} texts[] = {
    { "GET /a?b HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET /a?b HTTP/1.1", false },
    { "HEAD / HTTP/1.0\r\n\r\n", "HEAD / HTTP/1.0", true },
    { "POST / HTTP/1.1\nHost: localhost\nContent-Length: 4\n\nbody", "POST / HTTP/1.1", false },
    { "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", "OPTIONS * HTTP/1.1", false },
    { "my-method /x HTTP/1.1\r\n\r\n", "my-method /x HTTP/1.1", false },
    { "\r\nGET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1", false },
    { "GET /\r\n", "GET /", false }, /* HTTP/0.9 */
    { H2_PREFACE, "PRI * HTTP/2.0", false },
    { long_line, "GET /xxx", false },
    { "SSH-2.0-OpenSSH_9.2p1 Debian\r\n", NULL, false },
    { "EHLO localhost\r\n", NULL, false },
    { "HELP\n", NULL, false },
    { "GET  / HTTP/1.1\r\n", NULL, false },
    { "{\"a\": 1}\n", NULL, false },
};

static void send_split(struct client *c, const char *bytes, bool split)
{
    size_t len = strlen(bytes);
    if (len > 200) /* enough of it byte by byte */
        split = false;
    for (size_t i = 0; split && i < len && !client_look(c, in_ms(1)); i++)
        client_send(c, bytes + i, 1);
    if (!split)
        client_send(c, bytes, len);
}

static void http_on_a_tls_port_is_answered_with_400(void **state)
{
    snprintf(long_line, sizeof long_line, "GET /%08900d HTTP/1.1\r\n\r\n", 0);
    memset(long_line + 5, 'x', 8900);
    for (size_t i = 0; i < 2 * sizeof texts / sizeof texts[0]; i++) {
        const char *told = texts[i / 2].told;
        struct client_options to = { .port = i % 4 < 2 ? server.https : server.https1 };
        struct client c;
        struct h1_response r;
        char text[80];

        admin_reset(&server);
        assert_true(client_connect(&c, &to));
        send_split(&c, texts[i / 2].bytes, i % 2);
        json_t *failed = ledger_await(&server, 0, "tls_failed", NULL);
        const char *why = event_text(failed, "why");
        if (told) {
            check(h1_read(&c, texts[i / 2].head, &r, in_ms(PATIENCE_MS)), "case %zu: no answer: %s",
                  i, client_story(&c));
            assert_int_equal(r.status, 400);
            assert_true(h1_header(&r, "Content-Type", text, sizeof text));
            assert_string_equal(text, "application/problem+json");
            assert_true(h1_header(&r, "Connection", text, sizeof text));
            assert_string_equal(text, "close");
            assert_true(h1_header(&r, "Date", text, sizeof text));
            json_t *problem =
                json_loadb((const char *)buf_bytes(&r.body), buf_len(&r.body), 0, NULL);
            if (texts[i / 2].head)
                assert_int_equal(buf_len(&r.body), 0);
            else
                check(strstr(event_text(problem, "detail"), "https://"), "case %zu: problem", i);
            json_decref(problem);
            h1_free(&r);
            check(begins(why, "HTTP in cleartext on a TLS port: ") &&
                      begins(why + strlen("HTTP in cleartext on a TLS port: "), told),
                  "case %zu: %s", i, why);
        } else {
            check(client_wait_bytes(&c, 7, in_ms(PATIENCE_MS)), "case %zu: no alert: %s", i,
                  client_story(&c));
            assert_int_equal(buf_bytes(&c.in)[0], 21);
            assert_string_equal(why, "what the client sent is no TLS");
            assert_string_equal(event_text(failed, "sent_alert"), "unexpected_message");
        }
        check(client_wait_end(&c, in_ms(PATIENCE_MS)) && c.fin, "case %zu: no FIN: %s", i,
              client_story(&c));
        client_close(&c);
        json_t *end = ledger_await(&server, 0, "connection_end", NULL);
        assert_string_equal(event_text(end, "in"), "handshake");
        json_decref(failed);
        json_decref(end);
    }
    char asked[80];
    snprintf(asked, sizeof asked, "use https://, or http:// on port %u", server.http);
    check(server_log_has(&server, "HTTP in cleartext on a TLS port: "), "the log does not say it");
    check(server_log_has(&server, asked), "the log does not say what to do");
}

/* --- TLS on a cleartext port */

static void tls_on_a_clear_port_is_answered_with_400_in_the_clear(void **state)
{
    struct buf hello = { 0 };
    client_hello(&hello, NULL, 0, NULL, 0);
    for (int split = 0; split < 2; split++) {
        struct client_options to = { .port = server.http };
        struct client c;
        struct h1_response r;

        admin_reset(&server);
        assert_true(client_connect(&c, &to));
        for (size_t i = 0; split && i < 2; i++) {
            client_send(&c, buf_bytes(&hello) + i, 1);
            client_look(&c, in_ms(30));
        }
        if (!split)
            client_send(&c, buf_bytes(&hello), buf_len(&hello));
        check(h1_read(&c, false, &r, in_ms(PATIENCE_MS)), "no answer: %s", client_story(&c));
        assert_int_equal(r.status, 400);
        h1_free(&r);
        check(client_wait_end(&c, in_ms(PATIENCE_MS)) && c.fin, "no FIN: %s", client_story(&c));
        client_close(&c);
        json_t *error = ledger_await(&server, 0, "protocol_error", NULL);
        check(begins(event_text(error, "why"), "TLS on a cleartext port"), "%s",
              event_text(error, "why"));
        json_decref(error);
    }
    buf_free(&hello);
    char asked[80];
    snprintf(asked, sizeof asked, "use http://, or https:// on port %u", server.https);
    check(server_log_has(&server, "TLS on a cleartext port"), "the log does not say it");
    check(server_log_has(&server, asked), "the log does not say what to do");
}

/* The type of a TLS record alone is none yet, and with something else behind it is refused as any
 * garbage is. */
static void what_only_begins_like_tls_is_no_tls(void **state)
{
    for (int split = 0; split < 2; split++) {
        struct client_options to = { .port = server.http };
        struct client c;
        struct h1_response r;

        admin_reset(&server);
        assert_true(client_connect(&c, &to));
        if (split) {
            client_send(&c, "\x16", 1);
            client_look(&c, in_ms(30));
            client_send(&c, "GET / HTTP/1.1\r\n\r\n", 18);
        } else {
            client_send(&c, "\x16GET / HTTP/1.1\r\n\r\n", 19);
        }
        check(h1_read(&c, false, &r, in_ms(PATIENCE_MS)), "no answer: %s", client_story(&c));
        assert_int_equal(r.status, 400);
        h1_free(&r);
        client_close(&c);
        json_t *error = ledger_await(&server, 0, "protocol_error", NULL);
        check(error && !begins(event_text(error, "why"), "TLS"), "it is taken for TLS");
        json_decref(error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_client_that_does_not_trust_us_is_told),
        cmocka_unit_test(http_on_a_tls_port_is_answered_with_400),
        cmocka_unit_test(tls_on_a_clear_port_is_answered_with_400_in_the_clear),
        cmocka_unit_test(what_only_begins_like_tls_is_no_tls),
    };

    return cmocka_run_group_tests_name("mistakes with TLS", tests, setup, teardown);
}
