/* Events by filter, the newest ones, and as a stream of server-sent events: what it says, how it
 * goes on, and who does not keep up. */
#include "harness/admin_rig.h"

#define STREAM                                                                                     \
    "GET /v1/events?%s HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n%s\r\n"
#define MANY 60000 /* events: more than sockets hold */

/* An event of a request; id: what it carries in Hangup-Call. */
static void commit_request(uint64_t connection, uint32_t exchange, const char *id)
{
    struct ledger *l = the_run.ledger;
    ledger_begin(l, EV_REQUEST, connection, exchange);
    ledger_text(l, F_METHOD, "GET");
    ledger_text(l, F_HANGUP_CALL, id);
    ledger_commit(l);
}

static void commit_of(enum ledger_event event, uint64_t connection, uint32_t exchange)
{
    ledger_begin(the_run.ledger, event, connection, exchange);
    ledger_commit(the_run.ledger);
}

/* 1 open(1), 2 request(1,1,a), 3 response_end(1,1), 4 open(2), 5 request(2,1,b), 6 mark,
 * 7 request(2,2,a), 8 response_end(2,2), 9 end(1) */
static void commit_some(void)
{
    commit_of(EV_CONNECTION_OPEN, 1, 0);
    commit_request(1, 1, "a b");
    commit_of(EV_RESPONSE_END, 1, 1);
    commit_of(EV_CONNECTION_OPEN, 2, 0);
    commit_request(2, 1, "b");
    rig_commit("x");
    commit_request(2, 2, "a b");
    commit_of(EV_RESPONSE_END, 2, 2);
    commit_of(EV_CONNECTION_END, 1, 0);
}

static void assert_seqs(const char *query, const char *wanted, json_int_t next)
{
    char target[200], got[200] = "";
    size_t i, n = 0;
    json_t *event;
    snprintf(target, sizeof target, "/v1/events?%s", query);
    if (rig_get(target) != 200)
        fail_msg("%s: %s", query, reply.body);
    json_array_foreach(json_object_get(reply.json, "events"), i, event) n +=
        (size_t)snprintf(got + n, sizeof got - n, "%s%d", i ? " " : "",
                         (int)json_integer_value(json_object_get(event, "seq")));
    if (strcmp(got, wanted) != 0 || reply_number("next") != next)
        fail_msg("%s: %s, next %d", query, got, (int)reply_number("next"));
    snprintf(got, sizeof got, "%d", (int)next);
    assert_string_equal(reply_field("Hangup-Next"), got);
}

static void a_filter_leaves_what_fits(void **state)
{
    commit_some();
    assert_seqs("event=request", "2 5 7", 9);
    assert_seqs("event=request,mark", "2 5 6 7", 9);
    assert_seqs("connection=1", "1 2 3 9", 9);
    assert_seqs("connection=2&event=response_end", "8", 9);
    assert_seqs("connection=7", "", 9);
    assert_seqs("call=a%20b", "2 3 7 8", 9);
    assert_seqs("call=b", "5", 9);
    assert_seqs("call=a%20b&event=response_end", "3 8", 9);
    assert_seqs("call=a%20b&since=3", "7 8", 9);
    assert_seqs("call=nobody", "", 9);
    assert_seqs("event=request&max=2", "2 5", 5);
    assert_seqs("event=request&since=5", "7", 9);
}

static void the_newest_ones_are_the_last(void **state)
{
    commit_some();
    assert_seqs("last=2", "8 9", 9);
    assert_seqs("last=20", "1 2 3 4 5 6 7 8 9", 9);
    assert_seqs("last=2&since=8", "9", 9);
    assert_seqs("last=2&event=request", "5 7", 9);
    assert_seqs("last=1&connection=1", "9", 9);
    assert_seqs("last=10&event=request", "2 5 7", 9);
}

