/* When the ledger says that the client has a response, or knows of a fault: not before its kernel
 * has ACKed it, and of what was not ACKed never.
 */
#include "run/exchange.h"

#include "harness/memory.h"
#include "harness/run_client.h"
#include "harness/sockets.h"

static uint64_t since;

static size_t acked_count(const char *proof, json_int_t exchange)
{
    json_t *events = events_since(since);
    size_t i, n = 0;
    json_t *e;
    json_array_foreach(events, i, e) n +=
        strcmp(json_string_value(json_object_get(e, "event")), "response_acked") == 0 &&
        (!proof || strcmp(json_string_value(json_object_get(e, "proof")), proof) == 0) &&
        (!exchange || json_integer_value(json_object_get(e, "exchange")) == exchange);
    json_decref(events);
    return n;
}

static bool first_is_acked(void)
{
    return acked_count(NULL, 1) > 0;
}

static double ms_in(const json_t *event, const char *member)
{
    const json_t *value = json_object_get(event, member);
    assert_true(json_is_number(value));
    return json_number_value(value);
}

/* Of its event: the span is one, behind what it is about, and ends no later than it is told. */
static void assert_span(const json_t *acked, const json_t *said)
{
    double from = ms_in(acked, "from_ms"), to = ms_in(acked, "to_ms");
    assert_true(from >= ms_in(said, "ms") - 0.002); /* both were cut to microseconds */
    assert_true(to >= from);
    assert_true(ms_in(acked, "ms") >= to);
}

static void a_response_is_acked_and_then_read(void **state)
{
    since = now_in_ledger();
    int client = connect_client();
    assert_answered(client);
    assert_true(run_until(first_is_acked, PATIENCE));
    assert_int_equal(acked_count("ack", 1), 1);
    assert_answered(client);
    json_t *events = events_since(since);
    const json_t *acked = event_called(events, "response_acked");
    const json_t *end_event = event_called(events, "response_end");
    assert_span(acked, end_event);
    assert_int_equal(number_in(end_event, "end_offset"), got_len); /* the first one's length */
    json_decref(events);
    assert_int_equal(acked_count("next_request", 1), 1);
    assert_int_equal(acked_count(NULL, 1), 2);
    end_client(client);
}

/* How long the process stands behind each send(), as one does that the machine lets wait; and when
 * the last of these calls was over. */
static int64_t stands, sent_at;

ssize_t __real_send(int fd, const void *bytes, size_t n, int flags);
ssize_t __wrap_send(int fd, const void *bytes, size_t n, int flags);

ssize_t __wrap_send(int fd, const void *bytes, size_t n, int flags)
{
    ssize_t result = __real_send(fd, bytes, n, flags);
    if (stands > 0) {
        sent_at = clock_now();
        usleep((useconds_t)(stands / 1000));
    }
    return result;
}

/* Its client has the response by then, and goes on: what the ledger says of when it went out is not
 * later than that. */
static void a_response_went_out_before_the_server_stood(void **state)
{
    since = now_in_ledger();
    int client = connect_client();
    assert_int_equal(send(client, REQUEST, strlen(REQUEST), 0), strlen(REQUEST));
    stands = 200 * REAL_MS;
    assert_true(run_until(first_is_acked, PATIENCE));
    stands = 0;
    json_t *events = events_since(since);
    const json_t *end_event = event_called(events, "response_end");
    double sent_ms = (double)ledger_age(run_ledger(run), sent_at) / 1e6;
    assert_true(ms_in(end_event, "ms") <= sent_ms);
    assert_true(ms_in(event_called(events, "response_acked"), "from_ms") <= sent_ms);
    json_decref(events);
    end_client(client);
}

/* A client whose kernel takes about a thousand octets. */
static int connect_with_little_room(void)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof at;
    int least = 1, listening = socket(AF_INET, SOCK_STREAM, 0),
        client = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(client, SOL_SOCKET, SO_RCVBUF, &least, sizeof least);
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

enum { REQUESTS = 12 };

