/* test_endpoint.c - the entitlement service, problems, request targets. */
#include <time.h>

#include "endpoint/problem.h"
#include "endpoint/target.h"

#include "endpoint_rig.h"

/* --- The clock, as the tests want it (--wrap) */

time_t __real_time(time_t *out);
time_t __wrap_time(time_t *out);

static time_t the_time; /* 0: the real one */

time_t __wrap_time(time_t *out)
{
    return the_time ? the_time : __real_time(out);
}

/* --- The entitlement service */

static void the_entitlement_says_who_answered_and_until_when(void **state)
{
    struct endpoint *e = plain();
    the_time = 1767323045; /* 2026-01-02T03:04:05Z */
    struct response response = ask(e, "GET", "/api/entitlement/get");
    assert_int_equal(response.status, 200);
    assert_header(&response, "content-type", "application/json");
    assert_header(&response, "cache-control", "no-store");
    assert_body(
        &response,
        "{\"entitlements\":[{\"id\":\"premium\",\"active\":true}],"
        "\"issued\":\"2026-01-02T03:04:05Z\",\"expires\":\"2026-01-02T04:04:05Z\","
        "\"served\":{\"connection\":12,\"exchange\":3,\"protocol\":\"h2\",\"attempt\":1}}\n");
    the_time++;
    response = ask(e, "GET", "/api/entitlement/get");
    assert_non_null(
        memmem(response.body, response.body_len, "\"issued\":\"2026-01-02T03:04:06Z\"", 31));
    the_time = 0;
    endpoint_destroy(e);
}

static void the_largest_numbers_fit(void **state)
{
    struct endpoint *e = plain();
    const struct request request = { .method = "GET", .target = "/api/entitlement/get" };
    const struct served served = { UINT64_MAX, UINT32_MAX, "http/1.1", UINT32_MAX };
    struct response response;
    endpoint_respond(e, &request, &served, &response);
    json_t *body = json_loadb(response.body, response.body_len, JSON_DECODE_INT_AS_REAL, NULL);
    assert_non_null(body);
    json_decref(body);
    assert_non_null(memmem(response.body, response.body_len,
                           "{\"connection\":18446744073709551615,\"exchange\":4294967295,"
                           "\"protocol\":\"http/1.1\",\"attempt\":4294967295}",
                           98));
    endpoint_destroy(e);
}

static void answers_are_chosen_by_method_and_target(void **state)
{
    static const struct {
        const char *method, *target;
        int status;
        const char *allow;
    } rows[] = {
        { "GET", "/api/entitlement/get", 200, NULL },
        { "HEAD", "/api/entitlement/get", 200, NULL },
        { "POST", "/api/entitlement/get", 200, NULL },
        { "GET", "/api/entitlement/get?user=1&x=%zz", 200, NULL },
        { "GET", "http://localhost:8080/api/entitlement/get", 200, NULL },
        { "GET", "HTTPS://LOCALHOST/api/entitlement/get?x", 200, NULL },
        { "GET", "/api/%65ntitlement/get", 200, NULL },
        { "OPTIONS", "/api/entitlement/get", 204, "GET, HEAD, POST, OPTIONS" },
        { "OPTIONS", "*", 204, "GET, HEAD, POST, OPTIONS" },
        { "OPTIONS", "https://localhost:8443", 204, "GET, HEAD, POST, OPTIONS" },
        { "PUT", "/api/entitlement/get", 405, "GET, HEAD, POST, OPTIONS" },
        { "DELETE", "/api/entitlement/get", 405, "GET, HEAD, POST, OPTIONS" },
        { "BREW", "/api/entitlement/get", 405, "GET, HEAD, POST, OPTIONS" },
        { "get", "/api/entitlement/get", 405, "GET, HEAD, POST, OPTIONS" },
        { "GE", "/api/entitlement/get", 405, "GET, HEAD, POST, OPTIONS" },
        { "", "/api/entitlement/get", 405, "GET, HEAD, POST, OPTIONS" },
        { "GET", "/api/entitlement/get/", 404, NULL },
        { "GET", "/api/entitlement/getx", 404, NULL },
        { "GET", "/api/entitlement", 404, NULL },
        { "BREW", "/", 404, NULL },
        { "GET", "http://localhost", 404, NULL },
        { "GET", "*", 404, NULL },
        { "GET", "/api/../api/entitlement/get", 404, NULL },
        { "GET", "/api%2fentitlement/get", 400, NULL },
        { "GET", "/a%00", 400, NULL },
        { "GET", "/a\\b", 400, NULL },
        { "GET", "/%zz", 400, NULL },
        { "GET", "/%4", 400, NULL },
        { "GET", "", 400, NULL },
        { "GET", "api/entitlement/get", 400, NULL },
        { "CONNECT", "localhost:443", 501, NULL },
        { "CONNECT", "", 501, NULL },
    };
    struct endpoint *e = plain();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct response response = ask(e, rows[i].method, rows[i].target);
        if (response.status != rows[i].status)
            fail_msg("%s %s: %d", rows[i].method, rows[i].target, response.status);
        if (rows[i].allow)
            assert_header(&response, "allow", rows[i].allow);
        else
            assert_null(header_of(&response, "allow"));
        if (response.status >= 400)
            assert_problem(&response, rows[i].status);
    }
    endpoint_destroy(e);
}

