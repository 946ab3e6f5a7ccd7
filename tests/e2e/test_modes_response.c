/* The catalogue's response modes that end or lose an answer: "close-after-response", "truncate",
 * "truncate-notify", "truncate-head", "truncate-record", "lost-answer", "empty-response". */
#include "witness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The first request is served; the mode's nth is "2". */
static struct talk *used_once(struct stage *stage, const char *mode, const char *params)
{
    admin_mode(stage->server, mode, params);
    struct talk *t = talk_open(stage);
    talk_served(t);
    check(client_silent(&t->c, in_ms(50)), "not silent: %s", client_story(&t->c));
    assert_int_equal(buf_len(&t->c.in), 0);
    check_no_fault(stage, t);
    return t;
}

static void normal_mode_serves_the_same_talk(struct stage *stage)
{
    struct talk *t = used_once(stage, "normal", NULL);

    talk_served(t);
    assert_int_equal(talk_ask_for(t, "POST", ENTITLEMENT, "posted", "{\"device\":\"tv\"}"), 0);
    check(talk_answer(t, in_ms(PATIENCE_MS)), "no answer: %s", client_story(&t->c));
    assert_int_equal(t->status, 200);
    check(client_silent(&t->c, in_ms(200)), "not silent: %s", client_story(&t->c));
    check_no_fault(stage, t);
    json_t *processed = ledger_await(stage->server, t->connection, "processed", NULL);
    json_decref(processed);
}

/* --- close-after-response */

static void close_after_response_sends_fin_right_behind_it(struct stage *stage)
{
    /* The second: over h2 the client's ACK of the SETTINGS would meet the first one's FIN. */
    struct talk *t = used_once(stage, "close-after-response", "{\"nth\":\"2\"}");
    talk_served(t);
    check_how(t, "fin");
    check_nothing_read(t);
    check((t->c.fin_at - t->answered_at) / NS_PER_MS < LATE_MS, "the FIN came late");
    assert_int_equal(t->h2.goaways, 0);
    uint64_t fault = check_fault(stage, t, "close-after-response", "fin", 0);
    assert_true(check_event(stage, t, "response_end", 2) < fault);
    assert_null(ledger_find(stage->server, t->connection, "exchange_lost", NULL));

    await_fin_acked(stage, t);
    check_request_draws_rst(t, "reused");
    check_stale_request(stage, t, "reused", "fin_sent", "acked");
    check_end_after(stage, t, fault);
}

static void close_after_response_needs_no_reuse(struct stage *stage)
{
    admin_mode(stage->server, "close-after-response", NULL);
    struct talk *t = talk_open(stage);
    talk_served(t);
    check_how(t, "fin");
    check_fault(stage, t, "close-after-response", "fin", 0);
}

static void close_after_response_does_not_announce_it(struct stage *stage)
{
    struct h1_response r;
    char value[32] = "";

    admin_mode(stage->server, "close-after-response", NULL);
    struct talk *t = talk_open(stage);
    assert_int_equal(talk_ask(t, NULL), 0);
    bool whole = h1_read(&t->c, false, &r, in_ms(PATIENCE_MS));
    bool said = whole && h1_header(&r, "Connection", value, sizeof value);
    bool to_the_end = r.to_the_end;
    h1_free(&r);
    check(whole && !to_the_end, "no answer with a length: %s", client_story(&t->c));
    check(!said, "it says Connection: %s", value);
    check_how(t, "fin");
}

static void close_after_response_can_be_polite_and_about_one_request(struct stage *stage)
{
    struct talk *t = used_once(stage, "close-after-response", "{\"nth\":\"2\",\"notify\":true}");

    talk_served(t);
    check(client_wait_end(&t->c, in_ms(LATE_MS)), "no end: %s", client_story(&t->c));
    check(t->c.fin && !t->c.rst, "no FIN: %s", client_story(&t->c));
    assert_int_equal(t->c.close_notify, stage->seat->tls != CLIENT_CLEARTEXT);
}

/* --- truncate */

/* What came of an answer that does not come in full. */
struct part {
    int status;      /* 0: no whole header section */
    size_t content;  /* octets of it */
    size_t promised; /* by Content-Length; h1 alone */
};

static size_t length_of(const char *head, size_t n)
{
    static const char name[] = "\r\nContent-Length:";

    for (size_t i = 0; i + sizeof name < n; i++)
        if (strncasecmp(head + i, name, sizeof name - 1) == 0)
            return strtoul(head + i + sizeof name - 1, NULL, 10);
    return 0;
}