static bool all_are_answered(void)
{
    json_t *events = events_since(since);
    size_t n = count_events(events, "response_end");
    json_decref(events);
    return n == REQUESTS;
}

/* The client's window is full: what does not fit in it is with our kernel, and that is all. */
static void a_response_that_is_only_with_our_kernel_is_not_acked(void **state)
{
    since = now_in_ledger();
    int client = connect_with_little_room();
    for (int i = 0; i < REQUESTS; i++)
        assert_int_equal(send(client, REQUEST, strlen(REQUEST), 0), strlen(REQUEST));
    assert_true(run_until(first_is_acked, PATIENCE));
    assert_true(run_until(all_are_answered, PATIENCE));
    run_until(NULL, 100 * REAL_MS); /* a delayed ACK takes 40 ms, the timer looks each 25 */
    assert_int_equal(acked_count(NULL, REQUESTS), 0);
    start_reading(client);
    int64_t until = clock_now() + PATIENCE;
    while (acked_count(NULL, REQUESTS) == 0 && clock_now() < until) {
        read_more();
        got_len = 0;
        run_until(NULL, REAL_MS);
    }
    assert_int_equal(acked_count(NULL, REQUESTS), 1);
    end_client(client);
}

/* An ACK that came is told at the end, however soon that is. */
static void the_end_of_the_connection_takes_a_last_look(void **state)
{
    since = now_in_ledger();
    int client = connect_client();
    assert_answered(client);
    shutdown(client, SHUT_WR); /* its FIN ACKs what it has read */
    assert_true(run_until(is_empty, PATIENCE));
    close(client);
    json_t *events = events_since(since);
    size_t i, acked = 0, over = 0;
    json_t *e;
    json_array_foreach(events, i, e)
    {
        const char *name = json_string_value(json_object_get(e, "event"));
        acked = strcmp(name, "response_acked") == 0 ? i : acked;
        over = strcmp(name, "connection_end") == 0 ? i : over;
    }
    json_decref(events);
    assert_true(acked > 0 && acked < over);
}

static bool goaway_is_acked(void)
{
    json_t *events = events_since(since);
    bool acked = event_called(events, "fault_acked");
    json_decref(events);
    return acked;
}

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
/* GET / on stream 1, with an :authority of one octet */
#define HEADERS_1 "\0\0\6\1\5\0\0\0\1\x82\x86\x84\x41\1x"
#define PING_ACK  "\0\0\x8\6\1\0\0\0\0\0\0\0\0\0\0\0\0"

static void send_bytes(int client, const char *bytes, size_t n)
{
    assert_int_equal(send(client, bytes, n, 0), n);
}

static void a_goaway_is_acked(void **state)
{
    set_rules("[{\"on\":\"response\",\"at\":\"end\",\"over\":\"h2\",\"do\":[\"goaway\"]}]");
    since = now_in_ledger();
    int client = connect_client();
    send_bytes(client, PREFACE, sizeof PREFACE - 1);
    send_bytes(client, HEADERS_1, sizeof HEADERS_1 - 1);
    assert_true(run_until(goaway_is_acked, PATIENCE));
    json_t *events = events_since(since);
    const json_t *acked = event_called(events, "fault_acked"),
                 *fault = event_called(events, "fault");
    assert_int_equal(number_in(acked, "fault"), number_in(fault, "seq"));
    assert_member((json_t *)acked, "step", "goaway");
    assert_span(acked, fault);
    json_decref(events);
    end_client(client);
}

static bool ping_is_said(void)
{
    json_t *events = events_since(since);
    bool said = event_called(events, "fault");
    json_decref(events);
    return said && first_is_acked();
}

static bool read_is_told(void)
{
    return acked_count("ping_ack", 1) > 0;
}

