/* run_rig.h - a run over real sockets, for the tests of run/. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <unistd.h>
#include <uv.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/timer.h"
#include "endpoint/endpoint.h"
#include "engine/engine.h"
#include "ledger/ledger.h"
#include "mode/catalogue.h"
#include "run/run.h"

#include "harness/loop.h"
#include "harness/memcheck.h"

#define REQUEST "GET /api/entitlement/get HTTP/1.1\r\nHost: x\r\n\r\n"

static struct catalogue *catalogue;
static struct endpoint *endpoint;
static struct run *run;
static size_t rig_body_limit = 1000;
static const char *rig_stubs;            /* a directory; NULL: none */
static struct tls_server *rig_tls;       /* of listeners with tls; NULL: there are none */
static struct run_patience rig_patience; /* none */
static struct run_listener listener = { .name = "http", .over = OVER_ALL };

static inline bool holds_now(void *condition)
{
    bool (*const *holds)(void) = condition;
    return *holds && (*holds)();
}

/* Runs the loop until the condition holds, or for ns. */
static inline bool run_until(bool (*holds)(void), int64_t ns)
{
    return loop_wait(&loop, holds_now, &holds, ns);
}

/* Runs the loop for ns, in which something must not happen: the test fails as soon as it does. */
#define quiet_for(ns, happens)                                                                     \
    do {                                                                                           \
        bool (*unwanted)(void) = happens;                                                          \
        loop_quiet_or_fail(&loop, holds_now, &unwanted, ns, #happens "()", __FILE__, __LINE__);    \
    } while (0)

static inline bool is_empty(void)
{
    return run_connection_count(run) == 0;
}

/* Connects a client and hands the server's end to the run. Returns the client's end. */
static inline int connect_client(void)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof at;
    int listening = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listening, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(listening, 1), 0);
    getsockname(listening, (struct sockaddr *)&at, &len);
    assert_int_equal(connect(client, (struct sockaddr *)&at, len), 0);
    int fd = accept4(listening, (struct sockaddr *)&at, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    close(listening);
    fcntl(client, F_SETFL, O_NONBLOCK);
    run_accept(&listener, fd, (struct sockaddr *)&at, len);
    return client;
}

static inline json_t *newest_connection(void)
{
    struct run_cursor cursor;
    struct buf text = { 0 };
    size_t before = 0, len = 0;
    run_cursor_open(run, &cursor);
    while (run_cursor_write(&cursor, "", &text)) {
        before = len;
        len = buf_len(&text);
    }
    run_cursor_close(&cursor);
    json_t *last = json_loadb((const char *)buf_bytes(&text) + before, len - before, 0, NULL);
    buf_free(&text);
    return last;
}

static inline uint64_t newest_id(void)
{
    json_t *c = newest_connection();
    uint64_t id = (uint64_t)json_integer_value(json_object_get(c, "id"));
    json_decref(c);
    return id;
}

/* --- The ledger. The events since a sequence number; the caller's. */

static inline json_t *events_since(uint64_t since)
{
    struct buf text = { 0 };
    uint64_t next;
    buf_add(&text, "[", 1);
    assert_true(ledger_read(run_ledger(run), since, SIZE_MAX, SIZE_MAX, ",", &text, &next) >= 0);
    buf_add(&text, "]", 1);
    json_t *events = json_loadb((const char *)buf_bytes(&text), buf_len(&text), 0, NULL);
    assert_non_null(events);
    buf_free(&text);
    return events;
}

/* What is looked for: so many events of this name behind a sequence number. Each event is looked at
 * once. */
static struct ledger_cursor sought_from;
static const char *sought;
static size_t sought_count;

static inline void look_for(uint64_t since, const char *name, size_t count)
{
    sought_from = (struct ledger_cursor){ .ledger = run_ledger(run), .since = since };
    sought = name;
    sought_count = count;
}

static inline bool is_found(void)
{
    struct ledger_record record;
    while (sought_count > 0 && ledger_next(&sought_from, &record))
        sought_count -= strcmp(ledger_event_name(record.event), sought) == 0;
    return sought_count == 0;
}

/* The first of the events that is called so, NULL if there is none; borrowed. */
static inline json_t *event_called(const json_t *events, const char *name)
{
    size_t i;
    json_t *event;
    json_array_foreach(events, i, event)
    {
        if (strcmp(json_string_value(json_object_get(event, "event")), name) == 0)
            return event;
    }
    return NULL;
}

static inline size_t count_events(const json_t *events, const char *name)
{
    size_t i, n = 0;
    json_t *event;
    json_array_foreach(events, i, event)
    {
        n += strcmp(json_string_value(json_object_get(event, "event")), name) == 0;
    }
    return n;
}

static inline json_int_t number_in(const json_t *event, const char *member)
{
    assert_non_null(event);
    assert_true(json_is_integer(json_object_get(event, member)));
    return json_integer_value(json_object_get(event, member));
}

/* --- Modes. rules: the list as JSON text. */

static inline void put_mode(const char *name, const char *rules)
{
    struct refusal why = { 0 };
    json_t *list = json_loads(rules, 0, NULL);
    assert_non_null(list);
    json_t *mode = json_pack("{s:s, s:s, s:s, s:o}", "name", name, "summary", "For a test.",
                             "client_sees", "What the test looks for.", "rules", list);
    if (catalogue_put(catalogue, name, mode, &why) != 0)
        fail_msg("%s: %s: %s", rules, why.where, why.what);
    json_decref(mode);
}

static inline void set_rules(const char *rules)
{
    struct refusal why = { 0 };
    put_mode("test-mode", rules);
    assert_int_equal(run_set_mode(run, "test-mode", NULL, false, APPLY_ALL, &why), 0);
}

static inline int set_plan(const char *text, const uint64_t *seed, enum run_apply apply,
                           struct refusal *why)
{
    json_t *plan = json_loads(text, 0, NULL);
    assert_non_null(plan);
    int outcome = run_set_plan(run, plan, seed, apply, why);
    json_decref(plan);
    return outcome;
}

static inline void assert_member(json_t *object, const char *member, const char *value)
{
    assert_string_equal(json_string_value(json_object_get(object, member)), value);
}

static inline int rig_start(void **state)
{
    struct refusal why;
    log_set_level(LOG_ERROR + 1);
    if (loop_start(state) || h1_start(&loop) || !(catalogue = catalogue_create()) ||
        endpoint_create(rig_stubs, &endpoint, &why))
        return -1;
    struct run_config config = { .loop = &loop,
                                 .catalogue = catalogue,
                                 .endpoint = endpoint,
                                 .tls = rig_tls,
                                 .ledger_bytes = 1 << 20,
                                 .body_limit = rig_body_limit,
                                 .time_scale = 1,
                                 .patience = rig_patience };
    int error = run_create(&config, &run);
    listener.run = run;
    return error;
}

static inline int rig_stop(void **state)
{
    run_destroy(run);
    h1_stop();
    h2_stop();
    int outcome = loop_stop(state);
    endpoint_destroy(endpoint);
    catalogue_destroy(catalogue);
    return outcome;
}
