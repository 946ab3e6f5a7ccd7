/* test_admin_events.c - the admin API: how the ledger is read, and waited for. */
#include "harness/admin_rig.h"
#include "harness/memory.h"

static const char *name_of_event(size_t i)
{
    json_t *event = json_array_get(json_object_get(reply.json, "events"), i);
    return json_string_value(json_object_get(event, "name"));
}

static size_t event_count(void)
{
    return json_array_size(json_object_get(reply.json, "events"));
}

static void events_are_read_page_by_page(void **state)
{
    assert_int_equal(rig_get("/v1/runs/default/events"), 200);
    const char *started = strstr(reply.body, "\"started\":\"");
    assert_non_null(started);
    const char *dropped = strchr(started, ',');
    assert_string_equal(dropped, ",\"dropped\":0}\n");
    assert_memory_equal(reply.body, "{\"events\":[],\"next\":0,\"first\":0,\"last\":0,",
                        (size_t)(started - reply.body));
    for (int i = 0; i < 25; i++) {
        char name[8];
        snprintf(name, sizeof name, "m%d", i);
        rig_commit(name);
    }
    uint64_t since = 0, seen = 0;
    while (since < 25) {
        char target[64];
        snprintf(target, sizeof target, "/v1/runs/default/events?since=%d&max=10", (int)since);
        assert_int_equal(rig_get(target), 200);
        for (size_t i = 0; i < event_count(); i++, seen++) {
            char name[8];
            snprintf(name, sizeof name, "m%d", (int)seen);
            assert_string_equal(name_of_event(i), name);
        }
        assert_int_equal(reply_number("last"), 25);
        since = (uint64_t)reply_number("next");
        assert_int_equal(atoi(reply_field("Hangup-Next")), since);
    }
    assert_int_equal(seen, 25);
}

static void events_come_as_lines_to_who_asks_for_them(void **state)
{
    static const struct {
        const char *accept;
        int status;
        bool lines;
    } rows[] = {
        { "", 200, false },
        { "Accept: */*\r\n", 200, false },
        { "Accept: application/json\r\n", 200, false },
        { "Accept: application/*\r\n", 200, false },
        { "Accept: application/x-ndjson\r\n", 200, true },
        { "Accept: APPLICATION/X-NDJSON ; q=0.5\r\n", 200, true },
        { "Accept: application/x-ndjson, */*;q=0.1\r\n", 200, true },
        { "Accept: application/x-ndjson;q=0.2, application/json;q=0.9\r\n", 200, false },
        { "Accept: application/json;q=0, */*\r\n", 200, true },
        { "Accept: text/html, , */*;q=0.001\r\n", 200, false },
        { "Accept: text/html\r\n", 406, false },
        { "Accept: */*;q=0\r\n", 406, false },
        { "Accept: application/x-ndjsonx\r\n", 406, false },
        { "Accept: ;;;,,,q=\r\n", 406, false },
    };
    rig_commit("a");
    rig_commit("b");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rig_call("GET", "/v1/runs/default/events", rows[i].accept, NULL) != rows[i].status)
            fail_msg("%s: %d", rows[i].accept, reply.status);
        if (reply.status == 406)
            assert_problem(406, "Accept", "application/x-ndjson");
        else
            assert_string_equal(reply_field("Content-Type"),
                                rows[i].lines ? "application/x-ndjson" : "application/json");
    }
    rig_call("GET", "/v1/runs/default/events?since=0", "Accept: application/x-ndjson\r\n", NULL);
    char *second = strchr(reply.body, '\n') + 1;
    assert_int_equal(strncmp(reply.body, "{\"seq\":1,", 9), 0);
    assert_int_equal(strncmp(second, "{\"seq\":2,", 9), 0);
    assert_string_equal(strchr(second, '\n'), "\n");
    assert_string_equal(reply_field("Hangup-Next"), "2");
}

static void bad_questions_are_refused(void **state)
{
    static const struct {
        const char *query, *where;
    } rows[] = {
        { "since=-1", "?since" },
        { "since=", "?since" },
        { "since=1x", "?since" },
        { "since=2", "?since" },
        { "since=99999999999999999999", "?since" },
        { "since=0&since=0", "?since" },
        { "max=0", "?max" },
        { "max=10001", "?max" },
        { "wait=never", "?wait" },
        { "wait=61s", "?wait" },
        { "wait=5", "?wait" },
        { "wait", "?wait" },
        { "wait=%35s", "?wait" },
        { "sinc=1", "?sinc" },
        { "=", "?" },
    };
    rig_commit("one");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char target[128];
        snprintf(target, sizeof target, "/v1/runs/default/events?%s", rows[i].query);
        rig_get(target);
        assert_problem(400, rows[i].where, "");
    }
    assert_int_equal(rig_get("/v1/runs/default/events?&since=1&&wait=0&"), 200);
}

