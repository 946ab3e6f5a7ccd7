/* How a wire's bytes leave: paced, injected, and reset once they are ACKed; from the client's seat,
 * cleartext and TLS. */
#include "harness/memory.h"
#include "harness/shape.h"
#include "tests/skip.h"
#include "wire/wire_impl.h"

/* --- Pace */

static void without_a_pace_all_leaves_at_once(void **state)
{
    struct bench *b = *state;
    shape_send(b, 35);
    assert_int_equal(wire_handed(b->wire), 35);
    shape_until_raw(35);
    assert_int_equal(shape_segments(b), 1);
}

static void one_chunk_leaves_at_once_and_the_rest_waits(void **state)
{
    struct bench *b = *state;
    size_t room = wire_room(b->wire);
    shape_hold(b, 10);
    shape_send(b, 35);
    assert_int_equal(wire_queued(b->wire), 35);
    assert_int_equal(wire_handed(b->wire), 10);
    assert_int_equal(wire_room(b->wire), room - 25);
    loop_run(A_WHILE);
    shape_until_raw(10);
    shape_let_go(b, 10);
    shape_until_raw(35);
    assert_int_equal(shape_segments(b), 4);
    assert_int_equal(wire_handed(b->wire), 35);
    assert_int_equal(wire_room(b->wire), room);
    assert_true(b->progress > 0);
}

static void paced_bytes_leave_in_chunks_and_never_early(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_pace(b->wire, 10, 250 * MS), 0);
    int64_t start = clock_now();
    shape_send(b, 35);
    shape_until_raw(35); /* and not later than PATIENCE */
    for (unsigned i = 0; i < 35; i++)
        assert_true(shape.came_at[i] - start >= i / 10 * 250 * MS);
    assert_int_equal(shape_segments(b), 4);
    assert_true(shape_in_order(&shape.raw));
}

static void a_pace_holds_for_what_is_sent_later_and_does_not_stop_reading(void **state)
{
    struct bench *b = *state;
    shape_hold(b, 10);
    int64_t start = clock_now();
    shape_send(b, 10);
    wire_send(b->wire, shape_block + 10, 10);
    client_says(b, "meanwhile");
    assert_int_equal(buf_len(&b->received), 9);
    assert_int_equal(wire_handed(b->wire), 10);
    assert_int_equal(wire_pace(b->wire, 10, 250 * MS), 0);
    shape_until_raw(20);
    assert_true(shape.came_at[10] - start >= 250 * MS);
    loop_run(255 * MS);
    wire_send(b->wire, shape_block + 20, 5); /* after a quiet spell it may leave at once */
    assert_int_equal(wire_handed(b->wire), 25);
}

static void another_pace_takes_over_what_waits_and_none_lets_it_out(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_pace(b->wire, 1, 3600 * NS_PER_S), 0);
    shape_send(b, 31);
    assert_int_equal(wire_handed(b->wire), 1);
    assert_int_equal(wire_pace(b->wire, 5, 20 * MS), 0);
    shape_until_raw(31);
    assert_int_equal(wire_pace(b->wire, 1, 3600 * NS_PER_S), 0);
    loop_run(25 * MS); /* longer than the pace before */
    wire_send(b->wire, shape_block + 31, 100);
    assert_int_equal(wire_handed(b->wire), 32);
    assert_int_equal(wire_pace(b->wire, 0, 0), 0);
    assert_int_equal(wire_handed(b->wire), 131);
    shape_until_raw(131);
    wire_send(b->wire, shape_block + 131, 100);
    assert_int_equal(wire_handed(b->wire), 231);
}

static void a_fast_pace_is_not_held_up_by_what_may_wait(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_pace(b->wire, 1 << 20, 400 * MS), 0); /* 64 KiB each 25 ms */
    int64_t start = clock_now();
    shape_send(b, 1 << 20);
    shape_until_raw(1 << 20);
    assert_true(clock_now() - start >= 15 * (400 * MS / 16));
    assert_true(clock_now() - start < 15 * (400 * MS)); /* one chunk each 400 ms */
    assert_true(shape_in_order(&shape.raw));
}

