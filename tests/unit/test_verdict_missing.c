/* What is missing - of the ledger, of room, of memory - never makes a pass of what was none, and
 * what belongs to others changes nothing. Each scenario is judged by two checks in small: one that
 * asks that something was done (recovered), one that nothing was done twice (executed_once). */
#include <time.h>

#include "harness/memcheck.h"
#include "harness/memory.h"
#include "verdict_scenarios.h"

/* --- Two checks in small */

enum result { NOT_ABOUT, PASS, INCONCLUSIVE, FAIL }; /* the worst of the calls holds */

static enum result recovered(const struct call *call)
{
    if (call->state == CALL_UNKNOWN || call->state == CALL_DOUBTFUL ||
        call->exposure == EXPOSURE_UNKNOWN)
        return INCONCLUSIVE;
    bool answered = call->state == CALL_ANSWERED || call->state == CALL_RECOVERED;
    if (call->exposure == EXPOSURE_UNTOUCHED)
        return NOT_ABOUT;
    if (call->exposure != EXPOSURE_BITTEN && !call->exposure_proven)
        return INCONCLUSIVE;
    if (answered && !call->late)
        return call->presumed ? INCONCLUSIVE : PASS;
    return call->presumed ? INCONCLUSIVE : FAIL;
}

static enum result executed_once(const struct call *call)
{
    if (call->executions > 1)
        return FAIL;
    if (call->executions_unknown || call->lacks_before || call->lacks_after || call->presumed ||
        call->state == CALL_UNKNOWN)
        return INCONCLUSIVE;
    return call->executions ? PASS : NOT_ABOUT;
}

typedef enum result check(const struct call *call);
static check *const checks[] = { recovered, executed_once };
#define CHECKS 2

struct verdict {
    enum result of[CHECKS];
};

static struct verdict judge(const struct history *h, const struct control *control)
{
    struct verdict verdict = { 0 };
    struct calls_config config = rig_config();
    config.control = control;
    for (int reading = 0; reading < 2; reading++) {
        struct calls *c = calls_build(h, &config, (enum reading)reading);
        assert_non_null(c);
        for (int k = 0; k < CHECKS; k++) {
            enum result result = NOT_ABOUT;
            for (size_t i = 0; i < c->count; i++) {
                enum result one = checks[k](&c->calls[i]);
                result = one > result ? one : result;
            }
            if (result == PASS && history_forgotten_unanswered(h))
                result = INCONCLUSIVE; /* it is about every call */
            if (reading == 0)
                verdict.of[k] = result;
            else if (verdict.of[k] != result)
                verdict.of[k] = INCONCLUSIVE;
        }
        calls_destroy(c);
    }
    return verdict;
}

/* --- Each scenario, in whole and in part */

struct whole {
    const struct scenario *scenario;
    struct ledger *ledger;
    struct control *control;
    struct verdict verdict;
};

static void for_each_scenario(void (*test)(const struct whole *whole))
{
    for (size_t k = 0; k < sizeof all_scenarios / sizeof *all_scenarios; k++) {
        for (size_t i = 0; i < all_scenarios[k].count; i++) {
            struct whole whole = { .scenario = &all_scenarios[k].list[i] };
            if (whole.scenario->control) {
                struct history *before = rig_script(whole.scenario->control);
                whole.control = control_create(before);
                history_destroy(before);
            }
            whole.ledger = script_ledger(whole.scenario->script);
            struct history *h = rig_history(NULL);
            rig_feed(h, whole.ledger, 0, 0);
            whole.verdict = judge(h, whole.control);
            history_destroy(h);
            test(&whole);
            control_destroy(whole.control);
            ledger_destroy(whole.ledger);
        }
    }
}

static unsigned
    passes_made; /* how often a check passed in part: a test that never sees one is none */

