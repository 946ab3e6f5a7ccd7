/* The command line: every option refuses what it cannot use, with exit status 2 and one line that
 * names it. */
#include "admin.h"
#include "check.h"
#include "client.h"
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXIT_SETUP 2

/* Writes a file below the scratch directory and returns its path. */
static const char *scratch_file(const char *name, const char *text)
{
    static char path[128];
    char dir[128];

    snprintf(path, sizeof path, "%s/%s", scratch, name);
    snprintf(dir, sizeof dir, "%.*s", (int)(strrchr(path, '/') - path), path);
    assert_true(mkdir(dir, 0700) == 0 || errno == EEXIST);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    return path;
}

/* `hangup serve` on free ports, but for one or two options, which must be refused. */
static void refused(const char *named, const char *option, const char *value, const char *option2,
                    const char *value2)
{
    char state[80];
    const char *arguments[24] = { "serve" };
    unsigned n = 1;
    struct buf out = { .data = NULL }, err = { .data = NULL };
    static const char *const listeners[] = { "--https", "--https1", "--http", "--admin" };

    snprintf(state, sizeof state, "%s/state", scratch);
    for (unsigned i = 0; i < 4; i++)
        if (strcmp(option, listeners[i]) != 0) {
            arguments[n++] = listeners[i];
            arguments[n++] = "127.0.0.1:0";
        }
    if (strcmp(option, "--state") != 0) {
        arguments[n++] = "--state";
        arguments[n++] = state;
    }
    arguments[n++] = option;
    arguments[n++] = value;
    if (value)
        arguments[n++] = option2;
    if (option2)
        arguments[n++] = value2;
    int status = server_run(arguments, &out, &err);
    /* Log lines may come before it; the complaint is one line, the last. */
    const char *text = (const char *)buf_bytes(&err), *line = strstr(text, "hangup serve: ");
    const char *line_end = line ? strchr(line, '\n') : NULL;
    check(status == EXIT_SETUP, "%s %s: exit status %d: %s", option, value ? value : "", status,
          text);
    check(line && strstr(line, named), "%s %s: %s is not named: %s", option, value ? value : "",
          named, text);
    check(line_end && !line_end[1], "%s %s: not one line at the end: %s", option,
          value ? value : "", text);
    check(buf_len(&out) == 1, "%s: wrote to stdout: %s", option, (const char *)buf_bytes(&out));
    buf_free(&out);
    buf_free(&err);
}

static void addresses_that_are_none_are_refused(void **state)
{
    static const char *const options[] = { "--https", "--https1", "--http", "--admin" };
    static const char *const values[] = { "",
                                          "nonsense",
                                          "127.0.0.1",
                                          "127.0.0.1:",
                                          "127.0.0.1:x",
                                          "127.0.0.1:65536",
                                          "127.0.0.1:-1",
                                          "[::1",
                                          "[::1]8443",
                                          "::1:8443",
                                          "1.2.3:80",
                                          "www.example.com:80",
                                          "127.0.0.1:80:80",
                                          "192.0.2.1:0", /* not of this machine (RFC 5737) */
                                          " :8443",
                                          "two\nlines" };

    for (unsigned i = 0; i < sizeof options / sizeof options[0]; i++)
        for (unsigned k = 0; k < sizeof values / sizeof values[0]; k++)
            refused(options[i], options[i], values[k], NULL, NULL);
}

static void long_values_are_cut_within_their_quotes(void **state)
{
    static const struct {
        const char *option, *named;
    } cases[] = {
        { "--https", "9\" is not an address to listen on; allowed: " },
        { "--stubs", "9\" cannot be read: " },
        { "--seed", "9\" is not a value for it; allowed: " },
    };
    char value[500];

    memset(value, '9', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++)
        refused(cases[i].named, cases[i].option, value, NULL, NULL);
}

