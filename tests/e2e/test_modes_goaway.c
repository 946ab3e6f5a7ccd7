/* The catalogue's modes that say GOAWAY: "goaway-graceful", "goaway-race", "goaway-then-hang",
 * "goaway-open-stream", "goaway-calm", "goaway-http11". */
#include "frames.h"
#include "witness.h"

#include <stdio.h>
#include <string.h>

#define GRACE_MS  300
#define LINGER_MS 150

/* Sends three requests at once: GET, POST, GET, with these keys. Their streams are t->stream - 4,
 * t->stream - 2 and t->stream then. */
static void ask_three(struct talk *t, const char *const keys[3])
{
    struct buf out = { .data = NULL };

    talk_compose(t, &out, "GET", ENTITLEMENT, keys[0], NULL);
    talk_compose(t, &out, "POST", ENTITLEMENT, keys[1], "{\"device\":\"tv\"}");
    talk_compose(t, &out, "GET", ENTITLEMENT, keys[2], NULL);
    t->asked_at = clock_now();
    assert_int_equal(client_send(&t->c, buf_bytes(&out), buf_len(&out)), 0);
    buf_free(&out);
}

static const char *const three_keys[3] = { "race-1", "race-2", "race-3" };

/* A request on another connection, by its key: which attempt it is. */
static void check_attempt(struct stage *stage, const char *method, const char *key,
                          const char *body, uint64_t attempt)
{
    struct talk *t = talk_open(stage);

    assert_int_equal(talk_ask_for(t, method, ENTITLEMENT, key, body), 0);
    check(talk_answer(t, in_ms(PATIENCE_MS)), "no answer: %s", client_story(&t->c));
    assert_int_equal(t->status, 200);
    assert_int_equal(talk_served_number(t, "attempt"), attempt);
}

static void check_stream_untouched(struct talk *t, int32_t stream)
{
    const struct h2_stream *s = h2_stream(&t->h2, stream);

    check(s->status == 0 && !s->ended && !s->reset, "something came on stream %d", (int)stream);
}

/* --- Control */

static void normal_mode_says_no_goaway(struct stage *stage)
{
    struct talk *t = served_once(stage, "normal", NULL);

    ask_three(t, three_keys);
    for (int32_t stream = 3; stream <= 7; stream += 2)
        check(h2_wait_stream(&t->h2, stream, in_ms(PATIENCE_MS)), "no answer: %s",
              client_story(&t->c));
    frames_none(t, GRACE_MS + LINGER_MS);
    frame_ping_acked(t);
    assert_int_equal(t->h2.goaways, 0);
    check_no_fault(stage, t);
}

/* And that is said. */
static void nothing_of_it_happens_over_h1(struct stage *stage)
{
    static const char *const modes[] = { "goaway-graceful",    "goaway-race", "goaway-then-hang",
                                         "goaway-open-stream", "goaway-calm", "goaway-http11" };
    struct talk *talks[sizeof modes / sizeof modes[0]];

    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
        talks[i] = served_once(stage, modes[i], NULL);
    check(client_silent(&talks[0]->c, in_ms(400)), "not silent: %s", client_story(&talks[0]->c));
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        check(client_silent(&talks[i]->c, in_ms(5)), "%s: not silent: %s", modes[i],
              client_story(&talks[i]->c));
        talk_served(talks[i]);
        talk_served(talks[i]);
        check_no_fault(stage, talks[i]);
        check_warned(stage, talks[i], modes[i], "HTTP/2");
    }
}

/* --- goaway-graceful */

static void goaway_graceful_serves_new_streams_in_its_grace(struct stage *stage)
{
    struct talk *t =
        served_once(stage, "goaway-graceful", "{\"grace\":\"300ms\",\"linger\":\"150ms\"}");

    frame_goaway(t, NGHTTP2_NO_ERROR, FRAMES_LAST_MAX, "");
    int64_t first_asked = t->asked_at, final_at = first_asked + GRACE_MS * NS_PER_MS;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(talk_ask(t, NULL), 0);
        bool answered = talk_answer(t, in_ms(PATIENCE_MS));
        in_time(final_at);
        check(answered, "no answer: %s", client_story(&t->c));
        assert_int_equal(t->status, 200);
    }
    frame_goaway(t, NGHTTP2_NO_ERROR, t->stream, "");
    check(t->h2.goaway.at - first_asked >= GRACE_MS * NS_PER_MS, "the final GOAWAY came early");
    frames_end(t);
    check(t->c.fin_at - first_asked >= (GRACE_MS + LINGER_MS) * NS_PER_MS, "the FIN came early");
    assert_int_equal(t->h2.goaways, 2);
    check_gap(stage, t, "goaway_notice", "goaway", GRACE_MS);
    check_gap(stage, t, "goaway", "fin", LINGER_MS);
    assert_null(ledger_find(stage->server, t->connection, "exchange_lost", NULL));
    assert_null(ledger_find(stage->server, t->connection, "stale_request", NULL));
}

