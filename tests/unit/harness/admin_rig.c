#include "admin_rig.h"
#include "shared_catalogue.h"

#include <limits.h>

/* --- The run */

struct run the_run;

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

void rig_keep(const json_t *value, char *out, size_t size)
{
    char *text = value ? json_dumps(value, JSON_COMPACT) : NULL;
    snprintf(out, size, "%s", text ? text : "-");
    free(text);
}

/* Something of the real kind, that nobody looks into. */
static int stand_in(struct run *run, struct plan **out)
{
    struct mode_program *normal;
    struct refusal why;
    int error = catalogue_compile(catalogue, "normal", NULL, false, 1, &normal, &why);
    if (error)
        return error;
    *out = plan_of_mode(normal);
    if (!*out)
        mode_unref(normal);
    return *out ? 0 : -ENOMEM;
}

int run_compile_mode(const struct run *of, const char *name, const json_t *params, bool lenient,
                     struct plan **out, struct refusal *why)
{
    struct run *run = &the_run;
    run->set_at = run->scale;
    if (run->outcome)
        return outcome(run, why);
    snprintf(run->to_be_mode, sizeof run->to_be_mode, "%s", name);
    rig_keep(params, run->to_be_params, sizeof run->to_be_params);
    run->lenient = lenient;
    return stand_in(run, out);
}

int run_compile_plan(const struct run *of, const json_t *plan, const uint64_t *seed,
                     struct plan **out, struct refusal *why)
{
    struct run *run = &the_run;
    run->set_at = run->scale;
    if (run->outcome)
        return outcome(run, why);
    run->to_be_mode[0] = '\0';
    rig_keep(plan, run->to_be_plan, sizeof run->to_be_plan);
    return stand_in(run, out);
}

void run_set(struct run *run, struct plan *plan, enum run_apply apply, const char *why)
{
    plan_unref(run->compiled);
    run->compiled = plan;
    run->planned = !run->to_be_mode[0];
    if (run->planned)
        strcpy(run->plan, run->to_be_plan);
    else
        strcpy(run->mode, run->to_be_mode);
    if (!run->planned)
        strcpy(run->params, run->to_be_params);
    run->apply = apply;
}

void run_exercise(const struct run *run, const struct plan *plan, struct exercise *out)
{
    *out = (struct exercise){ .can = UINT_MAX };
}

struct plan *run_plan(const struct run *run)
{
    return run->compiled;
}

void run_set_time_scale(struct run *run, double scale)
{
    run->scale = scale;
}

double run_time_scale(const struct run *run)
{
    return run->scale;
}

void run_set_seed(struct run *run, uint64_t seed)
{
    run->seed = seed;
}

uint64_t run_seed(const struct run *run)
{
    return run->seed;
}

json_t *run_mode(const struct run *run)
{
    json_t *params = run->planned ? NULL : json_loads(run->params, 0, NULL);
    json_t *plan = run->planned ? json_loads(run->plan, 0, NULL) : NULL;
    return json_pack("{s:s?, s:o?, s:f, s:o?, s:I}", "mode", run->planned ? NULL : run->mode,
                     "params", params, "time_scale", run->scale, "plan", plan, "seed",
                     (json_int_t)run->seed);
}

int run_mark(struct run *run, const char *name, int64_t from, uint64_t *seq, unsigned *rules,
             struct refusal *why)
{
    if (run->outcome)
        return outcome(run, why);
    snprintf(run->mark, sizeof run->mark, "%s", name);
    *seq = 41;
    *rules = 3;
    return 0;
}

int run_reset(struct run *run)
{
    if (run->outcome)
        return run->outcome;
    run->resets++;
    ledger_clear(run->ledger);
    return 0;
}

void run_cursor_open(struct run *run, struct run_cursor *cursor)
{
    cursor->run = run;
    cursor->last_id = 0;
    link_append(&run->cursors, &cursor->link);
}

void run_cursor_close(struct run_cursor *cursor)
{
    link_remove(&cursor->link);
}

bool run_cursor_write(struct run_cursor *cursor, const char *separator, struct buf *out)
{
    if (cursor->last_id == cursor->run->live)
        return false;
    buf_printf(out, "%s{\"id\":%d}", separator, FIRST_ID + (int)cursor->last_id++);
    return true;
}

