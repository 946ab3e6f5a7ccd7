/* The verdict of a run over the admin API: what goes into it, as what it comes, when it is final;
 * and that runs beside each other are judged as alone. */
#include "admin.h"
#include "check.h"
#include "h1.h"
#include "server.h"
#include "talk.h"
#include "tests/count.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* --- A run, and a client that repeats what was not answered, or does not */

struct test {
    char id[16];
    uint16_t port;
    void (*client)(const struct test *t); /* in the phase "fault" */
    const char *deserves;
    bool judged;
};

/* As a run of its own. */
static void make(struct test *t, const char *spec)
{
    json_t *run = admin_call(&server, 201, "POST", "/v1/runs", spec);
    const char *url = event_text(json_object_get(run, "urls"), "http");
    snprintf(t->id, sizeof t->id, "%s", event_text(run, "id"));
    t->port = (uint16_t)atoi(strrchr(url, ':') + 1);
    json_decref(run);
}

static const char *path_of(const struct test *t, const char *rest)
{
    static char path[1024];
    snprintf(path, sizeof path, "/v1/runs/%.*s%s", (int)sizeof t->id, t->id, rest);
    return path;
}

static json_t *post(const struct test *t, const char *rest, int status, const char *body)
{
    return admin_call(&server, status, "POST", path_of(t, rest), body);
}

/* Returns whether it was answered. */
static bool get(struct client *c)
{
    struct h1_response r = { 0 };
    struct buf text = { 0 };
    h1_compose(&text, "GET", ENTITLEMENT, "", NULL);
    client_send(c, buf_bytes(&text), buf_len(&text));
    bool answered = h1_read(c, false, &r, in_ms(PATIENCE_MS));
    h1_free(&r);
    buf_free(&text);
    return answered;
}

static void open_one(const struct test *t, struct client *c)
{
    const struct client_options options = { .port = t->port };
    memset(c, 0, sizeof *c);
    check(client_connect(c, &options), "no connection: %s", client_story(c));
}

static void served_twice(const struct test *t)
{
    struct client c;
    open_one(t, &c);
    assert_true(get(&c));
    assert_true(get(&c));
    client_close(&c);
}

/* Two requests on a connection, of which the second gets FIN. */
static void leaves(const struct test *t)
{
    struct client c;
    open_one(t, &c);
    assert_true(get(&c));
    assert_false(get(&c));
    client_close(&c);
}

/* What got no answer is asked again elsewhere. */
static void repeats(const struct test *t)
{
    struct client c;
    leaves(t);
    open_one(t, &c);
    assert_true(get(&c));
    client_close(&c);
}

/* The server does not run from before the request until 200 ms later; its FIN goes out behind that,
 * and only then the client leaves. */
static void leaves_behind_a_pause(const struct test *t)
{
    struct client c;
    struct buf text = { 0 };
    struct h1_response r = { 0 };
    open_one(t, &c);
    assert_true(get(&c));
    assert_int_equal(kill(server.pid, SIGSTOP), 0);
    h1_compose(&text, "GET", ENTITLEMENT, "", NULL);
    client_send(&c, buf_bytes(&text), buf_len(&text));
    poll(NULL, 0, 200);
    assert_int_equal(kill(server.pid, SIGCONT), 0);
    assert_false(h1_read(&c, false, &r, in_ms(PATIENCE_MS)));
    client_close(&c);
    h1_free(&r);
    buf_free(&text);
}

static const struct test good = { .client = repeats, .deserves = "pass" },
                         bad = { .client = leaves, .deserves = "fail" };

#define SPEC                                                                                       \
    "{\"mode\":\"close-on-reuse\",\"listeners\":[\"http\"],\"expect\":[\"recovered\"],"            \
    "\"control\":true}"

static void command(const struct test *t, const char *body)
{
    json_decref(post(t, "/command", 201, body));
}

/* Those that are not judged go through each phase beside each other. */
static void play(struct test *tests, size_t n)
{
    for (struct test *t = tests; t < tests + n; t++) {
        if (t->judged)
            continue;
        make(t, SPEC);
        command(t, "{\"start\":{\"argv\":[\"test\"]}}");
        served_twice(t);
        command(t, "{\"exit\":{\"status\":0}}");
    }
    for (struct test *t = tests; t < tests + n; t++)
        if (!t->judged)
            json_decref(post(t, "/phase", 200, "{\"phase\":\"fault\"}"));
    for (struct test *t = tests; t < tests + n; t++) {
        if (t->judged)
            continue;
        command(t, "{\"start\":{\"argv\":[\"test\"]}}");
        t->client(t);
        command(t,
                t->client == repeats ? "{\"exit\":{\"status\":0}}" : "{\"exit\":{\"status\":1}}");
    }
}

static void end_run(const struct test *t)
{
    json_decref(admin_call(&server, 200, "DELETE", path_of(t, ""), NULL));
}