static void bad_values_are_refused(void **state)
{
    static const struct {
        const char *option, *value, *named;
    } cases[] = {
        { "--mode", "no-such-mode", "no-such-mode" },
        { "--mode", "idle-close;idle=soon", "idle" },
        { "--mode", "idle-close;idle=-5s", "idle" },
        { "--mode", "idle-close;idle=999999h", "idle" },
        { "--mode", "idle-close;no-such=1", "no-such" },
        { "--mode", "idle-close;idle", "--mode" },
        { "--mode", "", "--mode" },
        { "--mode", "%", "--mode" },
        { "--mode", "two\nlines", "--mode" },
        { "--no\nsuch", "1", "such" },
        { "--case", "0", "--case" },
        { "--case", "99", "--case" },
        { "--case", "goaway", "09-goaway-below-streams-in-flight, 10-" },
        { "--case", "reused-no-bites", "" },
        { "--case", "no-such", "01-answered-then-dead" },
        { "--case", "", "--case" },
        { "--plan", "/nonexistent", "--plan" },
        { "--plan", "/", "--plan" },
        { "--plan", "", "--plan" },
        { "--seed", "7", "--plan or --case" },
        { "--seed", "-1", "--seed" },
        { "--seed", "x", "--seed" },
        { "--seed", "1.5", "--seed" },
        { "--seed", "", "--seed: \"\" is not a value for it; allowed: a whole number" },
        { "--header-timeout", "", "--header-timeout: \"\" is not a value for it; allowed: a dur" },
        { "--advertise", "-1", "--advertise: \"-1\"" },
        { "--advertise", "a..b", "--advertise: \"a..b\"" },
        { "--seed", "9007199254740993", "--seed" },
        { "--seed", "99999999999999999999", "--seed" },
        { "--time-scale", "0", "--time-scale" },
        { "--time-scale", "-1", "--time-scale" },
        { "--time-scale", "fast", "--time-scale" },
        { "--time-scale", "1x", "--time-scale" },
        { "--time-scale", "0x1", "--time-scale" },
        { "--time-scale", " 1", "--time-scale" },
        { "--time-scale", "nan", "--time-scale" },
        { "--time-scale", "inf", "--time-scale" },
        { "--time-scale", "1e99", "--time-scale" },
        { "--key-header", "", "--key-header" },
        { "--key-header", "x call", "--key-header" },
        { "--key-header", "x-call:", "--key-header" },
        { "--key-header", ":path", "--key-header" },
        { "--body-limit", "-1", "--body-limit" },
        { "--body-limit", "1k", "--body-limit" },
        { "--body-limit", "", "--body-limit" },
        { "--body-limit", "99999999999999999999", "--body-limit" },
        { "--ledger-limit", "much", "--ledger-limit" },
        { "--ledger-limit", "99999999999999999999", "--ledger-limit" },
        { "--name", "", "--name" },
        { "--name", "two words", "--name" },
        { "--name", "a..b", "--name" },
        { "--name", "a*b.example", "--name" },
        { "--name", "-x.example", "--name" },
        { "--admin-token", "", "--admin-token" },
        { "--admin-token", "two words", "--admin-token" },
        { "--admin-token", "line\nbreak", "--admin-token" },
        { "--modes", "/nonexistent", "--modes" },
        { "--stubs", "/nonexistent", "--stubs" },
        { "--state", "/proc/nowhere/state", "/proc/nowhere" },
        { "--state", "/dev/null", "/dev/null" },
        { "--state", "", "--state" },
        { "--no-such", "1", "--no-such" },
        { "--admin-token-file", "/nonexistent",
          "--admin-token-file: /nonexistent cannot be read: No such file" },
        { "--admin-token-file", "/dev/null", "it is empty" },
        { "--admin-token-file", "/dev/zero", "no token" },
        { "--mod", "normal", "did you mean --mode or --modes?" },
        { "--mode=", "normal", "--mode" },
        { "--mode", "idle-clsoe", "did you mean idle-close?" },
        { "--mode", "idle-close;ilde=2s", "did you mean idle?" },
        { "--case", "01-answered-than-dead", "did you mean 01-answered-then-dead?" },
        { "--log-level", "wran", "did you mean warn?" },
        { "serve", "serve", "serve" },
        { "--https1", NULL, "--https1" },
        { "--state", NULL, "--state" },
        { "--time-scale", NULL, "--time-scale" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        refused(cases[i].named, cases[i].option, cases[i].value, NULL, NULL);
}

/* As one of a protocol, or of TLS, that no listener has. */
static void a_mode_that_can_do_nothing_here_is_refused(void **state)
{
    static const char some[] = "127.0.0.1:0";
    static const struct {
        const char *mode, *https1, *http, *named;
    } rows[] = {
        { "handshake-stall", "off", some,
          "its rules are for TLS, not for connections in cleartext" },
        { "close-notify-only", "off", some, "\"close-notify-only\" can do nothing here" },
        { "goaway-race", some, "off", "its rules are for HTTP/2, not for HTTP/1.1 over TLS" },
    };
    char dir[80];

    snprintf(dir, sizeof dir, "%s/state", scratch);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *const arguments[] = { "serve",        "--state", dir,          "--https",
                                          "off",          "--admin", some,         "--https1",
                                          rows[i].https1, "--http",  rows[i].http, "--mode",
                                          rows[i].mode,   NULL };
        struct buf out = { .data = NULL }, err = { .data = NULL };
        int status = server_run(arguments, &out, &err);
        check(status == EXIT_SETUP && strstr((const char *)buf_bytes(&err), rows[i].named),
              "%s: %d: %s", rows[i].mode, status, (const char *)buf_bytes(&err));
        buf_free(&out);
        buf_free(&err);
    }
}

static void certificates_that_do_not_serve_are_refused(void **state)
{
    char garbage[128];

    snprintf(garbage, sizeof garbage, "%s", scratch_file("garbage/cert.pem", "no certificate\n"));
    refused("--key", "--cert", garbage, NULL, NULL);
    refused("--cert", "--key", garbage, NULL, NULL);
    refused("/nonexistent", "--cert", "/nonexistent", "--key", "/nonexistent");
    refused("cert.pem", "--cert", garbage, "--key", garbage);
}

static void a_key_log_that_cannot_be_written_is_refused(void **state)
{
    refused("--keylog: /nonexistent/keys cannot be opened", "--keylog", "/nonexistent/keys", NULL,
            NULL);
    refused("--keylog: / cannot be opened: Is a directory", "--keylog", "/", NULL, NULL);
}

static void directories_with_bad_files_are_refused(void **state)
{
    char dir[128];

    scratch_file("modes/broken.json", "{\"name\":\"broken\",");
    snprintf(dir, sizeof dir, "%s/modes", scratch);
    refused("broken.json", "--modes", dir, NULL, NULL);
    scratch_file("odd/odd.json", "{\"name\":\"odd\",\"summary\":\"x\",\"rules\":[{\"on\":\"x\"}]}");
    snprintf(dir, sizeof dir, "%s/odd", scratch);
    refused("odd.json", "--modes", dir, NULL, NULL);
}

static void plans_that_are_none_are_refused(void **state)
{
    static const struct {
        const char *text, *named;
    } cases[] = {
        { "", "line 1" },
        { "[", "line 1" },
        { "7", "line 1" },
        { "[{\"mode\":\"normal\",\"mode\":\"normal\"}]", "duplicate" },
        { "[{\"mode\":\"normal\"}] x", "line 1" },
        { "{}", "$.plan: is missing" },
        { "{\"plan\":7}", "$.plan" },
        { "{\"plan\":[]}", "$.plan" },
        { "{\"plan\":[{\"mode\":\"no-such\"}]}", "$.plan[0].mode" },
        { "{\"plan\":[{\"mode\":\"normal\"}],\"apply\":\"new\"}", "$.apply" },
        { "{\"plan\":[{\"mode\":\"normal\"}],\"seed\":-1}", "$.seed" },
        { "{\"plan\":[{\"mode\":\"normal\"}],\"seed\":\"1\"}", "$.seed" },
        { "[]", "--plan: $: " },
        { "[{\"mode\":\"normal\"},{\"mode\":\"idle-close\",\"params\":{\"idle\":7}}]",
          "--plan: $[1].params.idle: " },
        { "{\"mode\":\"normal\",\"connection\":\"x\"}", "--plan: $.connection: " },
    };

    char state_dir[128];
    snprintf(state_dir, sizeof state_dir, "%s/state", scratch);
    scratch_remove(state_dir);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[128];
        struct stat none;
        snprintf(path, sizeof path, "%s", scratch_file("plan.json", cases[i].text));
        refused("--plan", "--plan", path, NULL, NULL);
        refused(cases[i].named, "--plan", path, NULL, NULL);
        /* It was refused without a trace. */
        assert_int_equal(stat(state_dir, &none), -1);
    }
}

