/* test_mode_idle.c - rules that wait for time: idle and age, and what another mode makes of them.
 */
#include "harness/mode_rig.h"

/* --- Idle */

static void an_idle_rule_fires_never_early_and_once_a_spell(void **state)
{
    open_connection("[{'on': 'idle', 'after': '3s', 'do': ['close_notify']}]");
    mode_idle(&conn, now);
    time_passes(3 * S - 1);
    assert_happened("");
    time_passes(1);
    assert_happened("fault(conn=7 test rule=0 idle close_notify late=0ms) close_notify ");
    time_passes(60 * S);
    assert_happened("");

    mode_busy(&conn);
    time_passes(1 * S);
    mode_idle(&conn, now);
    time_passes(3 * S);
    assert_happened("fault(conn=7 test rule=0 idle close_notify late=0ms) close_notify ");
}

static void idle_rules_fire_in_the_order_they_fall_due(void **state)
{
    open_connection("[{'on': 'idle', 'after': '5s', 'do': ['rst']},"
                    " {'on': 'idle', 'after': '2s', 'do': ['close_notify']},"
                    " {'on': 'idle', 'after': '2s', 'do': ['stall']}]");
    mode_idle(&conn, now);
    time_passes(2 * S);
    assert_happened("fault(conn=7 test rule=1 idle close_notify late=0ms) close_notify "
                    "fault(conn=7 test rule=2 idle stall late=0ms) stall silenced(for now) ");
    time_passes(3 * S);
    assert_happened(
        "fault(conn=7 test rule=0 idle rst {\"drain\":false} late=0ms) rst silenced(for ever) ");
}

static void a_busy_connection_does_not_touch_the_heap(void **state)
{
    open_connection("[{'on': 'idle', 'after': '3s', 'do': ['rst']}]");
    for (int i = 0; i < 100; i++) { /* a request every 20 ms */
        mode_busy(&conn);
        time_passes(10 * MS);
        mode_idle(&conn, now);
        time_passes(10 * MS);
    }
    assert_int_equal(arm_calls, 1);
    int64_t since = now - 10 * MS;
    time_goes_to(since + 3 * S - 1, 0);
    assert_happened("");
    time_passes(1);
    assert_happened(
        "fault(conn=7 test rule=0 idle rst {\"drain\":false} late=0ms) rst silenced(for ever) ");
}

static void an_idle_timer_reached_while_busy_does_nothing(void **state)
{
    open_connection("[{'on': 'idle', 'after': '3s', 'do': ['rst']}]");
    mode_idle(&conn, now);
    time_passes(1 * S);
    mode_busy(&conn);
    time_passes(10 * S);
    assert_happened("");
    assert_int_equal(armed_count, 0);
    mode_idle(&conn, now);
    time_passes(3 * S);
    assert_happened(
        "fault(conn=7 test rule=0 idle rst {\"drain\":false} late=0ms) rst silenced(for ever) ");
}

static void a_timer_armed_for_a_later_rule_is_armed_anew_for_the_first(void **state)
{
    open_connection("[{'on': 'idle', 'after': '1s', 'do': ['close_notify']},"
                    " {'on': 'idle', 'after': '60s', 'do': ['rst']}]");
    mode_idle(&conn, now);
    time_passes(2 * S); /* armed for the second rule now */
    forget_what_happened();
    mode_busy(&conn);
    mode_idle(&conn, now);
    time_passes(1 * S);
    assert_happened("fault(conn=7 test rule=0 idle close_notify late=0ms) close_notify ");
}

static void without_idle_rules_nothing_is_armed(void **state)
{
    open_connection("[{'on': 'accept', 'do': ['rst']},"
                    " {'on': 'idle', 'after': 'never', 'do': ['rst']}]");
    mode_idle(&conn, now);
    mode_busy(&conn);
    mode_idle(&conn, now);
    assert_int_equal(arm_calls, 0);
    time_passes(1000 * S);
    assert_happened("");
}

