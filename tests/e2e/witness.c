#include "witness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void check_timer(const struct talk *t, int64_t seen_at, int64_t idle_ms)
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
    assert_string_equal(event_text(fault, "mode"), mode);
    if (idle_ms > 0) {
        json_t *answered = ledger_await(stage->server, t->connection, "response_end", NULL);
        double idle = event_ms(fault, "ms") - event_ms(answered, "ms");
        check(idle >= (double)idle_ms - LEDGER_MS, "ledgered too early: after %.3f ms", idle);
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
    json_t *acked = ledger_await(stage->server, t->connection, "fault_acked", "fin");
    json_decref(acked);
}

void check_stale_request(const struct stage *stage, const struct talk *t, const char *key,
                         const char *into, const char *fin_acked)
{
    json_t *stale = ledger_await(stage->server, t->connection, "stale_request", NULL);
    assert_string_equal(event_text(stale, "method"), "GET");
    assert_string_equal(event_text(stale, "target"), ENTITLEMENT);
    assert_string_equal(event_text(stale, "idempotency_key"), key);
    assert_string_equal(event_text(stale, "sent_into"), into);
    assert_string_equal(event_text(stale, "fin_acked"), fin_acked);
    assert_true(event_true(stale, "complete"));
    double after = event_ms(stale, "after_fault_ms");
    check(after >= 0 && after < PATIENCE_MS, "after_fault_ms is %.3f", after);
    json_decref(stale);
}

void await_hole(const struct stage *stage, struct talk *t, const char *mode)
{
    check_fault(stage, t, mode, "black_hole", 0);
    /* The client's kernel may put an ACK off by 40 ms, and the server looks every few. */
    check(client_silent(&t->c, in_ms(80)), "not silent: %s", client_story(&t->c));
    for (int i = 0; i < 2; i++) /* it has looked since, and this is a turn of its loop later */
        json_decref(admin_call(stage->server, 200, "GET", "/healthz", NULL));
}

