/* test_admin_plan.c - the admin API: how modes, plans, cases, time scale and marks are set. */
#include "harness/admin_rig.h"
#include "harness/memory.h"

#include "mode/cases.h"
#include "mode/suites.h"

#define CASE "01-answered-then-dead"

static void put(const char *body, int status)
{
    if (rig_call("PUT", "/v1/mode", JSON_TYPE, body) != status)
        fail_msg("%s: %d: %s", body, reply.status, reply.body);
}

static void patch(const char *body, int status)
{
    if (rig_call("PATCH", "/v1/runs/default", JSON_TYPE, body) != status)
        fail_msg("%s: %d: %s", body, reply.status, reply.body);
}

/* --- Modes */

static void the_mode_is_set_as_told(void **state)
{
    put("{\"mode\":\"idle-close\",\"params\":{\"idle\":\"2s\"},\"apply\":\"new\"}", 200);
    assert_string_equal(the_run.mode, "idle-close");
    assert_string_equal(the_run.params, "{\"idle\":\"2s\"}");
    assert_int_equal(the_run.apply, APPLY_NEW);
    assert_false(the_run.lenient);
    assert_string_equal(reply_text("mode"), "idle-close");
    assert_int_equal(rig_call("PUT", "/v1/mode", JSON_TYPE, " {\"mode\":\"normal\"}\n"), 200);
    assert_string_equal(the_run.params, "-");
    assert_int_equal(the_run.apply, APPLY_ALL);
    assert_int_equal(rig_get("/v1/mode"), 200);
    assert_string_equal(reply_text("mode"), "normal");
}

/* --- Plans */

static void a_plan_is_set_as_told(void **state)
{
    put("{\"plan\":[{\"connection\":\"1\",\"mode\":\"half-open\",\"params\":{\"idle\":\"2s\"}}],"
        "\"seed\":7,\"apply\":\"new\"}",
        200);
    assert_string_equal(the_run.plan, "[{\"connection\":\"1\",\"mode\":\"half-open\",\"params\":"
                                      "{\"idle\":\"2s\"}}]");
    assert_int_equal(the_run.seed, 7);
    assert_int_equal(the_run.apply, APPLY_NEW);
    put("{\"plan\":[]}", 200); /* what a plan must be like is the run's business */
    assert_string_equal(the_run.plan, "[]");
    assert_int_equal(the_run.seed, 7); /* that in force */
    assert_int_equal(the_run.apply, APPLY_ALL);
    assert_true(json_is_null(json_object_get(reply.json, "mode")));
}

static void seeds_are_whole_numbers_up_to_2_to_the_53(void **state)
{
    put("{\"plan\":[],\"seed\":9007199254740992}", 200);
    assert_int_equal(the_run.seed, 9007199254740992);
    put("{\"plan\":[],\"seed\":0}", 200);
    assert_int_equal(the_run.seed, 0);
}

/* --- Cases */

static void a_case_sets_its_plan(void **state)
{
    json_t *one = NULL;
    char plan[4096];
    assert_int_equal(cases_get(CASE, &one, NULL), 0);
    rig_keep(json_object_get(one, "plan"), plan, sizeof plan);
    json_decref(one);
    put("{\"case\":\"" CASE "\",\"seed\":3,\"apply\":\"new\"}", 200);
    assert_string_equal(the_run.plan, plan);
    assert_int_equal(the_run.seed, 3);
    assert_int_equal(the_run.apply, APPLY_NEW);
}

static void an_unknown_case_is_refused_with_the_names_there_are(void **state)
{
    put("{\"case\":\"01\"}", 400);
    assert_problem(400, "$.case", CASE);
    assert_string_equal(reply_text("type"), "/problems/unknown-case");
    assert_string_equal(the_run.plan, "");
    assert_int_equal(rig_get("/v1/cases/01"), 404);
    assert_problem(404, "/v1/cases/01", CASE);
}

static void what_a_cases_plan_meets_is_said_with_the_case(void **state)
{
    the_run.outcome = MODE_UNAVAILABLE;
    put("{\"case\":\"" CASE "\"}", 409);
    assert_problem(409, "$.case: $.params.idle", "what is allowed");
}