/* h holds a part of it. */
static void no_pass_is_made(const struct whole *whole, const struct history *h, const char *what,
                            uint64_t which)
{
    struct verdict part = judge(h, whole->control);
    for (int k = 0; k < CHECKS; k++) {
        if (part.of[k] == PASS)
            passes_made++;
        if (part.of[k] == PASS && whole->verdict.of[k] != PASS)
            fail_msg("%s: check %d passes, with %s %ju", whole->scenario->title, k, what,
                     (uintmax_t)which);
    }
}

static void lack_some(const struct whole *whole)
{
    uint64_t last = ledger_last(whole->ledger);
    for (uint64_t lacking = 1; lacking <= 3; lacking++) {
        for (uint64_t seq = 1; seq + lacking <= last + 1; seq++) {
            struct history *h = rig_history(NULL);
            rig_feed(h, whole->ledger, seq, lacking);
            if (seq + lacking == last + 1)
                history_gap(h, seq, last);
            no_pass_is_made(whole, h, "events missing from", seq);
            history_destroy(h);
        }
    }
}

/* And where little is missing some are left. */
static void for_each_with_passes(void (*lack)(const struct whole *whole))
{
    passes_made = 0;
    for_each_scenario(lack);
    assert_true(passes_made > 0);
}

static void events_that_are_missing_make_no_pass(void **state)
{
    for_each_with_passes(lack_some);
}

static void begin_late(const struct whole *whole)
{
    for (uint64_t seq = 1; seq < ledger_last(whole->ledger); seq++) {
        struct history *h = rig_history(NULL);
        rig_feed(h, whole->ledger, 1, seq);
        no_pass_is_made(whole, h, "it beginning behind", seq);
        history_destroy(h);
    }
}

static void a_ledger_that_begins_late_makes_no_pass(void **state)
{
    for_each_scenario(begin_late);
}

static void keep_few(const struct whole *whole)
{
    for (size_t size = 1; size <= 4; size++) {
        const struct history_config bounds[] = {
            { .grace = GRACE, .attempts = size, .connections = 64, .faults = 64 },
            { .grace = GRACE, .attempts = 64, .connections = size, .faults = 64 },
            { .grace = GRACE, .attempts = 64, .connections = 64, .faults = size },
            { .grace = GRACE, .attempts = size, .connections = size, .faults = size },
        };
        for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) {
            struct history *h = rig_history(&bounds[i]);
            rig_feed(h, whole->ledger, 0, 0);
            no_pass_is_made(whole, h, "room for only", size * 10 + i);
            history_destroy(h);
        }
    }
}

static void what_is_forgotten_makes_no_pass(void **state)
{
    for_each_with_passes(keep_few);
}

static void starve(const struct whole *whole)
{
    for (long n = 0;; n = next_failing(n)) {
        struct history *h = rig_history(NULL);
        memory_ends_after(n);
        rig_feed(h, whole->ledger, 0, 0);
        bool enough = memory_restore() == 0;
        no_pass_is_made(whole, h, "memory running out at", (uint64_t)n);
        history_destroy(h);
        if (enough)
            return;
    }
}

static void failing_memory_makes_no_pass(void **state)
{
    for_each_scenario(starve);
}

static void without_memory_there_is_no_history_and_there_are_no_calls(void **state)
{
    const struct history_config config = {
        .grace = GRACE, .attempts = 8, .connections = 8, .faults = 8
    };
    struct calls_config calls_config = rig_config();
    struct history *h = NULL;
    for (long n = 0; !h; n++) {
        assert_true(n < 100);
        memory_ends_after(n);
        h = history_create(&config);
    }
    memory_restore();
    history_destroy(h);
    history_destroy(NULL);

    h = rig_script(joins[0].script);
    struct calls *c = NULL;
    for (long n = 0; !c; n++) {
        assert_true(n < 100);
        memory_ends_after(n);
        c = calls_build(h, &calls_config, READING_WIDE);
    }
    memory_restore();
    calls_destroy(c);
    calls_destroy(NULL);
    struct control *control = NULL;
    for (long n = 0; !control; n++) {
        assert_true(n < 100);
        memory_ends_after(n);
        control = control_create(h);
    }
    memory_restore();
    control_destroy(control);
    control_destroy(NULL);
    history_destroy(h);
}