static void a_late_loop_is_ledgered_against_each_rule(void **state)
{
    open_connection("[{'on': 'idle', 'after': '1s', 'do': ['close_notify']},"
                    " {'on': 'idle', 'after': '1500ms', 'do': ['stall']},"
                    " {'on': 'idle', 'after': '1600ms', 'do': ['rst']}]");
    mode_idle(&conn, now);
    time_goes_to(now + 2 * S, 1 * S);
    assert_happened("fault(conn=7 test rule=0 idle close_notify late=1000ms) close_notify "
                    "fault(conn=7 test rule=1 idle stall late=500ms) stall silenced(for now) ");
}

/* The loop stood still (the process was stopped), and the client's bytes are looked at first. */
static void what_is_due_and_gives_way_is_ledgered(void **state)
{
    open_connection("[{'on': 'idle', 'after': '1s', 'do': ['close_notify']},"
                    " {'on': 'idle', 'after': '4s', 'do': ['rst']},"
                    " {'on': 'idle', 'after': '1s', 'over': 'h1', 'do': ['stall']},"
                    " {'on': 'age', 'after': '3s', 'do': ['stall']}]");
    mode_idle(&conn, now);
    now += 1 * S - 1; /* no timer is reached meanwhile */
    mode_gives_way(&conn, "x", false);
    assert_happened("");
    now += 2500 * MS + 1;
    mode_gives_way(&conn, "a request came first", false);
    assert_happened("missed(conn=7 test rule=0 idle late=2500ms a request came first) ");
    mode_busy(&conn);
    mode_gives_way(&conn, "the client left", true);
    assert_happened("missed(conn=7 test rule=3 age late=500ms the client left) ");
}

static void a_rule_that_had_to_wait_for_unread_bytes_says_how_late_it_is(void **state)
{
    open_connection("[{'on': 'idle', 'after': '1s', 'do': ['close_notify']}]");
    mode_idle(&conn, now);
    wire.unread = 9; /* of a PING */
    time_passes(1 * S);
    assert_happened("");
    wire.unread = 0;
    time_passes(1 * MS);
    assert_happened("fault(conn=7 test rule=0 idle close_notify late=1ms) close_notify ");
}

static void become_busy(void)
{
    mode_busy(&conn);
}

static void become_idle_again(void)
{
    mode_busy(&conn);
    mode_idle(&conn, now);
}

static void a_step_may_end_the_idle_spell_it_runs_in(void **state)
{
    const char *rules = "[{'on': 'idle', 'after': '1s', 'do': ['stall', 'resume']},"
                        " {'on': 'idle', 'after': '1s', 'do': ['rst']}]";
    open_connection(rules);
    on_resumed = become_busy;
    mode_idle(&conn, now);
    time_passes(1 * S);
    assert_happened("fault(conn=7 test rule=0 idle stall late=0ms) stall silenced(for now) "
                    "fault(conn=7 test rule=0 idle resume late=0ms) resume resumed ");

    open_connection(rules);
    on_resumed = become_idle_again;
    mode_idle(&conn, now - 5 * MS);
    time_passes(995 * MS);
    assert_happened("fault(conn=7 test rule=0 idle stall late=0ms) stall silenced(for now) "
                    "fault(conn=7 test rule=0 idle resume late=0ms) resume resumed ");
    assert_int_equal(conn.idle.done, 0); /* the new spell begins with the first rule */
    assert_int_equal(conn.idle.timer.due, now + 1 * S);
}

/* --- Another mode */

static void a_rule_that_is_overdue_when_the_mode_is_set_fires_from_the_loop(void **state)
{
    open_connection("[]");
    mode_idle(&conn, now);
    time_passes(60 * S);
    set_mode("[{'on': 'idle', 'after': '3s', 'do': ['fin']}]");
    assert_happened("");
    time_goes_to(now + 2 * MS, 2 * MS);
    assert_happened("fault(conn=7 test rule=0 idle fin "
                    "{\"notify\":false,\"linger\":\"0s\",\"exact\":false} late=2ms) fin(0) "
                    "silenced(for ever) ");
}

