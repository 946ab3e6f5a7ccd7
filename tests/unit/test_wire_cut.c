/* A wire that is cut after so many bytes, from the client's seat, cleartext and TLS. */
#include "harness/memory.h"
#include "harness/shape.h"

/* The owner is told once more that bytes left, by the loop. */
static bool has_progress(void *bench)
{
    const struct bench *b = bench;
    return b->progress > b->told;
}

static void await_progress(struct bench *b, unsigned told)
{
    b->told = told;
    loop_until(&loop, has_progress, b);
    loop_turns(3);
    assert_int_equal(b->progress, told + 1);
}

/* --- Cut */

static void a_cut_lets_exactly_so_many_bytes_out_and_then_fin(void **state)
{
    struct bench *b = *state;
    shape_send(b, 100); /* before it, and not counted */
    assert_int_equal(wire_cut(b->wire, 700, WIRE_CUT_FIN), 0);
    wire_send(b->wire, shape_block + 100, 2000);
    assert_int_equal(b->cuts, 0); /* from the loop */
    assert_int_equal(wire_handed(b->wire), 800);
    shape_until_fin();
    assert_int_equal(b->cuts, 1);
    assert_int_equal(b->cut_into, WIRE_FIN_SENT);
    assert_true(wire_fault_since(b->wire) != TIME_NONE);
    assert_int_equal(buf_len(&shape.raw), 800);
    assert_true(shape_in_order(&shape.raw));
    assert_int_equal(wire_handed(b->wire), 800);
    assert_int_equal(wire_queued(b->wire), 2100);
    assert_true(bench_ledger_has(
        b, "\"step\":\"cut\",\"in_effect\":true,\"why\":\"in effect: 700 bytes were let out\""));
    assert_true(bench_ledger_has(b, "\"bytes\":700"));
    client_says(b, "stale");
    assert_int_equal(buf_len(&b->stale), 5);
    loop_until(&loop, is_set, &b->closed);
    assert_true(bench_ledger_has(b, "\"how\":\"rst\""));
    assert_int_equal(b->cuts, 1);
}

static void a_cut_stays_armed_for_later_responses(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_cut(b->wire, 700, WIRE_CUT_FIN), 0);
    shape_send(b, 699);
    loop_quiet(&loop, bench_is_cut, b, A_WHILE);
    assert_int_equal(wire_state(b->wire), WIRE_OPEN);
    wire_send(b->wire, shape_block + 699, 1);
    shape_until_fin();
    assert_int_equal(b->cuts, 1);
    assert_int_equal(buf_len(&shape.raw), 700);
}

static void a_cut_after_nothing_waits_for_what_is_queued(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_pace(b->wire, 10, 20 * MS), 0);
    shape_send(b, 30);
    assert_int_equal(wire_cut(b->wire, 0, WIRE_CUT_FIN), 0);
    wire_send(b->wire, "never", 5);
    shape_until_fin();
    assert_int_equal(buf_len(&shape.raw), 30);
    assert_int_equal(wire_handed(b->wire), 30);
}

static void a_cut_after_nothing_on_a_quiet_connection_is_done_by_the_loop(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_cut(b->wire, 0, WIRE_CUT_FIN), 0);
    assert_int_equal(wire_state(b->wire), WIRE_OPEN);
    assert_int_equal(b->cuts, 0);
    shape_until_cut(b);
    shape_until_fin();
    assert_int_equal(buf_len(&shape.raw), 0);
}

static void a_cut_counts_behind_what_is_paced(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_pace(b->wire, 10, 20 * MS), 0);
    shape_send(b, 30);
    assert_int_equal(wire_cut(b->wire, 15, WIRE_CUT_FIN), 0);
    wire_send(b->wire, shape_block + 30, 100);
    shape_until_fin();
    assert_int_equal(buf_len(&shape.raw), 45);
    assert_int_equal(wire_handed(b->wire), 45);
    assert_true(shape_in_order(&shape.raw));
}

