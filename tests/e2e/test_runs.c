/* Runs over the admin API: each a server of its own on ports of its own, with its own plan, ledger,
 * marks and phases; their ends; and what is refused. */
#include "admin.h"
#include "check.h"
#include "h1.h"
#include "server.h"
#include "talk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RUNS_MAX 32

static struct server server;

static int setup(void **state)
{
    memset(&server, 0, sizeof server);
    server_start(&server, NULL);
    return 0;
}

static int teardown(void **state)
{
    server_stop(&server);
    return 0;
}

/* --- Runs, and what they say */

/* Makes one; its id in out. */
static json_t *make(const char *spec, char out[16])
{
    json_t *run = admin_call(&server, 201, "POST", "/v1/runs", spec);
    snprintf(out, 16, "%s", event_text(run, "id"));
    return run;
}

static json_t *look(const char *id, const char *rest)
{
    char path[128];
    snprintf(path, sizeof path, "/v1/runs/%s%s", id, rest);
    return admin_call(&server, 200, "GET", path, NULL);
}

static void end(const char *id)
{
    char path[64];
    snprintf(path, sizeof path, "/v1/runs/%.40s", id);
    json_decref(admin_call(&server, 200, "DELETE", path, NULL));
}

static uint16_t port_of(const json_t *run, const char *listener)
{
    const char *url = event_text(json_object_get(run, "urls"), listener);
    const char *colon = strrchr(url, ':');
    check(colon, "no URL for %s: \"%s\"", listener, url);
    return (uint16_t)atoi(colon + 1);
}

static size_t count_of(const json_t *events, const char *name)
{
    size_t i, n = 0;
    json_t *event;
    json_array_foreach(events, i, event) n += strcmp(event_text(event, "event"), name) == 0;
    return n;
}

static json_t *events_of(const char *id)
{
    json_t *page = look(id, "/events?max=10000");
    json_t *events = json_incref(json_object_get(page, "events"));
    json_decref(page);
    return events;
}

static json_t *first_of(const json_t *events, const char *name)
{
    size_t i;
    json_t *event;
    json_array_foreach(events, i,
                       event) if (strcmp(event_text(event, "event"), name) == 0) return event;
    return NULL;
}

static void await_state(const char *id, const char *state)
{
    for (int64_t until = in_ms(PATIENCE_MS);;) {
        json_t *run = look(id, "");
        bool there = strcmp(event_text(run, "state"), state) == 0 &&
                     (*state == 'r' || !json_is_null(json_object_get(run, "ended")));
        json_decref(run);
        if (there)
            return;
        check(clock_now() < until, "the run %s is not %s", id, state);
    }
}

/* --- A client of one */

static void get(struct client *c, uint16_t port)
{
    const struct client_options options = { .port = port };
    struct h1_response r = { 0 };
    struct buf text = { 0 };
    check(c->fd > 0 || client_connect(c, &options), "no connection: %s", client_story(c));
    h1_compose(&text, "GET", ENTITLEMENT, "", NULL);
    client_send(c, buf_bytes(&text), buf_len(&text));
    check(h1_read(c, false, &r, in_ms(PATIENCE_MS)), "no answer: %s", client_story(c));
    assert_int_equal(r.status, 200);
    h1_free(&r);
    buf_free(&text);
}

static void get_nothing(struct client *c)
{
    struct buf text = { 0 };
    h1_compose(&text, "GET", ENTITLEMENT, "", NULL);
    client_send(c, buf_bytes(&text), buf_len(&text));
    check(client_wait_fin(c, in_ms(PATIENCE_MS)), "no FIN: %s", client_story(c));
    assert_int_equal(buf_len(&c->in), 0);
    buf_free(&text);
}

/* --- Tests */

static void a_run_is_a_server_of_its_own(void **state)
{
    char one[16], two[16];
    struct client a = { 0 }, b = { 0 }, d = { 0 };
    json_t *first =
        make("{\"mode\":\"close-on-reuse\",\"listeners\":[\"http\"],\"name\":\"first\"}", one);
    json_t *second = make("{\"listeners\":[\"http\"],\"seed\":7,\"time_scale\":0.5}", two);
    assert_string_equal(event_text(first, "name"), "first");
    assert_string_equal(event_text(first, "mode"), "close-on-reuse");
    assert_true(event_ms(second, "seed") == 7 && event_ms(second, "time_scale") == 0.5);
    get(&a, port_of(first, "http"));
    get_nothing(&a);
    get(&b, port_of(second, "http"));
    get(&b, 0);
    get(&d, server.http);
    get(&d, 0);
    json_t *events = events_of(two);
    assert_int_equal(count_of(events, "request"), 2);
    assert_int_equal(count_of(events, "fault"), 0);
    assert_string_equal(event_text(json_array_get(events, 0), "event"), "run_start");
    assert_string_equal(event_text(json_array_get(events, 0), "run"), two);
    assert_string_equal(event_text(json_array_get(events, 1), "phase"), "fault");
    json_decref(events);
    events = events_of(one);
    assert_int_equal(count_of(events, "fault"), 1);
    json_decref(events);
    events = events_of("default");
    assert_int_equal(count_of(events, "request"), 2);
    assert_int_equal(count_of(events, "run_start"), 0);
    json_decref(events);
    json_decref(first);
    json_decref(second);
    client_close(&a);
    client_close(&b);
    client_close(&d);
}

