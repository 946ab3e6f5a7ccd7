#include "witness.h"

#include <string.h>

/* Half a millisecond: "ms" has three decimals, and the response's end is ledgered when the
 * connection has just become idle. */
#define TOLERANCE_MS 0.5

void check_moment(const struct talk *t, int64_t seen_at, int64_t idle_ms)
{
    double after_asking = (double)(seen_at - t->asked_at) / NS_PER_MS;
    double after_answer = (double)(seen_at - t->answered_at) / NS_PER_MS;

    check(after_asking >= (double)idle_ms, "too early: %.3f ms after the request", after_asking);
    check(after_answer <= (double)(idle_ms + LATE_MS), "too late: %.3f ms after the answer",
          after_answer);
}

static uint64_t seq(const json_t *event)
{
    return (uint64_t)json_integer_value(json_object_get(event, "seq"));
}

uint64_t check_fault(const struct stage *stage, const struct talk *t, const char *mode,
                     const char *step, int64_t idle_ms)
{
    json_t *fault = ledger_await(stage->server, t->connection, "fault", step);

    check(fault, "the ledger has no fault \"%s\" on connection %llu", step,
          (unsigned long long)t->connection);
    assert_string_equal(event_text(fault, "mode"), mode);
    if (idle_ms > 0) {
        json_t *answered = ledger_await(stage->server, t->connection, "response_end", NULL);
        check(answered, "the ledger has no response_end");
        double idle = event_ms(fault, "ms") - event_ms(answered, "ms");
        check(idle >= (double)idle_ms - TOLERANCE_MS, "ledgered too early: after %.3f ms", idle);
        check(idle <= (double)(idle_ms + LATE_MS), "ledgered too late: after %.3f ms", idle);
        double late = event_ms(fault, "late_ms");
        check(late >= 0 && late <= LATE_MS, "late_ms is %.3f", late);
        json_decref(answered);
    }
    uint64_t number = seq(fault);
    json_decref(fault);
    return number;
}

void await_fin_acked(const struct stage *stage, const struct talk *t)
{
    json_t *acked = ledger_await(stage->server, t->connection, "fin_acked", NULL);

    check(acked, "the ledger has no fin_acked");
    json_decref(acked);
}

void check_stale_request(const struct stage *stage, const struct talk *t, const char *key,
                         const char *into, const char *fin_acked)
{
    json_t *stale = ledger_await(stage->server, t->connection, "stale_request", NULL);

    check(stale, "the ledger has no stale_request");
    assert_string_equal(event_text(stale, "method"), "GET");
    assert_string_equal(event_text(stale, "target"), ENTITLEMENT);
    assert_string_equal(event_text(stale, "key"), key);
    assert_string_equal(event_text(stale, "sent_into"), into);
    assert_string_equal(event_text(stale, "fin_acked"), fin_acked);
    assert_true(event_true(stale, "complete"));
    double after = event_ms(stale, "after_fault_ms");
    check(after >= 0 && after < PATIENCE_MS, "after_fault_ms is %.3f", after);
    json_decref(stale);
}

void check_end_after(const struct stage *stage, const struct talk *t, uint64_t number)
{
    json_t *end = ledger_await(stage->server, t->connection, "connection_end", NULL);

    check(end, "the ledger has no connection_end");
    check(seq(end) > number, "the fault was ledgered after the connection's end");
    check(*event_text(end, "by") && *event_text(end, "how"), "connection_end lacks by or how");
    json_decref(end);
}

void check_nothing_read(const struct talk *t)
{
    check(t->c.raw_in == t->raw_answered, "%llu bytes came where none should: %s",
          (unsigned long long)(t->c.raw_in - t->raw_answered), client_story(&t->c));
}

void check_request_draws_rst(struct talk *t, const char *key)
{
    uint64_t before = t->c.raw_in;

    talk_ask(t, key); /* the RST may overtake it: its result says nothing */
    check(client_wait_rst(&t->c, in_ms(LATE_MS)), "no RST: %s", client_story(&t->c));
    check(t->c.raw_in == before, "%llu bytes came before the RST",
          (unsigned long long)(t->c.raw_in - before));
}