static void a_cut_goes_before_the_orderly_end(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_cut(b->wire, 700, WIRE_CUT_RST), 0);
    shape_send(b, 2000);
    wire_close(b->wire, BY_SERVER);
    loop_until(&loop, is_set, &shape.rst);
    assert_int_equal(buf_len(&shape.raw), 700);
    assert_int_equal(b->cuts, 1);
    assert_true(bench_ledger_has(b, "\"by\":\"fault\",\"how\":\"rst\""));
}

static void a_connection_that_ends_before_the_cut_is_not_cut(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_cut(b->wire, 700, WIRE_CUT_RST), 0);
    shape_send(b, 600);
    wire_close(b->wire, BY_SERVER);
    shape_until_fin();
    assert_int_equal(buf_len(&shape.raw), 600);
    assert_int_equal(b->cuts, 0);
    assert_false(bench_ledger_has(b, "\"step\":\"cut\""));
    assert_int_equal(wire_cut(b->wire, 7, WIRE_CUT_FIN), WIRE_TOO_LATE);
}

static void another_cut_moves_the_first(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_cut(b->wire, 10, WIRE_CUT_RST), 0);
    shape_send(b, 5);
    assert_int_equal(wire_pace(b->wire, 10, 20 * MS), 0);
    assert_int_equal(wire_cut(b->wire, 100, WIRE_CUT_RST), 0);
    wire_send(b->wire, shape_block + 5, 30);
    assert_int_equal(wire_cut(b->wire, 3, WIRE_CUT_RST), 0); /* behind what waits */
    assert_int_equal(wire_cut(b->wire, 8, WIRE_CUT_FIN), 0);
    wire_send(b->wire, shape_block + 35, 30);
    shape_until_fin();
    assert_int_equal(buf_len(&shape.raw), 43);
    assert_int_equal(b->cuts, 1);
}

static void what_a_moved_cut_lets_out_is_told_of(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_cut(b->wire, 10, WIRE_CUT_FIN), 0);
    shape_send(b, 30);
    assert_int_equal(wire_handed(b->wire), 10);
    unsigned told = b->progress;
    assert_int_equal(wire_cut(b->wire, 100, WIRE_CUT_FIN), 0);
    assert_int_equal(wire_handed(b->wire), 30);
    assert_int_equal(b->progress, told); /* never from inside a verb */
    shape_until_raw(30);
    await_progress(b, told);
    assert_int_equal(b->cuts, 0);
}

static void a_cut_holds_though_the_client_reads_late(void **state)
{
    struct bench *b = *state;
    size_t sent = 0;
    shape_pause();
    assert_int_equal(wire_cut(b->wire, 30 << 20, WIRE_CUT_FIN), 0);
    /* More than a kernel holds for a client that does not read, even if it first says less. */
    while (wire_queued(b->wire) - wire_handed(b->wire) < 8u << 20) {
        shape_send(b, 65536);
        sent += 65536;
    }
    assert_int_equal(wire_room(b->wire), 0);
    assert_int_equal(wire_cut(b->wire, 100, WIRE_CUT_FIN), 0);
    shape_send(b, 65536);
    loop_quiet(&loop, bench_is_cut, b, A_WHILE);
    shape_read();
    shape_until_fin();
    assert_int_equal(buf_len(&shape.raw), sent + 100);
    assert_int_equal(wire_handed(b->wire), sent + 100);
}

static void a_cut_that_resets_does_so_when_all_is_acked(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_cut(b->wire, 70000, WIRE_CUT_RST), 0);
    shape_send(b, 100000);
    loop_until(&loop, is_set, &shape.rst);
    assert_false(shape.fin);
    assert_int_equal(buf_len(&shape.raw), 70000);
    assert_int_equal(b->cuts, 1);
    loop_until(&loop, is_set, &b->closed);
}

static void a_cut_that_stalls_lets_the_rest_out_when_resumed(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_cut(b->wire, 700, WIRE_CUT_STALL), 0);
    shape_send(b, 1000);
    shape_until_cut(b);
    assert_int_equal(b->cut_into, WIRE_STALLED);
    client_says(b, "hello?");
    assert_int_equal(buf_len(&b->stale), 6);
    shape_until_raw(700);
    assert_int_equal(wire_handed(b->wire), 700);
    unsigned told = b->progress;
    assert_int_equal(wire_resume(b->wire), 0);
    assert_int_equal(b->progress, told); /* never from inside a verb */
    shape_until_raw(1000);
    assert_true(shape_in_order(&shape.raw));
    assert_int_equal(wire_handed(b->wire), 1000);
    await_progress(b, told);
    wire_send(b->wire, shape_block + 1000, 1000); /* it cuts once */
    shape_until_raw(2000);
    assert_int_equal(b->cuts, 1);
}

