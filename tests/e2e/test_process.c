/* The process: it ends promptly and orderly on a signal, whatever is open, and starts again as it
 * was. */
#include "talk.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define GRACE_MS  1000 /* that the server gives what is under way */
#define PROMPT_MS 8000 /* more than that and a lingering close */

static struct server server;

static int setup(void **state)
{
    server = (struct server){ .pid = 0 };
    server_start(&server, NULL);
    return 0;
}

static int teardown(void **state)
{
    server_stop(&server);
    return 0;
}

static const struct seat seats[] = {
    { "h1 cleartext", false, CLIENT_CLEARTEXT },
    { "h1 TLS", false, CLIENT_TLS13 },
    { "h2 cleartext", true, CLIENT_CLEARTEXT },
    { "h2 TLS", true, CLIENT_TLS13 },
};
#define SEAT_COUNT 4

/* One connection from each seat. */
static void open_all(struct stage *stage)
{
    *stage = (struct stage){ .server = &server };
    for (unsigned i = 0; i < SEAT_COUNT; i++) {
        stage->seat = &seats[i];
        talk_open(stage);
    }
}

static void ends_with_idle_connections_open(int signal)
{
    struct stage stage;

    open_all(&stage);
    for (unsigned i = 0; i < SEAT_COUNT; i++)
        talk_served(stage.talks[i]);
    int64_t began = clock_now();
    int status = server_end(&server, signal, PROMPT_MS);
    check(status == 0, "ended with status %d after %lld ms", status,
          (long long)(clock_now() - began) / NS_PER_MS);
    for (unsigned i = 0; i < SEAT_COUNT; i++) {
        struct talk *t = stage.talks[i];
        if (t->seat->h2) {
            check(h2_wait_frame(&t->h2, NGHTTP2_GOAWAY, in_ms(LATE_MS)), "%s: no GOAWAY",
                  t->seat->name);
            while (h2_wait_frame(&t->h2, NGHTTP2_GOAWAY, in_ms(100)))
                ;
            assert_int_equal(t->h2.goaway.error, NGHTTP2_NO_ERROR);
            assert_int_equal(t->h2.goaway.last, t->stream);
        }
        check(client_wait_end(&t->c, in_ms(LATE_MS)), "%s: no end", t->seat->name);
        check(t->c.fin && !t->c.rst, "%s: RST, not FIN", t->seat->name);
        check(t->c.close_notify == (t->seat->tls != CLIENT_CLEARTEXT), "%s: close_notify is %d",
              t->seat->name, t->c.close_notify);
    }
    stage_clear(&stage);
}

static void sigterm_ends_it_with_idle_connections_open(void **state)
{
    ends_with_idle_connections_open(SIGTERM);
}

static void sigint_ends_it_with_idle_connections_open(void **state)
{
    ends_with_idle_connections_open(SIGINT);
}

/* Answers come as late as told. */
static void set_delay(const char *delay)
{
    char body[300];

    snprintf(body, sizeof body,
             "{\"name\":\"late\",\"summary\":\"Answers late.\",\"rules\":[{\"on\":\"request\","
             "\"at\":\"headers\",\"do\":[{\"delay\":\"%s\"}]}]}",
             delay);
    json_decref(admin_call(&server, 201, "PUT", "/v1/modes/late", body));
    admin_mode(&server, "late", NULL);
}

static void a_request_in_flight_is_answered_before_the_end(void **state)
{
    struct stage stage;

    set_delay("400ms");
    open_all(&stage);
    for (unsigned i = 0; i < SEAT_COUNT; i++) {
        assert_int_equal(talk_ask(stage.talks[i], NULL), 0);
        assert_true(client_wait_acked(&stage.talks[i]->c, in_ms(LATE_MS)));
    }
    for (unsigned i = 0; i < SEAT_COUNT; i++) {
        json_t *request = ledger_await(&server, i + 1, "request", NULL);
        json_decref(request);
    }
    kill(server.pid, SIGTERM);
    for (unsigned i = 0; i < SEAT_COUNT; i++) {
        struct talk *t = stage.talks[i];
        check(talk_answer(t, in_ms(LATE_MS)), "%s: no answer: %s", t->seat->name,
              client_story(&t->c));
        assert_int_equal(t->status, 200);
        check(client_wait_end(&t->c, in_ms(LATE_MS)) && t->c.fin, "%s: no FIN: %s", t->seat->name,
              client_story(&t->c));
    }
    stage_clear(&stage);
    assert_int_equal(server_end(&server, 0, PROMPT_MS), 0);
}

