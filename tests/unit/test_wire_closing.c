/* Behind a FIN of ours, on a cleartext connection: what draws a RST, what is discarded, and when
 * the connection is gone. */
#include <sys/capability.h>

#include "base/duration.h"
#include "harness/bench.h"
#include "wire/wire_impl.h"

/* How the connection ends, and which wire_closing it has. */
enum way { FAULT, ORDERLY, WAYS };

static void finish(struct bench *b, enum way way, int64_t linger, int64_t fin_wait)
{
    struct wire_closing closing = WIRE_CLOSING_DEFAULT;
    closing.fin_wait = fin_wait;
    if (way == ORDERLY)
        closing.linger = linger;
    wire_closing(b->wire, &closing);
    if (way == FAULT)
        assert_int_equal(wire_fin(b->wire, false, linger, false), 0);
    else
        wire_close(b->wire, BY_SERVER);
    assert_int_equal(client_sees(b), 0);
}

static int state_of(int fd)
{
    struct tcp_info info = { 0 };
    socklen_t len = sizeof info;
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
    return info.tcpi_state;
}

static bool client_is_reset(void *bench)
{
    return state_of(((struct bench *)bench)->client) == TCP_CLOSE;
}

static void each_way(void (*check)(struct bench *b, enum way way))
{
    for (enum way way = FAULT; way < WAYS; way++) {
        void *b;
        bench_set_up(&b);
        check(b, way);
        bench_tear_down(&b);
    }
}

static int64_t least_until_rst[WAYS];

/* A head and a body in two writes: the second one fails. */
static void the_first_byte_draws_rst(struct bench *b, enum way way)
{
    finish(b, way, 0, DURATION_NEVER);
    int64_t sent = clock_now();
    client_sends(b, "G", 1);
    loop_until(&loop, is_set, &b->closed);
    if (clock_now() - sent < least_until_rst[way])
        least_until_rst[way] = clock_now() - sent;
    loop_until(&loop, client_is_reset, b);
    assert_int_equal(send(b->client, "ET /", 4, MSG_NOSIGNAL), -1);
    assert_true(bench_ledger_has(b, "\"event\":\"stale_bytes\",\"connection\":1,\"bytes\":1,"));
    assert_true(bench_ledger_has(b, way == FAULT ? "\"sent_into\":\"fin_sent\""
                                                 : "\"sent_into\":\"ending\""));
    assert_true(bench_ledger_has(b, way == FAULT ? "\"by\":\"fault\",\"how\":\"rst\""
                                                 : "\"by\":\"server\",\"how\":\"rst\""));
    assert_int_equal(b->stales, way == FAULT);
}

static void the_first_byte_behind_a_fin_draws_rst(void **state)
{
    /* An ACK that is put off would come 40 ms later, each time. */
    for (enum way way = FAULT; way < WAYS; way++)
        least_until_rst[way] = INT64_MAX;
    bool soon = false;
    for (int i = 0; i < 20 && !soon; i++) {
        each_way(the_first_byte_draws_rst);
        soon = true;
        for (enum way way = FAULT; way < WAYS; way++)
            soon = soon && least_until_rst[way] < 40 * REAL_MS;
    }
    assert_true(soon);
}

static void lingering(struct bench *b, enum way way)
{
    finish(b, way, DURATION_NEVER, DURATION_NEVER);
    client_says(b, "first");
    client_says(b, "second");
    assert_false(b->closed);
    assert_int_equal(state_of(b->client), TCP_CLOSE_WAIT);
    assert_int_equal(bench_ledger_has(b, "\"event\":\"stale_bytes\""), way == FAULT);
    shutdown(b->client, SHUT_WR);
    loop_until(&loop, is_set, &b->closed);
    assert_true(bench_ledger_has(b, way == FAULT ? "\"by\":\"fault\",\"how\":\"fin\""
                                                 : "\"by\":\"server\",\"how\":\"fin\""));
}

static void what_comes_while_it_lingers_draws_nothing(void **state)
{
    each_way(lingering);
}

/* As Linux after tcp_fin_timeout: nothing is said, and what is sent later draws RST. */
static void waiting(struct bench *b, enum way way)
{
    int64_t ended = clock_now();
    finish(b, way, 0, 150 * REAL_MS);
    loop_until(&loop, is_set, &b->closed);
    assert_true(clock_now() - ended >= 150 * REAL_MS);
    loop_quiet(&loop, client_is_reset, b, A_WHILE);
    assert_int_equal(state_of(b->client), TCP_CLOSE_WAIT);
    assert_true(bench_ledger_has(b, "did not close within fin_wait"));
    assert_true(bench_ledger_has(b, way == FAULT ? "\"by\":\"fault\",\"how\":\"fin\""
                                                 : "\"by\":\"server\",\"how\":\"fin\""));
    client_sends(b, "x", 1);
    loop_until(&loop, client_is_reset, b);
}

static void after_fin_wait_the_connection_is_gone_with_nothing_said(void **state)
{
    cap_value_t capability = CAP_NET_ADMIN;
    cap_t had = cap_get_proc(), less = cap_get_proc();
    each_way(waiting);
    assert_int_equal(cap_set_flag(less, CAP_EFFECTIVE, 1, &capability, CAP_CLEAR), 0);
    assert_int_equal(cap_set_proc(less), 0);
    each_way(waiting); /* the kernel forgets it in its own way, a little later */
    assert_int_equal(cap_set_proc(had), 0);
    cap_free(had);
    cap_free(less);
}

