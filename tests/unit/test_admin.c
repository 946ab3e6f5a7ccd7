/* test_admin.c - the admin API over its socket: guard, routes, catalogue, connections.
 * test_admin_trouble.c has what goes wrong, test_admin_plan.c how modes, plans, cases and marks are
 * set, test_admin_events.c how the ledger is read. */
#include "harness/admin_rig.h"

#include "admin/openapi.h"

/* --- Routes */

static void paths_and_methods_lead_to_rows(void **state)
{
    static const struct {
        const char *method, *path, *found, *arg, *allow;
    } rows[] = {
        { "GET", "/healthz", "/healthz", NULL, "" },
        { "HEAD", "/healthz", "/healthz", NULL, "" },
        { "GET", "/v1/modes", "/v1/modes", NULL, "" },
        { "GET", "/v1/modes/x", "/v1/modes/{name}", "x", "" },
        { "DELETE", "/v1/modes/x", "/v1/modes/{name}", "x", "" },
        { "POST", "/v1/connections/12/do", "/v1/connections/{id}/do", "12", "" },
        { "POST", "/v1/connections/do", "/v1/connections/do", NULL, "" },
        { "GET", "/v1/connections/do", "/v1/connections/{id}", "do", "" },
        { "POST", "/healthz", NULL, NULL, "GET, HEAD, OPTIONS" },
        { "get", "/healthz", NULL, NULL, "GET, HEAD, OPTIONS" },
        { "POST", "/v1/modes/x", NULL, NULL, "GET, HEAD, PUT, DELETE, OPTIONS" },
        { "GET", "/v1/connections/12/do", NULL, NULL, "POST, OPTIONS" },
        { "OPTIONS", "/v1/mode", NULL, NULL, "GET, HEAD, PUT, OPTIONS" },
        { "GET", "/", NULL, NULL, "" },
        { "GET", "/v1/", "/v1", NULL, "" },
        { "GET", "/v1/modes/", "/v1/modes", NULL, "" },
        { "GET", "/v1/modes/x/", "/v1/modes/{name}", "x", "" },
        { "POST", "/v1/connections/12/do/", "/v1/connections/{id}/do", "12", "" },
        { "GET", "/v1//", NULL, NULL, "" },
        { "GET", "/v1/modes/a/b", NULL, NULL, "" },
        { "GET", "/v1/mod", NULL, NULL, "" },
        { "GET", "/v1/connections//do", NULL, NULL, "" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char allow[ROUTE_ALLOW_SIZE];
        struct route_args args = { 0 };
        const struct route *row = routes_find(rows[i].method, rows[i].path, &args, allow);
        if (!row != !rows[i].found)
            fail_msg("row %zu", i);
        if (row)
            assert_string_equal(row->path, rows[i].found);
        else
            assert_string_equal(allow, rows[i].allow);
        if (rows[i].arg)
            assert_string_equal(args.values[0], rows[i].arg);
    }
}

static void a_pattern_may_have_two_names(void **state)
{
    static const char pattern[] = "/v1/runs/{run}/connections/{id}";
    static const struct {
        const char *path, *run, *id; /* NULL: it does not match */
    } rows[] = {
        { "/v1/runs/default/connections/12", "default", "12" },
        { "/v1/runs/r-2/connections/1/", "r-2", "1" },
        { "/v1/runs/{run}/connections/{id}", "{run}", "{id}" },
        { "/v1/runs/connections/connections/connections", "connections", "connections" },
        { "/v1/runs//connections/12", NULL, NULL },
        { "/v1/runs/default/connections/", NULL, NULL },
        { "/v1/runs/default/connections", NULL, NULL },
        { "/v1/runs/default/connections/12/do", NULL, NULL },
        { "/v1/runs/default/marks/12", NULL, NULL },
        { "/v1/runs/a/b/connections/12", NULL, NULL },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct route_args args;
        assert_int_equal(routes_match(pattern, rows[i].path, &args), rows[i].run != NULL);
        if (!rows[i].run)
            continue;
        assert_string_equal(routes_arg(pattern, &args, "run"), rows[i].run);
        assert_string_equal(routes_arg(pattern, &args, "id"), rows[i].id);
        assert_null(routes_arg(pattern, &args, "ru"));
        assert_null(routes_arg(pattern, &args, "connections"));
    }
}

static void a_name_has_bounds(void **state)
{
    char path[2 * ROUTE_ARG_SIZE];
    struct route_args args;
    for (int over = 0; over < 2; over++) {
        int len = ROUTE_ARG_SIZE - 1 + over;
        snprintf(path, sizeof path, "/a/%0*d/b/1", len, 0);
        assert_int_equal(routes_match("/a/{x}/b/{y}", path, &args), !over);
    }
    assert_int_equal(strlen(routes_arg("/a/{x}/b/{y}", &args, "x")), ROUTE_ARG_SIZE - 1);
    assert_false(routes_match("/{a}/{b}/{c}", "/1/2/3", &args)); /* more names than are kept */
}

static void no_row_has_more_names_than_are_kept(void **state)
{
    for (size_t i = 0; i < routes_count; i++) {
        size_t names = 0;
        for (const char *c = routes[i].path; *c; c++)
            names += *c == '{';
        assert_true(names <= ROUTE_ARGS_MAX);
    }
}

static void the_description_has_each_row_and_no_other(void **state)
{
    json_t *doc = json_loadb((const char *)openapi_json, openapi_json_len, 0, NULL);
    assert_non_null(doc);
    json_t *paths = json_object_get(doc, "paths"), *path;
    size_t described = 0;
    const char *key;
    json_object_foreach(paths, key, path) described += json_object_size(path);
    assert_int_equal(described, routes_count);
    for (size_t i = 0; i < routes_count; i++) {
        char method[16];
        for (size_t c = 0; c <= strlen(routes[i].method); c++)
            method[c] = (char)(routes[i].method[c] ? routes[i].method[c] | 0x20 : 0);
        json_t *row = json_object_get(json_object_get(paths, routes[i].path), method);
        if (!row)
            fail_msg("%s %s", routes[i].method, routes[i].path);
        assert_int_equal(json_object_get(row, "requestBody") != NULL, routes[i].body != BODY_NONE);
    }
    json_decref(doc);
    assert_int_equal(rig_get("/v1/openapi.json"), 200);
    assert_int_equal(reply.body_len, openapi_json_len);
}

static void the_index_lists_the_calls(void **state)
{
    assert_int_equal(rig_get("/v1"), 200);
    assert_int_equal(json_array_size(json_object_get(reply.json, "calls")), routes_count);
    assert_string_equal(reply_text("version"), HANGUP_VERSION);
}

static void what_is_not_there_is_said(void **state)
{
    assert_int_equal(rig_get("/nowhere"), 404);
    assert_problem(404, "/nowhere", "GET /v1");
    assert_int_equal(rig_call("DELETE", "/v1/mode", "", NULL), 405);
    assert_problem(405, "/v1/mode", "GET, HEAD, PUT, OPTIONS");
    assert_string_equal(reply_field("Allow"), "GET, HEAD, PUT, OPTIONS");
    assert_int_equal(rig_call("OPTIONS", "/v1/reset", "", NULL), 204);
    assert_string_equal(reply_field("Allow"), "POST, OPTIONS");
    assert_null(reply_field("Access-Control-Allow-Origin"));
    assert_int_equal(rig_get("/v1/mode%2fx"), 400);
    assert_problem(400, "target", "");
    assert_int_equal(rig_get("/v1/mode%00"), 400);
    assert_int_equal(rig_get("/v1/mode?x=1"), 400);
    assert_problem(400, "?x", "");
    assert_int_equal(rig_get("http://localhost:9/v1/mode"), 200);
    assert_int_equal(rig_get("/v1/%6dode"), 200);
}

static void head_is_get_without_the_body(void **state)
{
    assert_int_equal(rig_get("/v1/mode"), 200);
    char length[512];
    snprintf(length, sizeof length, "%s", reply_field("Content-Length"));
    assert_int_equal(rig_call("HEAD", "/v1/mode", "", NULL), 200);
    assert_string_equal(reply_field("Content-Length"), length);
    assert_int_equal(reply.body_len, 0);
}

/* --- Guard, as far as it needs the socket */

static void strangers_are_refused(void **state)
{
    static const char *const texts[] = {
        "GET /v1/mode HTTP/1.1\r\nHost: evil.test\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: evil.test\r\n\r\n",
        "GET /v1/mode HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.test\r\n\r\n",
        "GET /v1/mode HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: cross-site\r\n\r\n",
        "GET http://evil.test/v1/mode HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "OPTIONS /v1/mode HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.test\r\n\r\n",
        "POST /v1/reset HTTP/1.1\r\nHost: localhost\r\nOrigin: null\r\n\r\n",
        "GET /v1/mode HTTP/1.0\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        rig_request(texts[i], strlen(texts[i]));
        assert_problem(403, "", "");
        assert_null(reply_field("Access-Control-Allow-Origin"));
    }
    assert_int_equal(the_run.resets, 0);
    const char *twice = "GET /v1/mode HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n";
    assert_int_equal(rig_request(twice, strlen(twice)), 400);
}

static void the_token_opens_all_but_healthz(void **state)
{
    stop_admin();
    rig_start(&(struct admin_config){ .token = "secret" });
    assert_int_equal(rig_get("/v1/mode"), 401);
    assert_problem(401, "Authorization", "Bearer");
    assert_string_equal(reply_field("WWW-Authenticate"), "Bearer realm=\"hangup\"");
    assert_int_equal(rig_get("/v1/nowhere"), 401);
    assert_int_equal(rig_call("GET", "/v1/mode", "Authorization: Bearer wrong\r\n", NULL), 401);
    assert_int_equal(rig_call("GET", "/v1/mode", "Authorization: Bearer secret\r\n", NULL), 200);
    assert_int_equal(rig_get("/healthz"), 200);
}

/* --- The server itself */

static void health_is_ok(void **state)
{
    assert_int_equal(rig_get("/healthz"), 200);
    assert_string_equal(reply.body, "{\"status\":\"ok\"}\n");
    assert_string_equal(reply_field("Cache-Control"), "no-store");
    assert_string_equal(reply_field("X-Content-Type-Options"), "nosniff");
}

static void capabilities_say_what_is_missing(void **state)
{
    assert_int_equal(rig_get("/v1/capabilities"), 200);
    json_t *rows = json_object_get(reply.json, "capabilities");
    assert_int_equal(json_array_size(rows), CAPABILITY_COUNT);
    for (int i = 0; i < CAPABILITY_COUNT; i++) {
        json_t *row = json_array_get(rows, (size_t)i);
        assert_string_equal(json_string_value(json_object_get(row, "name")),
                            caps_row((enum capability)i)->name);
        assert_int_equal(json_is_true(json_object_get(row, "available")),
                         caps_have((enum capability)i));
    }
}

static void the_authority_is_handed_out_if_there_is_one(void **state)
{
    assert_int_equal(rig_get("/v1/ca.pem"), 404);
    assert_problem(404, "/v1/ca.pem", "");
    char pem[] = "/tmp/test_admin.XXXXXX", der[] = "/tmp/test_admin.XXXXXX";
    int a = mkstemp(pem), b = mkstemp(der);
    assert_true(a >= 0 && b >= 0);
    assert_int_equal(write(a, "PEM\n", 4), 4);
    assert_int_equal(write(b, "\0\1\2", 3), 3);
    close(a);
    close(b);
    stop_admin();
    rig_start(&(struct admin_config){ .ca_pem = pem, .ca_der = der });
    unlink(pem);
    unlink(der);
    assert_int_equal(rig_get("/v1/ca.pem"), 200);
    assert_string_equal(reply.body, "PEM\n");
    assert_string_equal(reply_field("Content-Type"), "application/x-pem-file");
    assert_int_equal(rig_get("/v1/ca.der"), 200);
    assert_int_equal(reply.body_len, 3);
    assert_memory_equal(reply.body, "\0\1\2", 3);
}

static void a_start_that_cannot_be_is_refused(void **state)
{
    static const struct {
        struct admin_config config;
        const char *where;
    } rows[] = {
        { { .address = "127.0.0.1:0", .token = "" }, "--admin-token" },
        { { .address = "127.0.0.1:0", .ca_pem = "/nowhere/ca.pem" }, "/nowhere/ca.pem" },
        { { .address = "127.0.0.1:0", .ca_der = "/tmp" }, "/tmp" },
        { { .address = "rubbish" }, "--admin" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct admin_config config = rows[i].config;
        struct admin *other = NULL;
        struct refusal why = { 0 };
        config.loop = &loop;
        config.trials = trials;
        config.catalogue = catalogue;
        assert_int_equal(admin_start(&config, &other, &why), BAD_INPUT);
        assert_string_equal(why.where, rows[i].where);
        assert_null(other);
    }
}

/* --- Modes */

static void deep_and_broken_json_does_no_harm(void **state)
{
    static char deep[200001];
    memset(deep, '[', sizeof deep - 1);
    assert_int_equal(rig_call("PUT", "/v1/mode", JSON_TYPE, deep), 400);
    const char good[] =
        "{\"mode\":\"a\",\"params\":{\"x\":[1.5e3,\"\\u00e4\",null]},\"apply\":\"new\"}";
    for (size_t n = 0; n < sizeof good - 1; n++) {
        char cut[sizeof good];
        snprintf(cut, sizeof cut, "%.*s", (int)n, good);
        assert_int_equal(rig_call("PUT", "/v1/mode", JSON_TYPE, cut), 400);
    }
    assert_int_equal(rig_call("PUT", "/v1/mode", JSON_TYPE, good), 200);
}

static void bodies_that_are_no_json_are_refused(void **state)
{
    static const struct {
        const char *field;
        int status;
    } rows[] = {
        { "Content-Type: text/plain\r\n", 415 },
        { "Content-Type: application/x-www-form-urlencoded\r\n", 415 },
        { "Content-Type: multipart/form-data; boundary=x\r\n", 415 },
        { "Content-Type: application/jsonx\r\n", 415 },
        { "Content-Type: \r\n", 415 },
        { "Content-Type: application/json; charset=utf-8\r\n", 200 },
        { "Content-Type: Application/JSON\r\n", 200 },
        { "", 415 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rig_call("PUT", "/v1/mode", rows[i].field, "{\"mode\":\"a\"}") != rows[i].status)
            fail_msg("%s: %d", rows[i].field, reply.status);
        if (reply.status == 415)
            assert_problem(415, "Content-Type", "application/json");
    }
    assert_int_equal(rig_call("POST", "/v1/reset", "", "x"), 400);
    assert_problem(400, "body", "none");
}

static void modes_of_ones_own_come_and_go(void **state)
{
    const char *document = "{\"name\":\"mine\",\"summary\":\"s\",\"client_sees\":\"c\","
                           "\"basis\":\"b\",\"exercises\":[],\"params\":{},\"rules\":[]}";
    assert_int_equal(rig_get("/v1/modes"), 200);
    json_t *modes = json_object_get(reply.json, "modes"), *normal = NULL, *row;
    size_t before = json_array_size(modes), i;
    json_array_foreach(modes, i, row)
    {
        if (strcmp(json_string_value(json_object_get(row, "name")), "normal") == 0)
            normal = row;
    }
    assert_non_null(normal);
    assert_true(json_is_true(json_object_get(normal, "built_in")));
    assert_true(json_is_true(json_object_get(normal, "available")));
    assert_null(json_object_get(normal, "rules"));

    assert_int_equal(rig_get("/v1/modes/mine"), 404);
    assert_problem(404, "/v1/modes/mine", "GET /v1/modes");
    assert_int_equal(rig_call("PUT", "/v1/modes/mine", JSON_TYPE, document), 201);
    assert_int_equal(rig_call("PUT", "/v1/modes/mine", JSON_TYPE, document), 200);
    assert_int_equal(rig_get("/v1/modes/mine"), 200);
    assert_string_equal(reply_text("name"), "mine");
    assert_int_equal(rig_get("/v1/modes"), 200);
    assert_int_equal(json_array_size(json_object_get(reply.json, "modes")), before + 1);
    assert_int_equal(rig_call("DELETE", "/v1/modes/mine", "", NULL), 204);
    assert_int_equal(rig_call("DELETE", "/v1/modes/mine", "", NULL), 404);

    assert_int_equal(rig_call("PUT", "/v1/modes/other", JSON_TYPE, document), 400);
    assert_problem(400, "$.name", "");
    assert_int_equal(rig_call("PUT", "/v1/modes/other", JSON_TYPE, "{\"nonsense\":1}"), 400);
    assert_problem(400, "$", "");
    assert_int_equal(rig_call("PUT", "/v1/modes/normal", JSON_TYPE, document), 409);
    assert_problem(409, "/v1/modes/normal", "another name");
    assert_int_equal(rig_call("DELETE", "/v1/modes/normal", "", NULL), 409);
    assert_int_equal(rig_get("/v1/modes/normal"), 200);
}

/* --- The run */

static void connections_are_shown_and_acted_on(void **state)
{
    assert_int_equal(rig_get("/v1/connections"), 200);
    assert_string_equal(reply.body, "{\"connections\":[{\"id\":7}]}\n");
    assert_int_equal(rig_get("/v1/connections/7"), 200);
    static const char *const none[] = { "/v1/connections/8", "/v1/connections/x",
                                        "/v1/connections/7x", "/v1/connections/-7",
                                        "/v1/connections/18446744073709551623" };
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        rig_get(none[i]);
        assert_problem(404, none[i], "GET /v1/connections");
    }
    rig_commit("before");
    assert_int_equal(
        rig_call("POST", "/v1/connections/7/do", JSON_TYPE, "{\"do\":[\"rst\",{\"wait\":\"1s\"}]}"),
        200);
    assert_int_equal(the_run.done_on, 7);
    assert_string_equal(the_run.steps, "[\"rst\",{\"wait\":\"1s\"}]");
    assert_string_equal(reply.body, "{\"connection\":7,\"since\":1}\n");
    assert_int_equal(rig_call("POST", "/v1/connections/9/do", JSON_TYPE, "{\"do\":[]}"), 404);
    assert_int_equal(rig_call("POST", "/v1/connections/7/do", JSON_TYPE, "{\"do\":\"rst\"}"), 400);
    assert_problem(400, "$.do", "array");
}

static void many_connections_are_acted_on_in_one_call(void **state)
{
    rig_commit("before");
    assert_int_equal(rig_call("POST", "/v1/connections/do", JSON_TYPE,
                              "{\"do\":[\"rst\"],\"where\":{\"idle\":true}}"),
                     200);
    assert_string_equal(the_run.steps, "[\"rst\"]");
    assert_string_equal(the_run.params, "{\"idle\":true}");
    assert_string_equal(reply.body, "{\"connections\":1,\"skipped\":[{\"why\":\"no\","
                                    "\"connections\":[9]}],\"since\":1}\n");
    assert_int_equal(rig_call("POST", "/v1/connections/do", JSON_TYPE, "{\"do\":[\"rst\"]}"), 200);
    assert_string_equal(the_run.params, "-");
    assert_int_equal(rig_call("POST", "/v1/connections/do", JSON_TYPE, "{\"where\":{}}"), 400);
    assert_problem(400, "$.do", "array");
    rig_call("POST", "/v1/connections/do", JSON_TYPE, "{\"do\":[\"rst\"],\"where\":7}");
    assert_problem(400, "$.where", "object");
}

static void reset_answers_with_the_run_as_it_is_then(void **state)
{
    rig_commit("one");
    assert_int_equal(rig_get("/v1/runs/default"), 200);
    assert_int_equal(reply_number("connections"), 1);
    assert_int_equal(
        json_integer_value(json_object_get(json_object_get(reply.json, "events"), "last")), 1);
    assert_int_equal(rig_call("POST", "/v1/reset", "", NULL), 200);
    assert_int_equal(the_run.resets, 1);
    assert_int_equal(
        json_integer_value(json_object_get(json_object_get(reply.json, "events"), "first")), 2);
    assert_int_equal(rig_get("/v1/runs/other"), 404);
}

static void the_run_says_what_its_ledger_has_dropped(void **state)
{
    struct ledger *l = the_run.ledger;
    assert_int_equal(rig_get("/v1/runs/default"), 200);
    const json_t *by = json_object_get(json_object_get(reply.json, "events"), "dropped_by");
    assert_true(json_is_object(by));
    assert_int_equal(json_object_size(by), 0);
    while (ledger_dropped(l) == 0)
        rig_commit("one of many");
    assert_int_equal(rig_get("/v1/runs/default"), 200);
    const json_t *extent = json_object_get(reply.json, "events");
    by = json_object_get(extent, "dropped_by");
    assert_int_equal(json_object_size(by), 1);
    assert_int_equal(json_integer_value(json_object_get(by, "mark")), ledger_dropped(l));
    assert_int_equal(json_integer_value(json_object_get(extent, "dropped")), ledger_dropped(l));
}

static void an_empty_object_is_as_good_as_no_body(void **state)
{
    assert_int_equal(rig_call("POST", "/v1/reset", JSON_TYPE, "{}"), 200);
    assert_int_equal(rig_call("POST", "/v1/reset/", JSON_TYPE, " { }\n"), 200);
    assert_int_equal(the_run.resets, 2);
    static const char *const others[] = { "{\"a\":1}", "[]", "null", "{", "x" };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_int_equal(rig_call("POST", "/v1/reset", JSON_TYPE, others[i]), 400);
        assert_problem(400, "body", "none, or {}");
    }
    assert_int_equal(the_run.resets, 2);
}

