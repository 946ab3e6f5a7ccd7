/* File descriptors: when they run out, the server says so, waits, and continues when they return;
 * the admin API is answered all the while, and those whose clients have left make room for others.
 */
#include "talk.h"

#include <stdio.h>
#include <string.h>

#define LIMIT   256
#define CLIENTS 300
#define BATCH   30
#define STAYING 10
#define KEPT    40 /* the server keeps some pairs of descriptors in stock for HTTP/1.1 */
#define WHY     "descriptors were needed"

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

static void check_health(const struct server *s)
{
    json_decref(admin_call(s, 200, "GET", "/healthz", NULL));
}

static void await_descriptors(long most)
{
    int64_t until = in_ms(PATIENCE_MS);
    while (server_descriptors(&server) > most && clock_now() < until)
        check_health(&server);
    check(server_descriptors(&server) <= most, "%ld descriptors are open, not %ld",
          server_descriptors(&server), most);
}

static void check_served(void)
{
    struct stage stage = { .server = &server };
    static const struct seat seats[] = { { "h1 TLS", false, CLIENT_TLS13 },
                                         { "h2 cleartext", true, CLIENT_CLEARTEXT } };
    for (int i = 0; i < 2; i++) {
        stage.seat = &seats[i];
        talk_served(talk_open(&stage));
        stage_clear(&stage);
    }
}

static void ask(struct client *c)
{
    struct client_options to = { .port = server.http };
    assert_true(client_connect(c, &to)); /* the backlog takes what the server does not accept */
    client_text(c, "GET " ENTITLEMENT " HTTP/1.1\r\nHost: localhost\r\n\r\n");
}

/* --- Clients that stay */

static void it_says_so_waits_and_serves_again(void **state)
{
    static struct client many[CLIENTS];

    long before = server_descriptors(&server);
    for (int i = 0; i < CLIENTS; i++)
        ask(&many[i]);
    json_t *said = ledger_await(&server, 0, "out_of_descriptors", NULL);
    json_decref(said);
    check(server_log_has(&server, "no file descriptors are left"), "the log does not say it");
    for (int i = 0; i < 10; i++)
        check_health(&server);

    for (int i = 0; i < CLIENTS; i++)
        client_close(&many[i]);
    check_served();
    await_descriptors(before + KEPT);
}

/* --- Clients that leave. Whatever they were left in, they make room for others. */

static const struct {
    const char *rules, *capability;
} ways[] = {
    { "{\"on\":\"idle\",\"after\":\"1ms\",\"do\":[\"stall\"]}", NULL },
    { "{\"on\":\"request\",\"do\":[\"stall\"]}", NULL },
    { "{\"on\":\"accept\",\"do\":[\"stall\"]}", NULL },
    { "{\"on\":\"request\",\"do\":[\"hold\"]}", NULL },
    { "{\"on\":\"request\",\"do\":[{\"delay\":\"1h\"}]}", NULL },
    /* Not before the first request, however late that comes: it would draw RST. */
    { "{\"on\":\"response\",\"do\":[\"forget\"]}", NULL },
    { "{\"on\":\"request\",\"do\":[\"forget\"]}", NULL },
    { "{\"on\":\"response\",\"at\":{\"content\":1},\"do\":[\"hold\"]}", NULL },
    { "{\"on\":\"idle\",\"after\":\"1ms\",\"do\":[\"black_hole\"]}", "black_hole" },
    { "{\"on\":\"accept\",\"do\":[\"black_hole\"]}", "black_hole" },
};

static void set_rules(const char *rules)
{
    char text[400];
    snprintf(text, sizeof text, "{\"name\":\"filling\",\"summary\":\"x\",\"rules\":[%s]}", rules);
    struct admin_answer answer;
    assert_true(admin_try(&server, "PUT", "/v1/modes/filling", "Content-Type: application/json\r\n",
                          text, &answer));
    check(answer.status == 200 || answer.status == 201, "%s: %d", rules, answer.status);
    admin_free(&answer);
    admin_mode(&server, "filling", NULL);
}