static void a_problem_is_told_even_without_memory(void **state)
{
    struct endpoint *e = plain();
    struct response response;
    memory_ends_after(0);
    endpoint_problem(e, 413, "The body is too large.", &response);
    memory_restore();
    assert_int_equal(response.status, 413);
    assert_true(response.body_len > 0);
    endpoint_problem(e, 413, "The body is too \"large\".", &response);
    assert_problem(&response, 413);
    endpoint_problem(e, 599, "A status that has no name here.", &response);
    assert_problem(&response, 599);
    endpoint_destroy(e);
}

static void a_problem_of_a_kind_has_its_type(void **state)
{
    struct endpoint *e = plain();
    struct response response;
    struct refusal why = { .where = "$.params.idle", .what = "is no duration", .allowed = "a, b" };
    endpoint_refuse(e, PROBLEM_VALUE, &why, &response);
    assert_int_equal(response.status, 400);
    assert_header(&response, "content-type", "application/problem+json");
    assert_body(&response,
                "{\"type\":\"/problems/invalid-value\",\"title\":\"Invalid value\",\"status\":400,"
                "\"detail\":\"$.params.idle is no duration.\",\"where\":\"$.params.idle\","
                "\"allowed\":[\"a\",\"b\"]}\n");
    endpoint_destroy(e);
    e = plain();
    memory_ends_after(0);
    endpoint_refuse(e, PROBLEM_VALUE, &why, &response);
    memory_restore();
    assert_int_equal(response.status, 400);
    assert_body(&response, "{\"type\":\"about:blank\"}\n");
    endpoint_destroy(e);
}

/* --- Targets */

static void targets_are_taken_apart(void **state)
{
    static const struct {
        const char *text, *path, *query, *authority;
    } rows[] = {
        { "/", "/", NULL, NULL },         { "/a/b?c=d?e", "/a/b", "c=d?e", NULL },
        { "/a?", "/a", "", NULL },        { "/%41%2e%20", "/A. ", NULL, NULL },
        { "/%2541", "/%41", NULL, NULL }, { "/a#b", "/a", NULL, NULL },
        { "*", "*", NULL, NULL },         { "http://h:1/p?q", "/p", "q", "h:1" },
        { "http://h?q", "/", "q", "h" },  { "https://u@h", "/", NULL, "u@h" },
        { "http://", "/", NULL, "" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct target t;
        assert_int_equal(target_parse("GET", rows[i].text, &t), 0);
        assert_string_equal(t.path, rows[i].path);
        assert_int_equal(!t.query, !rows[i].query);
        if (t.query)
            assert_string_equal(t.query, rows[i].query);
        assert_int_equal(!t.authority, !rows[i].authority);
        if (t.authority)
            assert_int_equal(t.authority_len, strlen(rows[i].authority));
    }
}

static void options_without_a_path_are_about_the_server(void **state)
{
    static const struct {
        const char *method, *text, *path;
    } rows[] = {
        { "OPTIONS", "http://h", "*" },   { "OPTIONS", "http://h/", "/" },
        { "OPTIONS", "http://h?q", "/" }, { "OPTIONS", "*", "*" },
        { "GET", "http://h", "/" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct target t;
        assert_int_equal(target_parse(rows[i].method, rows[i].text, &t), 0);
        assert_string_equal(t.path, rows[i].path);
    }
}

static void a_path_that_is_too_long_is_refused(void **state)
{
    char text[TARGET_PATH_SIZE + 8];
    struct target t;
    memset(text, 'a', sizeof text);
    text[0] = '/';
    text[TARGET_PATH_SIZE - 1] = '\0';
    assert_int_equal(target_parse("GET", text, &t), 0);
    text[TARGET_PATH_SIZE - 1] = 'a';
    text[TARGET_PATH_SIZE] = '\0';
    assert_int_equal(target_parse("GET", text, &t), BAD_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_entitlement_says_who_answered_and_until_when),
        cmocka_unit_test(the_largest_numbers_fit),
        cmocka_unit_test(answers_are_chosen_by_method_and_target),
        cmocka_unit_test(a_problem_is_told_even_without_memory),
        cmocka_unit_test(a_problem_of_a_kind_has_its_type),
        cmocka_unit_test(targets_are_taken_apart),
        cmocka_unit_test(options_without_a_path_are_about_the_server),
        cmocka_unit_test(a_path_that_is_too_long_is_refused),
    };
    memory_for_jansson(true);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
