/* Rules on "listen": what a run tells its listeners, and when. The listeners are not real: what
 * they are told is noted.
 */
#include "harness/run_rig.h"

#include "wire/listener.h"

#define LISTENERS 2

static struct run_listener listeners[LISTENERS] = { { .name = "one" }, { .name = "two" } };
static enum listener_answer told[LISTENERS];
static unsigned calls;
static int fails; /* what the second one answers */

uint64_t __wrap_listener_drops(const struct listener *l);
uint64_t __wrap_listener_drops(const struct listener *l)
{
    return 0;
}

uint16_t __wrap_listener_port(const struct listener *l);
uint16_t __wrap_listener_port(const struct listener *l)
{
    return 1;
}

int __wrap_listener_answer(struct listener *l, enum listener_answer answer);
int __wrap_listener_answer(struct listener *l, enum listener_answer answer)
{
    size_t i = (size_t)((char *)l - (char *)listeners) / sizeof *listeners;
    calls++;
    if (i == 1 && fails)
        return fails;
    told[i] = answer;
    return 0;
}

static void assert_told(enum listener_answer answer)
{
    for (unsigned i = 0; i < LISTENERS; i++)
        assert_int_equal(told[i], answer);
}

static bool refuse_told(void)
{
    return told[0] == LISTENER_REFUSES;
}

static bool accept_told(void)
{
    return told[0] == LISTENER_ACCEPTS;
}

static void set_mode(const char *name)
{
    struct refusal why = { 0 };
    assert_int_equal(run_set_mode(run, name, NULL, false, APPLY_ALL, &why), 0);
}

static void mark(const char *name)
{
    struct refusal why = { 0 };
    uint64_t seq;
    unsigned woken;
    assert_int_equal(run_mark(run, name, clock_now(), &seq, &woken, &why), 0);
}

static int reset(void **state)
{
    fails = 0;
    run_reset(run);
    assert_told(LISTENER_ACCEPTS);
    calls = 0;
    return 0;
}

static void a_mode_without_such_rules_says_nothing_to_listeners(void **state)
{
    set_mode("half-open");
    close(connect_client());
    assert_true(run_until(is_empty, PATIENCE));
    assert_int_equal(calls, 0);
}

static void a_rule_runs_when_its_mode_is_set(void **state)
{
    uint64_t since = ledger_last(run_ledger(run));
    put_mode("refusing", "[{\"on\": \"listen\", \"do\": [\"refuse_syn\"]}]");
    set_mode("refusing");
    assert_told(LISTENER_REFUSES);
    json_t *events = events_since(since), *fault = event_called(events, "fault");
    assert_member(fault, "mode", "refusing");
    assert_member(fault, "trigger", "listen");
    assert_member(fault, "step", "refuse_syn");
    assert_int_equal(number_in(fault, "rule"), 0);
    assert_null(json_object_get(fault, "connection"));
    assert_null(json_object_get(fault, "late_ms"));
    assert_true(number_in(fault, "seq") > number_in(event_called(events, "mode"), "seq"));
    json_decref(events);
    set_mode("normal");
    assert_told(LISTENER_ACCEPTS);
}

static void a_rule_waits_for_its_time_and_its_steps_take_theirs(void **state)
{
    put_mode("flapping", "[{\"on\": \"listen\", \"after\": \"30ms\","
                         "  \"do\": [\"refuse_syn\", {\"wait\": \"40ms\"}, \"listen\"]}]");
    uint64_t since = ledger_last(run_ledger(run));
    int64_t began = clock_now();
    set_mode("flapping");
    assert_told(LISTENER_ACCEPTS);
    assert_true(run_until(refuse_told, PATIENCE));
    assert_true(clock_now() - began >= 30 * NS_PER_MS);
    assert_true(run_until(accept_told, PATIENCE));
    assert_true(clock_now() - began >= 70 * NS_PER_MS);
    json_t *events = events_since(since);
    assert_int_equal(count_events(events, "fault"), 2);
    assert_true(json_is_number(json_object_get(event_called(events, "fault"), "late_ms")));
    json_decref(events);
}

