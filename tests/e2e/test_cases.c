/* The cases from real reports: each is set as it is, driven as its "how" says, and the failure of
 * the report happens; with what the next connection gets. */
#include "frames.h"
#include "witness.h"

#include <stdio.h>
#include <string.h>

#define DEVICE     "{\"device\":\"tv\"}"
#define SEATS_FOUR (SEAT_H1_CLEARTEXT | SEAT_H1_TLS | SEATS_H2)

/* Sets a case, with its times multiplied. */
static void play(struct stage *stage, const char *name, double scale)
{
    char body[160];

    snprintf(body, sizeof body, "{\"case\":\"%s\",\"time_scale\":%g,\"apply\":\"new\"}", name,
             scale);
    json_decref(admin_call(stage->server, 200, "PATCH", "/v1/runs/default", body));
}

/* The next connection, with its first request served. */
static struct talk *served(struct stage *stage)
{
    struct talk *t = talk_open(stage);

    talk_served(t);
    check_no_fault(stage, t);
    return t;
}

/* The same where the case does something to a client that is silent for so long. */
static struct talk *served_within(struct stage *stage, int64_t ms)
{
    stage->hurry_ms = ms;
    struct talk *t = served(stage);
    stage->hurry_ms = t->hurry_ms = 0;
    return t;
}

static void post(struct talk *t, const char *key)
{
    assert_int_equal(talk_ask_for(t, "POST", ENTITLEMENT, key, DEVICE), 0);
}

/* The request again, on the next connection: it is served there, as this attempt. */
static struct talk *retried(struct stage *stage, const char *method, const char *key,
                            uint64_t attempt)
{
    struct talk *t = talk_open(stage);
    const char *body = strcmp(method, "POST") == 0 ? DEVICE : NULL;

    assert_int_equal(talk_ask_for(t, method, ENTITLEMENT, key, body), 0);
    check(talk_answer(t, in_ms(PATIENCE_MS)), "no answer: %s", client_story(&t->c));
    assert_int_equal(t->status, 200);
    assert_int_equal(talk_served_number(t, "attempt"), attempt);
    t->connection = talk_served_number(t, "connection");
    check_no_fault(stage, t);
    return t;
}

/* Nothing that is sent now is ACKed; until: the hole is not over before. */
static void check_black_holed(const struct stage *stage, struct talk *t, const char *mode,
                              const char *key, int64_t until)
{
    await_hole(stage, t, mode);
    post(t, key);
    bool silent = client_silent(&t->c, in_ms(100)), unacked = client_unacked(&t->c);
    in_time(until);
    check(silent, "not silent: %s", client_story(&t->c));
    check(unacked, "the request was ACKed");
    check_nothing_read(t);
}

static void case_01_answered_then_dead(struct stage *stage)
{
    play(stage, "01-answered-then-dead", 1);
    struct talk *t = served(stage);
    check(client_silent(&t->c, in_ms(150)), "not silent: %s", client_story(&t->c));
    assert_int_equal(talk_ask(t, "case-01"), 0);
    check_how(t, "fin");
    check_nothing_read(t);
    check_fault(stage, t, "close-on-reuse", "fin", 0);
    check_not_processed(stage, t, 2);
    t = retried(stage, "GET", "case-01", 2);
    talk_served(t);
}

static void case_02_reused_no_bytes(struct stage *stage)
{
    static const char *const hows[] = { "fin", "rst" };

    play(stage, "02-reused-no-bytes", 1);
    for (int i = 0; i < 2; i++) {
        struct talk *t = served(stage);
        assert_int_equal(talk_ask(t, "case-02"), 0);
        check_how(t, hows[i]);
        check_nothing_read(t);
        json_t *fault = ledger_await(stage->server, t->connection, "fault", hows[i]);
        assert_string_equal(event_text(fault, "trigger"), "reuse");
        json_decref(fault);
        check_not_processed(stage, t, 2);
    }
    retried(stage, "GET", "case-02", 3);
}

static void case_03_whole_request_swallowed(struct stage *stage)
{
    static const char *const hows[] = { "fin", "rst" };

    play(stage, "03-whole-request-swallowed", 1);
    for (int i = 0; i < 2; i++) {
        struct talk *t = served(stage);
        post(t, "case-03");
        check_how(t, hows[i]);
        check_nothing_read(t);
        check_fault(stage, t, "swallow-on-reuse", hows[i], 0);
        check_lost(stage, t, 2, "complete");
        check_not_processed(stage, t, 2);
    }
    retried(stage, "POST", "case-03", 3);
}

