/* no_storm: no pass where there may have been more than is allowed, though it was read late, or was
 * never read. */
#include "verdict_outcomes.h"

#define STORM "[{\"no_storm\":{\"attempts\":3,\"within\":\"2s\"}}]"
/* One more attempt that is struck as it is read, on a connection of its own. */
#define TRIED(opened, at, c) opened " " c " open\n" BITTEN(at, c, "x1", "GET /a") GONE(at, c)
/* Four of them, 0.5 s apart, and an answer; the last two somewhat later, as the machine is busy. */
#define BEGINS                                                                                     \
    "10.000 c101 open\n10.000 c101 fin\n10.000 c101 x1 GET /a hangup_call=1\n"                     \
    "10.000 c101 x1 lost\n" GONE("10.000", "c101")

/* What is shifted is at the end of the time, so that it is not counted any more. */
static char *storm(const char *opened, double at)
{
    struct buf out = { 0 };
    buf_printf(&out, BEGINS
               "11.900 c102 open\n11.900 c102 fin\n11.900 c102 x1 GET /a hangup_call=1\n"
               "11.900 c102 x1 lost\n" GONE("11.901",
                                            "c102") "11.950 c103 open\n11.950 c103 fin\n"
                                                    "11.950 c103 x1 GET /a hangup_call=1\n"
                                                    "11.950 c103 x1 lost\n" GONE("11.951", "c103"));
    buf_printf(&out,
               "%s c104 open\n%.4f c104 x1 GET /a hangup_call=1\n%.4f c104 x1 answer\n"
               "20.000 c104 peer_fin\n20.000 c104 connection_end by=client how=fin\n",
               opened, at, at);
    char *text = strndup((const char *)buf_bytes(&out), buf_len(&out));
    buf_free(&out);
    assert_non_null(text);
    return text;
}

static char *says_of(const char *opened, double at)
{
    char *script = storm(opened, at);
    const struct truth t = { "", STORM, script, "", 30000 };
    char *says = rig_judge(&t);
    free(script);
    return says;
}

/* The fourth attempt was sent just before the end of the 2 s, and is read up to `grace` later. */
static void an_attempt_that_is_read_late_makes_no_pass(void **state)
{
    for (int late = 1; late <= 100; late++) {
        char *says = says_of("11.990", 12.0 + late / 1000.0 - 0.0001);
        assert_string_equal(says, "inconclusive no_storm=inconclusive(limit)");
        free(says);
    }
}

static void one_that_was_read_in_time_makes_a_fail(void **state)
{
    char *says = says_of("11.990", 12.0);
    assert_string_equal(says, "fail no_storm=fail");
    free(says);
}

/* A client that opens a connection has begun: that its request comes later is the handshake's
 * doing. */
static void an_attempt_begins_with_its_connection(void **state)
{
    char *says = says_of("11.990", 17.0);
    assert_string_equal(says, "inconclusive no_storm=inconclusive(limit)");
    free(says);
}

static void what_comes_well_behind_the_end_does_not_count(void **state)
{
    char *says = says_of("12.200", 12.201);
    assert_string_equal(says, "pass no_storm=pass");
    free(says);
}

/* The whole of it told late, by up to `grace`: never a pass. */
static void each_event_told_late(void **state)
{
    char *script = storm("11.990", 11.995), *run = rig_run_script(STORM, script);
    struct ledger *l = script_ledger(run);
    for (uint64_t seq = 1; seq <= ledger_last(l); seq++) {
        for (int64_t by = NS_PER_MS; by <= GRACE - 5 * NS_PER_MS; by += NS_PER_MS) {
            const struct feeding late = { .shifted = seq, .by = by, .later = 30 * NS_PER_S };
            struct outcomes now = fed(l, &late);
            assert_int_not_equal(now.list[0], OUTCOME_PASS);
        }
    }
    ledger_destroy(l);
    free(run);
    free(script);
}

/* --- What was never read */

#define UNREAD(at, c)  at " " c " open\n" GONE(at, c)
#define LISTENS_AT(at) at " fault listen class=repairs scope=listener trigger=listen\n"
#define ANSWERED_ON(at, c)                                                                         \
    at " " c " open\n" ANSWERED(at, c, "x1", "GET /a hangup_call=1") GONE("20.000", c)

static const struct truth unseen[] = {
    { "connections on which nothing was read, and each may have been an attempt", STORM,
      BEGINS UNREAD("10.100", "c102") UNREAD("10.200", "c103") ANSWERED_ON("10.300", "c104"),
      "inconclusive~ no_storm=inconclusive(read)~", 30000 },
    { "one such connection is not too many", STORM,
      BEGINS UNREAD("10.100", "c102") ANSWERED_ON("10.300", "c104"), "pass no_storm=pass", 30000 },
    { "a listener that refuses: how often its client tried is not seen", STORM,
      BEGINS "10.100 refuse_syn\n" LISTENS_AT("11.000") ANSWERED_ON("11.500", "c104"),
      "inconclusive~ no_storm=inconclusive(read)~", 30000 },
    { "it refused before", STORM,
      "5.000 refuse_syn\n" LISTENS_AT("6.000") BEGINS ANSWERED_ON("11.500", "c104"),
      "pass no_storm=pass", 30000 },
    { "more went into the hole in which its stream was open", STORM,
      "10.000 c101 open h2\n10.000 c101 x1 GET /a hangup_call=1\n10.000 c101 black_hole\n"
      "10.500 c101 segments_dropped data=4 data_bytes=400 fins=0 first_data=10.500 fault=F\n"
      "11.000 c102 open h2\n" ANSWERED("11.000", "c102", "x1", "GET /a hangup_call=1"),
      "inconclusive~ no_storm=inconclusive(read)~", 30000 },
    { "equal calls at once: one of them may have made most of the attempts", STORM,
      "10.000 c101 open h2\n10.000 c101 x1 GET /a\n10.000 c101 x2 GET /a\n10.010 c101 fin\n"
      "10.010 c101 x1 lost\n10.010 c101 x2 lost\n" GONE(
          "10.011", "c101") "10.050 c102 open h2\n10.050 c102 x1 GET /a\n10.050 c102 x2 GET /a\n"
                            "10.060 c102 fin\n10.060 c102 x1 lost\n10.060 c102 x2 lost\n" GONE(
                                "10.061", "c102") "10.100 c103 open h2\n" ANSWERED("10.100", "c103",
                                                                                   "x1", "GET /a")
                                ANSWERED("10.101", "c103", "x2", "GET /a") GONE("20.000", "c103"),
      "inconclusive no_storm=inconclusive(hangup-call)", 30000 },
    { "attempts that are further apart than a recovery may take, and yet all in its time",
      "[{\"recovered\":{\"within\":\"1s\"}},{\"no_storm\":{\"attempts\":2,\"within\":\"10s\"}}]",
      TRIED("10.000", "10.000", "c101") TRIED("11.500", "11.500", "c102")
          TRIED("13.000", "13.000", "c103") TRIED("14.500", "14.500", "c104"),
      "fail recovered=fail no_storm=inconclusive(hangup-call)", 30000 },
};

static void what_was_not_read_is_no_pass(void **state)
{
    rig_judge_all(unseen, sizeof unseen / sizeof *unseen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_attempt_that_is_read_late_makes_no_pass),
        cmocka_unit_test(one_that_was_read_in_time_makes_a_fail),
        cmocka_unit_test(an_attempt_begins_with_its_connection),
        cmocka_unit_test(what_comes_well_behind_the_end_does_not_count),
        cmocka_unit_test(each_event_told_late),
        cmocka_unit_test(what_was_not_read_is_no_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