static json_t *verdict(const struct test *t, const char *query)
{
    char rest[64];
    snprintf(rest, sizeof rest, "/verdict%s", query);
    return admin_call(&server, 200, "GET", path_of(t, rest), NULL);
}

static bool has_paused(const struct test *t)
{
    json_t *page = admin_call(&server, 200, "GET", path_of(t, "/events?event=server_paused"), NULL);
    bool has = json_array_size(json_object_get(page, "events")) > 0;
    json_decref(page);
    return has;
}

/* Whether it is inconclusive only as the server itself did not run for a time, which a busy machine
 * may do to it, and its ledger says that, too. A pass or a fail is never so. */
static bool left_open_by_pause(const struct test *t, const json_t *v)
{
    size_t i, paused = 0, others = 0;
    json_t *one;
    json_array_foreach(json_object_get(v, "checks"), i, one)
    {
        bool open = strcmp(event_text(one, "outcome"), "inconclusive") == 0;
        const char *remedy = event_text(json_object_get(one, "remedy"), "code");
        bool is = open && strcmp(remedy, "paused") == 0;
        paused += is;
        others += open && !is;
    }
    return strcmp(event_text(v, "verdict"), "inconclusive") == 0 && paused > 0 && others == 0 &&
           has_paused(t);
}

/* Of a run that has ended: it is what the run deserves, or left open by a pause. */
static bool is_judged(const struct test *t)
{
    json_t *v = verdict(t, "");
    bool open = left_open_by_pause(t, v);
    const char *is = event_text(v, "verdict");
    char *checks = json_dumps(json_object_get(v, "checks"), 0);
    check(open || strcmp(is, t->deserves) == 0, "%s: %s, not %s: %s", t->id, is, t->deserves,
          checks);
    assert_string_equal(event_text(v, "run"), t->id);
    assert_string_equal(event_text(json_object_get(v, "mode"), "mode"), "close-on-reuse");
    free(checks);
    json_decref(v);
    return !open;
}

#define ROUNDS_MAX 6

/* Plays and ends them; each gets the verdict that it deserves. What a pause of the server leaves
 * open is played again. */
static void assert_judged(struct test *tests, size_t n)
{
    size_t left = n;
    for (int round = 0; left > 0; round++) {
        check(round < ROUNDS_MAX, "%zu of %zu stay open, as the server pauses", left, n);
        play(tests, n);
        for (size_t i = 0; i < n; i++)
            if (!tests[i].judged)
                end_run(&tests[i]);
        left = 0;
        for (size_t i = 0; i < n; i++) {
            tests[i].judged = tests[i].judged || is_judged(&tests[i]);
            left += !tests[i].judged;
        }
    }
}

/* --- Tests */

static void who_repeats_passes_and_who_does_not_fails(void **state)
{
    struct test tests[] = { good, bad };
    assert_judged(tests, COUNT(tests));
}

static void who_leaves_behind_the_fault_is_not_excused_by_a_pause_before_it(void **state)
{
    struct test t = { .client = leaves_behind_a_pause, .deserves = "fail" };
    assert_judged(&t, 1);
}

static void a_verdict_is_waited_for_until_it_is_final(void **state)
{
    struct test t = good;
    play(&t, 1);
    int64_t began = clock_now();
    json_t *v = verdict(&t, "?wait=100ms"); /* another attempt may come for longer than that */
    assert_true(clock_now() - began >= 100 * NS_PER_MS || event_true(v, "final"));
    json_decref(v);
    struct client c;
    struct h1_response r = { 0 };
    const struct client_options options = { .port = server.admin };
    struct buf text = { 0 };
    memset(&c, 0, sizeof c);
    check(client_connect(&c, &options), "no connection: %s", client_story(&c));
    h1_compose(&text, "GET", path_of(&t, "/verdict?wait=60s"), "", NULL);
    client_send(&c, buf_bytes(&text), buf_len(&text));
    began = clock_now();
    end_run(&t);
    check(h1_read(&c, false, &r, in_ms(30000)), "no answer: %s", client_story(&c));
    assert_non_null(strstr((const char *)r.body.data, "\"final\":true"));
    check(clock_now() - began < 15 * NS_PER_S, "it is answered late");
    h1_free(&r);
    buf_free(&text);
    client_close(&c);
}

