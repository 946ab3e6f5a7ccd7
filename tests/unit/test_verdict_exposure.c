/* R2: how calls stand to faults; R7: calls that began before their first request; how calls end;
 * R5. */
#include "verdict_scenarios.h"

static void calls_stand_to_faults_so(void **state)
{
    rig_run_all(exposures, sizeof exposures / sizeof *exposures);
}

static void calls_begin_in_silence(void **state)
{
    rig_run_all(silences, sizeof silences / sizeof *silences);
}

/* --- Times, and ends */

#define MS(n) ((n)*NS_PER_MS)

static void a_wait_goes_from_the_first_syn_to_the_answer(void **state)
{
    struct history *h = rig_script("0.500 drop_syn\n1.000 syn_dropped listener=https peer=a\n"
                                   "4.000 syn_dropped listener=https peer=a\n" C2("8.000")
                                       ANSWERED("8.000", "c2", "x1", "GET /a"));
    struct calls_config config = rig_config();
    struct calls *c = calls_build(h, &config, READING_NARROW);
    assert_int_equal(c->count, 1);
    assert_int_equal(c->calls[0].wait.from, MS(7000));
    assert_int_equal(c->calls[0].wait.to, MS(7000));
    assert_false(c->calls[0].late);
    calls_destroy(c);
    history_destroy(h);
}

static const struct {
    const char *title, *script;
    bool gone, over;
    enum call_state state;
    int64_t ended; /* ms; -1: the client has not ended it */
} ends[] = {
    { "bitten, and the run goes on", "0.000 c1 open\n" BITTEN("1.000", "c1", "x1", "GET /a"), false,
      false, CALL_BITTEN, -1 },
    { "bitten, and the run is over", "0.000 c1 open\n" BITTEN("1.000", "c1", "x1", "GET /a"), false,
      true, CALL_UNDECIDED, -1 },
    { "bitten, the client's process gone, a connection left",
      "0.000 c1 open\n" BITTEN("1.000", "c1", "x1", "GET /a"), true, true, CALL_UNDECIDED, -1 },
    { "bitten, the client's process and connections gone",
      "0.000 c1 open\n" BITTEN(
          "1.000", "c1", "x1",
          "GET /a") "1.500 c1 peer_fin\n1.500 c1 connection_end by=fault how=fin\n",
      true, true, CALL_GIVEN_UP, 1500 },
    { "43: a POST that is lost, and the client ends its side",
      "0.000 c1 open\n" BITTEN("1.000", "c1", "x1", "POST /a") "1.200 c1 peer_fin\n", false, false,
      CALL_BITTEN, 1200 },
    { "21 of the cells: it gives up a stall",
      "0.000 c1 open\n1.000 c1 x1 GET /a\n1.000 c1 stall\n4.000 c1 peer_rst\n"
      "4.000 c1 connection_end by=client how=rst\n",
      true, true, CALL_GIVEN_UP, 4000 },
    { "58: it gives up a handshake",
      "1.000 c1 open\n1.000 c1 client_hello\n1.000 c1 stall trigger=client_hello\n"
      "4.000 c1 peer_fin\n",
      false, false, CALL_BITTEN, 4000 },
    { "nothing befell it, and it goes on", "0.000 c1 open\n1.000 c1 x1 GET /a\n", false, false,
      CALL_OPEN, -1 },
    { "handed, and nothing shows that it came",
      "0.000 c1 open\n1.000 c1 x1 GET /a\n1.000 c1 x1 response_end status=200\n"
      "1.100 c1 connection_end by=client how=rst\n",
      false, true, CALL_DOUBTFUL, -1 },
};

static void a_call_ends_so(void **state)
{
    bool all = true;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct history *h = rig_script(ends[i].script);
        struct calls_config config = rig_config();
        config.client_gone = ends[i].gone ? history_age(h) : NEVER;
        config.over = ends[i].over;
        struct calls *c = calls_build(h, &config, READING_NARROW);
        int64_t ended = ends[i].ended < 0 ? NEVER : MS(ends[i].ended);
        if (c->count != 1 || c->calls[0].state != ends[i].state ||
            c->calls[0].ended_by_client != ended) {
            print_error("%s: %s, ended %jd\n", ends[i].title, rig_state[c->calls[0].state],
                        (intmax_t)c->calls[0].ended_by_client);
            all = false;
        }
        calls_destroy(c);
        history_destroy(h);
    }
    assert_true(all);
}

