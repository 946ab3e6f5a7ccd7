/* What the ledger tells of a request, so that attempts can be joined to calls and a saved ledger be
 * judged: from the client's bytes to the members of its events.
 */
#include "witness.h"

#include <stdio.h>
#include <string.h>

/* Sends a request with these fields, names and values in turn, ended by NULL. */
static void ask_with(struct talk *t, const char *method, const char *target,
                     const char *const *fields, const char *body)
{
    struct buf out = { .data = NULL };

    if (t->seat->h2) {
        t->stream = h2_compose_request(&t->h2, &out, method, target, fields, body);
    } else {
        struct buf lines = { .data = NULL };
        for (size_t i = 0; fields[i]; i += 2)
            buf_printf(&lines, "%s: %s\r\n", fields[i], fields[i + 1]);
        buf_add(&lines, "", 1);
        h1_compose(&out, method, target, (const char *)buf_bytes(&lines), body);
        buf_free(&lines);
    }
    assert_int_equal(client_send(&t->c, buf_bytes(&out), buf_len(&out)), 0);
    buf_free(&out);
}

static void answered(struct talk *t, int status)
{
    check(talk_answer(t, in_ms(PATIENCE_MS)), "no answer: %s", client_story(&t->c));
    assert_int_equal(t->status, status);
}

/* The event of a request that names itself so in Hangup-Call; new reference. */
static json_t *request_of(const struct stage *stage, const char *call)
{
    json_t *event = ledger_await_key(stage->server, 0, call);

    assert_string_equal(event_text(event, "hangup_call"), call);
    return event;
}

/* The event of this name of the same exchange; new reference, NULL: there is none. */
static json_t *event_of(const struct stage *stage, const json_t *request, const char *name)
{
    uint64_t since = 0;
    json_t *events = admin_events(stage->server, 0, 0, &since), *event, *found = NULL;
    size_t i;

    json_array_foreach(events, i, event)
    {
        if (!found && strcmp(event_text(event, "event"), name) == 0 &&
            json_equal(json_object_get(event, "connection"),
                       json_object_get(request, "connection")) &&
            json_equal(json_object_get(event, "exchange"), json_object_get(request, "exchange")))
            found = json_incref(event);
    }
    json_decref(events);
    return found;
}

static void check_other_key(const json_t *request, size_t i, const char *wanted)
{
    const json_t *item = json_array_get(json_object_get(request, "other_keys"), i);

    assert_string_equal(json_is_string(item) ? json_string_value(item) : "nothing", wanted);
}

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN  "00f067aa0ba902b7"

static void every_id_and_property_has_a_member_of_its_own(struct stage *stage)
{
    static const char *const fields[] = { "hangup-call",
                                          "all",
                                          "idempotency-key",
                                          "k1",
                                          "x-idempotency-key",
                                          "k2",
                                          "x-request-id",
                                          "r1",
                                          "traceparent",
                                          "00-" TRACE "-" SPAN "-01",
                                          "user-agent",
                                          "test/1 (x)",
                                          "range",
                                          "bytes=0-",
                                          "content-type",
                                          "text/plain",
                                          "expect",
                                          "",
                                          "early-data",
                                          "1",
                                          "x-call",
                                          "c1",
                                          "X-CALL",
                                          "c2",
                                          NULL };
    static const char *const names[] = { "hangup_call", "idempotency_key", "request_id",
                                         "trace_id",    "span_id",         "user_agent",
                                         "range",       "content_type" };
    static const char *const values[] = { "all", "k1",         "r1",       TRACE,
                                          SPAN,  "test/1 (x)", "bytes=0-", "text/plain" };
    const char *sent[sizeof fields / sizeof *fields];
    struct talk *t = talk_open(stage);

    memcpy(sent, fields, sizeof fields);
    if (t->seat->h2)
        sent[22] = "x-call";
    ask_with(t, "POST", ENTITLEMENT, sent, "12345");
    answered(t, 200);
    json_t *request = request_of(stage, "all");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_string_equal(event_text(request, names[i]), values[i]);
    check_other_key(request, 0, "x-call: c1");
    check_other_key(request, 1, "x-call: c2");
    assert_int_equal(json_array_size(json_object_get(request, "other_keys")), 2);
    assert_true(event_true(request, "early_data"));
    assert_null(json_object_get(request, "expect"));
    assert_null(json_object_get(request, "key"));
    assert_null(json_object_get(request, "key_from"));
    assert_int_equal(strlen(event_text(request, "fingerprint")), 16);
    if (!t->seat->h2)
        assert_int_equal(event_ms(request, "content_length"), 5);
    json_decref(request);
}

