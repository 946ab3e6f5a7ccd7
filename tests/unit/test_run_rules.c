/* Rules at work in a run over real sockets: plans on live connections, marks, headers. */
#include "harness/run_client.h"

/* --- Plans */

static void connections_are_numbered_since_the_plan_was_set(void **state)
{
    struct refusal why = { 0 };
    uint64_t since = now_in_ledger();
    int older = connect_client();
    assert_int_equal(
        set_plan("[{\"connection\": 2, \"mode\": \"idle-close\"}]", NULL, APPLY_ALL, &why), 0);
    int first = connect_client(), second = connect_client();
    json_t *events = events_since(since), *plan = event_called(events, "plan");
    assert_int_equal(number_in(plan, "live"), 1);
    assert_int_equal(number_in(plan, "seed"), 0);
    assert_member(plan, "apply", "all");
    assert_int_equal(json_array_size(json_object_get(plan, "plan")), 1);
    json_t *opened = json_array_get(events, json_array_size(events) - 2);
    assert_int_equal(number_in(opened, "number"), 1);
    assert_member(opened, "mode", "normal");
    assert_null(json_object_get(opened, "entry"));
    opened = json_array_get(events, json_array_size(events) - 1);
    assert_int_equal(number_in(opened, "number"), 2);
    assert_member(opened, "mode", "idle-close");
    assert_int_equal(number_in(opened, "entry"), 0);
    json_decref(events);
    close(older);
    close(first);
    end_client(second);
}

static void a_plan_that_is_refused_changes_nothing(void **state)
{
    struct refusal why = { 0 };
    uint64_t seed = 7, since;
    assert_int_equal(
        set_plan("[{\"mode\": \"idle-close\", \"connection\": \"1-\"}]", &seed, APPLY_ALL, &why),
        0);
    json_t *before = run_mode(run);
    seed = 8;
    since = now_in_ledger();
    assert_int_equal(set_plan("[{\"mode\": \"idle-close\", \"connection\": \"1-\"},"
                              " {\"mode\": \"idle-close\", \"over\": 3}]",
                              &seed, APPLY_ALL, &why),
                     BAD_INPUT);
    json_t *after = run_mode(run);
    assert_true(json_equal(before, after));
    assert_int_equal(now_in_ledger(), since);
    assert_true(json_is_null(json_object_get(after, "mode")));
    assert_int_equal(number_in(after, "seed"), 7);
    json_decref(before);
    json_decref(after);
    run_reset(run);
}

/* Live connections keep what they have with "new", and get what fits older ones with "all". */
static void apply_says_what_a_plan_is_to_live_connections(void **state)
{
    struct refusal why = { 0 };
    static const char plan[] = "[{\"mode\": \"idle-close\", \"connection\": \"1-\"},"
                               " {\"mode\": \"half-open\"}]";
    int client = connect_client();
    assert_int_equal(set_plan(plan, NULL, APPLY_NEW, &why), 0);
    json_t *c = newest_connection();
    assert_member(c, "mode", "normal");
    json_decref(c);
    uint64_t since = now_in_ledger();
    assert_int_equal(set_plan(plan, NULL, APPLY_ALL, &why), 0);
    c = newest_connection();
    assert_member(c, "mode", "half-open");
    json_decref(c);
    json_t *events = events_since(since), *mode = event_called(events, "mode");
    assert_int_equal(number_in(mode, "connection"), newest_id());
    assert_int_equal(number_in(mode, "entry"), 1);
    json_decref(events);
    end_client(client);
}

static void an_entry_with_over_waits_for_the_protocol(void **state)
{
    struct refusal why = { 0 };
    assert_int_equal(set_plan("[{\"mode\": \"idle-close\", \"over\": \"h2\"},"
                              " {\"mode\": \"half-open\", \"over\": \"h1\"}]",
                              NULL, APPLY_ALL, &why),
                     0);
    uint64_t since = now_in_ledger();
    int client = connect_client();
    json_t *c = newest_connection();
    assert_member(c, "mode", "normal");
    json_decref(c);
    assert_answered(client);
    json_t *events = events_since(since);
    assert_member(event_called(events, "connection_open"), "mode", "normal");
    assert_null(json_object_get(event_called(events, "connection_open"), "entry"));
    assert_member(event_called(events, "mode"), "mode", "half-open");
    assert_int_equal(number_in(event_called(events, "mode"), "entry"), 1);
    json_decref(events);
    end_client(client);
}