static void goaway_graceful_serves_nothing_after_its_final_goaway(struct stage *stage)
{
    struct talk *t = served_once(stage, "goaway-graceful",
                                 "{\"nth\":\"1\",\"grace\":\"50ms\",\"linger\":\"never\"}");

    frame_goaway(t, NGHTTP2_NO_ERROR, FRAMES_LAST_MAX, "");
    frame_goaway(t, NGHTTP2_NO_ERROR, 1, "");
    assert_int_equal(talk_ask(t, "too-late"), 0);
    frames_none(t, 300);
    check_stream_untouched(t, t->stream);
    check_stale_request(stage, t, "too-late", "goaway", "");
    frame_ping_acked(t);
}

static void goaway_graceful_can_come_later(struct stage *stage)
{
    struct talk *t = served_once(stage, "goaway-graceful",
                                 "{\"nth\":\"3\",\"grace\":\"50ms\",\"linger\":\"0s\"}");

    talk_served(t);
    frames_none(t, 150);
    talk_served(t);
    frame_goaway(t, NGHTTP2_NO_ERROR, FRAMES_LAST_MAX, "");
    frame_goaway(t, NGHTTP2_NO_ERROR, 5, "");
    frames_end(t);
}

/* --- goaway-race */

static void goaway_race_disowns_the_streams_in_flight(struct stage *stage)
{
    struct talk *t =
        served_once(stage, "goaway-race", "{\"gather\":\"200ms\",\"linger\":\"150ms\"}");

    ask_three(t, three_keys);
    frame_goaway(t, NGHTTP2_NO_ERROR, 1, "");
    check(t->h2.goaway.at - t->asked_at >= 200 * NS_PER_MS, "the GOAWAY came early");
    frames_end(t);
    uint64_t fault = check_fault(stage, t, "goaway-race", "goaway", 0);
    check_gap(stage, t, "goaway", "fin", LINGER_MS);
    for (int k = 0; k < 3; k++) {
        check_stream_untouched(t, 3 + 2 * k);
        check_not_processed(stage, t, (uint64_t)k + 2);
        check_lost(stage, t, (uint64_t)k + 2, "complete");
    }
    client_close(&t->c);
    check_end_after(stage, t, fault);
    check_attempt(stage, "POST", "race-2", "{\"device\":\"tv\"}", 2);
}

/* Most clients begin with stream 1, OkHttp with 3, nghttp with 13. */
static void goaway_race_works_whatever_the_first_stream_is(struct stage *stage)
{
    static const int32_t firsts[] = { 1, 3, 13 };

    for (size_t i = 0; i < sizeof firsts / sizeof firsts[0]; i++)
        for (int32_t answered = 1; answered <= 3; answered++) {
            char params[64];
            snprintf(params, sizeof params, "{\"nth\":%d,\"gather\":\"100ms\",\"linger\":\"0s\"}",
                     (int)answered + 1);
            admin_mode(stage->server, "goaway-race", params);
            struct talk *t = talk_open(stage);
            t->h2.last_stream = firsts[i] - 2;
            for (int32_t k = 0; k < answered; k++)
                talk_served(t);
            int32_t last = t->stream;
            assert_int_equal(last, firsts[i] + 2 * (answered - 1));
            ask_three(t, three_keys);
            frame_goaway(t, NGHTTP2_NO_ERROR, last, "");
            frames_end(t);
            for (int32_t stream = last + 2; stream <= last + 6; stream += 2)
                check_stream_untouched(t, stream);
        }
}

