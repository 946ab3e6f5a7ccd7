/* test_h1_stop.c - the HTTP/1.1 engine: responses that stop at an octet, and continue. */
#include <errno.h>
#include <stdlib.h>

#include "harness/h1_rig.h"
#include "harness/memory.h"

#define NOWHERE UINT64_MAX

/* Requests of which each is answered in its own way. */
static const struct message {
    const char *request;
    int status;
    const char *interim;
    bool body;     /* the response has one */
    bool persists; /* the connection does */
} messages[] = {
    { GET, 200, "", true, true },
    { "HEAD /a?b HTTP/1.1\r\nHost: h\r\n\r\n", 200, "", false, true },
    { GET, 204, "", false, true },
    { GET, 404, "", true, true },
    { "GET / HTTP/1.0\r\n\r\n", 200, "", true, false },
    { POST(3) "abc", 200, "", true, true },
    { "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n", 200,
      "HTTP/1.1 100 Continue\r\n\r\n", true, true },
    { POST(9) "abc", 200, "", true, false }, /* answered early, by the engine itself */
    { "HEAD / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n", 200, "", false, false },
};
#define MESSAGES (sizeof messages / sizeof *messages)

/* Up to where the host answers: everything has come that comes before. */
static void begin(struct host *t, const struct message *m)
{
    host_init(t, NEVER);
    t->response.status = m->status;
    host_say(t, m->request);
    host_turns();
    if (*m->interim) {
        assert_string_equal(host_out(t), m->interim);
        host_say(t, "abc");
        host_turns();
    }
    assert_non_null(t->open);
    host_forget(t);
}

static void respond(struct host *t)
{
    assert_int_equal(engine_respond(t->open, &t->response), 0);
    host_turns();
}

/* How long the response is and where its content begins, when it stops nowhere. */
static size_t whole(const struct message *m, size_t *content)
{
    struct host t;
    size_t n;

    begin(&t, m);
    respond(&t);
    assert_string_equal(host_trace(&t), m->persists ? "responded " : "responded finished ");
    n = buf_len(&t.out);
    *content = (size_t)(strstr(host_out(&t), "\r\n\r\n") + 4 - host_out(&t));
    assert_int_equal(n, *content + (m->body ? 5 : 0));
    host_free(&t);
    return n;
}

static void assert_went_on(struct host *t, const struct message *m, size_t n)
{
    assert_ends(host_trace(t), m->persists ? "responded " : "responded finished ");
    assert_int_equal(buf_len(&t->out), n);
    if (!m->persists)
        return;
    host_forget(t); /* and the next response stops nowhere */
    t->response.status = 200;
    host_say(t, GET);
    host_turns();
    respond(t);
    assert_string_equal(host_trace(t), "begin2 " SEEN "responded ");
}

static void stops_at(const struct message *m, enum engine_stop of, uint64_t n, size_t expected,
                     size_t all)
{
    char stopped[40];
    struct host t;

    snprintf(stopped, sizeof stopped, "%s@%zu ", of == STOP_OCTETS ? "octets" : "content",
             expected);
    begin(&t, m);
    assert_int_equal(engine_stop_at(t.open, of, n), 0);
    respond(&t);
    engine_pump(t.engine);
    host_say(&t, m->persists ? GET : "");
    host_turns();
    assert_string_equal(host_trace(&t), stopped);
    assert_int_equal(buf_len(&t.out), expected);
    engine_continue(t.open);
    host_turns();
    if (m->persists) {
        assert_ends(host_trace(&t), "responded begin2 " SEEN);
        assert_int_equal(buf_len(&t.out), all);
        assert_int_equal(host_count(host_trace(&t), "@"), 1);
        respond(&t);
        assert_ends(host_trace(&t), "begin2 " SEEN "responded ");
    } else {
        assert_went_on(&t, m, all);
    }
    host_free(&t);
}

static void any_response_stops_at_any_octet(void **state)
{
    for (size_t i = 0; i < MESSAGES; i++) {
        size_t content, all = whole(&messages[i], &content);

        for (size_t n = 0; n <= all; n++)
            stops_at(&messages[i], STOP_OCTETS, n, n, all);
    }
}

