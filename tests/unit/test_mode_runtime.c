/* test_mode_runtime.c - which rules fire on a connection, in which order, and when. */
#include "harness/memory.h"
#include "harness/mode_rig.h"

/* --- Order */

static void rules_of_a_trigger_fire_in_the_order_of_the_file(void **state)
{
    open_connection("[{'on': 'request', 'at': 'headers', 'do': ['close_notify']},"
                    " {'on': 'response', 'do': ['rst']},"
                    " {'on': 'request', 'at': 'headers', 'do': ['stall']}]");
    BEGIN(mx, 1);
    mode_fire(&conn, ON_FIRST_BYTE, mx);
    mode_fire(&conn, ON_COMPLETE, mx);
    assert_happened("");
    mode_fire(&conn, ON_HEADERS, mx);
    assert_happened("fault(conn=7 ex=1 test rule=0 request close_notify) close_notify "
                    "fault(conn=7 ex=1 test rule=2 request stall) stall silenced(for now) ");
    mode_exchange_over(mx);
}

static void a_rule_that_silences_the_connection_is_the_last_of_its_firing(void **state)
{
    open_connection("[{'on': 'accept', 'do': ['stall']}, {'on': 'accept', 'do': ['rst']}]");
    mode_fire(&conn, ON_ACCEPT, NULL);
    assert_happened("fault(conn=7 test rule=0 accept stall) stall silenced(for now) ");
}

static void a_rule_whose_verb_failed_does_not_stop_the_others(void **state)
{
    open_connection("[{'on': 'accept', 'do': ['stall']}, {'on': 'accept', 'do': ['rst']}]");
    wire.outcome = -EIO;
    mode_fire(&conn, ON_ACCEPT, NULL);
    assert_happened(
        "fault(conn=7 test rule=0 accept stall) stall "
        "done(conn=7 stall Input/output error) "
        "fault(conn=7 test rule=1 accept rst {\"drain\":false}) rst silenced(for ever) ");
}

static void the_end_of_the_connection_ends_a_script(void **state)
{
    open_connection("[{'on': 'accept', 'do': ['fin', {'wait': '1s'}, 'rst']}]");
    mode_fire(&conn, ON_ACCEPT, NULL);
    forget_what_happened();
    wire.state = WIRE_CLOSED;
    time_passes(2 * S);
    assert_happened("");
    assert_int_equal(conn.script_count, 0);

    open_connection("[{'on': 'accept', 'do': ['fin', {'wait': '1s'}, 'rst']}]");
    mode_fire(&conn, ON_ACCEPT, NULL);
    forget_what_happened();
    conn.wire = NULL; /* the wire told us that it is gone */
    time_passes(2 * S);
    mode_fire(&conn, ON_STALE, NULL);
    assert_happened("");
}

/* --- Time */

static void waits_run_from_the_time_of_the_step_and_say_how_late_they_are(void **state)
{
    open_connection("[{'on': 'idle', 'after': '3s', 'over': 'h2',"
                    "  'do': ['goaway_notice', {'wait': '1s'}, 'fin']}]");
    mode_idle(&conn, now);
    time_goes_to(now + 3 * S + 4 * MS, 5 * MS);
    assert_happened("");
    time_goes_to(now + 1 * MS, 5 * MS);
    assert_happened("fault(conn=7 test rule=0 idle goaway_notice late=5ms) goaway_notice ");
    time_goes_to(now + 1 * S + 4 * MS, 5 * MS);
    assert_happened("");
    time_goes_to(now + 1 * MS, 5 * MS);
    assert_happened("fault(conn=7 test rule=0 idle fin "
                    "{\"notify\":false,\"linger\":\"0s\",\"exact\":false} late=5ms) fin(0) "
                    "silenced(for ever) ");
}

static void a_wait_that_never_ends_ends_the_script(void **state)
{
    open_connection("[{'on': 'accept', 'do': ['stall', {'wait': 'never'}, 'resume']}]");
    mode_fire(&conn, ON_ACCEPT, NULL);
    assert_happened("fault(conn=7 test rule=0 accept stall) stall silenced(for now) ");
    assert_int_equal(conn.script_count, 0);
    assert_int_equal(armed_count, 0);
}

static void scripts_run_side_by_side_in_the_order_of_their_times(void **state)
{
    open_connection("[{'on': 'handshake', 'do': [{'wait': '2s'}, 'close_notify']},"
                    " {'on': 'handshake', 'do': [{'wait': '1s'}, 'stall']}]");
    mode_fire(&conn, ON_HANDSHAKE, NULL);
    assert_int_equal(conn.script_count, 2);
    time_passes(5 * S);
    assert_happened("fault(conn=7 test rule=1 handshake stall late=0ms) stall silenced(for now) "
                    "fault(conn=7 test rule=0 handshake close_notify late=0ms) close_notify ");
    assert_int_equal(conn.script_count, 0);
}

