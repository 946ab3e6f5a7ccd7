/* Without file descriptors the server says so, waits, and goes on when they return. */
#include "talk.h"

#include <string.h>

#define LIMIT   96
#define CLIENTS 120
#define KEPT    40 /* the server keeps some pairs of descriptors in stock for HTTP/1.1 */

static struct server server = { .descriptors = LIMIT };

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

/* A call on a connection that is open already: a new one would need a descriptor. */
static bool kept_call_has(struct client *c, const char *path, const char *text)
{
    struct buf out = { .data = NULL };
    struct h1_response r;

    h1_compose(&out, "GET", path, "", NULL);
    client_send(c, buf_bytes(&out), buf_len(&out));
    buf_free(&out);
    bool whole = h1_read(c, false, &r, in_ms(PATIENCE_MS));
    bool has = whole && strstr((const char *)buf_bytes(&r.body), text);
    h1_free(&r);
    check(whole, "no answer: %s", client_story(c));
    return has;
}

static void it_says_so_waits_and_serves_again(void **state)
{
    static struct client many[CLIENTS];
    struct client_options to = { .port = server.http }, admin_to = { .port = server.admin };
    struct client admin;
    struct stage stage = { .server = &server };
    static const struct seat seats[] = { { "h1 TLS", false, CLIENT_TLS13 },
                                         { "h2 clear", true, CLIENT_CLEAR } };

    assert_true(client_connect(&admin, &admin_to));
    assert_true(kept_call_has(&admin, "/healthz", "ok"));
    long before = server_descriptors(&server);
    for (int i = 0; i < CLIENTS; i++) {
        assert_true(client_connect(&many[i], &to)); /* the backlog takes what it does not accept */
        client_text(&many[i], "GET " ENTITLEMENT " HTTP/1.1\r\nHost: localhost\r\n\r\n");
    }
    int64_t until = in_ms(PATIENCE_MS);
    while (!server_log_has(&server, "descriptor") && clock_now() < until)
        assert_true(kept_call_has(&admin, "/healthz", "ok"));
    check(server_log_has(&server, "descriptor"), "the log does not say it");
    assert_true(kept_call_has(&admin, "/v1/runs/default/events?max=10000", "out_of_descriptors"));

    for (int i = 0; i < CLIENTS; i++)
        client_close(&many[i]);
    for (int i = 0; i < 2; i++) {
        stage.seat = &seats[i];
        talk_served(talk_open(&stage));
        stage_clear(&stage);
    }
    until = in_ms(PATIENCE_MS);
    while (server_descriptors(&server) > before + KEPT && clock_now() < until)
        assert_true(kept_call_has(&admin, "/healthz", "ok"));
    check(server_descriptors(&server) <= before + KEPT, "%ld descriptors are left over",
          server_descriptors(&server) - before);
    client_close(&admin);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(it_says_so_waits_and_serves_again) };

    return cmocka_run_group_tests_name("out of descriptors", tests, setup, teardown);
}