static void any_response_stops_at_any_octet_of_its_content(void **state)
{
    for (size_t i = 0; i < MESSAGES; i++) {
        size_t content, all = whole(&messages[i], &content);

        for (size_t n = 0; n <= all - content; n++)
            stops_at(&messages[i], STOP_CONTENT, n, content + n, all);
    }
}

static void places_a_response_does_not_have_are_not_reached(void **state)
{
    for (size_t i = 0; i < MESSAGES; i++) {
        const struct message *m = &messages[i];
        size_t content, all = whole(m, &content);
        struct host t;

        begin(&t, m);
        assert_int_equal(engine_stop_at(t.open, STOP_OCTETS, i % 2 ? all + 1 : NOWHERE), 0);
        assert_int_equal(engine_stop_at(t.open, STOP_CONTENT, i % 2 ? all : NOWHERE), 0);
        engine_continue(t.open); /* of no effect when it does not stand */
        respond(&t);
        assert_int_equal(host_count(host_trace(&t), "@"), 0);
        assert_went_on(&t, m, all);
        host_free(&t);
    }
}

static void an_interim_response_that_waits_is_not_counted(void **state)
{
    const char *request = "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n"
                          "Expect: 100-continue\r\n\r\n";
    const size_t interim = strlen("HTTP/1.1 100 Continue\r\n\r\n");

    for (size_t had = 0; had <= interim; had++) {
        char expected[40];
        struct host t;

        host_init(&t, NEVER);
        t.room = had;
        host_say(&t, request);
        host_turns();
        assert_int_equal(buf_len(&t.out), had);
        host_say(&t, "abc");
        host_turns();
        host_forget(&t);
        assert_int_equal(engine_stop_at(t.open, STOP_OCTETS, 3), 0);
        assert_int_equal(engine_stop_at(t.open, STOP_CONTENT, 0), 0);
        respond(&t);
        t.room = SIZE_MAX;
        engine_pump(t.engine);
        host_turns();
        snprintf(expected, sizeof expected, "octets@%zu ", interim - had + 3);
        assert_string_equal(host_trace(&t), expected);
        assert_ends(host_out(&t), "HTT");
        engine_continue(t.open);
        host_turns();
        assert_int_equal(host_count(host_trace(&t), "content@"), 1);
        assert_ends(host_out(&t), "\r\n\r\n");
        assert_null(strstr(host_out(&t), "hello"));
        host_free(&t);
    }
}

static void continue_now(struct host *t, struct exchange *ex)
{
    engine_continue(ex);
}

static void going_on_from_inside_leaves_nothing_behind(void **state)
{
    for (size_t i = 0; i < MESSAGES; i++) {
        const struct message *m = &messages[i];
        size_t content, all = whole(m, &content);
        char expected[80];
        struct host t;

        begin(&t, m);
        t.stopped = continue_now;
        assert_int_equal(engine_stop_at(t.open, STOP_CONTENT, 0), 0);
        assert_int_equal(engine_stop_at(t.open, STOP_OCTETS, 10), 0);
        respond(&t);
        snprintf(expected, sizeof expected, "octets@10 content@%zu ", content);
        assert_begins(host_trace(&t), expected);
        assert_went_on(&t, m, all);
        host_free(&t);
    }
}

static void both_kinds_stop_at_one_place_one_after_the_other(void **state)
{
    size_t content, all = whole(&messages[0], &content);
    char expected[80];
    struct host t;

    begin(&t, &messages[0]);
    assert_int_equal(engine_stop_at(t.open, STOP_CONTENT, 0), 0);
    assert_int_equal(engine_stop_at(t.open, STOP_OCTETS, content), 0);
    respond(&t);
    snprintf(expected, sizeof expected, "octets@%zu ", content);
    assert_string_equal(host_trace(&t), expected);
    engine_continue(t.open);
    host_turns();
    snprintf(expected, sizeof expected, "octets@%zu content@%zu ", content, content);
    assert_string_equal(host_trace(&t), expected);
    engine_continue(t.open);
    host_turns();
    assert_went_on(&t, &messages[0], all);
    host_free(&t);
}