int run_connection(const struct run *run, uint64_t id, struct buf *out)
{
    if (id < FIRST_ID || id >= FIRST_ID + run->live)
        return RUN_NO_CONNECTION;
    return buf_printf(out, "{\"id\":%d}", (int)id);
}

size_t run_connection_count(const struct run *run)
{
    return run->live;
}

size_t run_open_exchanges(const struct run *run)
{
    return run->open;
}

int run_do(struct run *run, uint64_t id, const json_t *steps, struct refusal *why)
{
    if (id != 7)
        return RUN_NO_CONNECTION;
    if (run->outcome)
        return outcome(run, why);
    run->done_on = id;
    rig_keep(steps, run->steps, sizeof run->steps);
    return 0;
}

int run_do_each(struct run *run, const json_t *filter, const json_t *steps, json_t **out,
                struct refusal *why)
{
    if (run->outcome)
        return outcome(run, why);
    rig_keep(filter, run->params, sizeof run->params);
    rig_keep(steps, run->steps, sizeof run->steps);
    *out = json_pack("{s:i, s:[{s:s, s:[i]}]}", "connections", 1, "skipped", "why", "no",
                     "connections", 9);
    return 0;
}

bool run_is_settled(const struct run *run)
{
    return !run->unsettled;
}

void run_await_settled(struct run *run, struct run_waiter *waiter)
{
    link_append(&run->waiters, &waiter->link);
}

void run_settle(struct run *run)
{
    run->unsettled = false;
    while (!link_empty(&run->waiters)) {
        struct run_waiter *w = link_entry(run->waiters.next, struct run_waiter, link);
        link_remove(&w->link);
        w->settled(w);
    }
}

bool run_is_awaited(const struct run *run)
{
    return run_connection_count(run) > 0;
}

void run_end_connections(struct run *run, int64_t grace_ns, struct run_waiter *over)
{
    if (run->lingers)
        run->ending = over;
    else
        over->settled(over);
}

struct runs the_runs = { &the_run };

struct run *runs_find(const struct runs *runs, const char *id)
{
    return strcmp(id, RUNS_DEFAULT) == 0 ? runs->run : NULL;
}

/* There is one run here; that of others is tested end to end. */
int runs_add(struct runs *runs, const char *id, const struct run_config *config, struct run **out)
{
    return -ENOMEM;
}

int runs_save(struct runs *runs, struct run *run, const char *directory, struct refusal *why)
{
    return 0;
}

int runs_listen(struct runs *runs, struct run *run, const struct runs_listener *with,
                struct refusal *why)
{
    return 0;
}

const struct listener *runs_listening(const struct runs *runs, const struct run *run,
                                      const char *name)
{
    return NULL;
}

void runs_drop(struct runs *runs, struct run *run)
{
}

void runs_end(struct runs *runs, struct run *run, int64_t grace_ns, struct runs_keeper *keeper)
{
}

uint64_t rig_commit(const char *name)
{
    ledger_begin(the_run.ledger, EV_MARK, 0, 0);
    ledger_text(the_run.ledger, F_NAME, name);
    return ledger_commit(the_run.ledger);
}

/* --- The server, and a client that shares its thread */

struct trials *trials;
struct admin *admin;
struct catalogue *catalogue;

static const struct call_patience patient = { 10 * NS_PER_S, 60 * NS_PER_S, 120 * NS_PER_S,
                                              2 * NS_PER_S, 10 * NS_PER_S };

void rig_start(const struct admin_config *more)
{
    struct admin_config config = *more;
    struct refusal why = { 0 };
    config.loop = &loop;
    config.trials = trials;
    config.catalogue = catalogue;
    config.address = "127.0.0.1:0";
    int rc = admin_start(&config, &admin, &why);
    if (rc)
        fail_msg("%d %s %s", rc, why.where, why.what);
}

int rig_set_up(void **state)
{
    memset(&the_run, 0, sizeof the_run);
    strcpy(the_run.mode, "normal");
    strcpy(the_run.params, "{}");
    the_run.scale = 1;
    the_run.live = 1;
    link_init(&the_run.cursors);
    link_init(&the_run.waiters);
    call_patience = patient;
    catalogue = shared_catalogue_take();
    the_run.ledger = ledger_create(1 << 20);
    if (!catalogue || !the_run.ledger || stand_in(&the_run, &the_run.compiled) || loop_start(state))
        return -1;
    struct run_config of_runs = { .catalogue = catalogue };
    struct trials_config of_trials = { .runs = &the_runs,
                                       .runs_config = &of_runs,
                                       .ports = "127.0.0.1:0" };
    if (trials_create(&of_trials, &trials, NULL) != 0)
        return -1;
    rig_start(&(struct admin_config){ 0 });
    return 0;
}

