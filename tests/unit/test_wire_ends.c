/* test_wire_ends.c - who ended a connection, and with what, when both sides say something of an
 * end, one after the other: every pair.
 */
#include "harness/bench.h"
#include "wire/filter.h"

/* --- What either says */

static void nothing(struct bench *b)
{
}

static void close_in_order(struct bench *b)
{
    wire_close(b->wire, BY_SERVER);
}

static void close_for_a_timeout(struct bench *b)
{
    wire_say_why(b->wire, "header timeout");
    wire_close(b->wire, BY_SERVER);
}

static void close_for_the_client(struct bench *b) /* which said so: GOAWAY, Connection: close */
{
    wire_close(b->wire, BY_CLIENT);
}

static void fault_fin(struct bench *b)
{
    wire_fin(b->wire, false, 0, false);
}

static void fault_fin_that_lingers(struct bench *b)
{
    wire_fin(b->wire, false, PATIENCE, false);
}

static void fault_rst(struct bench *b)
{
    wire_rst(b->wire, false);
}

static void fault_forget(struct bench *b)
{
    wire_forget(b->wire, false);
}

static void fault_stall(struct bench *b)
{
    wire_stall(b->wire);
}

static void client_fin(struct bench *b)
{
    shutdown(b->client, SHUT_WR);
}

static void client_rst(struct bench *b)
{
    struct linger now = { 1, 0 };
    setsockopt(b->client, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(b->client);
    b->client = socket(AF_INET, SOCK_STREAM, 0);
}

/* Its kernel hears nothing any more; ours gives it up soon. */
static void client_vanishes(struct bench *b)
{
    unsigned ms = 1;
    assert_int_equal(filter_drop_all(b->client), 0);
    assert_int_equal(setsockopt(b->socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms), 0);
}

static void server_sends(struct bench *b)
{
    wire_send(b->wire, "answer", 6);
}

static void server_sends_and_forgets(struct bench *b)
{
    server_sends(b);
    fault_forget(b);
}

/* --- The pairs; "": the connection has not ended */

static const struct {
    void (*first)(struct bench *b), (*second)(struct bench *b);
    const char *end;
} cells[] = {
    { close_in_order, client_fin, "\"by\":\"server\",\"how\":\"fin\"" },
    { close_in_order, client_rst, "\"by\":\"server\",\"how\":\"fin\"" },
    { close_in_order, fault_rst, "\"by\":\"fault\",\"how\":\"rst\"" },
    { close_for_a_timeout, client_fin,
      "\"by\":\"server\",\"how\":\"fin\",\"why\":\"header timeout\"" },
    { close_for_a_timeout, client_rst,
      "\"by\":\"server\",\"how\":\"fin\",\"why\":\"header timeout\"" },
    { close_for_the_client, client_fin, "\"by\":\"client\",\"how\":\"fin\"" },
    { close_for_the_client, client_rst, "\"by\":\"client\",\"how\":\"rst\"" },
    { fault_fin, client_fin, "\"by\":\"fault\",\"how\":\"fin\",\"fault\":7" },
    { fault_fin, client_rst, "\"by\":\"fault\",\"how\":\"fin\",\"fault\":7" },
    { fault_fin, fault_rst, "\"by\":\"fault\",\"how\":\"rst\",\"fault\":7" },
    { fault_fin_that_lingers, client_fin, "\"by\":\"fault\",\"how\":\"fin\",\"fault\":7" },
    { fault_fin_that_lingers, client_rst, "\"by\":\"fault\",\"how\":\"fin\",\"fault\":7" },
    { fault_rst, nothing, "\"by\":\"fault\",\"how\":\"rst\",\"fault\":7" },
    { fault_forget, client_fin, "\"by\":\"fault\",\"how\":\"rst\",\"fault\":7" },
    { fault_forget, client_rst, "\"by\":\"client\",\"how\":\"rst\",\"fault\":7" },
    { fault_stall, client_fin, "" }, /* it may be half of it alone */
    { fault_stall, client_rst, "\"by\":\"client\",\"how\":\"rst\",\"fault\":7" },
    { client_fin, nothing, "" },
    { client_fin, close_in_order, "\"by\":\"client\",\"how\":\"fin\"" },
    { client_fin, fault_fin, "\"by\":\"fault\",\"how\":\"fin\",\"fault\":7" },
    { client_fin, fault_rst, "\"by\":\"fault\",\"how\":\"rst\",\"fault\":7" },
    { client_fin, fault_stall, "" },
    { client_fin, client_rst, "\"by\":\"client\",\"how\":\"rst\"" },
    { client_rst, nothing, "\"by\":\"client\",\"how\":\"rst\"" },
    { client_vanishes, server_sends,
      "\"by\":\"network\",\"how\":\"what was sent is not acknowledged\"" },
    { client_vanishes, close_in_order,
      "\"by\":\"server\",\"how\":\"what was sent is not acknowledged\"" },
    { client_vanishes, fault_fin,
      "\"by\":\"fault\",\"how\":\"what was sent is not acknowledged\",\"fault\":7" },
    { client_vanishes, server_sends_and_forgets,
      "\"by\":\"network\",\"how\":\"what was sent is not acknowledged\",\"fault\":7" },
};

static void who_ended_it_and_how(void **state)
{
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
        void *bench;
        if (cells[i].first == client_vanishes && !caps_have(CAP_BLACK_HOLE))
            continue; /* this kernel lets nobody attach a filter */
        bench_set_up(&bench);
        struct bench *b = bench;
        bool ends = *cells[i].end;
        print_message("# %zu: %s\n", i, cells[i].end);
        wire_announce(b->wire, 7);
        cells[i].first(b);
        if (cells[i].first == client_fin)
            bench_await(b, "\"event\":\"peer_fin\"");
        cells[i].second(b);
        if (ends)
            loop_until(&loop, is_set, &b->closed);
        else
            loop_quiet(&loop, is_set, &b->closed, 20 * REAL_MS);
        assert_true(bench_ledger_has(b, cells[i].end));
        bench_tear_down(&bench);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_ended_it_and_how),
    };
    return cmocka_run_group_tests(tests, bench_start, bench_stop);
}
