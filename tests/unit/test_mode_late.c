/* test_mode_late.c - rules on what has begun and is not whole; and connections whose protocol is
 * not known, as rules that wait for a time take them. */
#include "harness/mode_rig.h"

#define LATE(what, after)                                                                          \
    "[{'on': 'late', 'what': '" what "', 'after': '" after "', 'do': ['close_notify']}]"
#define FIRED "fault(conn=7 test rule=0 late close_notify late=0ms) close_notify "

static void what_is_late_for_a_connection_fires_once_and_never_early(void **state)
{
    static const struct {
        const char *rules;
        enum trigger_slot slot;
        enum wire_state in, not_in;
    } table[] = {
        { LATE("nothing", "3s"), ON_LATE_NOTHING, WIRE_OPEN, WIRE_STALLED },
        { LATE("handshake", "3s"), ON_LATE_HANDSHAKE, WIRE_HANDSHAKE, WIRE_OPEN },
        { LATE("head", "3s"), ON_LATE_HEAD, WIRE_OPEN, WIRE_ENDING },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        open_connection(table[i].rules);
        wire.state = table[i].in;
        mode_late(&conn, table[i].slot, now);
        time_passes(3 * S - 1);
        assert_happened("");
        time_passes(1);
        assert_happened(FIRED);
        time_passes(60 * S);
        assert_happened("");

        mode_late(&conn, table[i].slot, now); /* anew */
        time_passes(3 * S);
        assert_happened(FIRED);

        mode_late(&conn, table[i].slot, now);
        time_passes(1 * S);
        mode_late(&conn, table[i].slot, TIME_NONE); /* it came */
        time_passes(60 * S);
        assert_happened("");

        mode_late(&conn, table[i].slot, now);
        wire.state = table[i].not_in;
        time_passes(60 * S);
        assert_happened("");
    }
}

static void one_thing_after_the_other_has_its_own_time(void **state)
{
    open_connection("[{'on': 'late', 'what': 'handshake', 'after': '2s', 'do': ['alert']},"
                    " {'on': 'late', 'what': 'nothing', 'after': '3s', 'do': ['close_notify']}]");
    wire.state = WIRE_HANDSHAKE;
    mode_late(&conn, ON_LATE_HANDSHAKE, now);
    time_passes(2 * S - 1);
    wire.state = WIRE_OPEN;
    mode_late(&conn, ON_LATE_NOTHING, now);
    time_passes(3 * S - 1);
    assert_happened("");
    time_passes(1);
    assert_happened("fault(conn=7 test rule=1 late close_notify late=0ms) close_notify ");
}

static void each_request_has_its_times(void **state)
{
    open_connection("[{'on': 'late', 'what': 'head', 'after': '2s', 'nth': 2,"
                    "  'do': ['close_notify']},"
                    " {'on': 'late', 'what': 'body', 'after': '3s', 'do': ['rst_stream'],"
                    "  'over': 'h2', 'times': 1}]");
    struct request_made first = request(1), second = request(2);
    begin(&first)->late.since = begin(&second)->late.since = TIME_NONE;
    mode_exchange_late(&first.mx, ON_LATE_HEAD, now);
    mode_exchange_late(&second.mx, ON_LATE_HEAD, now + 1 * S);
    time_passes(3 * S - 1); /* the first one's is no rule's */
    assert_happened("");
    time_passes(1);
    assert_happened("fault(conn=7 ex=2 test rule=0 late close_notify late=0ms) close_notify ");
    mode_exchange_late(&first.mx, ON_LATE_BODY, now);
    mode_exchange_late(&second.mx, ON_LATE_BODY, now + 1);
    time_passes(3 * S + 1);
    assert_happened("fault(conn=7 ex=1 test rule=1 late rst_stream "
                    "{\"error\":\"INTERNAL_ERROR\"} late=0ms) rst_stream(1 2) ");
    mode_exchange_over(&first.mx);
    mode_exchange_over(&second.mx);
}

static void what_comes_in_time_or_ends_disarms(void **state)
{
    open_connection(LATE("body", "3s"));
    struct request_made made = request(1);
    begin(&made)->late.since = TIME_NONE;
    mode_exchange_late(&made.mx, ON_LATE_HEAD, now);
    assert_int_equal(armed_count, 0);
    mode_exchange_late(&made.mx, ON_LATE_BODY, now);
    assert_int_equal(armed_count, 1);
    mode_exchange_late(&made.mx, ON_LATE_BODY, TIME_NONE);
    assert_int_equal(armed_count, 0);
    mode_exchange_late(&made.mx, ON_LATE_BODY, now);
    mode_exchange_over(&made.mx);
    assert_int_equal(armed_count, 0);
    time_passes(60 * S);
    assert_happened("");
}

static void what_comes_before_the_loop_looks_is_ledgered_as_missed(void **state)
{
    open_connection(LATE("head", "3s"));
    struct request_made made = request(1);
    begin(&made)->late.since = TIME_NONE;
    mode_exchange_late(&made.mx, ON_LATE_HEAD, now);
    now += 4 * S; /* the loop stood still */
    mode_exchange_late(&made.mx, ON_LATE_BODY, now);
    assert_happened("missed(conn=7 test rule=0 late late=1000ms what it waited for came first) ");
    mode_exchange_over(&made.mx);
}

