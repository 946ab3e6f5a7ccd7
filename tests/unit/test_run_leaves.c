/* What the ledger says when a client leaves: what it had, how long it was idle, what fault it was
 * under and whether it can have known of it, and what would have come.
 */
#include "harness/run_peer.h"

#include "wire/caps.h"

static struct peer peer;
static json_t *events;

static void open_with(const char *rules, enum http http)
{
    set_rules(rules);
    open_peer(&peer, CLEARTEXT, http);
}

static void send_request(void)
{
    struct buf bytes = { 0 };
    peer_add_request(&peer, &bytes, 1);
    peer_record(&peer, buf_bytes(&bytes), buf_len(&bytes));
    buf_free(&bytes);
    peer_send_out(&peer);
}

static void send_frame(uint8_t type, uint8_t flags, uint32_t stream, const void *payload, size_t n)
{
    struct buf bytes = { 0 };
    peer_frame(&bytes, type, flags, stream, payload, n);
    peer_record(&peer, buf_bytes(&bytes), buf_len(&bytes));
    buf_free(&bytes);
    peer_send_out(&peer);
}

static void await(const char *name, size_t count)
{
    if (!peer_sees(&peer, name, count))
        fail_msg("no %s", name);
}

/* Reads the events when the connection is over. */
static void look_back(void)
{
    run_abort(run);
    await("connection_end", 1);
    json_decref(events);
    events = events_since(peer.since);
}

/* It sends its FIN. Reads the events when the connection is over. */
static void leave(void)
{
    shutdown(peer.fd, SHUT_WR);
    await("peer_fin", 1);
    look_back();
}

/* The n-th of a step's faults, from 0. */
static json_int_t fault_of(const char *step)
{
    size_t i;
    json_t *event;
    json_array_foreach(events, i, event)
    {
        const char *name = json_string_value(json_object_get(event, "step"));
        if (name && strcmp(name, step) == 0 &&
            strcmp(json_string_value(json_object_get(event, "event")), "fault") == 0)
            return number_in(event, "seq");
    }
    fail_msg("no fault %s", step);
    return 0;
}

static double ms_in(const json_t *event, const char *member)
{
    const json_t *value = json_object_get(event, member);
    if (!json_is_number(value))
        fail_msg("no %s", member);
    return json_number_value(value);
}

static void a_client_leaves_before_a_rule_is_due(void **state)
{
    static const struct {
        const char *rules;
        int rule;
        double most; /* ms */
    } rows[] = {
        { "[{\"on\":\"idle\",\"after\":\"60s\",\"do\":[\"fin\"]}]", 0, 60000 },
        { "[{\"on\":\"age\",\"after\":\"90s\",\"do\":[\"fin\"]},"
          "{\"on\":\"idle\",\"after\":\"1s\",\"over\":\"h2\",\"do\":[\"ping\"]},"
          "{\"on\":\"idle\",\"after\":\"60s\",\"do\":[\"fin\"]}]",
          2, 60000 },
        { "[{\"on\":\"age\",\"after\":\"90s\",\"do\":[\"fin\"]},"
          "{\"on\":\"mark\",\"name\":\"m\",\"after\":\"30s\",\"do\":[\"fin\"]}]",
          1, 30000 },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint64_t seq;
        unsigned woken;
        struct refusal why;
        open_with(rows[i].rules, H1);
        for (size_t n = 1; n <= 2; n++) {
            send_request();
            await("response_end", n);
        }
        assert_int_equal(run_mark(run, "m", clock_now(), &seq, &woken, &why), 0);
        run_until(NULL, 5 * REAL_MS);
        leave();
        const json_t *left = event_called(events, "peer_fin"),
                     *over = event_called(events, "connection_end");
        assert_int_equal(number_in(over, "answered"), 2);
        assert_int_equal(number_in(over, "rule"), rows[i].rule);
        assert_in_range(ms_in(over, "due_in_ms"), rows[i].most - PATIENCE / REAL_MS, rows[i].most);
        assert_true(ms_in(left, "idle_ms") >= 4);
        assert_true(ms_in(over, "idle_ms") >= ms_in(left, "idle_ms"));
        assert_null(json_object_get(left, "fault"));
        assert_null(json_object_get(left, "crossed"));
        close_peer(&peer);
    }
}