static void case_04_close_behind_response(struct stage *stage)
{
    play(stage, "04-close-behind-response", 1);
    for (int i = 0; i < 2; i++) {
        struct talk *t = talk_open(stage);
        if (stage->seat->h2)
            frame_ping_acked(t); /* so that no ACK of ours crosses its FIN */
        talk_served(t);
        check_how(t, "fin");
        check_nothing_read(t);
        assert_int_equal(t->h2.goaways, 0);
        await_fin_acked(stage, t);
        check_request_draws_rst(t, "case-04");
    }
    talk_served(retried(stage, "GET", "case-04", 3));
}

static void case_05_shorter_than_the_pool(struct stage *stage)
{
    play(stage, "05-shorter-than-the-pool", 0.2); /* 400 ms */
    stage->hurry_ms = 400;
    struct talk *t = served(stage);
    check(client_silent(&t->c, t->asked_at + 200 * NS_PER_MS), "not silent: %s",
          client_story(&t->c));
    talk_served(t);
    t->hurry_ms = 0;
    check(client_wait_end(&t->c, in_ms(400 + LATE_MS)), "no end: %s", client_story(&t->c));
    check(t->c.fin && !t->c.rst && !t->c.close_notify, "no bare FIN: %s", client_story(&t->c));
    check_timer(t, t->c.fin_at, 400);
    await_fin_acked(stage, t);
    check_request_draws_rst(t, "case-05");
    check_stale_request(stage, t, "case-05", "fin_sent", "acked");
    t = retried(stage, "GET", "case-05", 2);
    check(client_wait_fin(&t->c, in_ms(400 + LATE_MS)), "no FIN: %s", client_story(&t->c));
}

static void case_06_h2_black_hole(struct stage *stage)
{
    admin_needs(stage->server, "black_hole");
    play(stage, "06-h2-black-hole", 0.2); /* 200 ms */
    struct talk *t = served_within(stage, 200);
    check_black_holed(stage, t, "black-hole", "case-06", TIME_NONE);
    frame_ping_ignored(t); /* and the next requests go the same way */
    assert_int_equal(talk_ask(t, "case-06-again"), 0);
    frames_none(t, 200);
    assert_null(ledger_find(stage->server, t->connection, "stale_request", NULL));
    t = retried(stage, "POST", "case-06", 1); /* the first one that the server sees */
    frames_none(t, 300);
    talk_served(t);
}

static void case_07_h2_send_buffer_full(struct stage *stage)
{
    static const uint8_t content[16384];
    struct buf frame = { .data = NULL };

    admin_needs(stage->server, "black_hole");
    play(stage, "07-h2-send-buffer-full", 1);
    struct talk *t = talk_open(stage);
    talk_served(t);
    frame_post_begun(t, "case-07");
    frame_next(t, NGHTTP2_WINDOW_UPDATE, 0); /* flow control lets megabytes pass */
    assert_int_equal(t->h2.settings[NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE], 16777216);
    int64_t window = 65535 + t->h2.connection_window;
    await_hole(stage, t, "black-hole-on-request");
    h2_compose_frame(&frame, NGHTTP2_DATA, 0, t->stream, content, sizeof content);
    size_t taken = client_fill(&t->c, buf_bytes(&frame), buf_len(&frame));
    buf_free(&frame);
    check(taken > 65536 && (int64_t)taken < window, "the send buffer took %zu octets", taken);
    assert_int_equal(client_fill(&t->c, "not even a PING", 1), 0);
    check(client_silent(&t->c, in_ms(300)), "not silent: %s", client_story(&t->c));
    check(client_unacked(&t->c) > 0, "content was ACKed");
    check_not_processed(stage, t, 2);
    retried(stage, "POST", "case-07", 2); /* the header section came, and with it the key */
}

static void case_08_path_change(struct stage *stage)
{
    admin_needs(stage->server, "black_hole");
    play(stage, "08-path-change", 1);
    struct talk *t = served(stage);
    check(client_silent(&t->c, in_ms(100)), "not silent: %s", client_story(&t->c));
    admin_mark(stage->server, "background");
    check_black_holed(stage, t, "path-change", "case-08", TIME_NONE);
    t = retried(stage, "POST", "case-08", 1);
    talk_served(t);
}