static void the_type_of_each_problem_is_a_page(void **state)
{
    for (int i = 0; i < PROBLEM_COUNT; i++) {
        char path[80];
        const struct problem_row *row = problem_row((enum problem)i);
        snprintf(path, sizeof path, "/problems/%s", row->kind);
        assert_int_equal(rig_get(path), 200);
        assert_string_equal(reply_field("Content-Type"), "text/plain; charset=utf-8");
        assert_non_null(strstr(reply.body, row->about));
        assert_true(row->about[strlen(row->about) - 1] == '.');
        for (int k = 0; k < i; k++)
            assert_string_not_equal(row->kind, problem_row((enum problem)k)->kind);
    }
    assert_int_equal(rig_get("/problems/other"), 404);
    assert_string_equal(reply_text("type"), "/problems/no-such-problem");
    assert_int_equal(rig_get("/problems"), 404);
}

static void a_reset_that_fails_says_so(void **state)
{
    the_run.outcome = -ENOMEM;
    assert_int_equal(rig_call("POST", "/v1/reset", "", NULL), 503);
    the_run.outcome = -EINVAL;
    assert_int_equal(rig_call("POST", "/v1/reset", "", NULL), 500);
    assert_int_equal(the_run.resets, 0);
}

int main(void)
{
    caps_probe();
    memory_for_jansson(true);
#define SERVED(f) cmocka_unit_test_setup_teardown(f, rig_set_up, rig_tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_and_methods_lead_to_rows),
        cmocka_unit_test(a_pattern_may_have_two_names),
        cmocka_unit_test(a_name_has_bounds),
        cmocka_unit_test(no_row_has_more_names_than_are_kept),
        SERVED(the_description_has_each_row_and_no_other),
        SERVED(the_index_lists_the_calls),
        SERVED(what_is_not_there_is_said),
        SERVED(head_is_get_without_the_body),
        SERVED(strangers_are_refused),
        SERVED(the_token_opens_all_but_healthz),
        SERVED(health_is_ok),
        SERVED(capabilities_say_what_is_missing),
        SERVED(the_authority_is_handed_out_if_there_is_one),
        SERVED(a_start_that_cannot_be_is_refused),
        SERVED(deep_and_broken_json_does_no_harm),
        SERVED(bodies_that_are_no_json_are_refused),
        SERVED(modes_of_ones_own_come_and_go),
        SERVED(connections_are_shown_and_acted_on),
        SERVED(many_connections_are_acted_on_in_one_call),
        SERVED(reset_answers_with_the_run_as_it_is_then),
        SERVED(the_run_says_what_its_ledger_has_dropped),
        SERVED(a_reset_that_fails_says_so),
        SERVED(an_empty_object_is_as_good_as_no_body),
        SERVED(the_type_of_each_problem_is_a_page),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    forget_reply();
    return failed;
}
