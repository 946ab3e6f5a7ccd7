/* test_admin.c - the admin API over its socket, on a run that is a stand-in: it has a real ledger
 * and remembers what it was told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "admin/call.h"
#include "admin/openapi.h"
#include "base/clock.h"
#include "modes/catalogue.h"
#include "run/run.h"
#include "wire/caps.h"
#include "wire/listener.h"

/* --- The run */

struct run {
    struct ledger *ledger;
    char mode[64], params[256];
    enum run_apply apply;
    bool lenient;
    int outcome; /* of run_set_mode and run_do */
    unsigned resets;
    uint64_t done_on;
    char steps[256];
};

static struct run the_run;

struct ledger *run_ledger(struct run *run)
{
    return run->ledger;
}

static int outcome(const struct run *run, struct refusal *why)
{
    if (run->outcome > 0)
        refuse(why, "$.params.idle", "what is allowed", "what is wrong");
    return run->outcome;
}

static void keep(const json_t *value, char *out, size_t size)
{
    char *text = value ? json_dumps(value, JSON_COMPACT) : NULL;
    snprintf(out, size, "%s", text ? text : "-");
    free(text);
}

int run_set_mode(struct run *run, const char *name, const json_t *params, bool lenient,
                 enum run_apply apply, struct refusal *why)
{
    if (run->outcome)
        return outcome(run, why);
    snprintf(run->mode, sizeof run->mode, "%s", name);
    keep(params, run->params, sizeof run->params);
    run->lenient = lenient;
    run->apply = apply;
    return 0;
}

json_t *run_mode(const struct run *run)
{
    return json_pack("{s:s}", "mode", run->mode);
}

void run_reset(struct run *run)
{
    run->resets++;
    ledger_clear(run->ledger);
}

json_t *run_connections(const struct run *run)
{
    return json_pack("[{s:i}]", "id", 7);
}

json_t *run_connection(const struct run *run, uint64_t id)
{
    return id == 7 ? json_pack("{s:i}", "id", 7) : NULL;
}

size_t run_connection_count(const struct run *run)
{
    return 1;
}

int run_do(struct run *run, uint64_t id, const json_t *steps, struct refusal *why)
{
    if (id != 7)
        return RUN_NO_CONNECTION;
    if (run->outcome)
        return outcome(run, why);
    run->done_on = id;
    keep(steps, run->steps, sizeof run->steps);
    return 0;
}

static uint64_t commit(const char *name)
{
    ledger_begin(the_run.ledger, EV_MARK, 0, 0);
    ledger_text(the_run.ledger, F_NAME, name);
    return ledger_commit(the_run.ledger);
}

/* --- Memory that can end */

void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
char *__real_strdup(const char *s);
char *__wrap_strdup(const char *s);

static long allocations_left = -1; /* -1: no limit; then one fails */

static bool spent(void)
{
    return allocations_left >= 0 && allocations_left-- == 0;
}

void *__wrap_malloc(size_t n)
{
    return spent() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return spent() ? NULL : __real_calloc(n, size);
}

char *__wrap_strdup(const char *s)
{
    return spent() ? NULL : __real_strdup(s);
}

/* --- The server, and a client that shares its thread */

static uv_loop_t loop;
static struct admin *admin;
static struct catalogue *catalogue;
static const struct call_patience patient = { 10 * NS_PER_S, 60 * NS_PER_S, 120 * NS_PER_S };

static void start(const struct admin_config *more)
{
    struct admin_config config = *more;
    struct refusal why = { 0 };
    config.loop = &loop;
    config.run = &the_run;
    config.catalogue = catalogue;
    config.address = "127.0.0.1:0";
    int rc = admin_start(&config, &admin, &why);
    if (rc)
        fail_msg("%d %s %s", rc, why.where, why.what);
}

static int set_up(void **state)
{
    memset(&the_run, 0, sizeof the_run);
    strcpy(the_run.mode, "normal");
    call_patience = patient;
    catalogue = catalogue_create();
    the_run.ledger = ledger_create(1 << 20);
    if (!catalogue || !the_run.ledger || uv_loop_init(&loop) || moments_start(&loop))
        return -1;
    start(&(struct admin_config){ 0 });
    return 0;
}

static void stop_admin(void)
{
    admin_stop(admin);
    admin = NULL;
    uv_run(&loop, UV_RUN_NOWAIT);
}

static int tear_down(void **state)
{
    stop_admin();
    moments_stop();
    uv_run(&loop, UV_RUN_DEFAULT);
    ledger_destroy(the_run.ledger);
    catalogue_destroy(catalogue);
    return uv_loop_close(&loop);
}

static void turn(void)
{
    uv_run(&loop, UV_RUN_NOWAIT);
    poll(NULL, 0, 1);
}

static void turns(int n)
{
    while (n--)
        turn();
}

static int open_client(void)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                              .sin_port = htons(listener_port(admin_listener(admin))) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static void send_text(int fd, const char *text, size_t n)
{
    while (n) {
        ssize_t sent = send(fd, text, n, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno != EAGAIN)
                return; /* it was closed: what was received tells the rest */
            sent = 0;
        }
        text += sent;
        n -= (size_t)sent;
        uv_run(&loop, UV_RUN_NOWAIT);
    }
}

