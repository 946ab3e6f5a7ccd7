/* The wire's verbs on a cleartext connection, as the client's socket sees them. */
#include <sys/ioctl.h>

#include "harness/bench.h"
#include "tests/skip.h"
#include "wire/wire_impl.h"

static void both_ways_carry_bytes_while_open(void **state)
{
    struct bench *b = *state;
    client_says(b, "hello");
    assert_int_equal(buf_len(&b->received), 5);
    wire_send(b->wire, "answer", 6);
    assert_int_equal(wire_queued(b->wire), 6);
    assert_int_equal(wire_handed(b->wire), 6);
    assert_int_equal(client_sees(b), 6);
}

static void fin_is_a_fin_and_later_bytes_draw_a_reset(void **state)
{
    struct bench *b = *state;
    wire_send(b->wire, "last", 4);
    assert_int_equal(wire_fin(b->wire, false, 0, false), 0);
    assert_int_equal(client_sees(b), 4);
    assert_int_equal(client_sees(b), 0);
    assert_false(b->closed);
    bench_await(b, "\"event\":\"fault_acked\"");
    client_says(b, "stale");
    loop_until(&loop, is_set, &b->closed);
    assert_int_equal(buf_len(&b->stale), 5);
    assert_true(client_was_reset(b));
    assert_true(bench_ledger_has(b, "\"sent_into\":\"fin_sent\""));
    assert_true(bench_ledger_has(b, "\"fin_acked\":\"acked\""));
    assert_true(bench_ledger_has(b, "\"by\":\"fault\",\"how\":\"rst\",\"exchanges\":7"));
}

static void a_client_that_closes_after_our_fin_gets_no_reset(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_fin(b->wire, false, 0, false), 0);
    assert_int_equal(client_sees(b), 0);
    shutdown(b->client, SHUT_WR);
    loop_until(&loop, is_set, &b->closed);
    loop_quiet(&loop, client_has_rst, b, A_WHILE);
    assert_true(bench_ledger_has(b, "\"by\":\"fault\",\"how\":\"fin\""));
}

static void what_comes_while_it_lingers_is_discarded_and_later_draws_a_reset(void **state)
{
    struct bench *b = *state;
    int64_t ended = clock_now();
    assert_int_equal(wire_fin(b->wire, false, 1200 * REAL_MS, false), 0);
    assert_int_equal(client_sees(b), 0);
    client_says(b, "first");
    client_says(b, "second");
    assert_int_equal(buf_len(&b->stale), 11);
    assert_true(bench_ledger_has(b, "\"sent_into\":\"fin_sent\""));
    loop_quiet(&loop, is_set, &b->closed, ended + 1210 * REAL_MS - clock_now());
    client_says(b, "third");
    loop_until(&loop, is_set, &b->closed);
    assert_true(client_was_reset(b));
}

static void rst_is_a_reset_at_once(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_rst(b->wire, false), 0);
    assert_int_equal(wire_rst(b->wire, false), WIRE_TOO_LATE);
    assert_int_equal(client_sees(b), -ECONNRESET);
}

/* --- What came behind the first of two faults, and was not read when the second one struck */

static int second_rst(struct wire *w)
{
    return wire_rst(w, false);
}

static int second_rst_drained(struct wire *w)
{
    return wire_rst(w, true);
}

static int fin(struct wire *w)
{
    return wire_fin(w, false, 0, false);
}

static int fin_exact(struct wire *w)
{
    return wire_fin(w, false, 0, true);
}

static int fin_that_lingers(struct wire *w)
{
    return wire_fin(w, false, PATIENCE, false);
}

static int forget(struct wire *w)
{
    return wire_forget(w, false);
}

static const struct {
    int (*first)(struct wire *w), (*second)(struct wire *w);
    const char *into;
    enum ledger_how how;
} two_faults[] = {
    { fin, second_rst, "fin_sent", HOW_RST },
    { fin, second_rst_drained, "fin_sent", HOW_RST },
    { fin_that_lingers, second_rst, "fin_sent", HOW_RST },
    { fin_that_lingers, second_rst_drained, "fin_sent", HOW_RST },
    { forget, second_rst, "forgotten", HOW_RST },
    { forget, second_rst_drained, "forgotten", HOW_RST },
    { wire_stall, second_rst, "stalled", HOW_RST },
    { wire_stall, second_rst_drained, "stalled", HOW_RST },
    { wire_stall, fin, "stalled", HOW_AS_SEEN }, /* which has not ended */
    { wire_stall, fin_exact, "stalled", HOW_FIN },
    { wire_stall, forget, "stalled", HOW_AS_SEEN },
};

