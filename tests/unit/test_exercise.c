/* test_exercise.c - what modes and plans can make a client meet. */
#include "harness/mode_fakes.h"

#include "mode/cases.h"
#include "run/plan.h"

static struct catalogue *catalogue;

static int set_up(void **state)
{
    catalogue = catalogue_create();
    return catalogue ? 0 : -1;
}

static int tear_down(void **state)
{
    catalogue_destroy(catalogue);
    return 0;
}

static struct exercise exercise_of(json_t *plan_document, unsigned kinds)
{
    struct plan *plan = NULL;
    struct refusal why = { 0 };
    struct exercise e;
    if (plan_compile(catalogue, plan_document, 1, 0, &plan, &why))
        fail_msg("%s: %s", why.where, why.what);
    plan_exercise(plan, kinds, &e);
    plan_unref(plan);
    json_decref(plan_document);
    return e;
}

/* Of a plan in text, with ' for ". */
static struct exercise of(const char *given, unsigned kinds)
{
    char plain[1024];
    snprintf(plain, sizeof plain, "%s", given);
    for (char *c = plain; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    json_t *json = json_loads(plain, 0, NULL);
    assert_non_null(json);
    return exercise_of(json, kinds);
}

#define TLS_H1    KIND(OVER_H1, true)
#define TLS_H2    KIND(OVER_H2, true)
#define CLEARTEXT KIND(OVER_H1, false)

static void what_a_plan_can_make_a_client_meet(void **state)
{
    static const struct {
        const char *plan;
        unsigned kinds, has, has_not;
        int64_t pause_ms;
    } rows[] = {
        { "{'mode': 'normal'}", KINDS_ALL, CAN(SERVED) | CAN(H1) | CAN(H2),
          CAN(STRIKES) | CAN(BITES) | CAN(WAITS) | CAN(GOAWAY), 0 },
        { "{'mode': 'idle-close'}", TLS_H1, CAN(STRIKES) | CAN(BITES) | CAN(SERVED) | CAN(TOLD),
          CAN(WAITS) | CAN(GOAWAY) | CAN(H2) | CAN(CUTS), 3000 },
        { "{'mode': 'idle-close', 'params': {'idle': 'never'}}", TLS_H1, CAN(SERVED), CAN(STRIKES),
          0 },
        { "{'mode': 'reset-idle'}", TLS_H1, CAN(STRIKES) | CAN(SERVED), CAN(BITES) | CAN(TOLD),
          3000 },
        { "{'mode': 'half-open'}", TLS_H1, CAN(BITES) | CAN(SERVED) | CAN(WAITS), CAN(TOLD), 3000 },
        { "{'mode': 'goaway-idle'}", TLS_H2, CAN(GOAWAY) | CAN(TOLD) | CAN(BITES), CAN(H1), 3000 },
        { "{'mode': 'goaway-idle'}", TLS_H1, CAN(BITES) | CAN(TOLD), CAN(GOAWAY), 3000 },
        { "{'mode': 'goaway-graceful'}", TLS_H2, CAN(GOAWAY) | CAN(SERVED), CAN(WAITS), 0 },
        { "{'mode': 'goaway-then-hang'}", TLS_H2, CAN(GOAWAY) | CAN(WAITS) | CAN(SERVED), 0, 0 },
        { "{'mode': 'goaway-http11'}", TLS_H2, CAN(FALLBACK), CAN(SERVED), 0 },
        { "{'mode': 'goaway-http11'}", TLS_H1 | TLS_H2, CAN(FALLBACK) | CAN(SERVED), 0, 0 },
        { "{'mode': 'goaway-calm'}", TLS_H2, CAN(GOAWAY) | CAN(BITES), CAN(SERVED), 0 },
        { "{'mode': 'close-on-reuse', 'params': {'idle': '2s'}}", TLS_H1, CAN(BITES) | CAN(SERVED),
          CAN(TOLD), 2000 },
        { "{'mode': 'empty-response'}", TLS_H1, CAN(BITES), CAN(SERVED), 0 },
        { "[{'mode': 'empty-response', 'connection': '1'}]", TLS_H1, CAN(BITES) | CAN(SERVED), 0,
          0 },
        { "[{'mode': 'empty-response', 'probability': 0.5}]", TLS_H1, CAN(BITES) | CAN(SERVED), 0,
          0 },
        { "{'mode': 'flap'}", TLS_H1, CAN(BITES) | CAN(SERVED), 0, 0 },
        { "{'mode': 'accept-silent'}", CLEARTEXT, CAN(STRIKES) | CAN(WAITS),
          CAN(SERVED) | CAN(BITES), 0 },
        { "{'mode': 'accept-silent', 'params': {'resume': '1s'}}", CLEARTEXT,
          CAN(WAITS) | CAN(SERVED), 0, 0 },
        { "{'mode': 'accept-silent', 'params': {'connections': '1'}}", CLEARTEXT, CAN(SERVED), 0,
          0 },
        { "{'mode': 'handshake-close'}", TLS_H1, CAN(STRIKES), CAN(SERVED), 0 },
        { "{'mode': 'handshake-close'}", CLEARTEXT, CAN(SERVED), CAN(STRIKES), 0 },
        { "{'mode': 'slow-first-byte'}", TLS_H1, CAN(WAITS) | CAN(SERVED), CAN(TOLD), 0 },
        { "{'mode': 'lost-answer', 'params': {'how': 'hold'}}", TLS_H1, CAN(WAITS) | CAN(BITES),
          CAN(SERVED), 0 },
        { "{'mode': 'throttle'}", TLS_H1, CAN(WAITS) | CAN(SERVED), CAN(BITES), 0 },
        { "{'mode': 'truncate'}", TLS_H1, CAN(CUTS) | CAN(BITES), CAN(SERVED) | CAN(WAITS), 0 },
        { "{'mode': 'truncate', 'params': {'how': 'stall'}}", TLS_H1, CAN(CUTS) | CAN(WAITS), 0,
          0 },
        { "{'mode': 'goaway-open-stream'}", TLS_H2, CAN(CUTS) | CAN(SERVED), 0, 0 },
        { "{'mode': 'refuse'}", TLS_H1, CAN(OUTAGE) | CAN(SERVED), CAN(BITES), 0 },
        { "{'mode': 'ping-deaf'}", TLS_H2, CAN(PINGS) | CAN(SERVED), CAN(STRIKES), 0 },
        { "{'mode': 'stall-idle'}", TLS_H2, CAN(PINGS) | CAN(WAITS), 0, 3000 },
        { "{'mode': 'settings-deaf'}", TLS_H2, CAN(SERVED), CAN(STRIKES) | CAN(PINGS), 0 },
        { "{'mode': 'honest-hint'}", TLS_H1, CAN(HINT) | CAN(TOLD), 0, 3000 },
        { "{'mode': 'rst-stream', 'params': {'at': 'end'}}", TLS_H2, CAN(SERVED), CAN(STRIKES), 0 },
        { "{'mode': 'suspend', 'params': {'after': '2s', 'how': 'fin'}}", TLS_H1,
          CAN(TOLD) | CAN(SERVED), 0, 2000 },
        { "{'mode': 'timeout-408-on-reuse'}", TLS_H1, CAN(BITES) | CAN(SERVED), 0, 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct exercise e = of(rows[i].plan, rows[i].kinds);
        if ((e.can & rows[i].has) != rows[i].has || (e.can & rows[i].has_not) ||
            e.pause != rows[i].pause_ms * 1000000)
            fail_msg("%s: %#x, lacks %#x, too much %#x; pause %lld ms", rows[i].plan, e.can,
                     rows[i].has & ~e.can, e.can & rows[i].has_not, (long long)e.pause / 1000000);
    }
}

/* What each mitigation and check in "exercises" needs, with one choice of the mode's at least. */
static const char *needs_of(const char *name)
{
    static const struct {
        const char *name, *needs;
    } rows[] = {
        { "retry-once", "bites served" }, { "safe-retry", "bites" },
        { "bounded-wait", "waits" },      { "goaway-aware", "goaway h2" },
        { "ping-liveness", "pings h2" },  { "waits-for-connectivity", "outage" },
        { "connection-close", "h1" },     { "fresh-on-foreground", "strikes" },
        { "idle-eviction", "strikes" },   { "no_storm", "strikes" },
        { "backoff", "strikes" },         { "falls_back", "fallback" },
        { "honours_hint", "hint" },       { "detects_truncation", "cuts" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].name, name) == 0)
            return rows[i].needs;
    fail_msg("%s", name);
    return NULL;
}

static bool can_be(const char *mode, const json_t *params, const char *name)
{
    struct exercise e = exercise_of(
        json_pack("[{s:s, s:O*}]", "mode", mode, "params", (json_t *)params), KINDS_ALL);
    return exercise_refuse(&e, needs_of(name), name, "$", NULL) == 0;
}

/* As the mode is, or with a value of one of its choices. */
static bool can_be_somehow(const json_t *whole, const char *name)
{
    const char *mode = json_string_value(json_object_get(whole, "name")), *param;
    json_t *declared, *choice;
    size_t i;
    if (can_be(mode, NULL, name))
        return true;
    json_object_foreach(json_object_get(whole, "params"), param, declared)
    {
        json_array_foreach(json_object_get(declared, "allowed"), i, choice)
        {
            json_t *params = json_pack("{s:O}", param, choice);
            bool can = can_be(mode, params, name);
            json_decref(params);
            if (can)
                return true;
        }
    }
    return false;
}

static void each_mode_can_do_what_it_says_it_exercises(void **state)
{
    const json_t *document;
    for (size_t i = 0; (document = catalogue_at(catalogue, i, NULL)); i++) {
        const char *name = json_string_value(json_object_get(document, "name"));
        json_t *whole = catalogue_resolved(catalogue, name), *item;
        size_t k;
        json_array_foreach(json_object_get(whole, "exercises"), k, item)
        {
            if (!can_be_somehow(whole, json_string_value(item)))
                fail_msg("%s does not exercise %s", name, json_string_value(item));
        }
        json_decref(whole);
    }
}

static void each_case_can_do_what_it_says_it_exercises(void **state)
{
    for (size_t i = 0; i < cases_count(); i++) {
        json_t *one = cases_at(i), *item;
        struct exercise e = exercise_of(json_incref(json_object_get(one, "plan")), KINDS_ALL);
        size_t k;
        json_array_foreach(json_object_get(one, "exercises"), k, item)
        {
            const char *name = json_string_value(item);
            if (exercise_refuse(&e, needs_of(name), name, "$", NULL))
                fail_msg("%s does not exercise %s", json_string_value(json_object_get(one, "name")),
                         name);
        }
        json_decref(one);
    }
}

static void what_could_never_be_judged_is_refused(void **state)
{
    struct refusal why = { 0 };
    const struct exercise e = { .can = CAN(BITES) | CAN(STRIKES) | CAN(H1) };
    assert_int_equal(exercise_refuse(&e, NULL, "x", "$", &why), 0);
    assert_int_equal(exercise_refuse(&e, "", "x", "$", &why), 0);
    assert_int_equal(exercise_refuse(&e, " bites  strikes ", "x", "$", &why), 0);
    assert_int_equal(exercise_refuse(&e, "h2|h1 served|bites", "x", "$", &why), 0);
    assert_int_equal(exercise_refuse(&e, "bites served", "recovered", "$.expect[0]", &why),
                     BAD_INPUT);
    assert_string_equal(why.where, "$.expect[0]");
    assert_non_null(strstr(why.what, "recovered"));
    assert_non_null(strstr(why.what, "a later connection answers its first request"));
    assert_int_equal(exercise_refuse(&e, "goaway|h2", "x", "$", &why), BAD_INPUT);
    assert_non_null(strstr(why.what, "a GOAWAY is sent"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_plan_can_make_a_client_meet),
        cmocka_unit_test(each_mode_can_do_what_it_says_it_exercises),
        cmocka_unit_test(each_case_can_do_what_it_says_it_exercises),
        cmocka_unit_test(what_could_never_be_judged_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
