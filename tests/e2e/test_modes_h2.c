/* The catalogue's h2 modes beside GOAWAY's: "refuse-stream", "rst-stream", "max-streams-one",
 * "ping-deaf", "settings-deaf", "window-zero". */
#include "frames.h"
#include "witness.h"

#include <string.h>

#define DEVICE "{\"device\":\"tv\"}"

/* --- Control */

static void normal_mode_heeds_settings_pings_and_windows(struct stage *stage)
{
    static const uint8_t much[8000];
    struct talk *t = talk_open(stage);

    frame_next(t, NGHTTP2_SETTINGS, 0);
    assert_false(t->h2.settings_said & 1u << NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE);
    assert_true(t->h2.settings[NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS] > 1);
    talk_served(t);
    assert_true(t->h2.settings_acked);
    frame_ping_acked(t);
    frame_post_begun(t, "much");
    for (int i = 0; i < 7; i++)
        frame_content(t, much, sizeof much, false);
    frame_next(t, NGHTTP2_WINDOW_UPDATE, 0);
    while (!h2_stream(&t->h2, t->stream)->ended) {
        if (t->h2.window_updates == 1)
            frame_content(t, "", 0, true);
        check(h2_next(&t->h2, in_ms(PATIENCE_MS)), "no answer: %s", client_story(&t->c));
    }
    assert_int_equal(h2_stream(&t->h2, t->stream)->status, 200);
    frames_none(t, 100);
    check_no_fault(stage, t);
}

/* And that is said. */
static void nothing_of_it_happens_over_h1(struct stage *stage)
{
    static const char *const modes[] = { "refuse-stream", "rst-stream",    "max-streams-one",
                                         "ping-deaf",     "settings-deaf", "window-zero" };

    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        struct talk *t = served_once(stage, modes[i], NULL);
        assert_int_equal(talk_ask_for(t, "POST", ENTITLEMENT, NULL, DEVICE), 0);
        check(talk_answer(t, in_ms(PATIENCE_MS)), "%s: no answer: %s", modes[i],
              client_story(&t->c));
        assert_int_equal(t->status, 200);
        talk_served(t);
        check(client_silent(&t->c, in_ms(50)), "%s: not silent: %s", modes[i], client_story(&t->c));
        check_no_fault(stage, t);
        check_warned(stage, t, modes[i], "HTTP/2");
    }
}

/* --- refuse-stream */

/* Was refused unprocessed: the same request again, on the same connection, is served. */
static void check_refused(struct stage *stage, struct talk *t, const char *reached)
{
    frame_rst_stream(t, t->stream, NGHTTP2_REFUSED_STREAM);
    frames_none(t, 100);
    assert_int_equal(h2_stream(&t->h2, t->stream)->status, 0);
    check_fault(stage, t, "refuse-stream", "refuse", 0);
    check_not_processed(stage, t, 2);
    check_lost(stage, t, 2, reached);
    assert_int_equal(talk_ask_for(t, "POST", ENTITLEMENT, "refused", DEVICE), 0);
    check(talk_answer(t, in_ms(PATIENCE_MS)), "no answer: %s", client_story(&t->c));
    assert_int_equal(t->status, 200);
    assert_int_equal(talk_served_number(t, "attempt"), 2);
    check_processed_before(stage, t, 3, UINT64_MAX);
    assert_int_equal(t->h2.goaways, 0);
}

static void refuse_stream_refuses_at_the_header_section(struct stage *stage)
{
    struct talk *t = served_once(stage, "refuse-stream", NULL);

    frame_post_begun(t, "refused");
    check_refused(stage, t, "headers");
}

static void refuse_stream_can_read_the_whole_request_first(struct stage *stage)
{
    struct talk *t = served_once(stage, "refuse-stream", "{\"at\":\"complete\"}");

    frame_post_begun(t, "refused");
    frames_none(t, 150);
    frame_content(t, DEVICE, sizeof DEVICE - 1, true);
    check_refused(stage, t, "complete");
}

/* What the client had on its way for a refused stream is ignored (RFC 9113 5.1). */
static void refuse_stream_ignores_what_was_on_its_way(struct stage *stage)
{
    struct talk *t = served_once(stage, "refuse-stream", "{\"nth\":\"2-3\"}");

    for (int i = 0; i < 2; i++) {
        assert_int_equal(talk_ask_for(t, "POST", ENTITLEMENT, NULL, DEVICE), 0);
        frame_rst_stream(t, t->stream, NGHTTP2_REFUSED_STREAM);
    }
    frames_none(t, 100);
    talk_served(t);
}

/* --- rst-stream */

