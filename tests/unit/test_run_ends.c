/* test_run_ends.c - who ended a connection, and with what, where HTTP says that it ends (GOAWAY,
 * Connection: close) or a timeout of ours has struck, and then the other side does something.
 * test_wire_ends.c has the same of TCP alone.
 */
#include "harness/run_peer.h"

/* --- What either says */

static void strike(struct peer *p)
{
    struct refusal why;
    uint64_t seq;
    unsigned woken;
    assert_int_equal(run_mark(run, "strike", clock_now(), &seq, &woken, &why), 0);
    assert_int_equal(woken, 1);
}

static void their_goaway(struct peer *p)
{
    peer_frame(&p->out, 7, 0, 0, "\0\0\0\0\0\0\0\0", 8);
    peer_send_out(p);
}

static void half_a_request(struct peer *p)
{
    if (p->http == H2)
        peer_frame(&p->out, 1, 0, 1, "\x82\x86", 2);
    else
        peer_record(p, "GET / HTTP/1.1\r\n", 16);
    peer_send_out(p);
}

static void half_a_body(struct peer *p)
{
    if (p->http == H2)
        peer_frame(&p->out, 1, 4, 1, "\x83\x86\x84\x01\x01x", 6);
    else
        peer_record(p, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n", 48);
    peer_send_out(p);
}

static void their_goaway_and_half_a_request(struct peer *p)
{
    peer_frame(&p->out, 1, 4, 1, "\x83\x86\x84\x01\x01x", 6);
    peer_frame(&p->out, 7, 0, 0, "\0\0\0\0\0\0\0\0", 8);
    peer_frame(&p->out, 1, 0, 3, "\x82\x86", 2);
    peer_send_out(p);
}

static void their_last_request(struct peer *p)
{
    peer_record(p, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 46);
    peer_send_out(p);
}

static void their_fin(struct peer *p)
{
    shutdown(p->fd, SHUT_WR);
}

static void their_rst(struct peer *p)
{
    struct linger now = { 1, 0 };
    setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(p->fd);
    p->fd = socket(AF_INET, SOCK_STREAM, 0);
}

static void their_goaway_and_fin(struct peer *p)
{
    their_goaway(p);
    their_fin(p);
}

/* --- The pairs. What comes first has shown in the ledger when the other side goes on. */

struct cell {
    enum http http;
    void (*first)(struct peer *p);
    const char *shows;
    void (*second)(struct peer *p);
    const char *by, *how, *why;
};

static void check(const struct cell *cells, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct cell *c = &cells[i];
        struct peer p;
        set_rules("[{\"on\":\"mark\",\"name\":\"strike\",\"over\":\"h2\",\"do\":[\"goaway\"]}]");
        open_peer(&p, CLEARTEXT, c->http);
        c->first(&p);
        assert_true(peer_sees(&p, c->shows, 1));
        loop_settle(&loop); /* a FIN of ours is out by then */
        c->second(&p);
        assert_true(peer_sees(&p, "connection_end", 1));
        json_t *events = events_since(p.since), *end = event_called(events, "connection_end");
        print_message("# %zu\n", i);
        assert_member(end, "by", c->by);
        assert_member(end, "how", c->how);
        if (c->why)
            assert_member(end, "why", c->why);
        else
            assert_null(json_object_get(end, "why"));
        json_decref(events);
        close_peer(&p);
    }
}

static void who_ended_what_http_ends(void **state)
{
    static const struct cell cells[] = {
        { H2, strike, "fault", their_fin, "client", "fin", NULL },
        { H2, strike, "fault", their_rst, "client", "rst", NULL },
        { H2, strike, "fault", their_goaway_and_fin, "client", "fin", NULL },
        { H2, their_goaway, "peer_goaway", their_fin, "client", "fin", NULL },
        { H2, their_goaway, "peer_goaway", their_rst, "client", "rst", NULL },
        { H1, their_last_request, "response_end", their_fin, "client", "fin", NULL },
        { H1, their_last_request, "response_end", their_rst, "client", "rst", NULL },
    };
    check(cells, COUNT(cells));
}

static void a_timeout_is_our_end(void **state)
{
    static const char header[] = "header timeout", body[] = "body timeout";
    static const struct cell cells[] = {
        { H1, half_a_request, "exchange_lost", their_fin, "server", "fin", header },
        { H1, half_a_request, "exchange_lost", their_rst, "server", "fin", header },
        { H1, half_a_body, "exchange_lost", their_fin, "server", "fin", body },
        { H1, half_a_body, "exchange_lost", their_rst, "server", "fin", body },
        { H2, half_a_request, "exchange_lost", their_fin, "server", "fin", header },
        { H2, half_a_request, "exchange_lost", their_rst, "server", "fin", header },
        { H2, half_a_body, "exchange_lost", their_fin, "client", "fin", NULL }, /* of a stream */
        { H2, half_a_body, "exchange_lost", their_rst, "client", "rst", NULL },
        { H2, their_goaway_and_half_a_request, "exchange_lost", their_rst, "server", "fin",
          header },
    };
    check(cells, COUNT(cells));
}

/* The client's RST has come, unread, when a step says something: sending it ends the connection.
 * Nobody may wait for its ACK then: what waits is freed with the connection (a sanitizer sees it).
 */
static void nothing_waits_for_an_ack_of_what_a_step_has_ended(void **state)
{
    static const char *const steps[] = { "goaway", "fin" };
    for (size_t i = 0; i < COUNT(steps); i++) {
        char rules[100];
        struct peer p;
        snprintf(rules, sizeof rules,
                 "[{\"on\":\"mark\",\"name\":\"strike\",\"over\":\"h2\",\"do\":[\"%s\"]}]",
                 steps[i]);
        set_rules(rules);
        open_peer(&p, CLEARTEXT, H2);
        their_rst(&p);
        strike(&p);
        assert_true(peer_sees(&p, "connection_end", 1));
        run_until(NULL, 50 * REAL_MS); /* the first look is 5 ms later */
        json_t *events = events_since(p.since);
        assert_null(event_called(events, "fault_acked"));
        assert_non_null(event_called(events, "fault"));
        json_decref(events);
        close_peer(&p);
    }
}

static int start_patient(void **state)
{
    rig_patience = (struct run_patience){ 0 };
    return rig_start(state);
}

static int start_impatient(void **state)
{
    rig_patience = (struct run_patience){ .header = 50 * NS_PER_MS, .body = 50 * NS_PER_MS };
    return rig_start(state);
}

static int stop(void **state)
{
    return rig_reset(state) ? -1 : rig_stop(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_ended_what_http_ends, start_patient, stop),
        cmocka_unit_test_setup_teardown(a_timeout_is_our_end, start_impatient, stop),
        cmocka_unit_test_setup_teardown(nothing_waits_for_an_ack_of_what_a_step_has_ended,
                                        start_patient, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
