/* test_mode_runtime.c - rules at work on a connection: order, ledgering, time, gates. */
#include "mode_fakes.h"

#include <errno.h>

#include "engine/engine.h"
#include "modes/runtime.h"

#define MS NS_PER_MS
#define S  NS_PER_S

/* --- The connection under test, and its host */

static struct wire wire;
static struct mode_conn conn;
static void (*on_silenced)(void), (*on_resumed)(void), (*on_released)(struct mode_exchange *mx);

static void released(void *host, struct mode_exchange *mx)
{
    note("released(%u) ", mx->ex->nth);
    if (on_released)
        on_released(mx);
}

static void silenced(void *host, bool for_ever)
{
    note("silenced(%s) ", for_ever ? "for ever" : "for now");
    if (on_silenced)
        on_silenced();
}

static void resumed(void *host)
{
    note("resumed ");
    if (on_resumed)
        on_resumed();
}

static const struct mode_host host_calls = { released, silenced, resumed };

static int fake_goaway(struct engine *e, const struct goaway *goaway)
{
    note("goaway(%u %d %d \"%.*s\") ", goaway->error, (int)goaway->last, goaway->number,
         (int)goaway->debug_len, (const char *)goaway->debug);
    return 0;
}

static int fake_goaway_notice(struct engine *e)
{
    note("goaway_notice ");
    return 0;
}

static void fake_pump(struct engine *e)
{
}

static const struct engine_ops fake_ops = {
    .protocol = "h2", .pump = fake_pump, .goaway = fake_goaway, .goaway_notice = fake_goaway_notice
};
static struct engine engine = { .ops = &fake_ops };

/* Opens the connection over h2 in a mode of these rules. */
static void open_connection(const char *rules)
{
    struct mode_program *program = program_of(rules);
    if (conn.calls)
        mode_conn_finish(&conn);
    wire = (struct wire){ .state = WIRE_OPEN, .tls = true };
    conn = (struct mode_conn){ .wire = &wire, .engine = &engine, .over = OVER_H2 };
    mode_conn_init(&conn, &host_calls, NULL, NULL, 7, program);
    mode_unref(program);
    arm_calls = 0;
    forget_what_happened();
}

static void set_mode(const char *rules)
{
    struct mode_program *program = program_of(rules);
    mode_conn_set(&conn, program);
    mode_unref(program);
}

static int set_up(void **state)
{
    now = 1000 * S;
    on_silenced = on_resumed = NULL;
    on_released = NULL;
    moments_fail = false;
    return 0;
}

static int tear_down(void **state)
{
    allocations_left = -1;
    if (conn.calls)
        mode_conn_finish(&conn);
    conn.calls = NULL;
    assert_int_equal(armed_count, 0); /* nothing is left in the heap */
    return 0;
}

struct request_made {
    struct exchange ex;
    struct mode_exchange mx;
};

static struct request_made request(uint32_t nth)
{
    return (struct request_made){ .ex = { .nth = nth } };
}

static struct mode_exchange *begin(struct request_made *made)
{
    made->mx.conn = &conn;
    made->mx.ex = &made->ex;
    return &made->mx;
}

