/* test_mode_runtime.c - rules at work on a connection: order, ledgering, time, gates. */
#include "harness/memory.h"
#include "harness/mode_rig.h"

/* --- Order and the ledger */

static void a_fault_is_ledgered_then_done_then_told(void **state)
{
    open_connection("[{'on': 'idle', 'after': '3s', 'do': [{'fin': {'notify': true}}]}]");
    mode_idle(&conn, now);
    time_passes(3 * S);
    assert_happened("fault(conn=7 test rule=0 idle fin "
                    "{\"notify\":true,\"linger\":\"0s\",\"exact\":false} late=0ms) fin(1) "
                    "silenced(for ever) ");
}

static void each_step_is_ledgered_with_its_arguments_and_its_verb_called(void **state)
{
    static const struct {
        const char *step, *happened;
    } table[] = {
        { "'fin'",
          "fin {\"notify\":false,\"linger\":\"0s\",\"exact\":false}) fin(0) silenced(for ever) " },
        { "{'fin': {'linger': '5s'}}", "fin {\"notify\":false,\"linger\":\"5s\",\"exact\":false}) "
                                       "linger(5000000000) fin(0) silenced(for ever) " },
        { "'rst'", "rst {\"drain\":false}) rst silenced(for ever) " },
        { "'forget'", "forget {\"exact\":false}) forget(0) silenced(for ever) " },
        { "{'forget': {'exact': true}}", "forget {\"exact\":true}) forget(1) silenced(for ever) " },
        { "'black_hole'", "black_hole) black_hole silenced(for now) " },
        { "'heal'", "heal) heal resumed " },
        { "'stall'", "stall) stall silenced(for now) " },
        { "'resume'", "resume) resume resumed " },
        { "'goaway_notice'", "goaway_notice) goaway_notice " },
        { "'close_notify'", "close_notify) close_notify " },
        { "'goaway'",
          "goaway {\"error\":\"NO_ERROR\",\"last\":\"seen\",\"debug\":\"\",\"then_hold\":false}) "
          "goaway(0 0 0 \"\") " },
        { "{'goaway': 'ENHANCE_YOUR_CALM'}",
          "goaway "
          "{\"error\":\"ENHANCE_YOUR_CALM\",\"last\":\"seen\",\"debug\":\"\",\"then_hold\":false}) "
          "goaway(11 0 0 \"\") " },
        { "{'goaway': {'error': 13, 'last': '-2', 'debug': 'no'}}",
          "goaway {\"error\":13,\"last\":\"-2\",\"debug\":\"no\",\"then_hold\":false}) goaway(13 3 "
          "-2 \"no\") " },
        { "{'goaway': {'last': 'none'}}",
          "goaway {\"error\":\"NO_ERROR\",\"last\":\"none\",\"debug\":\"\",\"then_hold\":false}) "
          "goaway(0 1 0 \"\") " },
        { "{'rst': {'drain': true}}", "rst {\"drain\":true}) rst_drained silenced(for ever) " },
        { "'alert'", "alert {\"description\":\"internal_error\",\"level\":\"fatal\"}) "
                     "alert(fatal 80) " },
        { "{'alert': {'description': 'no_application_protocol', 'level': 'warning'}}",
          "alert {\"description\":\"no_application_protocol\",\"level\":\"warning\"}) "
          "alert(warning 120) " },
        { "{'alert': 'unexpected_message'}",
          "alert {\"description\":\"unexpected_message\",\"level\":\"fatal\"}) "
          "alert(fatal 10) " },
        { "{'throttle': 100}", "throttle {\"rate\":100}) throttle(100) " },
        { "{'throttle': 1000000000}", "throttle {\"rate\":1000000000}) throttle(1000000000) " },
        { "{'throttle': 8}", "throttle {\"rate\":8}) throttle(8) " },
        { "{'throttle': 0}", "throttle {\"rate\":0}) throttle(0) " },
        { "{'drip': {'chunk': 20, 'every': '500ms'}}",
          "drip {\"chunk\":20,\"every\":\"500ms\"}) pace(20/500000us) " },
        { "'drip'", "drip {\"chunk\":1,\"every\":\"1s\"}) pace(1/1000000us) " },
        { "{'cut': 700}", "cut {\"after\":700,\"how\":\"fin\"}) cut(700 0) " },
        { "{'cut': {'after': 1099511627776, 'how': 'stall'}}",
          "cut {\"after\":1099511627776,\"how\":\"stall\"}) cut(1099511627776 2) " },
        { "{'cut': {'after': 0, 'how': 'rst'}}", "cut {\"after\":0,\"how\":\"rst\"}) cut(0 1) " },
        { "{'inject': 'ab c'}", "inject {\"text\":\"ab c\",\"hex\":\"\",\"tls\":true}) "
                                "inject(4 \"ab c\" tls) " },
        { "{'inject': {'hex': '4142', 'tls': false}}",
          "inject {\"text\":\"\",\"hex\":\"4142\",\"tls\":false}) inject(2 \"AB\" socket) " },
        { "{'ping': 'ab000000000000CD'}", "ping {\"opaque\":\"ab000000000000CD\"}) ping(ab..cd) " },
        { "'ignore_pings'", "ignore_pings {\"on\":true}) ignore_pings=1 " },
        { "{'ignore_settings': false}", "ignore_settings {\"on\":false}) ignore_settings=0 " },
        { "{'max_streams': 1}", "max_streams {\"count\":1}) max_streams=1 " },
        { "{'goaway': {'then_hold': true}}",
          "goaway {\"error\":\"NO_ERROR\",\"last\":\"seen\",\"debug\":\"\",\"then_hold\":true}) "
          "goaway(0 0 0 \"\") hold_streams=1 " },
        { "{'goaway': {'last': 5}}",
          "goaway {\"error\":\"NO_ERROR\",\"last\":5,\"debug\":\"\",\"then_hold\":false}) goaway(0 "
          "2 5 \"\") " },
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

static void a_goaway_may_hold_all_responses(void **state)
{
    open_connection("[{'on': 'age', 'after': '1s', 'over': 'h2', 'do': ['goaway']},"
                    " {'on': 'age', 'after': '2s', 'over': 'h2', 'do': [{'goaway':"
                    "   {'then_hold': true}}]}]");
    time_passes(1 * S);
    assert_false(conn.held);
    time_passes(1 * S);
    assert_true(conn.held);
}

static void a_window_is_said_when_it_differs_from_the_one_in_force(void **state)
{
    open_connection("[{'on': 'age', 'after': '1s', 'over': 'h2', 'do': [{'window': {}},"
                    "   {'window': {'initial': 0, 'update': false}},"
                    "   {'window': {'initial': 0}}, {'window': {}}]}]");
    time_passes(1 * S);
    assert_happened(
        "fault(conn=7 test rule=0 age window {\"initial\":65535,\"update\":true} late=0ms) "
        "keep_windows=0 "
        "fault(conn=7 test rule=0 age window {\"initial\":0,\"update\":false} late=0ms) "
        "keep_windows=1 initial_window=0 "
        "fault(conn=7 test rule=0 age window {\"initial\":0,\"update\":true} late=0ms) "
        "keep_windows=0 "
        "fault(conn=7 test rule=0 age window {\"initial\":65535,\"update\":true} late=0ms) "
        "keep_windows=0 initial_window=65535 ");
}

static void what_was_answered_goes_out_before_a_step_of_the_wire(void **state)
{
    static const struct {
        const char *rule;
        enum trigger_slot slot;
        unsigned pumps;
    } table[] = {
        { "[{'on': 'request', 'do': ['fin']}]", ON_COMPLETE, 1 },
        { "[{'on': 'response', 'at': 'content:5', 'do': [{'cut': 0}]}]", ON_RESPONSE_CONTENT, 1 },
        { "[{'on': 'response', 'at': 'bytes:5', 'do': ['rst']}]", ON_RESPONSE_BYTES, 1 },
        { "[{'on': 'request', 'do': [{'inject': 'x'}]}]", ON_COMPLETE, 1 },
        { "[{'on': 'request', 'over': 'h2', 'do': ['goaway']}]", ON_COMPLETE, 0 },
        { "[{'on': 'protocol', 'do': ['fin']}]", ON_PROTOCOL, 0 }, /* nothing of HTTP was said */
        { "[{'on': 'handshake', 'do': ['fin']}]", ON_HANDSHAKE, 0 },
        { "[{'on': 'accept', 'do': [{'wait': '1s'}, 'fin']}]", ON_ACCEPT, 1 },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        open_connection(table[i].rule);
        pumps = 0;
        BEGIN(mx, 1);
        mode_fire(&conn, table[i].slot, table[i].slot >= ON_FIRST_BYTE ? mx : NULL);
        time_passes(1 * S);
        assert_true(happened_len > 0);
        assert_int_equal(pumps, table[i].pumps);
        mode_exchange_over(mx);
        forget_what_happened();
    }
}

static void before_tls_bytes_go_straight_onto_the_socket(void **state)
{
    open_connection("[{'on': 'client_hello', 'do': [{'inject': 'x'}]},"
                    " {'on': 'handshake', 'do': [{'inject': 'y'}]}]");
    wire.state = WIRE_HANDSHAKE;
    mode_fire(&conn, ON_CLIENT_HELLO, NULL);
    wire.state = WIRE_OPEN;
    mode_fire(&conn, ON_HANDSHAKE, NULL);
    assert_non_null(strstr(happened, "inject(1 \"x\" socket) "));
    assert_non_null(strstr(happened, "inject(1 \"y\" tls) "));
    forget_what_happened();
}

static void an_alert_on_a_clear_connection_is_skipped_and_ledgered(void **state)
{
    open_connection("[{'on': 'protocol', 'do': ['alert']}]");
    wire.tls = false;
    mode_fire(&conn, ON_PROTOCOL, NULL);
    assert_happened("missed(conn=7 test rule=0 protocol alert {\"description\":\"internal_error\","
                    "\"level\":\"fatal\"} skipped: it belongs to TLS, and the "
                    "connection is clear) ");
}

static void what_the_engine_refuses_is_ledgered(void **state)
{
    open_connection("[{'on': 'protocol', 'over': 'h2', 'do': [{'max_streams': 1}, 'ping']}]");
    engine_outcome = -ENOMEM;
    mode_fire(&conn, ON_PROTOCOL, NULL);
    conn.engine = NULL;
    mode_fire(&conn, ON_PROTOCOL, NULL);
    assert_happened("fault(conn=7 test rule=0 protocol max_streams {\"count\":1}) max_streams=1 "
                    "done(conn=7 max_streams Cannot allocate memory) "
                    "fault(conn=7 test rule=0 protocol ping {\"opaque\":\"0000000000000000\"}) "
                    "ping(00..00) "
                    "missed(conn=7 test rule=0 protocol max_streams {\"count\":1} Operation not "
                    "supported) missed(conn=7 test rule=0 protocol ping "
                    "{\"opaque\":\"0000000000000000\"} Operation not supported) ");
}

static void a_scaled_time_is_ledgered_with_its_scale(void **state)
{
    struct mode_program *program = NULL;
    json_t *document = json_of("{'name': 'test', 'summary': '-', 'rules': [{'on': 'age', 'after':"
                               " '350s', 'do': ['stall']}]}");
    assert_int_equal(mode_compile(document, NULL, false, 0.01, &program, NULL), 0);
    json_decref(document);
    open_connection("[]");
    mode_conn_set(&conn, program);
    mode_unref(program);
    time_passes(3500 * MS);
    assert_happened("fault(conn=7 test rule=0 age stall late=0ms scale=0.01) stall "
                    "silenced(for now) ");
}

static void a_goaway_notes_its_time(void **state)
{
    open_connection("[{'on': 'age', 'after': '2s', 'over': 'h2', 'do': ['goaway']}]");
    assert_int_equal(conn.goaway_at, TIME_NONE);
    time_passes(5 * S);
    assert_int_equal(conn.goaway_at, 1002 * S);
}

static void a_verb_that_comes_too_late_is_ledgered_and_not_told(void **state)
{
    open_connection("[{'on': 'age', 'after': '1s', 'do': ['fin']}]");
    wire.state = WIRE_FIN_SENT;
    wire.outcome = WIRE_TOO_LATE;
    time_passes(1 * S);
    assert_happened("missed(conn=7 test rule=0 age fin "
                    "{\"notify\":false,\"linger\":\"0s\",\"exact\":false} late=0ms "
                    "too late: the connection was already fin_sent) ");
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
    assert_happened(
        "missed(conn=7 test rule=0 age resume late=0ms nothing to do: the connection is "
        "open) ");
}

static void close_notify_on_a_clear_connection_is_skipped_and_ledgered(void **state)
{
    open_connection("[{'on': 'age', 'after': '1s', 'do': ['close_notify', 'fin']}]");
    wire.tls = false;
    time_passes(1 * S);
    assert_happened("missed(conn=7 test rule=0 age close_notify late=0ms "
                    "skipped: it belongs to TLS, and the connection is clear) "
                    "fault(conn=7 test rule=0 age fin "
                    "{\"notify\":false,\"linger\":\"0s\",\"exact\":false} late=0ms) fin(0) "
                    "silenced(for ever) ");
}

static void a_goaway_on_a_connection_that_was_ended_is_too_late(void **state)
{
    open_connection("[{'on': 'age', 'after': '1s', 'over': 'h2', 'do': ['goaway']}]");
    wire.state = WIRE_STALLED;
    time_passes(1 * S);
    assert_happened(
        "missed(conn=7 test rule=0 age goaway {\"error\":\"NO_ERROR\",\"last\":\"seen\","
        "\"debug\":\"\",\"then_hold\":false} late=0ms too late: "
        "the connection was "
        "already stalled) ");
    assert_int_equal(conn.goaway_at, TIME_NONE);
}

/* A step that did nothing is no fault, whoever it is that does nothing. */
static void a_step_that_does_nothing_is_missed(void **state)
{
    static const char http2[] = "too late: HTTP/2 had said its last on the connection",
                      so_already[] = "nothing to do: it is so already";
    static const struct {
        const char *step, *arguments, *why;
        bool silent, already, unpaced, notified;
    } rows[] = {
        { "'ping'", "ping {\"opaque\":\"0000000000000000\"}", http2, .silent = true },
        { "'goaway_notice'", "goaway_notice", http2, .silent = true },
        { "{'max_streams': 1}", "max_streams {\"count\":1}", http2, .silent = true },
        { "{'ignore_pings': true}", "ignore_pings {\"on\":true}", http2, .silent = true },
        { "'ping'", "ping {\"opaque\":\"0000000000000000\"}",
          "too late: TLS had said its last (a close_notify or a fatal alert)", .notified = true },
        { "{'ignore_pings': true}", "ignore_pings {\"on\":true}", so_already, .already = true },
        { "{'ignore_settings': false}", "ignore_settings {\"on\":false}", so_already,
          .already = true },
        { "{'window': {}}", "window {\"initial\":65535,\"update\":true}", so_already,
          .already = true },
        { "{'throttle': 0}", "throttle {\"rate\":0}", so_already, .unpaced = true },
        { "{'drip': {'chunk': 0, 'every': '1s'}}", "drip {\"chunk\":0,\"every\":\"1s\"}",
          so_already, .unpaced = true },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char rules[160], expected[256];
        snprintf(rules, sizeof rules, "[{'on': 'age', 'after': '1s', 'over': 'h2', 'do': [%s]}]",
                 rows[i].step);
        snprintf(expected, sizeof expected, "missed(conn=7 test rule=0 age %s late=0ms %s) ",
                 rows[i].arguments, rows[i].why);
        open_connection(rules);
        engine_silent = rows[i].silent;
        engine_set_already = rows[i].already;
        wire.unpaced = rows[i].unpaced;
        wire.notified = rows[i].notified;
        time_passes(1 * S);
        engine_silent = engine_set_already = false;
        assert_happened(expected);
    }
}

static void what_the_engine_was_too_late_for_is_not_done(void **state)
{
    open_connection("[{'on': 'protocol', 'over': 'h2', 'do': ['ping']}]");
    engine_outcome = ENGINE_TOO_LATE;
    mode_fire(&conn, ON_PROTOCOL, NULL);
    assert_happened("fault(conn=7 test rule=0 protocol ping {\"opaque\":\"0000000000000000\"}) "
                    "ping(00..00) done(conn=7 ping too late: HTTP/2 had said its last on the "
                    "connection) ");
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
    assert_happened("missed(conn=7 test rule=1 stale rst {\"drain\":false} too late: the "
                    "connection was already fin_sent) ");

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
        "\"debug\":\"\",\"then_hold\":false} late=0ms) goaway(0 2 3 \"\") "
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
        TEST(a_fault_is_ledgered_then_done_then_told),
        TEST(each_step_is_ledgered_with_its_arguments_and_its_verb_called),
        TEST(a_goaway_may_hold_all_responses),
        TEST(a_window_is_said_when_it_differs_from_the_one_in_force),
        TEST(what_was_answered_goes_out_before_a_step_of_the_wire),
        TEST(before_tls_bytes_go_straight_onto_the_socket),
        TEST(an_alert_on_a_clear_connection_is_skipped_and_ledgered),
        TEST(what_the_engine_refuses_is_ledgered),
        TEST(a_step_that_does_nothing_is_missed),
        TEST(what_the_engine_was_too_late_for_is_not_done),
        TEST(a_scaled_time_is_ledgered_with_its_scale),
        TEST(connection_picks_connections_by_their_number),
        TEST(idle_before_picks_requests_after_a_pause),
        TEST(age_picks_requests_on_old_connections),
        TEST(a_goaway_notes_its_time),
        TEST(a_verb_that_comes_too_late_is_ledgered_and_not_told),
        TEST(a_verb_that_the_kernel_refuses_is_ledgered),
        TEST(a_resume_with_nothing_to_resume_says_so),
        TEST(close_notify_on_a_clear_connection_is_skipped_and_ledgered),
        TEST(a_goaway_on_a_connection_that_was_ended_is_too_late),
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