/* How many calls wait for events. */
static unsigned waiting(void)
{
    unsigned n = 0;
    for (const struct link *at = admin->waiters.next; at != &admin->waiters; at = at->next)
        n++;
    return n;
}

static bool anybody_waits(void)
{
    return waiting() > 0;
}

/* Conditions: so many wait (an unsigned); nobody has a connection. */
static bool so_many_wait(void *count)
{
    return waiting() == *(unsigned *)count;
}

static bool nobody_is_there(void *unused)
{
    return link_empty(&admin->callers);
}

static int ask_and_wait(const char *query)
{
    char text[200];
    int fd = open_client();
    int n = snprintf(text, sizeof text,
                     "GET /v1/runs/default/events?%s HTTP/1.1\r\nHost: localhost\r\n\r\n", query);
    unsigned wanted = waiting() + 1;
    send_text(fd, text, (size_t)n);
    loop_until(&loop, so_many_wait, &wanted);
    assert_false(rig_receive(fd, false, 30)); /* time in which it must not be answered */
    assert_false(reply.closed);
    return fd;
}

static void a_burst_wakes_a_waiting_call_once_with_all_of_it(void **state)
{
    int fd = ask_and_wait("wait=30s");
    assert_true(anybody_waits());
    for (int i = 0; i < 100; i++)
        rig_commit("burst");
    assert_true(rig_receive(fd, false, PATIENCE_MS));
    assert_int_equal(event_count(), 100);
    assert_int_equal(reply_number("next"), 100);
    assert_false(anybody_waits());
    const char *again =
        "GET /v1/runs/default/events?since=100&wait=30s HTTP/1.1\r\nHost: localhost\r\n\r\n";
    send_text(fd, again, strlen(again));
    assert_false(rig_receive(fd, false, 30));
    rig_commit("more");
    assert_true(rig_receive(fd, false, PATIENCE_MS));
    assert_int_equal(event_count(), 1);
    close(fd);
}

static void many_can_wait_for_the_same_event(void **state)
{
    int fds[20];
    for (int i = 0; i < 20; i++)
        fds[i] = ask_and_wait("since=0&wait=30s");
    rig_commit("x");
    for (int i = 0; i < 20; i++) {
        assert_true(rig_receive(fds[i], false, PATIENCE_MS));
        assert_int_equal(event_count(), 1);
        close(fds[i]);
    }
    assert_false(anybody_waits());
}

/* An event that neither wants: both are looked at and wait on, the later one first. */
static void who_has_waited_longest_makes_room_first(void **state)
{
    unsigned both = 2;
    int longest = ask_and_wait("event=request&wait=60s");
    int later = ask_and_wait("event=request&wait=60s");
    rig_commit("a mark");
    admin->wake.reached(&admin->wake, 0);
    assert_int_equal(waiting(), 0);
    struct link *first = admin->working.next;
    link_remove(first);
    link_append(&admin->working, first);
    loop_until(&loop, so_many_wait, &both);
    assert_non_null(waiting_wake_first(admin));
    assert_true(rig_receive(longest, false, PATIENCE_MS));
    assert_false(rig_receive(later, false, 30));
    close(longest);
    close(later);
}

static void waiting_ends_after_its_time(void **state)
{
    static const char ask[] =
        "GET /v1/runs/default/events?wait=300ms HTTP/1.1\r\nHost: localhost\r\n\r\n";
    int64_t began = clock_now();
    int fd = open_client();
    send_text(fd, ask, sizeof ask - 1);
    assert_true(rig_receive(fd, false, PATIENCE_MS));
    assert_int_equal(reply.status, 200);
    assert_int_equal(event_count(), 0);
    assert_true(clock_now() - began >= 300 * NS_PER_MS);
    close(fd);
}

