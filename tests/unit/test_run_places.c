/* Rules at places in responses, and how exchanges end that stand there, in a run over real sockets.
 */
#include "harness/run_client.h"

/* The octets of a whole answer, for which this client asks without any rule; its next one is as
 * long.
 */
static size_t answer_size(int client, size_t *head)
{
    assert_answered(client);
    *head = (size_t)(strstr(got, "\r\n\r\n") + 4 - got);
    return got_len;
}

static void a_response_ends_behind_the_byte_that_a_rule_names(void **state)
{
    static const unsigned places[] = { 1, 2, 17, 100 };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char rules[160];
        snprintf(rules, sizeof rules,
                 "[{\"on\": \"response\", \"at\": {\"bytes\": %u}, \"do\": [\"fin\"]}]", places[i]);
        size_t head;
        int client = connect_client();
        assert_true(answer_size(client, &head) > places[i]);
        set_rules(rules);
        uint64_t since = now_in_ledger();
        ask(client);
        assert_true(run_until(got_end, PATIENCE));
        assert_int_equal(got_len, places[i]);
        json_t *events = events_since(since), *lost = event_called(events, "exchange_lost");
        assert_member(lost, "reached", "answering");
        assert_null(event_called(events, "response_end"));
        json_decref(events);
        end_client(client);
    }
}

/* Nothing is behind it, but what comes there comes before the end of the exchange. */
static void a_place_at_the_end_of_a_response_is_reached(void **state)
{
    for (int content = 0; content <= 1; content++) {
        char rules[160];
        int client = connect_client();
        size_t head, whole = answer_size(client, &head);
        snprintf(rules, sizeof rules,
                 "[{\"on\": \"response\", \"at\": {\"%s\": %zu}, \"do\": [\"fin\"]}]",
                 content ? "content" : "bytes", content ? whole - head : whole);
        set_rules(rules);
        uint64_t since = now_in_ledger();
        ask(client);
        assert_true(run_until(got_end, PATIENCE));
        assert_int_equal(got_len, whole);
        json_t *events = events_since(since);
        assert_int_equal(count_events(events, "fault"), 1);
        assert_int_equal(count_events(events, "response_end"), 1); /* the client has all of it */
        assert_int_equal(count_events(events, "exchange_lost"), 0);
        json_decref(events);
        end_client(client);
    }
}

static void a_place_behind_the_end_is_never_reached(void **state)
{
    char rules[160];
    int client = connect_client();
    size_t head, whole = answer_size(client, &head);
    snprintf(rules, sizeof rules,
             "[{\"on\": \"response\", \"at\": {\"bytes\": %zu}, \"do\": [\"fin\"]}]", whole + 1);
    set_rules(rules);
    uint64_t since = now_in_ledger();
    assert_answered(client);
    assert_answered(client);
    json_t *events = events_since(since);
    assert_int_equal(count_events(events, "fault"), 0);
    assert_int_equal(count_events(events, "response_end"), 2);
    json_decref(events);
    end_client(client);
}

static void a_place_in_the_content_counts_behind_the_header_section(void **state)
{
    for (unsigned content = 0; content < 20; content += 19) {
        char rules[160];
        snprintf(rules, sizeof rules,
                 "[{\"on\": \"response\", \"at\": {\"content\": %u}, \"do\": [\"fin\"]}]", content);
        set_rules(rules);
        int client = connect_client();
        ask(client);
        assert_true(run_until(got_end, PATIENCE));
        assert_int_equal(got_len, strstr(got, "\r\n\r\n") + 4 - got + (ptrdiff_t)content);
        end_client(client);
    }
}