static void finishing_the_connection_ends_all_scripts_and_timers(void **state)
{
    open_connection("[{'on': 'accept', 'do': [{'wait': '2s'}, 'rst']},"
                    " {'on': 'idle', 'after': '1s', 'do': ['rst']},"
                    " {'on': 'age', 'after': '1s', 'do': ['rst']}]");
    mode_fire(&conn, ON_ACCEPT, NULL);
    mode_idle(&conn, now);
    assert_int_equal(armed_count, 3);
    mode_conn_finish(&conn);
    conn.calls = NULL;
    time_passes(10 * S);
    assert_happened("");
}

/* --- Narrowing */

static void nth_and_reuse_count_the_requests_of_the_connection(void **state)
{
    open_connection("[{'on': 'reuse', 'do': ['close_notify']},"
                    " {'on': 'request', 'at': 'first_byte', 'nth': '2-3', 'do': ['stall']},"
                    " {'on': 'response', 'at': 'start', 'nth': 4, 'do': ['rst']}]");
    static const char *const expected[] = {
        "",
        "fault(conn=7 ex=2 test rule=0 reuse close_notify) close_notify "
        "fault(conn=7 ex=2 test rule=1 request stall) stall silenced(for now) ",
        "fault(conn=7 ex=3 test rule=0 reuse close_notify) close_notify "
        "fault(conn=7 ex=3 test rule=1 request stall) stall silenced(for now) ",
        "fault(conn=7 ex=4 test rule=0 reuse close_notify) close_notify "
        "fault(conn=7 ex=4 test rule=2 response rst {\"drain\":false}) rst silenced(for ever) ",
    };
    for (uint32_t nth = 1; nth <= 4; nth++) {
        BEGIN(mx, nth);
        mode_fire(&conn, ON_FIRST_BYTE, mx);
        mode_fire(&conn, ON_RESPONSE_START, mx);
        mode_exchange_over(mx);
        assert_happened(expected[nth - 1]);
    }
}

static void times_limits_how_often_a_rule_fires_on_a_connection(void **state)
{
    const char *rules = "[{'on': 'request', 'times': 2, 'do': ['close_notify']},"
                        " {'on': 'stale', 'do': ['rst']}]";
    open_connection(rules);
    for (uint32_t nth = 1; nth <= 4; nth++) {
        BEGIN(mx, nth);
        mode_fire(&conn, ON_COMPLETE, mx);
        mode_exchange_over(mx);
    }
    assert_happened("fault(conn=7 ex=1 test rule=0 request close_notify) close_notify "
                    "fault(conn=7 ex=2 test rule=0 request close_notify) close_notify ");
    wire.outcome = WIRE_TOO_LATE;
    wire.state = WIRE_FIN_SENT;
    mode_fire(&conn, ON_STALE, NULL); /* once, unless the rule says more */
    mode_fire(&conn, ON_STALE, NULL);
    assert_happened("missed(conn=7 test rule=1 stale rst {\"drain\":false} too late: its FIN was "
                    "already sent) ");

    wire.outcome = 0;
    set_mode(rules); /* counts anew */
    wire.state = WIRE_OPEN;
    BEGIN(mx, 5);
    mode_fire(&conn, ON_COMPLETE, mx);
    assert_happened("fault(conn=7 ex=5 test rule=0 request close_notify) close_notify ");
    mode_exchange_over(mx);
}

static void a_rule_that_does_not_fit_is_not_counted(void **state)
{
    open_connection("[{'on': 'request', 'nth': 3, 'times': 1, 'do': ['close_notify']}]");
    for (uint32_t nth = 1; nth <= 3; nth++) {
        BEGIN(mx, nth);
        mode_fire(&conn, ON_COMPLETE, mx);
        mode_exchange_over(mx);
    }
    assert_happened("fault(conn=7 ex=3 test rule=0 request close_notify) close_notify ");
}

static void connection_picks_connections_by_their_number(void **state)
{
    static const struct {
        uint32_t number;
        const char *happened;
    } table[] = {
        { 0, "close_notify " }, /* older than the mode: only rules without "connection" */
        { 1, "stall silenced(for now) " },
        { 2, "close_notify resume resumed " },
        { 3, "stall silenced(for now) " },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        open_connection("[{'on': 'age', 'after': '1s', 'connection': '1-/2', 'do': ['stall']},"
                        " {'on': 'age', 'after': '1s', 'do': ['close_notify']},"
                        " {'on': 'age', 'after': '1s', 'connection': 2, 'do': ['resume']}]");
        conn.number = table[i].number;
        time_passes(1 * S);
        char verbs[256] = "", *p = happened;
        while ((p = strstr(p, "late=0ms) "))) {
            p += strlen("late=0ms) ");
            strncat(verbs, p, strstr(p, "fault(") ? (size_t)(strstr(p, "fault(") - p) : strlen(p));
        }
        assert_string_equal(verbs, table[i].happened);
        forget_what_happened();
    }
}