static bool is_told_between(void *bench)
{
    const struct bench *b = bench;
    return buf_len(&b->stale) + buf_len(&b->before) == 7;
}

static void what_came_behind_a_fault_is_not_before_the_next_one(void **state)
{
    for (size_t i = 0; i < COUNT(two_faults); i++) {
        void *bench;
        bench_set_up(&bench);
        struct bench *b = bench;
        char text[80];
        int unread = 0;
        print_message("# %zu: %s\n", i, two_faults[i].into);
        wire_announce(b->wire, 7);
        assert_int_equal(two_faults[i].first(b->wire), 0);
        if (strcmp(two_faults[i].into, "fin_sent") == 0)
            assert_int_equal(client_sees(b), 0);
        client_sends(b, "between", 7);
        for (int64_t end = clock_now() + PATIENCE; unread < 7 && clock_now() < end;)
            ioctl(b->socket, FIONREAD, &unread);
        wire_announce(b->wire, 9);
        assert_int_equal(two_faults[i].second(b->wire), 0);
        if (two_faults[i].how == HOW_AS_SEEN)
            loop_until(&loop, is_told_between, b);
        else
            loop_until(&loop, is_set, &b->closed);
        assert_int_equal(buf_len(&b->before), 0);
        assert_int_equal(buf_len(&b->stale), 7);
        snprintf(text, sizeof text, "\"bytes\":7,\"sent_into\":\"%s\"", two_faults[i].into);
        assert_true(bench_ledger_has(b, text));
        assert_true(bench_ledger_has(b, "\"fault\":7"));
        snprintf(text, sizeof text, "\"by\":\"fault\",\"how\":\"%s\",\"fault\":9",
                 ledger_word_name(F_HOW, two_faults[i].how));
        assert_int_equal(bench_ledger_has(b, text), two_faults[i].how != HOW_AS_SEEN);
        if (two_faults[i].how == HOW_RST)
            assert_true(client_was_reset(b));
        else /* it came before the second one, and draws no RST of it */
            loop_quiet(&loop, client_has_rst, b, A_WHILE);
        bench_tear_down(&bench);
    }
}

static void forget_says_nothing_until_the_client_does(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_forget(b->wire, false), 0);
    client_sees_nothing(b);
    client_says(b, "anyone?");
    assert_int_equal(buf_len(&b->stale), 7);
    assert_int_equal(client_sees(b), -ECONNRESET);
}

static void a_forgotten_connection_answers_a_fin_with_a_reset(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_forget(b->wire, false), 0);
    shutdown(b->client, SHUT_WR);
    assert_int_equal(client_sees(b), -ECONNRESET);
}

static void stall_acks_and_says_nothing_until_resumed(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_stall(b->wire), 0);
    wire_send(b->wire, "ignored", 7);
    client_says(b, "ping");
    assert_int_equal(buf_len(&b->stale), 4);
    loop_until(&loop, client_is_acked, b);
    client_sees_nothing(b);
    shutdown(b->client, SHUT_WR);
    client_sees_nothing(b);
    assert_false(b->peer_closed);
    assert_int_equal(wire_resume(b->wire), 0);
    wire_send(b->wire, "pong", 4);
    assert_int_equal(client_sees(b), 4);
    loop_until(&loop, is_set, &b->peer_closed);
}

static void a_reset_is_noticed_while_stalled(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_stall(b->wire), 0);
    shutdown(b->client, SHUT_WR);
    bench_await(b, "\"event\":\"peer_fin\"");
    client_resets(b);
    loop_until(&loop, is_set, &b->closed);
    assert_true(bench_ledger_has(b, "\"event\":\"peer_rst\""));
}

/* Its FIN is all that is ever heard of a client that has closed: nothing of ours draws a RST. */
static void a_stall_ends_after_the_clients_fin_also_when_that_came_first(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_stall(b->wire), 0);
    assert_false(timer_armed(&b->wire->limit)); /* for a client that may continue, it lasts */
    assert_int_equal(wire_resume(b->wire), 0);
    shutdown(b->client, SHUT_WR);
    loop_until(&loop, is_set, &b->peer_closed);
    assert_int_equal(wire_stall(b->wire), 0);
    assert_true(timer_armed(&b->wire->limit));
    assert_true(b->wire->limit.due <= clock_now() + 120 * NS_PER_S);
    assert_int_equal(wire_state(b->wire), WIRE_STALLED);
}