static void further(struct host *t, struct exchange *ex)
{
    uint64_t here = buf_len(&t->out);

    assert_int_equal(engine_stop_at(ex, STOP_OCTETS, here - 1), -EINVAL);
    assert_int_equal(engine_stop_at(ex, STOP_OCTETS, here + 1), 0);
    engine_continue(ex);
}

static void a_response_can_go_octet_by_octet(void **state)
{
    for (size_t i = 0; i < MESSAGES; i++) {
        const struct message *m = &messages[i];
        size_t content, all = whole(m, &content);
        struct host t;

        begin(&t, m);
        t.stopped = further;
        assert_int_equal(engine_stop_at(t.open, STOP_OCTETS, 1), 0);
        respond(&t);
        assert_int_equal(host_count(host_trace(&t), "octets@"), all);
        assert_went_on(&t, m, all);
        host_free(&t);
    }
}

static void a_place_is_set_again_before_it_continues(void **state)
{
    size_t content, all = whole(&messages[0], &content);
    struct host t;

    begin(&t, &messages[0]);
    assert_int_equal(engine_stop_at(t.open, STOP_OCTETS, 5), 0);
    respond(&t);
    assert_int_equal(engine_stop_at(t.open, STOP_OCTETS, 4), -EINVAL);
    assert_int_equal(engine_stop_at(t.open, STOP_OCTETS, 8), 0);
    assert_int_equal(engine_stop_at(t.open, STOP_CONTENT, 2), 0);
    host_turns();
    assert_string_equal(host_trace(&t), "octets@5 ");
    engine_continue(t.open);
    host_turns();
    assert_string_equal(host_trace(&t), "octets@5 octets@8 ");
    assert_string_equal(host_out(&t), "HTTP/1.1");
    engine_continue(t.open);
    host_turns();
    assert_ends(host_out(&t), "\r\n\r\nhe");
    assert_int_equal(engine_stop_at(t.open, STOP_CONTENT, 1), -EINVAL);
    engine_continue(t.open);
    host_turns();
    assert_went_on(&t, &messages[0], all);
    host_free(&t);
}

static void room_is_kept_to_on_the_way(void **state)
{
    for (size_t i = 0; i < MESSAGES; i++) {
        const struct message *m = &messages[i];
        size_t content, all = whole(m, &content);
        struct host t;

        begin(&t, m);
        t.room = 0;
        assert_int_equal(engine_stop_at(t.open, STOP_CONTENT, 0), 0);
        respond(&t);
        for (size_t n = 1; n <= content; n++) {
            assert_string_equal(host_trace(&t), "");
            t.room = 1;
            engine_pump(t.engine);
            assert_int_equal(buf_len(&t.out), n);
        }
        assert_begins(host_trace(&t), "content@");
        t.room = SIZE_MAX;
        engine_pump(t.engine);
        host_turns();
        assert_int_equal(buf_len(&t.out), content);
        engine_continue(t.open);
        host_turns();
        assert_went_on(&t, m, all);
        host_free(&t);
    }
}

static void a_large_response_stops_in_its_middle(void **state)
{
    static char big[1000000];
    const uint64_t places[] = { 1, 4096, 300001, 999999 };
    struct host t;

    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (char)('a' + i % 23);
    begin(&t, &messages[0]);
    t.response.body = big;
    t.response.body_len = sizeof big;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(engine_stop_at(t.open, STOP_CONTENT, places[i]), 0);
        if (i == 0)
            respond(&t);
        else
            engine_continue(t.open);
        for (int n = 0; n < 20; n++)
            host_turns();
        const char *content = strstr(host_out(&t), "\r\n\r\n") + 4;
        assert_int_equal(host_out(&t) + buf_len(&t.out) - content, places[i]);
        assert_memory_equal(content, big, places[i]);
        assert_int_equal(host_count(host_trace(&t), "content@"), i + 1);
    }
    engine_continue(t.open);
    host_turns();
    assert_ends(host_trace(&t), "responded ");
    assert_memory_equal(strstr(host_out(&t), "\r\n\r\n") + 4, big, sizeof big);
    host_free(&t);
}