struct reply {
    int status; /* 0: closed without an answer */
    char head[2048];
    char *body;
    size_t body_len;
    json_t *json; /* of the body, or NULL */
    bool closed;
};

static struct reply reply; /* the last one */

static void forget_reply(void)
{
    free(reply.body);
    json_decref(reply.json);
    memset(&reply, 0, sizeof reply);
}

static const char *field(const char *name)
{
    static char value[512];
    char line[64];
    snprintf(line, sizeof line, "\r\n%s: ", name);
    const char *at = strcasestr(reply.head, line);
    if (!at)
        return NULL;
    at += strlen(line);
    snprintf(value, sizeof value, "%.*s", (int)strcspn(at, "\r"), at);
    return value;
}

/* Reads one response; head: without a body. Waits at most ms. */
static bool receive(int fd, bool head, int ms)
{
    static char bytes[8 << 20];
    size_t n = 0, want = SIZE_MAX;
    int64_t until = clock_now() + ms * NS_PER_MS;
    forget_reply();
    while (n < want && clock_now() < until) {
        turn();
        ssize_t got = recv(fd, bytes + n, sizeof bytes - 1 - n, MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno != EAGAIN)) {
            reply.closed = true;
            break;
        }
        n += got > 0 ? (size_t)got : 0;
        bytes[n] = '\0';
        char *end = strstr(bytes, "\r\n\r\n");
        if (!end || n == 0 || want != SIZE_MAX)
            continue;
        snprintf(reply.head, sizeof reply.head, "%.*s", (int)(end + 4 - bytes), bytes);
        sscanf(bytes, "HTTP/1.1 %d", &reply.status);
        const char *length = field("Content-Length");
        want = (size_t)(end + 4 - bytes) + (head || !length ? 0 : strtoul(length, NULL, 10));
    }
    if (n < want)
        return false;
    reply.body_len = want - strlen(reply.head);
    reply.body = __real_malloc(reply.body_len + 1);
    memcpy(reply.body, bytes + strlen(reply.head), reply.body_len);
    reply.body[reply.body_len] = '\0';
    reply.json = json_loadb(reply.body, reply.body_len, 0, NULL);
    return true;
}

/* Sends a whole request and reads its answer, on a connection of its own. */
static int request(const char *text, size_t n)
{
    int fd = open_client();
    send_text(fd, text, n);
    receive(fd, strncmp(text, "HEAD ", 5) == 0, 5000);
    close(fd);
    turns(2);
    return reply.status;
}

static int call(const char *method, const char *target, const char *fields, const char *body)
{
    struct buf text = { 0 };
    buf_printf(&text, "%s %s HTTP/1.1\r\nHost: localhost\r\n%s", method, target, fields);
    if (body)
        buf_printf(&text, "Content-Length: %zu\r\n", strlen(body));
    buf_printf(&text, "\r\n%s", body ? body : "");
    int status = request((const char *)buf_bytes(&text), buf_len(&text));
    buf_free(&text);
    return status;
}

#define JSON_TYPE "Content-Type: application/json\r\n"

static int get(const char *target)
{
    return call("GET", target, "", NULL);
}

static const char *text_at(const char *name)
{
    const char *text = json_string_value(json_object_get(reply.json, name));
    return text ? text : "";
}

static json_int_t number_at(const char *name)
{
    return json_integer_value(json_object_get(reply.json, name));
}

static void assert_problem(int status, const char *where, const char *allowed)
{
    if (reply.status != status || !strstr(text_at("where"), where) ||
        !strstr(text_at("allowed"), allowed))
        fail_msg("%d %s, wanted %d %s %s", reply.status, reply.body, status, where, allowed);
    assert_string_equal(field("Content-Type"), "application/problem+json");
    assert_int_equal(number_at("status"), status);
    assert_string_equal(text_at("type"), "about:blank");
    assert_true(text_at("title")[0] && text_at("detail")[0]);
}

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
        { "POST", "/healthz", NULL, NULL, "GET, HEAD, OPTIONS" },
        { "get", "/healthz", NULL, NULL, "GET, HEAD, OPTIONS" },
        { "POST", "/v1/modes/x", NULL, NULL, "GET, HEAD, PUT, DELETE, OPTIONS" },
        { "GET", "/v1/connections/12/do", NULL, NULL, "POST, OPTIONS" },
        { "OPTIONS", "/v1/mode", NULL, NULL, "GET, HEAD, PUT, OPTIONS" },
        { "GET", "/", NULL, NULL, "" },
        { "GET", "/v1/", NULL, NULL, "" },
        { "GET", "/v1/modes/", NULL, NULL, "" },
        { "GET", "/v1/modes/a/b", NULL, NULL, "" },
        { "GET", "/v1/mod", NULL, NULL, "" },
        { "GET", "/v1/connections//do", NULL, NULL, "" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char arg[CALL_ARG_SIZE] = "", allow[ROUTE_ALLOW_SIZE];
        const struct route *row = routes_find(rows[i].method, rows[i].path, arg, allow);
        if (!row != !rows[i].found)
            fail_msg("row %zu", i);
        if (row)
            assert_string_equal(row->path, rows[i].found);
        else
            assert_string_equal(allow, rows[i].allow);
        if (rows[i].arg)
            assert_string_equal(arg, rows[i].arg);
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
    assert_int_equal(described, route_count);
    for (size_t i = 0; i < route_count; i++) {
        char method[16];
        for (size_t c = 0; c <= strlen(routes[i].method); c++)
            method[c] = (char)(routes[i].method[c] ? routes[i].method[c] | 0x20 : 0);
        json_t *row = json_object_get(json_object_get(paths, routes[i].path), method);
        if (!row)
            fail_msg("%s %s", routes[i].method, routes[i].path);
        assert_int_equal(json_object_get(row, "requestBody") != NULL, routes[i].json);
    }
    json_decref(doc);
    assert_int_equal(get("/v1/openapi.json"), 200);
    assert_int_equal(reply.body_len, openapi_json_len);
}

