/* Responses to requests that are still coming: the catalogue's "early-response", and places in the
 * content of a request. */
#include "witness.h"

#include <stdio.h>
#include <string.h>

#define UPLOAD 10 /* octets of content */

static void send_part(struct talk *t, const char *part, bool last)
{
    if (t->seat->h2)
        h2_send_frame(&t->h2, NGHTTP2_DATA, last ? NGHTTP2_FLAG_END_STREAM : 0, t->stream, part,
                      strlen(part));
    else
        client_text(&t->c, part);
}

/* A POST with UPLOAD octets of content, of which this much is sent. */
static void begin_upload(struct talk *t, const char *part)
{
    struct buf out = { .data = NULL }, block = { .data = NULL };

    t->asked_at = clock_now();
    if (t->seat->h2) {
        const char *fields[] = { ":method",    "POST",      ":scheme", t->c.tls ? "https" : "http",
                                 ":authority", "localhost", ":path",   ENTITLEMENT,
                                 NULL };
        h2_compose_block(&t->h2, &block, fields);
        t->stream = t->h2.last_stream += 2;
        h2_compose_frame(&out, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, t->stream,
                         buf_bytes(&block), buf_len(&block));
    } else {
        buf_printf(&out, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n",
                   ENTITLEMENT, UPLOAD);
    }
    client_send(&t->c, buf_bytes(&out), buf_len(&out));
    buf_free(&out);
    buf_free(&block);
    if (*part)
        send_part(t, part, false);
}

static void check_status(struct talk *t, int status)
{
    check(talk_answer(t, in_ms(PATIENCE_MS)), "no answer: %s", client_story(&t->c));
    assert_int_equal(t->status, status);
}

static struct talk *used_once(struct stage *stage, const char *params)
{
    admin_mode(stage->server, "early-response", params);
    struct talk *t = talk_open(stage);
    talk_served(t); /* it has no content */
    check_no_fault(stage, t);
    return t;
}

static void normal_mode_answers_when_all_has_come(struct stage *stage)
{
    admin_mode(stage->server, "normal", NULL);
    struct talk *t = talk_open(stage);
    talk_served(t);
    begin_upload(t, "abc");
    check(client_silent(&t->c, in_ms(200)), "not silent: %s", client_story(&t->c));
    send_part(t, "defghij", true);
    check_status(t, 200);
    check_no_fault(stage, t);
    check_processed(stage, t, 2);
}

static void check_answered_early(struct stage *stage, struct talk *t, uint32_t exchange)
{
    uint64_t fault = check_fault(stage, t, "early-response", "respond", 0);
    assert_true(fault < check_event(stage, t, "response_start", exchange));
    check_event(stage, t, "response_end", exchange);
    check_not_processed(stage, t, exchange);
    json_t *lost = ledger_find(stage->server, t->connection, "exchange_lost", NULL);
    assert_null(lost);
}

/* The rest of the request is nothing to the server, and the connection goes on. */
static void early_response_comes_before_the_rest_of_the_request(struct stage *stage)
{
    struct talk *t = used_once(stage, NULL);

    begin_upload(t, "");
    check(client_silent(&t->c, in_ms(100)), "not silent: %s", client_story(&t->c));
    send_part(t, "abc", false);
    check_status(t, 401);
    check_answered_early(stage, t, 2);
    check(client_silent(&t->c, in_ms(100)), "not silent: %s", client_story(&t->c));
    send_part(t, "defghij", true);
    check(client_silent(&t->c, in_ms(100)), "not silent: %s", client_story(&t->c));
    talk_served(t);
    assert_int_equal(talk_served_number(t, "connection"), t->connection);
    /* Of the uploads nothing was told but their header sections. */
    assert_null(ledger_find(stage->server, t->connection, "stale_request", NULL));
    check_processed(stage, t, 3);
}

static void early_response_can_come_at_the_header_section(struct stage *stage)
{
    struct talk *t = used_once(stage, "{\"at\":\"headers\",\"nth\":\"2-3\",\"status\":503}");

    begin_upload(t, "");
    check_status(t, 503);
    send_part(t, "abcdefghij", true);
    assert_int_equal(talk_ask(t, NULL), 0); /* without content it is answered as ever */
    check_status(t, 503);
    check_answered_early(stage, t, 2);
    talk_served(t);
}