static void modes_plans_and_cases_exclude_each_other(void **state)
{
    const char *plan = scratch_file("plan.json", "[{\"mode\":\"normal\"}]");

    refused("--plan: it cannot go with --mode", "--plan", plan, "--mode", "normal");
    refused("--case: it cannot go with --mode", "--mode", "normal", "--case", "01");
    refused("--case: it cannot go with --plan", "--plan", plan, "--case", "01");
    refused("--seed", "--mode", "normal", "--seed", "1");
}

/* What the ready line says is set. New reference. */
static json_t *started(const char *option, const char *value, const char *option2,
                       const char *value2)
{
    const char *const options[] = { option, value, option2, value2, NULL };
    struct server server = { .pid = 0 };

    server_start(&server, options);
    json_t *mode = json_incref(json_object_get(server.ready, "mode"));
    const char *name = json_string_value(json_object_get(server.ready, "case"));
    check(!strcmp(option ? option : "", "--case") == (name && !strcmp(name, value)),
          "the case in the ready line");
    json_t *asked = admin_call(&server, 200, "GET", "/v1/mode", NULL);
    check(json_equal(mode, asked), "the ready line says something else than GET /v1/mode");
    json_decref(asked);
    server_stop(&server);
    return mode;
}

static json_int_t seed_of(const json_t *mode)
{
    return json_integer_value(json_object_get(mode, "seed"));
}