static struct part part_h1(struct talk *t)
{
    const char *in = (const char *)buf_bytes(&t->c.in);
    size_t n = buf_len(&t->c.in);
    const char *end = n ? memmem(in, n, "\r\n\r\n", 4) : NULL;

    if (!end)
        return (struct part){ 0 };
    return (struct part){ .status = atoi(in + 9),
                          .content = n - (size_t)(end + 4 - in),
                          .promised = length_of(in, (size_t)(end - in) + 2) };
}

static struct part part_h2(struct talk *t)
{
    while (h2_next(&t->h2, in_ms(50)))
        ;
    struct h2_stream *stream = h2_stream(&t->h2, t->stream);
    assert_false(stream->ended || stream->reset);
    assert_int_equal(buf_len(&t->c.in), 0); /* no frame was cut in two */
    return (struct part){ .status = stream->status, .content = buf_len(&stream->body) };
}

/* So many octets of content came, and then what how says. */
static void check_truncated(struct talk *t, size_t content)
{
    struct part part = t->seat->h2 ? part_h2(t) : part_h1(t);

    assert_int_equal(part.status, 200);
    assert_int_equal(part.content, content);
    assert_true(t->seat->h2 || part.promised > content);
}

static void check_cut(struct stage *stage, struct talk *t, const char *mode, const char *step)
{
    uint64_t fault = check_fault(stage, t, mode, step, 0);

    check_processed_before(stage, t, 2, fault);
    check_lost(stage, t, 2, "answering");
    if (t->c.fin) {
        client_close(&t->c);
        check_end_after(stage, t, fault);
    }
}

static void truncated(struct stage *stage, const char *how, unsigned after)
{
    char params[80];

    snprintf(params, sizeof params, "{\"nth\":\"2\",\"after\":%u,\"how\":\"%s\"}", after, how);
    struct talk *t = used_once(stage, "truncate", params);
    assert_int_equal(talk_ask(t, NULL), 0);
    check(client_look(&t->c, in_ms(PATIENCE_MS)), "nothing came: %s", client_story(&t->c));
    if (strcmp(how, "stall") == 0)
        client_silent(&t->c, in_ms(100)); /* the rest of what comes */
    check_how(t, how);
    check_truncated(t, after);
    if (strcmp(how, "stall") != 0) {
        size_t length = buf_len(&t->body); /* of the first answer, which is the same */
        check_cut(stage, t, "truncate", "cut");
        json_t *lost = ledger_await(stage->server, t->connection, "exchange_lost", NULL);
        assert_int_equal(event_ms(lost, "sent"), after);
        assert_int_equal(event_ms(lost, "of"), length);
        json_decref(lost);
        return;
    }
    /* It ACKs on, and says no more. */
    check_processed_before(stage, t, 2, check_fault(stage, t, "truncate", "cut", 0));
    assert_int_equal(talk_ask(t, "into-silence"), 0);
    check(client_wait_acked(&t->c, in_ms(LATE_MS)), "the request was not ACKed");
    check_how(t, how);
    check_stale_request(stage, t, "into-silence", "stalled", "");
}

static void truncate_ends_in_the_content_with_fin(struct stage *stage)
{
    truncated(stage, "fin", 100);
}

static void truncate_ends_in_the_content_with_rst(struct stage *stage)
{
    truncated(stage, "rst", 100);
}

static void truncate_ends_in_the_content_with_silence(struct stage *stage)
{
    truncated(stage, "stall", 100);
}

/* Of several responses on their way the first one that is cut ends the connection: the cuts of the
 * others must let no more of it out. */
static void cut_at_once(struct stage *stage, const char *mode, const char *how, size_t content)
{
    char params[80];
    int32_t streams[3];
    struct buf out = { 0 };

    snprintf(params, sizeof params, "{\"nth\":\"2-\",\"how\":\"%s\"}", how);
    struct talk *t = used_once(stage, mode, params);
    for (size_t i = 0; i < 3; i++)
        streams[i] = h2_compose_request(&t->h2, &out, "GET", ENTITLEMENT, NULL, NULL);
    assert_int_equal(client_send(&t->c, buf_bytes(&out), buf_len(&out)), 0);
    buf_free(&out);
    check(client_look(&t->c, in_ms(PATIENCE_MS)), "nothing came: %s", client_story(&t->c));
    while (h2_next(&t->h2, in_ms(strcmp(how, "stall") == 0 ? 200 : PATIENCE_MS)))
        ;
    check_how(t, how);
    for (size_t i = 0; i < 3; i++) {
        const struct h2_stream *stream = h2_stream(&t->h2, streams[i]);
        assert_false(stream->ended);
        assert_true(i == 0 ? buf_len(&stream->body) == content : buf_len(&stream->body) <= content);
    }
    uint64_t fault = check_fault(stage, t, mode, "cut", 0);
    if (strcmp(mode, "truncate-head") == 0)
        return; /* the places of the others are never reached */
    json_t *missed = ledger_await(stage->server, t->connection, "fault_missed", NULL);
    assert_string_equal(event_text(missed, "why"), "too late: an earlier cut goes before it");
    assert_true(event_ms(missed, "seq") > (double)fault);
    json_decref(missed);
}