/* --- Others */

static unsigned seed;

static unsigned below(unsigned n)
{
    seed = seed * 1103515245 + 12345;
    return (seed >> 16) % n;
}

/* What other clients do at some time, on connections and a listener of their own. */
static void noise(struct buf *out, double at, unsigned c, unsigned *exchange)
{
    switch (below(5)) {
    case 0:
        ++*exchange;
        buf_printf(out, "%.6f c%u x%u GET /noise/%u\n", at, c, *exchange, below(3));
        buf_printf(out, "%.6f c%u x%u answer\n", at, c, *exchange);
        break;
    case 1:
        ++*exchange;
        buf_printf(out, "%.6f c%u x%u POST /noise/%u\n", at, c, *exchange, below(3));
        buf_printf(out, "%.6f c%u x%u lost lost_by=client_cancel -fault\n", at, c, *exchange);
        break;
    case 2:
        buf_printf(out, "%.6f c%u peer_ping opaque=00\n", at, c);
        break;
    case 3:
        buf_printf(out, "%.6f mark noise%u\n", at, below(9));
        break;
    default:
        buf_printf(out, "%.6f c%u peer_settings\n", at, c);
    }
}

/* A script's lines with those of others between them, in the order of their times. */
static void add_noise(const char *script, struct buf *out)
{
    unsigned exchanges[4] = { 0 };
    const char *at = script;
    double now = 0;
    for (unsigned c = 0; c < 4; c++)
        buf_printf(out, "0.000 c%u open h2 listener=other\n", 90 + c);
    while (*at) {
        size_t len = strcspn(at, "\n") + 1;
        double next = strtod(at, NULL);
        for (unsigned n = below(4); n > 0; n--) {
            unsigned c = below(4);
            now += (next - now) / 2;
            noise(out, now, 90 + c, &exchanges[c]);
        }
        now = next;
        buf_add(out, at, len);
        at += len;
    }
    buf_add(out, "", 1);
}

static char *say_without_noise(const char *script, const struct control *control,
                               enum reading reading)
{
    struct history *h = rig_script(script);
    struct calls_config config = rig_config();
    config.control = control;
    struct calls *c = calls_build(h, &config, reading);
    struct buf out = { 0 };
    for (size_t i = 0; i < c->count; i++) {
        const struct call *call = &c->calls[i];
        const struct attempt *a = call->count ? c->members[call->first].attempt : NULL;
        if (!a || !a->target.bytes || strncmp(a->target.bytes, "/noise", 6) != 0)
            rig_say_call(c, call, &out);
    }
    buf_add(&out, "", 1);
    calls_destroy(c);
    history_destroy(h);
    return (char *)out.data;
}

static void disturb(const struct whole *whole)
{
    for (unsigned round = 0; round < rounds_of(20); round++) {
        struct buf script = { 0 };
        unsigned began = seed;
        add_noise(whole->scenario->script, &script);
        for (int reading = 0; reading < 2; reading++) {
            char *alone =
                say_without_noise(whole->scenario->script, whole->control, (enum reading)reading);
            char *noisy = say_without_noise((const char *)buf_bytes(&script), whole->control,
                                            (enum reading)reading);
            if (strcmp(alone, noisy) != 0)
                fail_msg("%s, seed %u:\n%s\n%s", whole->scenario->title, began, alone, noisy);
            free(alone);
            free(noisy);
        }
        buf_free(&script);
    }
}

static void other_connections_change_nothing(void **state)
{
    seed = (unsigned)time(NULL);
    print_message("# seed %u\n", seed);
    for_each_scenario(disturb);
}