static void case_09_goaway_below_streams_in_flight(struct stage *stage)
{
    struct buf out = { .data = NULL };
    char key[32];

    play(stage, "09-goaway-below-streams-in-flight", 1);
    struct talk *t = served(stage);
    for (int i = 0; i < 11; i++) {
        snprintf(key, sizeof key, "case-09-%d", i);
        talk_compose(t, &out, i % 2 ? "POST" : "GET", ENTITLEMENT, key, i % 2 ? DEVICE : NULL);
    }
    assert_int_equal(client_send(&t->c, buf_bytes(&out), buf_len(&out)), 0);
    buf_free(&out);
    frame_goaway(t, NGHTTP2_NO_ERROR, 1, "");
    frames_end(t);
    for (int32_t stream = 3; stream <= 23; stream += 2) {
        assert_int_equal(h2_stream(&t->h2, stream)->status, 0);
        assert_false(h2_stream(&t->h2, stream)->reset);
        check_not_processed(stage, t, (uint64_t)stream / 2 + 1);
    }
    struct talk *fresh = talk_open(stage);
    for (int i = 0; i < 11; i++) {
        snprintf(key, sizeof key, "case-09-%d", i);
        assert_int_equal(
            talk_ask_for(fresh, i % 2 ? "POST" : "GET", ENTITLEMENT, key, i % 2 ? DEVICE : NULL),
            0);
        check(talk_answer(fresh, in_ms(PATIENCE_MS)), "no answer: %s", client_story(&fresh->c));
        assert_int_equal(talk_served_number(fresh, "attempt"), 2);
    }
}

static void case_10_goaway_stream_never_ends(struct stage *stage)
{
    play(stage, "10-goaway-stream-never-ends", 0.2);
    struct talk *t = served(stage);
    assert_int_equal(talk_ask(t, "case-10"), 0);
    frame_next(t, NGHTTP2_HEADERS, t->stream);
    frame_next(t, NGHTTP2_DATA, t->stream);
    frame_goaway(t, NGHTTP2_NO_ERROR, t->stream, "");
    frames_end(t);
    assert_false(h2_stream(&t->h2, t->stream)->ended);
    check_lost(stage, t, 2, "answering");
    retried(stage, "GET", "case-10", 2);
}

static void case_11_goaway_calm_again_and_again(struct stage *stage)
{
    play(stage, "11-goaway-calm-again-and-again", 1);
    for (int i = 0; i < 5; i++) {
        struct talk *t = talk_open(stage);
        assert_int_equal(talk_ask(t, "case-11"), 0);
        frame_goaway(t, NGHTTP2_ENHANCE_YOUR_CALM, 0, "");
        frames_end(t);
        assert_int_equal(h2_stream(&t->h2, t->stream)->status, 0);
    }
    json_t *lost = ledger_await(stage->server, 0, "exchange_lost", NULL);
    json_decref(lost);
    assert_null(ledger_find(stage->server, 0, "processed", NULL));
}

static void case_12_goaway_http11_required(struct stage *stage)
{
    const struct seat *here = stage->seat;
    const struct seat h1 = { "h1", false, here->tls };

    play(stage, "12-goaway-http11-required", 1);
    for (int i = 0; i < 2; i++) {
        struct talk *t = talk_open(stage);
        assert_int_equal(talk_ask(t, "case-12"), 0);
        frame_goaway(t, NGHTTP2_HTTP_1_1_REQUIRED, 0, "");
        frames_end(t);
    }
    stage->seat = &h1;
    struct talk *fallback = retried(stage, "GET", "case-12", 3);
    fallback->seat = stage->seat = here;
}

static void case_13_goaway_without_close(struct stage *stage)
{
    play(stage, "13-goaway-without-close", 0.2);
    struct talk *hangs = served(stage);
    assert_int_equal(talk_ask(hangs, "case-13"), 0);
    frame_goaway(hangs, NGHTTP2_NO_ERROR, hangs->stream, "");
    frames_none(hangs, 200);
    assert_int_equal(h2_stream(&hangs->h2, hangs->stream)->status, 0);

    stage->hurry_ms = 200;
    struct talk *idle = retried(stage, "GET", "case-13", 2);
    stage->hurry_ms = idle->hurry_ms = 0;
    frame_goaway(idle, NGHTTP2_NO_ERROR, 1, "");
    assert_int_equal(talk_ask(idle, "case-13-idle"), 0);
    frames_none(idle, 300);
    check_stale_request(stage, idle, "case-13-idle", "goaway", "");

    struct talk *fresh = retried(stage, "GET", "case-13-idle", 2);
    frames_none(fresh, 300);
    frame_ping_acked(hangs); /* both sockets are still open */
    frame_ping_acked(idle);
    talk_served(fresh);
}

