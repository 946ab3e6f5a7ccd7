/* No mode does nothing in silence: over each protocol, and each way to set a mode, all of the
 * catalogue fire, are refused with the reason, or are warned of. What is due is read from the
 * modes' own rules; a client that knows nothing of them asks twice, with a pause, while marks are
 * set. */
#include "witness.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEATS     4
#define CELLS_MAX 600
#define IDLE      "2s" /* 40 ms with the scale */

static const struct seat seats[SEATS] = {
    { "h1 cleartext", false, CLIENT_CLEARTEXT },
    { "h1 TLS", false, CLIENT_TLS13 },
    { "h2 cleartext", true, CLIENT_CLEARTEXT },
    { "h2 TLS", true, CLIENT_TLS13 },
};

/* What must come of a mode on a connection. */
enum due {
    NOTHING_SET,    /* a mode without rules, or with some for other clients */
    FIRES,          /* the ledger has a fault of it */
    DOES_NOTHING,   /* the ledger says that its step has nothing to do with such a request */
    FIRES_OR_WARNS, /* it is for numbered connections: which one this is, is not looked into */
    WARNED,
    REFUSED_400,
    REFUSED_409,
};
static const char *const due_names[] = {
    "nothing",    "a fault",    "a fault that is missed", "a fault or a warning", "a warning",
    "status 400", "status 409",
};

enum way { BY_URL, BY_PUT, BY_PLAN };
static const char *const way_names[] = { "URL", "PUT", "plan" };

struct cell {
    const json_t *mode;
    enum way way;
    struct stage stage;
    enum due due;
    int refused; /* the status of the setting, 0: it was taken */
    struct talk *talk;
    uint64_t connection;
    bool lacks; /* it was refused for a capability */
    bool fired, missed, warned;
};

static struct server server;
static json_t *modes[100]; /* whole documents */
static size_t mode_count;

/* --- What is due */

/* The value of a rule's member: the parameter's default where it names one. */
static const json_t *value_of(const json_t *mode, const json_t *value)
{
    const char *text = json_string_value(value);
    if (!text || text[0] != '$')
        return value;
    return json_object_get(json_object_get(json_object_get(mode, "params"), text + 1), "default");
}

static const char *step_name(const json_t *mode, json_t *step)
{
    void *only = json_object_iter(step);
    const char *name = only ? json_object_iter_key(only) : json_string_value(value_of(mode, step));
    assert_non_null(name);
    return name;
}

/* Only close_notify and alert are for TLS alone. What stands behind a wait for ever does not count,
 * nor does a wait. */
static bool tls_alone(const json_t *mode, const json_t *rule)
{
    size_t i;
    json_t *step;
    bool any = false;
    json_array_foreach(json_object_get(rule, "do"), i, step)
    {
        const char *name = step_name(mode, step);
        const json_t *wait = value_of(mode, json_object_get(step, "wait"));
        if (strcmp(name, "wait") == 0) {
            if (json_is_string(wait) && strcmp(json_string_value(wait), "never") == 0)
                break;
            continue;
        }
        if (strcmp(name, "close_notify") != 0 && strcmp(name, "alert") != 0)
            return false;
        any = true;
    }
    return any;
}

static bool is_one_of(const char *text, const char *const *list)
{
    while (*list && strcmp(text, *list) != 0)
        list++;
    return *list != NULL;
}

static bool fits_seat(const json_t *mode, const json_t *rule, const struct seat *seat)
{
    static const char *const in_tls[] = { "client_hello", "handshake", NULL };
    const json_t *over = value_of(mode, json_object_get(rule, "over"));
    if (over && strcmp(json_string_value(over), seat->h2 ? "h2" : "h1") != 0)
        return false;
    return seat->tls != CLIENT_CLEARTEXT ||
           (!is_one_of(event_text(rule, "on"), in_tls) && !tls_alone(mode, rule));
}

static bool fits_protocol(const json_t *mode, const json_t *rule, bool h2)
{
    const struct seat tls = { "", h2, CLIENT_TLS13 };
    return fits_seat(mode, rule, &tls);
}

/* It is about requests that expect a 100, which this client does not send. */
static bool is_for_expect(const json_t *mode)
{
    const json_t *rules = json_object_get(mode, "rules"), *steps;
    steps = json_object_get(json_array_get(rules, 0), "do");
    return json_array_size(rules) == 1 &&
           strcmp(step_name(mode, json_array_get(steps, 0)), "no_continue") == 0;
}

