/* A run whose client has ended in silence may end at once (docs/verdict.md, 6): the verdict is the
 * one that it has when nothing came for `within`, or it says as little; it is never more of a pass.
 */
#include "verdict_truths.h"

#include "tests/count.h"

/* All connections but c101 are over, and COMMAND has ended at 20.0; c101 is silent for good. */
#define HOLED   "12.000 c101 black_hole\n"
#define DROPS   "12.500 c101 segments_dropped segments=1 data=1 data_bytes=99 first_data=12.5\n"
#define LEFT    "14.000 c101 segments_dropped segments=1 data=0 fins=1 data_bytes=99\n"
#define STALLED "12.000 c101 stall\n"
#define ELSEWHERE(what)                                                                            \
    "14.100 c102 open\n" ANSWERED("14.100", "c102", "x1", what) GONE("14.200", "c102")

static const struct row {
    const char *title, *script, *late; /* what comes within the time that is not waited for */
} rows[] = {
    { "a request in a hole, and no more", TWICE("GET /a") HOLED DROPS, NULL },
    { "the same, and its FIN", TWICE("GET /a") HOLED DROPS LEFT, NULL },
    { "sent again by its kernel", TWICE("GET /a") HOLED DROPS,
      "22.500 c101 segments_dropped segments=1 data=1 data_bytes=99 first_data=12.5\n" },
    { "asked again elsewhere", TWICE("GET /a") HOLED DROPS ELSEWHERE("GET /a"), NULL },
    { "the same, and its FIN", TWICE("GET /a") HOLED DROPS LEFT ELSEWHERE("GET /a"), NULL },
    { "a POST in a hole", TWICE("GET /a") HOLED DROPS LEFT, NULL },
    { "a POST in a hole, asked again", TWICE("POST /a") HOLED DROPS ELSEWHERE("POST /a"), NULL },
    { "a hole behind the request", TWICE("GET /a") "12.000 c101 x2 GET /a\n" HOLED, NULL },
    { "the same, a POST", TWICE("GET /a") "12.000 c101 x2 POST /a\n" HOLED, NULL },
    { "the same, asked again",
      TWICE("GET /a") "12.000 c101 x2 POST /a\n" HOLED ELSEWHERE("POST /a"), NULL },
    { "a stall", TWICE("GET /a") STALLED "12.500 c101 stale GET /a\n14.000 c101 peer_fin\n", NULL },
    { "a stall, asked again",
      TWICE("GET /a") STALLED
      "12.500 c101 stale GET /a\n14.000 c101 peer_fin\n" ELSEWHERE("GET /a"),
      NULL },
    { "a stall under a POST",
      TWICE("GET /a") "12.000 c101 x2 POST /a\n" STALLED "14.000 c101 peer_fin\n", NULL },
    { "nothing fell into it", TWICE("GET /a") HOLED ELSEWHERE("GET /a"), NULL },
};

static const char *const expects[] = {
    "[\"recovered\"]",     "[\"retries\"]",          "[\"retry_elsewhere\"]", "[\"executed_once\"]",
    "[\"safe_retry\"]",    "[\"user_wait\"]",        "[\"no_storm\"]",        "[\"no_stale_use\"]",
    "[\"ping_liveness\"]", "[\"connection_close\"]",
};

static enum outcome outcome_at(const char *expect, const struct row *row, const char *end)
{
    char text[4096];
    bool early = strcmp(end, "20.050") == 0;
    snprintf(text, sizeof text,
             CONTROL("GET /a") "%s%s%s%s c101 connection_end by=shutdown\n%s "
                               "run_end reason=finished\n",
             row->script, EXIT("20.000"), row->late && !early ? row->late : "", end, end);
    char *whole = rig_run_script(expect, text);
    struct ledger *l = script_ledger(whole);
    struct verdict *v = rig_verdict();
    struct ledger_cursor cursor = { .ledger = l };
    struct ledger_record record = { 0 };
    bool final;
    while (ledger_next(&cursor, &record))
        verdict_feed(v, &record);
    enum outcome outcome = verdict_outcome(v, &final);
    assert_true(final);
    verdict_destroy(v);
    ledger_destroy(l);
    free(whole);
    return outcome;
}

static void an_early_end_says_no_other_thing(void **state)
{
    unsigned passes = 0, fails = 0;
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (size_t k = 0; k < COUNT(expects); k++) {
            enum outcome early = outcome_at(expects[k], &rows[i], "20.050");
            enum outcome late = outcome_at(expects[k], &rows[i], "31.000");
            passes += early == OUTCOME_PASS;
            fails += early == OUTCOME_FAIL;
            if (early != late)
                fail_msg("%s, %s: %d early, %d late", rows[i].title, expects[k], early, late);
        }
    }
    assert_true(passes > 0 && fails > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(an_early_end_says_no_other_thing) };
    return cmocka_run_group_tests_name("early", tests, NULL, NULL);
}
