/* Faults at the time a connection is used again: close-on-reuse. */
#include "witness.h"

#include <stdio.h>

#define PAUSE_MS 200

static void set_mode(const struct stage *stage, const char *how, const char *read)
{
    char params[64];

    snprintf(params, sizeof params, "{\"how\":\"%s\",\"read\":\"%s\"}", how, read);
    admin_mode(stage->server, "close-on-reuse", params);
}

/* The first request is served, and idleness is no fault. */
static struct talk *used_once(struct stage *stage)
{
    struct talk *t = talk_open(stage);

    talk_served(t);
    check(client_silent(&t->c, in_ms(PAUSE_MS)), "not silent: %s", client_story(&t->c));
    return t;
}

static void check_end(const struct stage *stage, struct talk *t, bool rst)
{
    check(client_wait_end(&t->c, in_ms(LATE_MS)), "no end: %s", client_story(&t->c));
    check(rst ? t->c.rst && !t->c.fin : t->c.fin, "the wrong end: %s", client_story(&t->c));
    assert_false(t->c.close_notify);
    check_nothing_read(t);
    check_fault(stage, t, "close-on-reuse", rst ? "rst" : "fin", 0);
}

static void end_at_the_first_byte(struct stage *stage, bool rst)
{
    struct buf out = { .data = NULL };

    set_mode(stage, rst ? "rst" : "fin", "first_byte");
    struct talk *t = used_once(stage);
    talk_compose(t, &out, "GET", ENTITLEMENT, "first-byte", NULL);
    size_t first = stage->seat->h2 ? 9 : 1;
    assert_int_equal(client_send(&t->c, buf_bytes(&out), first), 0);
    check_end(stage, t, rst);
    if (!rst) {
        await_fin_acked(stage, t);
        client_send(&t->c, buf_bytes(&out) + first, buf_len(&out) - first);
        check(client_wait_rst(&t->c, in_ms(LATE_MS)), "no RST: %s", client_story(&t->c));
        check_nothing_read(t);
        check_stale_request(stage, t, "first-byte", "fin_sent", "acked");
    }
    buf_free(&out);
}

static void end_at_the_last_byte(struct stage *stage, bool rst)
{
    struct buf out = { .data = NULL };

    set_mode(stage, rst ? "rst" : "fin", "complete");
    struct talk *t = used_once(stage);
    talk_compose(t, &out, "POST", ENTITLEMENT, "complete", "{\"device\":\"tv\"}");
    size_t most = buf_len(&out) - 1;
    assert_int_equal(client_send(&t->c, buf_bytes(&out), most), 0);
    check(client_silent(&t->c, in_ms(PAUSE_MS)), "not silent: %s", client_story(&t->c));
    assert_int_equal(client_send(&t->c, buf_bytes(&out) + most, 1), 0);
    check_end(stage, t, rst);
    buf_free(&out);

    /* The request was read: the ledger knows it, and that it was never answered. */
    json_t *lost = ledger_await(stage->server, t->connection, "exchange_lost", NULL);
    assert_int_equal(json_integer_value(json_object_get(lost, "exchange")), 2);
    json_decref(lost);
}

static void reuse_draws_fin_at_the_first_byte(struct stage *stage)
{
    end_at_the_first_byte(stage, false);
}

static void reuse_draws_rst_at_the_first_byte(struct stage *stage)
{
    end_at_the_first_byte(stage, true);
}

static void reuse_draws_fin_when_the_request_is_complete(struct stage *stage)
{
    end_at_the_last_byte(stage, false);
}

static void reuse_draws_rst_when_the_request_is_complete(struct stage *stage)
{
    end_at_the_last_byte(stage, true);
}

/* The fault comes at its first byte, and still the ledger tells which request it was: the rest came
 * in the same segment. */
static void the_request_that_drew_the_fault_is_known(struct stage *stage)
{
    set_mode(stage, "fin", "first_byte");
    struct talk *t = used_once(stage);
    assert_int_equal(talk_ask(t, "victim"), 0);
    check_end(stage, t, false);
    json_t *victim = ledger_await_key(stage->server, t->connection, "victim");
    assert_string_equal(event_text(victim, "event"), "request");
    assert_int_equal(json_integer_value(json_object_get(victim, "exchange")), 2);
    assert_string_equal(event_text(victim, "target"), ENTITLEMENT);
    json_decref(victim);
}

static void a_retry_into_the_fin_is_a_stale_request(struct stage *stage)
{
    set_mode(stage, "fin", "complete");
    struct talk *t = used_once(stage);
    assert_int_equal(talk_ask(t, "reused"), 0);
    check_end(stage, t, false);
    await_fin_acked(stage, t);
    check_request_draws_rst(t, "again");
    check_stale_request(stage, t, "again", "fin_sent", "acked");
}

static void a_fresh_connection_is_served_as_the_second_attempt(struct stage *stage)
{
    set_mode(stage, "fin", "complete");
    struct talk *t = used_once(stage);
    assert_int_equal(talk_ask(t, "retried"), 0);
    check_end(stage, t, false);

    struct talk *fresh = talk_open(stage);
    assert_int_equal(talk_ask(fresh, "retried"), 0);
    check(talk_answer(fresh, in_ms(PATIENCE_MS)), "no answer: %s", client_story(&fresh->c));
    assert_int_equal(fresh->status, 200);
    assert_int_equal(talk_served_number(fresh, "attempt"), 2);
    assert_int_equal(talk_served_number(fresh, "exchange"), 1);
    assert_true(talk_served_number(fresh, "connection") > t->connection);
}

static void normal_mode_serves_every_reuse(struct stage *stage)
{
    struct talk *t = used_once(stage);

    for (int i = 0; i < 5; i++)
        talk_served(t);
    assert_int_equal(talk_served_number(t, "exchange"), 6);
    assert_null(ledger_find(stage->server, t->connection, "fault", NULL));
}

int main(void)
{
    static const struct scenario list[] = {
        SCENARIO(normal_mode_serves_every_reuse, SEATS_ALL),
        SCENARIO(reuse_draws_fin_at_the_first_byte, SEATS_ALL),
        SCENARIO(reuse_draws_rst_at_the_first_byte, SEATS_ALL),
        SCENARIO(reuse_draws_fin_when_the_request_is_complete, SEATS_ALL),
        SCENARIO(reuse_draws_rst_when_the_request_is_complete, SEATS_ALL),
        SCENARIO(the_request_that_drew_the_fault_is_known, SEATS_ALL),
        SCENARIO(a_retry_into_the_fin_is_a_stale_request, SEATS_ALL),
        SCENARIO(a_fresh_connection_is_served_as_the_second_attempt, SEATS_ALL),
    };

    return scenarios_run("faults on reuse", list, sizeof list / sizeof list[0], NULL);
}