static void the_ready_line_says_what_is_set(void **state)
{
    static const char text[] = "{\"plan\":[{\"connection\":1,\"mode\":\"idle-close\"},"
                               "{\"mode\":\"normal\"}],\"seed\":5}";
    char object[128], array[128];

    snprintf(object, sizeof object, "%s", scratch_file("object.json", text));
    snprintf(array, sizeof array, "%s", scratch_file("one.json", "[{\"mode\":\"normal\"}]"));

    json_t *mode = started(NULL, NULL, NULL, NULL);
    assert_string_equal(event_text(mode, "mode"), "normal");
    assert_true(json_is_null(json_object_get(mode, "plan")));
    json_decref(mode);

    mode = started("--mode", "idle-close;idle=2s", "--time-scale", "0.5");
    assert_string_equal(event_text(mode, "mode"), "idle-close");
    assert_string_equal(event_text(json_object_get(mode, "params"), "idle"), "2s");
    assert_true(event_ms(mode, "time_scale") == 0.5);
    json_decref(mode);

    mode = started("--plan", object, NULL, NULL);
    assert_int_equal(json_array_size(json_object_get(mode, "plan")), 2);
    assert_int_equal(seed_of(mode), 5);
    json_decref(mode);

    mode = started("--plan", object, "--seed", "9007199254740992");
    assert_int_equal(seed_of(mode), 9007199254740992);
    json_decref(mode);

    mode = started("--plan", array, "--seed", "0");
    assert_int_equal(json_array_size(json_object_get(mode, "plan")), 1);
    assert_int_equal(seed_of(mode), 0);
    json_decref(mode);

    mode = started("--case", "01-answered-then-dead", "--seed", "3");
    assert_int_equal(json_array_size(json_object_get(mode, "plan")), 2);
    assert_int_equal(seed_of(mode), 3);
    json_decref(mode);
}