static void what_a_request_does_not_say_is_left_out(struct stage *stage)
{
    static const char *const absent[] = { "idempotency_key", "request_id",   "trace_id",
                                          "span_id",         "other_keys",   "user_agent",
                                          "range",           "content_type", "content_length",
                                          "expect",          "early_data" };
    static const char *const fields[] = { "hangup-call", "bare", "early-data", "0", NULL };
    struct talk *t = talk_open(stage);

    ask_with(t, "GET", ENTITLEMENT, fields, NULL);
    answered(t, 200);
    json_t *request = request_of(stage, "bare");
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++)
        assert_null(json_object_get(request, absent[i]));
    assert_true(json_is_false(json_object_get(request, "reused")));
    json_decref(request);
}

static void a_malformed_traceparent_is_a_trace_id_as_a_whole(struct stage *stage)
{
    static const struct {
        const char *text;
        bool sound;
    } rows[] = {
        { "00-" TRACE "-" SPAN "-00", true },
        { "cc-" TRACE "-" SPAN "-00-later", true },
        { "00-" TRACE "-" SPAN "-00-later", false },
        { "ff-" TRACE "-" SPAN "-00", false },
        { "cc-" TRACE "-" SPAN "-00later", false },
        { "00-" TRACE "-" SPAN, false },
        { "00-" TRACE "-" SPAN "-0g", false },
        { "00-4BF92F3577B34DA6A3CE929D0E0E4736-" SPAN "-00", false },
        { "00-00000000000000000000000000000000-" SPAN "-00", false },
        { "00-" TRACE "-0000000000000000-00", false },
        { "00_" TRACE "-" SPAN "-00", false },
        { "a-trace-of-our-own", false },
    };
    struct talk *t = talk_open(stage);
    char call[16];

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(call, sizeof call, "trace-%zu", i);
        const char *const fields[] = { "hangup-call", call, "traceparent", rows[i].text, NULL };
        ask_with(t, "GET", ENTITLEMENT, fields, NULL);
        answered(t, 200);
        json_t *request = request_of(stage, call);
        assert_string_equal(event_text(request, "trace_id"), rows[i].sound ? TRACE : rows[i].text);
        assert_string_equal(event_text(request, "span_id"), rows[i].sound ? SPAN : "");
        json_decref(request);
    }
}

static void x_idempotency_key_is_one_too(struct stage *stage)
{
    static const char *const fields[] = { "hangup-call", "x", "x-idempotency-key", "k2", "expect",
                                          "something",   NULL };
    struct talk *t = talk_open(stage);

    ask_with(t, "GET", ENTITLEMENT, fields, NULL);
    answered(t, 200);
    json_t *request = request_of(stage, "x");
    assert_string_equal(event_text(request, "idempotency_key"), "k2");
    assert_string_equal(event_text(request, "expect"), "something");
    json_decref(request);
}

/* --- The fingerprint */

static void take_fingerprint(struct stage *stage, struct talk *t, const char *const *fields,
                             char out[17])
{
    ask_with(t, "GET", ENTITLEMENT, fields, NULL);
    answered(t, 200);
    json_t *request = request_of(stage, fields[1]);
    snprintf(out, 17, "%s", event_text(request, "fingerprint"));
    json_decref(request);
}

static void the_fingerprint_is_of_names_and_their_order(struct stage *stage)
{
    static const char *const one[] = { "hangup-call", "f1", "accept", "a", "x-b", "b", NULL };
    static const char *const same[] = { "hangup-call", "f2", "accept", "c", "x-b", "d", NULL };
    static const char *const turned[] = { "hangup-call", "f3", "x-b", "b", "accept", "a", NULL };
    static const char *const fewer[] = { "hangup-call", "f4", "accept", "a", NULL };
    static const char *const shifted[] = { "hangup-call", "f5", "acceptx", "a", "-b", "b", NULL };
    char first[17], other[17];
    struct talk *t = talk_open(stage);

    take_fingerprint(stage, t, one, first);
    take_fingerprint(stage, t, same, other);
    assert_string_equal(first, other);
    take_fingerprint(stage, t, turned, other);
    assert_string_not_equal(first, other);
    take_fingerprint(stage, t, fewer, other);
    assert_string_not_equal(first, other);
    take_fingerprint(stage, t, shifted, other);
    assert_string_not_equal(first, other);
}