#define BEGIN(name, nth)                                                                           \
    struct request_made name##_made = request(nth);                                                \
    struct mode_exchange *name = begin(&name##_made)

/* --- Order and the ledger */

static void a_fault_is_ledgered_then_done_then_told(void **state)
{
    open_connection("[{'on': 'idle', 'after': '3s', 'do': [{'fin': {'notify': true}}]}]");
    mode_idle(&conn, now);
    time_passes(3 * S);
    assert_happened("fault(conn=7 test rule=0 idle fin {\"notify\":true} late=0ms) fin(1) "
                    "silenced(for ever) ");
}

static void each_step_is_ledgered_with_its_arguments_and_its_verb_called(void **state)
{
    static const struct {
        const char *step, *happened;
    } table[] = {
        { "'fin'", "fin {\"notify\":false}) fin(0) silenced(for ever) " },
        { "'rst'", "rst) rst silenced(for ever) " },
        { "'forget'", "forget {\"exact\":false}) forget(0) silenced(for ever) " },
        { "{'forget': {'exact': true}}", "forget {\"exact\":true}) forget(1) silenced(for ever) " },
        { "'black_hole'", "black_hole) black_hole silenced(for now) " },
        { "'heal'", "heal) heal resumed " },
        { "'stall'", "stall) stall silenced(for now) " },
        { "'resume'", "resume) resume resumed " },
        { "'goaway_notice'", "goaway_notice) goaway_notice " },
        { "'close_notify'", "close_notify) close_notify " },
        { "'goaway'", "goaway {\"error\":\"NO_ERROR\",\"last\":\"seen\",\"debug\":\"\"}) "
                      "goaway(0 0 0 \"\") " },
        { "{'goaway': 'ENHANCE_YOUR_CALM'}",
          "goaway {\"error\":\"ENHANCE_YOUR_CALM\",\"last\":\"seen\",\"debug\":\"\"}) "
          "goaway(11 0 0 \"\") " },
        { "{'goaway': {'error': 13, 'last': '-2', 'debug': 'no'}}",
          "goaway {\"error\":13,\"last\":\"-2\",\"debug\":\"no\"}) goaway(13 3 -2 \"no\") " },
        { "{'goaway': {'last': 'none'}}",
          "goaway {\"error\":\"NO_ERROR\",\"last\":\"none\",\"debug\":\"\"}) "
          "goaway(0 1 0 \"\") " },
        { "{'goaway': {'last': 5}}",
          "goaway {\"error\":\"NO_ERROR\",\"last\":5,\"debug\":\"\"}) goaway(0 2 5 \"\") " },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char rules[256], expected[512];
        snprintf(rules, sizeof rules, "[{'on': 'age', 'after': '1s', 'over': 'h2', 'do': [%s]}]",
                 table[i].step);
        snprintf(expected, sizeof expected, "fault(conn=7 test rule=0 age %s", table[i].happened);
        char *close = strchr(expected, ')');
        if (!close) {
            fail_msg("no ')' in %s", expected);
            return;
        }
        memmove(close + 9, close, strlen(close) + 1);
        memcpy(close, " late=0ms", 9);
        open_connection(rules);
        time_passes(1 * S);
        assert_happened(expected);
    }
}

static void a_goaway_notes_its_moment(void **state)
{
    open_connection("[{'on': 'age', 'after': '2s', 'over': 'h2', 'do': ['goaway']}]");
    assert_int_equal(conn.goaway_at, MOMENT_NONE);
    time_passes(5 * S);
    assert_int_equal(conn.goaway_at, 1002 * S);
}

static void a_verb_that_comes_too_late_is_ledgered_and_not_told(void **state)
{
    open_connection("[{'on': 'age', 'after': '1s', 'do': ['fin']}]");
    wire.state = WIRE_FINNED;
    wire.outcome = WIRE_TOO_LATE;
    time_passes(1 * S);
    assert_happened("fault(conn=7 test rule=0 age fin {\"notify\":false} late=0ms) fin(0) "
                    "done(conn=7 fin too late: the connection was already finned) ");
}

static void a_verb_that_the_kernel_refuses_is_ledgered(void **state)
{
    open_connection("[{'on': 'age', 'after': '1s', 'do': ['black_hole']}]");
    wire.outcome = -EPERM;
    time_passes(1 * S);
    assert_happened("fault(conn=7 test rule=0 age black_hole late=0ms) black_hole "
                    "done(conn=7 black_hole Operation not permitted) ");
}

static void a_resume_with_nothing_to_resume_says_so(void **state)
{
    open_connection("[{'on': 'age', 'after': '1s', 'do': ['resume']}]");
    wire.outcome = WIRE_TOO_LATE;
    time_passes(1 * S);
    assert_happened("fault(conn=7 test rule=0 age resume late=0ms) resume "
                    "done(conn=7 resume nothing to do: the connection is open) ");
}

static void close_notify_on_a_clear_connection_is_skipped_and_ledgered(void **state)
{
    open_connection("[{'on': 'age', 'after': '1s', 'do': ['close_notify', 'fin']}]");
    wire.tls = false;
    time_passes(1 * S);
    assert_happened("fault(conn=7 test rule=0 age close_notify late=0ms) done(conn=7 close_notify "
                    "skipped: it belongs to TLS, and the connection is clear) "
                    "fault(conn=7 test rule=0 age fin {\"notify\":false} late=0ms) fin(0) "
                    "silenced(for ever) ");
}

static void a_goaway_on_a_connection_that_was_ended_is_too_late(void **state)
{
    open_connection("[{'on': 'age', 'after': '1s', 'over': 'h2', 'do': ['goaway']}]");
    wire.state = WIRE_STALLED;
    time_passes(1 * S);
    assert_happened("fault(conn=7 test rule=0 age goaway {\"error\":\"NO_ERROR\",\"last\":\"seen\","
                    "\"debug\":\"\"} late=0ms) done(conn=7 goaway too late: the connection was "
                    "already stalled) ");
    assert_int_equal(conn.goaway_at, MOMENT_NONE);
}

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
    assert_happened("fault(conn=7 test rule=0 accept stall) stall "
                    "done(conn=7 stall Input/output error) "
                    "fault(conn=7 test rule=1 accept rst) rst silenced(for ever) ");
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

static void waits_run_from_the_moment_of_the_step_and_say_how_late_they_are(void **state)
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
    assert_happened("fault(conn=7 test rule=0 idle fin {\"notify\":false} late=5ms) fin(0) "
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

static void scripts_run_side_by_side_in_the_order_of_their_moments(void **state)
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

static void finishing_the_connection_ends_all_scripts_and_moments(void **state)
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
    assert_happened("fault(conn=7 test rule=0 idle rst late=0ms) rst silenced(for ever) ");
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
    assert_happened("fault(conn=7 test rule=0 idle rst late=0ms) rst silenced(for ever) ");
}

static void an_idle_moment_reached_while_busy_does_nothing(void **state)
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
    assert_happened("fault(conn=7 test rule=0 idle rst late=0ms) rst silenced(for ever) ");
}