static void a_change_ends_what_waits(void **state)
{
    put_mode("later", "[{\"on\": \"listen\", \"after\": \"30ms\", \"do\": [\"refuse_syn\"]}]");
    set_mode("later");
    set_mode("normal");
    quiet_for(80 * NS_PER_MS, refuse_told);
    assert_int_equal(calls, 0);
}

/* The third connection is refused: so it is once the second was accepted. */
static void a_plan_refuses_the_connection_it_names(void **state)
{
    struct refusal why = { 0 };
    int clients[2];
    put_mode("refusing", "[{\"on\": \"listen\", \"do\": [\"refuse_syn\"]}]");
    assert_int_equal(
        set_plan("[{\"mode\": \"refusing\", \"connection\": 3}]", NULL, APPLY_ALL, &why), 0);
    assert_int_equal(calls, 0);
    clients[0] = connect_client();
    assert_int_equal(calls, 0);
    clients[1] = connect_client();
    assert_told(LISTENER_REFUSES);
    close(connect_client()); /* one that the kernel had accepted before is served */
    assert_told(LISTENER_ACCEPTS);
    close(clients[0]);
    close(clients[1]);
    assert_true(run_until(is_empty, PATIENCE));
}

static void the_same_mode_for_the_next_one_is_not_run_again(void **state)
{
    put_mode("refusing", "[{\"on\": \"listen\", \"do\": [\"refuse_syn\"]}]");
    set_mode("refusing");
    assert_int_equal(calls, LISTENERS);
    close(connect_client());
    assert_int_equal(calls, LISTENERS);
    assert_true(run_until(is_empty, PATIENCE));
}

/* From one that refuses to another there is no gap in which they accept. */
static void what_both_refuse_is_refused_all_the_time(void **state)
{
    struct refusal why = { 0 };
    put_mode("refusing", "[{\"on\": \"listen\", \"do\": [\"refuse_syn\"]}]");
    set_mode("refusing");
    assert_int_equal(calls, LISTENERS);
    assert_int_equal(
        set_plan("[{\"mode\": \"refusing\", \"connection\": \"1-\"}]", NULL, APPLY_ALL, &why), 0);
    assert_int_equal(calls, 2 * LISTENERS);
    assert_told(LISTENER_REFUSES);
}

static void an_undecided_entry_counts_as_normal(void **state)
{
    struct refusal why = { 0 };
    put_mode("refusing", "[{\"on\": \"listen\", \"do\": [\"refuse_syn\"]}]");
    assert_int_equal(set_plan("[{\"mode\": \"half-open\", \"over\": \"h1\", \"connection\": 1},"
                              " {\"mode\": \"refusing\", \"connection\": 2}]",
                              NULL, APPLY_ALL, &why),
                     0);
    assert_told(LISTENER_ACCEPTS);
    close(connect_client());
    assert_told(LISTENER_REFUSES);
    assert_true(run_until(is_empty, PATIENCE));
}

static void rules_with_a_mark_wait_for_it(void **state)
{
    put_mode("marked", "[{\"on\": \"listen\", \"name\": \"offline\", \"do\": [\"refuse_syn\"]},"
                       " {\"on\": \"listen\", \"name\": \"online\", \"after\": \"20ms\","
                       "  \"do\": [\"listen\"]}]");
    set_mode("marked");
    assert_int_equal(calls, 0);
    mark("other");
    assert_int_equal(calls, 0);
    mark("offline");
    assert_told(LISTENER_REFUSES);
    mark("online");
    assert_told(LISTENER_REFUSES);
    assert_true(run_until(accept_told, PATIENCE));
}