/* All its rules are about what a client says that this one does not say. */
static bool is_for_peer(const json_t *mode)
{
    const json_t *rules = json_object_get(mode, "rules"), *rule;
    size_t i;
    json_array_foreach(rules, i,
                       rule) if (strcmp(event_text(rule, "on"), "peer") != 0) return false;
    return true;
}

static enum due due_of(const struct cell *c)
{
    static const char *const before_protocol[] = { "listen", "accept", "client_hello", "handshake",
                                                   NULL };
    static const char *const before_request[] = { "listen",    "accept",   "client_hello",
                                                  "handshake", "protocol", NULL };
    const json_t *rules = json_object_get(c->mode, "rules"), *rule;
    bool any = false, any_over = false, early = false, soon = false, numbered = false;
    size_t i;
    json_array_foreach(rules, i, rule)
    {
        const char *on = event_text(rule, "on");
        bool fits = strcmp(on, "listen") == 0 || fits_seat(c->mode, rule, c->stage.seat);
        any = any || fits;
        any_over = any_over || fits_protocol(c->mode, rule, c->stage.seat->h2);
        soon = soon || is_one_of(on, before_protocol);
        early = early || (fits && is_one_of(on, before_request));
        numbered = numbered || json_object_get(rule, "connection");
    }
    if (json_array_size(rules) == 0)
        return NOTHING_SET;
    if (c->way == BY_URL && (early || !any))
        return REFUSED_409;
    if (c->way == BY_PLAN && soon)
        return REFUSED_400;
    if (c->way == BY_PLAN && !any_over)
        return REFUSED_409;
    if (!any)
        return WARNED;
    if (is_for_peer(c->mode))
        return NOTHING_SET;
    if (is_for_expect(c->mode))
        return DOES_NOTHING;
    return numbered && c->way == BY_URL ? FIRES_OR_WARNS : FIRES;
}

/* --- Setting */

/* Idle times that pass soon, and rules for all connections. */
static json_t *params_of(const json_t *mode)
{
    json_t *params = json_object(), *rule;
    size_t i;
    json_array_foreach(json_object_get(mode, "rules"), i, rule)
    {
        const char *after = event_text(rule, "after"), *number = event_text(rule, "connection");
        if (after[0] == '$' && strcmp(event_text(rule, "on"), "idle") == 0)
            json_object_set_new(params, after + 1, json_string(IDLE));
        if (number[0] == '$')
            json_object_set_new(params, number + 1, json_string("1-"));
    }
    return params;
}

static bool names_capability(const struct buf *text)
{
    static const char name[] = "NET_ADMIN";
    return text && buf_len(text) > 0 &&
           memmem(buf_bytes(text), buf_len(text), name, sizeof name - 1);
}

/* Puts it for connections to come. Returns 0 or the status of the refusal, which has a reason;
 * *lacks: it is for want of a capability. */
static int put(const json_t *body, const char *name, bool *lacks)
{
    struct admin_answer answer;
    char *text = json_dumps(body, JSON_COMPACT);
    assert_true(
        admin_try(&server, "PUT", "/v1/mode", "Content-Type: application/json\r\n", text, &answer));
    int status = answer.status;
    if (status != 200)
        check(event_text(answer.json, "where")[0] && event_text(answer.json, "detail")[0],
              "%s: refused without a reason", name);
    *lacks = status == 409 && names_capability(&answer.text);
    free(text);
    admin_free(&answer);
    return status == 200 ? 0 : status;
}

static void set(struct cell *c)
{
    const char *name = event_text(c->mode, "name");
    json_t *body = json_pack("{s:s, s:o}", "mode", name, "params", params_of(c->mode));
    if (c->way == BY_PLAN) {
        json_object_set_new(body, "over", json_string(c->stage.seat->h2 ? "h2" : "h1"));
        body = json_pack("{s:[o]}", "plan", body);
    }
    json_object_set_new(body, "apply", json_string("new"));
    c->refused = put(body, name, &c->lacks);
    json_decref(body);
}

/* --- The client */

static void compose_target(const struct cell *c, char *out, size_t size)
{
    int n = 0;
    const char *key;
    json_t *value, *params = params_of(c->mode);
    if (c->way == BY_URL) {
        n = snprintf(out, size, "/mode/%s", event_text(c->mode, "name"));
        json_object_foreach(params, key, value) n +=
            snprintf(out + n, size - (size_t)n, ";%s=%s", key, json_string_value(value));
    }
    snprintf(out + n, size - (size_t)n, "%s", ENTITLEMENT);
    json_decref(params);
}