static bool is_probed(const struct bench *b)
{
    int on;
    socklen_t len = sizeof on;
    assert_int_equal(getsockopt(b->socket, SOL_SOCKET, SO_KEEPALIVE, &on, &len), 0);
    return on;
}

/* It may wait for its answer, or be gone. */
static void a_client_that_closed_its_half_is_probed_but_in_a_fault(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_stall(b->wire), 0);
    assert_int_equal(wire_resume(b->wire), 0);
    assert_false(is_probed(b));
    shutdown(b->client, SHUT_WR);
    loop_until(&loop, is_set, &b->peer_closed);
    assert_true(is_probed(b));
    assert_int_equal(wire_stall(b->wire), 0);
    assert_false(is_probed(b));
    assert_int_equal(wire_resume(b->wire), 0);
    assert_true(is_probed(b));
}

/* It had ended with FIN; its kernel knows nothing of the connection later, and says so to a probe.
 */
static void a_client_that_was_gone_had_ended_with_its_fin(void **state)
{
    static const struct {
        bool probed, sends;
        const char *end;
    } rows[] = {
        { true, false, "\"by\":\"client\",\"how\":\"fin\"" },
        { false, false, "\"by\":\"client\",\"how\":\"rst\"" }, /* too soon for a probe */
        { true, true, "\"by\":\"client\",\"how\":\"rst\"" },   /* it answers what we said */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        void *bench;
        bench_set_up(&bench);
        struct bench *b = bench;
        shutdown(b->client, SHUT_WR);
        loop_until(&loop, is_set, &b->peer_closed);
        if (rows[i].probed)
            b->wire->probing_since -= 90 * NS_PER_S;
        if (rows[i].sends)
            wire_send(b->wire, "answer", 6);
        client_resets(b); /* as its RST in answer to the probe */
        loop_until(&loop, is_set, &b->closed);
        assert_true(bench_ledger_has(b, rows[i].end));
        assert_true(bench_ledger_has(b, "\"after_peer_fin_ms\":"));
        assert_int_equal(bench_ledger_has(b, "keep-alive probe"), i == 0);
        bench_tear_down(&bench);
    }
}

static bool hole_is_in_effect(void *bench)
{
    const struct bench *b = bench;
    return wire_state(b->wire) == WIRE_BLACK_HOLED && b->wire->effect == WIRE_IN_EFFECT;
}

static void a_black_hole_acks_nothing_and_heals(void **state)
{
    struct bench *b = *state;
    if (!caps_have(CAP_BLACK_HOLE))
        skip_because(caps_row(CAP_BLACK_HOLE)->why_not);
    assert_int_equal(wire_black_hole(b->wire), 0);
    client_sends(b, "lost", 4);
    loop_until(&loop, client_has_repeated, b);
    loop_quiet(&loop, client_is_acked, b, A_WHILE);
    client_sees_nothing(b);
    bench_await(b, "\"event\":\"segments_dropped\"");
    assert_int_equal(buf_len(&b->received) + buf_len(&b->stale), 0);
    assert_true(wire_black_hole_used(b->wire) >= wire_fault_since(b->wire));
    assert_int_equal(wire_heal(b->wire), 0);
    loop_until(&loop, bench_all_read, b); /* when the client's kernel has sent it again */
    loop_until(&loop, client_is_acked, b);
    assert_int_equal(buf_len(&b->received), 4);
}

/* With a tap a keep-alive probe is told from data: nothing that comes later was sent into the hole.
 */
static void a_probe_that_a_black_hole_drops_is_no_data(void **state)
{
    struct bench *b = *state;
    int on = 1, second = 1;
    if (!caps_have(CAP_BLACK_HOLE))
        skip_because(caps_row(CAP_BLACK_HOLE)->why_not);
    if (!caps_have(CAP_TAP))
        skip_because(caps_row(CAP_TAP)->why_not);
    assert_int_equal(wire_black_hole(b->wire), 0);
    setsockopt(b->client, IPPROTO_TCP, TCP_KEEPIDLE, &second, sizeof second);
    setsockopt(b->client, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    bench_await(b, "\"event\":\"segments_dropped\"");
    assert_true(bench_ledger_has(b, "\"probes\":1"));
    assert_int_equal(wire_black_hole_used(b->wire), TIME_NONE);
}

static void what_a_stall_keeps_out_is_told_with_the_clients_fin(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_stall(b->wire), 0);
    client_sends(b, "hello", 5);
    shutdown(b->client, SHUT_WR);
    bench_await(b, "\"event\":\"peer_fin\"");
    assert_true(bench_ledger_has(b, "\"bytes\":5"));
}