/* The client that ACKs a PING behind the response has read the response. */
static void a_ping_ack_shows_that_the_response_was_read(void **state)
{
    set_rules("[{\"on\":\"response\",\"at\":\"end\",\"over\":\"h2\",\"do\":[\"ping\"]}]");
    since = now_in_ledger();
    int client = connect_client();
    send_bytes(client, PREFACE, sizeof PREFACE - 1);
    send_bytes(client, HEADERS_1, sizeof HEADERS_1 - 1);
    assert_true(run_until(ping_is_said, PATIENCE));
    assert_int_equal(acked_count("ack", 1), 1);
    assert_int_equal(acked_count(NULL, 1), 1);
    send_bytes(client, PING_ACK, sizeof PING_ACK - 1);
    assert_true(run_until(read_is_told, PATIENCE));
    end_client(client);
}

#define SETTINGS_ACK  "\0\0\0\4\1\0\0\0\0"
#define WINDOW_UPDATE "\0\0\4\10\0\0\0\0\0\0\0\1\0"

static bool windows_are_read(void)
{
    json_t *events = events_since(since);
    bool read = event_called(events, "peer_settings_ack");
    json_decref(events);
    return read;
}

/* Clients send it also to have more room, whatever they have read; and it is no event. */
static void a_window_update_shows_nothing(void **state)
{
    set_rules("[]");
    since = now_in_ledger();
    int client = connect_client();
    send_bytes(client, PREFACE WINDOW_UPDATE HEADERS_1,
               sizeof(PREFACE WINDOW_UPDATE HEADERS_1) - 1);
    assert_true(run_until(first_is_acked, PATIENCE));
    assert_int_equal(acked_count("ack", 1), 1);
    assert_false(windows_are_read());
    send_bytes(client, WINDOW_UPDATE WINDOW_UPDATE SETTINGS_ACK,
               sizeof(WINDOW_UPDATE WINDOW_UPDATE SETTINGS_ACK) - 1);
    assert_true(run_until(windows_are_read, PATIENCE));
    assert_int_equal(acked_count(NULL, 1), 1);
    end_client(client);
}

/* GET / on stream 3 */
#define HEADERS_3           "\0\0\6\1\5\0\0\0\3\x82\x86\x84\x41\1x"
#define OTHER_ACK           "\0\0\x8\6\1\0\0\0\0\0\0\0\0\0\0\0\1"
#define SEND(client, bytes) send_bytes(client, bytes, sizeof(bytes) - 1)

static bool ping_ack_is_read(void)
{
    json_t *events = events_since(since);
    bool read = event_called(events, "peer_ping_ack");
    json_decref(events);
    return read;
}

static bool second_is_acked(void)
{
    return acked_count(NULL, 2) > 0;
}

/* It shows that what was sent before that very PING was read, and nothing of what came later. */
static void a_ping_ack_shows_nothing_of_what_came_behind_the_ping(void **state)
{
    for (int matches = 0; matches < 2; matches++) {
        set_rules(
            "[{\"on\":\"response\",\"at\":\"end\",\"over\":\"h2\",\"nth\":1,\"do\":[\"ping\"]}]");
        since = now_in_ledger();
        int client = connect_client();
        SEND(client, PREFACE HEADERS_1);
        assert_true(run_until(ping_is_said, PATIENCE));
        SEND(client, HEADERS_3);
        assert_true(run_until(second_is_acked, PATIENCE));
        if (matches)
            SEND(client, PING_ACK);
        else
            SEND(client, OTHER_ACK); /* of a PING that nobody sent */
        assert_true(run_until(ping_ack_is_read, PATIENCE));
        assert_int_equal(acked_count("ping_ack", 1), matches);
        assert_int_equal(acked_count("ping_ack", 2), 0);
        end_client(client);
    }
}

static bool third_is_acked(void)
{
    return acked_count(NULL, 3) > 0;
}