/* The second request's stream is reset; what came before that is up to before(). */
static void reset(struct stage *stage, const char *params, uint32_t error, const char *reached,
                  void (*before)(struct talk *t))
{
    struct talk *t = served_once(stage, "rst-stream", params);

    assert_int_equal(talk_ask_for(t, "POST", ENTITLEMENT, "reset", DEVICE), 0);
    before(t);
    frame_rst_stream(t, t->stream, error);
    frames_none(t, 100);
    uint64_t fault = check_fault(stage, t, "rst-stream", "rst_stream", 0);
    check_processed_before(stage, t, 2, fault);
    if (*reached)
        check_lost(stage, t, 2, reached);
    else
        assert_null(ledger_find(stage->server, t->connection, "exchange_lost", NULL));
    talk_served(t); /* the connection continues */
    frame_ping_acked(t);
    assert_int_equal(t->h2.goaways, 0);
}

static void nothing_comes(struct talk *t)
{
}

static void a_header_section_comes(struct talk *t)
{
    const struct h2_frame *f = frame_next(t, NGHTTP2_HEADERS, t->stream);

    assert_false(f->flags & NGHTTP2_FLAG_END_STREAM);
    assert_int_equal(h2_stream(&t->h2, t->stream)->status, 200);
}

static void twenty_octets_come(struct talk *t)
{
    a_header_section_comes(t);
    const struct h2_frame *f = frame_next(t, NGHTTP2_DATA, t->stream);
    assert_int_equal(f->length, 20);
    assert_false(f->flags & NGHTTP2_FLAG_END_STREAM);
}

static void all_comes(struct talk *t)
{
    frames_response(t, t->stream);
}

static void rst_stream_can_come_before_the_response(struct stage *stage)
{
    reset(stage, NULL, NGHTTP2_INTERNAL_ERROR, "complete", nothing_comes);
}

static void rst_stream_can_come_behind_the_header_section(struct stage *stage)
{
    reset(stage, "{\"at\":\"content:0\",\"error\":\"CANCEL\"}", NGHTTP2_CANCEL, "answering",
          a_header_section_comes);
}

static void rst_stream_can_come_in_the_content(struct stage *stage)
{
    reset(stage, "{\"at\":\"content:20\",\"error\":\"ENHANCE_YOUR_CALM\"}",
          NGHTTP2_ENHANCE_YOUR_CALM, "answering", twenty_octets_come);
}

/* Each exchange is lost to the step that ended its stream, though one comes within the other. */
static void rst_streams_at_once_are_told_apart(struct stage *stage)
{
    struct talk *t = served_once(stage, "rst-stream", "{\"nth\":\"2-\",\"at\":\"content:20\"}");
    struct buf out = { 0 };
    for (int i = 0; i < 3; i++)
        t->stream = h2_compose_request(&t->h2, &out, "GET", ENTITLEMENT, NULL, NULL);
    assert_int_equal(client_send(&t->c, buf_bytes(&out), buf_len(&out)), 0);
    buf_free(&out);
    for (int i = 2; i >= 0; i--)
        check(h2_wait_stream(&t->h2, t->stream - 2 * i, in_ms(PATIENCE_MS)), "not reset: %s",
              client_story(&t->c));

    uint64_t next;
    json_int_t faults[8] = { 0 };
    size_t i, lost = 0;
    json_t *events = admin_events(stage->server, 0, 0, &next), *event;
    json_array_foreach(events, i, event)
    {
        json_int_t nth = json_integer_value(json_object_get(event, "exchange"));
        if (json_integer_value(json_object_get(event, "connection")) != (json_int_t)t->connection ||
            nth < 2 || nth > 4)
            continue;
        if (strcmp(event_text(event, "event"), "fault") == 0)
            faults[nth] = json_integer_value(json_object_get(event, "seq"));
        if (strcmp(event_text(event, "event"), "exchange_lost") == 0) {
            assert_int_equal(json_integer_value(json_object_get(event, "fault")), faults[nth]);
            lost++;
        }
    }
    json_decref(events);
    assert_int_equal(lost, 3);
}

/* Another response stands inside one of its frames: until that is whole, no RST_STREAM is out, none
 * is in effect, and none is ACKed. */