static void case_14_post_processed_no_response(struct stage *stage)
{
    static const char *const hows[] = { "fin", "rst" };

    play(stage, "14-post-processed-no-response", 1);
    for (int i = 0; i < 2; i++) {
        struct talk *t = talk_open(stage);
        post(t, i == 0 ? NULL : "case-14");
        check(client_wait_end(&t->c, in_ms(LATE_MS)), "no end: %s", client_story(&t->c));
        check_how(t, hows[i]);
        while (stage->seat->h2 && h2_next(&t->h2, in_ms(0)))
            assert_int_equal(t->h2.frame.stream, 0);
        assert_int_equal(buf_len(&t->c.in), 0);
        json_t *fault = ledger_await(stage->server, 0, "fault", hows[i]);
        t->connection = (uint64_t)json_integer_value(json_object_get(fault, "connection"));
        assert_string_equal(event_text(fault, "mode"), "lost-answer");
        json_decref(fault);
        check_processed(stage, t, 1);
        check_lost(stage, t, 1, "complete");
    }
    check_processed(stage, retried(stage, "POST", "case-14", 2), 1); /* a second time */
}

static void case_15_408_and_stale_pool(struct stage *stage)
{
    struct talk *pool[3];
    struct h1_response r;
    char value[32] = "";

    play(stage, "15-408-and-stale-pool", 1);
    for (int i = 0; i < 3; i++)
        pool[i] = served(stage);
    assert_int_equal(talk_ask(pool[0], "case-15"), 0);
    bool whole = h1_read(&pool[0]->c, false, &r, in_ms(PATIENCE_MS));
    int status = r.status;
    if (whole)
        h1_header(&r, "Connection", value, sizeof value);
    h1_free(&r);
    check(whole && status == 408, "no 408: %s", client_story(&pool[0]->c));
    check(strcasecmp(value, "close") == 0, "Connection is \"%s\"", value);
    check(client_wait_fin(&pool[0]->c, in_ms(LATE_MS)), "no FIN: %s", client_story(&pool[0]->c));
    check_not_processed(stage, pool[0], 2);
    for (int i = 1; i < 3; i++) {
        assert_int_equal(talk_ask(pool[i], "case-15"), 0);
        check_how(pool[i], "fin");
        check_nothing_read(pool[i]);
        check_not_processed(stage, pool[i], 2);
    }
    struct talk *fresh = talk_open(stage);
    talk_served(fresh);
    talk_served(fresh);
    check_no_fault(stage, fresh);
}

static void case_16_cut_without_close_notify(struct stage *stage)
{
    play(stage, "16-cut-without-close-notify", 1);
    struct talk *t = talk_open(stage);
    assert_int_equal(talk_ask(t, "case-16"), 0);
    check_how(t, "fin");
    if (stage->seat->h2) {
        const struct h2_frame *f = frame_next(t, NGHTTP2_HEADERS, t->stream);
        assert_false(f->flags & NGHTTP2_FLAG_END_STREAM);
        f = frame_next(t, NGHTTP2_DATA, t->stream);
        assert_int_equal(f->length, 20);
        assert_false(f->flags & NGHTTP2_FLAG_END_STREAM);
    } else {
        const char *in = (const char *)buf_bytes(&t->c.in);
        const char *end = memmem(in, buf_len(&t->c.in), "\r\n\r\n", 4);
        check(end, "no header section: %s", client_story(&t->c));
        assert_memory_equal(in, "HTTP/1.1 200 ", 13);
        assert_int_equal(in + buf_len(&t->c.in) - (end + 4), 20);
        buf_consume(&t->c.in, buf_len(&t->c.in));
    }
    assert_int_equal(buf_len(&t->c.in), 0);
    json_t *lost = ledger_await(stage->server, 0, "exchange_lost", NULL);
    assert_string_equal(event_text(lost, "reached"), "answering");
    json_decref(lost);
    retried(stage, "GET", "case-16", 2);
}