static void filters_that_cannot_be_are_refused(void **state)
{
    static const struct {
        const char *query, *where;
    } rows[] = { { "event=", "?event" },
                 { "event=requset", "?event" },
                 { "event=request,", "?event" },
                 { "event=Request", "?event" },
                 { "connection=0", "?connection" },
                 { "connection=x", "?connection" },
                 { "last=0", "?last" },
                 { "last=10001", "?last" },
                 { "last=3&max=1", "?max" },
                 { "max=1&last=3&event=request", "?max" },
                 { "call=", "?call" },
                 { "call=%4", "?call" },
                 { "call=%zz", "?call" },
                 { "call=%00", "?call" } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char target[100];
        snprintf(target, sizeof target, "/v1/events?%s", rows[i].query);
        rig_get(target);
        assert_problem(400, rows[i].where, "");
    }
    rig_get("/v1/events?event=requset");
    assert_string_equal(
        json_string_value(json_array_get(json_object_get(reply.json, "did_you_mean"), 0)),
        "request");
}

static void a_filter_waits_for_what_fits(void **state)
{
    static const char ask[] =
        "GET /v1/events?event=request&wait=30s HTTP/1.1\r\nHost: localhost\r\n\r\n";
    int fd = open_client();
    rig_commit("other");
    send_text(fd, ask, sizeof ask - 1);
    assert_false(rig_receive(fd, false, 30));
    rig_commit("other");
    assert_false(rig_receive(fd, false, 30));
    commit_request(1, 1, "a");
    assert_true(rig_receive(fd, false, PATIENCE_MS));
    assert_int_equal(json_array_size(json_object_get(reply.json, "events")), 1);
    assert_int_equal(reply_number("next"), 3);
    close(fd);
}

/* --- Streams */

static int follow(const char *query, const char *fields)
{
    char text[300];
    int fd = open_client();
    snprintf(text, sizeof text, STREAM, query, fields);
    send_text(fd, text, strlen(text));
    return fd;
}

/* What has come of it, with the framing of chunks. */
static struct heard {
    int fd;
    size_t n;
    bool closed;
    char text[65536];
    const char *wanted;
} heard;

static bool is_heard(void *unused)
{
    ssize_t n = recv(heard.fd, heard.text + heard.n, sizeof heard.text - 1 - heard.n, MSG_DONTWAIT);
    heard.n += n > 0 ? (size_t)n : 0;
    heard.closed |= n == 0 || (n < 0 && errno != EAGAIN);
    heard.text[heard.n] = '\0';
    return strstr(heard.text, heard.wanted) || heard.closed;
}

static void hear(int fd, const char *wanted)
{
    heard.fd = fd;
    heard.wanted = wanted;
    loop_until(&loop, is_heard, NULL);
    if (!strstr(heard.text, wanted))
        fail_msg("\"%s\" does not come: %s", wanted, heard.text);
}

static int set_up(void **state)
{
    memset(&heard, 0, sizeof heard);
    return rig_set_up(state);
}

static void a_stream_goes_on(void **state)
{
    rig_commit("first");
    int fd = follow("since=0", "");
    hear(fd, "Content-Type: text/event-stream");
    hear(fd, "retry: ");
    hear(fd, "id: 1\ndata: {\"seq\":1,");
    rig_commit("second");
    hear(fd, "id: 2\ndata: {\"seq\":2,");
    commit_request(1, 1, "a");
    hear(fd, "id: 3\n");
    close(fd);
    loop_settle(&loop);
    assert_true(link_empty(&admin->waiters));
}

/* Of the events up to 9 those behind the id, and no others. */
static void continues(const char *query, const char *id, const char *before, const char *first)
{
    int fd = follow(query, id);
    hear(fd, "id: 9\n");
    assert_null(strstr(heard.text, before));
    assert_non_null(strstr(heard.text, first));
    close(fd);
}

static void a_stream_continues_where_it_broke(void **state)
{
    commit_some();
    continues("", "Last-Event-ID: 7\r\n", "id: 7\n", "id: 8\n");
    rig_call("GET", "/v1/events", "Accept: text/event-stream\r\nLast-Event-ID: 10\r\n", NULL);
    assert_problem(400, "Last-Event-ID", "");
    rig_call("GET", "/v1/events", "Accept: text/event-stream\r\nLast-Event-ID: x\r\n", NULL);
    assert_problem(400, "Last-Event-ID", "");
}