static void the_fingerprint_knows_names_that_the_list_has_cut(struct stage *stage)
{
    enum { MANY = 250 };
    static char name[MANY][24];
    const char *fields[2 * MANY + 3] = { "hangup-call", "long-1" };
    char first[17], other[17];
    struct talk *t = talk_open(stage);

    for (unsigned i = 0; i < MANY; i++) {
        snprintf(name[i], sizeof name[i], "x-a-long-name-%04u", i);
        fields[2 + 2 * i] = name[i];
        fields[3 + 2 * i] = "v";
    }
    take_fingerprint(stage, t, fields, first);
    fields[1] = "long-2";
    name[MANY - 1][0] = 'y';
    take_fingerprint(stage, t, fields, other);
    assert_string_not_equal(first, other);
    json_t *request = request_of(stage, "long-1");
    assert_true(event_true(request, "cut"));
    json_decref(request);
}

static void the_order_of_pseudo_header_fields_is_in_the_fingerprint(struct stage *stage)
{
    static const char *const one[] = { ":method",     "GET",       ":scheme",    "http",
                                       ":path",       ENTITLEMENT, ":authority", "localhost",
                                       "hangup-call", "p1",        NULL };
    static const char *const two[] = { ":method",     "GET",  ":path",      ENTITLEMENT,
                                       ":scheme",     "http", ":authority", "localhost",
                                       "hangup-call", "p2",   NULL };
    const char *const *const blocks[] = { one, two };
    const char *const calls[] = { "p1", "p2" };
    char prints[2][17];
    struct talk *t = talk_open(stage);

    for (unsigned i = 0; i < 2; i++) {
        struct buf block = { .data = NULL };
        t->stream = t->h2.last_stream += 2;
        h2_compose_block(&t->h2, &block, blocks[i]);
        h2_send_frame(&t->h2, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM,
                      t->stream, buf_bytes(&block), buf_len(&block));
        buf_free(&block);
        answered(t, 200);
        json_t *request = request_of(stage, calls[i]);
        snprintf(prints[i], sizeof prints[i], "%s", event_text(request, "fingerprint"));
        json_decref(request);
    }
    assert_string_not_equal(prints[0], prints[1]);
}

/* --- Time and reuse */

static void the_first_byte_and_reuse_are_told(struct stage *stage)
{
    static const char *const first[] = { "hangup-call", "t1", NULL };
    static const char *const second[] = { "hangup-call", "t2", NULL };
    struct talk *t = talk_open(stage);
    struct buf out = { .data = NULL };

    ask_with(t, "GET", ENTITLEMENT, first, NULL);
    answered(t, 200);
    json_t *before = request_of(stage, "t1");
    if (t->seat->h2)
        t->stream = h2_compose_request(&t->h2, &out, "GET", ENTITLEMENT, second, NULL);
    else
        h1_compose(&out, "GET", ENTITLEMENT, "Hangup-Call: t2\r\n", NULL);
    assert_int_equal(client_send(&t->c, buf_bytes(&out), 12), 0);
    assert_true(client_silent(&t->c, in_ms(60)));
    assert_int_equal(client_send(&t->c, buf_bytes(&out) + 12, buf_len(&out) - 12), 0);
    buf_free(&out);
    answered(t, 200);
    json_t *request = request_of(stage, "t2");
    double took = event_ms(request, "ms") - event_ms(request, "first_byte_ms");
    check(took >= 50 && took < PATIENCE_MS, "its header section took %.3f ms", took);
    assert_true(event_ms(request, "first_byte_ms") > event_ms(before, "ms"));
    took = event_ms(before, "ms") - event_ms(before, "first_byte_ms");
    check(took >= 0 && took < 1000, "that of the first took %.3f ms", took);
    assert_true(json_is_false(json_object_get(before, "reused")));
    assert_true(event_true(request, "reused"));
    json_decref(before);
    json_decref(request);
}

static void a_pipelined_request_was_read_before_its_turn(struct stage *stage)
{
    struct buf out = { .data = NULL };

    admin_mode(stage->server, "slow-first-byte", "{\"delay\":\"200ms\"}");
    struct talk *t = talk_open(stage);
    h1_compose(&out, "GET", ENTITLEMENT, "Hangup-Call: q1\r\n", NULL);
    h1_compose(&out, "GET", ENTITLEMENT, "Hangup-Call: q2\r\n", NULL);
    assert_int_equal(client_send(&t->c, buf_bytes(&out), buf_len(&out)), 0);
    buf_free(&out);
    answered(t, 200);
    answered(t, 200);
    json_t *one = request_of(stage, "q1"), *two = request_of(stage, "q2");
    assert_true(event_ms(two, "ms") - event_ms(one, "ms") > 190);
    double apart = event_ms(two, "first_byte_ms") - event_ms(one, "first_byte_ms");
    check(apart >= 0 && apart < 150, "the second came %.3f ms after the first", apart);
    json_decref(one);
    json_decref(two);
}