static void ask(struct cell *c, const char *method, const char *body)
{
    char target[256];
    if (!c->talk || c->talk->c.fin || c->talk->c.rst)
        return;
    compose_target(c, target, sizeof target);
    talk_ask_for(c->talk, method, target, NULL, body);
}

static void open_cell(struct cell *c)
{
    bool connected;
    struct talk *t = talk_try(&c->stage, 1500, &connected);
    if (connected)
        c->talk = t;
}

/* Takes note of all that has come to anyone, until then. Returns whether each that is connected has
 * been told something, or has ended. */
static bool look_at_all(struct cell *cells, size_t count, int64_t until)
{
    bool all = true;
    do {
        all = true;
        for (size_t i = 0; i < count; i++) {
            struct client *k = cells[i].talk ? &cells[i].talk->c : NULL;
            while (k && client_look(k, 0))
                ;
            all = all && (!k || buf_len(&k->in) > 0 || k->fin || k->rst);
        }
        poll(NULL, 0, 2);
    } while (clock_now() < until);
    return all;
}

static void begin(struct cell *cells, size_t *count, const json_t *mode, enum way way)
{
    int refused = 0;
    bool lacks = false;
    for (size_t k = 0; k < SEATS; k++) {
        struct cell *c = &cells[(*count)++];
        *c = (struct cell){ .mode = mode, .way = way };
        c->stage.server = &server;
        c->stage.seat = &seats[k];
        c->due = due_of(c);
        if (way == BY_PLAN || (way == BY_PUT && k == 0)) {
            set(c);
            refused = c->refused;
            lacks = c->lacks;
        }
        c->refused = refused;
        c->lacks = lacks;
        if (!refused)
            open_cell(c);
    }
}

/* --- What came of it */

/* Is it this connection that a connection_open is about? Connections to different ports may have
 * the same port on the client's side. */
static bool opens(const struct cell *c, const json_t *event)
{
    const char *port = strrchr(event_text(event, "peer"), ':');
    bool cleartext = c->stage.seat->tls == CLIENT_CLEARTEXT;
    return port && c->stage.count > 0 && client_port(&c->stage.talks[0]->c) == atoi(port + 1) &&
           strcmp(event_text(event, "listener"), cleartext ? "http" : "https") == 0;
}

static void note_event(struct cell *cells, size_t count, const json_t *event)
{
    const char *what = event_text(event, "event");
    uint64_t id = (uint64_t)json_integer_value(json_object_get(event, "connection"));
    for (size_t i = 0; i < count; i++) {
        struct cell *c = &cells[i];
        bool own = strcmp(event_text(event, "mode"), event_text(c->mode, "name")) == 0;
        if (strcmp(what, "connection_open") == 0 && opens(c, event))
            c->connection = id;
        bool here = c->connection == id; /* 0: what listeners do */
        c->fired = c->fired || (here && own && strcmp(what, "fault") == 0);
        c->missed = c->missed || (here && own && strcmp(what, "fault_missed") == 0);
        c->warned = c->warned || (here && own && strcmp(what, "warning") == 0);
    }
}

static void read_ledger(struct cell *cells, size_t count)
{
    uint64_t since = 0;
    size_t n;
    do {
        json_t *events = admin_events(&server, since, 0, &since), *event;
        size_t i;
        n = json_array_size(events);
        json_array_foreach(events, i, event) note_event(cells, count, event);
        json_decref(events);
    } while (n > 0);
}

/* The status of the first answer, where a refusal by URL is; *text becomes what it says. */
static int first_status(struct cell *c, const struct buf **text)
{
    char line[16] = "";
    int status = 0;
    if (!c->talk)
        return 0;
    if (c->talk->seat->h2) {
        struct h2_stream *stream = h2_stream(&c->talk->h2, 1);
        h2_wait_stream(&c->talk->h2, 1, clock_now());
        *text = &stream->body;
        return stream->status;
    }
    *text = &c->talk->c.in;
    if (buf_len(*text) >= sizeof line)
        memcpy(line, buf_bytes(*text), sizeof line - 1);
    sscanf(line, "HTTP/1.1 %3d", &status);
    return status;
}

