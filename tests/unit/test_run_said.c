/* What a fault says is what happens, or fault_done says why it does not; and a limit of ours is no
 * error of the client.
 */
#include "harness/run_client.h"

static const char *text_in(const json_t *event, const char *member)
{
    const char *text = event ? json_string_value(json_object_get(event, member)) : NULL;
    return text ? text : "";
}

/* Sends this, and reads an answer that begins so; NULL: resets the connection behind this
 * event, the last of those that a row is about. Returns the events. */
static json_t *play(const char *rules, const char *request, const char *answer, const char *awaited)
{
    set_rules(rules);
    uint64_t since = now_in_ledger();
    look_for(since, awaited, 1);
    int client = connect_client();
    start_reading(client);
    assert_int_equal(send(client, request, strlen(request), 0), strlen(request));
    if (answer) {
        if (!run_until(got_answer, PATIENCE))
            fail_msg("%.60s: no answer: %s", request, got);
        if (strncmp(got, answer, strlen(answer)) != 0)
            fail_msg("%s: %s", rules, got);
    } else {
        const struct linger at_once = { .l_onoff = 1 };
        if (!run_until(is_found, PATIENCE))
            fail_msg("%s: no %s", rules, awaited);
        setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    }
    close(client);
    assert_true(run_until(is_empty, PATIENCE));
    return events_since(since);
}

/* The first fault that did not take effect. */
static json_t *undone_in(const json_t *events)
{
    size_t i;
    json_t *event;
    json_array_foreach(events, i,
                       event) if (json_is_false(json_object_get(event, "in_effect"))) return event;
    return NULL;
}

#define RESPOND(status) "{\"respond\":{\"status\":" #status "}}"
#define AT_HEADERS      "\"on\":\"request\",\"at\":\"headers\""