static void cases_are_listed_and_shown(void **state)
{
    assert_int_equal(rig_get("/v1/cases"), 200);
    json_t *list = json_object_get(reply.json, "cases"), *row = json_array_get(list, 0);
    assert_int_equal(json_array_size(list), cases_count());
    assert_string_equal(json_string_value(json_object_get(row, "name")), CASE);
    assert_true(json_is_true(json_object_get(row, "available")));
    assert_int_equal(rig_get("/v1/cases/" CASE), 200);
    assert_string_equal(reply_text("name"), CASE);
    json_t *one = NULL;
    assert_int_equal(cases_get(CASE, &one, NULL), 0);
    assert_true(json_equal(one, reply.json));
    json_decref(one);
}

/* --- Time scale */

static void the_time_scale_is_in_force_for_what_is_set_with_it(void **state)
{
    patch("{\"mode\":\"idle-close\",\"time_scale\":0.01}", 200);
    assert_true(the_run.set_at == 0.01 && the_run.scale == 0.01);
    assert_string_equal(reply_text("id"), "default");
    assert_string_equal(reply_text("mode"), "idle-close");
    assert_true(json_number_value(json_object_get(reply.json, "time_scale")) == 0.01);
    patch("{\"plan\":[],\"time_scale\":2}", 200);
    assert_true(the_run.set_at == 2 && the_run.scale == 2);
    patch("{\"case\":\"" CASE "\"}", 200);
    assert_true(the_run.set_at == 2 && the_run.scale == 2);
    patch("{\"mode\":\"normal\",\"time_scale\":0.000001}", 200);
    patch("{\"mode\":\"normal\",\"time_scale\":1e6}", 200);
    assert_true(the_run.scale == 1e6);
}

static void a_refused_patch_leaves_the_time_scale(void **state)
{
    static const char *const bodies[] = {
        "{\"mode\":\"x\",\"time_scale\":5}",
        "{\"plan\":[],\"time_scale\":5}",
        "{\"case\":\"" CASE "\",\"time_scale\":5}",
    };
    patch("{\"mode\":\"a\",\"time_scale\":3}", 200);
    the_run.outcome = BAD_INPUT;
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        the_run.set_at = 0;
        patch(bodies[i], 400);
        assert_true(the_run.set_at == 5 && the_run.scale == 3);
    }
    patch("{\"case\":\"none\",\"time_scale\":5}", 400);
    assert_true(the_run.scale == 3);
    assert_string_equal(the_run.mode, "a");
}

/* --- What GET shows can be PUT, and PATCH is a merge patch (RFC 7396) on it */

static void what_is_shown_can_be_set_again(void **state)
{
    static const char *const bodies[] = {
        "{\"mode\":\"idle-close\",\"params\":{\"idle\":\"2s\"},\"time_scale\":0.5,\"seed\":7}",
        "{\"plan\":[{\"mode\":\"a\",\"params\":{}},{\"mode\":\"b\"}],\"time_scale\":3,\"seed\":9}",
        "{\"mode\":\"a\",\"params\":{\"x\":1},\"plan\":[{\"mode\":\"a\",\"params\":{\"x\":1}}]}",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        put(bodies[i], 200);
        char *shown = strdup(reply.body);
        put("{\"mode\":\"normal\",\"time_scale\":1,\"seed\":0}", 200);
        put(shown, 200);
        assert_string_equal(reply.body, shown);
        assert_int_equal(rig_get("/v1/mode"), 200);
        assert_string_equal(reply.body, shown);
        free(shown);
    }
    put("{\"mode\":\"b\",\"plan\":[{\"mode\":\"a\"}]}", 400);
    put("{\"mode\":\"a\",\"params\":{\"x\":2},\"plan\":[{\"mode\":\"a\",\"params\":{\"x\":1}}]}",
        400);
}