static void what_they_do_already_is_missed(void **state)
{
    put_mode("twice", "[{\"on\": \"listen\", \"do\": [\"listen\", \"refuse_syn\", \"refuse_syn\", "
                      "\"listen\"]}]");
    put_mode("refusing", "[{\"on\": \"listen\", \"do\": [\"refuse_syn\"]}]");
    uint64_t since = ledger_last(run_ledger(run));
    set_mode("twice");
    json_t *events = events_since(since), *missed = event_called(events, "fault_missed");
    assert_int_equal(count_events(events, "fault"), 2);
    assert_int_equal(count_events(events, "fault_missed"), 2);
    assert_member(missed, "step", "listen");
    assert_member(missed, "why", "nothing to do: the listeners do so already");
    json_decref(events);
    set_mode("refusing");
    since = ledger_last(run_ledger(run));
    set_rules(
        "[{\"on\": \"listen\", \"do\": [\"refuse_syn\"]}]"); /* else they would accept again */
    events = events_since(since);
    assert_int_equal(count_events(events, "fault"), 1);
    assert_int_equal(count_events(events, "fault_missed"), 0);
    json_decref(events);
}

static void a_listener_that_cannot_leaves_all_as_they_were(void **state)
{
    put_mode("refusing", "[{\"on\": \"listen\", \"do\": [\"refuse_syn\"]}]");
    uint64_t since = ledger_last(run_ledger(run));
    fails = -EPERM;
    set_mode("refusing");
    assert_told(LISTENER_ACCEPTS);
    json_t *events = events_since(since), *done = event_called(events, "fault_done");
    assert_non_null(event_called(events, "fault"));
    assert_member(done, "step", "refuse_syn");
    assert_true(json_is_false(json_object_get(done, "in_effect")));
    assert_non_null(json_string_value(json_object_get(done, "why")));
    json_decref(events);
}

static void a_listener_that_comes_later_does_the_same(void **state)
{
    static struct run_listener third = { .name = "third" };
    put_mode("refusing", "[{\"on\": \"listen\", \"do\": [\"refuse_syn\"]}]");
    set_mode("refusing");
    told[0] = LISTENER_ACCEPTS;
    third.run = run;
    run_add_listener(&third, (struct listener *)&listeners[0]);
    assert_told(LISTENER_REFUSES);
}

static bool done;

static void note_done(void *arg)
{
    done = true;
}

static bool is_done(void)
{
    return done;
}

/* Nothing is armed: stop() finds the loop without anything to wait for. */
static void nothing_is_left_at_a_shutdown(void **state)
{
    put_mode("later", "[{\"on\": \"listen\", \"after\": \"1h\", \"do\": [\"refuse_syn\"]}]");
    set_mode("later");
    run_shutdown(run, 50 * NS_PER_MS, note_done, NULL);
    assert_true(run_until(is_done, PATIENCE));
    set_mode("normal");
    mark("late");
    assert_int_equal(calls, 0);
}

static int start(void **state)
{
    int error = rig_start(state);
    for (unsigned i = 0; !error && i < LISTENERS; i++) {
        listeners[i].run = run;
        run_add_listener(&listeners[i], (struct listener *)&listeners[i]);
    }
    return error;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, reset)
    const struct CMUnitTest tests[] = {
        TEST(a_mode_without_such_rules_says_nothing_to_listeners),
        TEST(a_rule_runs_when_its_mode_is_set),
        TEST(a_rule_waits_for_its_time_and_its_steps_take_theirs),
        TEST(a_change_ends_what_waits),
        TEST(a_plan_refuses_the_connection_it_names),
        TEST(the_same_mode_for_the_next_one_is_not_run_again),
        TEST(what_both_refuse_is_refused_all_the_time),
        TEST(an_undecided_entry_counts_as_normal),
        TEST(rules_with_a_mark_wait_for_it),
        TEST(what_they_do_already_is_missed),
        TEST(a_listener_that_cannot_leaves_all_as_they_were),
        TEST(a_listener_that_comes_later_does_the_same),
        TEST(nothing_is_left_at_a_shutdown),
    };
    return cmocka_run_group_tests(tests, start, rig_stop);
}