static void it_comes_as_what_is_asked_for(void **state)
{
    static const struct {
        const char *accept, *type, *has;
    } rows[] = {
        { "Accept: application/json\r\n", "application/json", "\"verdict\":\"pass\"" },
        { "Accept: text/plain\r\n", "text/plain", "PROVED" },
        { "Accept: text/markdown\r\n", "text/markdown", "| recovered | pass |" },
        { "Accept: application/xml\r\n", "application/xml", "<testsuite " },
        { "Accept: text/html\r\n", "text/html", "</html>" },
        { "", "application/json", "\"checks\"" },
    };
    struct test t = good;
    assert_judged(&t, 1);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct admin_answer a;
        assert_true(admin_try(&server, "GET", path_of(&t, "/verdict"), rows[i].accept, NULL, &a));
        assert_int_equal(a.status, 200);
        assert_string_equal(a.type, rows[i].type);
        check(memmem(buf_bytes(&a.text), buf_len(&a.text), rows[i].has, strlen(rows[i].has)),
              "%s: %.*s", rows[i].type, (int)buf_len(&a.text), (const char *)buf_bytes(&a.text));
        admin_free(&a);
    }
    struct admin_answer a;
    assert_true(
        admin_try(&server, "GET", path_of(&t, "/verdict"), "Accept: image/png\r\n", NULL, &a));
    assert_int_equal(a.status, 406);
    admin_free(&a);
}

static void the_default_run_is_judged_when_it_is_needed(void **state)
{
    struct test t = { .id = "default", .port = server.http };
    json_decref(
        admin_call(&server, 200, "PUT", "/v1/mode",
                   "{\"mode\":\"close-on-reuse\",\"expect\":[\"recovered\"],\"apply\":\"new\"}"));
    repeats(&t);
    json_t *v = admin_call(&server, 200, "GET", "/v1/verdict", NULL);
    json_t *calls = json_object_get(v, "calls");
    assert_int_equal(event_ms(calls, "bitten"), 1);
    assert_int_equal(event_ms(calls, "retries"), 1);
    assert_int_equal(json_array_size(json_object_get(v, "checks")), 1);
    json_decref(v);
    v = admin_call(&server, 200, "GET", "/v1/calls", NULL);
    assert_int_equal(json_array_size(json_object_get(v, "calls")), 2);
    json_decref(v);
    /* after a reset it is as new */
    admin_reset(&server);
    v = admin_call(&server, 200, "GET", "/v1/verdict", NULL);
    assert_int_equal(event_ms(json_object_get(v, "calls"), "total"), 0);
    json_decref(v);
    admin_mode(&server, "close-on-reuse", NULL);
    repeats(&t);
    v = admin_call(&server, 200, "GET", "/v1/verdict", NULL);
    assert_int_equal(event_ms(json_object_get(v, "calls"), "bitten"), 1);
    assert_int_equal(json_array_size(json_object_get(v, "missing")), 0);
    json_decref(v);
}

static void what_is_open_is_waited_for(void **state)
{
    struct test t = { 0 };
    struct client c;
    struct buf text = { 0 };
    make(&t, "{\"mode\":\"slow-first-byte\",\"params\":{\"delay\":\"700ms\"},"
             "\"listeners\":[\"http\"]}");
    json_t *quiet = admin_call(&server, 200, "GET", path_of(&t, "/quiet"), NULL);
    assert_true(event_true(quiet, "quiet"));
    json_decref(quiet);
    open_one(&t, &c);
    h1_compose(&text, "GET", ENTITLEMENT, "", NULL);
    client_send(&c, buf_bytes(&text), buf_len(&text));
    for (int64_t until = in_ms(PATIENCE_MS);;) {
        quiet = admin_call(&server, 200, "GET", path_of(&t, "/quiet?wait=1ms"), NULL);
        bool open = event_ms(quiet, "open") == 1;
        assert_true(open != event_true(quiet, "quiet"));
        json_decref(quiet);
        if (open)
            break;
        check(clock_now() < until, "the request is not open");
    }
    quiet = admin_call(&server, 200, "GET", path_of(&t, "/quiet?wait=8s"), NULL);
    assert_true(event_true(quiet, "quiet"));
    json_decref(quiet);
    assert_true(client_wait_bytes(&c, 1, in_ms(1000)));
    buf_free(&text);
    client_close(&c);
}