static void a_caller_that_goes_away_while_waiting_leaves_nothing(void **state)
{
    unsigned none = 0, one = 1;
    for (int i = 0; i < 300; i++) { /* more than connections are allowed */
        char text[] = "GET /v1/runs/default/events?wait=60s HTTP/1.1\r\nHost: localhost\r\n\r\n";
        int fd = open_client();
        send_text(fd, text, sizeof text - 1);
        loop_until(&loop, so_many_wait, &one);
        if (i % 2) {
            struct linger now = { 1, 0 };
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        }
        close(fd);
        loop_until(&loop, so_many_wait, &none);
    }
    rig_commit("x");
    assert_int_equal(rig_get("/healthz"), 200);
}

static void stopping_answers_who_waits(void **state)
{
    int fd = ask_and_wait("wait=60s");
    stop_admin();
    assert_true(rig_receive(fd, false, PATIENCE_MS));
    assert_int_equal(reply.status, 200);
    assert_int_equal(event_count(), 0);
    close(fd);
    rig_start(&(struct admin_config){ 0 });
}

static void a_page_is_bounded(void **state)
{
    char name[4001];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    ledger_destroy(the_run.ledger);
    the_run.ledger = ledger_create(16 << 20);
    for (int i = 0; i < 2000; i++)
        rig_commit(name);
    assert_int_equal(rig_get("/v1/runs/default/events?max=10000"), 200);
    assert_true(reply.body_len > 4000000 && reply.body_len < 4500000);
    assert_int_equal(reply_number("next"), event_count());
    assert_true(reply_number("next") < 2000);
}

/* --- Long answers: in slices */

#define MANY 4000 /* of a kilobyte: more than sockets hold */

static void commit_many(unsigned n)
{
    char name[900];
    ledger_destroy(the_run.ledger);
    the_run.ledger = ledger_create(16 << 20);
    for (unsigned i = 0; i < n; i++) {
        snprintf(name, sizeof name, "%0*u", (int)sizeof name - 1, i);
        rig_commit(name);
    }
}

/* Each event of the run, once and in its order. */
static void assert_whole(unsigned n)
{
    assert_int_equal(event_count(), n);
    for (unsigned i = 0; i < n; i++) {
        json_t *event = json_array_get(json_object_get(reply.json, "events"), i);
        assert_int_equal(json_integer_value(json_object_get(event, "seq")), i + 1);
    }
}

static void a_long_page_comes_in_slices_and_whole(void **state)
{
    commit_many(MANY);
    assert_int_equal(rig_get("/v1/runs/default/events?max=10000"), 200);
    assert_true(reply.chunked);
    assert_whole(MANY);
    assert_int_equal(reply_number("next"), MANY);
    assert_string_equal(reply_field("Hangup-Next"), "4000");

    rig_call("GET", "/v1/runs/default/events?max=10000", "Accept: application/x-ndjson\r\n", NULL);
    assert_true(reply.chunked);
    size_t lines = 0;
    for (const char *at = reply.body; (at = strchr(at, '\n')); at++)
        lines++;
    assert_int_equal(lines, MANY);
    assert_int_equal(reply.body[reply.body_len - 1], '\n');

    assert_int_equal(rig_get("/v1/runs/default/events?max=10"), 200);
    assert_false(reply.chunked); /* small ones have a length */
    assert_whole(10);
    assert_int_equal(rig_call("HEAD", "/v1/runs/default/events?max=10000", "", NULL), 200);
}

static int begin_page(void)
{
    static const char ask[] = "GET /v1/runs/default/events?max=10000 HTTP/1.1\r\n"
                              "Host: localhost\r\n\r\n";
    int fd = open_client(), little = 65536;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof little);
    send_text(fd, ask, sizeof ask - 1);
    rig_await_bytes(fd); /* the rest is not even made yet */
    return fd;
}

static void a_page_that_loses_events_meanwhile_says_so(void **state)
{
    commit_many(MANY);
    int fd = begin_page();
    ledger_clear(the_run.ledger);
    assert_true(rig_receive(fd, false, PATIENCE_MS));
    assert_non_null(reply.json);
    assert_true(event_count() < MANY);
    assert_int_equal(reply_number("next"), MANY); /* as its header field says */
    assert_string_equal(reply_field("Hangup-Next"), "4000");
    assert_int_equal(reply_number("first"), MANY + 1);
    close(fd);
}

#define SLOW 6