static void a_moment_armed_for_a_later_rule_is_armed_anew_for_the_first(void **state)
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
    assert_int_equal(conn.idle_done, 0); /* the new spell begins with the first rule */
    assert_int_equal(conn.idle.due, now + 1 * S);
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
    assert_happened("fault(conn=7 test rule=0 idle fin {\"notify\":false} late=2ms) fin(0) "
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
    assert_happened("fault(conn=7 test rule=0 idle fin {\"notify\":false} late=0ms) fin(0) "
                    "silenced(for ever) ");
    time_passes(2 * S);
    assert_happened("fault(conn=7 test rule=1 age rst late=0ms) rst silenced(for ever) ");
}

static void a_mode_without_idle_rules_disarms_the_moment(void **state)
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
    assert_happened("fault(conn=7 test rule=0 idle fin {\"notify\":false} late=0ms) fin(0) "
                    "silenced(for ever) ");
}

static void a_script_that_runs_goes_on_under_its_own_mode(void **state)
{
    open_connection("[{'on': 'accept', 'do': [{'wait': '1s'}, {'fin': {'notify': true}}]}]");
    mode_fire(&conn, ON_ACCEPT, NULL);
    set_mode("[]");
    time_passes(1 * S);
    assert_happened("fault(conn=7 test rule=0 accept fin {\"notify\":true} late=0ms) fin(1) "
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
        "fault(conn=7 ex=4 test rule=2 response rst) rst silenced(for ever) ",
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
    wire.state = WIRE_FINNED;
    mode_fire(&conn, ON_STALE, NULL); /* once, unless the rule says more */
    mode_fire(&conn, ON_STALE, NULL);
    assert_happened("fault(conn=7 test rule=1 stale rst) rst done(conn=7 rst too late: the "
                    "connection was already finned) ");

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

/* --- Exchanges */

static void delay_closes_a_gate_and_opens_it_after_its_time(void **state)
{
    open_connection("[{'on': 'request', 'do': [{'delay': '2s'}]}]");
    BEGIN(mx, 1);
    mode_fire(&conn, ON_COMPLETE, mx);
    assert_happened("fault(conn=7 ex=1 test rule=0 request delay {\"for\":\"2s\"}) ");
    assert_int_equal(mx->gates, 1);
    time_passes(2 * S - 1);
    assert_int_equal(mx->gates, 1);
    time_passes(1);
    assert_int_equal(mx->gates, 0);
    assert_happened("released(1) ");
    mode_exchange_over(mx);
}

static void the_steps_behind_a_delay_have_their_say_before_the_release(void **state)
{
    open_connection("[{'on': 'request', 'do': [{'delay': '1s'}, {'delay': '1s'},"
                    "  {'respond': {'status': 503, 'body': {'later': true}}}]}]");
    BEGIN(mx, 1);
    mode_fire(&conn, ON_COMPLETE, mx);
    time_passes(1 * S);
    assert_int_equal(mx->gates, 1);
    assert_null(mx->instead);
    forget_what_happened();
    time_passes(1 * S);
    assert_happened("fault(conn=7 ex=1 test rule=0 request respond {\"status\":503,\"headers\":{},"
                    "\"body\":{\"later\":true}} late=0ms) released(1) ");
    assert_int_equal(mx->instead->status, 503);
    assert_memory_equal(mx->instead->body, "{\"later\":true}", 14);
    mode_exchange_over(mx);
    assert_null(mx->instead);
}

static void the_last_of_several_gates_releases_the_exchange(void **state)
{
    open_connection("[{'on': 'request', 'do': [{'delay': '1s'}]},"
                    " {'on': 'request', 'do': [{'delay': '3s'}]}]");
    BEGIN(mx, 1);
    mode_fire(&conn, ON_COMPLETE, mx);
    assert_int_equal(mx->gates, 2);
    forget_what_happened();
    time_passes(2 * S);
    assert_happened("");
    time_passes(2 * S);
    assert_happened("released(1) ");
    mode_exchange_over(mx);
}

static void hold_never_releases_and_lets_the_next_steps_run(void **state)
{
    open_connection("[{'on': 'request', 'do': ['hold', {'wait': '1s'}, 'rst']}]");
    BEGIN(mx, 1);
    mode_fire(&conn, ON_COMPLETE, mx);
    assert_happened("fault(conn=7 ex=1 test rule=0 request hold) ");
    time_passes(10 * S);
    assert_int_equal(mx->gates, 1);
    assert_happened("fault(conn=7 ex=1 test rule=0 request rst late=0ms) rst silenced(for ever) ");
    mode_exchange_over(mx);
}

static void a_delay_that_never_ends_holds(void **state)
{
    open_connection("[{'on': 'request', 'do': [{'delay': 'never'}, 'rst']}]");
    BEGIN(mx, 1);
    mode_fire(&conn, ON_COMPLETE, mx);
    time_passes(1000 * S);
    assert_happened("fault(conn=7 ex=1 test rule=0 request delay {\"for\":\"never\"}) ");
    assert_int_equal(mx->gates, 1);
    mode_exchange_over(mx);
}

static void an_answer_outlives_the_mode_it_came_from(void **state)
{
    open_connection("[{'on': 'request', 'do': [{'respond': {'status': 418, 'body': 'short',"
                    "  'headers': {'X-A': 'b'}}}]}]");
    BEGIN(mx, 1);
    mode_fire(&conn, ON_HEADERS, mx);
    mode_fire(&conn, ON_COMPLETE, mx);
    set_mode("[]");
    assert_int_equal(mx->gates, 0);
    assert_int_equal(mx->instead->status, 418);
    assert_int_equal(mx->instead->body_len, 5);
    assert_memory_equal(mx->instead->body, "short", 5);
    assert_int_equal(mx->instead->header_count, 2);
    assert_memory_equal(mx->instead->headers[0].name, "X-A", 3);
    assert_memory_equal(mx->instead->headers[1].value, "text/plain", 10);
    mode_exchange_over(mx);
    assert_null(mx->program);
}

static void steps_for_an_exchange_that_is_over_are_left_out(void **state)
{
    open_connection("[{'on': 'request', 'do': [{'delay': '1s'}, {'respond': 500}, 'stall']}]");
    BEGIN(mx, 3);
    mode_fire(&conn, ON_COMPLETE, mx);
    forget_what_happened();
    mode_exchange_over(mx); /* the client reset the stream */
    memset(mx, 0xee, sizeof *mx);
    time_passes(1 * S);
    assert_happened("fault(conn=7 ex=3 test rule=0 request stall late=0ms) stall "
                    "silenced(for now) ");
}

static struct mode_exchange *dying;
static void exchange_dies(void)
{
    mode_exchange_over(dying);
    memset(dying, 0xee, sizeof *dying);
}

static void an_exchange_may_end_inside_a_step(void **state)
{
    open_connection("[{'on': 'request', 'do': [{'delay': '1s'}, 'stall', {'wait': '1s'}, 'rst']}]");
    BEGIN(mx, 1);
    dying = mx;
    on_silenced = exchange_dies;
    mode_fire(&conn, ON_COMPLETE, mx);
    forget_what_happened();
    time_passes(1 * S);
    on_silenced = NULL;
    time_passes(1 * S);
    assert_happened("fault(conn=7 ex=1 test rule=0 request stall late=0ms) stall "
                    "silenced(for now) "
                    "fault(conn=7 ex=1 test rule=0 request rst late=0ms) rst silenced(for ever) ");
}

static void answer(struct mode_exchange *mx)
{
    mode_fire(&conn, ON_RESPONSE_END, mx);
    mode_exchange_over(mx);
}

static void an_exchange_may_be_answered_inside_its_release(void **state)
{
    open_connection("[{'on': 'request', 'do': [{'delay': '1s'}]},"
                    " {'on': 'response', 'do': ['rst']}]");
    BEGIN(mx, 1);
    on_released = answer;
    mode_fire(&conn, ON_COMPLETE, mx);
    forget_what_happened();
    time_passes(1 * S);
    assert_happened("released(1) fault(conn=7 ex=1 test rule=1 response rst) rst "
                    "silenced(for ever) ");
}

static void resuming_from_inside_a_callback_waits_for_the_loop(void **state)
{
    open_connection("[{'on': 'request', 'at': 'first_byte', 'do': ['stall', 'resume',"
                    " 'close_notify']}]");
    BEGIN(mx, 1);
    mode_fire(&conn, ON_FIRST_BYTE, mx);
    assert_happened("fault(conn=7 ex=1 test rule=0 request stall) stall silenced(for now) ");
    time_passes(0);
    assert_happened("fault(conn=7 ex=1 test rule=0 request resume late=0ms) resume resumed "
                    "fault(conn=7 ex=1 test rule=0 request close_notify late=0ms) close_notify ");
    mode_exchange_over(mx);
}

/* --- Steps by hand */

static void steps_by_hand_run_at_once_on_a_connection_of_any_mode(void **state)
{
    open_connection("[]");
    json_t *steps = json_of("['stall', 'resume', {'wait': '1s'}, {'goaway': {'last': 3}}, 'rst']");
    struct mode_program *program = NULL;
    assert_int_equal(mode_compile_steps(steps, OVER_H2, 1, &program, NULL), 0);
    json_decref(steps);
    assert_int_equal(mode_run(&conn, program, "admin"), 0);
    mode_unref(program);
    assert_happened("fault(conn=7 do rule=0 admin stall) stall silenced(for now) "
                    "fault(conn=7 do rule=0 admin resume) resume resumed ");
    time_passes(1 * S);
    assert_happened("fault(conn=7 do rule=0 admin goaway {\"error\":\"NO_ERROR\",\"last\":3,"
                    "\"debug\":\"\"} late=0ms) goaway(0 2 3 \"\") "
                    "fault(conn=7 do rule=0 admin rst late=0ms) rst silenced(for ever) ");
}

/* --- Running out */

static void without_memory_a_rule_does_not_fire(void **state)
{
    open_connection("[{'on': 'accept', 'times': 1, 'do': ['rst']}]");
    allocations_left = 0;
    mode_fire(&conn, ON_ACCEPT, NULL);
    allocations_left = 1; /* the counter, but not the script */
    mode_fire(&conn, ON_ACCEPT, NULL);
    assert_int_equal(mode_run(&conn, conn.program, "admin"), -ENOMEM);
    allocations_left = -1;
    assert_happened("");
    assert_int_equal(conn.script_count, 0);
}

static void without_room_for_a_moment_a_delay_is_given_up_and_ledgered(void **state)
{
    open_connection("[{'on': 'request', 'do': [{'delay': '1s'}, 'rst']},"
                    " {'on': 'request', 'at': 'headers', 'do': [{'wait': '1s'}, 'rst']}]");
    BEGIN(mx, 1);
    moments_fail = true;
    mode_fire(&conn, ON_COMPLETE, mx);
    assert_happened("fault(conn=7 ex=1 test rule=0 request delay {\"for\":\"1s\"}) "
                    "done(conn=7 ex=1 delay Cannot allocate memory) ");
    assert_int_equal(mx->gates, 0);
    mode_fire(&conn, ON_HEADERS, mx);
    assert_int_equal(conn.script_count, 0);
    mode_exchange_over(mx);
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(a_fault_is_ledgered_then_done_then_told),
        TEST(each_step_is_ledgered_with_its_arguments_and_its_verb_called),
        TEST(a_goaway_notes_its_moment),
        TEST(a_verb_that_comes_too_late_is_ledgered_and_not_told),
        TEST(a_verb_that_the_kernel_refuses_is_ledgered),
        TEST(a_resume_with_nothing_to_resume_says_so),
        TEST(close_notify_on_a_clear_connection_is_skipped_and_ledgered),
        TEST(a_goaway_on_a_connection_that_was_ended_is_too_late),
        TEST(rules_of_a_trigger_fire_in_the_order_of_the_file),
        TEST(a_rule_that_silences_the_connection_is_the_last_of_its_firing),
        TEST(a_rule_whose_verb_failed_does_not_stop_the_others),
        TEST(the_end_of_the_connection_ends_a_script),
        TEST(waits_run_from_the_moment_of_the_step_and_say_how_late_they_are),
        TEST(a_wait_that_never_ends_ends_the_script),
        TEST(scripts_run_side_by_side_in_the_order_of_their_moments),
        TEST(finishing_the_connection_ends_all_scripts_and_moments),
        TEST(an_idle_rule_fires_never_early_and_once_a_spell),
        TEST(idle_rules_fire_in_the_order_they_fall_due),
        TEST(a_busy_connection_does_not_touch_the_heap),
        TEST(an_idle_moment_reached_while_busy_does_nothing),
        TEST(a_moment_armed_for_a_later_rule_is_armed_anew_for_the_first),
        TEST(without_idle_rules_nothing_is_armed),
        TEST(a_late_loop_is_ledgered_against_each_rule),
        TEST(a_step_may_end_the_idle_spell_it_runs_in),
        TEST(a_rule_that_is_overdue_when_the_mode_is_set_fires_from_the_loop),
        TEST(a_rule_that_is_not_due_yet_counts_from_when_the_connection_became_idle),
        TEST(a_mode_without_idle_rules_disarms_the_moment),
        TEST(a_busy_connection_gets_the_new_idle_rule_when_it_is_idle),
        TEST(a_script_that_runs_goes_on_under_its_own_mode),
        TEST(a_change_of_mode_from_inside_a_step_ends_the_firing),
        TEST(nth_and_reuse_count_the_requests_of_the_connection),
        TEST(times_limits_how_often_a_rule_fires_on_a_connection),
        TEST(a_rule_that_does_not_fit_is_not_counted),
        TEST(over_picks_the_protocol_and_waits_until_it_is_known),
        TEST(delay_closes_a_gate_and_opens_it_after_its_time),
        TEST(the_steps_behind_a_delay_have_their_say_before_the_release),
        TEST(the_last_of_several_gates_releases_the_exchange),
        TEST(hold_never_releases_and_lets_the_next_steps_run),
        TEST(a_delay_that_never_ends_holds),
        TEST(an_answer_outlives_the_mode_it_came_from),
        TEST(steps_for_an_exchange_that_is_over_are_left_out),
        TEST(an_exchange_may_end_inside_a_step),
        TEST(an_exchange_may_be_answered_inside_its_release),
        TEST(resuming_from_inside_a_callback_waits_for_the_loop),
        TEST(steps_by_hand_run_at_once_on_a_connection_of_any_mode),
        TEST(without_memory_a_rule_does_not_fire),
        TEST(without_room_for_a_moment_a_delay_is_given_up_and_ledgered),
        TEST(a_client_cannot_pile_up_scripts_without_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