/* --- What else can happen to it while it stands */

static void stopped_at(struct host *t, const struct message *m, uint64_t octets)
{
    begin(t, m);
    assert_int_equal(engine_stop_at(t->open, STOP_OCTETS, octets), 0);
    respond(t);
    assert_int_equal(host_count(host_trace(t), "octets@"), 1);
    assert_int_equal(buf_len(&t->out), octets);
}

static void destroying_it_while_it_stands_loses_the_exchange(void **state)
{
    for (size_t i = 0; i < MESSAGES; i++) {
        struct host t;

        stopped_at(&t, &messages[i], 20);
        host_forget(&t);
        engine_destroy(t.engine);
        t.engine = NULL;
        assert_string_equal(host_trace(&t), "lost ");
        assert_int_equal(buf_len(&t.out), 0);
        host_free(&t);
    }
}

static void the_end_of_the_input_and_a_shutdown_wait_for_it(void **state)
{
    for (size_t i = 0; i < MESSAGES; i++) {
        size_t content, all = whole(&messages[i], &content);
        struct host t;

        stopped_at(&t, &messages[i], 20);
        if (i % 2)
            engine_peer_closed(t.engine);
        else
            engine_shutdown(t.engine);
        host_turns();
        assert_string_equal(host_trace(&t), "octets@20 ");
        assert_int_equal(buf_len(&t.out), 20);
        engine_continue(t.open);
        host_turns();
        assert_string_equal(host_trace(&t), "octets@20 responded finished ");
        assert_int_equal(buf_len(&t.out), all);
        host_free(&t);
    }
}

static void what_is_held_while_it_stands_still_stands_afterwards(void **state)
{
    for (size_t i = 0; i < 2 * MESSAGES; i++) {
        const struct message *m = &messages[i / 2];
        size_t content, all = whole(m, &content);
        struct host t;

        stopped_at(&t, m, 20);
        engine_watch(t.engine, WATCH_HOLD);
        if (i % 2)
            engine_continue(t.open); /* takes effect when it is resumed */
        host_turns();
        engine_pump(t.engine);
        assert_int_equal(buf_len(&t.out), 20);
        engine_resume(t.engine);
        host_turns();
        if (i % 2 == 0) {
            assert_string_equal(host_trace(&t), "octets@20 ");
            assert_int_equal(buf_len(&t.out), 20);
            engine_continue(t.open);
            host_turns();
        }
        assert_went_on(&t, m, all);
        host_free(&t);
    }
}

static void watching_while_it_stands_ends_it(void **state)
{
    for (size_t i = 0; i < MESSAGES; i++) {
        struct host t;

        stopped_at(&t, &messages[i], 20);
        if (i % 2)
            engine_watch(t.engine, WATCH_HOLD);
        engine_watch(t.engine, WATCH_ONLY);
        engine_continue(t.open);
        assert_int_equal(engine_stop_at(t.open, STOP_OCTETS, 30), 0);
        host_turns();
        assert_int_equal(buf_len(&t.out), 20);
        host_free(&t);
    }
}

static void hold(struct host *t, struct exchange *ex)
{
    engine_watch(t->engine, WATCH_HOLD);
}

static void only(struct host *t, struct exchange *ex)
{
    engine_watch(t->engine, WATCH_ONLY);
    engine_continue(ex);
}

static void watching_from_inside_leaves_nothing_more_out(void **state)
{
    for (size_t i = 0; i < 2 * MESSAGES; i++) {
        const struct message *m = &messages[i / 2];
        size_t content, all = whole(m, &content);
        struct host t;

        begin(&t, m);
        t.stopped = i % 2 ? hold : only;
        assert_int_equal(engine_stop_at(t.open, STOP_CONTENT, 0), 0);
        respond(&t);
        assert_begins(host_trace(&t), "content@");
        assert_int_equal(buf_len(&t.out), content);
        if (i % 2) {
            engine_continue(t.open);
            host_turns();
            assert_int_equal(buf_len(&t.out), content);
            engine_resume(t.engine);
            host_turns();
            assert_went_on(&t, m, all);
        }
        host_free(&t);
    }
}