static void the_index_lists_the_calls(void **state)
{
    assert_int_equal(get("/v1"), 200);
    assert_int_equal(json_array_size(json_object_get(reply.json, "calls")), route_count);
    assert_string_equal(text_at("version"), HANGUP_VERSION);
}

static void what_is_not_there_is_said(void **state)
{
    assert_int_equal(get("/nowhere"), 404);
    assert_problem(404, "/nowhere", "GET /v1");
    assert_int_equal(call("DELETE", "/v1/mode", "", NULL), 405);
    assert_problem(405, "/v1/mode", "GET, HEAD, PUT, OPTIONS");
    assert_string_equal(field("Allow"), "GET, HEAD, PUT, OPTIONS");
    assert_int_equal(call("OPTIONS", "/v1/reset", "", NULL), 204);
    assert_string_equal(field("Allow"), "POST, OPTIONS");
    assert_null(field("Access-Control-Allow-Origin"));
    assert_int_equal(get("/v1/mode%2fx"), 400);
    assert_problem(400, "target", "");
    assert_int_equal(get("/v1/mode%00"), 400);
    assert_int_equal(get("/v1/mode?x=1"), 400);
    assert_problem(400, "?x", "none");
    assert_int_equal(get("http://localhost:9/v1/mode"), 200);
    assert_int_equal(get("/v1/%6dode"), 200);
}

static void head_is_get_without_the_body(void **state)
{
    assert_int_equal(get("/v1/mode"), 200);
    char length[512];
    snprintf(length, sizeof length, "%s", field("Content-Length"));
    assert_int_equal(call("HEAD", "/v1/mode", "", NULL), 200);
    assert_string_equal(field("Content-Length"), length);
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
        request(texts[i], strlen(texts[i]));
        assert_problem(403, "", "");
        assert_null(field("Access-Control-Allow-Origin"));
    }
    assert_int_equal(the_run.resets, 0);
    const char *twice = "GET /v1/mode HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n";
    assert_int_equal(request(twice, strlen(twice)), 400);
}

static void the_token_opens_all_but_healthz(void **state)
{
    stop_admin();
    start(&(struct admin_config){ .token = "secret" });
    assert_int_equal(get("/v1/mode"), 401);
    assert_problem(401, "Authorization", "Bearer");
    assert_string_equal(field("WWW-Authenticate"), "Bearer realm=\"hangup\"");
    assert_int_equal(get("/v1/nowhere"), 401);
    assert_int_equal(call("GET", "/v1/mode", "Authorization: Bearer wrong\r\n", NULL), 401);
    assert_int_equal(call("GET", "/v1/mode", "Authorization: Bearer secret\r\n", NULL), 200);
    assert_int_equal(get("/healthz"), 200);
}

/* --- The server itself */

static void health_is_ok(void **state)
{
    assert_int_equal(get("/healthz"), 200);
    assert_string_equal(reply.body, "{\"status\":\"ok\"}\n");
    assert_string_equal(field("Cache-Control"), "no-store");
    assert_string_equal(field("X-Content-Type-Options"), "nosniff");
}

static void capabilities_say_what_is_missing(void **state)
{
    assert_int_equal(get("/v1/capabilities"), 200);
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
    assert_int_equal(get("/v1/ca.pem"), 404);
    assert_problem(404, "/v1/ca.pem", "");
    char pem[] = "/tmp/test_admin.XXXXXX", der[] = "/tmp/test_admin.XXXXXX";
    int a = mkstemp(pem), b = mkstemp(der);
    assert_true(a >= 0 && b >= 0);
    assert_int_equal(write(a, "PEM\n", 4), 4);
    assert_int_equal(write(b, "\0\1\2", 3), 3);
    close(a);
    close(b);
    stop_admin();
    start(&(struct admin_config){ .ca_pem = pem, .ca_der = der });
    unlink(pem);
    unlink(der);
    assert_int_equal(get("/v1/ca.pem"), 200);
    assert_string_equal(reply.body, "PEM\n");
    assert_string_equal(field("Content-Type"), "application/x-pem-file");
    assert_int_equal(get("/v1/ca.der"), 200);
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
        config.run = &the_run;
        config.catalogue = catalogue;
        assert_int_equal(admin_start(&config, &other, &why), BAD_INPUT);
        assert_string_equal(why.where, rows[i].where);
        assert_null(other);
    }
}

