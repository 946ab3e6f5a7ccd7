/* test_mode_exchange.c - steps on an exchange: gates, other answers, headers, streams, and places
 * in a response.
 */
#include "harness/memory.h"
#include "harness/mode_rig.h"

/* --- Gates and answers */

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
    assert_happened("fault(conn=7 ex=1 test rule=0 request rst {\"drain\":false} late=0ms) rst "
                    "silenced(for ever) ");
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

static void steps_for_an_exchange_that_is_over_are_missed(void **state)
{
    open_connection("[{'on': 'request', 'do': [{'delay': '1s'}, {'respond': 500}, 'stall']}]");
    BEGIN(mx, 3);
    mode_fire(&conn, ON_COMPLETE, mx);
    forget_what_happened();
    mode_exchange_over(mx); /* the client reset the stream */
    memset(mx, 0xee, sizeof *mx);
    time_passes(1 * S);
    assert_happened("missed(conn=7 ex=3 test rule=0 request respond {\"status\":500,"
                    "\"headers\":{},\"body\":\"\"} late=0ms too late: the exchange was over) "
                    "fault(conn=7 ex=3 test rule=0 request stall late=0ms) stall "
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
                    "fault(conn=7 ex=1 test rule=0 request rst {\"drain\":false} late=0ms) rst "
                    "silenced(for ever) ");
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
    assert_happened("released(1) fault(conn=7 ex=1 test rule=1 response rst {\"drain\":false}) rst "
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

/* --- Headers */

/* What is set, newest first: "name: value; ". */
static const char *headers_set(const struct mode_exchange *mx)
{
    static char text[256];
    text[0] = '\0';
    for (const struct mode_header *m = mx->set; m; m = m->next) {
        strncat(text, m->header->name, m->header->name_len);
        strcat(text, ": ");
        strncat(text, m->header->value, m->header->value_len);
        strcat(text, "; ");
    }
    return text;
}

static void headers_are_set_newest_first(void **state)
{
    open_connection("[{'on': 'request', 'do': [{'header': {'name': 'X-A', 'value': 'one'}},"
                    "   {'header': {'name': 'X-B', 'value': ''}}]},"
                    " {'on': 'response', 'at': 'start', 'do': [{'header': {'name': 'x-a', 'value':"
                    "   'two'}}]}]");
    BEGIN(mx, 1);
    assert_null(mx->set);
    mode_fire(&conn, ON_COMPLETE, mx);
    mode_fire(&conn, ON_RESPONSE_START, mx);
    assert_string_equal(headers_set(mx), "x-a: two; X-B: ; X-A: one; ");
    assert_happened(
        "fault(conn=7 ex=1 test rule=0 request header {\"name\":\"X-A\",\"value\":\"one\","
        "\"stay\":false}) fault(conn=7 ex=1 test rule=0 request header {\"name\":\"X-B\","
        "\"value\":\"\",\"stay\":false}) fault(conn=7 ex=1 test rule=1 response header "
        "{\"name\":\"x-a\",\"value\":\"two\",\"stay\":false}) ");
    mode_exchange_over(mx);
    assert_null(mx->set);
}

static void headers_and_an_answer_outlive_the_modes_they_came_from(void **state)
{
    open_connection("[{'on': 'request', 'at': 'headers', 'do': [{'header': {'name': 'X-A',"
                    "  'value': 'one'}}]}]");
    BEGIN(mx, 1);
    mode_fire(&conn, ON_HEADERS, mx);
    set_mode("[{'on': 'request', 'do': [{'respond': 503}, {'header': {'name': 'X-B',"
             "  'value': 'two'}}]}]");
    mode_fire(&conn, ON_COMPLETE, mx);
    set_mode("[]");
    assert_string_equal(headers_set(mx), "X-B: two; X-A: one; ");
    assert_int_equal(mx->instead->status, 503);
    forget_what_happened();
    mode_exchange_over(mx);
}

static void letting_an_exchange_go_forgets_all_that_rules_gave(void **state)
{
    open_connection("[{'on': 'request', 'do': ['close_notify', {'header': {'name': 'X-A', 'value':"
                    "   'b'}}, {'respond': 500}, 'hold']}, {'on': 'request', 'do': [{'delay':"
                    "   '1s'}]}]");
    BEGIN(mx, 1);
    mode_fire(&conn, ON_COMPLETE, mx);
    assert_int_equal(mx->gates, 2);
    mode_conn_stop_scripts(&conn);
    mode_exchange_open_gates(mx);
    assert_int_equal(mx->gates, 0);
    assert_null(mx->set);
    assert_null(mx->instead);
    forget_what_happened();
    time_passes(2 * S);
    assert_happened("");
    mode_exchange_over(mx);
}

static void without_memory_a_header_is_left_out_and_ledgered(void **state)
{
    open_connection("[{'on': 'request', 'do': [{'header': {'name': 'X-A', 'value': 'b'}}]}]");
    BEGIN(mx, 1);
    memory_ends_after(1); /* the script, but not the header */
    mode_fire(&conn, ON_COMPLETE, mx);
    memory_restore();
    assert_null(mx->set);
    assert_happened("fault(conn=7 ex=1 test rule=0 request header {\"name\":\"X-A\",\"value\":"
                    "\"b\",\"stay\":false}) done(conn=7 ex=1 header Cannot allocate memory) ");
    mode_exchange_over(mx);
}

/* --- Streams */

static void a_stream_is_reset_with_the_code_given(void **state)
{
    open_connection("[{'on': 'request', 'over': 'h2', 'nth': 1, 'do': [{'rst_stream': 'CANCEL'}]},"
                    " {'on': 'request', 'over': 'h2', 'nth': 2, 'do': ['refuse']}]");
    BEGIN(one, 1);
    BEGIN(two, 2);
    mode_fire(&conn, ON_COMPLETE, one);
    mode_fire(&conn, ON_COMPLETE, two);
    assert_happened("fault(conn=7 ex=1 test rule=0 request rst_stream {\"error\":\"CANCEL\"}) "
                    "rst_stream(1 8) fault(conn=7 ex=2 test rule=1 request refuse) "
                    "rst_stream(3 7) ");
    wire.state = WIRE_STALLED;
    mode_fire(&conn, ON_COMPLETE, two);
    assert_happened("missed(conn=7 ex=2 test rule=1 request refuse too late: the connection was "
                    "already stalled) ");
    mode_exchange_over(one);
    mode_exchange_over(two);
}

static void an_exchange_that_its_reset_ends_is_left_alone(void **state)
{
    open_connection("[{'on': 'request', 'over': 'h2', 'do': [{'delay': '1s'}, 'refuse', 'stall']},"
                    " {'on': 'request', 'over': 'h2', 'do': [{'delay': '2s'}, {'respond': 500}]}]");
    BEGIN(mx, 1);
    dying = mx;
    on_rst_stream = exchange_dies;
    mode_fire(&conn, ON_COMPLETE, mx);
    forget_what_happened();
    time_passes(3 * S);
    assert_happened("fault(conn=7 ex=1 test rule=0 request refuse late=0ms) rst_stream(1 7) "
                    "fault(conn=7 ex=1 test rule=0 request stall late=0ms) stall "
                    "silenced(for now) missed(conn=7 ex=1 test rule=1 request respond "
                    "{\"status\":500,\"headers\":{},\"body\":\"\"} late=0ms too late: the "
                    "exchange was over) ");
}

/* --- Places in a response */

static void the_next_place_is_the_nearest_that_fits(void **state)
{
    open_connection("[{'on': 'response', 'at': {'bytes': 700}, 'do': ['close_notify']},"
                    " {'on': 'response', 'at': {'bytes': 9}, 'nth': 2, 'do': ['close_notify']},"
                    " {'on': 'response', 'at': {'bytes': 5}, 'over': 'h1', 'do': ['stall']},"
                    " {'on': 'response', 'at': {'bytes': 6}, 'connection': 2, 'do': ['stall']},"
                    " {'on': 'response', 'at': {'bytes': 800}, 'times': 1, 'do': ['close_notify']},"
                    " {'on': 'response', 'at': {'content': 0}, 'do': ['close_notify']}]");
    conn.number = 1;
    BEGIN(one, 1);
    BEGIN(two, 2);
    assert_int_equal(mode_next_place(&conn, one, ON_RESPONSE_BYTES, -1), 700);
    assert_int_equal(mode_next_place(&conn, two, ON_RESPONSE_BYTES, -1), 9);
    assert_int_equal(mode_next_place(&conn, two, ON_RESPONSE_BYTES, 9), 700);
    assert_int_equal(mode_next_place(&conn, one, ON_RESPONSE_BYTES, 700), 800);
    mode_fire_at(&conn, ON_RESPONSE_BYTES, one, 800);
    assert_int_equal(mode_next_place(&conn, one, ON_RESPONSE_BYTES, 700), -1); /* times */
    assert_int_equal(mode_next_place(&conn, one, ON_RESPONSE_CONTENT, -1), 0);
    assert_int_equal(mode_next_place(&conn, one, ON_RESPONSE_CONTENT, 0), -1);
    conn.number = 2;
    assert_int_equal(mode_next_place(&conn, one, ON_RESPONSE_BYTES, -1), 6);
    conn.over = OVER_H1;
    assert_int_equal(mode_next_place(&conn, one, ON_RESPONSE_BYTES, -1), 5);
    set_mode("[]");
    assert_int_equal(mode_next_place(&conn, one, ON_RESPONSE_BYTES, -1), -1);
    forget_what_happened();
    mode_exchange_over(one);
    mode_exchange_over(two);
}

static void rules_fire_at_their_place_alone(void **state)
{
    open_connection("[{'on': 'response', 'at': {'bytes': 9}, 'do': ['close_notify']},"
                    " {'on': 'response', 'at': {'bytes': 10}, 'do': ['stall']},"
                    " {'on': 'response', 'at': {'content': 9}, 'do': ['rst']},"
                    " {'on': 'response', 'at': {'bytes': 9}, 'nth': 2, 'do': ['rst']}]");
    BEGIN(mx, 1);
    mode_fire_at(&conn, ON_RESPONSE_BYTES, mx, 8);
    assert_happened("");
    mode_fire_at(&conn, ON_RESPONSE_BYTES, mx, 9);
    assert_happened("fault(conn=7 ex=1 test rule=0 response close_notify) close_notify ");
    mode_fire_at(&conn, ON_RESPONSE_BYTES, mx, 10);
    assert_happened("fault(conn=7 ex=1 test rule=1 response stall) stall silenced(for now) ");
    mode_exchange_over(mx);
}

static void a_delay_in_a_response_gates_it_and_releases_it(void **state)
{
    open_connection("[{'on': 'response', 'at': {'content': 0}, 'do': [{'delay': '1s'}]},"
                    " {'on': 'response', 'at': {'content': 9}, 'do': ['hold']}]");
    BEGIN(mx, 1);
    mode_fire_at(&conn, ON_RESPONSE_CONTENT, mx, 0);
    assert_int_equal(mx->gates, 1);
    forget_what_happened();
    time_passes(1 * S);
    assert_happened("released(1) ");
    assert_int_equal(mx->gates, 0);
    mode_fire_at(&conn, ON_RESPONSE_CONTENT, mx, 9);
    time_passes(1000 * S);
    assert_int_equal(mx->gates, 1);
    assert_happened("fault(conn=7 ex=1 test rule=1 response hold) ");
    mode_exchange_over(mx);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(delay_closes_a_gate_and_opens_it_after_its_time),
        TEST(the_steps_behind_a_delay_have_their_say_before_the_release),
        TEST(the_last_of_several_gates_releases_the_exchange),
        TEST(hold_never_releases_and_lets_the_next_steps_run),
        TEST(a_delay_that_never_ends_holds),
        TEST(an_answer_outlives_the_mode_it_came_from),
        TEST(steps_for_an_exchange_that_is_over_are_missed),
        TEST(an_exchange_may_end_inside_a_step),
        TEST(an_exchange_may_be_answered_inside_its_release),
        TEST(resuming_from_inside_a_callback_waits_for_the_loop),
        TEST(headers_are_set_newest_first),
        TEST(headers_and_an_answer_outlive_the_modes_they_came_from),
        TEST(letting_an_exchange_go_forgets_all_that_rules_gave),
        TEST(without_memory_a_header_is_left_out_and_ledgered),
        TEST(a_stream_is_reset_with_the_code_given),
        TEST(an_exchange_that_its_reset_ends_is_left_alone),
        TEST(the_next_place_is_the_nearest_that_fits),
        TEST(rules_fire_at_their_place_alone),
        TEST(a_delay_in_a_response_gates_it_and_releases_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