static void idle_before_picks_requests_after_a_pause(void **state)
{
    open_connection("[{'on': 'reuse', 'idle': '2s', 'do': ['close_notify']},"
                    " {'on': 'reuse', 'idle': 'never', 'do': ['stall']}]");
    BEGIN(mx, 2);
    mx->idle_before = 2 * S - 1;
    mode_fire(&conn, ON_FIRST_BYTE, mx);
    assert_happened("");
    mx->idle_before = 2 * S;
    mode_fire(&conn, ON_FIRST_BYTE, mx);
    assert_happened("fault(conn=7 ex=2 test rule=0 reuse close_notify) close_notify ");
    mode_exchange_over(mx);
}

static void age_picks_requests_on_old_connections(void **state)
{
    open_connection("[{'on': 'request', 'age': '5s', 'at': 'headers', 'do': ['close_notify']},"
                    " {'on': 'request', 'age': 'never', 'at': 'headers', 'do': ['stall']}]");
    time_passes(5 * S - 1);
    BEGIN(mx, 1);
    mode_fire(&conn, ON_HEADERS, mx);
    assert_happened("");
    time_passes(1);
    mode_fire(&conn, ON_HEADERS, mx);
    assert_happened("fault(conn=7 ex=1 test rule=0 request close_notify) close_notify ");
    mode_exchange_over(mx);
}

static void over_picks_the_protocol_and_waits_until_it_is_known(void **state)
{
    open_connection("[{'on': 'age', 'after': '1s', 'over': 'h1', 'do': ['stall']},"
                    " {'on': 'age', 'after': '2s', 'over': 'h2', 'do': ['close_notify']},"
                    " {'on': 'age', 'after': '3s', 'over': 'h2', 'do': ['rst']}]");
    time_passes(2 * S);
    assert_happened("fault(conn=7 test rule=1 age close_notify late=0ms) close_notify ");
    conn.over = 0;
    time_passes(5 * S);
    assert_happened("");
}

/* --- Steps by hand */

static void steps_by_hand_run_at_once_on_a_connection_of_any_mode(void **state)
{
    open_connection("[]");
    json_t *steps = json_of("['stall', 'resume', {'wait': '1s'}, {'goaway': {'last': 3}}, 'rst']");
    struct mode_program *program = NULL;
    assert_int_equal(mode_compile_steps(steps, OVER_H2, 1, &program, NULL), 0);
    json_decref(steps);
    assert_int_equal(mode_run(&conn, program), 0);
    mode_unref(program);
    assert_happened("fault(conn=7 do rule=0 admin stall) stall silenced(for now) "
                    "fault(conn=7 do rule=0 admin resume) resume resumed ");
    time_passes(1 * S);
    assert_happened(
        "fault(conn=7 do rule=0 admin goaway {\"error\":\"NO_ERROR\",\"last\":3,"
        "\"debug\":\"\",\"then_hold\":false,\"barrier\":false} late=0ms) goaway(0 2 3 \"\") "
        "fault(conn=7 do rule=0 admin rst {\"drain\":false} late=0ms) rst silenced(for ever) ");
}

/* --- Running out */

static void without_memory_a_rule_does_not_fire(void **state)
{
    open_connection("[{'on': 'accept', 'times': 1, 'do': ['rst']}]");
    memory_ends_after(0);
    mode_fire(&conn, ON_ACCEPT, NULL);
    memory_ends_after(1); /* the counter, but not the script */
    mode_fire(&conn, ON_ACCEPT, NULL);
    assert_int_equal(mode_run(&conn, conn.program), -ENOMEM);
    memory_restore();
    assert_happened("");
    assert_int_equal(conn.script_count, 0);
}

static void a_client_cannot_pile_up_scripts_without_end(void **state)
{
    open_connection("[{'on': 'request', 'do': [{'wait': '1h'}, 'rst']}]");
    for (uint32_t nth = 1; nth <= 3000; nth++) {
        BEGIN(mx, nth);
        mode_fire(&conn, ON_COMPLETE, mx);
        mode_exchange_over(mx);
    }
    assert_int_equal(conn.script_count, 1024);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(connection_picks_connections_by_their_number),
        TEST(idle_before_picks_requests_after_a_pause),
        TEST(age_picks_requests_on_old_connections),
        TEST(rules_of_a_trigger_fire_in_the_order_of_the_file),
        TEST(a_rule_that_silences_the_connection_is_the_last_of_its_firing),
        TEST(a_rule_whose_verb_failed_does_not_stop_the_others),
        TEST(the_end_of_the_connection_ends_a_script),
        TEST(waits_run_from_the_time_of_the_step_and_say_how_late_they_are),
        TEST(a_wait_that_never_ends_ends_the_script),
        TEST(scripts_run_side_by_side_in_the_order_of_their_times),
        TEST(finishing_the_connection_ends_all_scripts_and_timers),
        TEST(nth_and_reuse_count_the_requests_of_the_connection),
        TEST(times_limits_how_often_a_rule_fires_on_a_connection),
        TEST(a_rule_that_does_not_fit_is_not_counted),
        TEST(over_picks_the_protocol_and_waits_until_it_is_known),
        TEST(steps_by_hand_run_at_once_on_a_connection_of_any_mode),
        TEST(without_memory_a_rule_does_not_fire),
        TEST(a_client_cannot_pile_up_scripts_without_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