static void a_delay_at_a_place_pauses_the_response_there(void **state)
{
    set_rules("[{\"on\": \"response\", \"at\": {\"bytes\": 20}, \"do\": [{\"delay\": \"80ms\"}]},"
              " {\"on\": \"response\", \"at\": {\"bytes\": 40}, \"do\": [{\"delay\": \"80ms\"}]}]");
    int client = connect_client();
    int64_t began = clock_now();
    ask(client);
    wanted = 20;
    assert_true(run_until(got_wanted, PATIENCE));
    run_until(got_answer, 40 * NS_PER_MS);
    assert_true(got_len == 20 || clock_now() - began >= 80 * NS_PER_MS);
    wanted = 40;
    assert_true(run_until(got_wanted, PATIENCE));
    assert_true(clock_now() - began >= 80 * NS_PER_MS);
    assert_true(run_until(got_answer, PATIENCE));
    assert_true(clock_now() - began >= 160 * NS_PER_MS);

    /* Control, on the same connection: a response goes out at once. */
    run_reset(run);
    assert_answered(client);
    end_client(client);
}

static void a_response_that_is_held_continues_at_a_reset(void **state)
{
    set_rules("[{\"on\": \"response\", \"at\": {\"bytes\": 30}, \"do\": [\"hold\"]}]");
    int client = connect_client();
    ask(client);
    wanted = 30;
    assert_true(run_until(got_wanted, PATIENCE));
    quiet_for(20 * NS_PER_MS, got_answer);
    assert_int_equal(got_len, 30);
    run_reset(run);
    assert_true(run_until(got_answer, PATIENCE));
    end_client(client);
}

/* What a step has changed for good is not "normal" any more: a reset ends it, and spares others. */
static void a_reset_ends_what_a_step_has_changed_for_good(void **state)
{
    static const char *const steps[] = { "{\"throttle\": 100000}", "{\"cut\": 100000}",
                                         "{\"inject\": \"\\r\\n\"}" };
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        char rules[160];
        bool changed = i < 2;
        snprintf(rules, sizeof rules, "[{\"on\": \"response\", \"do\": [%s]}]", steps[i]);
        set_rules(rules);
        int client = connect_client();
        assert_answered(client);
        run_reset(run);
        assert_int_equal(run_until(is_empty, changed ? PATIENCE : 20 * NS_PER_MS), changed);
        end_client(client);
    }
}

static void a_response_that_is_stalled_continues_when_it_resumes(void **state)
{
    set_rules("[{\"on\": \"response\", \"at\": {\"bytes\": 25}, \"times\": 1,"
              "  \"do\": [\"stall\", {\"wait\": \"60ms\"}, \"resume\"]}]");
    uint64_t since = now_in_ledger();
    int client = connect_client();
    int64_t began = clock_now();
    ask(client);
    assert_true(run_until(got_answer, PATIENCE));
    assert_true(clock_now() - began >= 60 * NS_PER_MS);
    json_t *events = events_since(since);
    assert_int_equal(count_events(events, "fault"), 2);
    assert_int_equal(count_events(events, "response_end"), 1);
    assert_int_equal(count_events(events, "exchange_lost"), 0);
    json_decref(events);
    assert_answered(client);
    end_client(client);
}