static void a_rule_that_is_not_due_yet_counts_from_when_the_connection_became_idle(void **state)
{
    open_connection("[{'on': 'idle', 'after': '2s', 'do': ['rst']}]");
    mode_idle(&conn, now);
    time_passes(1 * S);
    set_mode("[{'on': 'idle', 'after': '3s', 'do': ['fin']},"
             " {'on': 'age', 'after': '5s', 'do': ['rst']}]");
    time_passes(2 * S - 1);
    assert_happened("");
    time_passes(1);
    assert_happened("fault(conn=7 test rule=0 idle fin "
                    "{\"notify\":false,\"linger\":\"0s\",\"exact\":false} late=0ms) fin(0) "
                    "silenced(for ever) ");
    time_passes(2 * S);
    assert_happened(
        "fault(conn=7 test rule=1 age rst {\"drain\":false} late=0ms) rst silenced(for ever) ");
}

static void a_mode_without_idle_rules_disarms_the_timer(void **state)
{
    open_connection("[{'on': 'idle', 'after': '2s', 'do': ['rst']}]");
    mode_idle(&conn, now);
    set_mode("[]");
    assert_int_equal(armed_count, 0);
    time_passes(60 * S);
    assert_happened("");
}

static void a_busy_connection_gets_the_new_idle_rule_when_it_is_idle(void **state)
{
    open_connection("[{'on': 'idle', 'after': '60s', 'do': ['rst']}]");
    mode_idle(&conn, now);
    mode_busy(&conn);
    set_mode("[{'on': 'idle', 'after': '1s', 'do': ['fin']}]");
    time_passes(10 * S);
    assert_happened("");
    mode_idle(&conn, now);
    time_passes(1 * S);
    assert_happened("fault(conn=7 test rule=0 idle fin "
                    "{\"notify\":false,\"linger\":\"0s\",\"exact\":false} late=0ms) fin(0) "
                    "silenced(for ever) ");
}

static void a_script_that_runs_continues_under_its_own_mode(void **state)
{
    open_connection("[{'on': 'accept', 'do': [{'wait': '1s'}, {'fin': {'notify': true}}]}]");
    mode_fire(&conn, ON_ACCEPT, NULL);
    set_mode("[]");
    time_passes(1 * S);
    assert_happened("fault(conn=7 test rule=0 accept fin "
                    "{\"notify\":true,\"linger\":\"0s\",\"exact\":false} late=0ms) fin(1) "
                    "silenced(for ever) ");
}

static void change_mode(void)
{
    set_mode("[]");
}

static void a_change_of_mode_from_inside_a_step_ends_the_firing(void **state)
{
    open_connection("[{'on': 'accept', 'times': 3, 'do': [{'wait': '0'}, 'stall', 'resume']},"
                    " {'on': 'age', 'after': '0', 'do': ['stall', 'resume']},"
                    " {'on': 'age', 'after': '0', 'times': 5, 'do': ['rst']}]");
    on_resumed = change_mode;
    time_passes(1 * S);
    assert_happened("fault(conn=7 test rule=1 age stall late=0ms) stall silenced(for now) "
                    "fault(conn=7 test rule=1 age resume late=0ms) resume resumed ");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(an_idle_rule_fires_never_early_and_once_a_spell),
        TEST(idle_rules_fire_in_the_order_they_fall_due),
        TEST(a_busy_connection_does_not_touch_the_heap),
        TEST(an_idle_timer_reached_while_busy_does_nothing),
        TEST(a_timer_armed_for_a_later_rule_is_armed_anew_for_the_first),
        TEST(without_idle_rules_nothing_is_armed),
        TEST(a_late_loop_is_ledgered_against_each_rule),
        TEST(a_rule_that_had_to_wait_for_unread_bytes_says_how_late_it_is),
        TEST(what_is_due_and_gives_way_is_ledgered),
        TEST(a_step_may_end_the_idle_spell_it_runs_in),
        TEST(a_rule_that_is_overdue_when_the_mode_is_set_fires_from_the_loop),
        TEST(a_rule_that_is_not_due_yet_counts_from_when_the_connection_became_idle),
        TEST(a_mode_without_idle_rules_disarms_the_timer),
        TEST(a_busy_connection_gets_the_new_idle_rule_when_it_is_idle),
        TEST(a_script_that_runs_continues_under_its_own_mode),
        TEST(a_change_of_mode_from_inside_a_step_ends_the_firing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