static void the_verbs_wait_until_the_pace_has_let_all_out(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_pace(b->wire, 10, 20 * MS), 0);
    int64_t start = clock_now();
    shape_send(b, 40);
    assert_int_equal(wire_fin(b->wire, false, 0, false), 0);
    shape_until_fin();
    assert_int_equal(buf_len(&shape.raw), 40);
    assert_true(clock_now() - start >= 60 * MS);
    assert_true(wire_fault_since(b->wire) - start >= 60 * MS);
    assert_int_equal(wire_handed(b->wire), 40);
    assert_int_equal(wire_pace(b->wire, 0, 0), WIRE_TOO_LATE);
}

static bool is_over(void *bench)
{
    return shape.fin || shape.rst || ((struct bench *)bench)->closed;
}

static void the_orderly_close_waits_for_the_pace(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_pace(b->wire, 10, 20 * MS), 0);
    int64_t start = clock_now();
    shape_send(b, 40);
    wire_close(b->wire, BY_SERVER);
    shape_until_fin();
    assert_int_equal(buf_len(&shape.raw), 40);
    assert_true(shape.came_at[39] - start >= 60 * MS);
}

static void while_the_pace_holds_bytes_back_the_orderly_close_is_not_over(void **state)
{
    struct bench *b = *state;
    shape_hold(b, 10);
    shape_send(b, 40);
    wire_close(b->wire, BY_SERVER);
    assert_int_equal(wire_state(b->wire), WIRE_ENDING);
    loop_quiet(&loop, is_over, b, A_WHILE);
    shape_until_raw(10);
}

static void a_stall_begins_behind_what_is_paced(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_pace(b->wire, 10, 20 * MS), 0);
    shape_send(b, 40);
    assert_int_equal(wire_stall(b->wire), 0);
    shape_until_raw(40);
    client_says(b, "hello?");
    assert_int_equal(buf_len(&b->stale), 6);
    assert_int_equal(wire_resume(b->wire), 0);
    wire_send(b->wire, shape_block + 40, 20);
    shape_until_raw(60);
    assert_true(shape_in_order(&shape.raw));
}

static void forget_waits_for_the_pace_also_when_the_client_has_closed_its_half(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_pace(b->wire, 10, 20 * MS), 0);
    shape_send(b, 40);
    assert_int_equal(wire_forget(b->wire, false), 0);
    shutdown(b->client, SHUT_WR);
    shape_until_raw(40);
    loop_quiet(&loop, is_over, b, A_WHILE);
}

static void a_black_hole_begins_behind_what_is_paced(void **state)
{
    struct bench *b = *state;
    if (!caps_have(CAP_BLACK_HOLE))
        skip_because(caps_row(CAP_BLACK_HOLE)->why_not);
    assert_int_equal(wire_pace(b->wire, 10, 20 * MS), 0);
    int64_t start = clock_now();
    shape_send(b, 40);
    assert_int_equal(wire_black_hole(b->wire), 0);
    shape_until_raw(40);
    bench_await(b, "in effect: all we sent is ACKed");
    client_sends(b, "lost", 4);
    loop_quiet(&loop, client_is_acked, b, A_WHILE);
    assert_true(wire_fault_since(b->wire) - start >= 60 * MS);
}

static void a_reset_does_not_wait_for_the_pace(void **state)
{
    struct bench *b = *state;
    shape_hold(b, 10);
    shape_send(b, 40);
    shape_until_raw(10);
    assert_int_equal(wire_rst(b->wire, false), 0);
    loop_until(&loop, is_set, &shape.rst);
    assert_int_equal(buf_len(&shape.raw), 10);
    assert_int_equal(b->handed, 10);
}

