/* Verdicts: what the checks say of runs with a known truth. */
#include <time.h>

#include "harness/memcheck.h"
#include "tests/skip.h"
#include "verdict_truths_rules.h"

static void each_run_has_its_truth(void **state)
{
    for (size_t i = 0; i < TRUTH_LISTS; i++)
        rig_judge_all(truths[i].list, truths[i].count);
}

/* What comes later shows it, so that no beginning of it can: it is not among those that are cut. */
static const struct truth later[] = {
    { "1: a fast poller that never retries, from its beginning", "[\"recovered\"]",
      TWICE("GET /s") BITTEN("10.100", "c101", "x2", "GET /s") "10.200 c102 open\n" ANSWERED(
          "10.200", "c102", "x1", "GET /s")
          BITTEN("10.300", "c102", "x2", "GET /s") "10.400 c103 open\n" ANSWERED("10.400", "c103",
                                                                                 "x1", "GET /s")
              BITTEN("10.500", "c103", "x2", "GET /s") "10.600 c104 open\n" ANSWERED(
                  "10.600", "c104", "x1", "GET /s") GONE("10.750", "c101") GONE("10.750", "c102")
                  GONE("10.750", "c103") GONE("10.750", "c104") EXIT("10.800"),
      "inconclusive recovered=inconclusive(hangup-call)", 0 },
    { "R1: two at once, of which one is read behind the answer to the other", "[\"retries\"]",
      TWICE("GET /a") BITTEN("11.0000", "c101", "x2", "GET /a")
          GONE("11.0010", "c101") "11.0050 c102 open\n" ANSWERED(
              "11.0060", "c102", "x1", "GET /a") "11.0062 c103 open\n" ANSWERED("11.0063", "c103",
                                                                                "x1", "GET /a")
              GONE("11.1000", "c102") GONE("11.1000", "c103") EXIT("11.2000"),
      "inconclusive retries=inconclusive(hangup-call)", 0 },
};

/* What get says of the first truth whose title begins so: verdict_json or verdict_calls. */
static json_t *said_of(const char *title, json_t *(*get)(struct verdict *v))
{
    size_t i = 0;
    while (i < truth_count() && strncmp(truth_at(i)->title, title, strlen(title)) != 0)
        i++;
    assert_true(i < truth_count());
    char *script = rig_run_script(truth_at(i)->expect, truth_at(i)->script);
    struct ledger *l = script_ledger(script);
    struct verdict *v = rig_verdict();
    rig_feed_verdict(v, l);
    json_t *said = get(v);
    verdict_destroy(v);
    ledger_destroy(l);
    free(script);
    return said;
}

