/* What a step does to the client, by its arguments: a client may be blamed for not repeating what
 * was refused, and not for what was only said.
 */
#include "harness/run_client.h"

static json_t *events;

static size_t awaited; /* so many faults */

static bool has_faults(void)
{
    json_decref(events);
    events = events_since(0);
    return count_events(events, "fault") >= awaited;
}

/* Has these rules, and a client that sends this; returns the last of so many faults, which is in
 * events. */
static json_t *last_fault(const char *rules, const char *bytes, size_t n, size_t count, int *client)
{
    run_reset(run); /* which empties the ledger */
    set_rules(rules);
    *client = connect_client();
    assert_int_equal(send(*client, bytes, n, 0), n);
    awaited = count;
    if (!run_until(has_faults, PATIENCE))
        fail_msg("%s: no fault", rules);
    for (size_t i = json_array_size(events); i-- > 0;) {
        json_t *event = json_array_get(events, i);
        if (strcmp(json_string_value(json_object_get(event, "event")), "fault") == 0)
            return event;
    }
    return NULL;
}

static void forget(int client)
{
    json_decref(events);
    events = NULL;
    end_client(client);
}

static void each_step_has_its_class(void **state)
{
    static const struct {
        const char *step, *class, *scope;
        size_t before; /* faults before the one that is meant */
    } rows[] = {
        { "{\"respond\":{\"status\":408}}", "refuses", "stream", 0 },
        { "{\"respond\":{\"status\":421}}", "refuses", "stream", 0 },
        { "{\"respond\":{\"status\":425}}", "refuses", "stream", 0 },
        { "{\"respond\":{\"status\":429}}", "refuses", "stream", 0 },
        { "{\"respond\":{\"status\":500}}", "refuses", "stream", 0 },
        { "{\"respond\":{\"status\":503}}", "refuses", "stream", 0 },
        { "{\"respond\":{\"status\":200}}", "says", "stream", 0 },
        { "{\"respond\":{\"status\":302}}", "says", "stream", 0 },
        { "{\"respond\":{\"status\":404}}", "says", "stream", 0 },
        { "{\"header\":{\"name\":\"A\",\"value\":\"b\"}}", "says", "stream", 0 },
        { "{\"delay\":\"1ms\"}", "holds", "stream", 0 },
        { "{\"throttle\":{\"rate\":100000}}", "shapes", "connection", 0 },
        { "{\"throttle\":{\"rate\":9999}},{\"throttle\":{\"rate\":0}}", "repairs", "connection",
          1 },
        { "{\"drip\":{\"chunk\":1000,\"every\":\"1ms\"}}", "shapes", "connection", 0 },
        { "{\"throttle\":{\"rate\":9999}},{\"drip\":{\"chunk\":0}}", "repairs", "connection", 1 },
        { "{\"cut\":{\"after\":10}}", "cuts", "connection", 0 },
        { "{\"inject\":{\"text\":\"x\"}}", "cuts", "connection", 0 },
        { "\"fin\"", "ends", "connection", 0 },
        { "\"rst\"", "ends", "connection", 0 },
        { "\"forget\"", "silences", "connection", 0 },
        { "\"stall\"", "silences", "connection", 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char rules[300];
        snprintf(rules, sizeof rules, "[{\"on\":\"request\",\"at\":\"headers\",\"do\":[%s]}]",
                 rows[i].step);
        int client;
        json_t *fault = last_fault(rules, REQUEST, strlen(REQUEST), 1 + rows[i].before, &client);
        assert_member(fault, "class", rows[i].class);
        assert_member(fault, "scope", rows[i].scope);
        forget(client);
    }
}

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
#define HEADERS "\0\0\6\1\5\0\0\0\7\x82\x86\x84\x41\1x" /* GET / on stream 7 */

static void steps_of_http2_have_their_class(void **state)
{
    static const struct {
        const char *rule, *class, *scope;
        int last;      /* of a GOAWAY; -1: it is none */
        size_t before; /* faults before the one that is meant */
    } rows[] = {
        { "\"request\",\"at\":\"headers\",\"do\":[{\"goaway\":{\"last\":\"seen\"}}]", "refuses",
          "connection", 7, 0 },
        { "\"request\",\"at\":\"headers\",\"do\":[{\"goaway\":{\"last\":\"none\"}}]", "refuses",
          "connection", 0, 0 },
        { "\"request\",\"at\":\"headers\",\"do\":[{\"goaway\":{\"last\":5}}]", "refuses",
          "connection", 5, 0 },
        { "\"request\",\"at\":\"headers\",\"do\":[\"goaway_notice\"]", "says", "connection", -1,
          0 },
        { "\"request\",\"at\":\"headers\",\"do\":[\"ping\"]", "says", "connection", -1, 0 },
        { "\"request\",\"at\":\"headers\",\"do\":[\"refuse\"]", "refuses", "stream", -1, 0 },
        { "\"request\",\"at\":\"headers\",\"do\":[{\"rst_stream\":\"REFUSED_STREAM\"}]", "refuses",
          "stream", -1, 0 },
        { "\"request\",\"at\":\"headers\",\"do\":[{\"rst_stream\":\"CANCEL\"}]", "ends", "stream",
          -1, 0 },
        { "\"response\",\"at\":\"end\",\"do\":[{\"rst_stream\":\"NO_ERROR\"}]", "says", "stream",
          -1, 0 },
        { "\"protocol\",\"do\":[{\"window\":{\"initial\":0}}]", "holds", "connection", -1, 0 },
        { "\"protocol\",\"do\":[{\"window\":{\"update\":false}}]", "holds", "connection", -1, 0 },
        { "\"protocol\",\"do\":[{\"window\":{\"initial\":1000}}]", "shapes", "connection", -1, 0 },
        { "\"protocol\",\"do\":[{\"max_streams\":1}]", "refuses", "connection", -1, 0 },
        { "\"protocol\",\"do\":[\"ignore_pings\"]", "shapes", "connection", -1, 0 },
        { "\"protocol\",\"do\":[\"ignore_settings\",{\"ignore_settings\":{\"on\":false}}]",
          "repairs", "connection", -1, 1 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char rules[300];
        snprintf(rules, sizeof rules, "[{\"over\":\"h2\",\"on\":%s}]", rows[i].rule);
        int client;
        json_t *fault = last_fault(rules, PREFACE HEADERS, sizeof(PREFACE HEADERS) - 1,
                                   1 + rows[i].before, &client);
        assert_member(fault, "class", rows[i].class);
        assert_member(fault, "scope", rows[i].scope);
        if (rows[i].last >= 0)
            assert_int_equal(number_in(fault, "last_stream"), rows[i].last);
        else
            assert_null(json_object_get(fault, "last_stream"));
        forget(client);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, rig_reset)
    const struct CMUnitTest tests[] = {
        TEST(each_step_has_its_class),
        TEST(steps_of_http2_have_their_class),
    };
    return cmocka_run_group_tests_name("step class", tests, rig_start, rig_stop);
}