static void requests_that_never_end_do_not_hold_it_up(void **state)
{
    struct stage stage;

    set_delay("10m");
    open_all(&stage);
    for (unsigned i = 0; i < SEAT_COUNT; i++)
        assert_int_equal(talk_ask(stage.talks[i], NULL), 0);
    /* And a half request, a half handshake, a waiting call of the API. */
    struct client_options http = { .port = server.http }, https = { .port = server.https },
                          admin = { .port = server.admin };
    struct client half, hello, waiting;
    assert_true(client_connect(&half, &http) && client_connect(&hello, &https) &&
                client_connect(&waiting, &admin));
    client_text(&half, "GET / HTT");
    client_send(&hello, "\x16\x03\x01", 3);
    client_text(&waiting, "GET /v1/runs/default/events?since=0&wait=60s HTTP/1.1\r\n"
                          "Host: localhost\r\n\r\n");
    assert_true(client_wait_acked(&waiting, in_ms(LATE_MS)));
    int status = server_end(&server, SIGTERM, PROMPT_MS);
    assert_int_equal(status, 0);
    client_close(&half);
    client_close(&hello);
    client_close(&waiting);
    stage_clear(&stage);
}

static void faults_in_force_do_not_hold_it_up(void **state)
{
    static const char *const steps[] = { "[\"stall\"]", "[\"forget\"]", "[\"fin\"]",
                                         "[\"stall\"]" };
    struct stage stage;

    open_all(&stage);
    for (unsigned i = 0; i < SEAT_COUNT; i++) {
        talk_served(stage.talks[i]);
        admin_do(&server, stage.talks[i]->connection, steps[i]);
    }
    assert_int_equal(server_end(&server, SIGTERM, PROMPT_MS), 0);
    stage_clear(&stage);
}

/* The server's end must not become the sign of life that the hole denied. */
static void a_black_hole_stays_silent_to_the_end(void **state)
{
    struct stage stage;

    admin_needs(&server, "black_hole");
    open_all(&stage);
    for (unsigned i = 0; i < SEAT_COUNT; i++) {
        struct talk *t = stage.talks[i];
        talk_served(t);
        admin_do(&server, t->connection, "[\"black_hole\"]");
        assert_int_equal(talk_ask(t, NULL), 0);
    }
    assert_int_equal(server_end(&server, SIGTERM, PROMPT_MS), 0);
    for (unsigned i = 0; i < SEAT_COUNT; i++) {
        struct talk *t = stage.talks[i];
        while (client_look(&t->c, clock_now()))
            ;
        /* A RST may come: the kernel has forgotten the connection, and the client retransmits. */
        check(!t->c.fin && t->c.raw_in == t->raw_answered, "%s: the black hole spoke: %s",
              t->seat->name, client_story(&t->c));
    }
    stage_clear(&stage);
}

/* The exit status tells whether it was the second signal. False: this process was so slow that the
 * grace was over before. */
static bool ended_by_a_second_signal(void)
{
    struct stage stage;

    set_delay("10m");
    open_all(&stage);
    for (unsigned i = 0; i < SEAT_COUNT; i++)
        assert_int_equal(talk_ask(stage.talks[i], NULL), 0);
    json_t *request = ledger_await(&server, 0, "request", NULL);
    json_decref(request);
    int64_t first_at = clock_now();
    kill(server.pid, SIGTERM);
    /* It has taken the first one when it closes its listeners: connecting is refused. */
    struct client_options to = { .port = server.http };
    int64_t until = in_ms(LATE_MS);
    bool open = true;
    while (open && clock_now() < until) {
        struct client c;
        open = client_connect(&c, &to);
        client_close(&c);
    }
    kill(server.pid, SIGTERM);
    bool was_in_time = clock_now() - first_at < GRACE_MS * NS_PER_MS;
    int status = server_end(&server, 0, PROMPT_MS);
    stage_clear(&stage);
    check(status == 128 + SIGTERM || !was_in_time, "ended with status %d", status);
    return status == 128 + SIGTERM;
}

static void a_second_signal_ends_it_at_once(void **state)
{
    for (int tries = 1; !ended_by_a_second_signal(); tries++) {
        check(tries < 5, "the machine is too slow for this");
        server_stop(&server);
        setup(state);
    }
}

static void read_state(const char *file, struct buf *out, mode_t *mode)
{
    char path[128], bytes[4096];
    struct stat st;

    snprintf(path, sizeof path, "%s/%s", server.state, file);
    check(stat(path, &st) == 0, "there is no %s", path);
    *mode = st.st_mode & 07777;
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    buf_add(out, bytes, fread(bytes, 1, sizeof bytes, f));
    fclose(f);
}

static void a_second_start_keeps_the_certificates(void **state)
{
    static const char *const files[] = { "ca.pem", "ca-key.pem", "server.pem", "server-key.pem",
                                         "ca.der" };
    struct buf first[5] = { { .data = NULL } }, second[5] = { { .data = NULL } };
    mode_t mode;

    for (int i = 0; i < 5; i++) {
        read_state(files[i], &first[i], &mode);
        if (strstr(files[i], "key"))
            assert_int_equal(mode, 0600);
    }
    assert_int_equal(server_end(&server, SIGTERM, PROMPT_MS), 0);
    server_start_again(&server, NULL);
    for (int i = 0; i < 5; i++) {
        read_state(files[i], &second[i], &mode);
        check(buf_len(&first[i]) == buf_len(&second[i]) &&
                  memcmp(buf_bytes(&first[i]), buf_bytes(&second[i]), buf_len(&first[i])) == 0,
              "%s has changed", files[i]);
        buf_free(&first[i]);
        buf_free(&second[i]);
    }
}