/* --- Gaps, as files have them */

static void a_gap_event_is_as_good_as_a_jump(void **state)
{
    const char *script = "0.000 c1 open\n1.000 c1 x1 GET /a\n1.100 c1 x1 answer\n";
    const char *told = "0.000 c1 open\n1.000 c1 x1 GET /a\n1.050 gap first_seq=5 last_seq=5\n"
                       "1.100 c1 x1 answer\n";
    struct ledger *l = script_ledger(script), *with = script_ledger(told);
    struct history *jumped = rig_history(NULL), *read = rig_history(NULL);
    rig_feed(jumped, l, 5, 1);
    rig_feed(read, with, 0, 0);
    for (int i = 0; i < 2; i++) {
        const struct history *h = i ? read : jumped;
        assert_int_equal(history_missing(h, 0)->first, 5);
        assert_int_equal(history_missing(h, 0)->last, 5);
        assert_null(history_missing(h, 1));
        assert_int_equal(history_trouble(h, history_attempt(h, 0)), TROUBLE_UNKNOWN);
    }
    history_destroy(jumped);
    history_destroy(read);
    ledger_destroy(l);
    ledger_destroy(with);
}

static void after_a_gap_nobody_knows_whether_the_app_is_suspended(void **state)
{
    const char *script = "0.000 c1 open\n0.500 mark other\n0.600 c1 peer_settings\n1.000 c1 x1 GET "
                         "/a\n1.100 c1 x1 answer\n"
                         "2.000 mark foreground\n3.000 c1 x2 GET /a\n3.100 c1 x2 answer\n";
    struct ledger *l = script_ledger(script);
    struct history *h = rig_history(NULL);
    rig_feed(h, l, 3, 1); /* the first mark */
    assert_int_equal(history_trouble(h, history_attempt(h, 0)), TROUBLE_UNCONFIRMED);
    assert_int_equal(history_trouble(h, history_attempt(h, 1)), TROUBLE_FINE);
    history_destroy(h);
    ledger_destroy(l);
}

static void what_is_missing_as_a_request_begins_may_have_been_a_fault_of_it(void **state)
{
    struct ledger *l = script_ledger("0.000 c1 open\n0.900 c1 peer_settings\n1.000 c1 x1 respond\n"
                                     "1.000 c1 x1 GET /a\n1.100 c1 x1 answer 503\n"
                                     "1.200 c1 x1 response_acked proof=next_request\n");
    struct history *h = rig_history(NULL);
    rig_feed(h, l, 4, 2); /* fault, fault_done */
    assert_int_equal(history_trouble(h, history_attempt(h, 0)), TROUBLE_UNKNOWN);
    history_destroy(h);
    ledger_destroy(l);
}

/* An RST of ours in the gap would have made the answer doubtful, if it came within grace. */
static void a_gap_just_behind_an_answer_leaves_it_unknown(void **state)
{
    struct ledger *l = script_ledger("0.000 c1 open\n1.000 c1 x1 GET /a\n1.100 c1 x1 answer\n"
                                     "1.150 c1 peer_settings\n1.300 c1 peer_settings\n"
                                     "1.400 c1 peer_settings\n");
    for (uint64_t lacking = 9; lacking <= 11; lacking += 2) {
        struct history *h = rig_history(NULL);
        rig_feed(h, l, lacking, 1);
        const struct attempt *a = history_attempt(h, 0);
        assert_int_equal(history_trouble(h, a), lacking == 9 ? TROUBLE_UNKNOWN : TROUBLE_FINE);
        history_destroy(h);
    }
    ledger_destroy(l);
}

static struct call only_call(const struct history *h)
{
    struct calls_config config = rig_config();
    struct calls *c = calls_build(h, &config, READING_NARROW);
    assert_int_equal(c->count, 1);
    struct call call = c->calls[0];
    calls_destroy(c);
    return call;
}

