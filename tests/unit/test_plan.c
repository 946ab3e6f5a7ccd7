/* Plans: what is refused and where, which entry a connection gets, drawing by a seed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#include "mode/catalogue.h"
#include "run/plan.h"

#include "harness/memory.h"

static struct catalogue *catalogue;

static int compile(const char *text, uint64_t seed, struct plan **out, struct refusal *why)
{
    json_error_t error;
    json_t *json = json_loads(text, JSON_DECODE_ANY, &error);
    if (!json)
        fail_msg("%s: %s", text, error.text);
    int outcome = plan_compile(catalogue, json, 1, seed, out, why);
    json_decref(json);
    return outcome;
}

static struct plan *compiled(const char *text, uint64_t seed)
{
    struct plan *plan = NULL;
    struct refusal why = { 0 };
    if (compile(text, seed, &plan, &why) != 0)
        fail_msg("%s: %s: %s", text, why.where, why.what);
    return plan;
}

/* --- Refusals */

static void a_mistake_is_refused_with_its_place(void **state)
{
    static const struct {
        const char *text;
        int outcome;
        const char *where;
    } rows[] = {
        { "[]", BAD_INPUT, "$.plan" },
        { "7", BAD_INPUT, "$.plan" },
        { "[7]", BAD_INPUT, "$.plan[0]" },
        { "[{}]", BAD_INPUT, "$.plan[0].mode" },
        { "{}", BAD_INPUT, "$.plan.mode" },
        { "[{\"mode\": 7}]", BAD_INPUT, "$.plan[0].mode" },
        { "[{\"mode\": \"normal\"}, {\"mode\": \"nope\"}]", MODE_UNKNOWN, "$.plan[1].mode" },
        { "[{\"mode\": \"normal\", \"when\": 1}]", BAD_INPUT, "$.plan[0].when" },
        { "[{\"mode\": \"normal\", \"params\": []}]", BAD_INPUT, "$.plan[0].params" },
        { "[{\"mode\": \"half-open\", \"params\": {\"idle\": \"soon\"}}]", BAD_INPUT,
          "$.plan[0].params.idle" },
        { "[{\"mode\": \"half-open\", \"params\": {\"idel\": \"2s\"}}]", BAD_INPUT,
          "$.plan[0].params.idel" },
        { "[{\"mode\": \"normal\", \"connection\": 0}]", BAD_INPUT, "$.plan[0].connection" },
        { "[{\"mode\": \"normal\", \"connection\": 1.5}]", BAD_INPUT, "$.plan[0].connection" },
        { "[{\"mode\": \"normal\", \"connection\": null}]", BAD_INPUT, "$.plan[0].connection" },
        { "[{\"mode\": \"normal\", \"connection\": \"4-2\"}]", BAD_INPUT, "$.plan[0].connection" },
        { "[{\"mode\": \"normal\", \"over\": \"h3\"}]", BAD_INPUT, "$.plan[0].over" },
        { "[{\"mode\": \"normal\", \"over\": 2}]", BAD_INPUT, "$.plan[0].over" },
        { "[{\"mode\": \"normal\", \"probability\": 1.01}]", BAD_INPUT, "$.plan[0].probability" },
        { "[{\"mode\": \"normal\", \"probability\": -1}]", BAD_INPUT, "$.plan[0].probability" },
        { "[{\"mode\": \"normal\", \"probability\": \"0.5\"}]", BAD_INPUT,
          "$.plan[0].probability" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct plan *plan = (struct plan *)1;
        struct refusal why = { 0 };
        print_message("# %s\n", rows[i].text);
        assert_int_equal(compile(rows[i].text, 0, &plan, &why), rows[i].outcome);
        assert_string_equal(why.where, rows[i].where);
        assert_true(why.what[0] && why.allowed[0]);
        assert_ptr_equal(plan, (struct plan *)1); /* outputs are set on success only */
    }
}

static void at_most_64_entries_are_taken(void **state)
{
    struct plan *plan;
    struct refusal why = { 0 };
    json_t *json = json_array();
    while (json_array_size(json) < PLAN_ENTRIES_MAX)
        json_array_append_new(json, json_pack("{s:s, s:i}", "mode", "normal", "connection",
                                              (int)json_array_size(json) + 1));
    assert_int_equal(plan_compile(catalogue, json, 1, 0, &plan, &why), 0);
    plan_unref(plan);
    json_array_append_new(json, json_pack("{s:s}", "mode", "normal"));
    assert_int_equal(plan_compile(catalogue, json, 1, 0, &plan, &why), BAD_INPUT);
    assert_string_equal(why.where, "$.plan");
    json_decref(json);
}

/* "early" has a rule on accept, "late" one on idle. */
static void what_fires_before_the_protocol_cannot_depend_on_it(void **state)
{
    static const struct {
        const char *text, *where; /* NULL: it is right */
    } rows[] = {
        { "[{\"mode\": \"early\", \"over\": \"h2\"}]", "$.plan[0].over" },
        { "[{\"mode\": \"late\", \"over\": \"h2\"}]", NULL },
        { "[{\"mode\": \"late\", \"over\": \"h2\"}, {\"mode\": \"early\"}]", "$.plan[1].mode" },
        { "[{\"mode\": \"early\", \"connection\": \"1-\"}, {\"mode\": \"late\", \"over\": \"h2\"}]",
          NULL },
        { "[{\"mode\": \"late\", \"over\": \"h2\", \"connection\": \"1-2\"},"
          " {\"mode\": \"early\", \"connection\": \"3-\"}]",
          NULL },
        { "[{\"mode\": \"late\", \"over\": \"h2\", \"connection\": \"1-3\"},"
          " {\"mode\": \"early\", \"connection\": \"3-\"}]",
          "$.plan[1].mode" },
        { "[{\"mode\": \"late\", \"over\": \"h1\", \"connection\": \"1-/2\"},"
          " {\"mode\": \"early\", \"connection\": \"2-/2\"}]",
          NULL },
        { "[{\"mode\": \"late\", \"over\": \"h1\", \"connection\": \"1-/2\"},"
          " {\"mode\": \"early\", \"connection\": \"2-/3\"}]",
          "$.plan[1].mode" }, /* 5 */
        { "[{\"mode\": \"late\", \"over\": \"h1\", \"connection\": \"1-4/2\"},"
          " {\"mode\": \"early\", \"connection\": \"2-/3\"}]",
          NULL },
        { "[{\"mode\": \"late\", \"over\": \"h1\", \"connection\": \"7-/4000000007\"},"
          " {\"mode\": \"early\", \"connection\": \"9-/4000000009\"}]",
          NULL }, /* far beyond the largest number */
        { "[{\"mode\": \"late\", \"over\": \"h1\", \"connection\": \"4294967290-\"},"
          " {\"mode\": \"early\", \"connection\": \"3-/4294967287\"}]",
          "$.plan[1].mode" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct plan *plan = NULL;
        struct refusal why = { 0 };
        print_message("# %s\n", rows[i].text);
        assert_int_equal(compile(rows[i].text, 0, &plan, &why), rows[i].where ? BAD_INPUT : 0);
        assert_string_equal(why.where, rows[i].where ? rows[i].where : "");
        plan_unref(plan);
    }
}

static void an_entry_that_no_connection_can_get_is_refused(void **state)
{
#define N "{\"mode\": \"normal\""
    static const struct {
        const char *text, *where; /* NULL: it is right */
    } rows[] = {
        { "[" N "}, " N "}]", "$.plan[1]" },
        { "[" N ", \"connection\": \"1-\"}, " N "}]", NULL }, /* those that are older */
        { "[" N ", \"connection\": \"1-\"}, " N ", \"connection\": 7}]", "$.plan[1]" },
        { "[" N ", \"connection\": \"1-7\"}, " N ", \"connection\": \"7-8\"}]", NULL },
        { "[" N ", \"connection\": \"1-7\"}, " N ", \"connection\": \"8-\"}, " N
          ", \"connection\": \"3-\"}]",
          "$.plan[2]" },
        { "[" N ", \"connection\": \"1-/2\"}, " N ", \"connection\": \"2-/2\"}, " N
          ", \"connection\": \"1-\"}]",
          "$.plan[2]" },
        { "[" N ", \"connection\": \"1-/2\"}, " N ", \"connection\": \"2-/4\"}, " N
          ", \"connection\": \"1-\"}]",
          NULL },
        { "[" N ", \"connection\": \"1-/2\"}, " N ", \"connection\": \"5-/4\"}]", "$.plan[1]" },
        { "[" N ", \"connection\": \"1-4294967294\"}, " N ", \"connection\": \"4-\"}]", NULL },
        { "[" N ", \"over\": \"h1\"}, " N ", \"over\": \"h2\"}, " N "}]", "$.plan[2]" },
        { "[" N ", \"over\": \"h1\"}, " N ", \"over\": \"h1\"}]", "$.plan[1]" },
        { "[" N ", \"over\": \"h1\"}, " N ", \"over\": \"h2\"}]", NULL },
        { "[" N ", \"probability\": 0.99}, " N "}]", NULL },
        { "[" N ", \"probability\": 1}, " N "}]", "$.plan[1]" },
    };
#undef N
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct plan *plan = NULL;
        struct refusal why = { 0 };
        int outcome = compile(rows[i].text, 0, &plan, &why);
        if (outcome != (rows[i].where ? BAD_INPUT : 0) ||
            strcmp(why.where, rows[i].where ? rows[i].where : "") != 0)
            fail_msg("%s: %d %s", rows[i].text, outcome, why.where);
        plan_unref(plan);
    }
}

static void a_plan_that_the_listeners_cannot_serve_is_refused(void **state)
{
    static const struct {
        const char *text;
        unsigned kinds;
        const char *where; /* NULL: it is right */
    } rows[] = {
        { "[{\"mode\": \"normal\", \"over\": \"h2\"}]", KINDS_OVER(OVER_H1), "$.plan[0].over" },
        { "[{\"mode\": \"normal\", \"over\": \"h2\"}]", KINDS_TLS, NULL },
        { "[{\"mode\": \"goaway-race\"}]", KINDS_OVER(OVER_H1), "$.plan[0].mode" },
        { "[{\"mode\": \"goaway-race\"}]", KINDS_ALL, NULL },
        { "[{\"mode\": \"normal\", \"connection\": 1},"
          " {\"mode\": \"goaway-race\", \"over\": \"h1\"}]",
          KINDS_ALL, "$.plan[1].mode" },
        { "[{\"mode\": \"handshake-stall\"}]", KINDS_ALL & ~KINDS_TLS, "$.plan[0].mode" },
        { "[{\"mode\": \"handshake-stall\"}]", KINDS_ALL, NULL },
        { "[{\"mode\": \"close-notify-only\"}]", KINDS_ALL & ~KINDS_TLS, "$.plan[0].mode" },
        { "[{\"mode\": \"close-notify-only\", \"params\": {\"grace\": \"1s\"}}]",
          KINDS_ALL & ~KINDS_TLS, NULL },
        { "[{\"mode\": \"malformed-chunk\"}]", KINDS_OVER(OVER_H2), "$.plan[0].mode" },
        { "[{\"mode\": \"refuse\"}]", KIND(OVER_H1, false), NULL },
        { "[{\"mode\": \"normal\"}]", KIND(OVER_H1, false), NULL },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct plan *plan = NULL;
        struct refusal why = { 0 };
        assert_int_equal(compile(rows[i].text, 0, &plan, &why), 0);
        int outcome = plan_refuse_kinds(plan, rows[i].kinds, &why);
        if (outcome != (rows[i].where ? MODE_NOT_HERE : 0) ||
            strcmp(why.where, rows[i].where ? rows[i].where : "") != 0)
            fail_msg("%s: %d %s", rows[i].text, outcome, why.where);
        plan_unref(plan);
    }
}

static void a_missing_capability_is_said_after_all_mistakes(void **state)
{
    struct plan *plan;
    struct refusal why = { 0 };
    assert_int_equal(compile("[{\"mode\": \"black-hole\"}, {\"mode\": \"nope\"}]", 0, &plan, &why),
                     MODE_UNKNOWN);
    assert_string_equal(why.where, "$.plan[1].mode");
    assert_int_equal(
        compile("[{\"mode\": \"normal\"}, {\"mode\": \"black-hole\"}]", 0, &plan, &why),
        MODE_UNAVAILABLE);
    assert_memory_equal(why.where, "$.plan[1].mode: $.rules", 23);
}

static void a_plan_without_memory_is_refused_cleanly(void **state)
{
    int n = 0, outcome;
    do {
        struct plan *plan = NULL;
        struct refusal why = { 0 };
        memory_fails_once_after(n++);
        outcome = compile("[{\"mode\": \"late\", \"over\": \"h2\"}, {\"mode\": \"normal\"}]", 0,
                          &plan, &why);
        memory_restore();
        assert_true(outcome == 0 || (outcome == -ENOMEM && !plan));
        plan_unref(plan);
    } while (outcome != 0);
    assert_true(n > 4);
}

/* --- Which entry */

static void the_first_entry_that_fits_wins(void **state)
{
    struct plan *plan = compiled("[{\"mode\": \"late\", \"connection\": 1},"
                                 " {\"mode\": \"early\", \"connection\": \"3-5\"},"
                                 " {\"mode\": \"normal\", \"connection\": \"2-8/2\"},"
                                 " {\"mode\": \"late\", \"connection\": \"12-\"}]",
                                 0);
    static const int wanted[] = { PLAN_NONE, 0, 2, 1, 1, 1, 2, PLAN_NONE, 2, PLAN_NONE, -1, -1, 3 };
    for (uint32_t n = 0; n < sizeof wanted / sizeof *wanted; n++)
        assert_int_equal(plan_pick(plan, n, 77, 0), wanted[n]);
    assert_int_equal(plan_pick(plan, UINT32_MAX, 77, OVER_H2), 3);
    assert_string_equal(plan_program(plan, 1)->name, "early");
    assert_string_equal(plan_program(plan, PLAN_NONE)->name, "normal");
    assert_string_equal(plan_program(plan, PLAN_LATER)->name, "normal");
    plan_unref(plan);
}

static void an_entry_without_connection_fits_older_ones_too(void **state)
{
    struct plan *plan =
        compiled("[{\"mode\": \"early\", \"connection\": \"1-\"}, {\"mode\": \"late\"}]", 0);
    assert_int_equal(plan_pick(plan, 0, 5, OVER_H1), 1);
    assert_int_equal(plan_pick(plan, 1, 5, OVER_H1), 0);
    plan_unref(plan);
}

static void over_is_decided_when_the_protocol_is_known(void **state)
{
    struct plan *plan = compiled("[{\"mode\": \"normal\", \"connection\": 2},"
                                 " {\"mode\": \"late\", \"over\": \"h2\"},"
                                 " {\"mode\": \"half-open\", \"connection\": \"1-3\"}]",
                                 0);
    assert_int_equal(plan_pick(plan, 1, 1, 0), PLAN_LATER);
    assert_int_equal(plan_pick(plan, 1, 1, OVER_H2), 1);
    assert_int_equal(plan_pick(plan, 1, 1, OVER_H1), 2);
    assert_int_equal(plan_pick(plan, 2, 2, 0), 0);
    assert_int_equal(plan_pick(plan, 9, 9, 0), PLAN_LATER);
    assert_int_equal(plan_pick(plan, 9, 9, OVER_H1), PLAN_NONE);
    plan_unref(plan);
}

/* --- Probability */

#define DRAWS 10000
#define HALF  "[{\"mode\": \"late\", \"probability\": 0.5}, {\"mode\": \"normal\"}]"

static unsigned count_first(const struct plan *plan, unsigned from_id)
{
    unsigned n = 0;
    for (uint32_t i = 1; i <= DRAWS; i++)
        n += plan_pick(plan, from_id ? 0 : i, from_id + i, OVER_H1) == 0;
    return n;
}

static void the_same_seed_draws_the_same(void **state)
{
    struct plan *a = compiled(HALF, 42), *b = compiled(HALF, 42), *other = compiled(HALF, 43);
    unsigned differ = 0;
    for (uint32_t i = 1; i <= DRAWS; i++) {
        /* whatever its id, and whatever was drawn before */
        assert_int_equal(plan_pick(a, i, i, OVER_H1), plan_pick(b, i, 3 * i, OVER_H2));
        differ += plan_pick(a, i, i, OVER_H1) != plan_pick(other, i, i, OVER_H1);
    }
    assert_in_range(differ, DRAWS * 45 / 100, DRAWS * 55 / 100);
    plan_unref(a);
    plan_unref(b);
    plan_unref(other);
}

static void each_probability_has_its_share(void **state)
{
    static const unsigned percents[] = { 0, 1, 10, 50, 90, 100 };
    for (size_t i = 0; i < sizeof percents / sizeof *percents; i++) {
        char text[96];
        unsigned p = percents[i];
        snprintf(text, sizeof text, "[{\"mode\": \"late\", \"probability\": %u.%02u}]", p / 100,
                 p % 100);
        struct plan *plan = compiled(text, i);
        unsigned slack = p == 0 || p == 100 ? 0 : DRAWS * 2 / 100, wanted = DRAWS / 100 * p;
        assert_in_range(count_first(plan, 0), wanted > slack ? wanted - slack : 0, wanted + slack);
        /* connections with number 0 are drawn by their ids */
        assert_in_range(count_first(plan, 1000), wanted > slack ? wanted - slack : 0,
                        wanted + slack);
        plan_unref(plan);
    }
}

static void entries_are_drawn_on_their_own(void **state)
{
    struct plan *plan = compiled("[{\"mode\": \"late\", \"probability\": 0.5},"
                                 " {\"mode\": \"half-open\", \"probability\": 0.5}]",
                                 7);
    unsigned picked[2] = { 0 };
    for (uint32_t i = 1; i <= DRAWS; i++) {
        int entry = plan_pick(plan, i, i, OVER_H1);
        if (entry >= 0)
            picked[entry]++;
    }
    assert_in_range(picked[0], DRAWS * 47 / 100, DRAWS * 53 / 100);
    assert_in_range(picked[1], DRAWS * 22 / 100, DRAWS * 28 / 100);
    plan_unref(plan);
}

/* --- As it is shown */

static void it_is_shown_with_the_parameters_in_force(void **state)
{
    struct plan *plan = compiled("[{\"mode\": \"late\", \"connection\": \"2-\"}]", 0);
    json_t *entry = json_array_get(plan_json(plan), 0);
    assert_string_equal(json_string_value(json_object_get(entry, "connection")), "2-");
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(entry, "params"), "idle")), "3s");
    assert_false(plan_is_mode(plan));
    assert_null(plan_only_mode(plan));
    plan_unref(plan);

    plan = compiled("{\"mode\": \"late\"}", 0);
    assert_string_equal(plan_only_mode(plan)->name, "late");
    assert_int_equal(json_array_size(plan_json(plan)), 1);
    plan_unref(plan);
}

