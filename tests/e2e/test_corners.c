/* Corners where faults, the ledger and the engines meet; each was wrong once. */
#include "witness.h"

#include <string.h>
#include <sys/socket.h>

/* Puts rules in force as a mode of their own. */
static void rules(const struct stage *stage, const char *json)
{
    struct buf mode = { .data = NULL };
    buf_printf(&mode,
               "{\"name\":\"corner\",\"summary\":\"s\",\"client_sees\":\"c\",\"basis\":\"b\","
               "\"exercises\":[],\"params\":{},\"rules\":%s}",
               json);
    buf_add(&mode, "", 1);
    struct admin_answer answer;
    assert_true(admin_try(stage->server, "PUT", "/v1/modes/corner",
                          "Content-Type: application/json\r\n", (const char *)buf_bytes(&mode),
                          &answer));
    check(answer.status == 200 || answer.status == 201, "the mode was refused with %d",
          answer.status);
    admin_free(&answer);
    buf_free(&mode);
    admin_mode(stage->server, "corner", "{}");
}

static void after_close_notify_requests_are_read_and_never_answered(struct stage *stage)
{
    struct talk *t = talk_open(stage);
    talk_served(t);
    admin_do(stage->server, t->connection, "[\"close_notify\"]");
    check(!client_silent(&t->c, in_ms(PATIENCE_MS)), "no close_notify: %s", client_story(&t->c));
    assert_true(t->c.close_notify);
    talk_ask(t, "behind");
    json_decref(ledger_await_key(stage->server, t->connection, "behind"));
    check(!client_wait_end(&t->c, in_ms(200)), "TCP was touched: %s", client_story(&t->c));
    talk_close(t);
    json_t *end = ledger_await(stage->server, t->connection, "connection_end", NULL);
    assert_string_equal(event_text(end, "by"), "client");
    json_decref(end);
}

/* The client got GOAWAY with 0 as its last stream and no response; the ledger has each of so many
 * exchanges as lost, once. */
static void all_are_disowned(struct stage *stage, struct talk *t, unsigned count)
{
    check(h2_wait_frame(&t->h2, NGHTTP2_GOAWAY, in_ms(PATIENCE_MS)), "no GOAWAY: %s",
          client_story(&t->c));
    for (unsigned nth = 1; nth <= count; nth++)
        check_lost(stage, t, nth, "complete");
    while (h2_next(&t->h2, in_ms(50)))
        ;
    assert_int_equal(t->h2.goaway.last, 0);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(h2_stream(&t->h2, 2 * (int32_t)i + 1)->status, 0);
}

static void a_step_that_ends_its_own_exchange_is_survived(struct stage *stage)
{
    rules(stage, "[{\"on\":\"request\",\"do\":[{\"delay\":\"30ms\"}]},"
                 "{\"on\":\"response\",\"at\":\"start\",\"over\":\"h2\","
                 "\"do\":[{\"goaway\":{\"last\":\"none\"}}]},"
                 "{\"on\":\"response\",\"at\":\"start\",\"do\":[{\"respond\":{\"status\":503}}]}]");
    struct talk *t = talk_open(stage);
    for (int i = 0; i < 5; i++)
        talk_ask(t, NULL);
    json_t *opened = ledger_await(stage->server, 0, "connection_open", NULL);
    t->connection = (uint64_t)event_ms(opened, "connection");
    json_decref(opened);
    if (stage->seat->h2)
        all_are_disowned(stage, t, 5);
    else
        for (uint64_t nth = 1; nth <= 5; nth++) {
            check(talk_answer(t, in_ms(PATIENCE_MS)), "no answer: %s", client_story(&t->c));
            assert_int_equal(t->status, 503);
            check_event(stage, t, "response_end", nth);
        }
    admin_mode(stage->server, "normal", "{}");
    talk_served(talk_open(stage));
}

static void reset_ends_what_rules_have_begun(struct stage *stage)
{
    rules(stage, "[{\"on\":\"request\",\"nth\":1,\"do\":[\"hold\"]},"
                 "{\"on\":\"request\",\"nth\":1,\"do\":[{\"wait\":\"300ms\"},\"rst\"]}]");
    struct talk *t = talk_open(stage);
    talk_ask(t, "held");
    json_decref(ledger_await_key(stage->server, 0, "held"));
    check(!talk_answer(t, in_ms(50)), "not held: %s", client_story(&t->c));
    admin_reset(stage->server);
    in_time(t->asked_at + 300 * NS_PER_MS); /* the step that it ends */
    check(talk_answer(t, in_ms(PATIENCE_MS)), "not ended: %s", client_story(&t->c));
    assert_int_equal(t->status, 200);
    check(client_silent(&t->c, in_ms(400)), "a step outlived the reset: %s", client_story(&t->c));
}