static void early_response_can_end_the_connection(struct stage *stage)
{
    struct talk *t = used_once(stage, "{\"connection\":\"close\"}");

    begin_upload(t, "abc");
    talk_is_ended(t, 401);
    check_answered_early(stage, t, 2);
}

/* RFC 9113 8.1: END_STREAM, then RST_STREAM(NO_ERROR) asks for an end of the upload. */
static void a_rule_can_ask_for_an_end_of_the_upload(struct stage *stage)
{
    set_rules(stage, "[{\"on\":\"request\",\"at\":\"headers\",\"nth\":2,\"do\":[{\"respond\":413}]}"
                     ",{\"on\":\"response\",\"nth\":2,\"over\":\"h2\",\"do\":[{\"rst_stream\":"
                     "\"NO_ERROR\"}]}]");
    struct talk *t = talk_open(stage);
    talk_served(t);
    begin_upload(t, "abc");
    check_status(t, 413);
    assert_true(h2_wait_frame(&t->h2, NGHTTP2_RST_STREAM, in_ms(PATIENCE_MS)));
    const struct h2_stream *s = h2_stream(&t->h2, t->stream);
    assert_true(s->ended && s->reset);
    assert_int_equal(s->error, NGHTTP2_NO_ERROR);
    send_part(t, "defghij", true); /* which had left by then */
    talk_served(t);
    assert_int_equal(t->h2.goaways, 0);
}

static void an_early_response_can_be_late(struct stage *stage)
{
    set_rules(stage, "[{\"on\":\"request\",\"at\":\"headers\",\"nth\":2,\"do\":[{\"delay\":"
                     "\"200ms\"},{\"respond\":503}]}]");
    struct talk *t = talk_open(stage);
    talk_served(t);
    begin_upload(t, "abc");
    check_status(t, 503);
    int64_t took = (t->answered_at - t->asked_at) / NS_PER_MS;
    check(took >= 200 && took < 200 + LATE_MS, "answered after %d ms", (int)took);
    send_part(t, "defghij", true);
    talk_served(t);
}

/* In time is what comes before the last octet: then it is answered like any other. */
static void a_respond_that_comes_behind_the_content_is_no_early_one(struct stage *stage)
{
    set_rules(stage, "[{\"on\":\"request\",\"at\":\"headers\",\"nth\":2,\"do\":[{\"delay\":"
                     "\"300ms\"},{\"respond\":503}]}]");
    struct talk *t = talk_open(stage);
    talk_served(t);
    begin_upload(t, "abc");
    send_part(t, "defghij", true);
    check_status(t, 503);
    check_event(stage, t, "request_complete", 2);
    talk_served(t);
}

static void a_place_in_the_content_is_reached_when_it_was_read(struct stage *stage)
{
    set_rules(stage, "[{\"on\":\"request\",\"at\":{\"content\":5},\"do\":[\"rst\"]},"
                     " {\"on\":\"request\",\"at\":\"content:11\",\"do\":[\"fin\"]}]");
    struct talk *t = talk_open(stage);
    talk_served(t);
    begin_upload(t, "abcd");
    check(client_silent(&t->c, in_ms(150)), "not silent: %s", client_story(&t->c));
    send_part(t, "e", false);
    check_how(t, "rst");
    check_nothing_read(t);
    json_t *lost = ledger_await(stage->server, t->connection, "exchange_lost", NULL);
    assert_string_equal(event_text(lost, "reached"), "headers");
    assert_int_equal(json_integer_value(json_object_get(lost, "body_bytes")), 5);
    json_decref(lost);
    check_not_processed(stage, t, 2);
}

int main(void)
{
    static const struct scenario list[] = {
        SCENARIO(normal_mode_answers_when_all_has_come, SEATS_ALL),
        SCENARIO(early_response_comes_before_the_rest_of_the_request, SEATS_ALL),
        SCENARIO(early_response_can_come_at_the_header_section, SEATS_ALL),
        SCENARIO(early_response_can_end_the_connection, SEATS_H1),
        SCENARIO(a_rule_can_ask_for_an_end_of_the_upload, SEATS_H2),
        SCENARIO(an_early_response_can_be_late, SEATS_ALL),
        SCENARIO(a_respond_that_comes_behind_the_content_is_no_early_one, SEATS_ALL),
        SCENARIO(a_place_in_the_content_is_reached_when_it_was_read, SEATS_ALL),
    };

    return scenarios_run("early responses", list, sizeof list / sizeof list[0], NULL);
}