/* Waits until so many more faults are ledgered. */
static void await_faults(unsigned count, uint64_t *since, const char *rules)
{
    int64_t until = in_ms(PATIENCE_MS);
    unsigned seen = 0;
    while (seen < count && clock_now() < until) {
        json_t *events = admin_events(&server, *since, 200, since), *event;
        size_t i;
        json_array_foreach(events, i, event) seen +=
            strcmp(event_text(event, "event"), "fault") == 0;
        json_decref(events);
    }
    check(seen >= count, "%s: the server took %u clients of %u", rules, seen, count);
}

/* seen: it can be seen of a client that it has left, so that those who stayed can be spared. */
static void who_left_makes_room(const char *rules, bool seen)
{
    static struct client staying[STAYING], batch[BATCH];
    uint64_t since = 0;

    json_decref(admin_events(&server, 0, 0, &since));
    set_rules(rules);
    long before = server_descriptors(&server);
    for (int i = 0; i < STAYING; i++)
        ask(&staying[i]);
    await_faults(STAYING, &since, rules);
    for (int i = 0; i < CLIENTS; i += BATCH) {
        for (int k = 0; k < BATCH; k++)
            ask(&batch[k]);
        await_faults(BATCH, &since, rules);
        for (int k = 0; k < BATCH; k++)
            client_close(&batch[k]);
        check_health(&server);
    }
    for (int i = 0; i < STAYING; i++)
        check(!client_wait_end(&staying[i], clock_now()) || !seen,
              "%s: client %d of those who stayed: %s", rules, i, client_story(&staying[i]));

    json_decref(admin_call(&server, 200, "PUT", "/v1/mode", "{\"mode\":\"normal\"}"));
    await_descriptors(before + STAYING + KEPT);
    check_served();
    for (int i = 0; i < STAYING; i++)
        client_close(&staying[i]);
}

static void clients_that_have_left_make_room_for_others(void **state)
{
    unsigned ended = 0;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        if (ways[i].capability && !admin_capability(&server, ways[i].capability))
            continue;
        admin_reset(&server);
        who_left_makes_room(ways[i].rules, !ways[i].capability);
        json_t *one = ledger_find(&server, 0, "out_of_descriptors", NULL);
        check(!one, "%s: clients had to wait", ways[i].rules);
        json_t *events = admin_events(&server, 0, 0, &(uint64_t){ 0 }), *event;
        size_t k;
        json_array_foreach(events, k, event) if (strcmp(event_text(event, "why"), WHY) == 0)
        {
            assert_string_equal(event_text(event, "event"), "connection_end");
            assert_string_equal(event_text(event, "by"), "server");
            ended++;
        }
        json_decref(events);
    }
    check(ended > STAYING, "only %u were ended", ended);
}

/* A client whose request is held costs one descriptor, not three, also when it has given up. */
static void what_only_a_response_needs_is_not_kept(void **state)
{
    static const char *const rules[] = { "{\"on\":\"request\",\"do\":[\"hold\"]}",
                                         "{\"on\":\"request\",\"do\":[\"stall\"]}" };
    static struct client clients[STAYING];
    uint64_t since = 0;

    for (int r = 0; r < 2; r++) {
        admin_reset(&server);
        json_decref(admin_events(&server, 0, 0, &since));
        set_rules(rules[r]);
        long before = server_descriptors(&server);
        for (int i = 0; i < STAYING; i++)
            ask(&clients[i]);
        await_faults(STAYING, &since, rules[r]);
        for (int i = 0; i < STAYING; i++)
            client_shut(&clients[i]); /* its FIN; it could still read an answer */
        await_descriptors(before + STAYING + 4);
        if (r == 0) /* and gets it, when the rule lets it go */
            json_decref(admin_call(&server, 200, "PUT", "/v1/mode", "{\"mode\":\"normal\"}"));
        for (int i = 0; i < STAYING; i++) {
            struct h1_response answer;
            if (r == 0) {
                check(h1_read(&clients[i], false, &answer, in_ms(PATIENCE_MS)) &&
                          answer.status == 200,
                      "client %d: %s", i, client_story(&clients[i]));
                h1_free(&answer);
            }
            client_close(&clients[i]);
        }
    }
}

/* --- The admin API's callers */

#define CALLERS 280

static struct server roomy;

static void start_roomy(void)
{
    if (!roomy.pid)
        server_start(&roomy, NULL);
}