void rig_stopped(void *arg)
{
    admin = NULL;
}

static bool is_gone(void *unused)
{
    return !admin;
}

void rig_await_stop(void)
{
    loop_until(&loop, is_gone, NULL);
}

void stop_admin(void)
{
    admin_stop(admin, rig_stopped, NULL);
    rig_await_stop();
    uv_run(&loop, UV_RUN_NOWAIT);
}

int rig_tear_down(void **state)
{
    stop_admin();
    trials_destroy(trials);
    int outcome = loop_stop(state);
    plan_unref(the_run.compiled);
    ledger_destroy(the_run.ledger);
    shared_catalogue_give(catalogue);
    return outcome;
}

int open_client(void)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                              .sin_port = htons(listener_port(admin_listener(admin))) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

void send_text(int fd, const char *text, size_t n)
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

struct reply reply;

void forget_reply(void)
{
    free(reply.body);
    json_decref(reply.json);
    memset(&reply, 0, sizeof reply);
}

const char *reply_field(const char *name)
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

size_t reply_take_chunked(const char *bytes, size_t n)
{
    struct buf body = { 0 };
    size_t at = 0, len = 1;
    if (n < 5 || memcmp(bytes + n - 5, "0\r\n\r\n", 5) != 0) /* it may be whole only then */
        return 0;
    while (len) {
        const char *line = memmem(bytes + at, n - at, "\r\n", 2);
        len = line ? strtoul(bytes + at, NULL, 16) : 0;
        size_t head = line ? (size_t)(line + 2 - bytes) - at : 0;
        if (!line || n - at < head + len + 2) {
            buf_free(&body);
            return 0;
        }
        buf_add(&body, bytes + at + head, len);
        at += head + len + 2;
    }
    reply.body_len = buf_len(&body);
    buf_add(&body, "", 1);
    reply.body = (char *)body.data;
    reply.chunked = true;
    return at;
}

static size_t take_plain(const char *bytes, size_t n, bool head)
{
    const char *length = reply_field("Content-Length");
    size_t len = head || !length ? 0 : strtoul(length, NULL, 10);
    if (n < len)
        return 0;
    reply.body_len = len;
    reply.body = malloc(len + 1);
    memcpy(reply.body, bytes, len);
    reply.body[len] = '\0';
    return 1;
}

static bool have_come(void *fd)
{
    char byte;
    return recv(*(int *)fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
}

void rig_await_bytes(int fd)
{
    loop_until(&loop, have_come, &fd);
}

/* What is being received. */
static struct receiving {
    int fd;
    bool head;
    size_t n;
    char bytes[8 << 20];
} receiving;

/* A condition: the response is whole, or no more will come. Reads what there is. */
static bool is_received(void *unused)
{
    struct receiving *r = &receiving;
    ssize_t got = recv(r->fd, r->bytes + r->n, sizeof r->bytes - 1 - r->n, MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN)) {
        reply.closed = true;
        return true;
    }
    r->n += got > 0 ? (size_t)got : 0;
    r->bytes[r->n] = '\0';
    char *end = strstr(r->bytes, "\r\n\r\n");
    if (!end)
        return false;
    end += 4;
    snprintf(reply.head, sizeof reply.head, "%.*s", (int)(end - r->bytes), r->bytes);
    sscanf(r->bytes, "HTTP/1.1 %d", &reply.status);
    size_t there = r->n - (size_t)(end - r->bytes);
    if (!r->head && reply_field("Transfer-Encoding"))
        reply_take_chunked(end, there);
    else
        take_plain(end, there, r->head);
    return reply.body != NULL;
}

bool rig_receive(int fd, bool head, int ms)
{
    forget_reply();
    receiving.fd = fd;
    receiving.head = head;
    receiving.n = 0;
    loop_wait(&loop, is_received, NULL, ms * REAL_MS);
    if (!reply.body) {
        reply.status = reply.closed ? 0 : reply.status;
        return false;
    }
    reply.json = json_loadb(reply.body, reply.body_len, 0, NULL);
    return true;
}