static void each_paced_chunk_is_a_tls_record(void **state)
{
    struct bench *b = *state;
    shape_establish(b);
    unsigned before = shape_segments(b);
    shape_hold(b, 10);
    shape_send(b, 35);
    assert_int_equal(wire_handed(b->wire), 10);
    shape_let_go(b, 10);
    shape_until_raw(3 * RECORD(10) + RECORD(5));
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(shape_record(i) + 5, RECORD(10));
    assert_int_equal(shape_record(3) + 5, RECORD(5));
    assert_int_equal(shape_segments(b) - before, 4);
    shape_read_tls(b);
    assert_int_equal(buf_len(&shape.plain), 35);
    assert_true(shape_in_order(&shape.plain));
}

static void without_a_pace_a_response_is_one_tls_record(void **state)
{
    struct bench *b = *state;
    shape_establish(b);
    shape_send(b, 35);
    shape_until_raw(RECORD(35));
    assert_int_equal(shape_record(0) + 5, RECORD(35));
}

static void a_close_notify_waits_for_the_pace(void **state)
{
    struct bench *b = *state;
    shape_establish(b);
    assert_int_equal(wire_pace(b->wire, 10, 20 * MS), 0);
    shape_send(b, 40);
    assert_int_equal(wire_close_notify(b->wire), 0);
    assert_false(wire_can_send(b->wire));
    shape_until_raw(4 * RECORD(10) + RECORD(2));
    shape_read_tls(b);
    assert_int_equal(buf_len(&shape.plain), 40);
    assert_int_equal(shape.tls_error, 0);
    assert_false(shape.fin);
}

static void a_fin_with_close_notify_waits_for_the_pace(void **state)
{
    struct bench *b = *state;
    shape_establish(b);
    assert_int_equal(wire_pace(b->wire, 10, 20 * MS), 0);
    shape_send(b, 40);
    assert_int_equal(wire_fin(b->wire, true, 0, false), 0);
    shape_until_fin();
    shape_read_tls(b);
    assert_int_equal(buf_len(&shape.plain), 40);
    assert_int_equal(shape.tls_error, 0);
}

static void paced_bytes_are_dropped_when_the_client_ends_tls(void **state)
{
    struct bench *b = *state;
    shape_establish(b);
    shape_hold(b, 10);
    shape_send(b, 400);
    gnutls_alert_send(b->tls, GNUTLS_AL_FATAL, GNUTLS_A_INTERNAL_ERROR);
    loop_until(&loop, is_set, &b->peer_closed);
    shape_let_go(b, 10);
    wire_close(b->wire, BY_SERVER);
    shape_until_fin();
    assert_int_equal(wire_handed(b->wire), 10);
    assert_false(bench_ledger_has(b, "\"by\":\"server\",\"how\":\"P"));
}

/* Nothing could be delivered to it any more, whenever that was due. */
static void the_pace_keeps_no_client_that_has_ended_tls(void **state)
{
    struct bench *b = *state;
    shape_establish(b);
    assert_int_equal(wire_pace(b->wire, 10, 3600 * NS_PER_S), 0);
    shape_send(b, 400);
    gnutls_alert_send(b->tls, GNUTLS_AL_FATAL, GNUTLS_A_INTERNAL_ERROR);
    loop_until(&loop, is_set, &b->peer_closed);
    wire_close(b->wire, BY_CLIENT);
    shape_until_fin();
    assert_int_equal(wire_handed(b->wire), 10);
}

/* Its close_notify and its FIN say that it sends no more, not that it reads no more (RFC 8446 6.1,
 * RFC 9293 3.6). One that has closed for good answers the next bytes with RST. */