static void truncate_of_several_at_once_ends_in_the_first_with_fin(struct stage *stage)
{
    cut_at_once(stage, "truncate", "fin", 100);
}

static void truncate_of_several_at_once_ends_in_the_first_with_rst(struct stage *stage)
{
    cut_at_once(stage, "truncate", "rst", 100);
}

static void truncate_of_several_at_once_ends_in_the_first_with_silence(struct stage *stage)
{
    cut_at_once(stage, "truncate", "stall", 100);
}

static void truncate_record_of_several_at_once_ends_in_the_first(struct stage *stage)
{
    cut_at_once(stage, "truncate-record", "fin", 0);
}

static void truncate_head_of_several_at_once_ends_in_the_first(struct stage *stage)
{
    cut_at_once(stage, "truncate-head", "fin", 0);
}

static void truncate_can_leave_the_header_section_alone(struct stage *stage)
{
    truncated(stage, "fin", 0);
}

static void truncate_can_send_one_octet(struct stage *stage)
{
    truncated(stage, "rst", 1);
}

/* Nothing is cut where there is nothing to cut. */
static void truncate_leaves_a_shorter_answer_whole(struct stage *stage)
{
    static const char *const modes[] = { "truncate", "truncate-notify", "truncate-head",
                                         "truncate-record" };

    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        admin_mode(stage->server, modes[i], "{\"after\":100000}");
        struct talk *t = talk_open(stage);
        talk_served(t);
        check(client_silent(&t->c, in_ms(50)), "%s: not silent: %s", modes[i], client_story(&t->c));
        talk_served(t);
        assert_false(t->c.fin || t->c.rst);
    }
}

static void truncate_notify_ends_in_the_content_orderly(struct stage *stage)
{
    struct talk *t = used_once(stage, "truncate-notify", "{\"nth\":\"2\"}");

    assert_int_equal(talk_ask(t, NULL), 0);
    check(client_wait_end(&t->c, in_ms(LATE_MS)), "no end: %s", client_story(&t->c));
    check(t->c.fin && !t->c.rst, "no FIN: %s", client_story(&t->c));
    assert_int_equal(t->c.close_notify, stage->seat->tls != CLIENT_CLEARTEXT);
    check_truncated(t, 100);
    check_cut(stage, t, "truncate-notify", "fin");
}

static void head_truncated(struct stage *stage, const char *how)
{
    char params[80];

    snprintf(params, sizeof params, "{\"nth\":\"2\",\"how\":\"%s\"}", how);
    struct talk *t = used_once(stage, "truncate-head", params);
    assert_int_equal(talk_ask(t, NULL), 0);
    check(client_wait_bytes(&t->c, 12, in_ms(PATIENCE_MS)), "not 12 octets: %s",
          client_story(&t->c));
    check_how(t, how);
    assert_int_equal(buf_len(&t->c.in), 12);
    const uint8_t *in = buf_bytes(&t->c.in);
    if (stage->seat->h2) {
        assert_int_equal(in[3], NGHTTP2_HEADERS);
        assert_int_equal(h2_get32(in + 5), t->stream);
        assert_true(((unsigned)in[0] << 16 | (unsigned)in[1] << 8 | in[2]) > 3);
    } else {
        assert_memory_equal(in, "HTTP/1.1 200", 12);
    }
    if (strcmp(how, "stall") != 0)
        check_cut(stage, t, "truncate-head", "cut");
    else
        check_processed_before(stage, t, 2, check_fault(stage, t, "truncate-head", "cut", 0));
}

static void truncate_head_ends_in_it_with_fin(struct stage *stage)
{
    head_truncated(stage, "fin");
}

static void truncate_head_ends_in_it_with_rst(struct stage *stage)
{
    head_truncated(stage, "rst");
}

static void truncate_head_ends_in_it_with_silence(struct stage *stage)
{
    head_truncated(stage, "stall");
}

