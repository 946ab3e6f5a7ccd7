/* The events of an exchange are in order and each is there at most once, whatever strikes it and
 * wherever the client's bytes are split; and its end is there.
 */
#include "harness/run_books.h"

static void mark(const char *name)
{
    struct refusal why;
    uint64_t seq;
    unsigned woken;
    assert_int_equal(run_mark(run, name, clock_now(), &seq, &woken, &why), 0);
    assert_int_equal(woken, 1);
}

static void leave(struct peer *p, const char *what)
{
    shutdown(p->fd, SHUT_RDWR);
    loop_turns(3);
    run_abort(run); /* if it still holds it */
    assert_true(peer_sees(p, "connection_end", 1));
    check_books(p, what);
    close_peer(p);
}

/* --- A fault between any two bytes, before or after the first of them are read */

static json_int_t bytes_in(void)
{
    json_t *c = newest_connection();
    json_int_t n = c ? json_integer_value(json_object_get(c, "bytes_in")) : -1;
    json_decref(c);
    return n;
}

static json_int_t to_be_read;

/* Or the connection is over. */
static bool is_read(void)
{
    json_int_t n = bytes_in();
    return n < 0 || n >= to_be_read;
}

static void strike(enum http http, const char *verb, const struct buf *bytes, size_t split,
                   unsigned how)
{
    char what[160], rules[160];
    struct peer p;
    bool read = how & 1, rest = how & 2;
    snprintf(what, sizeof what, "%s, %s behind %zu bytes%s%s", http_names[http], verb, split,
             read ? ", which were read" : "", rest ? "" : ", the last");
    snprintf(rules, sizeof rules, "[{\"on\":\"mark\",\"name\":\"strike\",\"do\":[%s]}]", verb);
    set_rules(rules);
    open_peer(&p, CLEARTEXT, http);
    to_be_read = bytes_in() + (json_int_t)split;
    peer_record(&p, buf_bytes(bytes), split);
    peer_send_out(&p);
    if (read && !run_until(is_read, PATIENCE))
        fail_msg("%s: the first bytes are not read", what);
    mark("strike");
    if (how & 4)
        loop_turns(3);
    ssize_t sent = 0;
    if (rest)
        sent = send(p.fd, buf_bytes(bytes) + split, buf_len(bytes) - split, MSG_NOSIGNAL);
    to_be_read += sent > 0 ? sent : 0;
    if (!run_until(is_read, PATIENCE))
        fail_msg("%s: the bytes behind it are not read", what);
    leave(&p, what);
}

static void a_fault_strikes_between_any_two_bytes(void **state)
{
    static const char *const verbs[] = { "\"fin\"", "\"forget\"", "\"rst\"", "\"stall\"",
                                         "\"stall\",{\"wait\":\"1ms\"},\"resume\"" };
    for (enum http http = H1; http < HTTPS; http++) {
        struct buf bytes = { 0 };
        struct peer p = { .http = http, .stream = 1 };
        for (unsigned nth = 0; nth < 2; nth++)
            peer_add_request(&p, &bytes, nth);
        for (size_t v = 0; v < COUNT(verbs); v++)
            for (size_t split = 1; split < buf_len(&bytes); split++)
                strike(http, verbs[v], &bytes, split, (unsigned)(split + v) % 8);
        buf_free(&bytes);
    }
}

/* --- What came into a stall is of the stall, also when a fault that ends the connection reads it
 */