static void a_client_that_goes_while_a_response_stands_is_ended(void **state)
{
    set_rules("[{\"on\": \"response\", \"at\": {\"bytes\": 25}, \"do\": [\"hold\"]}]");
    int client = connect_client();
    ask(client);
    wanted = 25;
    assert_true(run_until(got_wanted, PATIENCE));
    struct linger now = { .l_onoff = 1 };
    setsockopt(client, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(client);
    assert_true(run_until(is_empty, PATIENCE));
    run_reset(run);
}

/* It is held where the client has all of it, or misses an octet. */
static void what_a_client_that_goes_has_of_its_response_is_known(void **state)
{
    for (size_t missing = 0; missing <= 1; missing++) {
        char rules[160];
        int client = connect_client();
        size_t head, whole = answer_size(client, &head);
        snprintf(rules, sizeof rules,
                 "[{\"on\": \"response\", \"at\": {\"bytes\": %zu}, \"do\": [\"hold\"]}]",
                 whole - missing);
        set_rules(rules);
        uint64_t since = now_in_ledger();
        ask(client);
        wanted = whole - missing;
        assert_true(run_until(got_wanted, PATIENCE));
        struct linger now = { .l_onoff = 1 };
        setsockopt(client, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        close(client);
        assert_true(run_until(is_empty, PATIENCE));
        json_t *events = events_since(since);
        assert_int_equal(count_events(events, "response_end"), !missing);
        assert_int_equal(count_events(events, "exchange_lost"), missing);
        json_decref(events);
        run_reset(run);
    }
}

/* Both are answered in one go, when a stall ends; the first one's end is the end of the connection,
 * behind both. */
static void a_response_that_has_left_before_a_fin_has_ended(void **state)
{
    static const char two[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
                              "\0\0\0\4\0\0\0\0\0"
                              "\0\0\x1b\1\5\0\0\0\1\x82\x86\4\x14/api/entitlement/get\1\1x"
                              "\0\0\x1b\1\5\0\0\0\3\x82\x86\4\x14/api/entitlement/get\1\1x";
    set_rules("[{\"on\": \"protocol\", \"do\": [\"stall\", {\"wait\": \"30ms\"}, \"resume\"]},"
              " {\"on\": \"response\", \"do\": [\"fin\"]}]");
    uint64_t since = now_in_ledger();
    int client = connect_client();
    start_reading(client);
    assert_int_equal(send(client, two, sizeof two - 1, 0), sizeof two - 1);
    assert_true(run_until(got_end, PATIENCE));
    size_t ends = 0; /* END_STREAM */
    for (size_t at = 0; at + 9 <= got_len;
         at += 9 + ((size_t)(uint8_t)got[at + 1] << 8 | (uint8_t)got[at + 2]))
        ends += got[at + 3] == 0 && got[at + 4] & 1;
    assert_int_equal(ends, 2);
    json_t *events = events_since(since);
    assert_int_equal(count_events(events, "fault"), 3);
    assert_int_equal(count_events(events, "response_end"), 2);
    assert_int_equal(count_events(events, "exchange_lost"), 0);
    json_decref(events);
    end_client(client);
}

/* A request that is stale while its connection is stalled, and served later, is one attempt. Its
 * first octet came before the stall, or all of it did not. */
static void a_request_that_waits_for_the_end_of_a_stall_is_counted_once(void **state)
{
    static const struct {
        const char *on;
        size_t before;
    } cases[] = { { "{\"on\": \"request\", \"at\": \"first_byte\"", 1 },
                  { "{\"on\": \"age\", \"after\": \"1ms\"", 0 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char rules[200];
        snprintf(rules, sizeof rules,
                 "[%s, \"do\": [\"stall\", {\"wait\": \"80ms\"}, \"resume\"]}]", cases[i].on);
        set_rules(rules);
        uint64_t since = now_in_ledger();
        int client = connect_client();
        look_for(since, "fault", 1);
        send(client, REQUEST, cases[i].before, 0);
        assert_true(run_until(is_found, PATIENCE)); /* the stall */
        start_reading(client);
        send(client, &REQUEST[cases[i].before], strlen(REQUEST) - cases[i].before, 0);
        assert_true(run_until(got_answer, PATIENCE));
        json_t *events = events_since(since);
        assert_int_equal(number_in(event_called(events, "stale_request"), "attempt"), 1);
        assert_int_equal(number_in(event_called(events, "request_complete"), "attempt"), 1);
        json_decref(events);
        end_client(client);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, rig_reset)
    const struct CMUnitTest tests[] = {
        TEST(a_response_ends_behind_the_byte_that_a_rule_names),
        TEST(a_place_at_the_end_of_a_response_is_reached),
        TEST(a_place_behind_the_end_is_never_reached),
        TEST(a_place_in_the_content_counts_behind_the_header_section),
        TEST(a_delay_at_a_place_pauses_the_response_there),
        TEST(a_response_that_is_held_continues_at_a_reset),
        TEST(a_reset_ends_what_a_step_has_changed_for_good),
        TEST(a_response_that_is_stalled_continues_when_it_resumes),
        TEST(a_client_that_goes_while_a_response_stands_is_ended),
        TEST(what_a_client_that_goes_has_of_its_response_is_known),
        TEST(a_response_that_has_left_before_a_fin_has_ended),
        TEST(a_request_that_waits_for_the_end_of_a_stall_is_counted_once),
    };
    return cmocka_run_group_tests(tests, rig_start, rig_stop);
}