/* A pipelined request waits for no response, and so shows of none that it was read. */
static void a_pipelined_request_shows_nothing(void **state)
{
    set_rules("[]");
    since = now_in_ledger();
    int client = connect_client();
    SEND(client, "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(run_until(second_is_acked, PATIENCE));
    SEND(client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(run_until(third_is_acked, PATIENCE));
    assert_int_equal(acked_count("next_request", 0), 0);
    assert_int_equal(acked_count("ack", 0), 3);
    end_client(client);
}

#define MANY       300
#define BURST      64  /* as in run/acks.c */
#define TIMER_MS   5.0 /* a timer looks as often, at most: LOOK_FIRST there */
#define LATE_CLEAR 3   /* the first, the last, and one at the border of a pace */

/* MANY requests without a pause. Of each the ledger says in the end that it is ACKED, before it
 * tells the connection's end. Returns how many looks that took, and the time in *ms. */
static size_t looks_of_many(const char *rules, double *ms)
{
    set_rules(rules);
    since = now_in_ledger();
    int64_t began = clock_now();
    int client = connect_client();
    for (int i = 0; i < MANY; i++)
        assert_answered(client);
    *ms = (double)(clock_now() - began) / (double)NS_PER_MS;
    shutdown(client, SHUT_WR);
    assert_true(run_until(is_empty, PATIENCE));
    close(client);
    json_t *events = events_since(since);
    bool acked[MANY + 1] = { false }, over = false;
    size_t i, looks = 0;
    double last = -1;
    json_t *e;
    json_array_foreach(events, i, e)
    {
        over |= strcmp(json_string_value(json_object_get(e, "event")), "connection_end") == 0;
        if (strcmp(json_string_value(json_object_get(e, "event")), "response_acked") != 0)
            continue;
        assert_false(over);
        acked[number_in(e, "exchange")] = true;
        looks += ms_in(e, "to_ms") != last;
        last = ms_in(e, "to_ms");
    }
    json_decref(events);
    for (int nth = 1; nth <= MANY; nth++)
        assert_true(acked[nth]);
    return looks;
}

/* A look costs a system call: under load not each request gets one. */
static void under_load_there_is_a_look_now_and_then(void **state)
{
    double ms;
    size_t looks = looks_of_many("[]", &ms);
    assert_in_range(looks, 1, BURST + LATE_CLEAR + (size_t)(ms / TIMER_MS));
}

/* But where a rule may strike, what was read before is known before. (Two looks are 50 us apart, as
 * requests may not be.) */
static void where_there_is_a_rule_each_request_gets_a_look(void **state)
{
    double ms;
    looks_of_many("[{\"on\":\"idle\",\"after\":\"1h\",\"do\":[\"fin\"]}]", &ms);
    assert_in_range(acked_count("next_request", 0), MANY / 3, MANY - 1);
}

/* What there was no memory to wait for is not known to be ACKed. */
static void without_memory_nobody_is_said_to_have_acked(void **state)
{
    struct exchanges xs = { 0 };
    acks_init(&xs.acks);
    assert_int_equal(acks_fault_acked(&xs, 1), FIN_ACKED);
    acks_stop(); /* of what is kept there would be some */
    memory_ends_after(0);
    acks_response(&xs, 1, 100, clock_now());
    memory_restore();
    assert_int_equal(acks_fault_acked(&xs, 1), FIN_UNCLEAR);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, rig_reset)
    const struct CMUnitTest tests[] = {
        TEST(a_response_is_acked_and_then_read),
        TEST(a_response_went_out_before_the_server_stood),
        TEST(a_response_that_is_only_with_our_kernel_is_not_acked),
        TEST(the_end_of_the_connection_takes_a_last_look),
        TEST(a_goaway_is_acked),
        TEST(a_ping_ack_shows_that_the_response_was_read),
        TEST(a_window_update_shows_nothing),
        TEST(a_ping_ack_shows_nothing_of_what_came_behind_the_ping),
        TEST(a_pipelined_request_shows_nothing),
        TEST(under_load_there_is_a_look_now_and_then),
        TEST(where_there_is_a_rule_each_request_gets_a_look),
        TEST(without_memory_nobody_is_said_to_have_acked),
    };
    return cmocka_run_group_tests_name("run acks", tests, rig_start, rig_stop);
}