static void a_stream_of_the_newest_continues_where_it_broke(void **state)
{
    commit_some();
    continues("last=1", "Last-Event-ID: 6\r\n", "id: 6\n", "id: 7\n");
}

static void a_stream_has_no_wait(void **state)
{
    rig_call("GET", "/v1/events?wait=1s", "Accept: text/event-stream\r\n", NULL);
    assert_problem(400, "?wait", "");
}

static void a_stream_has_filters(void **state)
{
    commit_some();
    int fd = follow("event=request&last=1&max=2", "");
    hear(fd, "id: 7\n");
    rig_commit("other");
    commit_request(3, 1, "c");
    hear(fd, "id: 11\n");
    hear(fd, "\r\n0\r\n"); /* the second of two: it ends */
    assert_null(strstr(heard.text, "id: 10\n"));
    assert_null(strstr(heard.text, "id: 8\n"));
    close(fd);
}

static void a_stream_tells_of_what_is_missing(void **state)
{
    while (ledger_dropped(the_run.ledger) == 0)
        rig_commit("one of many");
    int fd = follow("since=0", "");
    hear(fd, "\"event\":\"gap\",\"first_seq\":1,");
    close(fd);
}

static bool is_dropped(void *unused)
{
    return admin->dropped_readers == 1;
}

static void who_does_not_keep_up_is_dropped_and_counted(void **state)
{
    char name[128];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    ledger_destroy(the_run.ledger);
    the_run.ledger = ledger_create(32 << 20);
    for (int i = 0; i < MANY; i++)
        rig_commit(name);
    call_patience.follow = 100 * NS_PER_MS;
    int slow = follow("since=0", "");
    loop_until(&loop, is_dropped, NULL);
    int quick = follow("last=1", "");
    hear(quick, "data: ");
    close(slow);
    close(quick);
    loop_settle(&loop);
    assert_int_equal(admin->dropped_readers, 1);
    assert_int_equal(rig_get("/healthz"), 200);
}

static void who_goes_away_in_the_middle_leaves_nothing(void **state)
{
    for (int i = 0; i < 50; i++) {
        int fd = follow("since=0", "");
        rig_commit("x");
        memset(&heard, 0, sizeof heard);
        hear(fd, "data: ");
        struct linger now = { 1, 0 };
        if (i % 2)
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        close(fd);
        loop_settle(&loop);
    }
    assert_true(link_empty(&admin->waiters));
    assert_int_equal(admin->caller_count, 0);
    assert_int_equal(admin->dropped_readers, 0);
}

static void a_stream_ends_when_the_server_stops(void **state)
{
    int fd = follow("", "");
    rig_commit("x");
    hear(fd, "data: ");
    stop_admin();
    hear(fd, "\r\n0\r\n\r\n");
    close(fd);
    rig_start(&(struct admin_config){ 0 });
}

int main(void)
{
#define SERVED(f) cmocka_unit_test_setup_teardown(f, set_up, rig_tear_down)
    const struct CMUnitTest tests[] = {
        SERVED(a_filter_leaves_what_fits),
        SERVED(the_newest_ones_are_the_last),
        SERVED(filters_that_cannot_be_are_refused),
        SERVED(a_filter_waits_for_what_fits),
        SERVED(a_stream_goes_on),
        SERVED(a_stream_continues_where_it_broke),
        SERVED(a_stream_of_the_newest_continues_where_it_broke),
        SERVED(a_stream_has_no_wait),
        SERVED(a_stream_has_filters),
        SERVED(a_stream_tells_of_what_is_missing),
        SERVED(who_does_not_keep_up_is_dropped_and_counted),
        SERVED(who_goes_away_in_the_middle_leaves_nothing),
        SERVED(a_stream_ends_when_the_server_stops),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    forget_reply();
    return failed;
}