/* It was accepted under the plan before, which keeps deciding. */
static void an_undecided_connection_keeps_its_plan(void **state)
{
    struct refusal why = { 0 };
    assert_int_equal(
        set_plan("[{\"mode\": \"half-open\", \"over\": \"h1\"}]", NULL, APPLY_ALL, &why), 0);
    int client = connect_client();
    assert_int_equal(run_set_mode(run, "idle-close", NULL, false, APPLY_NEW, &why), 0);
    assert_answered(client);
    json_t *c = newest_connection();
    assert_member(c, "mode", "half-open");
    json_decref(c);
    end_client(client);
}

static void a_time_scale_is_for_what_is_set_from_then_on(void **state)
{
    struct refusal why = { 0 };
    assert_int_equal(run_set_mode_text(run, "idle-close;idle=50ms", &why), 0);
    run_set_time_scale(run, 1000);
    int client = connect_client();
    start_reading(client);
    assert_true(run_until(got_end, PATIENCE)); /* set before: 50 ms */
    uint64_t since = now_in_ledger();
    assert_int_equal(run_set_mode_text(run, "idle-close;idle=50ms", &why), 0);
    json_t *events = events_since(since);
    assert_true(json_number_value(json_object_get(event_called(events, "mode"), "time_scale")) ==
                1000);
    json_decref(events);
    int other = connect_client();
    start_reading(other);
    quiet_for(150 * NS_PER_MS, got_end);
    run_set_time_scale(run, 1);
    close(client);
    end_client(other);
}

/* --- Answers */

static void what_the_endpoint_did_is_ledgered_as_processed(void **state)
{
    uint64_t since = now_in_ledger();
    int client = connect_client();
    assert_answered(client);
    json_t *events = events_since(since), *processed = event_called(events, "processed");
    assert_int_equal(number_in(processed, "attempt"), 1);
    assert_true(number_in(processed, "seq") <
                number_in(event_called(events, "response_start"), "seq"));
    json_decref(events);

    set_rules("[{\"on\": \"request\", \"do\": [{\"respond\": 503}]}]");
    since = now_in_ledger();
    ask(client);
    assert_true(run_until(got_answer, PATIENCE));
    assert_memory_equal(got, "HTTP/1.1 503 ", 13);
    events = events_since(since);
    assert_non_null(event_called(events, "response_start"));
    assert_null(event_called(events, "processed"));
    json_decref(events);
    end_client(client);
}

static void a_lost_answer_was_processed(void **state)
{
    set_rules("[{\"on\": \"response\", \"at\": \"start\", \"do\": [\"fin\"]}]");
    uint64_t since = now_in_ledger();
    int client = connect_client();
    ask(client);
    assert_true(run_until(got_end, PATIENCE));
    assert_int_equal(got_len, 0);
    json_t *events = events_since(since);
    assert_non_null(event_called(events, "processed"));
    assert_null(event_called(events, "response_start"));
    json_decref(events);
    end_client(client);
}

static size_t count_in(const char *text, const char *part)
{
    size_t n = 0;
    for (const char *at = text; (at = strcasestr(at, part)); at += strlen(part))
        n++;
    return n;
}

static void headers_that_rules_set_replace_those_of_the_answer(void **state)
{
    set_rules("[{\"on\": \"request\", \"do\": ["
              "   {\"header\": {\"name\": \"X-First\", \"value\": \"one\"}},"
              "   {\"header\": {\"name\": \"cache-control\", \"value\": \"no-store, test\"}},"
              "   {\"header\": {\"name\": \"x-first\", \"value\": \"two\"}},"
              "   {\"header\": {\"name\": \"X-Last\", \"value\": \"three\"}}]}]");
    int client = connect_client();
    assert_answered(client);
    assert_int_equal(count_in(got, "cache-control:"), 1);
    assert_int_equal(count_in(got, "\r\nx-first:"), 1);
    const char *control = strstr(got, "no-store, test"), *two = strstr(got, "x-first: two"),
               *three = strstr(got, "X-Last: three");
    assert_true(control && two && three && control < two && two < three);

    /* Control: without the rule they are not there. */
    run_reset(run);
    assert_answered(client);
    assert_int_equal(count_in(got, "x-first:") + count_in(got, "x-last:"), 0);
    end_client(client);
}