static void a_fault_after_a_stalling_cut_drops_the_rest(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_cut(b->wire, 700, WIRE_CUT_STALL), 0);
    shape_send(b, 1000);
    shape_until_cut(b);
    assert_int_equal(wire_fin(b->wire, false, 0, false), 0);
    shape_until_fin();
    assert_int_equal(buf_len(&shape.raw), 700);
    assert_int_equal(wire_handed(b->wire), 700);
}

static void a_stalling_cut_in_an_orderly_end_ends_it_when_resumed(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_cut(b->wire, 700, WIRE_CUT_STALL), 0);
    shape_send(b, 1000);
    wire_close(b->wire, BY_SERVER);
    shape_until_cut(b);
    loop_quiet(&loop, is_set, &shape.fin, A_WHILE);
    unsigned told = b->progress;
    assert_int_equal(wire_resume(b->wire), 0);
    assert_int_equal(wire_state(b->wire), WIRE_ENDING);
    shape_until_fin();
    await_progress(b, told);
    assert_int_equal(buf_len(&shape.raw), 1000);
}

static void a_verb_before_the_cut_takes_its_place(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_cut(b->wire, 700, WIRE_CUT_RST), 0);
    shape_send(b, 1000);
    assert_int_equal(wire_fin(b->wire, false, 0, false), 0);
    shape_until_fin();
    loop_quiet(&loop, client_has_rst, b, A_WHILE);
    assert_int_equal(buf_len(&shape.raw), 700);
    assert_int_equal(b->cuts, 0);
}

static void a_cut_is_still_there_after_a_stall_that_ended(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_cut(b->wire, 700, WIRE_CUT_FIN), 0);
    shape_send(b, 1000);
    assert_int_equal(wire_stall(b->wire), 0);
    shape_until_raw(700);
    loop_quiet(&loop, bench_is_cut, b, A_WHILE);
    assert_int_equal(wire_resume(b->wire), 0);
    shape_until_fin();
    assert_int_equal(b->cuts, 1);
    assert_int_equal(buf_len(&shape.raw), 700);
}

static void a_cut_divides_a_tls_record_and_counts_only_whole_ones(void **state)
{
    struct bench *b = *state;
    shape_establish(b);
    assert_int_equal(wire_cut(b->wire, RECORD(100) + 60, WIRE_CUT_FIN), 0);
    shape_send(b, 100);
    wire_send(b->wire, shape_block + 100, 100);
    assert_int_equal(wire_handed(b->wire), 100);
    shape_until_fin();
    assert_int_equal(buf_len(&shape.raw), RECORD(100) + 60);
    assert_int_equal(wire_handed(b->wire), 100);
    shape_read_tls(b);
    assert_int_equal(buf_len(&shape.plain), 100);
    assert_true(shape_tls_was_cut());
}

static void a_cut_in_a_large_tls_answer_is_exact(void **state)
{
    struct bench *b = *state;
    shape_establish(b);
    assert_int_equal(wire_cut(b->wire, 40000, WIRE_CUT_FIN), 0);
    shape_send(b, 100000);
    wire_close(b->wire, BY_SERVER);
    shape_until_fin();
    assert_int_equal(buf_len(&shape.raw), 40000);
    assert_int_equal(wire_handed(b->wire), 2 * 16384);
    shape_read_tls(b);
    assert_int_equal(buf_len(&shape.plain), 2 * 16384);
    assert_true(shape_tls_was_cut()); /* and no close_notify */
}