/* An answer that the client's own account confirms is one in the summary, too. */
static void what_the_account_confirms_is_summed_up(void **state)
{
    static const struct {
        const char *title, *says;
    } rows[] = {
        { "37: the same, and it says which status came", "1 of 1 bitten GETs over h1, direct" },
        { "37: it says another status", "0 of 1 bitten GETs over h1, direct" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *doc = said_of(rows[i].title, verdict_json);
        assert_string_equal(json_string_value(json_object_get(doc, "summary")), rows[i].says);
        json_decref(doc);
    }
}

/* Of scenario 76: which requests of the control did not come. */
static void what_is_missing_is_named(void **state)
{
    json_t *doc = said_of("76:", verdict_json);
    const char *sentence = json_string_value(
        json_object_get(json_array_get(json_object_get(doc, "checks"), 0), "sentence"));
    assert_non_null(strstr(sentence, "GET /b was answered less often than in the control"));
    json_decref(doc);
}

/* All scenarios of the rules have a row under their number, here or among the states and joins. */
static void each_scenario_has_a_row(void **state)
{
    static const int numbers[] = { 31, 38, 47, 56, 76, 79, 80 };
    for (size_t n = 0; n < sizeof numbers / sizeof *numbers; n++) {
        char prefix[8];
        size_t i = 0, len = (size_t)snprintf(prefix, sizeof prefix, "%d:", numbers[n]);
        while (i < truth_count() && strncmp(truth_at(i)->title, prefix, len) != 0)
            i++;
        assert_true(i < truth_count());
    }
}

static void what_comes_later_decides(void **state)
{
    rig_judge_all(later, sizeof later / sizeof *later);
}

/* --- Cost: a verdict is fed by the loop that serves, and asked from there. In CPU time, with room
 * for a build without optimization. */

static int64_t cpu_time(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* Lines of a script, made by a function of a number. */
static char *many(unsigned count, void (*line)(struct buf *out, unsigned i))
{
    struct buf out = { 0 };
    for (unsigned i = 1; i <= count; i++)
        line(&out, i);
    char *text = strndup((const char *)buf_bytes(&out), buf_len(&out));
    buf_free(&out);
    return text;
}

static void open_at_once(struct buf *out, unsigned i)
{
    buf_printf(out, i == 1 ? "1.000 c1 open h2\n1.000 c1 x1 GET /a\n" : "1.000 c1 x%u GET /a\n", i);
}

static void of_one_call(struct buf *out, unsigned i)
{
    buf_printf(out,
               "%u.000 c%u open\n%u.000 c%u fin\n%u.000 c%u x1 GET /a hangup_call=1\n"
               "%u.000 c%u x1 lost\n",
               i, i, i, i, i, i, i, i);
}

static void answered_one_by_one(struct buf *out, unsigned i)
{
    buf_printf(out, "%s%u.000 c1 x%u GET /a\n%u.000 c1 x%u answer\n",
               i == 1 ? "1.000 c1 open\n" : "", i, i, i, i);
}

static void costs_little(unsigned count, void (*line)(struct buf *out, unsigned i))
{
    const struct verdict_config config = { .attempts = 4096, .connections = 4096, .faults = 4096 };
    char *script = many(count, line);
    struct ledger *l = script_ledger(script);
    struct verdict *v = verdict_create(&config);
    int64_t begun = cpu_time();
    rig_feed_verdict(v, l);
    int64_t was_fed = cpu_time();
    verdict_outcome(v, NULL);
    int64_t judged = cpu_time();
    print_message("# %lld ns a record, %lld us to judge\n",
                  (long long)((was_fed - begun) / (int64_t)ledger_last(l)),
                  (long long)((judged - was_fed) / NS_PER_US));
    assert_true(was_fed - begun < (int64_t)ledger_last(l) * 10 * NS_PER_US);
    assert_true(judged - was_fed < NS_PER_S);
    verdict_destroy(v);
    ledger_destroy(l);
    free(script);
}

static void a_verdict_costs_little(void **state)
{
    if (under_memcheck())
        skip_because("valgrind says nothing about time");
    costs_little(4000, open_at_once);
    costs_little(4000, of_one_call);
    costs_little(4000, answered_one_by_one);
}

/* An audit counts calls by their method: of what nobody has read the next attempt tells it. */
static void a_call_is_named_by_what_was_read_of_it(void **state)
{
    json_t *said = said_of("R7: what fell into the hole was sent again", verdict_calls);
    const json_t *call;
    size_t i, bitten = 0;
    json_array_foreach(json_object_get(said, "calls"), i, call)
    {
        if (strcmp(json_string_value(json_object_get(call, "exposure")), "bitten") != 0)
            continue;
        bitten++;
        const json_t *first = json_array_get(json_object_get(call, "attempts"), 0);
        assert_int_equal(json_integer_value(json_object_get(first, "exchange")), 0);
        const char *method = json_string_value(json_object_get(call, "method"));
        const char *target = json_string_value(json_object_get(call, "target"));
        assert_string_equal(method ? method : "null", "GET");
        assert_string_equal(target ? target : "null", "/a");
    }
    assert_int_equal(bitten, 1);
    json_decref(said);
}

/* --- What is sent may be any bytes */

static void odd_bytes_are_told(void **state)
{
    static const struct truth odd = {
        "", NULL,
        "10.000 c101 open\n10.000 c101 fin\n10.000 c101 x1 GET /\xff\xfe\xc3\x28\x1b[31m\n"
        "10.000 c101 x1 lost\n",
        "inconclusive~ recovered=inconclusive(wait)~ executed_once=n/a~ "
        "user_wait=inconclusive(wait)~ no_storm=pass~",
        0
    };
    rig_judge_all(&odd, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_run_has_its_truth),
        cmocka_unit_test(what_is_missing_is_named),
        cmocka_unit_test(what_the_account_confirms_is_summed_up),
        cmocka_unit_test(each_scenario_has_a_row),
        cmocka_unit_test(what_comes_later_decides),
        cmocka_unit_test(a_verdict_costs_little),
        cmocka_unit_test(a_call_is_named_by_what_was_read_of_it),
        cmocka_unit_test(odd_bytes_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