static void an_rst_stream_that_waits_is_not_in_effect(struct stage *stage)
{
    const double gate = 300;
    struct buf out = { 0 };
    set_rules(stage, "[{\"on\":\"response\",\"over\":\"h2\",\"nth\":\"2\",\"at\":{\"bytes\":5},"
                     "\"do\":[{\"delay\":\"300ms\"}]},"
                     "{\"on\":\"request\",\"over\":\"h2\",\"nth\":\"3\",\"do\":[\"rst_stream\"]}]");
    struct talk *t = talk_open(stage);
    talk_served(t);
    for (int i = 0; i < 2; i++)
        t->stream = h2_compose_request(&t->h2, &out, "GET", ENTITLEMENT, NULL, NULL);
    assert_int_equal(client_send(&t->c, buf_bytes(&out), buf_len(&out)), 0);
    buf_free(&out);
    for (int32_t stream = t->stream; stream >= t->stream - 2; stream -= 2)
        check(h2_wait_stream(&t->h2, stream, in_ms(PATIENCE_MS)), "not over: %s",
              client_story(&t->c));

    json_t *fault = ledger_await(stage->server, t->connection, "fault", "rst_stream");
    json_t *done = ledger_await(stage->server, t->connection, "fault_done", "rst_stream");
    json_t *acked = ledger_await(stage->server, t->connection, "fault_acked", "rst_stream");
    assert_true(event_true(done, "in_effect"));
    check(event_ms(done, "ms") - event_ms(fault, "ms") >= gate - LEDGER_MS,
          "in effect %.3f ms after the fault, before it was sent",
          event_ms(done, "ms") - event_ms(fault, "ms"));
    check(event_ms(acked, "to_ms") - event_ms(fault, "ms") >= gate - LEDGER_MS,
          "ACKed %.3f ms after the fault, before it was sent",
          event_ms(acked, "to_ms") - event_ms(fault, "ms"));
    json_decref(fault);
    json_decref(done);
    json_decref(acked);
}

static void rst_stream_can_come_behind_a_whole_response(struct stage *stage)
{
    reset(stage, "{\"at\":\"end\",\"error\":\"NO_ERROR\"}", NGHTTP2_NO_ERROR, "", all_comes);
}

/* --- max-streams-one */

static void max_streams_one_refuses_a_second_before_its_settings_are_acked(struct stage *stage)
{
    struct buf out = { .data = NULL };

    admin_mode(stage->server, "max-streams-one", NULL);
    struct talk *t = talk_open(stage);
    t->h2.no_acks = true;
    frame_next(t, NGHTTP2_SETTINGS, 0); /* in the very first frame */
    assert_int_equal(t->h2.settings[NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS], 1);
    frame_post_begun(t, "first");
    int32_t first = t->stream;
    talk_compose(t, &out, "GET", ENTITLEMENT, "second", NULL);
    assert_int_equal(client_send(&t->c, buf_bytes(&out), buf_len(&out)), 0);
    buf_free(&out);
    frame_rst_stream(t, t->stream, NGHTTP2_REFUSED_STREAM);
    t->stream = first;
    frame_content(t, DEVICE, sizeof DEVICE - 1, true);
    frames_response(t, first);
    frames_none(t, 100);

    json_t *request = ledger_await_key(stage->server, 0, "first");
    t->connection = (uint64_t)json_integer_value(json_object_get(request, "connection"));
    json_decref(request);
    check_fault(stage, t, "max-streams-one", "max_streams", 0);
    check_not_processed(stage, t, 2);
    talk_served(t); /* by itself it is served */
}

static void max_streams_one_serves_one_after_the_other(struct stage *stage)
{
    struct talk *t = served_once(stage, "max-streams-one", NULL);

    assert_int_equal(t->h2.settings[NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS], 1);
    for (int i = 0; i < 3; i++)
        talk_served(t);
    assert_int_equal(t->h2.goaways, 0);
}

/* A client that knows, and opens a second stream all the same, breaks the protocol: a stream error.
 */
static void max_streams_one_refuses_a_client_that_does_not_heed_it(struct stage *stage)
{
    struct talk *t = served_once(stage, "max-streams-one", NULL);

    frame_ping_acked(t); /* our ACK of its SETTINGS was before that */
    frame_post_begun(t, "first");
    assert_int_equal(talk_ask(t, "second"), 0);
    frame_rst_stream(t, t->stream, NGHTTP2_REFUSED_STREAM);
    check_not_processed(stage, t, 3);
}