static void hold_when_five(struct host *t)
{
    if (buf_len(&t->out) == 5)
        engine_watch(t->engine, WATCH_HOLD);
}

static void a_place_reached_as_the_host_begins_to_hold_waits_for_resume(void **state)
{
    for (size_t i = 0; i < MESSAGES; i++) {
        struct host t;

        begin(&t, &messages[i]);
        t.put_out = hold_when_five;
        assert_int_equal(engine_stop_at(t.open, STOP_OCTETS, 5), 0);
        respond(&t);
        assert_string_equal(host_trace(&t), ""); /* no callback while it is held */
        t.put_out = NULL;
        engine_resume(t.engine);
        host_turns();
        assert_string_equal(host_trace(&t), "octets@5 ");
        host_free(&t);
    }
}

static void refusals_do_not_stop(void **state)
{
    struct host t;

    host_init(&t, NEVER);
    host_say(&t, "GET");
    assert_int_equal(engine_stop_at(t.open, STOP_OCTETS, 5), 0);
    assert_int_equal(engine_stop_at(t.open, STOP_CONTENT, 0), 0);
    host_say(&t, " / NO/1.1\r\n\r\n");
    host_turns();
    assert_string_equal(host_trace(&t), "begin1 error lost finished ");
    assert_begins(host_out(&t), "HTTP/1.1 400 ");
    host_free(&t);
}

static void a_place_comes_before_the_answer_or_is_refused(void **state)
{
    struct host t;

    begin(&t, &messages[0]);
    t.room = 20;
    respond(&t);
    assert_int_equal(engine_stop_at(t.open, STOP_OCTETS, 50), -EINVAL);
    t.room = SIZE_MAX;
    engine_pump(t.engine);
    host_turns();
    assert_string_equal(host_trace(&t), "responded ");
    host_free(&t);
}

static void without_memory_it_is_said_and_nothing_stops(void **state)
{
    struct host t;

    begin(&t, &messages[0]);
    memory_ends_after(0);
    assert_int_equal(engine_stop_at(t.open, STOP_OCTETS, 50), -ENOMEM);
    memory_restore();
    respond(&t);
    assert_string_equal(host_trace(&t), "responded ");
    host_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_response_stops_at_any_octet),
        cmocka_unit_test(any_response_stops_at_any_octet_of_its_content),
        cmocka_unit_test(places_a_response_does_not_have_are_not_reached),
        cmocka_unit_test(an_interim_response_that_waits_is_not_counted),
        cmocka_unit_test(going_on_from_inside_leaves_nothing_behind),
        cmocka_unit_test(both_kinds_stop_at_one_place_one_after_the_other),
        cmocka_unit_test(a_response_can_go_octet_by_octet),
        cmocka_unit_test(a_place_is_set_again_before_it_continues),
        cmocka_unit_test(room_is_kept_to_on_the_way),
        cmocka_unit_test(a_large_response_stops_in_its_middle),
        cmocka_unit_test(destroying_it_while_it_stands_loses_the_exchange),
        cmocka_unit_test(the_end_of_the_input_and_a_shutdown_wait_for_it),
        cmocka_unit_test(what_is_held_while_it_stands_still_stands_afterwards),
        cmocka_unit_test(watching_while_it_stands_ends_it),
        cmocka_unit_test(watching_from_inside_leaves_nothing_more_out),
        cmocka_unit_test(a_place_reached_as_the_host_begins_to_hold_waits_for_resume),
        cmocka_unit_test(refusals_do_not_stop),
        cmocka_unit_test(a_place_comes_before_the_answer_or_is_refused),
        cmocka_unit_test(without_memory_it_is_said_and_nothing_stops),
    };
    return cmocka_run_group_tests(tests, host_set_up, host_tear_down);
}
