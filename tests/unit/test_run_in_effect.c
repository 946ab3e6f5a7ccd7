/* Of each fault the ledger says once whether it took effect: in effect by then, or never. All steps
 * that act on a connection are tried here; test_listening has those of listeners.
 */
#include "harness/run_books.h"

#include "mode/language.h"
#include "wire/caps.h"

#define AT_HEADERS(steps)  "[{\"on\":\"request\",\"at\":\"headers\",\"do\":[" steps "]}]"
#define AT_PROTOCOL(steps) "[{\"over\":\"h2\",\"on\":\"protocol\",\"do\":[" steps "]}]"
#define AT_H2(steps)       "[{\"over\":\"h2\",\"on\":\"request\",\"at\":\"headers\",\"do\":[" steps "]}]"
#define SLOW               "{\"on\":\"accept\",\"do\":[{\"throttle\":{\"rate\":10}}]}," /* a second */
#define LATER(step)                                                                                \
    "[" SLOW "{\"on\":\"response\",\"at\":{\"bytes\":1},\"do\":[{\"wait\":\"5ms\"}," step "]}]"
/* Our SETTINGS take seconds, and the step's frame waits behind them. */
#define SLOW_H2(step)                                                                              \
    "[" SLOW "{\"over\":\"h2\",\"on\":\"request\",\"at\":\"headers\",\"do\":[" step "]}]"
#define RESPOND(status) "{\"respond\":{\"status\":" #status "}}"
#define EXPECTS         "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
#define HEADER(value)   "{\"header\":{\"name\":\"A\",\"value\":\"" value "\"}}"

static const struct row {
    const char *rules, *step;
    bool in_effect;
    enum http http;
    enum over over;
    bool undone_first;   /* of two of these, the first is not */
    bool waits;          /* its frame does, so that where it ends is not told */
    int capability;      /* 1 + CAP_...; 0: none */
    const char *request; /* NULL: one without anything of note */
} rows[] = {
    { AT_HEADERS("\"fin\""), "fin", true, .http = H1 },
    { AT_HEADERS("{\"fin\":{\"exact\":true}}"), "fin", true, .http = H1 },
    { AT_HEADERS("{\"fin\":{\"notify\":true}}"), "fin", true, .over = TLS13 },
    { LATER("\"fin\""), "fin", false, .http = H1 },
    { AT_HEADERS("\"rst\""), "rst", true, .http = H1 },
    { AT_HEADERS("{\"rst\":{\"drain\":true}}"), "rst", true, .http = H1 },
    { AT_HEADERS("\"fin\",{\"rst\":{\"drain\":true}}"), "rst", true, .http = H1 },
    { LATER("{\"rst\":{\"drain\":true}}"), "rst", false, .http = H1 },
    { LATER("{\"rst\":{\"drain\":true}}]},{\"on\":\"response\",\"at\":{\"bytes\":1},\"do\":[{"
            "\"wait\":\"10ms\"},\"rst\""),
      "rst", true, .undone_first = true },
    { LATER("\"fin\",\"rst\""), "fin", false, .http = H1 },
    { AT_HEADERS("\"forget\""), "forget", true, .http = H1 },
    { AT_HEADERS("{\"forget\":{\"exact\":true}}"), "forget", true, .capability = 1 + CAP_REPAIR },
    { LATER("\"forget\""), "forget", false, .http = H1 },
    { AT_HEADERS("\"stall\""), "stall", true, .http = H1 },
    { LATER("\"stall\",{\"wait\":\"1ms\"},\"resume\""), "stall", false, .http = H1 },
    { AT_HEADERS("\"stall\",{\"wait\":\"1ms\"},\"resume\""), "resume", true, .http = H1 },
    { AT_HEADERS("\"black_hole\""), "black_hole", true, .capability = 1 + CAP_BLACK_HOLE },
    { LATER("\"black_hole\""), "black_hole", false, .capability = 1 + CAP_BLACK_HOLE },
    { AT_HEADERS("\"black_hole\",{\"wait\":\"1ms\"},\"heal\""), "heal", true,
      .capability = 1 + CAP_BLACK_HOLE },
    { AT_HEADERS("\"close_notify\""), "close_notify", true, .over = TLS13 },
    { AT_HEADERS("\"alert\""), "alert", true, .over = TLS12 },
    { AT_HEADERS("{\"throttle\":{\"rate\":1000000}}"), "throttle", true, .http = H1 },
    { AT_HEADERS("{\"drip\":{\"chunk\":100,\"every\":\"1ms\"}}"), "drip", true, .http = H1 },
    { AT_HEADERS("{\"cut\":{\"after\":10}}"), "cut", true, .http = H1 },
    { AT_HEADERS("{\"cut\":{\"after\":10,\"how\":\"rst\"}}"), "cut", true, .http = H1 },
    { AT_HEADERS("{\"cut\":{\"after\":10,\"how\":\"stall\"}}"), "cut", true, .http = H1 },
    { AT_HEADERS("{\"cut\":{\"after\":100000}}"), "cut", false, .http = H1 },
    { AT_HEADERS("{\"cut\":{\"after\":100000}},{\"cut\":{\"after\":10}}"), "cut", true,
      .undone_first = true },
    { AT_HEADERS("{\"inject\":{\"text\":\"x\"}}"), "inject", true, .http = H1 },
    { AT_HEADERS("{\"delay\":\"1ms\"}"), "delay", true, .http = H1 },
    { AT_HEADERS("\"hold\""), "hold", true, .http = H1 },
    { AT_HEADERS(RESPOND(503)), "respond", true, .http = H1 },
    { AT_HEADERS(RESPOND(503) "," RESPOND(404)), "respond", true, .undone_first = true },
    { AT_HEADERS(RESPOND(503) ",\"hold\""), "respond", false, .http = H1 },
    { AT_HEADERS(HEADER("b") ",\"hold\""), "header", false, .http = H1 },
    { AT_HEADERS(HEADER("b")), "header", true, .http = H1 },
    { AT_HEADERS(HEADER("b") "," HEADER("c")), "header", true, .undone_first = true },
    { AT_HEADERS("\"no_continue\""), "no_continue", true, .request = EXPECTS },
    { AT_HEADERS("{\"interim\":103}"), "interim", true, .http = H1 },
    { AT_H2("\"goaway\""), "goaway", true, .http = H2 },
    { AT_H2("\"goaway_notice\""), "goaway_notice", true, .http = H2 },
    { AT_H2("\"ping\""), "ping", true, .http = H2 },
    { AT_H2("\"rst_stream\""), "rst_stream", true, .http = H2 },
    { AT_H2("\"refuse\""), "refuse", true, .http = H2 },
    { SLOW_H2("\"rst_stream\""), "rst_stream", false, .http = H2 },
    { "[{\"on\":\"accept\",\"do\":[{\"throttle\":{\"rate\":500}}]},{\"over\":\"h2\",\"on\":"
      "\"request\",\"at\":\"headers\",\"do\":[\"rst_stream\"]}]",
      "rst_stream", true, .http = H2, .waits = true },
    { SLOW_H2("\"refuse\""), "refuse", false, .http = H2 },
    { SLOW_H2("\"goaway\""), "goaway", false, .http = H2 },
    { SLOW_H2("\"goaway_notice\""), "goaway_notice", false, .http = H2 },
    { AT_PROTOCOL("\"ignore_pings\""), "ignore_pings", true, .http = H2 },
    { AT_PROTOCOL("\"ignore_settings\""), "ignore_settings", true, .http = H2 },
    { AT_PROTOCOL("{\"window\":{\"initial\":0}}"), "window", true, .http = H2 },
    { AT_PROTOCOL("{\"max_streams\":1}"), "max_streams", true, .http = H2 },
};

