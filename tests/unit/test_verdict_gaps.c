/* What a verdict goes by may be among the events that are missing: what is expected, the phase,
 * that a request was refused. Then nothing is blamed or passed by what was said before. */
#include "verdict_truths_rules.h"

/* What is said of a script so long after its end, without this event (0: with all). */
static void says_later(const char *expect, const char *script, uint64_t without, int64_t later,
                       const char *says)
{
    char *whole = rig_run_script(expect, script);
    struct ledger *l = script_ledger(whole);
    struct verdict *v = rig_verdict();
    struct ledger_cursor cursor = { .ledger = l };
    struct ledger_record record = { 0 };
    while (ledger_next(&cursor, &record)) {
        if (record.seq != without)
            verdict_feed(v, &record);
    }
    verdict_now(v, record.age + later);
    char *found = rig_says(v);
    assert_string_equal(found, says);
    free(found);
    verdict_destroy(v);
    ledger_destroy(l);
    free(whole);
}

static void says_without(const char *expect, const char *script, uint64_t without, const char *says)
{
    says_later(expect, script, without, 30 * NS_PER_S, says);
}

#define STRUCK_ONCE                                                                                \
    "10.000 c101 open\n" BITTEN("10.000", "c101", "x1", "GET /a") GONE("10.001", "c101")
#define EXIT_OF(at, phase, expected)                                                               \
    at " command_exit exit_status=1 live=0 phase_seq=" phase " expected_seq=" expected "\n"

/* The run began with `recovered`, then `safe_retry` was expected instead (event 2). */
static void what_is_expected_may_have_been_changed(void **state)
{
    const char *changed =
        "0.050 expectations expectations=[\"safe_retry\"] origin=run\n" STRUCK_ONCE EXIT_OF(
            "10.100", "0", "2");
    says_without("[\"recovered\"]", changed, 0, "inconclusive safe_retry=n/a");
    says_without("[\"recovered\"]", changed, 2, "inconclusive recovered=inconclusive(gap)");
}

/* Event 2 says nothing; the last one says by what is judged, or it does not. */
static void a_later_event_says_that_it_was_not(void **state)
{
    const char *told = "0.050 warning why=none\n" STRUCK_ONCE EXIT_OF("10.100", "0", "1");
    const char *untold = "0.050 warning why=none\n" STRUCK_ONCE "10.100 command_exit exit_status=1 "
                         "live=0\n";
    says_without("[\"recovered\"]", told, 0, "fail recovered=fail");
    says_without("[\"recovered\"]", told, 2, "fail recovered=fail");
    says_without("[\"recovered\"]", untold, 0, "fail recovered=fail");
    says_without("[\"recovered\"]", untold, 2, "inconclusive recovered=inconclusive(gap)");
}

/* A reset makes good what was missing, but not what may have been expected since. */
static void a_reset_does_not_bring_back_what_was_expected(void **state)
{
    const char *changed =
        "0.050 expectations expectations=[\"user_wait\"] origin=run\n1.000 cleared\n";
    char again[1024];
    snprintf(again, sizeof again,
             "%s1.010 run_start run=r version=0.1 rules=1 time_scale=1 seed=1 "
             "expectations=[\"safe_retry\"] origin=run\n" STRUCK_ONCE,
             changed);
    says_without("[\"recovered\"]", again, 2, "inconclusive~ safe_retry=n/a~");
    snprintf(again, sizeof again, "%s" STRUCK_ONCE EXIT_OF("10.100", "0", "2"), changed);
    says_without("[\"recovered\"]", again, 2, "inconclusive recovered=inconclusive(gap)");
}