static void a_call_near_a_gap_may_lack_attempts(void **state)
{
    static const struct {
        const char *script;
        uint64_t without; /* an event */
        bool before, after;
    } rows[] = {
        { "0.000 c1 open\n0.500 mark a\n0.600 mark b\n1.000 c1 x1 GET /a\n", 3, true, true },
        { "0.000 mark a\n0.100 mark b\n60.000 c1 open\n60.000 c1 x1 GET /a\n", 2, true, true },
        { "0.000 mark a\n0.100 mark b\n0.200 mark c\n60.000 c1 open\n60.000 c1 x1 GET /a\n", 2,
          false, false },
        { "0.000 c1 open\n1.000 c1 x1 GET /a\n1.000 c1 x1 answer\n"
          "30.000 mark a\n31.000 mark b\n32.000 mark c\n",
          10, false, true },
        { "0.000 c1 open\n1.000 c1 x1 GET /a\n1.000 c1 x1 answer\n"
          "2.000 c1 connection_end by=client how=fin\n"
          "30.000 mark a\n31.000 mark b\n32.000 mark c\n",
          11, false, false },
        { "0.000 c1 open\n1.000 c1 x1 GET /a\n1.000 c1 x1 answer\n"
          "2.000 c1 connection_end by=client how=fin\n"
          "3.000 mark a\n4.000 mark b\n5.000 mark c\n",
          11, false, true },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct ledger *l = script_ledger(rows[i].script);
        struct history *h = rig_history(NULL);
        rig_feed(h, l, rows[i].without, 1);
        struct call call = only_call(h);
        if (call.lacks_before != rows[i].before || call.lacks_after != rows[i].after)
            fail_msg("row %zu: before %d, after %d", i, call.lacks_before, call.lacks_after);
        history_destroy(h);
        ledger_destroy(l);
    }
}

static void forgotten_marks_may_have_been_any(void **state)
{
    const struct history_config small = {
        .grace = GRACE, .attempts = 8, .connections = 8, .faults = 1
    };
    struct ledger *l = script_ledger("0.000 c1 open\n0.500 mark background\n0.600 mark other\n"
                                     "1.000 c1 x1 GET /a\n1.100 c1 x1 answer\n");
    struct history *h = rig_history(&small);
    rig_feed(h, l, 0, 0);
    assert_int_equal(history_trouble(h, history_attempt(h, 0)), TROUBLE_UNCONFIRMED);
    history_destroy(h);
    ledger_destroy(l);
}

static void a_reset_is_no_gap_but_what_was_open_is_not_known(void **state)
{
    const char *script = "0.000 c1 open\n1.000 c1 x1 GET /a\n2.000 cleared\n3.000 c1 x1 answer\n"
                         "30.000 c1 x2 GET /b\n30.100 c1 x2 answer\n";
    struct history *h = rig_script(script);
    assert_null(history_missing(h, 0));
    assert_int_equal(history_attempts(h), 2);
    assert_int_equal(history_trouble(h, history_attempt(h, 0)), TROUBLE_UNKNOWN);
    assert_int_equal(history_trouble(h, history_attempt(h, 1)), TROUBLE_FINE);
    assert_true(history_lacks(h, 2 * NS_PER_S, 2 * NS_PER_S));
    assert_false(history_lacks(h, 2 * NS_PER_S + 1, 9 * NS_PER_S));
    history_destroy(h);
}