/* --- Modes */

static void the_mode_is_set_as_told(void **state)
{
    assert_int_equal(
        call("PUT", "/v1/mode", JSON_TYPE,
             "{\"mode\":\"idle-close\",\"params\":{\"idle\":\"2s\"},\"apply\":\"new\"}"),
        200);
    assert_string_equal(the_run.mode, "idle-close");
    assert_string_equal(the_run.params, "{\"idle\":\"2s\"}");
    assert_int_equal(the_run.apply, APPLY_NEW);
    assert_false(the_run.lenient);
    assert_string_equal(text_at("mode"), "idle-close");
    assert_int_equal(call("PUT", "/v1/mode", "", " {\"mode\":\"normal\"}\n"), 200);
    assert_string_equal(the_run.params, "-");
    assert_int_equal(the_run.apply, APPLY_ALL);
    assert_int_equal(get("/v1/mode"), 200);
    assert_string_equal(text_at("mode"), "normal");
}

static void outcomes_become_statuses(void **state)
{
    static const struct {
        int outcome, status;
        const char *where;
    } rows[] = {
        { BAD_INPUT, 400, "$.params.idle" },
        { MODE_UNKNOWN, 404, "$.params.idle" },
        { MODE_UNAVAILABLE, 409, "$.params.idle" },
        { -ENOMEM, 503, "" },
        { -EPERM, 500, "" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        the_run.outcome = rows[i].outcome;
        call("PUT", "/v1/mode", JSON_TYPE, "{\"mode\":\"x\"}");
        assert_problem(rows[i].status, rows[i].where, "");
        call("POST", "/v1/connections/7/do", JSON_TYPE, "{\"do\":[]}");
        assert_problem(rows[i].status, rows[i].where, "");
    }
}

static void bad_bodies_are_refused_with_their_place(void **state)
{
    static const struct {
        const char *body;
        int status;
        const char *where, *allowed;
    } rows[] = {
        { NULL, 400, "body", "JSON" },
        { "", 400, "body", "JSON" },
        { "{", 400, "line 1, column 1", "JSON" },
        { "nonsense", 400, "line 1", "JSON" },
        { "{\"mode\":\"a\"}x", 400, "line 1", "JSON" },
        { "{\"mode\":\"a\",\"mode\":\"b\"}", 400, "line 1", "once" },
        { "{\"mode\":\"a\\u0000b\"}", 400, "line 1", "" },
        { "{\"mode\":\"\xff\"}", 400, "line 1", "" },
        { "[]", 400, "$", "mode, params, apply" },
        { "{}", 400, "$.mode", "string" },
        { "{\"mode\":7}", 400, "$.mode", "string" },
        { "{\"mode\":\"a\",\"modus\":1}", 400, "$.modus", "mode, params, apply" },
        { "{\"mode\":\"a\",\"params\":null}", 400, "$.params", "object" },
        { "{\"mode\":\"a\",\"params\":[]}", 400, "$.params", "object" },
        { "{\"mode\":\"a\",\"apply\":\"some\"}", 400, "$.apply", "all" },
        { "{\"mode\":\"a\",\"apply\":true}", 400, "$.apply", "string" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        call("PUT", "/v1/mode", JSON_TYPE, rows[i].body);
        assert_problem(rows[i].status, rows[i].where, rows[i].allowed);
    }
    assert_string_equal(the_run.mode, "normal");
}

static void deep_and_broken_json_does_no_harm(void **state)
{
    static char deep[200001];
    memset(deep, '[', sizeof deep - 1);
    assert_int_equal(call("PUT", "/v1/mode", JSON_TYPE, deep), 400);
    const char good[] =
        "{\"mode\":\"a\",\"params\":{\"x\":[1.5e3,\"\\u00e4\",null]},\"apply\":\"new\"}";
    for (size_t n = 0; n < sizeof good - 1; n++) {
        char cut[sizeof good];
        snprintf(cut, sizeof cut, "%.*s", (int)n, good);
        assert_int_equal(call("PUT", "/v1/mode", JSON_TYPE, cut), 400);
    }
    assert_int_equal(call("PUT", "/v1/mode", JSON_TYPE, good), 200);
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
        { "", 200 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (call("PUT", "/v1/mode", rows[i].field, "{\"mode\":\"a\"}") != rows[i].status)
            fail_msg("%s: %d", rows[i].field, reply.status);
        if (reply.status == 415)
            assert_problem(415, "Content-Type", "application/json");
    }
    assert_int_equal(call("POST", "/v1/reset", "", "x"), 400);
    assert_problem(400, "body", "none");
}

static void modes_of_ones_own_come_and_go(void **state)
{
    const char *document = "{\"name\":\"mine\",\"summary\":\"s\",\"client_sees\":\"c\","
                           "\"basis\":\"b\",\"exercises\":[],\"params\":{},\"rules\":[]}";
    assert_int_equal(get("/v1/modes"), 200);
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

    assert_int_equal(get("/v1/modes/mine"), 404);
    assert_problem(404, "/v1/modes/mine", "GET /v1/modes");
    assert_int_equal(call("PUT", "/v1/modes/mine", JSON_TYPE, document), 201);
    assert_int_equal(call("PUT", "/v1/modes/mine", JSON_TYPE, document), 200);
    assert_int_equal(get("/v1/modes/mine"), 200);
    assert_string_equal(text_at("name"), "mine");
    assert_int_equal(get("/v1/modes"), 200);
    assert_int_equal(json_array_size(json_object_get(reply.json, "modes")), before + 1);
    assert_int_equal(call("DELETE", "/v1/modes/mine", "", NULL), 204);
    assert_int_equal(call("DELETE", "/v1/modes/mine", "", NULL), 404);

    assert_int_equal(call("PUT", "/v1/modes/other", JSON_TYPE, document), 400);
    assert_problem(400, "$.name", "");
    assert_int_equal(call("PUT", "/v1/modes/other", JSON_TYPE, "{\"nonsense\":1}"), 400);
    assert_problem(400, "$", "");
    assert_int_equal(call("PUT", "/v1/modes/normal", JSON_TYPE, document), 409);
    assert_problem(409, "/v1/modes/normal", "another name");
    assert_int_equal(call("DELETE", "/v1/modes/normal", "", NULL), 409);
    assert_int_equal(get("/v1/modes/normal"), 200);
}

/* --- The run */

static void connections_are_shown_and_acted_on(void **state)
{
    assert_int_equal(get("/v1/connections"), 200);
    assert_string_equal(reply.body, "{\"connections\":[{\"id\":7}]}\n");
    assert_int_equal(get("/v1/connections/7"), 200);
    static const char *const none[] = { "/v1/connections/8", "/v1/connections/x",
                                        "/v1/connections/7x", "/v1/connections/-7",
                                        "/v1/connections/18446744073709551623" };
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        get(none[i]);
        assert_problem(404, none[i], "GET /v1/connections");
    }
    commit("before");
    assert_int_equal(
        call("POST", "/v1/connections/7/do", JSON_TYPE, "{\"do\":[\"rst\",{\"wait\":\"1s\"}]}"),
        200);
    assert_int_equal(the_run.done_on, 7);
    assert_string_equal(the_run.steps, "[\"rst\",{\"wait\":\"1s\"}]");
    assert_string_equal(reply.body, "{\"connection\":7,\"since\":1}\n");
    assert_int_equal(call("POST", "/v1/connections/9/do", JSON_TYPE, "{\"do\":[]}"), 404);
    assert_int_equal(call("POST", "/v1/connections/7/do", JSON_TYPE, "{\"do\":\"rst\"}"), 400);
    assert_problem(400, "$.do", "array");
}

static void reset_answers_with_the_run_as_it_is_then(void **state)
{
    commit("one");
    assert_int_equal(get("/v1/runs/default"), 200);
    assert_int_equal(number_at("connections"), 1);
    assert_int_equal(
        json_integer_value(json_object_get(json_object_get(reply.json, "ledger"), "last")), 1);
    assert_int_equal(call("POST", "/v1/reset", "", NULL), 200);
    assert_int_equal(the_run.resets, 1);
    assert_int_equal(
        json_integer_value(json_object_get(json_object_get(reply.json, "ledger"), "first")), 2);
    assert_int_equal(get("/v1/runs/other"), 404);
}

/* --- Events */

static const char *name_of_event(size_t i)
{
    json_t *event = json_array_get(json_object_get(reply.json, "events"), i);
    return json_string_value(json_object_get(event, "name"));
}

static size_t event_count(void)
{
    return json_array_size(json_object_get(reply.json, "events"));
}

static void events_are_read_page_by_page(void **state)
{
    assert_int_equal(get("/v1/runs/default/events"), 200);
    assert_string_equal(reply.body,
                        "{\"events\":[],\"next\":0,\"first\":0,\"last\":0,\"dropped\":0}\n");
    for (int i = 0; i < 25; i++) {
        char name[8];
        snprintf(name, sizeof name, "m%d", i);
        commit(name);
    }
    uint64_t since = 0, seen = 0;
    while (since < 25) {
        char target[64];
        snprintf(target, sizeof target, "/v1/runs/default/events?since=%d&max=10", (int)since);
        assert_int_equal(get(target), 200);
        for (size_t i = 0; i < event_count(); i++, seen++) {
            char name[8];
            snprintf(name, sizeof name, "m%d", (int)seen);
            assert_string_equal(name_of_event(i), name);
        }
        assert_int_equal(number_at("last"), 25);
        since = (uint64_t)number_at("next");
        assert_int_equal(atoi(field("Hangup-Next")), since);
    }
    assert_int_equal(seen, 25);
}

static void events_come_as_lines_to_who_asks_for_them(void **state)
{
    static const struct {
        const char *accept;
        int status;
        bool lines;
    } rows[] = {
        { "", 200, false },
        { "Accept: */*\r\n", 200, false },
        { "Accept: application/json\r\n", 200, false },
        { "Accept: application/*\r\n", 200, false },
        { "Accept: application/x-ndjson\r\n", 200, true },
        { "Accept: APPLICATION/X-NDJSON ; q=0.5\r\n", 200, true },
        { "Accept: application/x-ndjson, */*;q=0.1\r\n", 200, true },
        { "Accept: application/x-ndjson;q=0.2, application/json;q=0.9\r\n", 200, false },
        { "Accept: application/json;q=0, */*\r\n", 200, true },
        { "Accept: text/html, , */*;q=0.001\r\n", 200, false },
        { "Accept: text/event-stream\r\n", 406, false },
        { "Accept: */*;q=0\r\n", 406, false },
        { "Accept: application/x-ndjsonx\r\n", 406, false },
        { "Accept: ;;;,,,q=\r\n", 406, false },
    };
    commit("a");
    commit("b");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (call("GET", "/v1/runs/default/events", rows[i].accept, NULL) != rows[i].status)
            fail_msg("%s: %d", rows[i].accept, reply.status);
        if (reply.status == 406)
            assert_problem(406, "Accept", "application/x-ndjson");
        else
            assert_string_equal(field("Content-Type"),
                                rows[i].lines ? "application/x-ndjson" : "application/json");
    }
    call("GET", "/v1/runs/default/events?since=0", "Accept: application/x-ndjson\r\n", NULL);
    char *second = strchr(reply.body, '\n') + 1;
    assert_int_equal(strncmp(reply.body, "{\"seq\":1,", 9), 0);
    assert_int_equal(strncmp(second, "{\"seq\":2,", 9), 0);
    assert_string_equal(strchr(second, '\n'), "\n");
    assert_string_equal(field("Hangup-Next"), "2");
}