static void a_stall_has_what_came_into_it(void **state)
{
    static const char *const ends[] = { "\"rst\"", "{\"rst\":{\"drain\":true}}", "\"fin\"",
                                        "\"forget\"" };
    for (size_t i = 0; i < 2 * COUNT(ends); i++) {
        struct peer p;
        struct buf bytes = { 0 };
        char rules[200];
        json_int_t fault = 0;
        enum http http = i % 2 ? H2 : H1;
        snprintf(rules, sizeof rules,
                 "[{\"on\":\"mark\",\"name\":\"strike\",\"do\":[\"stall\"]},"
                 "{\"on\":\"mark\",\"name\":\"end\",\"do\":[%s]}]",
                 ends[i / 2]);
        set_rules(rules);
        open_peer(&p, CLEARTEXT, http);
        peer_add_request(&p, &bytes, 0);
        mark("strike");
        peer_record(&p, buf_bytes(&bytes), buf_len(&bytes));
        peer_send_out(&p); /* and nothing is read of it */
        mark("end");
        assert_true(peer_sees(&p, "stale_request", 1));
        json_t *events = events_since(p.since), *event;
        size_t k;
        json_array_foreach(events, k, event)
        {
            const char *name = json_string_value(json_object_get(event, "event"));
            if (strcmp(name, "fault") == 0 && !fault)
                fault = number_in(event, "seq");
            if (strncmp(name, "stale", 5) != 0)
                continue;
            assert_string_equal(json_string_value(json_object_get(event, "sent_into")), "stalled");
            assert_int_equal(number_in(event, "fault"), fault);
        }
        assert_int_equal(count_events(events, "request"), 0);
        json_decref(events);
        leave(&p, ends[i / 2]);
        buf_free(&bytes);
    }
}

/* --- What is held keeps its number, although others before it come to nothing */

/* The numbers of the requests that were served. */
static void read_numbers(const struct peer *p, char *text, size_t size)
{
    json_t *events = events_since(p->since), *event;
    size_t i, len = 0;
    text[0] = '\0';
    json_array_foreach(events, i, event)
    {
        if (strcmp(json_string_value(json_object_get(event, "event")), "processed") != 0)
            continue;
        int n = snprintf(text + len, size - len, " %d", (int)number_in(event, "exchange"));
        len += (size_t)n;
        assert_true(len < size);
    }
    json_decref(events);
}

static void held_requests_keep_their_numbers(void **state)
{
    static const uint8_t get[] = { 0x82, 0x86, 0x84, 0x01, 1, 'x' },
                         post[] = { 0x83, 0x86, 0x84, 0x01, 1, 'x' }, no_path[] = { 0x82, 0x86 };
    char numbers[4][40];
    for (unsigned i = 0; i < 4; i++) {
        struct peer p;
        struct buf bytes = { 0 };
        bool before = i / 2, goaway = i % 2;
        set_rules("[{\"on\":\"mark\",\"name\":\"strike\",\"do\":[\"stall\"]},"
                  "{\"on\":\"mark\",\"name\":\"away\",\"over\":\"h2\",\"do\":[{\"goaway\":{"
                  "\"last\":7}}]},"
                  "{\"on\":\"mark\",\"name\":\"again\",\"do\":[\"resume\"]}]");
        open_peer(&p, CLEARTEXT, H2);
        if (goaway)
            mark("away"); /* which disowns the last one alone */
        if (!before)
            mark("strike");
        peer_frame(&bytes, 1, 5, 1, no_path, sizeof no_path); /* malformed */
        peer_frame(&bytes, 1, 5, 3, get, sizeof get);
        peer_frame(&bytes, 1, 4, 5, post, sizeof post);
        peer_frame(&bytes, 3, 0, 5, "\0\0\0\x8", 4); /* given up */
        peer_frame(&bytes, 1, 5, 7, get, sizeof get);
        if (goaway)
            peer_frame(&bytes, 1, 5, 9, get, sizeof get);
        peer_record(&p, buf_bytes(&bytes), buf_len(&bytes));
        peer_send_out(&p);
        if (before)
            mark("strike"); /* so that all of it was sent before */
        assert_true(peer_sees(&p, before ? "request_complete" : "stale_request",
                              before   ? 2
                              : goaway ? 4
                                       : 3));
        mark("again");
        assert_true(peer_sees(&p, "response_end", 2));
        read_numbers(&p, numbers[i], sizeof numbers[i]);
        leave(&p, before ? "sent before the stall" : "sent into the stall");
        buf_free(&bytes);
        if (goaway)
            assert_string_equal(numbers[i], numbers[i - 1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_stall_has_what_came_into_it, rig_reset),
        cmocka_unit_test_setup(a_fault_strikes_between_any_two_bytes, rig_reset),
        cmocka_unit_test_setup(held_requests_keep_their_numbers, rig_reset),
    };
    int failed = cmocka_run_group_tests(tests, rig_start, rig_stop);
    return failed;
}