/* For what does not happen: the server may tell of a pause of its own at any time. */
#define WAITING                                                                                    \
    "GET /v1/runs/default/events?wait=60s&event=mark&since=%llu HTTP/1.1\r\n"                      \
    "Host: localhost\r\n\r\n"

/* format: with a place for the number of the newest event, or without. */
static void call_from_many(const struct server *s, struct client *callers, const char *format)
{
    struct client_options to = { .port = s->admin };
    char text[200];
    uint64_t last;
    json_decref(admin_events(s, 0, 0, &last));
    snprintf(text, sizeof text, format, (unsigned long long)last);
    for (int i = 0; i < CALLERS; i++) {
        assert_true(client_connect(&callers[i], &to));
        client_text(&callers[i], text);
        for (int k = 0; i == 0 && k < 2; k++) /* it has been read, before all others */
            check_health(s);
    }
}

/* From one address, which can be all of a container host. */
static void no_number_of_callers_locks_the_health_check_out(void **state)
{
    static struct client callers[CALLERS];
    static const char *const texts[] = {
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        WAITING,
        "GET /v1 HTTP/1.1\r\nHo", /* a request that never comes to its end */
        "",
    };
    const struct server *const servers[] = { &server, &roomy };

    start_roomy();
    for (int k = 0; k < 8; k++) {
        const struct server *s = servers[k % 2];
        call_from_many(s, callers, texts[k / 2]);
        for (int i = 0; i < 5; i++)
            check_health(s);
        for (int i = 0; i < CALLERS; i++)
            client_close(&callers[i]);
        check(!server_log_has(s, "in system"), "the log blames the system");
        check_health(s);
    }
}

static void a_caller_that_waits_for_events_is_answered_before_it_makes_room(void **state)
{
    static struct client callers[CALLERS];
    struct h1_response answer;

    start_roomy();
    call_from_many(&roomy, callers, WAITING);
    check(h1_read(&callers[0], false, &answer, in_ms(PATIENCE_MS)) && answer.status == 200,
          "the first one: %s", client_story(&callers[0]));
    h1_free(&answer);
    check(client_silent(&callers[CALLERS - 1], in_ms(50)), "the last one: %s",
          client_story(&callers[CALLERS - 1]));
    for (int i = 0; i < CALLERS; i++)
        client_close(&callers[i]);
    server_stop(&roomy);
}

/* More than the kernel keeps for one who does not read: pipelined, each answer is over 64 KiB. */
static void callers_who_do_not_read_make_room(void **state)
{
    static struct client callers[CALLERS];
    struct client_options to = { .port = server.admin };
    struct buf requests = { .data = NULL };
    struct admin_answer answer = { .status = 0 };
    /* The kernel takes megabytes for each before the server can see that nobody reads. */
    int64_t until = in_ms(4 * PATIENCE_MS);

    for (int i = 0; i < 100; i++)
        buf_text(&requests, "GET /v1/modes HTTP/1.1\r\nHost: localhost\r\n\r\n");
    for (int i = 0; i < CALLERS; i++) {
        assert_true(client_connect(&callers[i], &to));
        client_send(&callers[i], buf_bytes(&requests), buf_len(&requests));
    }
    /* Those who read slowly are given some time before they count as such. */
    while (!admin_try(&server, "GET", "/healthz", NULL, NULL, &answer) && clock_now() < until)
        ;
    check(answer.status == 200, "the health check is locked out");
    admin_free(&answer);
    for (int i = 0; i < 5; i++)
        check_health(&server);
    for (int i = 0; i < CALLERS; i++)
        client_close(&callers[i]);
    buf_free(&requests);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_says_so_waits_and_serves_again),
        cmocka_unit_test(clients_that_have_left_make_room_for_others),
        cmocka_unit_test(what_only_a_response_needs_is_not_kept),
        cmocka_unit_test(no_number_of_callers_locks_the_health_check_out),
        cmocka_unit_test(callers_who_do_not_read_make_room),
        cmocka_unit_test(a_caller_that_waits_for_events_is_answered_before_it_makes_room),
    };

    return cmocka_run_group_tests_name("out of descriptors", tests, setup, teardown);
}
