/* The admin API is safe: token, Host, Origin, and calls that are too large, too slow or nonsense.
 */
#include "admin.h"
#include "check.h"
#include "client.h"
#include "h1.h"

#include <stdio.h>
#include <string.h>

static struct server server;

static int setup(void **state)
{
    server.token = "s3cret";
    server_start(&server,
                 (const char *const[]){ "--admin-token", "s3cret", "--name", "tv.example", NULL });
    return 0;
}

static int teardown(void **state)
{
    server_stop(&server);
    return 0;
}

/* Sends bytes as they are; returns the status of the answer, 0 when the connection was ended
 * without one, -1 when nothing came at all. */
static int raw_status(const char *bytes, size_t n)
{
    struct client_options to = { .port = server.admin };
    struct h1_response r;
    struct client c;
    int status = 0;

    assert_true(client_connect(&c, &to));
    client_send(&c, bytes, n);
    if (h1_read(&c, false, &r, in_ms(PATIENCE_MS)))
        status = r.status;
    else
        status = c.fin || c.rst ? 0 : -1;
    h1_free(&r);
    client_close(&c);
    return status;
}

static int status_of(const char *lines)
{
    char request[512];

    snprintf(request, sizeof request, "GET /v1/mode HTTP/1.1\r\n%s\r\n", lines);
    return raw_status(request, strlen(request));
}

#define TOKEN "Authorization: Bearer s3cret\r\n"

static void the_token_is_asked_for_on_v1(void **state)
{
    assert_int_equal(status_of("Host: localhost\r\n" TOKEN), 200);
    assert_int_equal(status_of("Host: localhost\r\n"), 401);
    assert_int_equal(status_of("Host: localhost\r\nAuthorization: Bearer s3cre\r\n"), 401);
    assert_int_equal(status_of("Host: localhost\r\nAuthorization: Bearer s3cret2\r\n"), 401);
    assert_int_equal(status_of("Host: localhost\r\nAuthorization: Bearer\r\n"), 401);
    assert_int_equal(status_of("Host: localhost\r\nAuthorization: Basic s3cret\r\n"), 401);
    static const char health[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert_int_equal(raw_status(health, sizeof health - 1), 200);
}

static void hosts_that_are_not_ours_are_refused(void **state)
{
    static const char *const ours[] = { "localhost",  "localhost:9000", "127.0.0.1",
                                        "[::1]:9000", "TV.example:1",   "host.docker.internal" };
    static const char *const others[] = { "evil.example", "localhost.evil.example", "8.8.8.8",
                                          "tv.example.evil.example", "" };
    char lines[128];

    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
        snprintf(lines, sizeof lines, "Host: %s\r\n" TOKEN, ours[i]);
        check(status_of(lines) == 200, "%s is refused", ours[i]);
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        snprintf(lines, sizeof lines, "Host: %s\r\n" TOKEN, others[i]);
        int status = status_of(lines);
        check(status == 403, "%s: %d", others[i], status);
    }
}

static void cross_site_calls_are_refused(void **state)
{
    assert_int_equal(status_of("Host: localhost\r\nOrigin: http://evil.example\r\n" TOKEN), 403);
    assert_int_equal(status_of("Host: localhost\r\nOrigin: null\r\n" TOKEN), 403);
    assert_int_equal(status_of("Host: localhost\r\nSec-Fetch-Site: cross-site\r\n" TOKEN), 403);
    assert_int_equal(status_of("Host: localhost\r\nOrigin: http://localhost\r\n" TOKEN), 200);
}

static void oversized_bodies_are_refused_and_the_answer_arrives(void **state)
{
    struct buf out = { .data = NULL };

    buf_printf(&out,
               "PUT /v1/mode HTTP/1.1\r\nHost: localhost\r\n" TOKEN
               "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%0*d",
               2000000, 2000000, 0);
    int status = raw_status((const char *)buf_bytes(&out), buf_len(&out));
    buf_free(&out);
    assert_int_equal(status, 413);
}

static void deeply_nested_json_is_refused(void **state)
{
    static char body[60001];

    memset(body, '[', 30000);
    memset(body + 30000, ']', 30000);
    json_decref(admin_call(&server, 400, "PUT", "/v1/mode", body));
}

static void nonsense_is_refused(void **state)
{
    static const struct {
        const char *bytes;
        int status; /* 0: the connection is ended without an answer */
    } cases[] = {
        { "\r\n\r\n\r\nhello\r\n\r\n", 400 },
        { "GET /v1/mode HTTP/9.9\r\nHost: localhost\r\n\r\n", 505 },
        { "GET /v1/%zz HTTP/1.1\r\nHost: localhost\r\n" TOKEN "\r\n", 400 },
        { "GET /v1/../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n" TOKEN "\r\n", 404 },
        { "GET /v1/mode HTTP/1.1\r\n" TOKEN "\r\n", 400 },
        { "GET /v1/mode HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n" TOKEN "\r\n", 400 },
        { "PUT /v1/mode HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n" TOKEN "\r\n", 400 },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int status = raw_status(cases[i].bytes, strlen(cases[i].bytes));
        check(status == cases[i].status, "case %zu: %d", i, status);
    }
}