static void a_mode_on_the_command_line_is_in_force_and_scaled(void **state)
{
    struct stage stage = { .server = &server, .seat = &seats[1] };

    server_stop(&server);
    server_start(&server, (const char *const[]){ "--mode", "idle-close;idle=100s", "--time-scale",
                                                 "0.01", NULL });
    struct talk *t = talk_open(&stage);
    talk_served(t);
    check(client_wait_end(&t->c, in_ms(1000 + LATE_MS)) && t->c.fin, "no FIN: %s",
          client_story(&t->c));
    assert_true(t->c.fin_at - t->asked_at >= 1000 * NS_PER_MS);
    json_t *mode = admin_call(&server, 200, "GET", "/v1/mode", NULL);
    assert_string_equal(event_text(mode, "mode"), "idle-close");
    assert_true(event_ms(mode, "time_scale") > 0.0099 && event_ms(mode, "time_scale") < 0.0101);
    json_decref(mode);
    stage_clear(&stage);
}

static void ones_own_certificate_serves_and_there_is_no_ca(void **state)
{
    struct stage stage = { .server = &server, .seat = &seats[3] };
    char ca[512], cert[128], key[128];

    /* The first server's files serve as one's own. */
    assert_int_equal(server_end(&server, SIGTERM, PROMPT_MS), 0);
    snprintf(ca, sizeof ca, "%s", server.ca);
    snprintf(cert, sizeof cert, "%s/server.pem", server.state);
    snprintf(key, sizeof key, "%s/server-key.pem", server.state);
    server_start_again(&server, (const char *const[]){ "--cert", cert, "--key", key, NULL });
    assert_string_equal(server.ca, "");
    json_t *problem = admin_call(&server, 404, "GET", "/v1/ca.pem", NULL);
    assert_string_equal(event_text(problem, "type"), "/problems/no-ca-certificate");
    json_decref(problem);
    snprintf(server.ca, sizeof server.ca, "%s", ca);
    talk_served(talk_open(&stage));
    stage_clear(&stage);
}

/* The ready line tells so many addresses, and each family that it should takes connections. */
static void check_addresses(const char *listener, uint16_t port, size_t count, bool v4, bool v6)
{
    json_t *at = json_object_get(server.ready, listener);

    assert_int_equal(json_integer_value(json_object_get(at, "port")), port);
    assert_int_equal(json_array_size(json_object_get(at, "addresses")), count);
    for (int k = 0; k < 2; k++) {
        struct client_options to = { .port = port, .v6 = k };
        struct client c;
        bool connected = client_connect(&c, &to);
        client_close(&c);
        check(connected == (k ? v6 : v4), "%s by IPv%d: %s", listener, k ? 6 : 4,
              connected ? "connected" : "not connected");
    }
}

static void ipv4_and_ipv6_are_listened_on_as_told(void **state)
{
    struct stage stage = { .server = &server, .seat = &seats[1] };

    server_stop(&server);
    server_start(&server,
                 (const char *const[]){ "--https", ":0", "--https1", "localhost:0", "--http",
                                        "[::1]:0", "--admin", "localhost:0", NULL });
    check_addresses("https1", server.https1, 2, true, true);
    check_addresses("admin", server.admin, 2, true, true);
    check_addresses("http", server.http, 1, false, true);
    talk_served(talk_open(&stage)); /* by IPv4 */
    stage_clear(&stage);
    struct client_options to = { .port = server.http, .v6 = true };
    struct h1_response r;
    struct client c;
    assert_true(client_connect(&c, &to));
    client_text(&c, "GET " ENTITLEMENT " HTTP/1.1\r\nHost: [::1]\r\n\r\n");
    bool whole = h1_read(&c, false, &r, in_ms(PATIENCE_MS));
    h1_free(&r);
    client_close(&c);
    assert_true(whole);
    assert_int_equal(r.status, 200);
    json_t *open = ledger_await(&server, 0, "connection_open", NULL);
    assert_non_null(open);
    json_decref(open);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sigterm_ends_it_with_idle_connections_open),
        TEST(sigint_ends_it_with_idle_connections_open),
        TEST(a_request_in_flight_is_answered_before_the_end),
        TEST(requests_that_never_end_do_not_hold_it_up),
        TEST(faults_in_force_do_not_hold_it_up),
        TEST(a_black_hole_stays_silent_to_the_end),
        TEST(a_second_signal_ends_it_at_once),
        TEST(a_second_start_keeps_the_certificates),
        TEST(a_mode_on_the_command_line_is_in_force_and_scaled),
        TEST(ipv4_and_ipv6_are_listened_on_as_told),
        TEST(ones_own_certificate_serves_and_there_is_no_ca),
    };

    return cmocka_run_group_tests_name("the process", tests, NULL, NULL);
}