static void goaway_race_answers_the_streams_up_to_its_last(struct stage *stage)
{
    struct talk *t =
        served_once(stage, "goaway-race", "{\"gather\":\"200ms\",\"last\":5,\"linger\":\"400ms\"}");

    ask_three(t, three_keys);
    frame_goaway(t, NGHTTP2_NO_ERROR, 5, "");
    frames_response(t, 3);
    frames_response(t, 5);
    frames_end(t);
    check_stream_untouched(t, 7);
    uint64_t fault = check_fault(stage, t, "goaway-race", "fin", 0);
    check_processed_before(stage, t, 2, fault);
    check_processed_before(stage, t, 3, fault);
    check_not_processed(stage, t, 4);
    check_lost(stage, t, 4, "complete");
}

/* --- goaway-then-hang */

static void goaway_then_hang_promises_and_never_answers(struct stage *stage)
{
    struct talk *t = served_once(stage, "goaway-then-hang", NULL);

    assert_int_equal(talk_ask_for(t, "POST", ENTITLEMENT, "promised", "{\"device\":\"tv\"}"), 0);
    frame_goaway(t, NGHTTP2_NO_ERROR, t->stream, "");
    frames_none(t, 300);
    frame_ping_acked(t);
    h2_send_frame(&t->h2, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
    const struct h2_frame *ack = frame_next(t, NGHTTP2_SETTINGS, 0);
    assert_int_equal(ack->flags, NGHTTP2_FLAG_ACK);
    check_stream_untouched(t, t->stream);
    check_fault(stage, t, "goaway-then-hang", "goaway", 0);
    check_not_processed(stage, t, 2);
    assert_null(ledger_find(stage->server, t->connection, "exchange_lost", NULL));

    /* A further stream is above the last one. */
    assert_int_equal(talk_ask(t, "not-promised"), 0);
    frames_none(t, 200);
    check_stale_request(stage, t, "not-promised", "goaway", "");
    frame_ping_acked(t);
    assert_int_equal(t->h2.goaways, 1);
    check_attempt(stage, "POST", "promised", "{\"device\":\"tv\"}", 2);
}

static void goaway_then_hang_can_give_another_reason(struct stage *stage)
{
    struct talk *t =
        served_once(stage, "goaway-then-hang", "{\"nth\":\"3\",\"error\":\"INTERNAL_ERROR\"}");

    talk_served(t);
    assert_int_equal(talk_ask(t, NULL), 0);
    frame_goaway(t, NGHTTP2_INTERNAL_ERROR, t->stream, "");
    frames_none(t, 200);
    frame_ping_acked(t);
}

/* --- goaway-open-stream */

static void goaway_open_stream_promises_what_it_never_ends(struct stage *stage)
{
    struct talk *t = served_once(stage, "goaway-open-stream", "{\"linger\":\"150ms\"}");

    assert_int_equal(talk_ask(t, "open"), 0);
    const struct h2_frame *f = frame_next(t, NGHTTP2_HEADERS, t->stream);
    assert_false(f->flags & NGHTTP2_FLAG_END_STREAM);
    f = frame_next(t, NGHTTP2_DATA, t->stream);
    assert_int_equal(f->length, 20);
    assert_false(f->flags & NGHTTP2_FLAG_END_STREAM);
    frame_goaway(t, NGHTTP2_NO_ERROR, t->stream, "");
    frames_end(t);
    assert_int_equal(h2_stream(&t->h2, t->stream)->status, 200);
    uint64_t goaway = check_fault(stage, t, "goaway-open-stream", "goaway", 0);
    check_gap(stage, t, "goaway", "fin", LINGER_MS);
    check_processed_before(stage, t, 2, goaway);
    check_lost(stage, t, 2, "answering");
    client_close(&t->c);
    check_end_after(stage, t, goaway);
}

static void goaway_open_stream_can_end_behind_the_header_section(struct stage *stage)
{
    struct talk *t = served_once(stage, "goaway-open-stream", "{\"after\":0,\"linger\":\"never\"}");

    assert_int_equal(talk_ask(t, "open"), 0);
    const struct h2_frame *f = frame_next(t, NGHTTP2_HEADERS, t->stream);
    assert_false(f->flags & NGHTTP2_FLAG_END_STREAM);
    frame_goaway(t, NGHTTP2_NO_ERROR, t->stream, "");
    frames_none(t, 300);
    frame_ping_acked(t);
    assert_null(ledger_find(stage->server, t->connection, "exchange_lost", NULL));
}

/* --- goaway-calm, goaway-http11 */

/* The first request of a new connection draws GOAWAY with last stream 0 and the end. */
static void rejected(struct stage *stage, const char *mode, const char *key, uint32_t error,
                     const char *debug)
{
    struct talk *t = talk_open(stage);

    assert_int_equal(talk_ask(t, key), 0);
    frame_goaway(t, error, 0, debug);
    frames_end(t);
    assert_int_equal(t->h2.goaways, 1);
    check_stream_untouched(t, t->stream);
    json_t *request = ledger_await_key(stage->server, 0, key);
    t->connection = (uint64_t)json_integer_value(json_object_get(request, "connection"));
    json_decref(request);
    assert_true(check_fault(stage, t, mode, "goaway", 0) < check_fault(stage, t, mode, "fin", 0));
    check_not_processed(stage, t, 1);
    check_lost(stage, t, 1, "complete");
}

static void goaway_calm_rejects_every_connection_again_and_again(struct stage *stage)
{
    admin_mode(stage->server, "goaway-calm", NULL);
    rejected(stage, "goaway-calm", "calm-1", NGHTTP2_ENHANCE_YOUR_CALM, "");
    rejected(stage, "goaway-calm", "calm-2", NGHTTP2_ENHANCE_YOUR_CALM, "");
    admin_mode(stage->server, "goaway-calm", "{\"debug\":\"too_many_pings\"}");
    rejected(stage, "goaway-calm", "calm-3", NGHTTP2_ENHANCE_YOUR_CALM, "too_many_pings");
    admin_mode(stage->server, "normal", NULL);
    check_attempt(stage, "GET", "calm-1", NULL, 2);
}

static void goaway_calm_can_let_some_requests_pass(struct stage *stage)
{
    struct talk *t = served_once(stage, "goaway-calm", "{\"nth\":\"3\"}");

    talk_served(t);
    assert_int_equal(talk_ask(t, NULL), 0);
    frame_goaway(t, NGHTTP2_ENHANCE_YOUR_CALM, 0, "");
    frames_end(t);
}

static void goaway_http11_asks_for_http11(struct stage *stage)
{
    admin_mode(stage->server, "goaway-http11", NULL);
    rejected(stage, "goaway-http11", "fall-back-1", NGHTTP2_HTTP_1_1_REQUIRED, "");
    rejected(stage, "goaway-http11", "fall-back-2", NGHTTP2_HTTP_1_1_REQUIRED, "");
}

static void goaway_http11_can_let_some_requests_pass(struct stage *stage)
{
    struct talk *t = served_once(stage, "goaway-http11", "{\"nth\":\"2-\"}");

    assert_int_equal(talk_ask(t, NULL), 0);
    frame_goaway(t, NGHTTP2_HTTP_1_1_REQUIRED, 0, "");
    frames_end(t);
}

int main(void)
{
    static const struct scenario list[] = {
        SCENARIO(normal_mode_says_no_goaway, SEATS_H2),
        SCENARIO(nothing_of_it_happens_over_h1, SEATS_H1),
        SCENARIO(goaway_graceful_serves_new_streams_in_its_grace, SEATS_H2),
        SCENARIO(goaway_graceful_serves_nothing_after_its_final_goaway, SEATS_H2),
        SCENARIO(goaway_graceful_can_come_later, SEATS_H2),
        SCENARIO(goaway_race_disowns_the_streams_in_flight, SEATS_H2),
        SCENARIO(goaway_race_works_whatever_the_first_stream_is, SEATS_H2),
        SCENARIO(goaway_race_answers_the_streams_up_to_its_last, SEATS_H2),
        SCENARIO(goaway_then_hang_promises_and_never_answers, SEATS_H2),
        SCENARIO(goaway_then_hang_can_give_another_reason, SEATS_H2),
        SCENARIO(goaway_open_stream_promises_what_it_never_ends, SEATS_H2),
        SCENARIO(goaway_open_stream_can_end_behind_the_header_section, SEATS_H2),
        SCENARIO(goaway_calm_rejects_every_connection_again_and_again, SEATS_H2),
        SCENARIO(goaway_calm_can_let_some_requests_pass, SEATS_H2),
        SCENARIO(goaway_http11_asks_for_http11, SEATS_H2),
        SCENARIO(goaway_http11_can_let_some_requests_pass, SEATS_H2),
    };

    return scenarios_run("modes: GOAWAY", list, sizeof list / sizeof list[0], NULL);
}