static void a_client_that_sends_no_more_is_sent_all_at_the_pace(void **state)
{
    struct bench *b = *state;
    shape_establish(b);
    assert_int_equal(wire_pace(b->wire, 10, 20 * MS), 0);
    shape_send(b, 40);
    gnutls_bye(b->tls, GNUTLS_SHUT_WR);
    shutdown(b->client, SHUT_WR);
    loop_until(&loop, is_set, &b->peer_closed);
    wire_close(b->wire, BY_CLIENT);
    shape_until_fin();
    shape_read_tls(b);
    assert_int_equal(buf_len(&shape.plain), 40);
    assert_int_equal(shape.tls_error, 0);
}

/* --- Inject */

static void injected_bytes_go_out_in_their_place(void **state)
{
    struct bench *b = *state;
    shape_send(b, 10);
    assert_int_equal(wire_inject(b->wire, shape_block + 10, 10, true), 0);
    assert_int_equal(wire_inject(b->wire, shape_block + 20, 10, false), 0);
    assert_int_equal(wire_queued(b->wire), 30);
    assert_int_equal(wire_handed(b->wire), 30);
    shape_hold(b, 8);
    wire_send(b->wire, shape_block + 30, 20);
    assert_int_equal(wire_inject(b->wire, shape_block + 50, 10, false), 0);
    wire_send(b->wire, shape_block + 60, 4);
    assert_int_equal(wire_queued(b->wire), 64);
    assert_int_equal(wire_handed(b->wire), 38);
    shape_let_go(b, 8);
    shape_until_raw(64);
    assert_true(shape_in_order(&shape.raw));
}

static void nothing_can_be_injected_when_nothing_can_be_said(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_stall(b->wire), 0);
    assert_int_equal(wire_inject(b->wire, "x", 1, true), WIRE_TOO_LATE);
    assert_int_equal(wire_resume(b->wire), 0);
    assert_int_equal(wire_inject(b->wire, "x", 1, true), 0);
    assert_int_equal(wire_fin(b->wire, false, 0, false), 0);
    assert_int_equal(wire_inject(b->wire, "x", 1, true), WIRE_TOO_LATE);
    shape_until_fin();
    assert_int_equal(buf_len(&shape.raw), 1);
}

static void bytes_are_injected_inside_tls_and_between_its_records(void **state)
{
    struct bench *b = *state;
    shape_establish(b);
    assert_int_equal(wire_inject(b->wire, shape_block, 10, true), 0);
    assert_int_equal(wire_pace(b->wire, 10, 20 * MS), 0);
    wire_send(b->wire, shape_block + 10, 15);
    assert_int_equal(wire_inject(b->wire, "shape.raw!", 4, false), 0);
    wire_send(b->wire, shape_block + 25, 5);
    shape_until_raw(2 * RECORD(10) + RECORD(5) + 4 + RECORD(5));
    assert_memory_equal(buf_bytes(&shape.raw) + 2 * RECORD(10) + RECORD(5), "shape.raw!", 4);
    assert_int_equal(wire_handed(b->wire), 34);
    shape_read_tls(b);
    assert_int_equal(buf_len(&shape.plain), 25);
    assert_true(shape_in_order(&shape.plain));
    assert_true(shape.tls_error < 0 && shape.tls_error != GNUTLS_E_AGAIN);
}

static void before_tls_bytes_are_injected_as_they_are(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_inject(b->wire, "HTTP/1.1 400\r\n", 14, true), 0);
    assert_int_equal(wire_handed(b->wire), 14);
    shape_until_raw(14);
    assert_memory_equal(buf_bytes(&shape.raw), "HTTP/1.1 400\r\n", 14);
    shape.pulled = b->injected = 14;
    shape_establish(b);
}

/* --- RST once all is ACKed */

static void a_drained_reset_waits_for_the_pace_and_the_acks(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_pace(b->wire, 10, 40 * MS), 0);
    int64_t start = clock_now();
    shape_send(b, 30);
    assert_int_equal(wire_rst(b->wire, true), 0);
    loop_until(&loop, is_set, &b->closed);
    loop_until(&loop, is_set, &shape.rst);
    assert_false(shape.fin);
    assert_int_equal(buf_len(&shape.raw), 30);
    assert_true(shape.came_at[29] - start >= 80 * MS);
    assert_int_equal(b->handed, 30);
    assert_true(bench_ledger_has(
        b, "\"step\":\"rst\",\"in_effect\":true,\"why\":\"in effect: all we sent is ACKed\""));
}