static void a_stale_request_tells_the_same(struct stage *stage)
{
    static const char *const fields[] = { "hangup-call", "s", "user-agent", "u", NULL };

    admin_mode(stage->server, "stall-idle", "{\"idle\":\"50ms\"}");
    struct talk *t = talk_open(stage);
    talk_served(t);
    json_decref(ledger_await(stage->server, t->connection, "fault", "stall"));
    ask_with(t, "GET", ENTITLEMENT, fields, NULL);
    json_t *stale = request_of(stage, "s");
    assert_string_equal(event_text(stale, "event"), "stale_request");
    assert_string_equal(event_text(stale, "user_agent"), "u");
    assert_int_equal(strlen(event_text(stale, "fingerprint")), 16);
    assert_true(event_true(stale, "reused"));
    double took = event_ms(stale, "ms") - event_ms(stale, "first_byte_ms");
    check(took >= 0 && took < 1000, "it took %.3f ms", took);
    json_decref(stale);
}

/* --- Its content, and what became of it */

static void take_digest(struct stage *stage, struct talk *t, const char *call, const char *body,
                        char out[17])
{
    const char *const fields[] = { "hangup-call", call, NULL };

    ask_with(t, "POST", ENTITLEMENT, fields, body);
    answered(t, 200);
    json_t *request = request_of(stage, call);
    json_t *complete = event_of(stage, request, "request_complete");
    snprintf(out, 17, "%s", event_text(complete, "digest"));
    assert_int_equal(strlen(out), 16);
    json_decref(complete);
    json_decref(request);
}

static void the_digest_is_of_the_content(struct stage *stage)
{
    char one[17], two[17], none[17];
    struct talk *t = talk_open(stage);

    take_digest(stage, t, "d1", "the same", one);
    take_digest(stage, t, "d2", "the same", two);
    take_digest(stage, t, "d3", NULL, none);
    assert_string_equal(one, two);
    assert_string_not_equal(one, none);
    take_digest(stage, t, "d4", "the sama", two);
    assert_string_not_equal(one, two);
}

static void processed_is_what_the_endpoint_has_executed(struct stage *stage)
{
    static const struct {
        const char *method, *target;
        int status;
        bool processed, effect;
    } rows[] = {
        { "GET", ENTITLEMENT, 200, true, false },
        { "POST", ENTITLEMENT, 200, true, true },
        { "OPTIONS", ENTITLEMENT, 204, true, false },
        { "GET", "/nowhere", 404, false, false },
        { "POST", "/nowhere", 404, false, false },
        { "DELETE", ENTITLEMENT, 405, false, false },
        { "GET", "/mode/no-such-mode/", 404, false, false },
    };
    struct talk *t = talk_open(stage);
    char call[16];

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(call, sizeof call, "e%zu", i);
        const char *const fields[] = { "hangup-call", call, NULL };
        ask_with(t, rows[i].method, rows[i].target, fields, NULL);
        answered(t, rows[i].status);
        json_t *request = request_of(stage, call);
        json_decref(ledger_await(stage->server, 0, "response_end", NULL));
        json_t *processed = event_of(stage, request, "processed");
        check(!processed == !rows[i].processed, "%s %s: processed, or not", rows[i].method,
              rows[i].target);
        if (processed) {
            assert_int_equal(event_ms(processed, "status"), rows[i].status);
            assert_int_equal(event_true(processed, "effect"), rows[i].effect);
        }
        json_decref(processed);
        json_decref(request);
    }
}

static void a_reset_stream_names_its_exchange(struct stage *stage)
{
    static const char *const fields[] = { "hangup-call", "reset", NULL };
    uint8_t cancel[4];

    admin_mode(stage->server, "slow-first-byte", "{\"delay\":\"20s\"}");
    struct talk *t = talk_open(stage);
    ask_with(t, "GET", ENTITLEMENT, fields, NULL);
    json_t *request = request_of(stage, "reset");
    h2_put32(cancel, NGHTTP2_CANCEL);
    h2_send_frame(&t->h2, NGHTTP2_RST_STREAM, 0, t->stream, cancel, sizeof cancel);
    json_t *reset = ledger_await(stage->server, 0, "peer_rst_stream", NULL);
    assert_int_equal(event_ms(reset, "exchange"), event_ms(request, "exchange"));
    json_decref(reset);
    json_decref(request);
}