static void put(const char *name, const char *text)
{
    struct refusal why = { 0 };
    json_t *document = json_loads(text, 0, NULL);
    if (!document || catalogue_put(catalogue, name, document, &why) != 0)
        fail_msg("%s: %s: %s", name, why.where, why.what);
    json_decref(document);
}

static int start(void **state)
{
    catalogue = catalogue_create();
    put("early", "{\"name\": \"early\", \"summary\": \"early\", \"client_sees\": \"RST\","
                 " \"rules\": [{\"on\": \"accept\", \"do\": [\"rst\"]}]}");
    put("late", "{\"name\": \"late\", \"summary\": \"late\", \"client_sees\": \"FIN\","
                " \"params\": {\"idle\": {\"type\": \"duration\", \"default\": \"3s\","
                " \"about\": \"how long\"}},"
                " \"rules\": [{\"on\": \"idle\", \"after\": \"$idle\", \"do\": [\"fin\"]}]}");
    return 0;
}

static int stop(void **state)
{
    catalogue_destroy(catalogue);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mistake_is_refused_with_its_place),
        cmocka_unit_test(at_most_64_entries_are_taken),
        cmocka_unit_test(what_fires_before_the_protocol_cannot_depend_on_it),
        cmocka_unit_test(an_entry_that_no_connection_can_get_is_refused),
        cmocka_unit_test(a_plan_that_the_listeners_cannot_serve_is_refused),
        cmocka_unit_test(a_missing_capability_is_said_after_all_mistakes),
        cmocka_unit_test(a_plan_without_memory_is_refused_cleanly),
        cmocka_unit_test(the_first_entry_that_fits_wins),
        cmocka_unit_test(an_entry_without_connection_fits_older_ones_too),
        cmocka_unit_test(over_is_decided_when_the_protocol_is_known),
        cmocka_unit_test(the_same_seed_draws_the_same),
        cmocka_unit_test(each_probability_has_its_share),
        cmocka_unit_test(entries_are_drawn_on_their_own),
        cmocka_unit_test(it_is_shown_with_the_parameters_in_force),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