/* Whoever ends it: with only a request missing there is a rule, and no time. */
static void a_rule_that_waits_for_a_request_is_armed(void **state)
{
    enum { NONE = -1 };
    static const struct {
        const char *rules;
        int rule;    /* behind the first request */
        double most; /* ms; 0: no time */
    } rows[] = {
        { "[]", NONE, 0 },
        { "[{\"on\":\"reuse\",\"do\":[\"fin\"]}]", 0, 0 },
        { "[{\"on\":\"request\",\"nth\":\"3-\",\"do\":[\"rst\"]}]", 0, 0 },
        { "[{\"on\":\"response\",\"at\":\"start\",\"nth\":2,\"do\":[\"hold\"]}]", 0, 0 },
        /* Only said, another request, another protocol, another connection, or often enough. */
        { "[{\"on\":\"reuse\",\"do\":[{\"header\":{\"name\":\"a\",\"value\":\"b\"}}]}]", NONE, 0 },
        { "[{\"on\":\"response\",\"nth\":1,\"do\":[{\"throttle\":{\"rate\":100000}}]}]", NONE, 0 },
        { "[{\"on\":\"reuse\",\"over\":\"h2\",\"do\":[\"fin\"]}]", NONE, 0 },
        { "[{\"on\":\"reuse\",\"connection\":\"2-\",\"do\":[\"fin\"]}]", NONE, 0 },
        { "[{\"on\":\"response\",\"times\":1,\"do\":[{\"throttle\":{\"rate\":100000}}]}]", NONE,
          0 },
        { "[{\"on\":\"idle\",\"after\":\"60s\",\"over\":\"h1\",\"do\":[\"close_notify\"]}]", NONE,
          0 },
        /* Not yet, unless it has been idle or there for longer; one with a time comes first. */
        { "[{\"on\":\"reuse\",\"idle\":\"50s\",\"do\":[\"fin\"]}]", 0, 50000 },
        { "[{\"on\":\"request\",\"age\":\"40s\",\"do\":[\"fin\"]}]", 0, 40000 },
        { "[{\"on\":\"reuse\",\"do\":[\"fin\"]},{\"on\":\"idle\",\"after\":\"60s\",\"do\":[\"fin\"]"
          "}]",
          1, 60000 },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        open_with(rows[i].rules, H1);
        send_request();
        await("response_end", 1);
        leave();
        const json_t *over = event_called(events, "connection_end"),
                     *rule = json_object_get(over, "rule"),
                     *due = json_object_get(over, "due_in_ms");
        if ((rule ? json_integer_value(rule) : NONE) != rows[i].rule || !due != !rows[i].most)
            fail_msg("row %zu: %s rule, %s time", i, rule ? "a" : "no", due ? "a" : "no");
        if (due)
            assert_in_range(json_number_value(due), rows[i].most - PATIENCE / REAL_MS,
                            rows[i].most);
        close_peer(&peer);
    }
}

/* It says so with its request, and both end the connection for it. */
static void a_client_that_asks_for_close_leaves_before_its_reuse(void **state)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    open_with("[{\"on\":\"reuse\",\"do\":[\"fin\"]}]", H1);
    peer_record(&peer, request, sizeof request - 1);
    peer_send_out(&peer);
    await("response_end", 1);
    leave();
    const json_t *over = event_called(events, "connection_end");
    assert_int_equal(number_in(over, "rule"), 0);
    assert_null(json_object_get(over, "due_in_ms"));
    close_peer(&peer);
}

/* It was not idle, and nothing was answered; the next request would meet the rule again. */
static void a_client_leaves_in_the_middle(void **state)
{
    open_with("[{\"on\":\"request\",\"do\":[\"hold\"]}]", H1);
    send_request();
    await("request_complete", 1);
    leave();
    const json_t *left = event_called(events, "peer_fin"),
                 *over = event_called(events, "connection_end");
    assert_int_equal(number_in(over, "answered"), 0);
    assert_int_equal(number_in(over, "rule"), 0);
    assert_null(json_object_get(over, "due_in_ms"));
    assert_null(json_object_get(over, "idle_ms"));
    assert_null(json_object_get(left, "idle_ms"));
    close_peer(&peer);
}

/* It knows of the GOAWAY once its kernel was seen to have ACKed it. */
static void a_client_says_goaway_under_ours(void **state)
{
    static const uint8_t goaway[8] = { 0 };
    open_with("[{\"on\":\"response\",\"at\":\"end\",\"over\":\"h2\",\"do\":[\"goaway\"]}]", H2);
    send_request();
    await("fault_acked", 1);
    send_frame(7, 0, 0, goaway, sizeof goaway);
    await("peer_goaway", 1);
    leave();
    const json_t *said = event_called(events, "peer_goaway");
    assert_int_equal(number_in(said, "fault"), fault_of("goaway"));
    assert_null(json_object_get(said, "last_fault"));
    assert_true(json_is_false(json_object_get(said, "crossed")));
    assert_true(ms_in(said, "after_fault_ms") >= 0);
    assert_true(ms_in(said, "idle_ms") >= 0);
    close_peer(&peer);
}