/* All was well in the phase fault; in the phase without, which event 10 begins, it was not. */
static void a_phase_may_have_begun(void **state)
{
    const char *script = "0.100 phase fault expected_seq=1\n" TWICE("GET /a")
        BITTEN("11.000", "c101", "x2", "GET /a")
            GONE("11.004", "c101") "11.005 c102 open\n" ANSWERED("11.005", "c102", "x1", "GET /a")
                GONE("11.050", "c102") "50.000 phase without phase_seq=2 expected_seq=1\n50.100 "
                                       "c103 open\n" BITTEN("50.100", "c103", "x1", "GET /a")
                                           GONE("50.200", "c103");
    struct ledger *l = script_ledger(script);
    uint64_t begun = 0;
    struct ledger_cursor cursor = { .ledger = l };
    struct ledger_record record;
    while (ledger_next(&cursor, &record))
        begun = record.event == EV_PHASE ? record.seq + 1 : begun; /* behind run_start */
    ledger_destroy(l);
    const char *exits[] = { EXIT_OF("50.300", "99", "1"), "" };
    for (int i = 0; i < 2; i++) {
        struct buf out = { 0 };
        buf_printf(&out, "%s%s", script, exits[i]);
        buf_printf(&out, "%c", 0);
        const char *text = (const char *)buf_bytes(&out);
        says_without("[\"recovered\"]", text, 0, "pass recovered=pass");
        says_without("[\"recovered\"]", text, begun,
                     i ? "inconclusive~ recovered=inconclusive(gap)~"
                       : "inconclusive recovered=inconclusive(gap)");
        buf_free(&out);
    }
}

/* A POST that a rule refuses with 408 may be sent again. Whatever is missing, that is no harm. */
static void what_was_refused_may_be_missing(void **state)
{
    const char *script =
        "10.000 c101 open\n10.000 c101 x1 POST /p hangup_call=1\n10.000 c101 x1 respond\n"
        "10.000 c101 x1 answer 408\n"
        "10.020 c102 open\n" ANSWERED("10.020", "c102", "x1", "POST /p hangup_call=1")
            GONE("10.100", "c101") GONE("10.100", "c102") EXIT_OF("10.200", "0", "1");
    says_without("[\"safe_retry\"]", script, 0, "inconclusive safe_retry=n/a");
    struct ledger *l = script_ledger(script);
    uint64_t last = ledger_last(l);
    ledger_destroy(l);
    for (uint64_t seq = 2; seq <= last; seq++) {
        char *whole = rig_run_script("[\"safe_retry\"]", script);
        struct ledger *lacking = script_ledger(whole);
        struct verdict *v = rig_verdict();
        struct ledger_cursor cursor = { .ledger = lacking };
        struct ledger_record record = { 0 };
        while (ledger_next(&cursor, &record)) {
            if (record.seq != seq)
                verdict_feed(v, &record);
        }
        if (verdict_outcome(v, NULL) != OUTCOME_INCONCLUSIVE)
            fail_msg("without event %d", (int)seq);
        verdict_destroy(v);
        ledger_destroy(lacking);
        free(whole);
    }
}

static const struct truth *truth_of(const char *title)
{
    for (size_t i = 0; i < truth_count(); i++) {
        if (strcmp(truth_at(i)->title, title) == 0)
            return truth_at(i);
    }
    fail_msg("no truth: %s", title);
    return NULL;
}

/* What the client's account fits may be among what is missing: then it joins nothing, parts
 * nothing, and is no reason to want another mode. */
static void the_account_is_not_held_against_what_is_left(void **state)
{
    static const struct {
        const char *title;
        uint64_t without;
        const char *says;
    } rows[] = {
        { "R7: what fell into the hole was sent again, as its client says how long that took", 26,
          "inconclusive~ recovered=inconclusive(gap)~ retries=inconclusive(gap)~ "
          "retry_elsewhere=inconclusive(gap)~" },
        { "R1: the same with a control that has as many lines as requests", 2,
          "inconclusive~ recovered=inconclusive(wait)~ retries=inconclusive(gap)~ "
          "retry_elsewhere=inconclusive(gap)~" },
        { "idle_eviction: one that failed in the hole, by its own account, and the next elsewhere",
          12, "inconclusive~ idle_eviction=inconclusive(report)~" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct truth *t = truth_of(rows[i].title);
        says_without(t->expect, t->script, 0, t->says);
        says_later(t->expect, t->script, rows[i].without, 0, rows[i].says);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_expected_may_have_been_changed),
        cmocka_unit_test(a_later_event_says_that_it_was_not),
        cmocka_unit_test(a_reset_does_not_bring_back_what_was_expected),
        cmocka_unit_test(a_phase_may_have_begun),
        cmocka_unit_test(what_was_refused_may_be_missing),
        cmocka_unit_test(the_account_is_not_held_against_what_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
