/* The catalogue's reuse modes beside "close-on-reuse" (test_faults_reuse.c): "reset-on-reuse",
 * "swallow-on-reuse", "stall-on-reuse", "timeout-408-on-reuse". */
#include "witness.h"

#include <stdio.h>
#include <string.h>

#define PAUSE_MS 150

/* The first request is served, and idleness is no fault. */
static struct talk *used_once(struct stage *stage, const char *mode, const char *params)
{
    admin_mode(stage->server, mode, params);
    struct talk *t = talk_open(stage);
    talk_served(t);
    check(client_silent(&t->c, in_ms(PAUSE_MS)), "not silent: %s", client_story(&t->c));
    check_no_fault(stage, t);
    return t;
}

static void normal_mode_serves_the_same_talk(struct stage *stage)
{
    struct talk *t = used_once(stage, "normal", NULL);

    assert_int_equal(talk_ask_for(t, "POST", ENTITLEMENT, "reused", "{\"device\":\"tv\"}"), 0);
    check(talk_answer(t, in_ms(PATIENCE_MS)), "no answer: %s", client_story(&t->c));
    assert_int_equal(t->status, 200);
    check(client_silent(&t->c, in_ms(PAUSE_MS)), "not silent: %s", client_story(&t->c));
    talk_served(t);
    check_no_fault(stage, t);
}

/* The client ends what a fault waits for, or, without one, what nothing was to befall. */
static void a_client_that_leaves_in_time_has_pre_empted_it(struct stage *stage)
{
    static const char *const modes[] = { "normal", "reset-on-reuse" };
    for (int armed = 0; armed < 2; armed++) {
        struct talk *t = used_once(stage, modes[armed], NULL);
        uint64_t id = t->connection;
        talk_close(t);
        json_t *over = ledger_await(stage->server, id, "connection_end", NULL);
        assert_string_equal(event_text(over, "by"), "client");
        assert_int_equal(json_is_integer(json_object_get(over, "rule")), armed);
        assert_null(json_object_get(over, "due_in_ms"));
        json_decref(over);
    }
}

static void reset_on_reuse_resets_at_the_first_byte(struct stage *stage)
{
    struct buf out = { .data = NULL };
    struct talk *t = used_once(stage, "reset-on-reuse", NULL);

    talk_compose(t, &out, "GET", ENTITLEMENT, NULL, NULL);
    assert_int_equal(client_send(&t->c, buf_bytes(&out), stage->seat->h2 ? 9 : 1), 0);
    buf_free(&out);
    check_how(t, "rst");
    check_nothing_read(t);
    check_end_after(stage, t, check_fault(stage, t, "reset-on-reuse", "rst", 0));
    check_not_processed(stage, t, 2);
}

/* What came with the first byte is a request in the ledger, though the RST goes at that byte. */
static void reset_on_reuse_ledgers_what_it_read(struct stage *stage)
{
    struct talk *t = used_once(stage, "reset-on-reuse", NULL);

    assert_int_equal(talk_ask_for(t, "GET", ENTITLEMENT, "read-with-it", NULL), 0);
    check_how(t, "rst");
    json_t *request = ledger_await_key(stage->server, t->connection, "read-with-it");
    assert_string_equal(event_text(request, "event"), "request");
    assert_int_equal(json_integer_value(json_object_get(request, "exchange")), 2);
    json_decref(request);
    check_lost(stage, t, 2, "complete");
    check_not_processed(stage, t, 2);
}

/* Sends all of a POST but its last byte, which changes nothing; then that, before which asked_at is
 * taken. */
static void ask_in_two_steps(struct talk *t, const char *key)
{
    struct buf out = { .data = NULL };

    talk_compose(t, &out, "POST", ENTITLEMENT, key, "{\"device\":\"tv\"}");
    size_t most = buf_len(&out) - 1;
    assert_int_equal(client_send(&t->c, buf_bytes(&out), most), 0);
    check(client_silent(&t->c, in_ms(PAUSE_MS)), "not silent: %s", client_story(&t->c));
    t->asked_at = clock_now();
    assert_int_equal(client_send(&t->c, buf_bytes(&out) + most, 1), 0);
    buf_free(&out);
}

static void reset_on_reuse_can_read_the_whole_request_first(struct stage *stage)
{
    struct talk *t = used_once(stage, "reset-on-reuse", "{\"read\":\"complete\"}");

    ask_in_two_steps(t, "read");
    check_how(t, "rst");
    check_nothing_read(t);
    check_fault(stage, t, "reset-on-reuse", "rst", 0);
    check_lost(stage, t, 2, "complete");
    check_not_processed(stage, t, 2);
}

static void swallow(struct stage *stage, const char *how)
{
    char params[32];

    snprintf(params, sizeof params, "{\"how\":\"%s\"}", how);
    struct talk *t = used_once(stage, "swallow-on-reuse", params);
    ask_in_two_steps(t, "swallowed");
    check_how(t, how);
    check_nothing_read(t);
    uint64_t fault = check_fault(stage, t, "swallow-on-reuse", how, 0);
    json_t *read = ledger_await_key(stage->server, t->connection, "swallowed");
    assert_string_equal(event_text(read, "method"), "POST");
    json_decref(read);
    check_lost(stage, t, 2, "complete");
    check_not_processed(stage, t, 2);
    if (t->c.fin)
        client_close(&t->c);
    check_end_after(stage, t, fault);

    /* Sent again elsewhere, it is the second attempt and the first that was executed. */
    struct talk *fresh = talk_open(stage);
    assert_int_equal(talk_ask_for(fresh, "POST", ENTITLEMENT, "swallowed", "{\"device\":\"tv\"}"),
                     0);
    check(talk_answer(fresh, in_ms(PATIENCE_MS)), "no answer: %s", client_story(&fresh->c));
    assert_int_equal(fresh->status, 200);
    assert_int_equal(talk_served_number(fresh, "attempt"), 2);
}