/* It opens a stream of which no more than this comes, and leaves. */
static void stream_disowned_in_part(uint8_t flags, size_t len)
{
    open_with("[{\"on\":\"response\",\"at\":\"end\",\"over\":\"h2\",\"do\":[\"goaway\"]}]", H2);
    send_request();
    await("fault_acked", 1);
    static const uint8_t head[] = { 0, 0, 3, 1, 0, 0, 0, 0, 3, 0x82, 0x86, 0x84 };
    struct buf bytes = { 0 };
    buf_add(&bytes, head, len);
    bytes.data[4] = flags;
    peer_record(&peer, buf_bytes(&bytes), buf_len(&bytes));
    buf_free(&bytes);
    peer_send_out(&peer);
    leave();
    const json_t *stale = event_called(events, "stale_request");
    assert_non_null(stale);
    assert_member((json_t *)stale, "sent_into", "goaway");
    assert_int_equal(number_in(stale, "stream"), 3);
    assert_int_equal(number_in(stale, "fault"), fault_of("goaway"));
    assert_true(json_is_false(json_object_get(stale, "complete")));
    close_peer(&peer);
}

static void half_a_request_behind_our_goaway_is_told(void **state)
{
    stream_disowned_in_part(0x05, 10); /* a part of its frame */
    stream_disowned_in_part(0x01, 12); /* CONTINUATION does not come */
    stream_disowned_in_part(0x05, 12); /* its fields are not whole: malformed */
}

static void say(const char *text)
{
    peer_record(&peer, (const uint8_t *)text, strlen(text));
    peer_send_out(&peer);
}