static void a_stalling_cut_resumes_in_the_middle_of_a_tls_record(void **state)
{
    struct bench *b = *state;
    shape_establish(b);
    assert_int_equal(wire_cut(b->wire, 60, WIRE_CUT_STALL), 0);
    shape_send(b, 50000);
    shape_until_cut(b);
    shape_until_raw(60);
    assert_int_equal(wire_handed(b->wire), 0);
    assert_int_equal(wire_resume(b->wire), 0);
    assert_int_equal(wire_handed(b->wire), 50000);
    loop_until(&loop, shape_has_plain, &(size_t){ 50000 });
    assert_int_equal(buf_len(&shape.plain), 50000);
    assert_true(shape_in_order(&shape.plain));
}

static void no_close_notify_follows_half_a_record(void **state)
{
    struct bench *b = *state;
    shape_establish(b);
    assert_int_equal(wire_cut(b->wire, 60, WIRE_CUT_STALL), 0);
    shape_send(b, 500);
    shape_until_cut(b);
    assert_int_equal(wire_fin(b->wire, true, 0, false), 0);
    shape_until_fin();
    assert_int_equal(buf_len(&shape.raw), 60);
}

static void a_cut_counts_the_handshake(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_cut(b->wire, 50, WIRE_CUT_FIN), 0);
    assert_int_equal(gnutls_handshake(b->tls), GNUTLS_E_AGAIN);
    shape_until_fin();
    assert_int_equal(buf_len(&shape.raw), 50);
    assert_int_equal(b->cuts, 1);
    assert_false(b->established);
}

/* --- Without memory */

static void a_cut_without_memory_leaves_what_waits_alone(void **state)
{
    struct bench *b = *state;
    assert_int_equal(wire_pace(b->wire, 10, 20 * MS), 0);
    shape_send(b, 30);
    memory_ends_after(0);
    assert_int_equal(wire_cut(b->wire, 5, WIRE_CUT_FIN), -ENOMEM);
    memory_restore();
    shape_until_raw(30);
    assert_int_equal(wire_state(b->wire), WIRE_OPEN);
}

static void a_cut_that_cannot_be_moved_stays_where_it_is(void **state)
{
    struct bench *b = *state;
    shape_hold(b, 10);
    shape_send(b, 30);
    assert_int_equal(wire_cut(b->wire, 5, WIRE_CUT_FIN), 0);
    memory_ends_after(0);
    assert_int_equal(wire_cut(b->wire, 8, WIRE_CUT_RST), -ENOMEM);
    memory_restore();
    shape_let_go(b, 10);
    wire_send(b->wire, shape_block + 30, 30);
    shape_until_fin();
    assert_int_equal(buf_len(&shape.raw), 35);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cleartext(a_cut_lets_exactly_so_many_bytes_out_and_then_fin),
        cleartext(a_cut_stays_armed_for_later_responses),
        cleartext(a_cut_after_nothing_waits_for_what_is_queued),
        cleartext(a_cut_after_nothing_on_a_quiet_connection_is_done_by_the_loop),
        cleartext(a_cut_counts_behind_what_is_paced),
        cleartext(a_cut_goes_before_the_orderly_end),
        cleartext(a_connection_that_ends_before_the_cut_is_not_cut),
        cleartext(another_cut_moves_the_first),
        cleartext(what_a_moved_cut_lets_out_is_told_of),
        cleartext(a_cut_holds_though_the_client_reads_late),
        cleartext(a_cut_that_resets_does_so_when_all_is_acked),
        cleartext(a_cut_that_stalls_lets_the_rest_out_when_resumed),
        cleartext(a_fault_after_a_stalling_cut_drops_the_rest),
        cleartext(a_stalling_cut_in_an_orderly_end_ends_it_when_resumed),
        cleartext(a_verb_before_the_cut_takes_its_place),
        cleartext(a_cut_is_still_there_after_a_stall_that_ended),
        secured(a_cut_divides_a_tls_record_and_counts_only_whole_ones),
        secured(a_cut_in_a_large_tls_answer_is_exact),
        secured(a_stalling_cut_resumes_in_the_middle_of_a_tls_record),
        secured(no_close_notify_follows_half_a_record),
        secured(a_cut_counts_the_handshake),
        cleartext(a_cut_without_memory_leaves_what_waits_alone),
        cleartext(a_cut_that_cannot_be_moved_stays_where_it_is),
    };
    return cmocka_run_group_tests(tests, shape_start, bench_stop);
}