static void case_17_original_after_retry(struct stage *stage)
{
    admin_needs(stage->server, "black_hole");
    play(stage, "17-original-after-retry", 0.2); /* 200 ms, 2 s */
    struct talk *t = served_within(stage, 200);
    int64_t healed = t->asked_at + 2200 * NS_PER_MS;
    check_black_holed(stage, t, "late-original", "case-17", healed);
    struct talk *retry = retried(stage, "POST", "case-17", 1);
    uint64_t first = check_processed(stage, retry, 1);
    in_time(healed);
    check(talk_answer(t, in_ms(PATIENCE_MS)), "no answer: %s", client_story(&t->c));
    assert_int_equal(t->status, 200);
    assert_true(check_processed(stage, t, 2) > first);
    check_gap(stage, t, "black_hole", "heal", 2000);
    json_t *stale = ledger_await(stage->server, t->connection, "stale_request", NULL);
    assert_string_equal(event_text(stale, "idempotency_key"), "case-17");
    assert_string_equal(event_text(stale, "sent_into"), "black_holed");
    json_decref(stale);
}

/* --- That these are all */

static void every_case_has_its_test(struct stage *stage)
{
    static const char *const tested[] = {
        "01-answered-then-dead",
        "02-reused-no-bytes",
        "03-whole-request-swallowed",
        "04-close-behind-response",
        "05-shorter-than-the-pool",
        "06-h2-black-hole",
        "07-h2-send-buffer-full",
        "08-path-change",
        "09-goaway-below-streams-in-flight",
        "10-goaway-stream-never-ends",
        "11-goaway-calm-again-and-again",
        "12-goaway-http11-required",
        "13-goaway-without-close",
        "14-post-processed-no-response",
        "15-408-and-stale-pool",
        "16-cut-without-close-notify",
        "17-original-after-retry",
    };
    json_t *answer = admin_call(stage->server, 200, "GET", "/v1/cases", NULL), *one;
    json_t *cases = json_object_get(answer, "cases");
    size_t i;

    assert_int_equal(json_array_size(cases), sizeof tested / sizeof tested[0]);
    json_array_foreach(cases, i, one)
    {
        assert_string_equal(event_text(one, "name"), tested[i]);
        check(json_array_size(json_object_get(one, "reports")) > 0, "%s has no report", tested[i]);
        check(*event_text(one, "how"), "%s does not say how", tested[i]);
    }
    json_decref(answer);
}

/* The control of all: the same course of things in normal mode. */
static void without_a_case_nothing_fails(struct stage *stage)
{
    struct talk *t = served(stage);

    post(t, "control");
    check(talk_answer(t, in_ms(PATIENCE_MS)), "no answer: %s", client_story(&t->c));
    assert_int_equal(t->status, 200);
    admin_mark(stage->server, "background");
    check(client_silent(&t->c, in_ms(400)), "not silent: %s", client_story(&t->c));
    talk_served(t);
    assert_int_equal(t->h2.goaways, 0);
    check_no_fault(stage, t);
}

int main(void)
{
    static const struct scenario list[] = {
        SCENARIO(every_case_has_its_test, SEAT_H1_CLEARTEXT),
        SCENARIO(without_a_case_nothing_fails, SEATS_FOUR),
        SCENARIO(case_01_answered_then_dead, SEATS_FOUR),
        SCENARIO(case_02_reused_no_bytes, SEATS_FOUR),
        SCENARIO(case_03_whole_request_swallowed, SEATS_FOUR),
        SCENARIO(case_04_close_behind_response, SEATS_FOUR),
        SCENARIO(case_05_shorter_than_the_pool, SEATS_FOUR),
        SCENARIO(case_06_h2_black_hole, SEATS_H2),
        SCENARIO(case_07_h2_send_buffer_full, SEAT_H2_CLEARTEXT),
        SCENARIO(case_08_path_change, SEATS_FOUR),
        SCENARIO(case_09_goaway_below_streams_in_flight, SEATS_H2),
        SCENARIO(case_10_goaway_stream_never_ends, SEATS_H2),
        SCENARIO(case_11_goaway_calm_again_and_again, SEATS_H2),
        SCENARIO(case_12_goaway_http11_required, SEATS_H2),
        SCENARIO(case_13_goaway_without_close, SEATS_H2),
        SCENARIO(case_14_post_processed_no_response, SEATS_FOUR),
        SCENARIO(case_15_408_and_stale_pool, SEATS_H1),
        SCENARIO(case_16_cut_without_close_notify, SEATS_FOUR),
        SCENARIO(case_17_original_after_retry, SEAT_H1_TLS | SEAT_H2_CLEARTEXT),
    };

    return scenarios_run("cases", list, sizeof list / sizeof list[0], NULL);
}