/* Is a mode listed when the modes are filtered so? */
static bool listed(const char *filter, const char *value, const char *filter2, const char *value2,
                   const char *mode)
{
    const char *const arguments[] = { "modes", filter, value, filter2, value2, NULL };
    struct buf out = { .data = NULL }, err = { .data = NULL };
    char line[80];

    int status = server_run(arguments, &out, &err);
    snprintf(line, sizeof line, "\n  %s ", mode);
    check(status == 0, "%s: %s", value, (const char *)buf_bytes(&err));
    bool found = strstr((const char *)buf_bytes(&out), line);
    buf_free(&out);
    buf_free(&err);
    return found;
}

static void filters_leave_what_was_asked_for(void **state)
{
    assert_true(listed("--group", "idle", NULL, NULL, "goaway-idle"));
    assert_false(listed("--group", "idle", NULL, NULL, "truncate"));
    assert_true(listed("--over", "h2", NULL, NULL, "goaway-race"));
    assert_false(listed("--over", "h1", NULL, NULL, "goaway-race"));
    assert_true(listed("--over", "h1", NULL, NULL, "nginx"));
    assert_true(listed("--exercises", "goaway-aware", NULL, NULL, "goaway-idle"));
    assert_false(listed("--exercises", "goaway-aware", NULL, NULL, "reset-idle"));
    assert_true(listed("--group", "idle", "--over", "h1", "reset-idle"));
    assert_false(listed("--group", "h2", "--over", "h1", "goaway-race"));
    assert_false(listed("--group", "h2", "--exercises", "bounded-wait", "truncate"));
}

static void a_case_is_found_by_its_number_or_a_part(void **state)
{
    static const char *const words[] = { "1", "01", "01-answered", "answered" };

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        const char *const options[] = { "--case", words[i], NULL };
        struct server server = { .pid = 0 };
        server_start(&server, options);
        assert_string_equal(json_string_value(json_object_get(server.ready, "case")),
                            "01-answered-then-dead");
        server_stop(&server);
    }
}

