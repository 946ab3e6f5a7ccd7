/* test_mode_steps.c - what the steps of a rule do on a connection, and what is ledgered of them
 * when they do it, when they do nothing, and when they cannot. */
#include "harness/mode_rig.h"

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
        { "'goaway'", "goaway "
                      "{\"error\":\"NO_ERROR\",\"last\":\"seen\",\"debug\":\"\",\"then_hold\":"
                      "false,\"barrier\":false}) "
                      "goaway(0 0 0 \"\") " },
        { "{'goaway': 'ENHANCE_YOUR_CALM'}",
          "goaway "
          "{\"error\":\"ENHANCE_YOUR_CALM\",\"last\":\"seen\",\"debug\":\"\",\"then_hold\":false,"
          "\"barrier\":false}) "
          "goaway(11 0 0 \"\") " },
        { "{'goaway': {'error': 13, 'last': '-2', 'debug': 'no'}}",
          "goaway "
          "{\"error\":13,\"last\":\"-2\",\"debug\":\"no\",\"then_hold\":false,\"barrier\":false}) "
          "goaway(13 3 "
          "-2 \"no\") " },
        { "{'goaway': {'last': 'none'}}", "goaway "
                                          "{\"error\":\"NO_ERROR\",\"last\":\"none\",\"debug\":"
                                          "\"\",\"then_hold\":false,\"barrier\":false}) "
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
        { "{'goaway': {'then_hold': true}}", "goaway "
                                             "{\"error\":\"NO_ERROR\",\"last\":\"seen\",\"debug\":"
                                             "\"\",\"then_hold\":true,\"barrier\":false}) "
                                             "goaway(0 0 0 \"\") hold_streams=1 " },
        { "{'goaway': {'last': 5}}", "goaway "
                                     "{\"error\":\"NO_ERROR\",\"last\":5,\"debug\":\"\",\"then_"
                                     "hold\":false,\"barrier\":false}) goaway(0 "
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
                    "connection is cleartext) ");
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
                    "too late: its FIN was already sent) ");
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
                    "skipped: it belongs to TLS, and the connection is cleartext) "
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
        "\"debug\":\"\",\"then_hold\":false,\"barrier\":false} late=0ms too late: "
        "the connection was "
        "already stalled) ");
    assert_int_equal(conn.goaway_at, TIME_NONE);
}

/* A step that did nothing is no fault, whoever it is that does nothing. */
static void a_step_that_does_nothing_is_missed(void **state)
{
    static const char http2[] = "too late: HTTP/2 had already ended on the connection",
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
          "too late: a TLS close_notify or a fatal alert had been sent", .notified = true },
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
                    "ping(00..00) done(conn=7 ping too late: HTTP/2 had already ended on the "
                    "connection) ");
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
        TEST(a_goaway_notes_its_time),
        TEST(a_verb_that_comes_too_late_is_ledgered_and_not_told),
        TEST(a_verb_that_the_kernel_refuses_is_ledgered),
        TEST(a_resume_with_nothing_to_resume_says_so),
        TEST(close_notify_on_a_clear_connection_is_skipped_and_ledgered),
        TEST(a_goaway_on_a_connection_that_was_ended_is_too_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