/* Once: what never stops coming may be late all the same. */
static void what_waits_to_be_read_is_read_first(void **state)
{
    open_connection(LATE("body", "3s"));
    struct request_made made = request(1);
    begin(&made)->late.since = TIME_NONE;
    mode_exchange_late(&made.mx, ON_LATE_BODY, now);
    wire.unread = 10;
    time_passes(3 * S);
    assert_happened("");
    time_passes(1 * MS);
    assert_happened("fault(conn=7 ex=1 test rule=0 late close_notify late=1ms) close_notify ");
    mode_exchange_over(&made.mx);

    open_connection(LATE("nothing", "3s"));
    mode_late(&conn, ON_LATE_NOTHING, now);
    wire.unread = 10;
    time_passes(3 * S);
    wire.unread = 0;
    mode_late(&conn, ON_LATE_NOTHING, TIME_NONE); /* it was a request */
    time_passes(3 * S);
    assert_happened("missed(conn=7 test rule=0 late late=0ms what it waited for came first) ");
}

static void without_such_rules_nothing_is_armed_until_a_mode_has_them(void **state)
{
    open_connection("[{'on': 'late', 'what': 'nothing', 'after': 'never', 'do': ['fin']}]");
    struct request_made made = request(1);
    begin(&made)->late.since = TIME_NONE;
    arm_calls = 0;
    mode_late(&conn, ON_LATE_NOTHING, now);
    mode_exchange_late(&made.mx, ON_LATE_HEAD, now);
    mode_exchange_late(&made.mx, ON_LATE_BODY, now);
    assert_int_equal(arm_calls, 0);
    time_passes(5 * S);
    set_mode(LATE("body", "3s"));
    mode_exchange_anew(&made.mx, false);
    assert_happened("");
    time_goes_to(now + 2 * MS, 2 * MS); /* overdue: from when the mode was set */
    assert_happened("fault(conn=7 ex=1 test rule=0 late close_notify late=2ms) close_notify ");
    mode_exchange_over(&made.mx);
}

static struct mode_exchange *over_in_step;

static void end_exchange(void)
{
    mode_exchange_over(over_in_step);
}

static void the_host_keeps_an_exchange_that_a_rule_ends(void **state)
{
    open_connection("[{'on': 'late', 'what': 'body', 'after': '1s', 'over': 'h2', 'do':"
                    " ['rst_stream']}, {'on': 'late', 'what': 'body', 'after': '1s', 'do':"
                    " ['close_notify']}]");
    struct request_made made = request(1);
    begin(&made)->late.since = TIME_NONE;
    over_in_step = &made.mx;
    on_rst_stream = end_exchange;
    mode_exchange_late(&made.mx, ON_LATE_BODY, now);
    time_passes(1 * S);
    assert_happened("fault(conn=7 ex=1 test rule=0 late rst_stream "
                    "{\"error\":\"INTERNAL_ERROR\"} late=0ms) rst_stream(1 2) ");
}

/* --- Before the protocol is known */

static void a_connection_whose_protocol_is_not_known_is_presumed_to_be_one(void **state)
{
    static const struct {
        const char *on;
        enum trigger_slot slot;
    } table[] = {
        { "'on': 'idle', 'after': '1s'", ON_IDLE },
        { "'on': 'age', 'after': '1s'", ON_AGE },
        { "'on': 'late', 'what': 'nothing', 'after': '1s'", ON_LATE_NOTHING },
        { "'on': 'mark', 'name': 'm'", ON_MARK },
    };
    char rules[256], expected[128];
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        for (unsigned presumed = 0; presumed <= OVER_H2; presumed++) {
            snprintf(rules, sizeof rules,
                     "[{%s, 'over': 'h1', 'do': ['close_notify']},"
                     " {%s, 'over': 'h2', 'do': ['close_notify']}]",
                     table[i].on, table[i].on);
            open_connection(rules);
            conn.over = 0;
            conn.presumed = (uint8_t)presumed;
            mode_idle(&conn, now);
            mode_late(&conn, ON_LATE_NOTHING, now);
            time_passes(1 * S);
            mode_mark(&conn, "m");
            snprintf(expected, sizeof expected,
                     "fault(conn=7 test rule=%u %s close_notify%s) close_notify ",
                     presumed == OVER_H2,
                     i == 0   ? "idle"
                     : i == 1 ? "age"
                     : i == 2 ? "late"
                              : "mark",
                     table[i].slot == ON_MARK ? "" : " late=0ms");
            assert_happened(presumed == OVER_H1 || presumed == OVER_H2 ? expected : "");
        }
}

static void what_is_known_counts_and_not_what_was_presumed(void **state)
{
    open_connection("[{'on': 'idle', 'after': '1s', 'over': 'h1', 'do': ['rst']}]");
    conn.presumed = OVER_H1; /* and it is h2 */
    mode_idle(&conn, now);
    time_passes(1 * S);
    assert_happened("");
    open_connection("[{'on': 'stale', 'over': 'h1', 'do': ['rst']}]");
    conn.over = 0; /* what does not wait for a time presumes nothing */
    conn.presumed = OVER_H1;
    mode_fire(&conn, ON_STALE, NULL);
    assert_happened("");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(what_is_late_for_a_connection_fires_once_and_never_early),
        TEST(one_thing_after_the_other_has_its_own_time),
        TEST(each_request_has_its_times),
        TEST(what_comes_in_time_or_ends_disarms),
        TEST(what_comes_before_the_loop_looks_is_ledgered_as_missed),
        TEST(what_waits_to_be_read_is_read_first),
        TEST(without_such_rules_nothing_is_armed_until_a_mode_has_them),
        TEST(the_host_keeps_an_exchange_that_a_rule_ends),
        TEST(a_connection_whose_protocol_is_not_known_is_presumed_to_be_one),
        TEST(what_is_known_counts_and_not_what_was_presumed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
