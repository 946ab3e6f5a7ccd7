/* From which connections something may still come (run_is_awaited): not from one that a fault keeps
 * silent for good when its client has left. What runs, waits or would bring it back counts, and so
 * does a client that is still there.
 */
#include "harness/run_peer.h"

#include "wire/caps.h"

#define GET "GET /api/entitlement/get HTTP/1.1\r\nHost: x\r\n\r\n"

static struct peer peer;

enum leaving { STAYS, FIN, RST };

static void leave(enum leaving how)
{
    const struct linger at_once = { .l_onoff = 1 };
    if (how == STAYS)
        return;
    if (how == RST)
        assert_int_equal(setsockopt(peer.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    if (how == RST)
        close(peer.fd);
    else
        shutdown(peer.fd, SHUT_WR);
    if (how == RST)
        peer.fd = socket(AF_INET, SOCK_STREAM, 0); /* for close_peer */
}

static bool becomes(bool awaited)
{
    int64_t until = clock_now() + 2 * NS_PER_S;
    while (run_is_awaited(run) != awaited && clock_now() < until)
        uv_run(&loop, UV_RUN_NOWAIT);
    return run_is_awaited(run) == awaited;
}

static void stays(bool awaited, const char *what)
{
    int64_t until = clock_now() + 60 * NS_PER_MS;
    while (clock_now() < until) {
        uv_run(&loop, UV_RUN_NOWAIT);
        if (run_is_awaited(run) != awaited)
            fail_msg("%s: it is %sawaited", what, awaited ? "not " : "");
    }
}

#define ON(trigger, steps) "[{\"on\":" trigger ",\"do\":[" steps "]}]"
#define AFTER(ms)          "\"idle\",\"after\":\"" ms "\""
#define NEVER_AGAIN        ",{\"wait\":\"never\"},"

static const struct row {
    const char *rules, *fault; /* the step after which it asks again and leaves */
    enum leaving how;
    bool awaited;
} rows[] = {
    { ON(AFTER("5ms"), "\"stall\""), "stall", FIN, false },
    { ON(AFTER("5ms"), "\"stall\""), "stall", STAYS, true },
    { ON(AFTER("5ms"), "\"stall\"" NEVER_AGAIN "\"resume\""), "stall", FIN, false },
    { ON(AFTER("5ms"), "\"stall\",{\"wait\":\"60s\"},\"resume\""), "stall", FIN, true },
    { ON(AFTER("5ms"), "\"stall\",{\"wait\":\"60s\"},\"fin\""), "stall", FIN, true },
    { "[{\"on\":\"idle\",\"after\":\"5ms\",\"do\":[\"stall\"]},"
      "{\"on\":\"mark\",\"name\":\"a\",\"do\":[\"resume\"]}]",
      "stall", FIN, true },
    { "[{\"on\":\"idle\",\"after\":\"5ms\",\"do\":[\"stall\"]},"
      "{\"on\":\"age\",\"after\":\"60s\",\"do\":[\"resume\"]}]",
      "stall", FIN, true },
    { "[{\"on\":\"idle\",\"after\":\"5ms\",\"do\":[\"stall\"]},"
      "{\"on\":\"request\",\"do\":[{\"delay\":\"60s\"}],\"nth\":\"1\"}]",
      NULL, FIN, true }, /* it is not answered yet, and so not idle */
    { ON(AFTER("5ms"), "\"black_hole\""), "black_hole", FIN, false },
    { ON(AFTER("5ms"), "\"black_hole\""), "black_hole", RST, false },
    { ON(AFTER("5ms"), "\"black_hole\""), "black_hole", STAYS, true },
    { ON(AFTER("5ms"), "\"black_hole\"" NEVER_AGAIN "\"heal\""), "black_hole", FIN, false },
    { ON(AFTER("5ms"), "\"black_hole\",{\"wait\":\"60s\"},\"heal\""), "black_hole", FIN, true },
    { "[{\"on\":\"idle\",\"after\":\"5ms\",\"do\":[\"black_hole\"]},"
      "{\"on\":\"mark\",\"name\":\"a\",\"do\":[\"heal\"]}]",
      "black_hole", RST, true },
};

static void begin(const struct row *row)
{
    set_rules(row->rules);
    open_peer(&peer, CLEARTEXT, H1);
    peer_record(&peer, GET, sizeof GET - 1);
    peer_send_out(&peer);
    if (row->fault && !peer_sees(&peer, "fault_done", 1))
        fail_msg("%s: no fault", row->rules);
    stays(true, row->rules); /* its client is there */
}

static void end(void)
{
    run_abort(run);
    if (!peer_sees(&peer, "connection_end", 1))
        fail_msg("no connection_end");
    close_peer(&peer);
}

static void what_its_client_left_in_silence_is_not_awaited(void **state)
{
    for (const struct row *row = rows; row < rows + COUNT(rows); row++) {
        bool hole = row->fault && strcmp(row->fault, "black_hole") == 0;
        if (hole && !(caps_have(CAP_BLACK_HOLE) && caps_have(CAP_TAP)))
            continue;
        begin(row);
        if (row->fault) {
            peer_record(&peer, GET, sizeof GET - 1);
            peer_send_out(&peer);
        }
        leave(row->how);
        if (!row->awaited && !becomes(false))
            fail_msg("%s: it is still awaited", row->rules);
        stays(row->awaited, row->rules);
        end();
    }
}

/* Another mode for all may change what waits, and one without silence ends it. */
static void what_is_set_for_all_is_awaited(void **state)
{
    begin(&rows[0]);
    leave(FIN);
    assert_true(becomes(false));
    set_rules(ON("\"mark\",\"name\":\"a\"", "\"resume\""));
    assert_true(run_is_awaited(run));
    end();
}

/* Another connection, whose client may ask again, counts. */
static void a_connection_beside_it_is_awaited(void **state)
{
    begin(&rows[0]);
    leave(FIN);
    assert_true(becomes(false));
    struct peer first = peer;
    open_peer(&peer, CLEARTEXT, H1);
    assert_true(becomes(true));
    end();
    close_peer(&first);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, rig_reset)
    const struct CMUnitTest tests[] = {
        TEST(what_its_client_left_in_silence_is_not_awaited),
        TEST(what_is_set_for_all_is_awaited),
        TEST(a_connection_beside_it_is_awaited),
    };
    return cmocka_run_group_tests_name("awaited", tests, rig_start, rig_stop);
}