static void a_drained_reset_reads_and_notes_while_it_waits(void **state)
{
    struct bench *b = *state;
    shape_hold(b, 10);
    shape_send(b, 30);
    assert_int_equal(wire_rst(b->wire, true), 0);
    assert_int_equal(wire_state(b->wire), WIRE_RESETTING);
    assert_int_equal(wire_rst(b->wire, true), WIRE_TOO_LATE);
    assert_false(wire_can_send(b->wire));
    client_says(b, "stale");
    assert_int_equal(buf_len(&b->stale), 5);
    assert_true(bench_ledger_has(b, "\"sent_into\":\"resetting\""));
    loop_until(&loop, client_is_acked, b);
    shutdown(b->client, SHUT_WR); /* noted, and no more */
    bench_await(b, "\"event\":\"peer_fin\"");
    loop_quiet(&loop, is_over, b, A_WHILE);
    assert_int_equal(wire_state(b->wire), WIRE_RESETTING);
    shape_until_raw(10);
}

/* Fills the client's window and the kernel's buffer; returns how many bytes. */
static size_t fill(struct bench *b)
{
    size_t sent = 0;
    shape_pause();
    while (wire_room(b->wire) > 0 && sent < 30u << 20) {
        shape_send(b, 65536);
        sent += 65536;
        loop_turns(1);
    }
    assert_int_equal(wire_room(b->wire), 0);
    return sent;
}

static void drained_reset_of_a_slow_client(struct bench *b, size_t sent)
{
    assert_int_equal(wire_rst(b->wire, true), 0);
    loop_quiet(&loop, is_set, &b->closed, A_WHILE);
    assert_int_equal(wire_state(b->wire), WIRE_RESETTING);
    bool all_out = wire_handed(b->wire) == sent; /* then a pace would be of nothing */
    assert_int_equal(wire_throttle(b->wire, 1000000000), all_out ? WIRE_TOO_LATE : 0);
    shape_read();
    loop_until(&loop, is_set, &b->closed);
    loop_until(&loop, is_set, &shape.rst);
    assert_int_equal(buf_len(&shape.raw), sent);
}

static void a_drained_reset_lets_a_slow_client_have_all_that_was_queued(void **state)
{
    struct bench *b = *state;
    drained_reset_of_a_slow_client(b, fill(b));
}

static void a_drained_reset_lets_a_slow_client_have_all_that_the_kernel_took(void **state)
{
    struct bench *b = *state;
    shape_pause();
    shape_send(b, 400000); /* more than the client's window, less than our kernel's buffer */
    drained_reset_of_a_slow_client(b, 400000);
}

static void a_reset_that_is_not_drained_does_not(void **state)
{
    struct bench *b = *state;
    size_t sent = fill(b);
    assert_int_equal(wire_rst(b->wire, false), 0);
    shape_read();
    loop_until(&loop, is_set, &shape.rst);
    assert_true(buf_len(&shape.raw) < sent);
}

static void a_client_that_does_not_read_is_reset_in_the_end(void **state)
{
    struct bench *b = *state;
    fill(b);
    assert_int_equal(wire_rst(b->wire, true), 0);
    loop_run(5 * MS);
    assert_true(b->wire->drained_at > clock_now() - LIMIT_DRAIN / 2);
    b->wire->drained_at -= LIMIT_DRAIN - 100 * MS;
    int64_t end = b->wire->drained_at + LIMIT_DRAIN;
    timer_at(&b->wire->limit, end);
    assert_true(loop_wait(&loop, is_set, &b->closed, 2 * LIMIT_DRAIN));
    assert_true(clock_now() >= end);
    assert_true(bench_ledger_has(b, "bytes of ours are not ACKed"));
}