/* Its Connection: close has ended what is served, and it asks for more, with that or later. */
static void what_is_asked_behind_the_last_request_is_told(void **state)
{
#define LAST "GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
#define MORE "POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nxy"
    static const struct {
        const char *first, *later;
    } rows[] = {
        { LAST MORE, NULL },
        { LAST, MORE },
        { LAST "POST /b HT", "TP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nxy" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        open_with("[{\"on\":\"reuse\",\"do\":[\"rst\"]}]", H1);
        say(rows[i].first);
        await("response_end", 1);
        if (rows[i].later)
            say(rows[i].later);
        leave();
        size_t k, asked = 0, lost = 0;
        json_t *event;
        json_array_foreach(events, k, event)
        {
            const char *name = json_string_value(json_object_get(event, "event"));
            asked += strcmp(name, "request") == 0;
            lost += strcmp(name, "exchange_lost") == 0;
        }
        assert_int_equal(asked, 2);
        assert_int_equal(lost, 1);
        const json_t *told = event_called(events, "exchange_lost");
        assert_int_equal(number_in(told, "exchange"), 2);
        assert_member((json_t *)told, "reached", "complete");
        assert_member((json_t *)told, "lost_by", "client_fin");
        assert_int_equal(number_in(event_called(events, "connection_end"), "answered"), 1);
        close_peer(&peer);
    }
}

/* Whether our kernel had heard of its leaving as the fault came, which is read later either way. */
static void a_client_leaves_before_or_behind_a_fault(void **state)
{
    static const char *const steps[] = { "fin", "stall", "forget" };
    for (size_t i = 0; i < 2 * COUNT(steps); i++) {
        bool before = i % 2;
        uint64_t seq;
        unsigned woken;
        struct refusal why;
        char rules[100];
        snprintf(rules, sizeof rules, "[{\"on\":\"mark\",\"name\":\"m\",\"do\":[\"%s\"]}]",
                 steps[i / 2]);
        open_with(rules, H1);
        send_request();
        await("response_end", 1);
        if (before)
            shutdown(peer.fd, SHUT_WR);
        assert_int_equal(run_mark(run, "m", clock_now(), &seq, &woken, &why), 0);
        assert_int_equal(woken, 1);
        if (!before)
            shutdown(peer.fd, SHUT_WR);
        if (strcmp(steps[i / 2], "forget") == 0 && caps_have(CAP_REPAIR)) {
            close_peer(&peer); /* its FIN is no event there */
            continue;
        }
        await("peer_fin", 1);
        look_back();
        const json_t *left = event_called(events, "peer_fin");
        assert_int_equal(number_in(left, "fault"), fault_of(steps[i / 2]));
        assert_true(before == !json_object_get(left, "behind_fault"));
        close_peer(&peer);
    }
}

/* The first fault, and the last. */
static void a_client_leaves_under_a_goaway_and_a_fin(void **state)
{
    open_with("[{\"on\":\"response\",\"at\":\"end\",\"over\":\"h2\",\"do\":"
              "[\"goaway\",{\"wait\":\"1ms\"},\"fin\"]}]",
              H2);
    send_request();
    await("fault_acked", 2);
    leave();
    const json_t *left = event_called(events, "peer_fin");
    assert_int_equal(number_in(left, "fault"), fault_of("goaway"));
    assert_int_equal(number_in(left, "last_fault"), fault_of("fin"));
    assert_true(json_is_false(json_object_get(left, "crossed")));
    assert_true(ms_in(left, "after_fault_ms") >= 1);
    close_peer(&peer);
}

static void a_client_says_goaway_under_two_faults(void **state)
{
    static const uint8_t goaway[8] = { 0 };
    open_with("[{\"on\":\"response\",\"at\":\"end\",\"over\":\"h2\",\"do\":"
              "[\"goaway\",{\"wait\":\"1ms\"},\"fin\"]}]",
              H2);
    send_request();
    await("fault_acked", 2);
    send_frame(7, 0, 0, goaway, sizeof goaway);
    await("peer_goaway", 1);
    look_back();
    const json_t *said = event_called(events, "peer_goaway");
    assert_int_equal(number_in(said, "fault"), fault_of("goaway"));
    assert_int_equal(number_in(said, "last_fault"), fault_of("fin"));
    close_peer(&peer);
}

static void a_client_cannot_know_of_what_has_not_left(void **state)
{
    open_with("[{\"on\":\"accept\",\"do\":[{\"throttle\":{\"rate\":10}}]},"
              "{\"on\":\"response\",\"at\":{\"bytes\":1},\"do\":[{\"wait\":\"1ms\"},\"fin\"]}]",
              H1);
    send_request();
    await("fault", 2);
    leave();
    const json_t *left = event_called(events, "peer_fin");
    assert_int_equal(number_in(left, "fault"), fault_of("fin"));
    assert_true(json_is_true(json_object_get(left, "crossed")));
    close_peer(&peer);
}

/* Nor can one whose kernel has no room for what stands before our FIN: its request crosses it. */
static void a_request_crosses_a_fin_that_has_not_come(void **state)
{
    enum { BODY = 60000 };
    static char rules[BODY + 200];
    int len =
        snprintf(rules, sizeof rules, "[{\"on\":\"request\",\"do\":[{\"respond\":{\"body\":\"");
    memset(rules + len, 'x', BODY);
    snprintf(rules + len + BODY, sizeof rules - (size_t)len - BODY,
             "\"}}]},{\"on\":\"response\",\"nth\":6,\"at\":\"end\",\"do\":[\"fin\"]}]");
    open_with(rules, H1);
    send_request(); /* and nothing is read: its window is full before the last answer */
    for (size_t n = 1; n < 6; n++) {
        await("response_end", n);
        send_request();
    }
    await("fault_done", 7);
    send_request();
    await("stale_request", 1);
    look_back();
    const json_t *stale = event_called(events, "stale_request");
    assert_int_equal(number_in(stale, "fault"), fault_of("fin"));
    assert_member((json_t *)stale, "fin_acked", "crossed");
    assert_member(event_called(events, "stale_bytes"), "fin_acked", "crossed");
    close_peer(&peer);
}

/* What has not left at all crosses nothing: a request is served, or lost to the fault, and its
 * client's leaving is no answer to it. */
static void a_request_before_the_fin_has_left_is_not_stale(void **state)
{
    open_with("[{\"on\":\"accept\",\"do\":[{\"throttle\":{\"rate\":10}}]},"
              "{\"on\":\"response\",\"at\":{\"bytes\":1},\"do\":[{\"wait\":\"1ms\"},\"fin\"]}]",
              H1);
    send_request();
    await("fault", 2);
    send_request();
    await("request", 2);
    leave();
    assert_int_equal(count_events(events, "stale_request"), 0);
    assert_true(json_is_true(json_object_get(event_called(events, "peer_fin"), "crossed")));
    close_peer(&peer);
}

/* What was held by the first is lost to it, though the second ends the connection. */
static void an_exchange_is_lost_to_the_first_fault(void **state)
{
    open_with("[{\"on\":\"request\",\"at\":\"headers\",\"over\":\"h2\",\"do\":"
              "[{\"goaway\":{\"last\":\"seen\",\"then_hold\":true}},{\"wait\":\"1ms\"},\"fin\"]}]",
              H2);
    send_request();
    await("exchange_lost", 1);
    leave();
    const json_t *lost = event_called(events, "exchange_lost");
    assert_int_equal(number_in(lost, "fault"), fault_of("goaway"));
    assert_int_equal(number_in(lost, "last_fault"), fault_of("fin"));
    close_peer(&peer);
}

static void a_client_resets_what_it_cannot_read(void **state)
{
    const struct linger at_once = { .l_onoff = 1 };
    open_with("[{\"on\":\"request\",\"at\":\"headers\",\"do\":[{\"inject\":{\"text\":\"x\"}}]}]",
              H1);
    send_request();
    await("response_end", 1);
    setsockopt(peer.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    int other = open("/dev/null", O_RDONLY);
    dup2(other, peer.fd);
    close(other);
    await("connection_end", 1);
    json_decref(events);
    events = events_since(peer.since);
    const json_t *reset_event = event_called(events, "peer_rst");
    assert_non_null(reset_event);
    assert_int_equal(number_in(reset_event, "fault"), fault_of("inject"));
    assert_true(ms_in(reset_event, "after_fault_ms") >= 0);
    assert_true(ms_in(reset_event, "idle_ms") >= 0);
    close_peer(&peer);
}

static void what_was_before_a_reset_is_forgotten(void **state)
{
    open_with("[{\"on\":\"request\",\"at\":\"headers\",\"do\":[{\"inject\":{\"text\":\"x\"}}]}]",
              H1);
    send_request();
    await("response_end", 1);
    run_reset(run);
    await("cleared", 1);
    peer.since = now_in_ledger();
    leave();
    assert_null(json_object_get(event_called(events, "peer_fin"), "fault"));
    close_peer(&peer);
}

static void a_ping_of_ours_is_told(void **state)
{
    open_with("[{\"on\":\"request\",\"at\":\"headers\",\"over\":\"h2\",\"do\":"
              "[{\"ping\":{\"opaque\":\"0102030405060708\"}}]}]",
              H2);
    send_request();
    await("response_end", 1);
    leave();
    const json_t *sent = event_called(events, "ping_sent");
    assert_member((json_t *)sent, "opaque", "0102030405060708");
    assert_int_equal(number_in(sent, "fault"), fault_of("ping"));
    close_peer(&peer);
}

static void what_a_hole_swallows_is_counted_between_two_looks(void **state)
{
    if (!caps_have(CAP_BLACK_HOLE))
        return;
    open_with("[{\"on\":\"response\",\"at\":\"end\",\"do\":[\"black_hole\"]}]", H1);
    send_request();
    await("fault_done", 1);
    send_request();
    await("segments_dropped", 1);
    events = events_since(peer.since);
    const json_t *dropped = event_called(events, "segments_dropped");
    assert_true(ms_in(dropped, "sampled_ms") > 0);
    assert_true(ms_in(dropped, "sampled_ms") <= ms_in(dropped, "after_fault_ms") + 0.002);
    close_peer(&peer);
}

static int forget(void **state)
{
    json_decref(events);
    events = NULL;
    return rig_reset(state);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, forget)
    const struct CMUnitTest tests[] = {
        TEST(a_client_leaves_before_a_rule_is_due),
        TEST(a_rule_that_waits_for_a_request_is_armed),
        TEST(a_client_that_asks_for_close_leaves_before_its_reuse),
        TEST(a_client_leaves_in_the_middle),
        TEST(a_client_says_goaway_under_ours),
        TEST(half_a_request_behind_our_goaway_is_told),
        TEST(what_is_asked_behind_the_last_request_is_told),
        TEST(a_client_leaves_before_or_behind_a_fault),
        TEST(a_client_leaves_under_a_goaway_and_a_fin),
        TEST(a_client_says_goaway_under_two_faults),
        TEST(a_client_cannot_know_of_what_has_not_left),
        TEST(a_request_crosses_a_fin_that_has_not_come),
        TEST(a_request_before_the_fin_has_left_is_not_stale),
        TEST(an_exchange_is_lost_to_the_first_fault),
        TEST(a_client_resets_what_it_cannot_read),
        TEST(what_was_before_a_reset_is_forgotten),
        TEST(a_ping_of_ours_is_told),
        TEST(what_a_hole_swallows_is_counted_between_two_looks),
    };
    return cmocka_run_group_tests_name("leaves", tests, rig_start, rig_stop);
}
