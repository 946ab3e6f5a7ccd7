/* test_mode_marks.c - marks: rules that fire at them, wait after them, and are called off by them.
 */
#include "harness/memory.h"
#include "harness/mode_rig.h"

static void a_mark_fires_its_rules_on_the_connection_at_once(void **state)
{
    open_connection("[{'on': 'mark', 'name': 'b', 'do': ['stall']},"
                    " {'on': 'mark', 'name': 'a', 'do': ['close_notify']},"
                    " {'on': 'mark', 'name': 'a', 'after': '0', 'do': ['rst']},"
                    " {'on': 'mark', 'name': 'a', 'do': ['stall']}]");
    mode_mark(&conn, "c");
    assert_happened("");
    mode_mark(&conn, "a");
    assert_happened("fault(conn=7 test rule=1 mark close_notify) close_notify "
                    "fault(conn=7 test rule=2 mark rst {\"drain\":false}) rst "
                    "silenced(for ever) ");
    assert_int_equal(conn.script_count, 0);
}

static void a_rule_waits_after_the_mark_and_says_how_late_it_is(void **state)
{
    open_connection("[{'on': 'mark', 'name': 'a', 'after': '2s', 'do': ['close_notify']},"
                    " {'on': 'mark', 'name': 'a', 'after': '1s', 'do': [{'wait': '3s'},"
                    "   'stall']}]");
    mode_mark(&conn, "a");
    time_goes_to(now + 2 * S + 2 * MS, 3 * MS);
    assert_happened("");
    time_goes_to(now + 1 * MS, 3 * MS);
    assert_happened("fault(conn=7 test rule=0 mark close_notify late=3ms) close_notify ");
    time_goes_to(now + 10 * S, 0);
    assert_happened("fault(conn=7 test rule=1 mark stall late=0ms) stall silenced(for now) ");
}

static void what_is_never_due_never_fires(void **state)
{
    open_connection("[{'on': 'mark', 'name': 'a', 'after': 'never', 'do': ['rst']}]");
    mode_mark(&conn, "a");
    time_passes(1000 * S);
    assert_happened("");
    assert_int_equal(armed_count, 0);
}

static void another_mark_calls_off_a_rule_that_waits(void **state)
{
    open_connection(
        "[{'on': 'mark', 'name': 'background', 'after': '5s', 'unless': 'foreground',"
        "   'do': ['stall']},"
        " {'on': 'mark', 'name': 'background', 'after': '6s', 'do': ['close_notify']}]");
    mode_mark(&conn, "foreground"); /* nothing waits yet */
    mode_mark(&conn, "background");
    time_passes(3 * S);
    mode_mark(&conn, "foreground");
    time_passes(60 * S);
    assert_happened("fault(conn=7 test rule=1 mark close_notify late=0ms) close_notify ");
    mode_mark(&conn, "background");
    time_passes(5 * S);
    assert_happened("fault(conn=7 test rule=0 mark stall late=0ms) stall silenced(for now) ");
}

static void what_has_begun_is_not_called_off(void **state)
{
    open_connection("[{'on': 'mark', 'name': 'a', 'after': '1s', 'unless': 'b', 'do':"
                    "   ['close_notify', {'wait': '1s'}, 'stall']},"
                    " {'on': 'mark', 'name': 'a', 'unless': 'b', 'do': [{'wait': '4s'}, 'fin']}]");
    mode_mark(&conn, "a");
    time_passes(1500 * MS);
    mode_mark(&conn, "b");
    time_passes(500 * MS);
    assert_happened("fault(conn=7 test rule=0 mark close_notify late=0ms) close_notify "
                    "fault(conn=7 test rule=0 mark stall late=0ms) stall silenced(for now) ");
    time_passes(2 * S);
    assert_happened("fault(conn=7 test rule=1 mark fin "
                    "{\"notify\":false,\"linger\":\"0s\",\"exact\":false} late=0ms) fin(0) "
                    "silenced(for ever) ");
}

static void a_mark_that_calls_itself_off_starts_the_waiting_anew(void **state)
{
    open_connection("[{'on': 'mark', 'name': 'a', 'after': '5s', 'unless': 'a', 'do': ['stall']}]");
    mode_mark(&conn, "a");
    time_passes(3 * S);
    mode_mark(&conn, "a");
    time_passes(5 * S - 1);
    assert_happened("");
    time_passes(1);
    assert_happened("fault(conn=7 test rule=0 mark stall late=0ms) stall silenced(for now) ");
    time_passes(60 * S);
    assert_happened("");
}

static void each_setting_of_a_mark_counts(void **state)
{
    open_connection("[{'on': 'mark', 'name': 'a', 'after': '2s', 'do': ['close_notify']}]");
    mode_mark(&conn, "a");
    time_passes(1 * S);
    mode_mark(&conn, "a");
    time_passes(1 * S);
    assert_happened("fault(conn=7 test rule=0 mark close_notify late=0ms) close_notify ");
    time_passes(1 * S);
    assert_happened("fault(conn=7 test rule=0 mark close_notify late=0ms) close_notify ");
}

static void times_counts_what_fires_not_what_waits(void **state)
{
    open_connection("[{'on': 'mark', 'name': 'a', 'after': '2s', 'unless': 'b', 'times': 1,"
                    "   'do': ['close_notify']}]");
    mode_mark(&conn, "a");
    mode_mark(&conn, "b");
    mode_mark(&conn, "a");
    mode_mark(&conn, "a");
    time_passes(60 * S);
    assert_happened("fault(conn=7 test rule=0 mark close_notify late=0ms) close_notify ");
    mode_mark(&conn, "a");
    time_passes(60 * S);
    assert_happened("");
    assert_int_equal(conn.script_count, 0);
}