static void bad_questions_are_refused(void **state)
{
    static const struct {
        const char *query, *where;
    } rows[] = {
        { "since=-1", "?since" },
        { "since=", "?since" },
        { "since=1x", "?since" },
        { "since=2", "?since" },
        { "since=99999999999999999999", "?since" },
        { "since=0&since=0", "?since" },
        { "max=0", "?max" },
        { "max=10001", "?max" },
        { "wait=never", "?wait" },
        { "wait=61s", "?wait" },
        { "wait=5", "?wait" },
        { "wait", "?wait" },
        { "wait=%35s", "?wait" },
        { "sinc=1", "?sinc" },
        { "=", "?" },
    };
    commit("one");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char target[128];
        snprintf(target, sizeof target, "/v1/runs/default/events?%s", rows[i].query);
        get(target);
        assert_problem(400, rows[i].where, "");
    }
    assert_int_equal(get("/v1/runs/default/events?&since=1&&wait=0&"), 200);
}

static int ask_and_wait(const char *query)
{
    char text[200];
    int fd = open_client();
    int n = snprintf(text, sizeof text,
                     "GET /v1/runs/default/events?%s HTTP/1.1\r\nHost: localhost\r\n\r\n", query);
    send_text(fd, text, (size_t)n);
    assert_false(receive(fd, false, 30));
    assert_false(reply.closed);
    return fd;
}