static void bad_accounts_are_refused(void **state)
{
    static const struct {
        const char *path, *body, *where;
    } rows[] = {
        { "/v1/command", "{}", "$" },
        { "/v1/command", "{\"start\":{},\"exit\":{}}", "$" },
        { "/v1/command", "{\"start\":{}}", "$.start.argv" },
        { "/v1/command", "{\"start\":{\"argv\":[]}}", "$.start.argv" },
        { "/v1/command", "{\"start\":{\"argv\":[1]}}", "$.start.argv" },
        { "/v1/command", "{\"start\":{\"argv\":\"x\"}}", "$.start.argv" },
        { "/v1/command", "{\"start\":{\"argv\":[\"x\"],\"pid\":\"1\"}}", "$.start.pid" },
        { "/v1/command", "{\"start\":{\"argv\":[\"x\"],\"steps\":1}}", "$.start.steps" },
        { "/v1/command", "{\"stop\":{}}", "$.stop" },
        { "/v1/command", "{\"exit\":{}}", "$.exit" },
        { "/v1/command", "{\"exit\":{\"status\":256}}", "$.exit.status" },
        { "/v1/command", "{\"exit\":{\"signal\":0}}", "$.exit.signal" },
        { "/v1/command", "{\"exit\":{\"status\":1,\"killed\":1}}", "$.exit.killed" },
        { "/v1/reports", "[]", "line 1" },
        { "/v1/reports", "nonsense", "line 1" },
        { "/v1/mode", "{\"mode\":\"normal\",\"expect\":[\"recovered\"]}", "$.expect[0]" },
        { "/v1/runs", "{\"expect\":[\"recoverd\"]}", "$.expect[0]" },
        { "/v1/runs", "{\"mode\":\"close-on-reuse\",\"expect\":[{\"user_wait\":{\"max\":3}}]}",
          "$.expect[0].user_wait.max" },
        { "/v1/runs", "{\"mode\":\"close-on-reuse\",\"expect\":[]}", "$.expect" },
        { "/v1/runs", "{\"mode\":\"close-on-reuse\",\"expect\":[\"goaway-aware\"]}",
          "$.expect[0]" },
        { "/v1/runs", "{\"mode\":\"throttle\",\"expect\":[\"retry-once\"]}", "$.expect[0]" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        admin_problem(&server, 400, strcmp(rows[i].path, "/v1/mode") == 0 ? "PUT" : "POST",
                      rows[i].path, rows[i].body, rows[i].where);
    uint64_t next;
    json_t *events = admin_events(&server, 0, 0, &next);
    assert_int_equal(json_array_size(events), 0);
    json_decref(events);
}

static void runs_beside_each_other_are_judged_as_alone(void **state)
{
    struct test tests[32];
    for (size_t i = 0; i < COUNT(tests); i++)
        tests[i] = i % 3 ? good : bad;
    assert_judged(tests, COUNT(tests));
}

/* The one file of a run there, by its name. */
static void file_of(const char *dir, const char *run, char *out, size_t size)
{
    struct dirent *entry;
    DIR *d = opendir(dir);
    size_t len = strlen(run);
    assert_non_null(d);
    out[0] = '\0';
    while ((entry = readdir(d)))
        if (strncmp(entry->d_name, run, len) == 0 && entry->d_name[len] == '-')
            snprintf(out, size, "%s/%s", dir, entry->d_name);
    closedir(d);
    check(out[0], "no file of %s", run);
}

/* The file is written behind what happens: waits until it has the run's end. */
static void await_end(const char *path)
{
    int64_t until = in_ms(20000);
    char line[65536];
    for (bool ended = false; !ended;) {
        FILE *f = fopen(path, "re");
        assert_non_null(f);
        while (fgets(line, sizeof line, f))
            ended = strstr(line, "\"event\":\"run_end\"") && strchr(line, '\n');
        fclose(f);
        check(ended || clock_now() < until, "%s has no end", path);
        if (!ended)
            poll(NULL, 0, 5);
    }
}

static void a_saved_ledger_judges_itself_to_the_same(void **state)
{
    char dir[64], path[400];
    server_stop(&server);
    scratch_create(dir, sizeof dir);
    memset(&server, 0, sizeof server);
    server_start(&server, (const char *const[]){ "--ledger-dir", dir, NULL });
    for (int i = 0; i < 2; i++) {
        struct test t = i > 0 ? good : bad;
        play(&t, 1);
        end_run(&t);
        json_t *live = verdict(&t, "");
        struct buf out = { 0 }, err = { 0 };
        file_of(dir, t.id, path, sizeof path);
        await_end(path);
        server_run((const char *const[]){ "verdict", "--json", path, NULL }, &out, &err);
        json_t *saved =
            json_loadb((const char *)buf_bytes(&out), strlen((char *)out.data), 0, NULL);
        char *text = json_dumps(live, 0);
        check(json_equal(saved, live), "live: %s\nsaved: %s%s", text, (char *)out.data,
              (char *)err.data);
        free(text);
        json_decref(saved);
        json_decref(live);
        buf_free(&out);
        buf_free(&err);
    }
    scratch_remove(dir);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(who_repeats_passes_and_who_does_not_fails),
        TEST(who_leaves_behind_the_fault_is_not_excused_by_a_pause_before_it),
        TEST(a_verdict_is_waited_for_until_it_is_final),
        TEST(it_comes_as_what_is_asked_for),
        TEST(the_default_run_is_judged_when_it_is_needed),
        TEST(what_is_open_is_waited_for),
        TEST(bad_accounts_are_refused),
        TEST(runs_beside_each_other_are_judged_as_alone),
        TEST(a_saved_ledger_judges_itself_to_the_same),
    };
    return cmocka_run_group_tests_name("verdicts", tests, NULL, NULL);
}