int rig_request(const char *text, size_t n)
{
    int fd = open_client();
    send_text(fd, text, n);
    rig_receive(fd, strncmp(text, "HEAD ", 5) == 0, PATIENCE_MS);
    close(fd);
    loop_settle(&loop);
    return reply.status;
}

/* Each problem that a call answers with is described for it in docs/openapi.json. */
static void assert_described(const char *method, const char *target)
{
    static json_t *doc;
    char path[256], allow[ROUTE_ALLOW_SIZE], status[8], lower[16] = "";
    struct route_args args;
    const char *type = json_string_value(json_object_get(reply.json, "type"));
    if (reply.status < 400 || !type || target[0] != '/' || strlen(target) >= sizeof path)
        return;
    if (!doc)
        doc = json_loadb((const char *)openapi_json, openapi_json_len, 0, NULL);
    snprintf(path, sizeof path, "%.*s", (int)strcspn(target, "?"), target);
    const struct route *route = routes_find(method, path, &args, allow);
    if (!route)
        return;
    for (size_t i = 0; route->method[i]; i++)
        lower[i] = (char)(route->method[i] | 0x20);
    snprintf(status, sizeof status, "%d", reply.status);
    json_t *at = json_object_get(json_object_get(doc, "paths"), route->path);
    at = json_object_get(json_object_get(json_object_get(at, lower), "responses"), status);
    at = json_object_get(json_object_get(at, "content"), "application/problem+json");
    if (!json_object_get(json_object_get(at, "examples"), strrchr(type, '/') + 1))
        fail_msg("docs/openapi.json does not tell of %s %s for %s %s", status, type, route->method,
                 route->path);
}

bool call_short_of_memory(const char *text, size_t len, long n, bool all)
{
    int fd = open_client();
    char byte;
    if (all)
        memory_ends_after(n);
    else
        memory_fails_once_after(n);
    send_text(fd, text, len);
    for (int t = 0; t < 50000 && recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0; t++)
        uv_run(&loop, UV_RUN_NOWAIT);
    bool failed = memory_restore() > 0;
    rig_receive(fd, false, PATIENCE_MS);
    close(fd);
    loop_settle(&loop);
    return failed;
}

int rig_call(const char *method, const char *target, const char *fields, const char *body)
{
    struct buf text = { 0 };
    buf_printf(&text, "%s %s HTTP/1.1\r\nHost: localhost\r\n%s", method, target, fields);
    if (body)
        buf_printf(&text, "Content-Length: %zu\r\n", strlen(body));
    buf_printf(&text, "\r\n%s", body ? body : "");
    int status = rig_request((const char *)buf_bytes(&text), buf_len(&text));
    buf_free(&text);
    assert_described(method, target);
    return status;
}

int rig_get(const char *target)
{
    return rig_call("GET", target, "", NULL);
}

const char *reply_text(const char *name)
{
    const char *text = json_string_value(json_object_get(reply.json, name));
    return text ? text : "";
}

json_int_t reply_number(const char *name)
{
    return json_integer_value(json_object_get(reply.json, name));
}

void assert_problem(int status, const char *where, const char *allowed)
{
    json_t *list = json_object_get(reply.json, "allowed"), *item;
    char text[600] = "";
    size_t i, n = 0;
    json_array_foreach(list, i, item)
    {
        assert_true(json_is_string(item));
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", i ? ", " : "",
                              json_string_value(item));
    }
    bool found = strstr(text, allowed) != NULL;
    if (reply.status != status || !strstr(reply_text("where"), where) || !found)
        fail_msg("%d %s, wanted %d %s %s", reply.status, reply.body, status, where, allowed);
    assert_string_equal(reply_field("Content-Type"), "application/problem+json");
    assert_int_equal(reply_number("status"), status);
    assert_int_equal(strncmp(reply_text("type"), "/problems/", 10), 0);
    const char *detail = reply_text("detail"); /* a sentence */
    assert_true(reply_text("title")[0] && detail[0] && strchr(".?!", detail[strlen(detail) - 1]));
    assert_false(detail[0] >= 'a' && detail[0] <= 'z' &&
                 strncmp(detail, reply_text("where"), 4) != 0);
}