static bool anybody_waits(void)
{
    return !link_empty(&admin->waiters);
}

static void a_burst_wakes_a_waiting_call_once_with_all_of_it(void **state)
{
    int fd = ask_and_wait("wait=30s");
    assert_true(anybody_waits());
    for (int i = 0; i < 100; i++)
        commit("burst");
    assert_true(receive(fd, false, 2000));
    assert_int_equal(event_count(), 100);
    assert_int_equal(number_at("next"), 100);
    assert_false(anybody_waits());
    const char *again =
        "GET /v1/runs/default/events?since=100&wait=30s HTTP/1.1\r\nHost: localhost\r\n\r\n";
    send_text(fd, again, strlen(again));
    assert_false(receive(fd, false, 30));
    commit("more");
    assert_true(receive(fd, false, 2000));
    assert_int_equal(event_count(), 1);
    close(fd);
}

static void many_can_wait_for_the_same_event(void **state)
{
    int fds[20];
    for (int i = 0; i < 20; i++)
        fds[i] = ask_and_wait("since=0&wait=30s");
    commit("x");
    for (int i = 0; i < 20; i++) {
        assert_true(receive(fds[i], false, 2000));
        assert_int_equal(event_count(), 1);
        close(fds[i]);
    }
    assert_false(anybody_waits());
}

static void waiting_ends_after_its_time(void **state)
{
    int64_t began = clock_now();
    int fd = ask_and_wait("wait=100ms");
    assert_true(receive(fd, false, 2000));
    assert_int_equal(reply.status, 200);
    assert_int_equal(event_count(), 0);
    assert_true(clock_now() - began >= 100 * NS_PER_MS);
    close(fd);
}