static void swallow_on_reuse_reads_all_and_sends_fin(struct stage *stage)
{
    swallow(stage, "fin");
}

static void swallow_on_reuse_reads_all_and_sends_rst(struct stage *stage)
{
    swallow(stage, "rst");
}

static void stall_on_reuse_acks_and_says_nothing(struct stage *stage)
{
    struct talk *t = used_once(stage, "stall-on-reuse", NULL);

    assert_int_equal(talk_ask(t, "stalled"), 0);
    check(client_wait_acked(&t->c, in_ms(LATE_MS)), "the request was not ACKed");
    check_how(t, "stall");
    check_nothing_read(t);
    check_fault(stage, t, "stall-on-reuse", "stall", 0);
    check_not_processed(stage, t, 2);
    if (stage->seat->h2) { /* a PING goes the same way */
        static const uint8_t opaque[8] = "liveness";
        h2_send_frame(&t->h2, NGHTTP2_PING, 0, 0, opaque, sizeof opaque);
        check_how(t, "stall");
        check_nothing_read(t);
    }
    /* Another connection is served meanwhile. */
    talk_served(talk_open(stage));
}

static void stall_on_reuse_can_answer_late(struct stage *stage)
{
    struct talk *t =
        used_once(stage, "stall-on-reuse", "{\"read\":\"complete\",\"resume\":\"300ms\"}");

    ask_in_two_steps(t, "late");
    check(talk_answer(t, in_ms(PATIENCE_MS)), "no answer: %s", client_story(&t->c));
    assert_int_equal(t->status, 200);
    int64_t took = (t->answered_at - t->asked_at) / NS_PER_MS;
    check(took >= 300 && took < 300 + LATE_MS, "answered after %d ms", (int)took);
    uint64_t stall = check_fault(stage, t, "stall-on-reuse", "stall", 0);
    assert_true(stall < check_fault(stage, t, "stall-on-reuse", "resume", 0));
}

static void timeout_408_on_reuse_answers_408_and_closes(struct stage *stage)
{
    struct talk *t = used_once(stage, "timeout-408-on-reuse", NULL);

    assert_int_equal(talk_ask(t, "in-time"), 0);
    talk_is_ended(t, 408);
    assert_int_equal(buf_len(&t->c.in), 0);
    uint64_t fault = check_fault(stage, t, "timeout-408-on-reuse", "respond", 0);
    check_not_processed(stage, t, 2);
    client_close(&t->c);
    check_end_after(stage, t, fault);
}

static void timeout_408_on_reuse_is_not_for_h2(struct stage *stage)
{
    struct talk *t = used_once(stage, "timeout-408-on-reuse", NULL);

    talk_served(t);
    talk_served(t);
    check_no_fault(stage, t);
}

/* Reuse at once is served; after a spell of idleness it is not. */
static void reuse_modes_can_be_for_idle_connections_alone(struct stage *stage)
{
    static const struct {
        const char *mode, *step;
    } modes[] = {
        { "close-on-reuse", "fin" },           { "reset-on-reuse", "rst" },
        { "swallow-on-reuse", "fin" },         { "stall-on-reuse", "stall" },
        { "timeout-408-on-reuse", "respond" },
    };

    size_t count = sizeof modes / sizeof modes[0];

    for (size_t i = 0; i < (stage->seat->h2 ? count - 1 : count); i++) { /* no 408 over h2 */
        admin_mode(stage->server, modes[i].mode, "{\"idle\":\"2s\"}");
        struct talk *t = talk_open(stage);
        for (int k = 0; k < 3; k++)
            talk_served(t);
        check_no_fault(stage, t);
        check(client_silent(&t->c, in_ms(2050)), "not silent: %s", client_story(&t->c));
        check_no_fault(stage, t);
        assert_int_equal(talk_ask(t, NULL), 0);
        json_t *fault = ledger_await(stage->server, t->connection, "fault", modes[i].step);
        assert_int_equal(json_integer_value(json_object_get(fault, "exchange")), 4);
        json_decref(fault);
    }
}

int main(void)
{
    static const struct scenario list[] = {
        SCENARIO(normal_mode_serves_the_same_talk, SEATS_ALL),
        SCENARIO(a_client_that_leaves_in_time_has_pre_empted_it, SEATS_ALL),
        SCENARIO(reset_on_reuse_resets_at_the_first_byte, SEATS_ALL),
        SCENARIO(reset_on_reuse_ledgers_what_it_read, SEATS_ALL),
        SCENARIO(reset_on_reuse_can_read_the_whole_request_first, SEATS_ALL),
        SCENARIO(swallow_on_reuse_reads_all_and_sends_fin, SEATS_ALL),
        SCENARIO(swallow_on_reuse_reads_all_and_sends_rst, SEATS_ALL),
        SCENARIO(stall_on_reuse_acks_and_says_nothing, SEATS_ALL),
        SCENARIO(stall_on_reuse_can_answer_late, SEATS_ALL),
        SCENARIO(timeout_408_on_reuse_answers_408_and_closes, SEATS_H1),
        SCENARIO(timeout_408_on_reuse_is_not_for_h2, SEATS_H2),
        SCENARIO(reuse_modes_can_be_for_idle_connections_alone, SEAT_H1_TLS | SEAT_H2_CLEARTEXT),
    };

    return scenarios_run("modes: reuse", list, sizeof list / sizeof list[0], NULL);
}