static void what_is_forgotten_is_counted(void **state)
{
    const struct history_config small = {
        .grace = GRACE, .attempts = 2, .connections = 1, .faults = 1
    };
    struct history *h = rig_history(&small);
    struct ledger *l = script_ledger("0.000 c1 open\n1.000 c1 x1 GET /a\n1.000 c1 x1 answer\n"
                                     "2.000 c1 x2 GET /a\n2.000 c1 x2 answer\n"
                                     "3.000 c1 x3 GET /a\n3.000 c1 x3 answer\n");
    rig_feed(h, l, 0, 0);
    assert_int_equal(history_attempts(h), 2);
    assert_int_equal(history_forgotten(h), 1);
    assert_int_equal(history_forgotten_unanswered(h), 0);
    assert_true(history_lacks(h, 1 * NS_PER_S, 1 * NS_PER_S));
    assert_false(history_lacks(h, 1 * NS_PER_S + 1, 9 * NS_PER_S)); /* it was over by then */
    ledger_destroy(l);
    history_destroy(h);

    h = rig_history(&small);
    l = script_ledger("0.000 c1 open\n1.000 c1 x1 GET /a\n1.000 c1 x1 lost lost_by=server -fault\n"
                      "2.000 c1 x2 GET /a\n3.000 c1 x3 GET /a\n4.000 c1 x4 GET /a\n");
    rig_feed(h, l, 0, 0);
    assert_int_equal(history_forgotten(h), 2);
    assert_int_equal(history_forgotten_unanswered(h), 2);
    assert_true(history_lacks(h, 4 * NS_PER_S, 4 * NS_PER_S));
    assert_false(history_lacks(h, 4 * NS_PER_S + 1, 9 * NS_PER_S)); /* the second was still open */
    history_destroy(h);
    ledger_destroy(l);
}

/* The most equal requests that can be open at once: the search for the call that each belongs to
 * must not take for ever. */
static void many_equal_open_calls_are_built_in_time(void **state)
{
    const unsigned many = rounds_of(4000);
    const struct history_config config = {
        .grace = GRACE, .attempts = 4000, .connections = 64, .faults = 64
    };
    struct buf script = { 0 };
    buf_text(&script, "0.000 c1 open h2\n0.500 c1 stall\n");
    for (unsigned i = 1; i <= many; i++)
        buf_printf(&script, "1.%06u c1 x%u GET /a stream=%u\n", i, i, 2 * i - 1);
    buf_add(&script, "", 1);
    struct ledger *l = script_ledger((const char *)buf_bytes(&script));
    struct history *h = rig_history(&config);
    rig_feed(h, l, 0, 0);
    struct calls_config calls_config = rig_config();
    for (int reading = 0; reading < 2; reading++) {
        clock_t began = clock();
        struct calls *c = calls_build(h, &calls_config, (enum reading)reading);
        print_message("# %u attempts, %zu calls: %ld ms\n", many, c->count,
                      (long)((clock() - began) * 1000 / CLOCKS_PER_SEC));
        assert_true(clock() - began < 60 * CLOCKS_PER_SEC);
        calls_destroy(c);
    }
    history_destroy(h);
    ledger_destroy(l);
    buf_free(&script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_that_are_missing_make_no_pass),
        cmocka_unit_test(a_ledger_that_begins_late_makes_no_pass),
        cmocka_unit_test(what_is_forgotten_makes_no_pass),
        cmocka_unit_test(failing_memory_makes_no_pass),
        cmocka_unit_test(without_memory_there_is_no_history_and_there_are_no_calls),
        cmocka_unit_test(other_connections_change_nothing),
        cmocka_unit_test(a_gap_event_is_as_good_as_a_jump),
        cmocka_unit_test(after_a_gap_nobody_knows_whether_the_app_is_suspended),
        cmocka_unit_test(what_is_missing_as_a_request_begins_may_have_been_a_fault_of_it),
        cmocka_unit_test(a_gap_just_behind_an_answer_leaves_it_unknown),
        cmocka_unit_test(a_call_near_a_gap_may_lack_attempts),
        cmocka_unit_test(forgotten_marks_may_have_been_any),
        cmocka_unit_test(a_reset_is_no_gap_but_what_was_open_is_not_known),
        cmocka_unit_test(what_is_forgotten_is_counted),
        cmocka_unit_test(many_equal_open_calls_are_built_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