static void over_h1_nothing_else_is_offered(void **state)
{
    static const struct {
        const char *spec, *alpn;
    } rows[] = { { "{\"over\":\"h1\"}", "http/1.1" },
                 { "{\"over\":\"h2\"}", "h2" },
                 { "{}", "h2" },
                 { "{\"listeners\":[\"https1\"]}", "http/1.1" } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char id[16], alpn[32];
        struct client c = { 0 };
        json_t *run = make(rows[i].spec, id);
        const struct client_options options = { .port = port_of(run, "base"),
                                                .tls = CLIENT_TLS13,
                                                .alpn = { "h2", "http/1.1" } };
        check(client_connect(&c, &options), "no connection: %s", client_story(&c));
        client_alpn(&c, alpn);
        assert_string_equal(alpn, rows[i].alpn);
        client_close(&c);
        json_decref(run);
    }
}

static void what_cannot_be_is_refused_with_its_place(void **state)
{
    static const struct {
        int status;
        const char *spec, *where;
    } rows[] = {
        { 400, "[]", "$" },
        { 400, "{\"nmae\":\"x\"}", "$.nmae" },
        { 400, "{\"name\":\"\"}", "$.name" },
        { 400, "{\"name\":7}", "$.name" },
        { 400, "{\"name\":\"a\\nb\"}", "$.name" },
        { 400, "{\"mode\":\"idle-clsoe\"}", "$.mode" },
        { 400, "{\"mode\":7}", "$.mode" },
        { 400, "{\"mode\":\"idle-close\",\"params\":{\"idel\":\"1s\"}}", "$.params.idel" },
        { 400, "{\"params\":{}}", "$" },
        { 400, "{\"mode\":\"normal\",\"case\":\"x\"}", "$" },
        { 400, "{\"case\":\"x\"}", "$.case" },
        { 400, "{\"plan\":[]}", "$.plan" },
        { 400, "{\"plan\":[{\"mode\":\"x\"}]}", "$.plan[0].mode" },
        { 400, "{\"plan\":{}}", "$.plan" },
        { 400, "{\"over\":\"h3\"}", "$.over" },
        { 400, "{\"over\":1}", "$.over" },
        { 400, "{\"listeners\":[]}", "$.listeners" },
        { 400, "{\"listeners\":\"https\"}", "$.listeners" },
        { 400, "{\"listeners\":[\"ftp\"]}", "$.listeners[0]" },
        { 400, "{\"listeners\":[\"http\",7]}", "$.listeners[1]" },
        { 400, "{\"listeners\":[\"http\",\"http\"]}", "$.listeners[1]" },
        { 400, "{\"over\":\"h2\",\"listeners\":[\"https1\"]}", "$.listeners[0]" },
        { 400, "{\"ttl\":600}", "$.ttl" },
        { 400, "{\"ttl\":\"0s\"}", "$.ttl" },
        { 400, "{\"ttl\":\"never\"}", "$.ttl" },
        { 400, "{\"ttl\":\"25h\"}", "$.ttl" },
        { 400, "{\"time_scale\":0}", "$.time_scale" },
        { 400, "{\"time_scale\":\"1\"}", "$.time_scale" },
        { 400, "{\"seed\":-1}", "$.seed" },
        { 400, "{\"seed\":1.5}", "$.seed" },
        { 400, "{\"control\":1}", "$.control" },
        { 400, "{\"expect\":\"recovered\"}", "$.expect" },
        { 409, "{\"mode\":\"refuse-stream\",\"over\":\"h1\"}", "$.mode" },
        { 409, "{\"mode\":\"handshake-close\",\"listeners\":[\"http\"]}", "$.mode" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        admin_problem(&server, rows[i].status, "POST", "/v1/runs", rows[i].spec, rows[i].where);
    json_t *runs = admin_call(&server, 200, "GET", "/v1/runs", NULL);
    assert_int_equal(json_array_size(json_object_get(runs, "runs")), 1);
    json_decref(runs);
    admin_problem(&server, 404, "GET", "/v1/runs/r1", NULL, "no-such-run");
    admin_problem(&server, 404, "GET", "/v1/runs/r1/events", NULL, "no-such-run");
    admin_problem(&server, 405, "PUT", "/v1/runs", "{}", "GET");
    admin_problem(&server, 409, "DELETE", "/v1/runs/default", NULL, "default");
    admin_problem(&server, 400, "POST", "/v1/phase", "{\"phase\":\"x\"}", "$.phase");
    admin_problem(&server, 400, "POST", "/v1/phase", "{}", "$.phase");
}

/* What is expected, by itself. */
static void check_expects(const char *id, const char *expected)
{
    json_t *run = look(id, "");
    char *list = json_dumps(json_object_get(run, "expect"), JSON_COMPACT);
    assert_string_equal(event_text(run, "expect_of"), "default");
    assert_string_equal(list, expected);
    free(list);
    json_decref(run);
}

static void nothing_is_expected_that_the_plan_makes_impossible(void **state)
{
    static const char denies[] = "{\"plan\":[{\"mode\":\"empty-response\"}]}",
                      serves[] = "{\"plan\":[{\"connection\":\"1\",\"mode\":\"empty-response\"}]}",
                      all[] = "[\"recovered\",\"executed_once\",\"user_wait\",\"no_storm\"]",
                      some[] = "[\"executed_once\",\"user_wait\",\"no_storm\"]";
    for (int i = 0; i < 2; i++) {
        char id[16];
        json_decref(make(i ? denies : serves, id));
        check_expects(id, i ? some : all);
        end(id);
    }
    json_decref(admin_call(&server, 200, "PUT", "/v1/mode", denies));
    check_expects("default", some);
    json_decref(admin_call(&server, 200, "PUT", "/v1/mode", serves));
    check_expects("default", all);
    /* What the user gave stays, if it can be met. */
    char id[16];
    json_decref(make("{\"mode\":\"close-on-reuse\",\"expect\":[\"no_storm\",\"recovered\"]}", id));
    char path[32];
    snprintf(path, sizeof path, "/v1/runs/%s/mode", id);
    admin_problem(&server, 400, "PUT", path, denies, "$.expect");
    json_decref(admin_call(&server, 200, "PUT", path, "{\"mode\":\"normal\"}"));
    json_decref(admin_call(&server, 200, "PUT", path, serves));
    json_decref(admin_call(&server, 200, "PUT", path,
                           "{\"mode\":\"empty-response\",\"expect\":[\"no_storm\"]}"));
}

static void no_more_than_32_runs_are_there_at_once(void **state)
{
    char ids[RUNS_MAX][16];
    uint16_t ports[RUNS_MAX];
    for (int i = 0; i < RUNS_MAX; i++) {
        json_t *run = make("{\"listeners\":[\"http\"]}", ids[i]);
        ports[i] = port_of(run, "http");
        for (int j = 0; j < i; j++)
            assert_int_not_equal(ports[i], ports[j]);
        json_decref(run);
    }
    admin_problem(&server, 503, "POST", "/v1/runs", "{}", "32 runs");
    end(ids[3]);
    json_decref(make("{}", ids[3]));
    for (int i = 0; i < RUNS_MAX; i++)
        end(ids[i]);
    struct client c = { 0 };
    const struct client_options options = { .port = ports[7], .patience_ms = 100 };
    assert_false(client_connect(&c, &options));
    client_close(&c);
}

static void it_is_said_when_no_port_is_left(void **state)
{
    struct server other = { 0 };
    char range[32];
    unsigned first = 20000 + (unsigned)server.pid % 6000 * 2; /* below what the kernel chooses */
    snprintf(range, sizeof range, "127.0.0.1:%u-%u", first, first + 1);
    const char *const options[] = { "--run-ports", range, NULL };
    server_start(&other, options);
    json_t *run =
        admin_call(&other, 201, "POST", "/v1/runs", "{\"listeners\":[\"https\",\"http\"]}");
    json_decref(run);
    admin_problem(&other, 503, "POST", "/v1/runs", "{}", range);
    run = admin_call(&other, 200, "DELETE", "/v1/runs/r1", NULL);
    json_decref(run);
    run = admin_call(&other, 201, "POST", "/v1/runs", "{}");
    assert_string_equal(event_text(run, "id"), "r2");
    json_decref(run);
    server_stop(&other);
}

static void urls_have_the_host_that_is_advertised(void **state)
{
    struct server other = { 0 };
    const char *const options[] = { "--advertise", "app.test", NULL };
    server_start(&other, options);
    json_t *run =
        admin_call(&other, 201, "POST", "/v1/runs", "{\"listeners\":[\"https\",\"http\"]}");
    const json_t *urls = json_object_get(run, "urls");
    assert_int_equal(strncmp(event_text(urls, "https"), "https://app.test:", 17), 0);
    assert_int_equal(strncmp(event_text(urls, "http"), "http://app.test:", 16), 0);
    assert_int_equal(strncmp(event_text(run, "mark_url"), "http://app.test:", 16), 0);
    json_decref(run);
    struct admin_answer a; /* and may be called by it */
    assert_true(admin_try(&other, "GET", "/v1/runs/r1", "Host: app.test\r\n", NULL, &a));
    admin_free(&a);
    server_stop(&other);
}

static void a_run_ends_by_itself(void **state)
{
    char id[16];
    struct client c = { 0 };
    json_t *run = make("{\"listeners\":[\"http\"],\"ttl\":\"2s\"}", id);
    get(&c, port_of(run, "http"));
    json_decref(run);
    check(client_wait_fin(&c, in_ms(PATIENCE_MS)), "no FIN: %s", client_story(&c));
    await_state(id, "ended");
    run = look(id, "");
    assert_string_equal(event_text(run, "reason"), "ttl");
    json_decref(run);
    json_t *events = events_of(id); /* as they were */
    json_t *last = json_array_get(events, json_array_size(events) - 1);
    assert_string_equal(event_text(last, "event"), "run_end");
    assert_string_equal(event_text(last, "reason"), "ttl");
    assert_int_equal(count_of(events, "connection_end"), 1);
    json_decref(events);
    json_decref(look(id, "/mode"));
    char path[64];
    snprintf(path, sizeof path, "/v1/runs/%s/mode", id);
    admin_problem(&server, 409, "PUT", path, "{\"mode\":\"normal\"}", "run-ended");
    snprintf(path, sizeof path, "/v1/runs/%s/reset", id);
    admin_problem(&server, 409, "POST", path, NULL, "run-ended");
    client_close(&c);
}

static void a_mode_goes_back_to_normal_by_itself(void **state)
{
    json_decref(admin_call(&server, 200, "PUT", "/v1/mode",
                           "{\"mode\":\"swallow-on-reuse\",\"ttl\":\"1s\"}"));
    json_t *run = look("default", "");
    assert_true(json_is_string(json_object_get(run, "mode_ends")));
    json_decref(run);
    for (int64_t until = in_ms(PATIENCE_MS);;) {
        json_t *mode = admin_call(&server, 200, "GET", "/v1/mode", NULL);
        bool back = strcmp(event_text(mode, "mode"), "normal") == 0;
        json_decref(mode);
        if (back)
            break;
        check(clock_now() < until, "the mode stays");
    }
    json_t *events = events_of("default");
    json_t *last = json_array_get(events, json_array_size(events) - 1);
    assert_string_equal(event_text(last, "mode"), "normal");
    assert_true(strstr(event_text(last, "why"), "ttl") != NULL);
    assert_true(event_ms(last, "ms") - event_ms(json_array_get(events, 0), "ms") >= 1000);
    json_decref(events);
    /* what is set anew stays */
    json_decref(admin_call(&server, 200, "PUT", "/v1/mode",
                           "{\"mode\":\"swallow-on-reuse\",\"ttl\":\"100ms\"}"));
    json_decref(admin_call(&server, 200, "PUT", "/v1/mode", "{\"mode\":\"slow-first-byte\"}"));
    run = look("default", "");
    assert_true(json_is_null(json_object_get(run, "mode_ends")));
    json_decref(run);
}

static void phases_have_connections_of_their_own(void **state)
{
    char id[16], path[64];
    struct client a = { 0 }, b = { 0 };
    json_t *run =
        make("{\"mode\":\"close-on-reuse\",\"listeners\":[\"http\"],\"control\":true}", id);
    uint16_t port = port_of(run, "http");
    assert_string_equal(event_text(run, "phase"), "control");
    assert_string_equal(event_text(run, "mode"), "normal");
    json_decref(run);
    get(&a, port);
    get(&a, 0);
    snprintf(path, sizeof path, "/v1/runs/%s/mode", id);
    admin_problem(&server, 400, "PUT", path, "{\"mode\":\"swallow-on-reuse\"}", "control");
    snprintf(path, sizeof path, "/v1/runs/%s/phase", id);
    run = admin_call(&server, 200, "POST", path, "{\"phase\":\"fault\"}");
    assert_string_equal(event_text(run, "mode"), "close-on-reuse");
    assert_int_equal(event_ms(run, "connections"), 0);
    json_decref(run);
    check(client_wait_fin(&a, in_ms(PATIENCE_MS)), "no FIN: %s", client_story(&a));
    get(&b, port);
    get_nothing(&b);
    json_t *events = events_of(id);
    assert_true(json_is_true(json_object_get(first_of(events, "run_start"), "control")));
    assert_int_equal(count_of(events, "phase"), 2);
    json_t *fault = first_of(events, "fault"), *closed = first_of(events, "connection_end");
    size_t i;
    json_t *event, *second = NULL;
    json_array_foreach(events, i, event) if (strcmp(event_text(event, "event"), "phase") == 0)
        second = event;
    assert_true(event_ms(closed, "seq") < event_ms(second, "seq"));
    assert_true(event_ms(fault, "seq") > event_ms(second, "seq"));
    json_decref(events);
    client_close(&a);
    client_close(&b);
}

static void marks_are_the_runs_own(void **state)
{
    char one[16], two[16], path[64];
    json_decref(make("{}", one));
    json_decref(make("{}", two));
    snprintf(path, sizeof path, "/v1/runs/%s/marks/background", one);
    json_decref(admin_call(&server, 201, "POST", path, NULL));
    snprintf(path, sizeof path, "/v1/runs/%s/marks/NO", one);
    admin_problem(&server, 400, "POST", path, NULL, "$.mark");
    json_t *events = events_of(one);
    assert_int_equal(count_of(events, "mark"), 1);
    json_decref(events);
    events = events_of(two);
    assert_int_equal(count_of(events, "mark"), 0);
    json_decref(events);
}

static void a_reset_says_again_what_the_run_is(void **state)
{
    char id[16], path[64];
    json_decref(make("{\"mode\":\"swallow-on-reuse\",\"expect\":[\"recovered\"]}", id));
    snprintf(path, sizeof path, "/v1/runs/%s/reset", id);
    json_t *run = admin_call(&server, 200, "POST", path, NULL);
    assert_string_equal(event_text(run, "mode"), "normal");
    json_decref(run);
    json_t *events = events_of(id);
    assert_string_equal(event_text(json_array_get(events, 0), "event"), "cleared");
    assert_string_equal(event_text(json_array_get(events, 1), "event"), "run_start");
    assert_string_equal(event_text(json_array_get(events, 2), "event"), "phase");
    json_decref(events);
}

static void those_that_have_ended_are_kept_for_a_while(void **state)
{
    char first[16], id[16];
    json_decref(make("{}", first));
    end(first);
    json_decref(events_of(first));
    for (int i = 0; i < 64; i++) { /* as many are kept */
        json_decref(make("{}", id));
        end(id);
    }
    char path[64];
    snprintf(path, sizeof path, "/v1/runs/%s/events", first);
    admin_problem(&server, 404, "GET", path, NULL, "run-gone");
    json_decref(events_of(id));
}

static void one_run_with_a_client(void)
{
    char id[16];
    struct client c = { 0 };
    json_t *run = make("{\"listeners\":[\"http\",\"https\"],\"control\":true}", id);
    get(&c, port_of(run, "http"));
    json_decref(run);
    end(id);
    client_close(&c);
}

static void a_run_leaves_no_descriptor_behind(void **state)
{
    for (int i = 0; i < 5; i++) /* what is kept for the next ones is there */
        one_run_with_a_client();
    long before = server_descriptors(&server);
    for (int i = 0; i < 50; i++)
        one_run_with_a_client();
    for (int64_t until = in_ms(PATIENCE_MS); server_descriptors(&server) > before;)
        check(clock_now() < until, "%ld descriptors, before %ld", server_descriptors(&server),
              before);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_run_is_a_server_of_its_own),
        TEST(over_h1_nothing_else_is_offered),
        TEST(what_cannot_be_is_refused_with_its_place),
        TEST(nothing_is_expected_that_the_plan_makes_impossible),
        TEST(no_more_than_32_runs_are_there_at_once),
        TEST(it_is_said_when_no_port_is_left),
        TEST(urls_have_the_host_that_is_advertised),
        TEST(a_run_ends_by_itself),
        TEST(a_mode_goes_back_to_normal_by_itself),
        TEST(phases_have_connections_of_their_own),
        TEST(marks_are_the_runs_own),
        TEST(a_reset_says_again_what_the_run_is),
        TEST(those_that_have_ended_are_kept_for_a_while),
        TEST(a_run_leaves_no_descriptor_behind),
    };
    return cmocka_run_group_tests_name("runs", tests, NULL, NULL);
}