static void many_slow_readers_are_served_side_by_side(void **state)
{
    int fds[SLOW];
    commit_many(MANY);
    for (int i = 0; i < SLOW; i++)
        fds[i] = begin_page();
    assert_int_equal(rig_get("/healthz"), 200); /* though nobody has read a page */
    for (int i = 0; i < SLOW; i++) {
        assert_true(rig_receive(fds[i], false, PATIENCE_MS));
        assert_whole(MANY);
        close(fds[i]);
    }
}

static void a_reader_that_goes_away_leaves_nothing(void **state)
{
    commit_many(MANY);
    for (int i = 0; i < 50; i++) {
        close(begin_page());
        loop_settle(&loop);
    }
    loop_until(&loop, nobody_is_there, NULL);
    assert_true(link_empty(&admin->working));
}

/* What is left of a page, of a reader whose server has stopped. */
struct rest {
    int fd;
    size_t got;
};

static bool is_over(void *rest)
{
    struct rest *r = rest;
    char bytes[4096];
    ssize_t n;
    while ((n = recv(r->fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
        r->got += (size_t)n;
    return n == 0 || errno != EAGAIN;
}

static void stopping_ends_who_reads(void **state)
{
    commit_many(MANY);
    struct rest rest = { .fd = begin_page() };
    stop_admin();
    loop_until(&loop, is_over, &rest);
    assert_true(rest.got > 0); /* it ended, and not as if it were whole */
    close(rest.fd);
    rig_start(&(struct admin_config){ 0 });
}

static void connections_come_in_slices(void **state)
{
    the_run.live = 20000;
    assert_int_equal(rig_get("/v1/connections"), 200);
    assert_true(reply.chunked);
    json_t *all = json_object_get(reply.json, "connections");
    assert_int_equal(json_array_size(all), 20000);
    for (size_t i = 0; i < 20000; i++)
        assert_int_equal(json_integer_value(json_object_get(json_array_get(all, i), "id")),
                         FIRST_ID + i);
    assert_true(link_empty(&the_run.cursors));
    the_run.live = 0;
    assert_int_equal(rig_get("/v1/connections"), 200);
    assert_string_equal(reply.body, "{\"connections\":[]}\n");
    assert_true(link_empty(&the_run.cursors));
}

static void what_is_set_is_answered_when_all_have_it(void **state)
{
    static const char *const calls[] = {
        "PUT /v1/mode HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        "Content-Length: 12\r\n\r\n{\"mode\":\"a\"}",
        "POST /v1/reset HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        int fd = open_client();
        the_run.unsettled = true; /* by another call */
        send_text(fd, calls[i], strlen(calls[i]));
        assert_false(rig_receive(fd, false, 30));
        assert_string_equal(the_run.mode, "normal");
        assert_int_equal(the_run.resets, 0);
        run_settle(&the_run);
        assert_true(rig_receive(fd, false, PATIENCE_MS));
        assert_int_equal(reply.status, 200);
        close(fd);
        loop_settle(&loop);
        strcpy(the_run.mode, "normal");
    }
    assert_int_equal(the_run.resets, 1);
    int fd = open_client();
    the_run.unsettled = true;
    send_text(fd, calls[1], strlen(calls[1]));
    loop_settle(&loop);
    close(fd);
    stop_admin();
    rig_start(&(struct admin_config){ 0 });
}

int main(void)
{
    caps_probe();
    memory_for_jansson(true);
#define SERVED(f) cmocka_unit_test_setup_teardown(f, rig_set_up, rig_tear_down)
    const struct CMUnitTest tests[] = {
        SERVED(events_are_read_page_by_page),
        SERVED(events_come_as_lines_to_who_asks_for_them),
        SERVED(bad_questions_are_refused),
        SERVED(a_burst_wakes_a_waiting_call_once_with_all_of_it),
        SERVED(many_can_wait_for_the_same_event),
        SERVED(who_has_waited_longest_makes_room_first),
        SERVED(waiting_ends_after_its_time),
        SERVED(a_caller_that_goes_away_while_waiting_leaves_nothing),
        SERVED(stopping_answers_who_waits),
        SERVED(a_page_is_bounded),
        SERVED(a_long_page_comes_in_slices_and_whole),
        SERVED(a_page_that_loses_events_meanwhile_says_so),
        SERVED(many_slow_readers_are_served_side_by_side),
        SERVED(a_reader_that_goes_away_leaves_nothing),
        SERVED(stopping_ends_who_reads),
        SERVED(connections_come_in_slices),
        SERVED(what_is_set_is_answered_when_all_have_it),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    forget_reply();
    return failed;
}