/* A client that ended with RST in the hole was not heard, and is never heard of again. */
static void a_client_is_probed_after_a_black_hole(void **state)
{
    struct bench *b = *state;
    if (!caps_have(CAP_BLACK_HOLE))
        skip_because(caps_row(CAP_BLACK_HOLE)->why_not);
    assert_int_equal(wire_black_hole(b->wire), 0);
    assert_false(is_probed(b));
    assert_int_equal(wire_heal(b->wire), 0);
    assert_true(is_probed(b));
    assert_int_equal(wire_stall(b->wire), 0); /* no probe belongs into a fault */
    assert_false(is_probed(b));
}

/* Our kernel has ACKed it. */
static void a_reset_in_a_black_hole_looks_at_what_came_before_it(void **state)
{
    struct bench *b = *state;
    if (!caps_have(CAP_BLACK_HOLE))
        skip_because(caps_row(CAP_BLACK_HOLE)->why_not);
    client_sends(b, "before", 6);
    while (client_unacked(b) > 0)
        ;
    assert_int_equal(wire_black_hole(b->wire), 0);
    loop_quiet(&loop, bench_all_read, b, A_WHILE);
    assert_int_equal(buf_len(&b->received) + buf_len(&b->before), 0);
    assert_int_equal(wire_rst(b->wire, false), 0);
    loop_until(&loop, is_set, &b->closed);
    assert_int_equal(buf_len(&b->before), 6);
    assert_int_equal(buf_len(&b->stale), 0);
    assert_true(client_was_reset(b));
}

static void what_a_black_hole_dropped_is_not_for_the_reset_that_ends_it(void **state)
{
    struct bench *b = *state;
    if (!caps_have(CAP_BLACK_HOLE))
        skip_because(caps_row(CAP_BLACK_HOLE)->why_not);
    wire_announce(b->wire, 77);
    assert_int_equal(wire_black_hole(b->wire), 0);
    assert_true(hole_is_in_effect(b));
    client_sends(b, "lost", 4); /* perhaps not sampled yet */
    wire_announce(b->wire, 88);
    assert_int_equal(wire_rst(b->wire, false), 0);
    loop_until(&loop, is_set, &b->closed);
    assert_true(bench_ledger_has(b, "\"event\":\"segments_dropped\""));
    assert_true(bench_ledger_has(b, "\"fault\":77}"));
    assert_true(bench_ledger_has(b, "\"how\":\"rst\",\"fault\":88"));
}

static void a_black_hole_waits_until_the_client_has_acked_what_was_sent(void **state)
{
    struct bench *b = *state;
    if (!caps_have(CAP_BLACK_HOLE))
        skip_because(caps_row(CAP_BLACK_HOLE)->why_not);
    wire_send(b->wire, "before", 6);
    assert_int_equal(wire_black_hole(b->wire), 0);
    assert_int_equal(client_sees(b), 6);
    loop_until(&loop, hole_is_in_effect, b);
    client_sends(b, "lost", 4);
    loop_quiet(&loop, client_is_acked, b, A_WHILE);
    wire_abort(b->wire, BY_SHUTDOWN, HOW_AS_SEEN);
    loop_until(&loop, is_set, &b->closed);
    assert_true(bench_ledger_has(b, "\"how\":\"silence\""));
    char byte; /* looked at once: what the client repeats into a closed socket draws a RST */
    assert_int_equal(recv(b->client, &byte, 1, 0), -1);
    assert_int_equal(errno, EAGAIN);
}

static void an_orderly_close_sends_fin_and_waits_for_the_clients(void **state)
{
    struct bench *b = *state;
    wire_send(b->wire, "bye", 3);
    wire_close(b->wire, BY_SERVER);
    assert_int_equal(client_sees(b), 3);
    assert_int_equal(client_sees(b), 0);
    client_says(b, "too late, and dropped without a reset");
    loop_quiet(&loop, client_has_rst, b, A_WHILE);
    assert_false(b->closed);
    shutdown(b->client, SHUT_WR);
    loop_until(&loop, is_set, &b->closed);
    assert_int_equal(buf_len(&b->received) + buf_len(&b->stale), 0);
}

