#include "run_rig.h"

#include "shared_catalogue.h"
#include "sockets.h"

struct catalogue *catalogue;
struct endpoint *endpoint;
struct run *run;
size_t rig_body_limit = 1000;
const char *rig_stubs;
struct tls_server *rig_tls;
struct run_patience rig_patience;
struct run_listener listener = { .name = "http", .over = OVER_ALL };

bool holds_now(void *condition)
{
    bool (*const *holds)(void) = condition;
    return *holds && (*holds)();
}

bool run_until(bool (*holds)(void), int64_t ns)
{
    return loop_wait(&loop, holds_now, &holds, ns);
}

bool is_empty(void)
{
    return run_connection_count(run) == 0;
}

int connect_client(void)
{
    struct sockaddr_in peer;
    int client, fd = connect_loopback(&client, &peer);
    run_accept(&listener, fd, (struct sockaddr *)&peer, sizeof peer);
    return client;
}

json_t *newest_connection(void)
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
    json_t *last =
        len ? json_loadb((const char *)buf_bytes(&text) + before, len - before, 0, NULL) : NULL;
    buf_free(&text);
    return last;
}

uint64_t newest_id(void)
{
    json_t *c = newest_connection();
    uint64_t id = (uint64_t)json_integer_value(json_object_get(c, "id"));
    json_decref(c);
    return id;
}

/* --- The ledger. The events since a sequence number; the caller's. */

json_t *events_since(uint64_t since)
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

void look_for(uint64_t since, const char *name, size_t count)
{
    sought_from = (struct ledger_cursor){ .ledger = run_ledger(run), .since = since };
    sought = name;
    sought_count = count;
}

bool is_found(void)
{
    struct ledger_record peer_record;
    while (sought_count > 0 && ledger_next(&sought_from, &peer_record))
        sought_count -= strcmp(ledger_event_name(peer_record.event), sought) == 0;
    return sought_count == 0;
}

json_t *event_called(const json_t *events, const char *name)
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

size_t count_events(const json_t *events, const char *name)
{
    size_t i, n = 0;
    json_t *event;
    json_array_foreach(events, i, event)
    {
        n += strcmp(json_string_value(json_object_get(event, "event")), name) == 0;
    }
    return n;
}

json_int_t number_in(const json_t *event, const char *member)
{
    assert_non_null(event);
    assert_true(json_is_integer(json_object_get(event, member)));
    return json_integer_value(json_object_get(event, member));
}

/* --- Modes. rules: the list as JSON text. */

void put_mode(const char *name, const char *rules)
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

void set_rules(const char *rules)
{
    struct refusal why = { 0 };
    put_mode("test-mode", rules);
    assert_int_equal(run_set_mode(run, "test-mode", NULL, false, APPLY_ALL, &why), 0);
}

int set_plan(const char *text, const uint64_t *seed, enum run_apply apply, struct refusal *why)
{
    json_t *plan = json_loads(text, 0, NULL);
    assert_non_null(plan);
    int outcome = run_set_plan(run, plan, seed, apply, why);
    json_decref(plan);
    return outcome;
}

void assert_member(json_t *object, const char *member, const char *value)
{
    assert_string_equal(json_string_value(json_object_get(object, member)), value);
}

int rig_start(void **state)
{
    struct refusal why;
    log_set_level(LOG_ERROR + 1);
    if (loop_start(state) || h1_start(&loop) || !(catalogue = shared_catalogue_take()) ||
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

/* Whatever a test made happen is told so that it can be loaded again. */
static int load_all(void)
{
    struct ledger_cursor cursor = { .ledger = run_ledger(run) };
    struct ledger_record record;
    struct ledger *loaded = ledger_create(1 << 20);
    int outcome = loaded ? 0 : -1;
    while (!outcome && ledger_next(&cursor, &record)) {
        struct buf line = { .data = NULL };
        struct refusal why = { 0 };
        if (ledger_render(&record, &line) != 0 ||
            ledger_load(loaded, (const char *)buf_bytes(&line), buf_len(&line), &why) != 0) {
            print_error("%s: %s: %.*s\n", why.where, why.what, (int)buf_len(&line),
                        (const char *)buf_bytes(&line));
            outcome = -1;
        }
        buf_free(&line);
    }
    if (loaded)
        ledger_destroy(loaded);
    return outcome;
}

int rig_stop(void **state)
{
    int outcome = run ? load_all() : 0;
    run_destroy(run, NULL);
    h1_stop();
    h2_stop();
    outcome |= loop_stop(state);
    endpoint_destroy(endpoint);
    shared_catalogue_give(catalogue);
    return outcome;
}