/* --- R5 */

static const struct {
    const char *title, *script;
    enum tri repeatable, risky;
} repeats[] = {
    { "a GET that is lost", "0.000 c1 open\n" BITTEN("1.000", "c1", "x1", "GET /a"), TRI_YES,
      TRI_NO },
    { "a PUT that is lost", "0.000 c1 open\n" BITTEN("1.000", "c1", "x1", "PUT /a"), TRI_YES,
      TRI_NO },
    { "43, 46: a POST that is lost", "0.000 c1 open\n" BITTEN("1.000", "c1", "x1", "POST /a"),
      TRI_NO, TRI_YES },
    { "47: a POST of which the server read nothing but the head",
      "0.000 c1 open\n1.000 c1 rst\n1.000 c1 x1 POST /a -whole\n1.000 c1 x1 lost\n", TRI_NO,
      TRI_YES },
    { "a POST with a key",
      "0.000 c1 open\n" BITTEN("1.000", "c1", "x1", "POST /a idempotency_key=k"), TRI_YES, TRI_NO },
    { "a POST that REFUSED_STREAM refused",
      "0.000 c1 open h2\n1.000 c1 x1 refuse\n1.000 c1 x1 POST /a stream=1\n1.000 c1 x1 lost\n",
      TRI_YES, TRI_NO },
    { "a POST above GOAWAY's last stream",
      "0.000 c1 open h2\n1.000 c1 x1 POST /a stream=1\n1.000 c1 goaway last_stream=0\n", TRI_YES,
      TRI_NO },
    { "a POST that GOAWAY promised to serve",
      "0.000 c1 open h2\n1.000 c1 x1 POST /a stream=1\n1.000 c1 goaway last_stream=1\n"
      "1.100 c1 fin\n",
      TRI_NO, TRI_YES },
    { "a POST that RST_STREAM ended",
      "0.000 c1 open h2\n1.000 c1 x1 POST /a stream=1\n1.000 c1 x1 rst_stream\n1.000 c1 x1 lost\n",
      TRI_NO, TRI_YES },
    { "a POST that got 425",
      "0.000 c1 open\n1.000 c1 x1 POST /a\n1.000 c1 x1 respond\n1.000 c1 x1 answer 425\n", TRI_YES,
      TRI_NO },
    { "a POST that got 503",
      "0.000 c1 open\n1.000 c1 x1 POST /a\n1.000 c1 x1 respond\n1.000 c1 x1 answer 503\n", TRI_NO,
      TRI_YES },
    { "49: nothing is lost", "0.000 c1 open\n1.000 c1 x1 POST /a\n1.000 c1 x1 answer\n", TRI_YES,
      TRI_NO },
    { "what was never read",
      "0.000 c1 open\n3.000 c1 black_hole\n4.000 c1 segments_dropped segments=1\n", TRI_UNKNOWN,
      TRI_UNKNOWN },
    { "a SYN that was dropped", "0.500 drop_syn\n1.000 syn_dropped listener=https peer=a\n",
      TRI_UNKNOWN, TRI_UNKNOWN },
};

static void a_call_may_be_repeated_by_what_its_client_could_know(void **state)
{
    bool all = true;
    for (size_t i = 0; i < sizeof repeats / sizeof *repeats; i++) {
        struct history *h = rig_script(repeats[i].script);
        struct calls_config config = rig_config();
        struct calls *c = calls_build(h, &config, READING_NARROW);
        assert_int_equal(c->count, 1);
        enum tri repeatable = repeat_call(h, c, &c->calls[0]);
        enum tri risky = repeat_call_risky(h, c, &c->calls[0]);
        if (repeatable != repeats[i].repeatable || risky != repeats[i].risky) {
            print_error("%s: %d, %d\n", repeats[i].title, repeatable, risky);
            all = false;
        }
        calls_destroy(c);
        history_destroy(h);
    }
    assert_true(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_stand_to_faults_so),
        cmocka_unit_test(calls_begin_in_silence),
        cmocka_unit_test(a_wait_goes_from_the_first_syn_to_the_answer),
        cmocka_unit_test(a_call_ends_so),
        cmocka_unit_test(a_call_may_be_repeated_by_what_its_client_could_know),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