void check_end_after(const struct stage *stage, const struct talk *t, uint64_t number)
{
    json_t *end = ledger_await(stage->server, t->connection, "connection_end", NULL);
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

void check_no_fault(const struct stage *stage, const struct talk *t)
{
    json_t *fault = ledger_find(stage->server, t->connection, "fault", NULL);

    if (fault && t->hurry_ms) {
        json_decref(fault);
        talk_in_time(t);
        fault = ledger_find(stage->server, t->connection, "fault", NULL);
    }
    check(!fault, "the ledger has a fault: %s", event_text(fault, "step"));
}

void check_warned(const struct stage *stage, const struct talk *t, const char *mode,
                  const char *why)
{
    json_t *warning = ledger_find(stage->server, t->connection, "warning", NULL), *row;
    json_t *list = admin_call(stage->server, 200, "GET", "/v1/connections", NULL);
    size_t i;

    check(warning, "%s: no warning", mode);
    assert_string_equal(event_text(warning, "mode"), mode);
    check(strstr(event_text(warning, "why"), why), "%s: the warning says \"%s\"", mode,
          event_text(warning, "why"));
    json_array_foreach(json_object_get(list, "connections"), i, row)
    {
        if ((uint64_t)json_integer_value(json_object_get(row, "id")) == t->connection)
            assert_string_equal(event_text(row, "warning"), event_text(warning, "why"));
    }
    json_decref(list);
    json_decref(warning);
}

void check_how(struct talk *t, const char *how)
{
    bool fin = strcmp(how, "fin") == 0, rst = strcmp(how, "rst") == 0;

    if (fin || rst) {
        check(client_wait_end(&t->c, in_ms(LATE_MS)), "no end: %s", client_story(&t->c));
        check(rst ? t->c.rst && !t->c.fin : t->c.fin, "the wrong end: %s", client_story(&t->c));
    } else {
        check(client_silent(&t->c, in_ms(300)), "not silent: %s", client_story(&t->c));
        check(!t->c.fin && !t->c.rst, "it ended: %s", client_story(&t->c));
    }
    assert_false(t->c.close_notify);
}

/* The events of this name about an exchange of the talk's connection: how many, and the first. New
 * reference. */
static json_t *exchange_events(const struct stage *stage, const struct talk *t, const char *event,
                               uint64_t exchange, unsigned *count)
{
    uint64_t next;
    json_t *events = admin_events(stage->server, 0, 0, &next), *first = NULL, *one;
    size_t i;

    *count = 0;
    json_array_foreach(events, i, one)
    {
        if (strcmp(event_text(one, "event"), event) != 0 ||
            (uint64_t)json_integer_value(json_object_get(one, "connection")) != t->connection ||
            (uint64_t)json_integer_value(json_object_get(one, "exchange")) != exchange)
            continue;
        if ((*count)++ == 0)
            first = json_incref(one);
    }
    json_decref(events);
    return first;
}

uint64_t check_event(const struct stage *stage, const struct talk *t, const char *event,
                     uint64_t exchange)
{
    unsigned count;
    json_t *first = exchange_events(stage, t, event, exchange, &count);

    check(first, "the ledger has no %s of exchange %llu", event, (unsigned long long)exchange);
    uint64_t number = seq(first);
    json_decref(first);
    return number;
}

void check_lost(const struct stage *stage, const struct talk *t, uint64_t exchange,
                const char *reached)
{
    unsigned count;

    json_decref(ledger_await(stage->server, t->connection, "exchange_lost", NULL));
    json_t *lost = exchange_events(stage, t, "exchange_lost", exchange, &count);
    check(lost, "the ledger has no exchange_lost of exchange %llu", (unsigned long long)exchange);
    assert_int_equal(count, 1);
    assert_string_equal(event_text(lost, "reached"), reached);
    json_decref(lost);
}

uint64_t check_processed(const struct stage *stage, const struct talk *t, uint64_t exchange)
{
    unsigned count;
    json_t *processed = exchange_events(stage, t, "processed", exchange, &count);

    check(processed, "the ledger has no processed of exchange %llu", (unsigned long long)exchange);
    assert_int_equal(count, 1);
    uint64_t number = seq(processed);
    json_decref(processed);
    return number;
}

void check_processed_before(const struct stage *stage, const struct talk *t, uint64_t exchange,
                            uint64_t number)
{
    check(check_processed(stage, t, exchange) < number, "it was processed only after the fault");
}

void check_not_processed(const struct stage *stage, const struct talk *t, uint64_t exchange)
{
    unsigned count;

    json_decref(exchange_events(stage, t, "processed", exchange, &count));
    check(count == 0, "exchange %llu was processed", (unsigned long long)exchange);
}

void set_rules(const struct stage *stage, const char *rules)
{
    struct admin_answer answer;
    char body[1024];

    snprintf(body, sizeof body, "{\"name\":\"own\",\"summary\":\"A test's own.\",\"rules\":%s}",
             rules);
    bool whole = admin_try(stage->server, "PUT", "/v1/modes/own", NULL, body, &answer);
    check(whole && (answer.status == 200 || answer.status == 201), "%s: %d: %s", rules,
          answer.status, whole ? (const char *)buf_bytes(&answer.text) : "no answer");
    admin_free(&answer);
    admin_mode(stage->server, "own", NULL);
}

struct talk *served_once(struct stage *stage, const char *mode, const char *params)
{
    admin_mode(stage->server, mode, params);
    struct talk *t = talk_open(stage);
    talk_served(t);
    return t;
}

struct talk *served_in_time(struct stage *stage, const char *mode, const char *params, int64_t ms)
{
    stage->hurry_ms = ms;
    struct talk *t = served_once(stage, mode, params);
    stage->hurry_ms = t->hurry_ms = 0;
    return t;
}

void check_gap(const struct stage *stage, const struct talk *t, const char *from, const char *to,
               int64_t ms)
{
    json_t *first = ledger_await(stage->server, t->connection, "fault", from);
    json_t *then = ledger_await(stage->server, t->connection, "fault", to);
    double gap = event_ms(then, "ms") - event_ms(first, "ms");
    check(gap >= (double)ms - LEDGER_MS, "%s only %.3f ms after %s", to, gap, from);
    check(gap <= (double)(ms + LATE_MS), "%s %.3f ms after %s", to, gap, from);
    json_decref(first);
    json_decref(then);
}

/* --- Which fault an event follows from */

/* The steps that lead to an event, or to a value of its sent_into; *names: it always names one. */
static const struct cause {
    const char *event, *into, *steps;
    bool names;
} causes[] = {
    { "fault_acked", "", " fin cut goaway goaway_notice close_notify alert rst_stream refuse ",
      true },
    { "segments_dropped", "", " black_hole ", true },
    { "stale_bytes", "ending", "", false },
    { "stale_request", "ending", "", false },
    { "", "fin_sent", " fin cut ", true },
    { "", "forgotten", " forget ", true },
    { "", "stalled", " stall cut ", true },
    { "", "resetting", " rst cut ", true },
    { "", "black_holed", " black_hole ", true },
    { "", "goaway", " goaway ", true },
};

static const struct cause *cause_of(const json_t *event)
{
    const char *name = event_text(event, "event"), *into = event_text(event, "sent_into");
    for (size_t i = 0; i < sizeof causes / sizeof *causes; i++) {
        const struct cause *c = &causes[i];
        if ((!*c->event || strcmp(c->event, name) == 0) && strcmp(c->into, into) == 0)
            return c;
    }
    return NULL;
}

static bool must_name(const json_t *event, const struct cause *cause)
{
    const char *name = event_text(event, "event");
    return (cause && cause->names) || strcmp(name, "fault_done") == 0 ||
           (strcmp(name, "connection_end") == 0 && strcmp(event_text(event, "by"), "fault") == 0) ||
           (strcmp(name, "exchange_lost") == 0 &&
            strcmp(event_text(event, "why"), "a fault ended the connection") == 0);
}

static void check_named(const json_t *event, const json_t *fault)
{
    const struct cause *cause = cause_of(event);
    char step[32];
    char *shown = json_dumps(event, JSON_COMPACT);

    snprintf(step, sizeof step, " %s ", event_text(fault, "step"));
    if (!json_object_get(event, "fault")) {
        check(!must_name(event, cause), "it names no fault: %s", shown);
    } else {
        check(fault && strcmp(event_text(fault, "event"), "fault") == 0,
              "there is no such fault: %s", shown);
        check(json_equal(json_object_get(fault, "connection"),
                         json_object_get(event, "connection")) ||
                  !json_object_get(event, "connection"),
              "the fault is of another connection: %s", shown);
        check(seq(fault) < seq(event), "the fault comes later: %s", shown);
        check(!cause || strstr(cause->steps, step), "it cannot follow from \"%s\": %s", step,
              shown);
        bool done = strcmp(event_text(event, "event"), "fault_done") == 0;
        bool rst = strcmp(event_text(event, "step"), "rst") == 0; /* which a cut may end with */
        if (done && !(rst && strcmp(step, " cut ") == 0))
            assert_string_equal(event_text(event, "step"), event_text(fault, "step"));
    }
    free(shown);
}

void check_faults_are_named(const struct server *server)
{
    uint64_t next;
    json_t *events = admin_events(server, 0, 0, &next), *event;
    uint64_t first = seq(json_array_get(events, 0));
    size_t i;

    json_array_foreach(events, i, event)
    {
        uint64_t fault = (uint64_t)json_integer_value(json_object_get(event, "fault"));
        if (fault >= first || !json_object_get(event, "fault"))
            check_named(event, json_array_get(events, fault ? fault - first : SIZE_MAX));
    }
    json_decref(events);
}