/* Whether what is due has come; say: in words, if not. */
static bool judge(struct cell *c, bool say)
{
    const struct buf *text = NULL;
    int refused = c->refused ? c->refused : c->way == BY_URL ? first_status(c, &text) : 0;
    bool no_capability = c->lacks || (refused == 409 && names_capability(text));
    bool ok = false;
    switch (c->due) {
    case NOTHING_SET:
        ok = !c->fired && !c->warned && (!refused || refused == 200);
        break;
    case FIRES:
        ok = c->fired && !c->warned;
        break;
    case DOES_NOTHING:
        ok = c->missed && !c->fired && !c->warned;
        break;
    case FIRES_OR_WARNS:
        ok = c->fired || c->warned;
        break;
    case WARNED:
        ok = c->warned && !c->fired && !refused;
        break;
    case REFUSED_400:
        ok = refused == 400;
        break;
    case REFUSED_409:
        ok = refused == 409 && !c->fired;
        break;
    }
    if (!say || ok || no_capability)
        return ok || no_capability;
    print_error("%s by %s over %s: %s was due; status %d%s%s; connection %llu\n",
                event_text(c->mode, "name"), way_names[c->way], c->stage.seat->name,
                due_names[c->due], refused, c->fired ? ", a fault" : "",
                c->warned ? ", a warning" : "", (unsigned long long)c->connection);
    return false;
}

/* How many have not what is due. */
static unsigned judge_all(struct cell *cells, size_t count, bool say)
{
    unsigned wrong = 0;
    read_ledger(cells, count);
    for (size_t i = 0; i < count; i++)
        wrong += !judge(&cells[i], say);
    return wrong;
}

static unsigned play(struct cell *cells, size_t count)
{
    int64_t until = in_ms(2000);
    for (size_t i = 0; i < count; i++)
        ask(&cells[i], "GET", NULL);
    while (!look_at_all(cells, count, in_ms(100)) && clock_now() < until)
        ;
    look_at_all(cells, count, in_ms(200)); /* they are idle */
    for (size_t i = 0; i < count; i++)
        ask(&cells[i], "POST", "{\"body\":1}");
    look_at_all(cells, count, in_ms(200));
    admin_mark(&server, "background");
    admin_mark(&server, "path-change");
    admin_mark(&server, "kill");
    until = in_ms(PATIENCE_MS);
    do
        look_at_all(cells, count, in_ms(200));
    while (judge_all(cells, count, false) > 0 && clock_now() < until);
    unsigned wrong = judge_all(cells, count, true);
    for (size_t i = 0; i < count; i++)
        stage_clear(&cells[i].stage);
    return wrong;
}

static bool listens(const json_t *mode)
{
    const json_t *rules = json_object_get(mode, "rules");
    return strcmp(event_text(json_array_get(rules, 0), "on"), "listen") == 0;
}

static void each_mode_fires_is_refused_or_is_warned_of(enum way way)
{
    struct cell *cells = calloc(CELLS_MAX, sizeof *cells);
    size_t count = 0;
    assert_non_null(cells);
    for (int last = 0; last < 2; last++) /* those of the listeners are in the others' way */
        for (size_t i = 0; i < mode_count; i++)
            if (listens(modes[i]) == (last == 1))
                begin(cells, &count, modes[i], way);
    unsigned wrong = play(cells, count);
    free(cells);
    assert_true(count >= 4 * 70);
    assert_int_equal(wrong, 0);
}

static void by_url(void **state)
{
    each_mode_fires_is_refused_or_is_warned_of(BY_URL);
}

static void by_put(void **state)
{
    each_mode_fires_is_refused_or_is_warned_of(BY_PUT);
}

static void by_plan(void **state)
{
    each_mode_fires_is_refused_or_is_warned_of(BY_PLAN);
}

/* --- */

static int reset(void **state)
{
    admin_reset(&server);
    return 0;
}

static int start(void **state)
{
    char path[128];
    server_start(&server, NULL);
    json_decref(admin_call(&server, 200, "PATCH", "/v1/runs/default", "{\"time_scale\":0.02}"));
    json_t *list = admin_call(&server, 200, "GET", "/v1/modes", NULL), *row;
    size_t i;
    json_array_foreach(json_object_get(list, "modes"), i, row)
    {
        assert_in_range(mode_count, 0, sizeof modes / sizeof *modes - 1);
        snprintf(path, sizeof path, "/v1/modes/%s?resolved=true", event_text(row, "name"));
        modes[mode_count++] = admin_call(&server, 200, "GET", path, NULL);
    }
    json_decref(list);
    return 0;
}

static int stop(void **state)
{
    while (mode_count > 0)
        json_decref(modes[--mode_count]);
    server_stop(&server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(by_url, reset),
        cmocka_unit_test_setup(by_put, reset),
        cmocka_unit_test_setup(by_plan, reset),
    };
    return cmocka_run_group_tests_name("each mode fires, is refused or is warned of", tests, start,
                                       stop);
}