static void a_patch_changes_what_it_names_and_nothing_else(void **state)
{
    static const struct {
        const char *patch, *mode, *params, *plan;
        double scale;
        uint64_t seed;
    } rows[] = {
        { "{\"mode\":\"m\",\"params\":{\"a\":1,\"b\":2}}", "m", "{\"a\":1,\"b\":2}", NULL, 1, 0 },
        { "{\"time_scale\":0.1}", "m", "{\"a\":1,\"b\":2}", NULL, 0.1, 0 },
        { "{\"params\":{\"b\":3}}", "m", "{\"a\":1,\"b\":3}", NULL, 0.1, 0 },
        { "{\"params\":{\"a\":null}}", "m", "{\"b\":3}", NULL, 0.1, 0 },
        { "{\"seed\":5}", "m", "{\"b\":3}", NULL, 0.1, 5 },
        { "{}", "m", "{\"b\":3}", NULL, 0.1, 5 },
        { "{\"mode\":\"m\",\"params\":{\"c\":1}}", "m", "{\"b\":3,\"c\":1}", NULL, 0.1, 5 },
        { "{\"params\":null}", "m", "{}", NULL, 0.1, 5 },
        { "{\"mode\":\"n\",\"params\":{\"d\":1}}", "n", "{\"d\":1}", NULL, 0.1, 5 },
        { "{\"mode\":\"m\"}", "m", "{}", NULL, 0.1, 5 },
        { "{\"plan\":[{\"mode\":\"p\"}]}", NULL, NULL, "[{\"mode\":\"p\"}]", 0.1, 5 },
        { "{\"seed\":null,\"time_scale\":null}", NULL, NULL, "[{\"mode\":\"p\"}]", 1, 0 },
        { "{\"plan\":null}", "normal", "{}", NULL, 1, 0 },
        { "{\"mode\":\"m\",\"plan\":null}", "m", "{}", NULL, 1, 0 },
        { "{\"plan\":null}", "m", "{}", NULL, 1, 0 },
        { "{\"mode\":null}", "normal", "{}", NULL, 1, 0 },
        { "{\"mode\":null,\"plan\":[{\"mode\":\"q\"}]}", NULL, NULL, "[{\"mode\":\"q\"}]", 1, 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char kept[256];
        int status = rig_call("PATCH", "/v1/runs/default",
                              i % 2 ? JSON_TYPE : "Content-Type: application/merge-patch+json\r\n",
                              rows[i].patch);
        if (status != 200)
            fail_msg("%s: %s", rows[i].patch, reply.body);
        assert_int_equal(rig_get("/v1/runs/default"), 200);
        if (rows[i].mode) {
            assert_string_equal(reply_text("mode"), rows[i].mode);
            rig_keep(json_object_get(reply.json, "params"), kept, sizeof kept);
            assert_string_equal(kept, rows[i].params);
            assert_true(json_is_null(json_object_get(reply.json, "plan")));
        } else {
            assert_true(json_is_null(json_object_get(reply.json, "mode")));
            rig_keep(json_object_get(reply.json, "plan"), kept, sizeof kept);
            assert_string_equal(kept, rows[i].plan);
        }
        assert_true(json_number_value(json_object_get(reply.json, "time_scale")) == rows[i].scale);
        assert_int_equal(reply_number("seed"), rows[i].seed);
    }
    patch("{\"params\":{\"a\":1}}", 400); /* a plan is in force */
    assert_problem(400, "$.params", "entries");
    patch("{\"connections\":0}", 400);
    assert_problem(400, "$.connections", "mode, params");
    assert_int_equal(rig_call("PUT", "/v1/mode", "Content-Type: application/merge-patch+json\r\n",
                              "{\"mode\":\"a\"}"),
                     415);
}

/* --- What is refused */

static void outcomes_become_statuses(void **state)
{
    static const struct {
        int outcome, status;
        const char *where;
    } rows[] = {
        { BAD_INPUT, 400, "$.params.idle" },
        { MODE_UNKNOWN, 400, "$.params.idle" },
        { MODE_UNAVAILABLE, 409, "$.params.idle" },
        { -ENOMEM, 503, "" },
        { -EPERM, 500, "" },
    };
    static const struct {
        const char *method, *target, *body;
    } calls[] = {
        { "PUT", "/v1/mode", "{\"mode\":\"x\"}" },
        { "PUT", "/v1/mode", "{\"plan\":[]}" },
        { "PATCH", "/v1/runs/default", "{\"mode\":\"x\"}" },
        { "POST", "/v1/connections/7/do", "{\"do\":[]}" },
        { "POST", "/v1/connections/do", "{\"do\":[]}" },
        { "POST", "/v1/runs/default/marks", "{\"mark\":\"x\"}" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        the_run.outcome = rows[i].outcome;
        for (size_t k = 0; k < sizeof calls / sizeof *calls; k++) {
            if (rows[i].outcome == MODE_UNKNOWN && k >= 3)
                continue; /* these name no mode */
            rig_call(calls[k].method, calls[k].target, JSON_TYPE, calls[k].body);
            assert_problem(rows[i].status, rows[i].where, "");
        }
    }
}

static void bad_bodies_are_refused_with_their_place(void **state)
{
    static const struct {
        const char *body, *where, *allowed;
    } rows[] = {
        { NULL, "body", "JSON" },
        { "", "body", "JSON" },
        { "{", "line 1, column 1", "JSON" },
        { "nonsense", "line 1", "JSON" },
        { "{\"mode\":\"a\"}x", "line 1", "JSON" },
        { "{\"mode\":\"a\",\"mode\":\"b\"}", "line 1", "once" },
        { "{\"mode\":\"a\\u0000b\"}", "line 1", "" },
        { "{\"mode\":\"\xff\"}", "line 1", "" },
        { "[]", "$", "mode, params, plan, case, seed, apply, time_scale" },
        { "{\"mode\":7}", "$.mode", "string" },
        { "{\"mode\":\"a\",\"modus\":1}", "$.modus", "mode, params, plan" },
        { "{\"mode\":\"a\",\"params\":[]}", "$.params", "object" },
        { "{\"mode\":\"a\",\"apply\":\"some\"}", "$.apply", "all" },
        { "{\"mode\":\"a\",\"apply\":true}", "$.apply", "string" },
        { "{\"mode\":\"a\",\"plan\":[]}", "$", "exactly one" },
        { "{\"mode\":\"a\",\"case\":\"b\"}", "$", "exactly one" },
        { "{\"plan\":[],\"case\":\"b\"}", "$", "exactly one" },
        { "{\"plan\":{}}", "$.plan", "array" },
        { "{\"plan\":[],\"params\":{}}", "$.params", "entries" },
        { "{\"case\":1}", "$.case", "string" },
        { "{\"case\":\"" CASE "\",\"params\":{}}", "$.params", "entries" },
        { "{\"mode\":\"a\",\"apply\":null}", "$.apply", "string" },
        { "{\"plan\":[],\"seed\":-1}", "$.seed", "9007199254740992" },
        { "{\"plan\":[],\"seed\":9007199254740993}", "$.seed", "9007199254740992" },
        { "{\"plan\":[],\"seed\":99999999999999999999}", "line 1", "" },
        { "{\"plan\":[],\"seed\":1.5}", "$.seed", "whole number" },
        { "{\"plan\":[],\"seed\":\"1\"}", "$.seed", "whole number" },
        { "{\"mode\":\"a\",\"ttl\":1}", "$.ttl", "string" },
        { "{\"mode\":\"a\",\"ttl\":\"soon\"}", "$.ttl", "duration up to 24h" },
        { "{\"mode\":\"a\",\"ttl\":\"0s\"}", "$.ttl", "duration up to 24h" },
        { "{\"mode\":\"a\",\"ttl\":\"never\"}", "$.ttl", "duration up to 24h" },
        { "{\"mode\":\"a\",\"ttl\":\"25h\"}", "$.ttl", "duration up to 24h" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        rig_call("PUT", "/v1/mode", JSON_TYPE, rows[i].body);
        assert_problem(400, rows[i].where, rows[i].allowed);
        rig_call("PATCH", "/v1/runs/default", JSON_TYPE, rows[i].body);
        assert_problem(400, rows[i].where, rows[i].allowed);
    }
    assert_string_equal(the_run.mode, "normal");
    assert_string_equal(the_run.plan, "");
    static const char *const nothing[] = { "{}", "{\"apply\":\"new\"}", "{\"mode\":null}",
                                           "{\"time_scale\":2,\"params\":{}}",
                                           "{\"seed\":1,\"plan\":null}" };
    for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++) {
        put(nothing[i], 400);
        assert_problem(400, "$", "exactly one of mode, plan and case");
    }
    put("{\"mdoe\":\"a\"}", 400);
    assert_string_equal(
        json_string_value(json_array_get(json_object_get(reply.json, "did_you_mean"), 0)), "mode");
    assert_int_equal(json_array_size(json_object_get(reply.json, "allowed")), 9);
}

static void a_time_scale_alone_leaves_the_mode(void **state)
{
    put("{\"mode\":\"idle-close\",\"params\":{\"idle\":\"2s\"}}", 200);
    put("{\"time_scale\":2}", 200);
    assert_string_equal(the_run.mode, "idle-close");
    assert_string_equal(the_run.params, "{\"idle\":\"2s\"}");
    assert_true(the_run.scale == 2);
}

static void bad_time_scales_are_refused(void **state)
{
    static const char *const values[] = {
        "0", "-1", "0.0000009", "1000001", "1e99", "\"1\"", "true"
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char body[100];
        snprintf(body, sizeof body, "{\"mode\":\"a\",\"time_scale\":%s}", values[i]);
        patch(body, 400);
        assert_problem(400, "$.time_scale", "a number");
    }
    assert_true(the_run.scale == 1);
    assert_string_equal(the_run.mode, "normal");
}

/* --- Marks */

static void a_mark_is_set_and_its_event_named(void **state)
{
    assert_int_equal(
        rig_call("POST", "/v1/runs/default/marks", JSON_TYPE, "{\"mark\":\"background\"}"), 201);
    assert_string_equal(the_run.mark, "background");
    assert_string_equal(reply.body, "{\"mark\":\"background\",\"seq\":41,\"rules\":3}\n");
}

static void bad_marks_are_refused(void **state)
{
    static const struct {
        const char *body, *where;
    } rows[] = {
        { "{}", "$.mark" },
        { "{\"mark\":1}", "$.mark" },
        { "{\"mark\":\"a\",\"name\":\"a\"}", "$.name" },
        { "\"background\"", "line 1" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        rig_call("POST", "/v1/runs/default/marks", JSON_TYPE, rows[i].body);
        assert_problem(400, rows[i].where, "");
    }
    assert_string_equal(the_run.mark, "");
    assert_int_equal(rig_get("/v1/runs/default/marks"), 405);
    assert_string_equal(reply_field("Allow"), "POST, OPTIONS");
}

/* --- The language */

static void the_language_is_told(void **state)
{
    json_t *language = mode_language();
    assert_int_equal(rig_get("/v1/language"), 200);
    assert_true(json_equal(language, reply.json));
    json_decref(language);
}

/* --- Modes that extend others */

#define EXTENDS_IDLE                                                                               \
    "{\"name\":\"later\",\"summary\":\"s\",\"group\":\"profile\",\"assumed\":true,"                \
    "\"differs\":[{\"situations\":[\"idle\"],\"why\":\"it polls\"}],"                              \
    "\"extends\":\"idle-close\",\"params\":{\"idle\":\"75s\"}}"

static const json_t *row_of(const char *name)
{
    size_t i;
    json_t *row;
    assert_int_equal(rig_get("/v1/modes"), 200);
    json_array_foreach(json_object_get(reply.json, "modes"), i, row)
    {
        if (strcmp(json_string_value(json_object_get(row, "name")), name) == 0)
            return row;
    }
    fail_msg("no %s", name);
    return NULL;
}

static const char *row_text(const json_t *row, const char *member)
{
    const char *value = json_string_value(json_object_get(row, member));
    return value ? value : "";
}

static void a_mode_that_extends_is_listed_with_what_it_inherits(void **state)
{
    assert_int_equal(rig_call("PUT", "/v1/modes/later", JSON_TYPE, EXTENDS_IDLE), 201);
    const json_t *row = row_of("later"), *idle;
    assert_string_equal(row_text(row, "extends"), "idle-close");
    assert_string_equal(row_text(row, "group"), "profile");
    assert_true(json_is_true(json_object_get(row, "assumed")));
    const json_t *one = json_array_get(json_object_get(row, "differs"), 0);
    assert_string_equal(row_text(one, "why"), "it polls");
    idle = json_object_get(json_object_get(row, "params"), "idle");
    assert_string_equal(row_text(idle, "default"), "75s");
    assert_string_equal(row_text(idle, "type"), "duration");
    assert_non_null(json_object_get(json_object_get(row, "params"), "notify"));
    assert_null(json_object_get(row, "rules"));

    assert_int_equal(rig_get("/v1/modes/later"), 200); /* as it was written: it can be PUT again */
    json_t *written = json_loads(EXTENDS_IDLE, 0, NULL);
    assert_true(json_equal(written, reply.json));
    json_decref(written);
    assert_int_equal(rig_get("/v1/modes/later?resolved=false"), 200);
    assert_string_equal(reply_text("extends"), "idle-close");
    assert_int_equal(rig_get("/v1/modes/later?resolved=true"), 200);
    assert_string_equal(reply_text("extends"), "");
    assert_true(json_array_size(json_object_get(reply.json, "rules")) > 0);
    assert_int_equal(rig_get("/v1/modes/later?resolved=1"), 400);
    assert_problem(400, "?resolved", "true, false");
}

static void a_mode_that_another_extends_stays(void **state)
{
    static const char base[] = "{\"name\":\"base\",\"summary\":\"s\",\"rules\":[]}";
    static const char upon[] = "{\"name\":\"upon\",\"summary\":\"s\",\"extends\":\"base\"}";
    assert_int_equal(rig_call("PUT", "/v1/modes/base", JSON_TYPE, base), 201);
    assert_int_equal(rig_call("PUT", "/v1/modes/upon", JSON_TYPE, upon), 201);
    assert_int_equal(rig_call("DELETE", "/v1/modes/base", "", NULL), 409);
    assert_problem(409, "", "");
    assert_int_equal(rig_call("DELETE", "/v1/modes/upon", "", NULL), 204);
    assert_int_equal(rig_call("DELETE", "/v1/modes/base", "", NULL), 204);
}

static void suites_are_listed_and_shown(void **state)
{
    assert_int_equal(rig_get("/v1/suites"), 200);
    json_t *list = json_object_get(reply.json, "suites"), *first = json_array_get(list, 0);
    assert_int_equal(json_array_size(list), suites_count());
    assert_string_equal(json_string_value(json_object_get(first, "name")), "all");
    assert_int_equal(rig_get("/v1/suites/stale"), 200);
    assert_string_equal(reply_text("name"), "stale");
    assert_int_equal(json_array_size(json_object_get(reply.json, "rows")), 15);
    assert_int_equal(rig_get("/v1/suites/stael"), 404);
    assert_problem(404, "/v1/suites/stael", "stale");
    assert_string_equal(reply_text("type"), "/problems/no-such-suite");
}

/* --- Memory */

/* All allocations fail from the n-th on: when a single one does, jansson's reader may write behind
 * a string that it could not keep whole. */
static void without_memory_nothing_is_set_by_halves(void **state)
{
    static const struct {
        const char *method, *target, *body;
    } rows[] = {
        { "GET", "/v1/cases", "" },
        { "GET", "/v1/cases/" CASE, "" },
        { "GET", "/v1/suites", "" },
        { "GET", "/v1/suites/h2", "" },
        { "POST", "/v1/runs/default/marks", "{\"mark\":\"a\"}" },
        { "PATCH", "/v1/runs/default", "{\"case\":\"" CASE "\",\"time_scale\":5}" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool failed = true;
        for (long n = 0; failed && n < 100000; n = next_failing(n)) { /* many in a long list */
            struct buf text = { 0 };
            buf_printf(&text,
                       "%s %s HTTP/1.1\r\nHost: localhost\r\n" JSON_TYPE
                       "Content-Length: %zu\r\n\r\n%s",
                       rows[i].method, rows[i].target, strlen(rows[i].body), rows[i].body);
            the_run.scale = 1;
            the_run.plan[0] = '\0';
            failed = call_short_of_memory((const char *)buf_bytes(&text), buf_len(&text), n, true);
            assert_true(reply.status / 100 == 2 || reply.status == 503 ||
                        (!reply.status && reply.closed));
            assert_true(reply.status / 100 != 2 || reply.json);
            assert_true((the_run.scale == 5) == (the_run.plan[0] != '\0'));
            buf_free(&text);
        }
        assert_false(failed);
        assert_int_equal(reply.status / 100, 2);
    }
}

int main(void)
{
    caps_probe();
    memory_for_jansson(true);
#define SERVED(f) cmocka_unit_test_setup_teardown(f, rig_set_up, rig_tear_down)
    const struct CMUnitTest tests[] = {
        SERVED(the_mode_is_set_as_told),
        SERVED(a_plan_is_set_as_told),
        SERVED(seeds_are_whole_numbers_up_to_2_to_the_53),
        SERVED(a_case_sets_its_plan),
        SERVED(an_unknown_case_is_refused_with_the_names_there_are),
        SERVED(what_a_cases_plan_meets_is_said_with_the_case),
        SERVED(cases_are_listed_and_shown),
        SERVED(suites_are_listed_and_shown),
        SERVED(the_time_scale_is_in_force_for_what_is_set_with_it),
        SERVED(a_refused_patch_leaves_the_time_scale),
        SERVED(what_is_shown_can_be_set_again),
        SERVED(a_patch_changes_what_it_names_and_nothing_else),
        SERVED(outcomes_become_statuses),
        SERVED(bad_bodies_are_refused_with_their_place),
        SERVED(a_time_scale_alone_leaves_the_mode),
        SERVED(bad_time_scales_are_refused),
        SERVED(a_mark_is_set_and_its_event_named),
        SERVED(bad_marks_are_refused),
        SERVED(the_language_is_told),
        SERVED(a_mode_that_extends_is_listed_with_what_it_inherits),
        SERVED(a_mode_that_another_extends_stays),
        SERVED(without_memory_nothing_is_set_by_halves),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    forget_reply();
    return failed;
}