/* --- Marks */

static void a_mark_is_ledgered_and_fires_its_rules(void **state)
{
    struct refusal why = { 0 };
    uint64_t seq = 0, before = now_in_ledger();
    unsigned woken = 7;
    set_rules("[{\"on\": \"mark\", \"name\": \"background\", \"do\": [\"fin\"]}]");
    int client = connect_client();
    start_reading(client);
    assert_int_equal(run_mark(run, "foreground", clock_now(), &seq, &woken, &why), 0);
    assert_int_equal(woken, 0);
    quiet_for(30 * NS_PER_MS, got_end);
    json_t *all = events_since(before), *warning = event_called(all, "warning");
    assert_int_equal(number_in(warning, "seq"), seq + 1);
    assert_member(warning, "name", "foreground");
    json_decref(all);
    uint64_t since = now_in_ledger();
    assert_int_equal(run_mark(run, "background", clock_now(), &seq, &woken, &why), 0);
    assert_int_equal(woken, 1);
    assert_true(run_until(got_end, PATIENCE));
    json_t *events = events_since(since), *mark = event_called(events, "mark");
    assert_member(mark, "name", "background");
    assert_int_equal(number_in(mark, "seq"), seq);
    assert_member(event_called(events, "fault"), "trigger", "mark");
    assert_true(number_in(event_called(events, "fault"), "seq") > (json_int_t)seq);
    json_decref(events);
    end_client(client);
}

static void a_mark_ends_many_connections_at_once(void **state)
{
    struct refusal why = { 0 };
    uint64_t seq;
    unsigned woken;
    int clients[20];
    set_rules("[{\"on\": \"mark\", \"name\": \"background\", \"do\": [\"rst\"]}]");
    for (size_t i = 0; i < 20; i++)
        clients[i] = connect_client();
    assert_int_equal(run_connection_count(run), 20);
    assert_int_equal(run_mark(run, "background", clock_now(), &seq, &woken, &why), 0);
    assert_int_equal(woken, 20);
    assert_true(run_until(is_empty, PATIENCE));
    for (size_t i = 0; i < 20; i++)
        close(clients[i]);
    run_reset(run);
}

static void what_is_no_name_is_no_mark(void **state)
{
    static const char *const names[] = { "",
                                         "Background",
                                         "a b",
                                         "-a",
                                         "\xc3\xa4",
                                         ("a234567890123456789012345678901234567890123456789012345"
                                          "678901234") };
    uint64_t seq = 77, since = now_in_ledger();
    unsigned woken;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct refusal why = { 0 };
        assert_int_equal(run_mark(run, names[i], clock_now(), &seq, &woken, &why), BAD_INPUT);
        assert_string_equal(why.where, "$.mark");
    }
    assert_int_equal(seq, 77);
    assert_int_equal(now_in_ledger(), since);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, rig_reset)
    const struct CMUnitTest tests[] = {
        TEST(connections_are_numbered_since_the_plan_was_set),
        TEST(a_plan_that_is_refused_changes_nothing),
        TEST(apply_says_what_a_plan_is_to_live_connections),
        TEST(an_entry_with_over_waits_for_the_protocol),
        TEST(an_undecided_connection_keeps_its_plan),
        TEST(a_time_scale_is_for_what_is_set_from_then_on),
        TEST(what_the_endpoint_did_is_ledgered_as_processed),
        TEST(a_lost_answer_was_processed),
        TEST(headers_that_rules_set_replace_those_of_the_answer),
        TEST(a_mark_is_ledgered_and_fires_its_rules),
        TEST(a_mark_ends_many_connections_at_once),
        TEST(what_is_no_name_is_no_mark),
    };
    return cmocka_run_group_tests(tests, rig_start, rig_stop);
}
