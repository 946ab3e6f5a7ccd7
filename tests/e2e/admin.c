#include "admin.h"

#include <stdio.h>
#include <string.h>

#include "check.h"
#include "client.h"
#include "h1.h"
#include "ledger/ledger.h"
#include "tests/skip.h"

bool admin_try(const struct server *s, const char *method, const char *path, const char *headers,
               const char *body, struct admin_answer *answer)
{
    struct client_options to = { .port = s->admin };
    struct buf out = { .data = NULL }, lines = { .data = NULL };
    struct h1_response r = { .status = 0 };
    struct client c;
    bool whole = false;

    *answer = (struct admin_answer){ .status = 0 };
    buf_printf(&lines, "Connection: close\r\nContent-Type: application/json\r\n%s",
               headers ? headers : "");
    if (s->token)
        buf_printf(&lines, "Authorization: Bearer %s\r\n", s->token);
    buf_add(&lines, "", 1);
    h1_compose(&out, method, path, (const char *)buf_bytes(&lines), body);
    if (client_connect(&c, &to) && client_send(&c, buf_bytes(&out), buf_len(&out)) == 0)
        whole = h1_read(&c, strcmp(method, "HEAD") == 0, &r, in_ms(PATIENCE_MS));
    client_close(&c);
    buf_free(&lines);
    buf_free(&out);

    if (whole) {
        answer->status = r.status;
        h1_header(&r, "Content-Type", answer->type, sizeof answer->type);
        answer->type[strcspn(answer->type, "; ")] = '\0';
        answer->text = r.body;
        r.body = (struct buf){ .data = NULL };
        answer->json = json_loadb((const char *)buf_bytes(&answer->text), buf_len(&answer->text),
                                  JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    }
    h1_free(&r);
    return whole;
}

void admin_free(struct admin_answer *answer)
{
    json_decref(answer->json);
    buf_free(&answer->text);
}

json_t *admin_call(const struct server *s, int status, const char *method, const char *path,
                   const char *body)
{
    struct admin_answer answer;

    bool whole = admin_try(s, method, path, NULL, body, &answer);
    check(whole, "%s %s: no answer", method, path);
    check(answer.status == status, "%s %s %s: %d instead of %d: %s", method, path, body ? body : "",
          answer.status, status, (const char *)buf_bytes(&answer.text));
    json_t *json = json_incref(answer.json);
    admin_free(&answer);
    return json;
}

void admin_problem(const struct server *s, int status, const char *method, const char *path,
                   const char *body, const char *named)
{
    struct admin_answer answer;

    bool whole = admin_try(s, method, path, NULL, body, &answer);
    check(whole, "%s %s: no answer", method, path);
    const char *text = (const char *)buf_bytes(&answer.text);
    check(answer.status == status, "%s %s %s: %d instead of %d: %s", method, path, body ? body : "",
          answer.status, status, text);
    assert_string_equal(answer.type, "application/problem+json");
    check(answer.json, "%s %s: not JSON: %s", method, path, text);
    check(*event_text(answer.json, "title"), "%s %s: no title: %s", method, path, text);
    check(json_integer_value(json_object_get(answer.json, "status")) == status,
          "%s %s: status in %s", method, path, text);
    check(strstr(text, named), "%s %s %s: does not name %s: %s", method, path, body ? body : "",
          named, text);
    admin_free(&answer);
}

void admin_mode(const struct server *s, const char *mode, const char *params)
{
    char body[512];

    snprintf(body, sizeof body, "{\"mode\":\"%s\",\"params\":%s,\"apply\":\"new\"}", mode,
             params ? params : "{}");
    json_decref(admin_call(s, 200, "PUT", "/v1/mode", body));
}

void admin_plan(const struct server *s, const char *plan, uint64_t seed)
{
    struct buf body = { .data = NULL };

    buf_printf(&body, "{\"plan\":%s,\"seed\":%llu,\"apply\":\"new\"}", plan,
               (unsigned long long)seed);
    buf_add(&body, "", 1);
    json_decref(admin_call(s, 200, "PUT", "/v1/mode", (const char *)buf_bytes(&body)));
    buf_free(&body);
}

void admin_case(const struct server *s, const char *name)
{
    char body[128];

    snprintf(body, sizeof body, "{\"case\":\"%s\",\"apply\":\"new\"}", name);
    json_decref(admin_call(s, 200, "PUT", "/v1/mode", body));
}

uint64_t admin_mark(const struct server *s, const char *mark)
{
    char body[128];

    snprintf(body, sizeof body, "{\"mark\":\"%s\"}", mark);
    json_t *answer = admin_call(s, 201, "POST", "/v1/runs/default/marks", body);
    uint64_t seq = (uint64_t)json_integer_value(json_object_get(answer, "seq"));
    assert_string_equal(event_text(answer, "mark"), mark);
    json_decref(answer);
    return seq;
}

void admin_reset(const struct server *s)
{
    json_decref(admin_call(s, 200, "POST", "/v1/reset", ""));
}

bool admin_capability(const struct server *s, const char *name)
{
    json_t *all = admin_call(s, 200, "GET", "/v1/capabilities", NULL);
    json_t *row, *found = NULL;
    size_t i;

    json_array_foreach(json_object_get(all, "capabilities"), i,
                       row) if (strcmp(event_text(row, "name"), name) == 0) found = row;
    bool have = event_true(found, "available");
    check(found, "/v1/capabilities does not name %s", name);
    json_decref(all);
    return have;
}

void admin_needs(const struct server *s, const char *capability)
{
    char why[100];

    if (admin_capability(s, capability))
        return;
    snprintf(why, sizeof why, "%s is not available here, see /v1/capabilities", capability);
    skip_because(why);
}

void admin_do(const struct server *s, uint64_t connection, const char *steps)
{
    char path[64], body[256];

    snprintf(path, sizeof path, "/v1/connections/%llu/do", (unsigned long long)connection);
    snprintf(body, sizeof body, "{\"do\":%s}", steps);
    json_decref(admin_call(s, 200, "POST", path, body));
}

/* The members that the ledger's rows give to an event of this name, which must have a row. */
static const char *members_of(const char *event)
{
#define X(symbol, name, ...) { #symbol, name },
    static const struct {
        const char *symbol, *name;
    } events[] = { LEDGER_EVENTS(X) };
#undef X
#define X(symbol, members) { #symbol, members },
    static const struct {
        const char *symbol, *members;
    } rows[] = { LEDGER_MEMBERS(X) };
#undef X
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        for (size_t k = 0; k < sizeof rows / sizeof *rows; k++)
            if (strcmp(events[i].name, event) == 0 && strcmp(rows[k].symbol, events[i].symbol) == 0)
                return rows[k].members;
    fail_msg("the ledger has no row for the event %s", event);
    return "";
}

/* Is it "name" or "name?" among the members? */
static bool listed(const char *members, const char *name)
{
    size_t len = strlen(name);
    while (*members) {
        size_t n = strcspn(members, " ");
        if ((n == len || (n == len + 1 && members[len] == '?')) && memcmp(members, name, len) == 0)
            return true;
        members += n + strspn(members + n, " ");
    }
    return false;
}

/* Each event that a test comes across has what its row says, and nothing else. */
static void check_event(const json_t *event)
{
    const char *name = event_text(event, "event"), *rows = members_of(name), *key;
    json_t *value;
    json_object_foreach((json_t *)event, key, value)
        check(listed("seq at ms event cut", key) || listed(rows, key),
              "the ledger's row of %s has no %s", name, key);
    for (const char *at = rows; *at; at += strcspn(at, " "), at += strspn(at, " ")) {
        size_t len = strcspn(at, " ");
        check(memchr(at, '?', len) || json_object_getn(event, at, len) ||
                  json_object_get(event, "cut"),
              "an event %s has no %.*s", name, (int)len, at);
    }
}

json_t *admin_events(const struct server *s, uint64_t since, int64_t wait_ms, uint64_t *next)
{
    char path[128];

    snprintf(path, sizeof path, "/v1/runs/default/events?since=%llu&wait=%lldms",
             (unsigned long long)since, (long long)wait_ms);
    json_t *answer = admin_call(s, 200, "GET", path, NULL);
    json_t *events = json_incref(json_object_get(answer, "events"));
    check(json_is_array(events), "the events are not an array");
    for (size_t i = 0; i < json_array_size(events); i++)
        check_event(json_array_get(events, i));
    *next = (uint64_t)json_integer_value(json_object_get(answer, "next"));
    json_decref(answer);
    return events;
}

uint64_t admin_newest(const struct server *s)
{
    uint64_t since = 0, next;
    size_t count;

    do {
        json_t *events = admin_events(s, since, 0, &next);
        count = json_array_size(events);
        json_decref(events);
        since = count > 0 ? next : since;
    } while (count > 0);
    return since;
}

uint64_t admin_quiet(const struct server *s, size_t open)
{
    int64_t until = in_ms(PATIENCE_MS);
    size_t count;

    do {
        json_t *all = admin_call(s, 200, "GET", "/v1/connections", NULL);
        count = json_array_size(json_object_get(all, "connections"));
        json_decref(all);
        check(count <= open || clock_now() < until, "%zu connections are left", count);
    } while (count > open);
    return admin_newest(s);
}

static bool fits_text(const json_t *event, const char *member, const char *wanted)
{
    return !wanted || strcmp(event_text(event, member), wanted) == 0;
}

/* Does one of the ids that a request may have say this? */
static bool has_key(const json_t *event, const char *key)
{
    static const char *const members[] = { "hangup_call", "idempotency_key", "request_id",
                                           "trace_id" };
    bool has = !key;
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        has |= key && strcmp(event_text(event, members[i]), key) == 0;
    return has;
}

/* What is looked for in the ledger: NULL or 0 for anything. */
struct wanted {
    uint64_t connection;
    const char *event, *step, *key;
};

static bool fits(const json_t *event, const struct wanted *w)
{
    return fits_text(event, "event", w->event) && fits_text(event, "step", w->step) &&
           has_key(event, w->key) &&
           (!w->connection ||
            (uint64_t)json_integer_value(json_object_get(event, "connection")) == w->connection);
}

/* NULL when there is none until then. */
static json_t *look_up(const struct server *s, const struct wanted *w, int64_t until)
{
    uint64_t since = 0;

    for (;;) {
        int64_t left = (until - clock_now()) / NS_PER_MS;
        int64_t wait =
            left < PATIENCE_MS / 2 ? left : PATIENCE_MS / 2; /* an answer comes in time */
        json_t *events = admin_events(s, since, wait > 0 ? wait : 0, &since), *found = NULL, *event;
        size_t i, count = json_array_size(events);

        json_array_foreach(events, i, event) if (!found && fits(event, w)) found =
            json_incref(event);
        json_decref(events);
        if (found || (count == 0 && left <= 0))
            return found;
    }
}

static json_t *await(const struct server *s, const struct wanted *w)
{
    json_t *found = look_up(s, w, in_ms(PATIENCE_MS));

    check(found, "the ledger has no event %s of connection %llu, with step %s and key %s",
          w->event ? w->event : "at all", (unsigned long long)w->connection,
          w->step ? w->step : "any", w->key ? w->key : "any");
    return found;
}

json_t *ledger_await(const struct server *s, uint64_t connection, const char *event,
                     const char *step)
{
    const struct wanted w = { .connection = connection, .event = event, .step = step };

    return await(s, &w);
}

json_t *ledger_await_key(const struct server *s, uint64_t connection, const char *key)
{
    const struct wanted w = { .connection = connection, .key = key };

    return await(s, &w);
}

json_t *ledger_find(const struct server *s, uint64_t connection, const char *event,
                    const char *step)
{
    const struct wanted w = { .connection = connection, .event = event, .step = step };

    return look_up(s, &w, 0);
}

double event_ms(const json_t *event, const char *member)
{
    const json_t *value = json_object_get(event, member);

    check(json_is_number(value), "the event %s has no number %s", event_text(event, "event"),
          member);
    return json_number_value(value);
}

const char *event_text(const json_t *event, const char *member)
{
    const char *text = json_string_value(json_object_get(event, member));

    return text ? text : "";
}

bool event_true(const json_t *event, const char *member)
{
    return json_is_true(json_object_get(event, member));
}
