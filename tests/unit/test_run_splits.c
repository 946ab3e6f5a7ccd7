/* What was read when a fault fired was sent before it, and what comes later is stale: whatever
 * records and frames the client's bytes are split into, and wherever the fault is. */
#include "harness/run_peer.h"

/* --- The table */

static const size_t record_sizes[] = { 1, 9, 15, 40, 16000 };
static const char *const verbs[] = { "\"fin\"", "{\"fin\":{\"notify\":true}}", "\"forget\"",
                                     "\"stall\"" };
static const char *const places[] = { "first_byte", "headers", "complete" };

static size_t count_faults(const json_t *events, const char *trigger)
{
    size_t i, n = 0;
    json_t *event;
    json_array_foreach(events, i, event)
    {
        const char *is = json_string_value(json_object_get(event, "trigger"));
        n += is && strcmp(is, trigger) == 0;
    }
    return n;
}

static void nothing_is_stale(struct peer *p, unsigned requests, const char *what)
{
    json_t *events = events_since(p->since);
    size_t told = count_events(events, "request");
    if (count_events(events, "stale_bytes") || count_events(events, "stale_request") ||
        count_faults(events, "stale") || told != requests) {
        char *text = json_dumps(events, JSON_INDENT(1));
        fail_msg("%s: %zu of %u requests told\n%s", what, told, requests, text);
    }
    json_decref(events);
}

/* The control: what comes now is stale, each request once. */
static void the_next_one_is_stale(struct peer *p, size_t each, const char *what)
{
    struct buf late = { 0 };
    peer_add_request(p, &late, 1);
    peer_records(p, &late, each);
    peer_send_out(p);
    buf_free(&late);
    if (!peer_sees(p, "fault", 2))
        fail_msg("%s: no rule of \"stale\" fired", what);
    json_t *events = events_since(p->since);
    assert_int_equal(count_events(events, "stale_bytes"), 1);
    assert_int_equal(count_events(events, "stale_request"), 1);
    assert_int_equal(count_faults(events, "stale"), 1);
    json_decref(events);
}

static void one_split(enum over over, enum http http, size_t place, unsigned nth, unsigned requests,
                      const char *verb, size_t each)
{
    char rules[400], what[200];
    struct peer p;
    struct buf bytes = { 0 };
    snprintf(rules, sizeof rules,
             "[{\"on\":\"request\",\"at\":\"%s\",\"nth\":%u,\"times\":1,\"do\":[%s]},"
             " {\"on\":\"stale\",\"times\":9,\"do\":[\"rst\"]}]",
             places[place], nth, verb);
    snprintf(what, sizeof what, "%s %s, %u requests, %s at %s of the %u., records of %zu",
             over_names[over], http_names[http], requests, verb, places[place], nth, each);
    set_rules(rules);
    open_peer(&p, over, http);
    for (unsigned i = 1; i <= requests; i++)
        peer_add_request(&p, &bytes, i);
    peer_records(&p, &bytes, each);
    buf_free(&bytes);
    peer_send_out(&p);
    if (!peer_sees(&p, "fault", 1))
        fail_msg("%s: no fault", what);
    peer_sees(&p, "request", requests);
    nothing_is_stale(&p, requests, what);
    the_next_one_is_stale(&p, each, what);
    close_peer(&p);
}

static void what_comes_in_one_reading_was_sent_before_the_fault(void **state)
{
    unsigned turn = 0;
    for (enum over over = CLEARTEXT; over < OVERS; over++)
        for (enum http http = H1; http < HTTPS; http++)
            for (size_t place = 0; place < COUNT(places); place++)
                for (unsigned requests = 1; requests <= 3; requests++)
                    for (size_t size = 0; size < COUNT(record_sizes); size++, turn++)
                        if (!under_memcheck() || turn % 7 == 0) /* every value of each, still */
                            one_split(over, http, place, 1 + turn % requests, requests,
                                      verbs[turn % COUNT(verbs)], record_sizes[size]);
}

/* From a timer or a call of the admin API: what the kernel has by then is read later. */
static void what_the_kernel_held_was_sent_before_the_fault(void **state)
{
    for (enum over over = CLEARTEXT; over < OVERS; over++)
        for (enum http http = H1; http < HTTPS; http++)
            for (size_t v = 0; v < COUNT(verbs); v++) {
                struct peer p;
                struct buf bytes = { 0 };
                struct refusal why;
                char text[80];
                set_rules("[{\"on\":\"stale\",\"times\":9,\"do\":[\"rst\"]}]");
                open_peer(&p, over, http);
                peer_add_request(&p, &bytes, 2);
                peer_add_request(&p, &bytes, 1);
                peer_records(&p, &bytes, 15);
                buf_free(&bytes);
                peer_send_out(&p);
                snprintf(text, sizeof text, "[%s]", verbs[v]);
                json_t *steps = json_loads(text, 0, NULL);
                assert_int_equal(run_do(run, newest_id(), steps, &why), 0);
                json_decref(steps);
                peer_sees(&p, "request", 2);
                nothing_is_stale(&p, 2, verbs[v]);
                the_next_one_is_stale(&p, 15, verbs[v]);
                close_peer(&p);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_comes_in_one_reading_was_sent_before_the_fault, rig_reset),
        cmocka_unit_test_setup(what_the_kernel_held_was_sent_before_the_fault, rig_reset),
    };
    rig_tls = minted_server();
    int failed = cmocka_run_group_tests(tests, rig_start, rig_stop);
    tls_server_destroy(rig_tls);
    return failed;
}