static void max_streams_can_be_none(struct stage *stage)
{
    admin_mode(stage->server, "max-streams-one", "{\"count\":0}");
    struct talk *t = talk_open(stage);
    frame_next(t, NGHTTP2_SETTINGS, 0);
    assert_true(t->h2.settings_said & 1u << NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    assert_int_equal(t->h2.settings[NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS], 0);
}

/* --- ping-deaf, settings-deaf */

static void ping_deaf_answers_all_but_pings(struct stage *stage)
{
    admin_mode(stage->server, "ping-deaf", NULL);
    struct talk *t = talk_open(stage);
    h2_send_frame(&t->h2, NGHTTP2_PING, 0, 0, "deafness", 8); /* before any request, too */
    talk_served(t);
    frame_ping_ignored(t);
    talk_served(t);
    assert_true(t->h2.settings_acked);
    assert_false(t->h2.ping_acked);
    check_fault(stage, t, "ping-deaf", "ignore_pings", 0);
    json_t *ping = ledger_await(stage->server, t->connection, "peer_ping", NULL);
    json_decref(ping);
    assert_int_equal(t->h2.goaways, 0);
}

static void settings_deaf_acks_pings_but_no_settings(struct stage *stage)
{
    static const uint8_t window[6] = { 0, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0, 0, 0, 10 };
    struct talk *t = served_once(stage, "settings-deaf", NULL);

    h2_send_frame(&t->h2, NGHTTP2_SETTINGS, 0, 0, window, sizeof window);
    frames_none(t, 300);
    frame_ping_acked(t);
    assert_false(t->h2.settings_acked);
    assert_true(t->h2.settings_seen);
    check_fault(stage, t, "settings-deaf", "ignore_settings", 0);
}

/* --- window-zero */

static void window_zero_leaves_content_stuck(struct stage *stage)
{
    admin_mode(stage->server, "window-zero", NULL);
    struct talk *t = talk_open(stage);
    frame_next(t, NGHTTP2_SETTINGS, 0);
    assert_true(t->h2.settings_said & 1u << NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE);
    assert_int_equal(t->h2.settings[NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE], 0);
    talk_served(t); /* it has no content */
    check_fault(stage, t, "window-zero", "window", 0);

    frame_post_begun(t, "stuck");
    int32_t stuck = t->stream;
    frames_none(t, 300);
    frame_ping_acked(t);
    talk_served(t);
    assert_int_equal(t->h2.window_updates, 0);
    assert_int_equal(h2_stream(&t->h2, stuck)->status, 0);
    json_t *request = ledger_await_key(stage->server, t->connection, "stuck");
    json_decref(request);
    check_not_processed(stage, t, 2);
}

/* The window is meant: content that a client sends without one is its mistake. */
static void window_zero_takes_no_content(struct stage *stage)
{
    struct talk *t = served_once(stage, "window-zero", NULL);

    frame_ping_acked(t);
    frame_post_begun(t, "too-much");
    frame_content(t, DEVICE, sizeof DEVICE - 1, true);
    check(h2_next(&t->h2, in_ms(PATIENCE_MS)), "no error: %s", client_story(&t->c));
    const struct h2_frame *f = &t->h2.frame;
    assert_int_equal(f->type, NGHTTP2_RST_STREAM);
    assert_int_equal(h2_get32(f->payload + f->length - 4), NGHTTP2_FLOW_CONTROL_ERROR);
    check_not_processed(stage, t, 2);
}

static void window_zero_can_be_a_little_more(struct stage *stage)
{
    struct talk *t = served_once(stage, "window-zero", "{\"initial\":10}");

    assert_int_equal(t->h2.settings[NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE], 10);
    frame_post_begun(t, "ten");
    frame_content(t, DEVICE, 10, false);
    frames_none(t, 200);
    assert_int_equal(t->h2.window_updates, 0);
    frame_content(t, "", 0, true);
    frames_response(t, t->stream);
}

int main(void)
{
    static const struct scenario list[] = {
        SCENARIO(normal_mode_heeds_settings_pings_and_windows, SEATS_H2),
        SCENARIO(nothing_of_it_happens_over_h1, SEATS_H1),
        SCENARIO(refuse_stream_refuses_at_the_header_section, SEATS_H2),
        SCENARIO(refuse_stream_can_read_the_whole_request_first, SEATS_H2),
        SCENARIO(refuse_stream_ignores_what_was_on_its_way, SEATS_H2),
        SCENARIO(rst_stream_can_come_before_the_response, SEATS_H2),
        SCENARIO(rst_stream_can_come_behind_the_header_section, SEATS_H2),
        SCENARIO(rst_stream_can_come_in_the_content, SEATS_H2),
        SCENARIO(rst_stream_can_come_behind_a_whole_response, SEATS_H2),
        SCENARIO(rst_streams_at_once_are_told_apart, SEATS_H2),
        SCENARIO(an_rst_stream_that_waits_is_not_in_effect, SEATS_H2),
        SCENARIO(max_streams_one_refuses_a_second_before_its_settings_are_acked, SEATS_H2),
        SCENARIO(max_streams_one_serves_one_after_the_other, SEATS_H2),
        SCENARIO(max_streams_one_refuses_a_client_that_does_not_heed_it, SEATS_H2),
        SCENARIO(max_streams_can_be_none, SEATS_H2),
        SCENARIO(ping_deaf_answers_all_but_pings, SEATS_H2),
        SCENARIO(settings_deaf_acks_pings_but_no_settings, SEATS_H2),
        SCENARIO(window_zero_leaves_content_stuck, SEATS_H2),
        SCENARIO(window_zero_takes_no_content, SEATS_H2),
        SCENARIO(window_zero_can_be_a_little_more, SEATS_H2),
    };

    return scenarios_run("modes: h2", list, sizeof list / sizeof list[0], NULL);
}