static void a_caller_that_goes_away_while_waiting_leaves_nothing(void **state)
{
    for (int i = 0; i < 300; i++) { /* more than connections are allowed */
        char text[] = "GET /v1/runs/default/events?wait=60s HTTP/1.1\r\nHost: localhost\r\n\r\n";
        int fd = open_client();
        send_text(fd, text, sizeof text - 1);
        for (int t = 0; t < 100 && !anybody_waits(); t++)
            turn();
        assert_true(anybody_waits());
        if (i % 2) {
            struct linger now = { 1, 0 };
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        }
        close(fd);
        for (int t = 0; t < 100 && anybody_waits(); t++)
            turn();
        assert_false(anybody_waits());
    }
    commit("x");
    assert_int_equal(get("/healthz"), 200);
}

static void stopping_answers_who_waits(void **state)
{
    int fd = ask_and_wait("wait=60s");
    stop_admin();
    assert_true(receive(fd, false, 1000));
    assert_int_equal(reply.status, 200);
    assert_int_equal(event_count(), 0);
    close(fd);
    start(&(struct admin_config){ 0 });
}

static void a_page_is_bounded(void **state)
{
    char name[4001];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    ledger_destroy(the_run.ledger);
    the_run.ledger = ledger_create(16 << 20);
    for (int i = 0; i < 2000; i++)
        commit(name);
    assert_int_equal(get("/v1/runs/default/events?max=10000"), 200);
    assert_true(reply.body_len > 4000000 && reply.body_len < 4300000);
    assert_true(number_at("next") < 2000);
}

/* --- Oversized, malformed, slow */

static void oversized_bodies_are_refused_after_they_were_read(void **state)
{
    size_t n = CALL_BODY_MAX + 1;
    char *body = __real_malloc(n + 1);
    memset(body, ' ', n);
    body[n] = '\0';
    call("PUT", "/v1/mode", JSON_TYPE, body);
    assert_problem(413, "body", "256 KiB");
    memcpy(body, "{\"mode\":\"a\"}", 12);
    body[CALL_BODY_MAX] = '\0';
    assert_int_equal(call("PUT", "/v1/mode", JSON_TYPE, body), 200);
    free(body);

    int fd = open_client();
    const char *head =
        "PUT /v1/mode HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
    char chunk[4096 + 8];
    memcpy(chunk, "1000\r\n", 6);
    memset(chunk + 6, ' ', 4096);
    memcpy(chunk + 4102, "\r\n", 2);
    send_text(fd, head, strlen(head));
    for (int i = 0; i < 65; i++)
        send_text(fd, chunk, 4104);
    send_text(fd, "0\r\n\r\n", 5);
    assert_true(receive(fd, false, 2000));
    assert_problem(413, "body", "256 KiB");
    const char *next = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    send_text(fd, next, strlen(next));
    assert_true(receive(fd, false, 2000));
    assert_int_equal(reply.status, 200);
    close(fd);
}

static void a_body_without_end_is_cut_off(void **state)
{
    static char chunk[65536 + 16];
    int fd = open_client();
    const char *head =
        "PUT /v1/mode HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
    memcpy(chunk, "10000\r\n", 7);
    memset(chunk + 7, ' ', 65536);
    memcpy(chunk + 65543, "\r\n", 2);
    send_text(fd, head, strlen(head));
    int i = 0;
    while (i < 1000 && send(fd, "", 0, MSG_NOSIGNAL) == 0 && !reply.closed) {
        send_text(fd, chunk, 65545);
        char byte;
        reply.closed = recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0 ||
                       (errno != EAGAIN && errno != EWOULDBLOCK);
        i++;
    }
    assert_true(i < 300);
    close(fd);
    const char *huge =
        "PUT /v1/mode HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n";
    assert_int_equal(request(huge, strlen(huge)), 413);
    assert_int_equal(get("/healthz"), 200);
}