static void record_truncated(struct stage *stage, const char *how)
{
    char params[80];

    snprintf(params, sizeof params, "{\"nth\":\"2\",\"after\":33,\"how\":\"%s\"}", how);
    struct talk *t = used_once(stage, "truncate-record", params);
    assert_int_equal(talk_ask(t, NULL), 0);
    check(client_look(&t->c, in_ms(PATIENCE_MS)), "nothing came: %s", client_story(&t->c));
    check_how(t, how);
    assert_int_equal(t->c.raw_in - t->raw_answered, 33);
    if (stage->seat->tls == CLIENT_CLEARTEXT)
        assert_int_equal(buf_len(&t->c.in), 33);
    else
        assert_int_equal(buf_len(&t->c.in), 0); /* not one octet could be decrypted */
    if (strcmp(how, "stall") != 0)
        check_cut(stage, t, "truncate-record", "cut");
}

static void truncate_record_ends_in_it_with_fin(struct stage *stage)
{
    record_truncated(stage, "fin");
}

static void truncate_record_ends_in_it_with_rst(struct stage *stage)
{
    record_truncated(stage, "rst");
}

static void truncate_record_ends_in_it_with_silence(struct stage *stage)
{
    record_truncated(stage, "stall");
}

/* Of one that is shorter the ledger says how long it was. */
static void truncate_record_cuts_the_first_answer_that_is_long_enough(struct stage *stage)
{
    unsigned octets = 0, after = 0;
    admin_mode(stage->server, "truncate-record", "{\"after\":200}");
    struct talk *t = talk_open(stage);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(talk_ask_for(t, "OPTIONS", ENTITLEMENT, NULL, NULL), 0);
        check(talk_answer(t, in_ms(PATIENCE_MS)), "no answer: %s", client_story(&t->c));
        assert_int_equal(t->status, 204);
    }
    assert_int_equal(talk_ask(t, NULL), 0);
    check(client_look(&t->c, in_ms(PATIENCE_MS)), "nothing came: %s", client_story(&t->c));
    check_how(t, "fin");
    assert_int_equal(t->c.raw_in - t->raw_answered, 200);

    json_t *done = ledger_await(stage->server, t->connection, "fault_done", "cut");
    const char *why = event_text(done, "why");
    check(sscanf(why, "not reached: another cut took its place when %u of %u bytes were out",
                 &octets, &after) == 2,
          "%s", why);
    assert_in_range(octets, 1, 199);
    assert_int_equal(after, 200);
    json_decref(done);
}

/* --- lost-answer, empty-response */

/* A POST into the fault: 0 response bytes, and what how says. */
static struct talk *posted(struct stage *stage, const char *mode, const char *how, const char *key)
{
    char params[48];

    snprintf(params, sizeof params, "{\"nth\":\"2\",\"how\":\"%s\"}", how);
    struct talk *t = used_once(stage, mode, params);
    assert_int_equal(talk_ask_for(t, "POST", ENTITLEMENT, key, "{\"device\":\"tv\"}"), 0);
    check_how(t, how);
    check_nothing_read(t);
    return t;
}

/* The same request once more, on a new connection: its second attempt. */
static void check_second_attempt(struct stage *stage, const char *key)
{
    struct talk *t = talk_open(stage);

    assert_int_equal(talk_ask_for(t, "POST", ENTITLEMENT, key, "{\"device\":\"tv\"}"), 0);
    check(talk_answer(t, in_ms(PATIENCE_MS)), "no answer: %s", client_story(&t->c));
    assert_int_equal(t->status, 200);
    assert_int_equal(talk_served_number(t, "attempt"), 2);
    t->connection = talk_served_number(t, "connection");
    check_processed_before(stage, t, 1, UINT64_MAX);
}

static void answer_lost(struct stage *stage, const char *how)
{
    struct talk *t = posted(stage, "lost-answer", how, "executed-twice");
    uint64_t fault = check_fault(stage, t, "lost-answer", how, 0);

    check_processed_before(stage, t, 2, fault);
    if (t->c.fin || t->c.rst)
        check_lost(stage, t, 2, "complete");
    check_second_attempt(stage, "executed-twice");
}

static void lost_answer_is_carried_out_and_draws_fin(struct stage *stage)
{
    answer_lost(stage, "fin");
}

static void lost_answer_is_carried_out_and_draws_rst(struct stage *stage)
{
    answer_lost(stage, "rst");
}

static void lost_answer_is_carried_out_and_draws_silence(struct stage *stage)
{
    answer_lost(stage, "stall");
}