static void fin_wait_is_bounded_and_as_long_as_the_kernels(void **state)
{
    static const struct {
        int64_t linger, fin_wait, due;
    } rows[] = {
        { 0, 60 * NS_PER_S, 60 * NS_PER_S },
        { 5 * NS_PER_S, 60 * NS_PER_S, 60 * NS_PER_S },
        { 90 * NS_PER_S, 60 * NS_PER_S, 90 * NS_PER_S },
        { 0, DURATION_NEVER, LIMIT_WATCHED },
        { DURATION_NEVER, 0, LIMIT_WATCHED },
    };
    for (enum way way = FAULT; way < WAYS; way++) {
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            void *bench;
            bench_set_up(&bench);
            struct bench *b = bench;
            int64_t before = clock_now();
            finish(b, way, rows[i].linger, rows[i].fin_wait);
            assert_true(timer_armed(&b->wire->limit));
            assert_in_range(b->wire->limit.due - before, rows[i].due, rows[i].due + 5 * NS_PER_S);
            bench_tear_down(&bench);
        }
    }
}

/* The kernel answers, as for any closed socket: the connection is over for us at once. */
static void an_exact_fin_is_left_to_the_kernel(void **state)
{
    struct bench *b = *state;
    wire_send(b->wire, "last", 4);
    assert_int_equal(wire_fin(b->wire, false, 0, true), 0);
    assert_int_equal(wire_state(b->wire), WIRE_CLOSED);
    assert_int_equal(client_sees(b), 4);
    assert_int_equal(client_sees(b), 0);
    assert_int_equal(state_of(b->client), TCP_CLOSE_WAIT);
    client_sends(b, "stale", 5);
    loop_until(&loop, client_is_reset, b);
    assert_int_equal(b->stales, 0);
    assert_false(bench_ledger_has(b, "stale_bytes"));
    assert_true(bench_ledger_has(b, "\"by\":\"fault\",\"how\":\"fin\""));
}

/* To close a socket with bytes unread would be a RST instead of a FIN. */
static void an_exact_fin_reads_first_what_came_before_it(void **state)
{
    struct bench *b = *state;
    client_sends(b, "before", 6);
    assert_int_equal(wire_fin(b->wire, false, 0, true), 0);
    loop_until(&loop, is_set, &b->closed);
    assert_int_equal(buf_len(&b->before), 6);
    assert_int_equal(client_sees(b), 0);
    assert_int_equal(state_of(b->client), TCP_CLOSE_WAIT);
    assert_false(bench_ledger_has(b, "stale_bytes"));
}

static void an_exact_fin_lingers_first(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_fin(b->wire, false, 1000 * REAL_MS, true), 0);
    client_says(b, "discarded");
    assert_false(b->closed);
    assert_int_equal(state_of(b->client), TCP_CLOSE_WAIT);
    loop_until(&loop, is_set, &b->closed);
    client_sends(b, "x", 1);
    loop_until(&loop, client_is_reset, b);
}

/* At the end of the process nobody waits for tcp_fin_timeout. */
static void who_hurries_does_not_wait_behind_a_fin(void **state)
{
    struct bench *b = *state;
    finish(b, ORDERLY, 1000 * REAL_MS, DURATION_NEVER);
    wire_hurry(b->wire);
    assert_false(b->closed);
    loop_until(&loop, is_set, &b->closed);
    assert_int_equal(client_sees(b), 0);
}

/* A socket whose kernel says nothing of its state: that is no "ACKed". */
static void what_the_kernel_does_not_say_is_not_known(void **state)
{
    struct bench b = { .state = WIRE_OPEN };
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    b.client = ends[1];
    b.ledger = ledger_create(1 << 20);
    struct wire_config config = {
        .loop = &loop, .owner_calls = &bench_calls, .owner = &b, .ledger = b.ledger, .id = 1
    };
    assert_int_equal(wire_create(&config, ends[0], &b.wire), 0);
    assert_int_equal(wire_tcp_state(b.wire), -1);
    assert_int_equal(wire_fin(b.wire, false, 0, false), 0);
    bench_await_none(&b, "\"event\":\"fault_acked\"");
    client_says(&b, "late");
    assert_true(bench_ledger_has(&b, "\"fin_acked\":\"unclear\""));
    loop_until(&loop, is_set, &b.closed);
    close(b.client);
    buf_free(&b.stale);
    ledger_destroy(b.ledger);
}

#define scenario(name) cmocka_unit_test_setup_teardown(name, bench_set_up, bench_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_byte_behind_a_fin_draws_rst),
        cmocka_unit_test(what_comes_while_it_lingers_draws_nothing),
        cmocka_unit_test(after_fin_wait_the_connection_is_gone_with_nothing_said),
        cmocka_unit_test(fin_wait_is_bounded_and_as_long_as_the_kernels),
        scenario(an_exact_fin_is_left_to_the_kernel),
        scenario(an_exact_fin_reads_first_what_came_before_it),
        scenario(an_exact_fin_lingers_first),
        scenario(who_hurries_does_not_wait_behind_a_fin),
        cmocka_unit_test(what_the_kernel_does_not_say_is_not_known),
    };
    return cmocka_run_group_tests(tests, bench_start, bench_stop);
}