static void a_client_that_does_not_read_bounds_what_is_queued(void **state)
{
    struct bench *b = *state;
    static char block[16384], sink[65536];
    size_t sent = 0;
    while (wire_room(b->wire) > 0) {
        wire_send(b->wire, block, sizeof block);
        sent += sizeof block;
        assert_true(sent < 64u << 20);
    }
    assert_int_equal(wire_queued(b->wire), sent);
    assert_true(wire_handed(b->wire) < sent);
    client_sends(b, "not read meanwhile", 18);
    loop_quiet(&loop, bench_all_read, b, A_WHILE);
    assert_int_equal(buf_len(&b->received), 0);
    for (size_t got = 0; got < sent;) {
        int n = client_reads(b, sink, sizeof sink);
        assert_true(n > 0);
        got += (size_t)n;
    }
    loop_until(&loop, bench_all_read, b);
    assert_int_equal(wire_handed(b->wire), sent);
    assert_true(b->progress > 0);
    assert_int_equal(buf_len(&b->received), 18);
}

static void the_states_are_what_they_are_for(void **state)
{
    struct wire w = { 0 };
    for (w.state = WIRE_HANDSHAKE; w.state <= WIRE_CLOSED; w.state++) {
        const struct wire_state_row *row = wire_row(&w);
        bool over = w.state == WIRE_CLOSED;
        print_message("# %s\n", wire_state_name(w.state));
        assert_true(*wire_state_name(w.state));
        assert_true(row->fault == (row->into > INTO_ENDING && row->into != INTO_GOAWAY));
        assert_true(row->serves + row->fault + over == (w.state == WIRE_ENDING ? 0 : 1));
        assert_true(row->fault || (!row->held && !row->silent));
        assert_true(row->silent || !row->held); /* what can end says nothing before */
        assert_true(over == (row->limit == NULL));
        assert_true((row->serves || over) == (row->drained == NULL));
        for (w.effect = WIRE_LEAVING; w.effect <= WIRE_IN_EFFECT; w.effect++) {
            assert_true(!wire_draws_rst(&w) || wire_says_no_more(&w));
            assert_true(!row->held || !wire_says_no_more(&w));
        }
    }
}

#define scenario(name) cmocka_unit_test_setup_teardown(name, bench_set_up, bench_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        scenario(both_ways_carry_bytes_while_open),
        scenario(fin_is_a_fin_and_later_bytes_draw_a_reset),
        scenario(a_client_that_closes_after_our_fin_gets_no_reset),
        scenario(what_comes_while_it_lingers_is_discarded_and_later_draws_a_reset),
        scenario(rst_is_a_reset_at_once),
        cmocka_unit_test(what_came_behind_a_fault_is_not_before_the_next_one),
        scenario(forget_says_nothing_until_the_client_does),
        scenario(a_forgotten_connection_answers_a_fin_with_a_reset),
        scenario(stall_acks_and_says_nothing_until_resumed),
        scenario(a_reset_is_noticed_while_stalled),
        scenario(a_stall_ends_after_the_clients_fin_also_when_that_came_first),
        scenario(a_client_that_closed_its_half_is_probed_but_in_a_fault),
        cmocka_unit_test(a_client_that_was_gone_had_ended_with_its_fin),
        scenario(a_black_hole_acks_nothing_and_heals),
        scenario(a_probe_that_a_black_hole_drops_is_no_data),
        scenario(what_a_stall_keeps_out_is_told_with_the_clients_fin),
        scenario(a_client_is_probed_after_a_black_hole),
        scenario(a_reset_in_a_black_hole_looks_at_what_came_before_it),
        scenario(what_a_black_hole_dropped_is_not_for_the_reset_that_ends_it),
        scenario(a_black_hole_waits_until_the_client_has_acked_what_was_sent),
        scenario(an_orderly_close_sends_fin_and_waits_for_the_clients),
        scenario(a_client_that_does_not_read_bounds_what_is_queued),
        cmocka_unit_test(the_states_are_what_they_are_for),
    };
    return cmocka_run_group_tests(tests, bench_start, bench_stop);
}
