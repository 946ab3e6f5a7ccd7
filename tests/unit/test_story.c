/* The lines for people that come of events. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "cli/story.h"

static struct story story;
static struct buf out;

static int setup(void **state)
{
    story = (struct story){ .colour = false };
    return 0;
}

static int teardown(void **state)
{
    buf_free(&out);
    return 0;
}

/* What is said of an event, behind its time and connection. */
static const char *told(const char *event)
{
    json_error_t error;
    json_t *json = json_loads(event, 0, &error);
    assert_non_null(json);
    buf_consume(&out, buf_len(&out));
    story_tell(&story, json, &out);
    json_decref(json);
    buf_add(&out, "", 1);
    out.end--;
    const char *line = (const char *)buf_bytes(&out);
    return strstr(event, "\"at\"") && *line ? line + 25 : line;
}

#define REQUEST                                                                                    \
    "{\"event\":\"request\",\"at\":\"2026-11-30T04:45:08.315257Z\",\"connection\":7,\"exchange\":" \
    "1,"                                                                                           \
    "\"first_byte_ms\":10.5,\"method\":\"GET\",\"target\":\"/a\"}"
#define OF_IT(event)                                                                               \
    "{\"event\":\"" event                                                                          \
    "\",\"at\":\"2026-11-30T04:45:08.315257Z\",\"connection\":7,\"exchange\":1"

static void a_request_is_told_when_it_is_answered(void **state)
{
    assert_string_equal(told(REQUEST), "");
    assert_string_equal(told(OF_IT("response_end") ",\"status\":200,\"ms\":12.75}"),
                        "GET /a 200  2.2 ms\n");
    assert_memory_equal(buf_bytes(&out), "04:45:08.315  conn 7     GET", 28);
}

static void a_request_is_told_when_it_is_lost(void **state)
{
    told(REQUEST);
    assert_string_equal(
        told(OF_IT("exchange_lost") ",\"lost_by\":\"client_fin\",\"why\":\"it\\u001b[2J left\"}"),
        "GET /a  not answered: client_fin, it\\x1b[2J left\n");
}

static void another_attempt_is_told_as_soon_as_it_is_known(void **state)
{
    told(REQUEST);
    assert_string_equal(told(OF_IT("request_complete") ",\"attempt\":1}"), "");
    assert_string_equal(told(OF_IT("request_complete") ",\"attempt\":2}"),
                        "retry: GET /a comes again, attempt 2\n");
}

static void that_the_server_did_not_run_is_told(void **state)
{
    assert_string_equal(told("{\"event\":\"server_paused\",\"at\":\"2026-11-30T04:45:08.315257Z\","
                             "\"from_ms\":9.1,\"to_ms\":412.3,\"paused_ms\":353.2}"),
                        "the server did not run for 353 ms\n");
    assert_string_equal(
        told("{\"event\":\"server_paused\",\"at\":\"2026-11-30T04:45:08.315257Z\","
             "\"from_ms\":9.1,\"to_ms\":59.3,\"paused_ms\":60000,\"slept_ms\":60000}"),
        "the server did not run for 60000 ms, as its machine slept\n");
}

static void what_came_before_we_looked_is_a_request(void **state)
{
    assert_string_equal(told(OF_IT("response_end") ",\"status\":503,\"ms\":12.75}"),
                        "a request 503\n");
}

static void the_oldest_of_too_many_is_forgotten(void **state)
{
    char event[300];
    for (int i = 1; i <= STORY_OPEN + 1; i++) {
        snprintf(event, sizeof event,
                 "{\"event\":\"request\",\"connection\":%d,\"exchange\":1,\"method\":\"GET\","
                 "\"target\":\"/%d\"}",
                 i, i);
        told(event);
    }
    assert_non_null(strstr(told("{\"event\":\"response_end\",\"connection\":1,\"exchange\":1,"
                                "\"status\":200}"),
                           "a request 200"));
    assert_non_null(strstr(told("{\"event\":\"response_end\",\"connection\":65,\"exchange\":1,"
                                "\"status\":200}"),
                           "GET /65 200"));
}

static void what_a_client_sends_does_not_speak_to_the_terminal(void **state)
{
    assert_string_equal(
        told("{\"event\":\"stale_request\",\"at\":\"2026-11-30T04:45:08.315257Z\","
             "\"connection\":7,\"method\":\"GET\",\"target\":\"/\\u001b]0;x\\u0007"
             "\\u009b\\u00e4\",\"sent_into\":\"fin_sent\",\"after_fault_ms\":1000.25,"
             "\"fin_acked\":\"acked\"}"),
        "stale request: GET /\\x1b]0;x\\x07\\xc2\\x9b\u00e4 sent into fin_sent, 1000.2 ms "
        "after the fault (FIN acked)\n");
}

static void colour_is_closed_again(void **state)
{
    story.colour = true;
    told("{\"event\":\"mark\",\"name\":\"background\"}");
    assert_string_equal((const char *)buf_bytes(&out),
                        "\033[2m\033[0m             \033[33mmark: background\033[0m\n");
}

static void every_event_is_told_on_request(void **state)
{
    assert_string_equal(told("{\"event\":\"peer_fin\",\"connection\":1,\"idle_ms\":2.5}"), "");
    story.all = true;
    assert_non_null(strstr(told("{\"event\":\"peer_fin\",\"connection\":1,\"idle_ms\":2.5,"
                                "\"note\":\"\\n\"}"),
                           "peer_fin idle_ms=2.5 note=\\x0a\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_request_is_told_when_it_is_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(a_request_is_told_when_it_is_lost, setup, teardown),
        cmocka_unit_test_setup_teardown(another_attempt_is_told_as_soon_as_it_is_known, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(that_the_server_did_not_run_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(what_came_before_we_looked_is_a_request, setup, teardown),
        cmocka_unit_test_setup_teardown(the_oldest_of_too_many_is_forgotten, setup, teardown),
        cmocka_unit_test_setup_teardown(what_a_client_sends_does_not_speak_to_the_terminal, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(colour_is_closed_again, setup, teardown),
        cmocka_unit_test_setup_teardown(every_event_is_told_on_request, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
