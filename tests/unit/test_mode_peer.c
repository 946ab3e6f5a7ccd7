/* test_mode_peer.c - rules on what the client says: each, so many, so many within a time, and those
 * that come too soon after one another. */
#include "harness/mode_rig.h"

#define PEER(more) "[{'on': 'peer', 'what': 'ping', 'over': 'h2', " more "'do': ['goaway_notice']}]"
#define FIRED      "fault(conn=7 test rule=0 peer goaway_notice) goaway_notice "

static void ping(uint64_t answers, bool fires)
{
    mode_peer(&conn, FRAME_PING, answers);
    assert_happened(fires ? FIRED : "");
}

static void each_fires_and_nothing_else_does(void **state)
{
    open_connection(PEER(""));
    for (unsigned what = 0; what <= SAID_FIN; what++) {
        mode_peer(&conn, what, 0);
        assert_happened(what == FRAME_PING ? FIRED : "");
    }
    ping(0, true);
    wire.state = WIRE_STALLED;
    ping(0, false);
}

static void a_count_begins_anew_when_it_is_full_and_with_another_mode(void **state)
{
    open_connection(PEER("'count': 3, "));
    for (unsigned i = 1; i <= 9; i++)
        ping(i, i % 3 == 0);
    ping(0, false);
    ping(0, false);
    set_mode(PEER("'count': 3, "));
    ping(0, false);
    ping(0, false);
    ping(0, true);
}

static void times_and_connection_narrow_it(void **state)
{
    open_connection(PEER("'count': 2, 'times': 1, "));
    ping(0, false);
    ping(0, true);
    ping(0, false);
    ping(0, false);
    open_connection(PEER("'count': 2, 'connection': '1000', "));
    ping(0, false);
    ping(0, false);
}

static void within_slides(void **state)
{
    open_connection(PEER("'count': 3, 'within': '10s', "));
    ping(0, false); /* at 0 */
    time_passes(6 * S);
    ping(0, false); /* 6 */
    time_passes(5 * S);
    ping(0, false); /* 11: the first is over */
    time_passes(5 * S);
    ping(0, true);  /* 16: 6, 11, 16 */
    ping(0, false); /* anew */
    time_passes(10 * S);
    ping(0, false);
    ping(0, true); /* the first of these is 10 s old, and counts */
}

static void spacing_counts_what_is_too_soon_and_an_answer_forgives(void **state)
{
    open_connection(PEER("'count': 2, 'spacing': '10s', "));
    ping(0, false); /* there is none before it */
    time_passes(10 * S);
    ping(0, false); /* late enough */
    time_passes(10 * S - 1);
    ping(0, false); /* one */
    time_passes(20 * S);
    ping(0, false); /* late enough, and the one is not forgotten */
    ping(0, true);  /* two */
    ping(0, false); /* one */
    ping(1, false); /* behind an answer: none */
    ping(1, false); /* one */
    ping(1, true);
}

static void spacing_and_within_go_together(void **state)
{
    open_connection(PEER("'count': 2, 'within': '15s', 'spacing': '10s', "));
    ping(0, false);
    time_passes(9 * S);
    ping(0, false); /* one, at 9 */
    time_passes(9 * S);
    ping(0, true); /* two, at 18 */
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(each_fires_and_nothing_else_does),
        TEST(a_count_begins_anew_when_it_is_full_and_with_another_mode),
        TEST(times_and_connection_narrow_it),
        TEST(within_slides),
        TEST(spacing_counts_what_is_too_soon_and_an_answer_forgives),
        TEST(spacing_and_within_go_together),
    };
    memory_for_jansson(true);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