static void rubbish_does_no_harm(void **state)
{
    static const char *const texts[] = {
        "\r\n\r\n",
        "GET\r\n\r\n",
        "GET /healthz\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost\r\n\r\n",
        "GET /healthz HTTP/1.1\r\n\r\n",
        "GET /healthz HTTP/9.9\r\nHost: localhost\r\n\r\n",
        "PUT /v1/mode HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
        "PUT /v1/mode HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "PUT /v1/mode HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n{",
        "GET /v1/runs/default/events?wait=60s HTTP/1.1\r\nHost: localhost\r\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        int fd = open_client();
        send_text(fd, texts[i], strlen(texts[i]));
        turns(5);
        close(fd);
    }
    unsigned seed = 1;
    for (int i = 0; i < 300; i++) {
        char text[200] = "GET /v1/runs/default/events?since=0 HTTP/1.1\r\nHost: localhost\r\n"
                         "Accept: application/json\r\nContent-Length: 3\r\n\r\nabc";
        size_t n = strlen(text);
        for (int k = 0; k < 3; k++)
            text[(unsigned)rand_r(&seed) % n] = (char)rand_r(&seed);
        int fd = open_client();
        send_text(fd, text, n);
        turns(2);
        close(fd);
    }
    char *big = __real_malloc(100001);
    memset(big, 'h', 100000);
    memcpy(big, "GET /", 5);
    big[100000] = '\0';
    request(big, 100000);
    free(big);
    assert_int_equal(get("/healthz"), 200);
}

static void a_slow_caller_is_cut_off_and_others_are_served(void **state)
{
    call_patience.request = 200 * NS_PER_MS;
    int silent = open_client(), dripping = open_client();
    int64_t began = clock_now();
    const char *text = "PUT /v1/mode HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n";
    size_t sent = 0;
    bool silent_closed = false, dripping_closed = false;
    while ((!silent_closed || !dripping_closed) && clock_now() - began < 5 * NS_PER_S) {
        char byte;
        if (!dripping_closed && sent < strlen(text))
            send_text(dripping, text + sent++, 1);
        turns(5);
        silent_closed |= recv(silent, &byte, 1, MSG_DONTWAIT) == 0;
        dripping_closed |= recv(dripping, &byte, 1, MSG_DONTWAIT) == 0;
    }
    assert_true(silent_closed && dripping_closed);
    assert_true(clock_now() - began >= 200 * NS_PER_MS);
    close(silent);
    close(dripping);
    assert_int_equal(get("/healthz"), 200);
}

static void an_idle_connection_is_kept_for_a_while(void **state)
{
    call_patience.request = 50 * NS_PER_MS;
    call_patience.idle = 400 * NS_PER_MS;
    const char *text = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    int fd = open_client();
    send_text(fd, text, strlen(text));
    assert_true(receive(fd, false, 1000));
    turns(120);
    send_text(fd, text, strlen(text));
    assert_true(receive(fd, false, 1000));
    assert_int_equal(reply.status, 200);
    assert_false(receive(fd, false, 2000));
    assert_true(reply.closed);
    close(fd);
}

static void more_connections_than_allowed_do_no_harm(void **state)
{
    int fds[300];
    for (int i = 0; i < 300; i++) {
        fds[i] = open_client();
        turn();
    }
    for (int i = 0; i < 300; i++)
        close(fds[i]);
    turns(10);
    assert_int_equal(get("/healthz"), 200);
}

/* --- Memory */

static void any_allocation_may_fail(void **state)
{
    static const struct {
        const char *method, *target, *body;
    } rows[] = {
        { "GET", "/v1", NULL },
        { "GET", "/v1/modes", NULL },
        { "PUT", "/v1/mode", "{\"mode\":\"a\",\"params\":{\"b\":1}}" },
        { "PUT", "/v1/mode", "{\"mode\":7}" },
        { "GET", "/v1/runs/default/events", NULL },
        { "GET", "/v1/runs/default/events?since=1&wait=10ms", NULL },
        { "GET", "/v1/connections/7", NULL },
        { "POST", "/v1/reset", NULL },
    };
    commit("x");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool failed = true;
        for (long n = 0; failed && n < 2000; n++) {
            char text[300];
            int len =
                snprintf(text, sizeof text,
                         "%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n\r\n%s",
                         rows[i].method, rows[i].target, rows[i].body ? strlen(rows[i].body) : 0,
                         rows[i].body ? rows[i].body : "");
            char byte;
            allocations_left = n;
            int fd = open_client();
            send_text(fd, text, (size_t)len);
            for (int t = 0; t < 50000 && recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0; t++)
                uv_run(&loop, UV_RUN_NOWAIT);
            failed = allocations_left < 0;
            allocations_left = -1;
            receive(fd, false, 1000);
            assert_true(reply.status || reply.closed);
            close(fd);
            turns(1);
        }
        assert_false(failed);
        assert_int_equal(get("/healthz"), 200);
    }
}

int main(void)
{
    caps_probe();
    json_set_alloc_funcs(__wrap_malloc, free); /* jansson is a library that --wrap does not reach */
#define SERVED(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_and_methods_lead_to_rows),
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
        SERVED(the_mode_is_set_as_told),
        SERVED(outcomes_become_statuses),
        SERVED(bad_bodies_are_refused_with_their_place),
        SERVED(deep_and_broken_json_does_no_harm),
        SERVED(bodies_that_are_no_json_are_refused),
        SERVED(modes_of_ones_own_come_and_go),
        SERVED(connections_are_shown_and_acted_on),
        SERVED(reset_answers_with_the_run_as_it_is_then),
        SERVED(events_are_read_page_by_page),
        SERVED(events_come_as_lines_to_who_asks_for_them),
        SERVED(bad_questions_are_refused),
        SERVED(a_burst_wakes_a_waiting_call_once_with_all_of_it),
        SERVED(many_can_wait_for_the_same_event),
        SERVED(waiting_ends_after_its_time),
        SERVED(a_caller_that_goes_away_while_waiting_leaves_nothing),
        SERVED(stopping_answers_who_waits),
        SERVED(a_page_is_bounded),
        SERVED(oversized_bodies_are_refused_after_they_were_read),
        SERVED(a_body_without_end_is_cut_off),
        SERVED(rubbish_does_no_harm),
        SERVED(a_slow_caller_is_cut_off_and_others_are_served),
        SERVED(an_idle_connection_is_kept_for_a_while),
        SERVED(more_connections_than_allowed_do_no_harm),
        SERVED(any_allocation_may_fail),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    forget_reply();
    return failed;
}