static const struct row *row;
static struct peer peer;

static bool is_of_the_step(const json_t *event, const char *name)
{
    const char *step = json_string_value(json_object_get(event, "step"));
    return strcmp(json_string_value(json_object_get(event, "event")), name) == 0 &&
           strcmp(step ? step : "", row->step) == 0;
}

/* Its step has happened, and if it is to take effect, that is told. */
static bool happened(void)
{
    json_t *events = events_since(peer.since), *event;
    size_t i, count = 0, wanted_count = 1 + row->undone_first;
    json_array_foreach(events, i, event) count +=
        is_of_the_step(event, row->in_effect ? "fault_done" : "fault");
    json_decref(events);
    return count >= wanted_count;
}

static void assert_told_as_it_is(void)
{
    static const char *const says_something[] = { "fin",        "goaway", "goaway_notice", "alert",
                                                  "rst_stream", "refuse", "close_notify" };
    json_t *events = events_since(peer.since), *event;
    size_t i, nth = 0;
    json_array_foreach(events, i, event)
    {
        const json_t *in_effect = json_object_get(event, "in_effect");
        if (!in_effect || !is_of_the_step(event, "fault_done"))
            continue;
        bool expected = row->in_effect && !(row->undone_first && nth == 0);
        bool says = false;
        for (size_t k = 0; k < COUNT(says_something); k++)
            says |= strcmp(row->step, says_something[k]) == 0;
        if (strcmp(row->step, "header") == 0) /* the newest is told first */
            expected = row->in_effect && !(row->undone_first && nth == 1);
        if (json_is_true(in_effect) != expected)
            fail_msg("%s: fault_done %zu of %s is %s", row->rules, nth, row->step,
                     json_is_true(in_effect) ? "in effect" : "not");
        assert_true(expected || json_object_get(event, "why"));
        if ((json_object_get(event, "offset") != NULL) != (says && expected && !row->waits))
            fail_msg("%s: %s has %s offset", row->rules, row->step, says ? "no" : "an");
        nth++;
    }
    assert_int_equal(nth, 1 + row->undone_first);
    json_decref(events);
}

static void play(void)
{
    struct buf request = { 0 };
    run_reset(run);
    listener.tls = row->over != CLEARTEXT;
    set_rules(row->rules);
    open_peer(&peer, row->over, row->http);
    if (row->request)
        buf_text(&request, row->request);
    else
        peer_add_request(&peer, &request, 1);
    peer_record(&peer, buf_bytes(&request), buf_len(&request));
    peer_send_out(&peer);
    buf_free(&request);
    if (!run_until(happened, PATIENCE))
        fail_msg("%s: %s has not happened", row->rules, row->step);
    run_abort(run);
    assert_true(peer_sees(&peer, "connection_end", 1));
    check_books(&peer, row->rules);
    assert_told_as_it_is();
    close_peer(&peer);
}

static void each_fault_says_once_whether_it_took_effect(void **state)
{
    bool tried[STEP_COUNT] = { false };
    for (row = rows; row < rows + COUNT(rows); row++) {
        for (size_t i = 0; i < STEP_COUNT; i++)
            tried[i] |= strcmp(step_name(&step_rows[i]), row->step) == 0;
        if (!row->capability || caps_have((enum capability)(row->capability - 1)))
            play();
    }
    for (size_t i = 0; i < STEP_COUNT; i++)
        if (step_rows[i].fault && !step_rows[i].listener && !tried[i])
            fail_msg("%s is not tried", step_name(&step_rows[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(each_fault_says_once_whether_it_took_effect, rig_reset),
    };
    rig_tls = minted_server();
    int failed = cmocka_run_group_tests_name("in effect", tests, rig_start, rig_stop);
    tls_server_destroy(rig_tls);
    return failed;
}