static void a_fault_that_does_not_come_about_is_taken_back(void **state)
{
    static const char half[] = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhe",
                      large[] = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n",
                      wrong[] = "GET /mode/none/ HTTP/1.1\r\nHost: x\r\n\r\n";
    static const struct {
        const char *rules, *request, *answer, *step, *why; /* step NULL: all of it happens */
    } rows[] = {
        { "[{" AT_HEADERS ",\"do\":[" RESPOND(503) "]}]", REQUEST, "HTTP/1.1 503", NULL, NULL },
        { "[{" AT_HEADERS ",\"do\":[" RESPOND(503) "]}]", large, "HTTP/1.1 503", NULL, NULL },
        { "[{" AT_HEADERS ",\"do\":[" RESPOND(503) "," RESPOND(418) "]}]", REQUEST, "HTTP/1.1 418",
          "respond", "another respond" },
        { "[{" AT_HEADERS ",\"do\":[" RESPOND(503) "]}]", wrong, "HTTP/1.1 404", "respond",
          "refused" },
        { "[{" AT_HEADERS ",\"do\":[" RESPOND(503) "]}]", half, "HTTP/1.1 503", NULL, NULL },
        { "[{\"on\":\"request\",\"at\":\"first_byte\",\"do\":[" RESPOND(503) "]}]",
          "POST / HTTP/1.1\r\n", NULL, "respond", "ended" },
        { "[{" AT_HEADERS ",\"do\":[{\"header\":{\"name\":\"A\",\"value\":\"b\"}}]}]", half, NULL,
          "header", "ended" },
        { "[{" AT_HEADERS ",\"do\":[\"fin\"]},{" AT_HEADERS ",\"do\":[" RESPOND(503) "]}]", REQUEST,
          NULL, NULL, NULL },
        { "[{" AT_HEADERS ",\"do\":[" RESPOND(503) ",\"fin\"]}]", REQUEST, NULL, "respond",
          "fault" },
        { "[{\"on\":\"accept\",\"do\":[{\"cut\":{\"after\":100000,\"how\":\"rst\"}}]}]", REQUEST,
          "HTTP/1.1 200", "cut", "not reached" },
        { "[{\"on\":\"accept\",\"do\":[{\"cut\":{\"after\":90000}},"
          "{\"cut\":{\"after\":20,\"how\":\"stall\"}}]}]",
          REQUEST, NULL, "cut", "another cut" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *events = play(rows[i].rules, rows[i].request, rows[i].answer, "fault");
        json_t *done = undone_in(events);
        const char *why = text_in(done, "why");
        if (!event_called(events, "fault"))
            fail_msg("row %zu: no fault", i);
        if (rows[i].step ? !done || strcmp(text_in(done, "step"), rows[i].step) != 0 ||
                               !strstr(why, rows[i].why)
                         : done != NULL)
            fail_msg("row %zu: fault_done of %s: %s", i, text_in(done, "step"), why);
        json_decref(events);
    }
}

/* Too late, nothing to do, or not on this connection. */
static void a_step_that_does_nothing_is_missed_and_no_fault(void **state)
{
    static const char last[] = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    static const struct {
        const char *rules, *request, *step, *why;
    } rows[] = {
        { "[{\"on\":\"response\",\"at\":\"end\",\"do\":[{\"wait\":\"5ms\"},\"stall\"]}]", last,
          "stall", "already ending" },
        { "[{\"on\":\"accept\",\"do\":[\"resume\"]}]", REQUEST, "resume", "nothing to do" },
        { "[{\"on\":\"accept\",\"do\":[\"heal\"]}]", REQUEST, "heal", "nothing to do" },
        { "[{\"on\":\"request\",\"do\":[\"close_notify\"]}]", REQUEST, "close_notify", "skipped" },
        { "[{\"on\":\"request\",\"do\":[\"alert\"]}]", REQUEST, "alert", "skipped" },
        { "[{\"on\":\"request\",\"do\":[\"stall\"]},"
          "{\"on\":\"age\",\"after\":\"5ms\",\"do\":[\"stall\"]}]",
          REQUEST, "stall", "already stalled" },
        { "[{\"on\":\"request\",\"do\":[{\"cut\":{\"after\":0,\"how\":\"stall\"}},"
          "{\"cut\":{\"after\":20}}]}]",
          REQUEST, "cut", "an earlier cut" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *events = play(rows[i].rules, rows[i].request, NULL, "fault_missed");
        json_t *missed = event_called(events, "fault_missed");
        size_t before = i >= 5; /* the first one happens */
        if (strcmp(text_in(missed, "step"), rows[i].step) != 0 ||
            !strstr(text_in(missed, "why"), rows[i].why))
            fail_msg("row %zu: fault_missed of \"%s\": %s", i, text_in(missed, "step"),
                     text_in(missed, "why"));
        assert_int_equal(count_events(events, "fault_missed"), 1);
        assert_int_equal(count_events(events, "fault"), before);
        assert_int_equal(count_events(events, "fault_done"), before);
        json_decref(events);
    }
}

static void a_limit_of_ours_is_no_error_of_the_client(void **state)
{
    static char head[20000], line[20000], many[20000];
    static const char large[] = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n";
    memset(head, 'a', sizeof head - 1);
    memcpy(head, "GET / HTTP/1.1\r\nA: ", 19);
    memset(line, 'a', sizeof line - 1);
    memcpy(line, "GET /", 5);
    memset(many, 'a', sizeof many - 1);
    memcpy(many, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;", 58);
    const struct {
        const char *request, *answer, *event;
    } rows[] = {
        { head, "HTTP/1.1 431", "limit" },
        { line, "HTTP/1.1 414", "limit" },
        { many, "HTTP/1.1 431", "limit" },
        { large, "HTTP/1.1 413", "limit" },
        { "GET / HTTP/2.0\r\n\r\n", "HTTP/1.1 505", "limit" },
        { "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "HTTP/1.1 400", "protocol_error" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *events = play("[]", rows[i].request, rows[i].answer, "limit");
        assert_int_equal(count_events(events, rows[i].event), 1);
        assert_int_equal(count_events(events, "limit") + count_events(events, "protocol_error"), 1);
        assert_true(*text_in(event_called(events, rows[i].event), "why"));
        json_decref(events);
    }
}

/* Behind an answer that is held: begun by nobody, and known at the end as far as it came. */
static void connection_is_one_list_in_any_number_of_lines(void **state)
{
    static const struct {
        const char *lines, *told;
    } rows[] = {
        { "Connection: keep-alive\r\nConnection: close\r\n", "close" },
        { "Connection: close\r\nConnection: keep-alive\r\n", "close" },
        { "Connection:\r\nConnection: x, CLOSE\r\nConnection: y\r\n", "x, CLOSE" },
        { "Connection: keep-alive\r\nConnection: x-close\r\n", "keep-alive" },
        { "", "" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char request[200];
        snprintf(request, sizeof request, "GET / HTTP/1.1\r\nHost: x\r\n%s\r\n", rows[i].lines);
        json_t *events = play("[]", request, "HTTP/1.1", "request");
        assert_string_equal(text_in(event_called(events, "request"), "connection_header"),
                            rows[i].told);
        json_decref(events);
    }
}

static void a_request_behind_one_that_is_held_is_known(void **state)
{
    static const struct {
        const char *behind, *target;
        size_t count, whole;
    } rows[] = {
        { REQUEST REQUEST, NULL, 2, 2 },
        { REQUEST "GET /half HT", "/half", 2, 1 },
        { REQUEST "GET /half HTTP/1.1\r\nHost: x\r\nContent-", "/half", 2, 1 },
        { REQUEST "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab", "/p", 2, 1 },
        { REQUEST, NULL, 1, 1 },
    };
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        json_t *events =
            play("[{" AT_HEADERS ",\"do\":[\"hold\"]}]", rows[row].behind, NULL, "fault");
        size_t i, requests = 0;
        json_t *event;
        json_array_foreach(events, i, event)
        {
            if (strcmp(text_in(event, "event"), "request") != 0)
                continue;
            assert_int_equal(number_in(event, "exchange"), ++requests);
            if (requests == 2 && rows[row].target)
                assert_string_equal(text_in(event, "target"), rows[row].target);
        }
        assert_int_equal(requests, rows[row].count);
        assert_int_equal(count_events(events, "request_complete"), rows[row].whole);
        assert_int_equal(count_events(events, "exchange_lost"), requests);
        assert_int_equal(number_in(event_called(events, "connection_end"), "exchanges"), requests);
        json_decref(events);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, rig_reset)
    const struct CMUnitTest tests[] = {
        TEST(a_fault_that_does_not_come_about_is_taken_back),
        TEST(a_step_that_does_nothing_is_missed_and_no_fault),
        TEST(a_limit_of_ours_is_no_error_of_the_client),
        TEST(connection_is_one_list_in_any_number_of_lines),
        TEST(a_request_behind_one_that_is_held_is_known),
    };
    return cmocka_run_group_tests(tests, rig_start, rig_stop);
}