/* As when it is set over the API. */
static void a_mode_case_or_plan_expects_what_it_says(void **state)
{
    const char *plan =
        scratch_file("plan.json", "{\"plan\":[{\"connection\":1,\"mode\":\"idle-close\"}],"
                                  "\"expect\":[\"no_storm\"]}");
    const struct {
        const char *option, *value, *of, *first;
    } rows[] = {
        { "--mode", "normal", NULL, NULL },
        { "--mode", "idle-close;idle=3s", "default", "recovered" },
        { "--mode", "empty-response", "mode empty-response", "user_wait" },
        { "--case", "14", "case 14-post-processed-no-response", "safe_retry" },
        { "--plan", plan, "run", "no_storm" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct server server = { .pid = 0 };
        server_start(&server, (const char *const[]){ rows[i].option, rows[i].value, NULL });
        json_t *run = admin_call(&server, 200, "GET", "/v1/runs/default", NULL);
        const char *of = json_string_value(json_object_get(run, "expect_of"));
        const char *first = json_string_value(json_array_get(json_object_get(run, "expect"), 0));
        check(!strcmp(of ? of : "-", rows[i].of ? rows[i].of : "-"), "%s %s: of %s", rows[i].option,
              rows[i].value, of ? of : "nobody");
        check(!strcmp(first ? first : "-", rows[i].first ? rows[i].first : "-"), "%s %s: %s",
              rows[i].option, rows[i].value, first ? first : "nothing");
        json_decref(run);
        server_stop(&server);
    }
    plan = scratch_file("plan.json", "{\"plan\":[{\"mode\":\"empty-response\"}],"
                                     "\"expect\":[\"recovered\"]}");
    refused("--plan: $.expect[0]: \"recovered\" could never be judged here", "--plan", plan, NULL,
            NULL);
}

static void one_listener_at_least_is_on(void **state)
{
    const char *const arguments[] = { "serve", "--https", "off", "--https1",
                                      "off",   "--http",  "off", NULL };
    struct buf out = { .data = NULL }, err = { .data = NULL };

    assert_int_equal(server_run(arguments, &out, &err), EXIT_SETUP);
    assert_non_null(strstr((const char *)buf_bytes(&err), "all three listeners are off"));
    buf_free(&out);
    buf_free(&err);
}

static void a_port_in_use_is_refused(void **state)
{
    struct sockaddr_in name = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof name;
    char address[32];
    static const char *const options[] = { "--https", "--https1", "--http", "--admin" };

    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_return_code(bind(fd, (struct sockaddr *)&name, sizeof name), errno);
    assert_return_code(listen(fd, 1), errno);
    assert_return_code(getsockname(fd, (struct sockaddr *)&name, &len), errno);
    snprintf(address, sizeof address, "127.0.0.1:%u", ntohs(name.sin_port));
    for (unsigned i = 0; i < 4; i++) {
        refused(options[i], options[i], address, NULL, NULL);
        refused("in use", options[i], address, NULL, NULL);
    }
    close(fd);
}

static void commands_without_a_server_say_what_they_are_asked(void **state)
{
    static const struct {
        const char *arguments[5];
        int status;
        const char *out, *err;
    } cases[] = {
        { { "--version" }, 0, "hangup ", NULL },
        { { "-h" }, 0, "--https1", NULL },
        { { "help" }, 0, "--https1", NULL },
        { { "help", "serve" }, 0, "--https1", NULL },
        { { "serve", "-h" }, 0, "--https1", NULL },
        { { "serve", "--mode", "--help" }, 0, "--https1", NULL },
        { { "help", "modes" }, 0, "--exercises", NULL },
        { { "modes", "--help" }, 0, "--exercises", NULL },
        { { "healthcheck", "-h" }, 0, "--wait", NULL },
        { { "help", "srve" }, EXIT_SETUP, NULL, "did you mean serve?\n" },
        { { "moeds" }, EXIT_SETUP, NULL, "did you mean modes?\n" },
        { { "--mode", "normal" }, EXIT_SETUP, NULL, "`hangup serve --mode`" },
        { { "modes", "ngnix" }, EXIT_SETUP, NULL, "did you mean nginx?\n" },
        { { "modes", "--gruop", "idle" }, EXIT_SETUP, NULL, "did you mean --group?\n" },
        { { "modes", "--group", "iddle" }, EXIT_SETUP, NULL, "did you mean idle?\n" },
        { { "modes", "--group" }, EXIT_SETUP, NULL, "--group: its value is missing" },
        { { "modes", "--over", "h3" }, EXIT_SETUP, NULL, "allowed: h1, h2" },
        { { "modes", "--exercises", "retry" }, EXIT_SETUP, NULL, "mean retry-once or safe-retry" },
        { { "modes", "--cases", "--language" }, EXIT_SETUP, NULL, "only one" },
        { { "modes", "--case", "1" }, 0, "01-answered-then-dead: ", NULL },
        { { "modes", "--case", "goaway-calm" }, 0, "11-goaway-calm-again-and-again: ", NULL },
        { { "modes", "--case", "1x" }, EXIT_SETUP, NULL, "allowed: 01-" },
        { { "modes", "suspend" }, 0, "\nNeeds: CAP_NET_ADMIN, with how=black_hole\n", NULL },
        { { "modes", "goaway-race" }, 0, "\nOver: h2\n", NULL },
        { { "healthcheck", "--wait", "soon" }, EXIT_SETUP, NULL, "\"soon\" is not a value" },
        { { "healthcheck", "--wait" }, EXIT_SETUP, NULL, "--wait: its value is missing" },
        { { "healthcheck", "--wiat", "1s" }, EXIT_SETUP, NULL, "--wiat" },
        { { "healthcheck", "--admin", "127.0.0.1:1", "--wait" }, EXIT_SETUP, NULL, "--wait" },
        { { "--help" }, 0, "--https1", NULL },
        { { "modes" }, 0, "goaway-idle", NULL },
        { { "modes" }, 0, "\nWhile the connection is idle:\n", NULL },
        { { "modes" }, 0, " [assumed]\n", NULL },
        { { "modes", "aws-alb" }, 0, "\nAssumed: ", NULL },
        { { "modes", "goaway-idle" }, 0, "grace", NULL },
        { { "modes", "no-such" }, EXIT_SETUP, NULL, "no-such" },
        { { "modes", "normal", "normal" }, EXIT_SETUP, NULL, "one NAME" },
        { { "modes", "--language" }, 0, "\"triggers\"", NULL },
        { { "modes", "--cases" }, 0, "01-answered-then-dead", NULL },
        { { "modes", "--case", "14" }, 0, "Expects: safe_retry, executed_once", NULL },
        { { "modes", "throttle" }, 0, "Expects: user_wait, executed_once", NULL },
        { { "modes", "--suites" }, 0, "stale      Connections that die", NULL },
        { { "modes", "--suite", "stale" }, 0, "half-open;idle=300ms\n  get get pause get\n", NULL },
        { { "modes", "--suite", "all" }, 0, "case-14, over both, as the case is", NULL },
        { { "modes", "--suite", "stael" }, EXIT_SETUP, NULL, "mean stale" },
        { { "prove", "--list" }, 0, "\n  retry-once ", NULL },
        { { "prove", "--list" },
          0,
          "checks: recovered, retries;min=1;max=1, retry_elsewhere",
          NULL },
        { { "prove", "--list" }, 0, "modes: ping-deaf, stall-idle, stall-on-reuse", NULL },
        { { "prove", "--explain", "user_wait" }, 0, "default 5s: ", NULL },
        { { "prove", "--explain", "safe-retry" }, 0, "asks of the test: ", NULL },
        { { "prove", "--explain", "user-wait" }, EXIT_SETUP, NULL, "mean user_wait" },
        { { "modes", "--suite" }, EXIT_SETUP, NULL, "its value is missing; allowed: NAME" },
        { { "modes", "--suites", "x" }, EXIT_SETUP, NULL, "only one of NAME" },
        { { "modes", "--case", "01-answered-then-dead" }, 0, "\"close-on-reuse\"", NULL },
        { { "modes", "--case", "no-such" }, EXIT_SETUP, NULL, "01-answered-then-dead" },
        { { "modes", "--case" }, EXIT_SETUP, NULL, "NAME" },
        { { "modes", "--cases", "x" }, EXIT_SETUP, NULL, "only one of NAME" },
        { { "dance" }, EXIT_SETUP, NULL, "dance" },
        { { NULL }, EXIT_SETUP, NULL, "serve" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf out = { .data = NULL }, err = { .data = NULL };
        int status = server_run(cases[i].arguments, &out, &err);
        const char *said = (const char *)buf_bytes(&out),
                   *complained = (const char *)buf_bytes(&err);
        check(status == cases[i].status, "case %zu: exit status %d: %s", i, status, complained);
        check(!cases[i].out || strstr(said, cases[i].out), "case %zu: %s", i, said);
        check(!cases[i].err || strstr(complained, cases[i].err), "case %zu: %s", i, complained);
        /* The reason is one line, and the last. */
        check(!cases[i].err || strchr(complained, '\n') == complained + strlen(complained) - 1,
              "case %zu: %s", i, complained);
        buf_free(&out);
        buf_free(&err);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_that_are_none_are_refused),
        cmocka_unit_test(bad_values_are_refused),
        cmocka_unit_test(long_values_are_cut_within_their_quotes),
        cmocka_unit_test(a_mode_that_can_do_nothing_here_is_refused),
        cmocka_unit_test(certificates_that_do_not_serve_are_refused),
        cmocka_unit_test(a_key_log_that_cannot_be_written_is_refused),
        cmocka_unit_test(directories_with_bad_files_are_refused),
        cmocka_unit_test(plans_that_are_none_are_refused),
        cmocka_unit_test(modes_plans_and_cases_exclude_each_other),
        cmocka_unit_test(the_ready_line_says_what_is_set),
        cmocka_unit_test(filters_leave_what_was_asked_for),
        cmocka_unit_test(a_case_is_found_by_its_number_or_a_part),
        cmocka_unit_test(a_mode_case_or_plan_expects_what_it_says),
        cmocka_unit_test(one_listener_at_least_is_on),
        cmocka_unit_test(a_port_in_use_is_refused),
        cmocka_unit_test(commands_without_a_server_say_what_they_are_asked),
    };

    return cmocka_run_group_tests_name("the command line", tests, scratch_setup, scratch_teardown);
}