static void lost_answer_can_be_about_one_stream_alone(struct stage *stage)
{
    struct talk *t = posted(stage, "lost-answer", "hold", "held");

    check_processed_before(stage, t, 2, check_fault(stage, t, "lost-answer", "hold", 0));
    int32_t held = t->stream;
    if (!stage->seat->h2)
        return;
    talk_served(t);
    talk_served(t);
    assert_false(h2_stream(&t->h2, held)->status);
}

static void response_empty(struct stage *stage, const char *how)
{
    struct talk *t = posted(stage, "empty-response", how, "executed-once");
    uint64_t fault = check_fault(stage, t, "empty-response", how, 0);

    check_lost(stage, t, 2, "complete");
    check_not_processed(stage, t, 2);
    if (t->c.fin)
        client_close(&t->c);
    check_end_after(stage, t, fault);
    check_second_attempt(stage, "executed-once");
}

static void empty_response_is_not_carried_out_and_draws_fin(struct stage *stage)
{
    response_empty(stage, "fin");
}

static void empty_response_is_not_carried_out_and_draws_rst(struct stage *stage)
{
    response_empty(stage, "rst");
}

/* By default from the first request on. */
static void empty_response_needs_no_reuse(struct stage *stage)
{
    admin_mode(stage->server, "empty-response", NULL);
    struct talk *t = talk_open(stage);
    assert_int_equal(talk_ask(t, NULL), 0);
    check_how(t, "fin");
    if (stage->seat->h2) {
        while (h2_next(&t->h2, in_ms(50)))
            assert_int_equal(t->h2.frame.stream, 0); /* SETTINGS and the like alone */
    } else {
        assert_int_equal(buf_len(&t->c.in), 0);
    }
}

int main(void)
{
    static const struct scenario list[] = {
        SCENARIO(normal_mode_serves_the_same_talk, SEATS_ALL),
        SCENARIO(close_after_response_sends_fin_right_behind_it, SEATS_ALL),
        SCENARIO(close_after_response_needs_no_reuse, SEATS_ALL),
        SCENARIO(close_after_response_does_not_announce_it, SEATS_H1),
        SCENARIO(close_after_response_can_be_polite_and_about_one_request, SEATS_ALL),
        SCENARIO(truncate_ends_in_the_content_with_fin, SEATS_ALL),
        SCENARIO(truncate_ends_in_the_content_with_rst, SEATS_ALL),
        SCENARIO(truncate_ends_in_the_content_with_silence, SEATS_ALL),
        SCENARIO(truncate_of_several_at_once_ends_in_the_first_with_fin, SEATS_H2),
        SCENARIO(truncate_of_several_at_once_ends_in_the_first_with_rst, SEATS_H2),
        SCENARIO(truncate_of_several_at_once_ends_in_the_first_with_silence, SEATS_H2),
        SCENARIO(truncate_record_of_several_at_once_ends_in_the_first, SEATS_H2),
        SCENARIO(truncate_head_of_several_at_once_ends_in_the_first, SEATS_H2),
        SCENARIO(truncate_can_leave_the_header_section_alone, SEATS_ALL),
        SCENARIO(truncate_can_send_one_octet, SEATS_ALL),
        SCENARIO(truncate_leaves_a_shorter_answer_whole, SEATS_ALL),
        SCENARIO(truncate_record_cuts_the_first_answer_that_is_long_enough, SEATS_ALL),
        SCENARIO(truncate_notify_ends_in_the_content_orderly, SEATS_ALL),
        SCENARIO(truncate_head_ends_in_it_with_fin, SEATS_ALL),
        SCENARIO(truncate_head_ends_in_it_with_rst, SEATS_ALL),
        SCENARIO(truncate_head_ends_in_it_with_silence, SEATS_ALL),
        SCENARIO(truncate_record_ends_in_it_with_fin, SEATS_ALL),
        SCENARIO(truncate_record_ends_in_it_with_rst, SEATS_ALL),
        SCENARIO(truncate_record_ends_in_it_with_silence, SEATS_ALL),
        SCENARIO(lost_answer_is_carried_out_and_draws_fin, SEATS_ALL),
        SCENARIO(lost_answer_is_carried_out_and_draws_rst, SEATS_ALL),
        SCENARIO(lost_answer_is_carried_out_and_draws_silence, SEATS_ALL),
        SCENARIO(lost_answer_can_be_about_one_stream_alone, SEATS_ALL),
        SCENARIO(empty_response_is_not_carried_out_and_draws_fin, SEATS_ALL),
        SCENARIO(empty_response_is_not_carried_out_and_draws_rst, SEATS_ALL),
        SCENARIO(empty_response_needs_no_reuse, SEATS_ALL),
    };

    return scenarios_run("modes: response", list, sizeof list / sizeof list[0], NULL);
}