static void narrowing_is_looked_at_when_the_rule_fires(void **state)
{
    open_connection("[{'on': 'mark', 'name': 'a', 'after': '1s', 'over': 'h2', 'do':"
                    "   ['close_notify']},"
                    " {'on': 'mark', 'name': 'a', 'over': 'h2', 'do': ['stall']},"
                    " {'on': 'mark', 'name': 'a', 'connection': 3, 'do': ['stall']},"
                    " {'on': 'mark', 'name': 'a', 'after': '1s', 'over': 'h1', 'do': ['stall']}]");
    conn.over = 0;
    mode_mark(&conn, "a");
    assert_happened("");
    conn.over = OVER_H2; /* it is known by then */
    time_passes(1 * S);
    assert_happened("fault(conn=7 test rule=0 mark close_notify late=0ms) close_notify ");
}

static void another_mode_ends_the_waiting_and_not_what_has_begun(void **state)
{
    open_connection("[{'on': 'mark', 'name': 'a', 'after': '2s', 'times': 1, 'do': ['rst']},"
                    " {'on': 'mark', 'name': 'a', 'do': [{'wait': '1s'}, 'close_notify']}]");
    mode_mark(&conn, "a");
    assert_int_equal(conn.script_count, 2);
    set_mode("[]");
    time_passes(60 * S);
    assert_happened("fault(conn=7 test rule=1 mark close_notify late=0ms) close_notify ");
}

static void the_end_of_a_connection_ends_the_waiting(void **state)
{
    const char *rules = "[{'on': 'mark', 'name': 'a', 'after': '2s', 'do': ['rst']}]";
    open_connection(rules);
    mode_mark(&conn, "a");
    wire.state = WIRE_CLOSED;
    time_passes(3 * S);
    assert_int_equal(conn.script_count, 0);
    mode_mark(&conn, "a");
    conn.wire = NULL;
    time_passes(3 * S);

    open_connection(rules);
    mode_mark(&conn, "a");
    mode_conn_stop_scripts(&conn);
    time_passes(3 * S);
    mode_mark(&conn, "a");
    mode_conn_finish(&conn);
    conn.calls = NULL;
    time_passes(3 * S);
    assert_happened("");
}

static void change_mode(void)
{
    set_mode("[]");
}

static void a_change_of_mode_from_inside_a_step_ends_the_firing(void **state)
{
    open_connection("[{'on': 'mark', 'name': 'a', 'do': ['stall']},"
                    " {'on': 'mark', 'name': 'a', 'after': '1s', 'do': ['rst']}]");
    on_silenced = change_mode;
    mode_mark(&conn, "a");
    time_passes(60 * S);
    assert_happened("fault(conn=7 test rule=0 mark stall) stall silenced(for now) ");
}

static void a_silenced_connection_still_waits_for_later_rules(void **state)
{
    open_connection("[{'on': 'mark', 'name': 'a', 'do': ['black_hole']},"
                    " {'on': 'mark', 'name': 'a', 'after': '2s', 'do': ['heal']}]");
    mode_mark(&conn, "a");
    time_passes(2 * S);
    assert_happened("fault(conn=7 test rule=0 mark black_hole) black_hole silenced(for now) "
                    "fault(conn=7 test rule=1 mark heal late=0ms) heal resumed ");
}

static void what_is_due_and_called_off_is_ledgered(void **state)
{
    open_connection("[{'on': 'mark', 'name': 'a', 'after': '2s', 'unless': 'b', 'do': ['rst']}]");
    mode_mark(&conn, "a");
    now += 5 * S; /* the loop stands still */
    mode_mark(&conn, "b");
    assert_happened("missed(conn=7 test rule=0 mark late=3000ms a mark called it off first) ");
}

static void without_memory_or_room_a_rule_does_not_wait(void **state)
{
    open_connection("[{'on': 'mark', 'name': 'a', 'after': '1s', 'do': ['rst']},"
                    " {'on': 'mark', 'name': 'b', 'do': ['rst']}]");
    memory_ends_after(0);
    mode_mark(&conn, "a");
    mode_mark(&conn, "b");
    memory_restore();
    assert_int_equal(conn.script_count, 0);
    for (int i = 0; i < 3000; i++) /* a test harness cannot pile them up without end */
        mode_mark(&conn, "a");
    assert_int_equal(conn.script_count, 1024);
    assert_happened("");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(a_mark_fires_its_rules_on_the_connection_at_once),
        TEST(a_rule_waits_after_the_mark_and_says_how_late_it_is),
        TEST(what_is_never_due_never_fires),
        TEST(another_mark_calls_off_a_rule_that_waits),
        TEST(what_has_begun_is_not_called_off),
        TEST(a_mark_that_calls_itself_off_starts_the_waiting_anew),
        TEST(each_setting_of_a_mark_counts),
        TEST(times_counts_what_fires_not_what_waits),
        TEST(narrowing_is_looked_at_when_the_rule_fires),
        TEST(another_mode_ends_the_waiting_and_not_what_has_begun),
        TEST(the_end_of_a_connection_ends_the_waiting),
        TEST(a_change_of_mode_from_inside_a_step_ends_the_firing),
        TEST(a_silenced_connection_still_waits_for_later_rules),
        TEST(what_is_due_and_called_off_is_ledgered),
        TEST(without_memory_or_room_a_rule_does_not_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