static void a_header_sets_a_mark_just_before_its_request(struct stage *stage)
{
    static const char *const fields[] = { "hangup-call", "m", "hangup-mark", "here", NULL };
    static const char *const wrong[] = { "hangup-call", "w", "hangup-mark", "Not A Mark", NULL };
    struct talk *t = talk_open(stage);

    ask_with(t, "GET", ENTITLEMENT, wrong, NULL);
    answered(t, 200);
    json_t *warning = ledger_await(stage->server, 0, "warning", NULL);
    assert_string_equal(event_text(warning, "name"), "Not A Mark");
    assert_null(ledger_find(stage->server, 0, "mark", NULL));
    json_decref(warning);
    ask_with(t, "GET", ENTITLEMENT, fields, NULL);
    answered(t, 200);
    json_t *mark = ledger_await(stage->server, 0, "mark", NULL), *request = request_of(stage, "m");
    assert_string_equal(event_text(mark, "name"), "here");
    assert_string_equal(event_text(mark, "source"), "header");
    assert_true(event_ms(mark, "seq") + 1 == event_ms(request, "seq"));
    assert_true(event_ms(mark, "from_ms") == event_ms(request, "first_byte_ms"));
    assert_true(event_ms(mark, "to_ms") >= event_ms(mark, "from_ms"));
    assert_true(event_ms(mark, "to_ms") <= event_ms(request, "ms"));
    json_decref(mark);
    json_decref(request);
}

static void the_rules_of_that_mark_fire_there(struct stage *stage)
{
    static const char *const fields[] = { "hangup-call", "bg", "hangup-mark", "background", NULL };

    admin_mode(stage->server, "suspend", "{\"after\":\"0s\"}");
    struct talk *t = talk_open(stage);
    talk_served(t);
    ask_with(t, "GET", ENTITLEMENT, fields, NULL);
    json_t *request = request_of(stage, "bg");
    json_t *fault = ledger_await(stage->server, t->connection, "fault", NULL);
    assert_string_equal(event_text(fault, "trigger"), "mark");
    assert_true(event_ms(fault, "seq") > event_ms(request, "seq"));
    json_decref(fault);
    json_decref(request);
}

int main(void)
{
    static const struct scenario list[] = {
        SCENARIO(every_id_and_property_has_a_member_of_its_own, SEATS_ALL),
        SCENARIO(what_a_request_does_not_say_is_left_out, SEATS_ALL),
        SCENARIO(a_malformed_traceparent_is_a_trace_id_as_a_whole, SEAT_H1_CLEARTEXT | SEAT_H2_TLS),
        SCENARIO(x_idempotency_key_is_one_too, SEAT_H1_CLEARTEXT | SEAT_H2_CLEARTEXT),
        SCENARIO(the_fingerprint_is_of_names_and_their_order,
                 SEAT_H1_CLEARTEXT | SEAT_H2_CLEARTEXT),
        SCENARIO(the_fingerprint_knows_names_that_the_list_has_cut, SEAT_H1_CLEARTEXT),
        SCENARIO(the_order_of_pseudo_header_fields_is_in_the_fingerprint, SEAT_H2_CLEARTEXT),
        SCENARIO(the_first_byte_and_reuse_are_told, SEATS_ALL),
        SCENARIO(a_pipelined_request_was_read_before_its_turn, SEAT_H1_CLEARTEXT),
        SCENARIO(a_stale_request_tells_the_same, SEATS_ALL),
        SCENARIO(a_header_sets_a_mark_just_before_its_request, SEATS_ALL),
        SCENARIO(the_rules_of_that_mark_fire_there, SEATS_ALL),
        SCENARIO(the_digest_is_of_the_content, SEATS_ALL),
        SCENARIO(processed_is_what_the_endpoint_has_executed, SEAT_H1_CLEARTEXT | SEAT_H2_TLS),
        SCENARIO(a_reset_stream_names_its_exchange, SEATS_H2),
    };
    static const char *const options[] = { "--key-header", "x-call", "--key-header",
                                           "amz-sdk-invocation-id", NULL };

    return scenarios_run("what the ledger tells of a request", list, sizeof list / sizeof list[0],
                         options);
}