static void a_full_stall_costs_nothing_and_ends_with_the_client(struct stage *stage)
{
    static char filler[512 * 1024];
    struct talk *t = talk_open(stage);
    talk_served(t);
    admin_do(stage->server, t->connection, "[\"stall\"]");
    memset(filler, 'x', sizeof filler);
    struct buf out = { .data = NULL };
    talk_compose(t, &out, "POST", ENTITLEMENT, NULL, NULL);
    buf_add(&out, filler, sizeof filler);
    send(t->c.fd, buf_bytes(&out), buf_len(&out), MSG_DONTWAIT | MSG_NOSIGNAL);
    buf_free(&out);
    json_decref(ledger_await(stage->server, t->connection, "stale_bytes", NULL));
    long before = server_cpu_ms(stage->server);
    check(client_silent(&t->c, in_ms(500)), "not silent: %s", client_story(&t->c));
    talk_close(t);
    struct talk *other = talk_open(stage);
    talk_served(other);
    check(client_silent(&other->c, in_ms(500)), "not silent: %s", client_story(&other->c));
    long used = server_cpu_ms(stage->server) - before;
    check(used < 300, "a stalled connection used %ld ms of a second", used);
}

static void an_attempt_that_a_fault_cut_at_its_headers_counts(struct stage *stage)
{
    rules(stage, "[{\"on\":\"request\",\"at\":\"headers\",\"nth\":2,\"do\":[\"fin\"]}]");
    struct talk *t = talk_open(stage);
    talk_served(t);
    talk_ask(t, "again");
    check(client_wait_fin(&t->c, in_ms(PATIENCE_MS)), "no FIN: %s", client_story(&t->c));
    struct talk *retry = talk_open(stage);
    talk_ask(retry, "again");
    check(talk_answer(retry, in_ms(PATIENCE_MS)), "no answer: %s", client_story(&retry->c));
    assert_int_equal(talk_served_number(retry, "attempt"), 2);
}

/* With the client's window for both streams at 50, stream 1 reaches its place with the first
 * WINDOW_UPDATE; the second one lets stream 3 on, in a connection that says nothing any more. */
static void windows_that_open_behind_a_fault_cost_nothing(struct stage *stage)
{
    static const uint8_t window[] = { 0, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0, 0, 0, 50 };
    static const char *const cuts[] = { NULL, "[\"fin\"]", "[\"stall\"]", "[\"forget\"]" };
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        admin_mode(stage->server, "truncate", "{\"after\":100}");
        struct talk *t = talk_open(stage);
        h2_send_frame(&t->h2, NGHTTP2_SETTINGS, 0, 0, window, sizeof window);
        int32_t first = h2_request(&t->h2, "GET", ENTITLEMENT);
        int32_t second = h2_request(&t->h2, "GET", ENTITLEMENT);
        while (h2_next(&t->h2, in_ms(PATIENCE_MS)) &&
               buf_len(&h2_stream(&t->h2, second)->body) < 50)
            ;
        assert_int_equal(buf_len(&h2_stream(&t->h2, second)->body), 50);
        json_t *opened = ledger_await(stage->server, 0, "connection_open", NULL);
        if (cuts[i]) {
            admin_do(stage->server, (uint64_t)event_ms(opened, "connection"), cuts[i]);
        } else {
            h2_send_frame(&t->h2, NGHTTP2_WINDOW_UPDATE, 0, first, "\0\0\1", 4);
            check(client_wait_fin(&t->c, in_ms(PATIENCE_MS)), "no FIN: %s", client_story(&t->c));
        }
        long before = server_cpu_ms(stage->server);
        json_decref(opened);
        uint64_t read = t->c.raw_in;
        h2_send_frame(&t->h2, NGHTTP2_WINDOW_UPDATE, 0, second, "\0\0\1", 4);
        while (client_look(&t->c, in_ms(200))) /* FIN, RST: no octet more */
            ;
        assert_int_equal(t->c.raw_in, read);
        admin_mode(stage->server, "normal", "{}");
        talk_served(talk_open(stage));
        long used = server_cpu_ms(stage->server) - before;
        check(used < 150, "a window that opened took %ld ms of CPU time", used);
        stage_clear(stage);
        admin_reset(stage->server);
    }
}

int main(void)
{
    static const struct scenario list[] = {
        SCENARIO(after_close_notify_requests_are_read_and_never_answered, SEATS_TLS),
        SCENARIO(a_step_that_ends_its_own_exchange_is_survived, SEATS_ALL),
        SCENARIO(reset_ends_what_rules_have_begun, SEATS_ALL),
        SCENARIO(a_full_stall_costs_nothing_and_ends_with_the_client, SEAT_H1_CLEARTEXT),
        SCENARIO(an_attempt_that_a_fault_cut_at_its_headers_counts, SEATS_ALL),
        SCENARIO(windows_that_open_behind_a_fault_cost_nothing, SEATS_H2),
    };
    return scenarios_run("corners", list, sizeof list / sizeof list[0], NULL);
}