/* --- Without memory */

static void without_memory_nothing_is_shaped(void **state)
{
    struct bench *b = *state;
    memory_ends_after(0);
    assert_int_equal(wire_pace(b->wire, 10, MS), -ENOMEM);
    assert_int_equal(wire_cut(b->wire, 10, WIRE_CUT_FIN), -ENOMEM);
    memory_restore();
    shape_send(b, 100);
    shape_until_raw(100);
}

static void a_wire_that_cannot_keep_what_waits_is_reset(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_pace(b->wire, 10, MS), 0);
    memory_ends_after(0);
    shape_send(b, 100);
    memory_restore();
    assert_int_equal(wire_state(b->wire), WIRE_CLOSED);
    loop_until(&loop, is_set, &shape.rst);
    assert_true(bench_ledger_has(b, "\"by\":\"server\""));
}

static void a_close_notify_that_cannot_be_kept_ends_the_wire(void **state)
{
    struct bench *b = *state;
    shape_establish(b);
    assert_int_equal(wire_pace(b->wire, 10, 20 * MS), 0);
    shape_send(b, 30);
    memory_ends_after(0);
    assert_int_equal(wire_close_notify(b->wire), 0);
    memory_restore();
    assert_int_equal(wire_state(b->wire), WIRE_CLOSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cleartext(without_a_pace_all_leaves_at_once),
        cleartext(one_chunk_leaves_at_once_and_the_rest_waits),
        cleartext(paced_bytes_leave_in_chunks_and_never_early),
        cleartext(a_pace_holds_for_what_is_sent_later_and_does_not_stop_reading),
        cleartext(another_pace_takes_over_what_waits_and_none_lets_it_out),
        cleartext(a_fast_pace_is_not_held_up_by_what_may_wait),
        cleartext(the_verbs_wait_until_the_pace_has_let_all_out),
        cleartext(the_orderly_close_waits_for_the_pace),
        cleartext(while_the_pace_holds_bytes_back_the_orderly_close_is_not_over),
        cleartext(a_stall_begins_behind_what_is_paced),
        cleartext(forget_waits_for_the_pace_also_when_the_client_has_closed_its_half),
        cleartext(a_black_hole_begins_behind_what_is_paced),
        cleartext(a_reset_does_not_wait_for_the_pace),
        secured(each_paced_chunk_is_a_tls_record),
        secured(without_a_pace_a_response_is_one_tls_record),
        secured(a_close_notify_waits_for_the_pace),
        secured(a_fin_with_close_notify_waits_for_the_pace),
        secured(paced_bytes_are_dropped_when_the_client_ends_tls),
        secured(the_pace_keeps_no_client_that_has_ended_tls),
        secured(a_client_that_sends_no_more_is_sent_all_at_the_pace),
        cleartext(injected_bytes_go_out_in_their_place),
        cleartext(nothing_can_be_injected_when_nothing_can_be_said),
        secured(bytes_are_injected_inside_tls_and_between_its_records),
        secured(before_tls_bytes_are_injected_as_they_are),
        cleartext(a_drained_reset_waits_for_the_pace_and_the_acks),
        cleartext(a_drained_reset_reads_and_notes_while_it_waits),
        cleartext(a_drained_reset_lets_a_slow_client_have_all_that_was_queued),
        cleartext(a_drained_reset_lets_a_slow_client_have_all_that_the_kernel_took),
        cleartext(a_reset_that_is_not_drained_does_not),
        cleartext(a_client_that_does_not_read_is_reset_in_the_end),
        cleartext(without_memory_nothing_is_shaped),
        cleartext(a_wire_that_cannot_keep_what_waits_is_reset),
        secured(a_close_notify_that_cannot_be_kept_ends_the_wire),
    };
    return cmocka_run_group_tests(tests, shape_start, bench_stop);
}