static void slow_callers_do_not_hold_up_others(void **state)
{
    struct client_options to = { .port = server.admin };
    struct client slow[50];

    for (int i = 0; i < 50; i++) {
        assert_true(client_connect(&slow[i], &to));
        client_text(&slow[i], "PUT /v1/mode HTTP/1.1\r\nHost: localhost\r\n" TOKEN
                              "Content-Length: 100\r\n\r\n{\"mode\":");
    }
    json_decref(admin_call(&server, 200, "GET", "/v1/mode", NULL));
    for (int i = 0; i < 50; i++)
        client_close(&slow[i]);
    json_decref(admin_call(&server, 200, "GET", "/v1/mode", NULL));
}

static void callers_that_leave_while_waiting_are_forgotten(void **state)
{
    struct client_options to = { .port = server.admin };
    long before = server_descriptors(&server);
    uint64_t next;

    json_decref(admin_events(&server, 0, 0, &next));
    for (int i = 0; i < 20; i++) {
        struct client c;
        char request[200];
        snprintf(request, sizeof request,
                 "GET /v1/runs/default/events?since=%llu&wait=60s HTTP/1.1\r\n"
                 "Host: localhost\r\n" TOKEN "\r\n",
                 (unsigned long long)next);
        assert_true(client_connect(&c, &to));
        client_text(&c, request);
        assert_true(client_silent(&c, in_ms(5)));
        if (i % 2)
            client_drop(&c);
        else
            client_close(&c);
    }
    int64_t until = in_ms(PATIENCE_MS);
    while (server_descriptors(&server) > before + 2 && clock_now() < until)
        json_decref(admin_call(&server, 200, "GET", "/v1/mode", NULL));
    long left = server_descriptors(&server) - before;
    check(left <= 2, "%ld descriptors are left over", left);
}

/* libmicrohttpd misses an end that comes along with the last bytes before it. */
static void callers_that_leave_with_their_last_byte_do_not_use_up_the_room(void **state)
{
    static const char *const calls[] = {
        "GET /v1/mode HTTP/1.1\r\nHos",
        "GET /v1/mode HTTP/1.1\r\nHost: localhost\r\n" TOKEN "\r\n",
        "PUT /v1/mode HTTP/1.1\r\nHost: localhost\r\n" TOKEN "Content-Length: 100\r\n\r\n{",
    };
    struct client_options to = { .port = server.admin };

    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        for (int n = 0; n < 300; n++) {
            struct client c;
            check(client_connect(&c, &to), "connecting failed");
            client_text(&c, calls[i]);
            client_shut(&c);
            if (n % 10 == 0)
                client_wait_bytes(&c, 1, in_ms(20));
            client_close(&c);
        }
        json_decref(admin_call(&server, 200, "GET", "/v1/mode", NULL));
    }
}

/* A server that has the token from elsewhere asks for it. */
static void asks_for(const char *token, const char *option, const char *value)
{
    const char *const options[] = { option, value, NULL };
    struct server other = { .pid = 0 };

    server_start(&other, options);
    json_decref(admin_call(&other, 401, "GET", "/v1/mode", NULL));
    other.token = token;
    json_decref(admin_call(&other, 200, "GET", "/v1/mode", NULL));
    server_stop(&other);
}

static void the_token_comes_from_a_file_or_the_environment_too(void **state)
{
    static const char *const contents[] = { "from-file", "from-file\n", "from-file\r\n" };
    char dir[64], path[80];
    struct buf out = { .data = NULL }, err = { .data = NULL };

    scratch_create(dir, sizeof dir);
    snprintf(path, sizeof path, "%s/token", dir);
    for (size_t i = 0; i < sizeof contents / sizeof contents[0]; i++) {
        FILE *file = fopen(path, "we");
        assert_non_null(file);
        fputs(contents[i], file);
        fclose(file);
        asks_for("from-file", "--admin-token-file", path);
    }
    setenv("HANGUP_ADMIN_TOKEN", "from-environment", 1);
    asks_for("from-environment", NULL, NULL);
    asks_for("from-file", "--admin-token-file", path); /* options are stronger */
    asks_for("from-option", "--admin-token", "from-option");

    setenv("HANGUP_ADMIN_TOKEN", "", 1); /* not a server without a token */
    char state_dir[80];
    snprintf(state_dir, sizeof state_dir, "%s/state", dir);
    const char *const serve[] = { "serve",       "--https", "127.0.0.1:0", "--https1",
                                  "127.0.0.1:0", "--http",  "127.0.0.1:0", "--admin",
                                  "127.0.0.1:0", "--state", state_dir,     NULL };
    int status = server_run(serve, &out, &err);
    unsetenv("HANGUP_ADMIN_TOKEN");
    assert_int_equal(status, 2);
    assert_non_null(strstr((const char *)buf_bytes(&err), "hangup serve: HANGUP_ADMIN_TOKEN: "));
    buf_free(&out);
    buf_free(&err);
    scratch_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_token_is_asked_for_on_v1),
        cmocka_unit_test(the_token_comes_from_a_file_or_the_environment_too),
        cmocka_unit_test(hosts_that_are_not_ours_are_refused),
        cmocka_unit_test(cross_site_calls_are_refused),
        cmocka_unit_test(oversized_bodies_are_refused_and_the_answer_arrives),
        cmocka_unit_test(deeply_nested_json_is_refused),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(slow_callers_do_not_hold_up_others),
        cmocka_unit_test(callers_that_leave_while_waiting_are_forgotten),
        cmocka_unit_test(callers_that_leave_with_their_last_byte_do_not_use_up_the_room),
    };

    return cmocka_run_group_tests_name("the admin API's guard", tests, setup, teardown);
}
