/* test_h2_verbs.c - the HTTP/2 engine misbehaving on demand: GOAWAY as told, watching, holding. */
#include "harness/h2_rig.h"

static void say(struct rig *rig, enum goaway_last last, int32_t number)
{
    const struct goaway goaway = { .last = last, .number = number };
    assert_int_equal(engine_goaway(rig->engine, &goaway), 0);
}

/* --- GOAWAY */

static void goaway_is_exactly_the_frame_asked_for(void **state)
{
    static const struct {
        struct goaway goaway;
        uint8_t bytes[24];
        size_t len;
    } rows[] = {
        { { .last = GOAWAY_LAST_SEEN }, { 0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 3 }, 17 },
        { { .last = GOAWAY_LAST_ANSWERED }, { 0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 3 }, 17 },
        { { .last = GOAWAY_LAST_NONE, .error = 11 },
          { 0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 11 },
          17 },
        { { .last = GOAWAY_LAST_NUMBER, .number = 66051, .error = 0xdeadbeef },
          { 0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 1, 2, 3, 0xde, 0xad, 0xbe, 0xef },
          17 },
        { { .last = GOAWAY_LAST_NUMBER, .number = 4 },
          { 0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 4 },
          17 },
        { { .last = GOAWAY_LAST_NUMBER, .number = -5 }, { 0, 0, 8, 7 }, 17 },
        { { .last = GOAWAY_LAST_OFFSET, .number = -2 },
          { 0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 1 },
          17 },
        { { .last = GOAWAY_LAST_OFFSET, .number = -100 }, { 0, 0, 8, 7 }, 17 },
        { { .last = GOAWAY_LAST_OFFSET, .number = INT32_MAX },
          { 0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff },
          17 },
        { { .last = GOAWAY_LAST_SEEN, .debug = "bye", .debug_len = 3 },
          { 0, 0, 11, 7, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 'b', 'y', 'e' },
          20 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rig *rig = rig_ready();
        rig_get(rig, 1);
        rig_get(rig, 3);
        rig_frames(rig);
        assert_int_equal(engine_goaway(rig->engine, &rows[i].goaway), 0);
        assert_int_equal(buf_len(&rig->out), rows[i].len);
        assert_memory_equal(buf_bytes(&rig->out), rows[i].bytes, rows[i].len);
        assert_int_equal(rig->finished, 0);
        rig_destroy(rig);
    }
}

static void goaway_debug_data_is_cut_at_a_frames_size(void **state)
{
    static char much[20000];
    struct rig *rig = rig_ready();
    const struct goaway goaway = { .debug = much, .debug_len = sizeof much };
    assert_int_equal(engine_goaway(rig->engine, &goaway), 0);
    assert_int_equal(buf_len(&rig->out), 9 + 16384);
    rig_destroy(rig);
}

static void the_notice_promises_nothing_and_all_is_served(void **state)
{
    static const uint8_t expected[] = { 0,    0,    8,    7,    0, 0, 0, 0, 0,
                                        0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0 };
    struct rig *rig = rig_ready();
    assert_int_equal(engine_goaway_notice(rig->engine), 0);
    assert_memory_equal(buf_bytes(&rig->out), expected, sizeof expected);
    rig_frames(rig);
    rig_get(rig, 1);
    assert_string_equal(rig_frames(rig), "HEADERS 1\nDATA 1 5 END_STREAM\n");
    rig_destroy(rig);
}

static void goaway_comes_after_our_settings(void **state)
{
    struct rig *rig = rig_create();
    say(rig, GOAWAY_LAST_SEEN, 0);
    assert_string_equal(rig_frames(rig), "SETTINGS\nGOAWAY last=0 NO_ERROR\n");
    rig_destroy(rig);
}

static void streams_above_the_last_are_reported_and_never_answered(void **state)
{
    struct rig *rig = rig_ready();
    rig_get(rig, 1);
    say(rig, GOAWAY_LAST_SEEN, 0);
    rig_frames(rig);
    rig_log(rig);
    /* :path "/new" goes into the dynamic table: the next stream refers to it */
    rig_frame_in(rig, NGHTTP2_HEADERS, END_HEADERS, 3,
                 "\x83\x87\x44\x04/new\x01\x01"
                 "a",
                 11);
    rig_frame_in(rig, NGHTTP2_HEADERS, END_STREAM | END_HEADERS, 5,
                 "\x82\x87\xbe\x01\x01"
                 "b",
                 6);
    assert_string_equal(rig_log(rig), "stale 3 POST /new a\nstale 5 GET /new b\n");
    static const uint8_t data[16384];
    for (unsigned i = 0; i < 3; i++)
        rig_frame_in(rig, NGHTTP2_DATA, 0, 3, data, sizeof data);
    assert_string_equal(rig_frames(rig), "WINDOW_UPDATE 0\n"); /* flow control stays right */
    rig_frame_in(rig, NGHTTP2_RST_STREAM, 0, 3, "\0\0\0\x08", 4);
    rig_log(rig);
    /* a malformed one is not answered either, and is reported all the same */
    rig_frame_in(rig, NGHTTP2_HEADERS, END_STREAM | END_HEADERS, 7, "\x82", 1);
    assert_string_equal(rig_log(rig), "stale 7 GET   (half)\n");
    for (uint32_t i = 9; i < 1000; i += 2)
        rig_get(rig, i);
    assert_string_equal(rig_frames(rig), "");
    assert_int_equal(rig->begun, 1);
    assert_int_equal(rig->finished, 0);
    rig_frame_in(rig, NGHTTP2_PING, 0, 0, "12345678", 8);
    assert_string_equal(rig_frames(rig), "PING ACK\n");
    say(rig, GOAWAY_LAST_SEEN, 0); /* what was only reported was not seen */
    assert_string_equal(rig_frames(rig), "GOAWAY last=1 NO_ERROR\n");
    rig_destroy(rig);
}

static void streams_up_to_the_last_are_served(void **state)
{
    struct rig *rig = rig_ready();
    say(rig, GOAWAY_LAST_NUMBER, 3);
    say(rig, GOAWAY_LAST_NUMBER, 100); /* the lowest counts */
    rig_frames(rig);
    rig_get(rig, 1);
    rig_get(rig, 3);
    rig_get(rig, 5);
    assert_string_equal(rig_frames(rig), "HEADERS 1\nDATA 1 5 END_STREAM\n"
                                         "HEADERS 3\nDATA 3 5 END_STREAM\n");
    assert_int_equal(rig->stale, 1);
    rig_destroy(rig);
}

static void open_streams_above_the_last_are_lost(void **state)
{
    struct rig *rig = rig_ready();
    rig->on_complete = keep_for_later;
    rig_get(rig, 1);
    struct exchange *first = rig->last;
    rig_get(rig, 3);
    rig_frame_in(rig, NGHTTP2_HEADERS, END_HEADERS, 5, POST_BLOCK, BLOCK_LEN);
    rig_frame_in(rig, NGHTTP2_HEADERS, 0, 7, GET_BLOCK, 3); /* not even whole */
    rig_log(rig);
    say(rig, GOAWAY_LAST_NUMBER, 1);
    assert_string_equal(rig_log(rig), "lost 3: its stream is above the last of our GOAWAY\n"
                                      "lost 5: its stream is above the last of our GOAWAY\n");
    rig_frame_in(rig, NGHTTP2_CONTINUATION, END_HEADERS, 7, &GET_BLOCK[3], 3);
    assert_string_equal(rig_log(rig),
                        "stale 7 GET / a\nlost 7: its stream is above the last of our GOAWAY\n");
    rig_frame_in(rig, NGHTTP2_DATA, END_STREAM, 5, "x", 1);
    respond_now(rig, first);
    assert_string_equal(rig_frames(rig), "GOAWAY last=1 NO_ERROR\n"
                                         "HEADERS 1\nDATA 1 5 END_STREAM\n");
    assert_string_equal(rig_log(rig), "responded 1\n");
    rig_destroy(rig);
}

static void say_seen(struct rig *rig, struct exchange *ex)
{
    if (ex->stream == 3)
        say(rig, GOAWAY_LAST_SEEN, 0);
}

static void say_seen_then_respond(struct rig *rig, struct exchange *ex)
{
    say_seen(rig, ex);
    respond_now(rig, ex);
}

static void goaway_from_any_callback_is_out_when_it_returns(void **state)
{
    static const struct {
        size_t hook;
        const char *frames;
    } rows[] = {
#define ONE "HEADERS 1\nDATA 1 5 END_STREAM\n"
#define TWO "HEADERS 3\nDATA 3 5 END_STREAM\n"
        { offsetof(struct rig, on_begin), ONE "GOAWAY last=3 NO_ERROR\n" TWO },
        { offsetof(struct rig, on_headers), ONE "GOAWAY last=3 NO_ERROR\n" TWO },
        { offsetof(struct rig, on_complete), ONE "GOAWAY last=3 NO_ERROR\n" TWO },
        { offsetof(struct rig, on_responded),
          "HEADERS 1\nHEADERS 3\nHEADERS 5\nDATA 1 5 END_STREAM\nDATA 3 5 END_STREAM\n"
          "DATA 5 5 END_STREAM\nGOAWAY last=5 NO_ERROR\n" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rig *rig = rig_ready();
        void (*hook)(struct rig *, struct exchange *) =
            rows[i].hook == offsetof(struct rig, on_complete) ? say_seen_then_respond : say_seen;
        memcpy((char *)rig + rows[i].hook, &hook, sizeof hook);
        struct buf both = { 0 };
        put_frame(&both, NGHTTP2_HEADERS, END_STREAM | END_HEADERS, 1, GET_BLOCK, BLOCK_LEN);
        put_frame(&both, NGHTTP2_HEADERS, END_STREAM | END_HEADERS, 3, GET_BLOCK, BLOCK_LEN);
        put_frame(&both, NGHTTP2_HEADERS, END_STREAM | END_HEADERS, 5, GET_BLOCK, BLOCK_LEN);
        rig_input(rig, buf_bytes(&both), buf_len(&both));
        buf_free(&both);
        assert_string_equal(rig_frames(rig), rows[i].frames);
        rig_destroy(rig);
    }
}

static uint8_t large[100000];

static void goaway_passes_a_full_queue_on_a_frame_boundary(void **state)
{
    struct rig *rig = rig_ready();
    rig->response.body = large;
    rig->response.body_len = 30000;
    rig->room = 20000;
    rig_get(rig, 1);
    rig_get(rig, 3);
    assert_int_equal(rig->room, 0);
    rig_frames(rig);
    say(rig, GOAWAY_LAST_SEEN, 0);
    assert_string_equal(rig_frames(rig), "HEADERS 3\nGOAWAY last=3 NO_ERROR\n");
    rig->room = SIZE_MAX;
    engine_pump(rig->engine);
    assert_non_null(strstr(rig_frames(rig), "DATA 1 "));
    assert_int_equal(rig->ended, 2);
    rig_destroy(rig);
}

static void a_later_goaway_of_nghttp2_keeps_the_promise(void **state)
{
    struct rig *rig = rig_ready();
    rig_get(rig, 1);
    rig_get(rig, 3);
    say(rig, GOAWAY_LAST_NUMBER, 1);
    rig_frames(rig);
    rig_frame_in(rig, NGHTTP2_DATA, 0, 0, "x", 1);
    assert_string_equal(rig_frames(rig), "GOAWAY last=1 PROTOCOL_ERROR [DATA: stream_id == 0]\n");
    assert_int_equal(rig->finished, 1);
    assert_int_equal(engine_goaway(rig->engine, &(struct goaway){ .last = GOAWAY_LAST_NONE }),
                     ENGINE_TOO_LATE);
    assert_string_equal(rig_frames(rig), "");
    rig_destroy(rig);
}

/* --- Watching for ever */

static void a_watching_engine_reports_and_says_nothing(void **state)
{
    struct rig *rig = rig_ready();
    rig->on_complete = keep_for_later;
    rig_get(rig, 1);
    rig_log(rig);
    engine_watch(rig->engine, WATCH_ONLY);
    for (uint32_t i = 3; i < 1003; i += 2) { /* more than may be open, and a flood of PINGs */
        rig_get(rig, i);
        for (unsigned k = 0; k < 10; k++)
            rig_frame_in(rig, NGHTTP2_PING, 0, 0, "12345678", 8);
        const char *log = rig_log(rig);
        assert_non_null(strstr(log, " GET / a\nframe PING 0 "));
    }
    assert_int_equal(rig->stale, 500);
    respond_now(rig, rig->last); /* without effect */
    engine_pump(rig->engine);
    engine_shutdown(rig->engine);
    engine_peer_closed(rig->engine);
    engine_resume(rig->engine);
    engine_watch(rig->engine, WATCH_HOLD);
    engine_resume(rig->engine);
    assert_string_equal(rig_frames(rig), "");
    assert_int_equal(rig->finished, 0);
    assert_int_equal(rig->ended, 0);
    engine_destroy(rig->engine);
    assert_string_equal(rig_log(rig), "lost 1: the connection ended\n");
    assert_int_equal(h2_create(&rig_calls, rig, &rig->engine), 0);
    rig_destroy(rig);
}

/* Each verb, when the engine says nothing any more. */
static void nothing_can_be_said(struct rig *rig)
{
    static const enum engine_setting settings[] = { ENGINE_IGNORE_PINGS,   ENGINE_IGNORE_SETTINGS,
                                                    ENGINE_KEEP_WINDOWS,   ENGINE_HOLD_STREAMS,
                                                    ENGINE_INITIAL_WINDOW, ENGINE_MAX_STREAMS };
    const struct goaway goaway = { .last = GOAWAY_LAST_SEEN };
    buf_consume(&rig->out, buf_len(&rig->out));
    assert_false(engine_can_say(rig->engine));
    assert_int_equal(engine_goaway(rig->engine, &goaway), ENGINE_TOO_LATE);
    assert_int_equal(engine_goaway_notice(rig->engine), ENGINE_TOO_LATE);
    assert_int_equal(engine_ping(rig->engine, (const uint8_t *)"12345678"), ENGINE_TOO_LATE);
    assert_int_equal(engine_rst_stream(rig->engine, 1, 8), ENGINE_TOO_LATE);
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        assert_int_equal(engine_set(rig->engine, settings[i], 1), ENGINE_TOO_LATE);
    engine_pump(rig->engine);
    assert_int_equal(buf_len(&rig->out), 0);
}

static void break_http(struct rig *rig)
{
    rig_frame_in(rig, NGHTTP2_DATA, 0, 0, "x", 1); /* on no stream: RFC 9113 6.1 */
}

static void finish(struct rig *rig)
{
    engine_shutdown(rig->engine);
}

static void watch_for_ever(struct rig *rig)
{
    engine_watch(rig->engine, WATCH_ONLY);
}

static void a_verb_says_when_it_did_nothing(void **state)
{
    void (*const ends[])(struct rig * rig) = { break_http, finish, watch_for_ever };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct rig *rig = rig_ready();
        assert_true(engine_can_say(rig->engine));
        ends[i](rig);
        nothing_can_be_said(rig);
        rig_destroy(rig);
    }
}

static void what_is_set_already_is_told(void **state)
{
    static const enum engine_setting bools[] = { ENGINE_IGNORE_PINGS, ENGINE_IGNORE_SETTINGS,
                                                 ENGINE_KEEP_WINDOWS, ENGINE_HOLD_STREAMS };
    struct rig *rig = rig_ready();
    for (size_t i = 0; i < sizeof bools / sizeof *bools; i++) {
        assert_true(engine_is_set(rig->engine, bools[i], 0));
        assert_false(engine_is_set(rig->engine, bools[i], 1));
        assert_int_equal(engine_set(rig->engine, bools[i], 1), 0);
        assert_true(engine_is_set(rig->engine, bools[i], 1));
        assert_false(engine_is_set(rig->engine, bools[i], 0));
    }
    assert_int_equal(engine_set(rig->engine, ENGINE_MAX_STREAMS, 7), 0);
    assert_false(engine_is_set(rig->engine, ENGINE_MAX_STREAMS, 7)); /* it is said again */
    rig_destroy(rig);
}

static void watch_only(struct rig *rig, struct exchange *ex)
{
    engine_watch(rig->engine, WATCH_ONLY);
}

static void watching_may_begin_in_any_callback(void **state)
{
    static const struct {
        size_t hook;
        const char *log;
    } rows[] = {
        { offsetof(struct rig, on_begin), "begin 1\nstale 1 POST / a\n" },
        { offsetof(struct rig, on_headers), "begin 1\nheaders 1 POST /\n" },
        { offsetof(struct rig, on_complete), "begin 1\nheaders 1 POST /\nbody 1 x\ncomplete 1\n" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rig *rig = rig_ready();
        void (*hook)(struct rig *, struct exchange *) = watch_only;
        memcpy((char *)rig + rows[i].hook, &hook, sizeof hook);
        rig_frame_in(rig, NGHTTP2_HEADERS, END_HEADERS, 1, POST_BLOCK, BLOCK_LEN);
        rig_frame_in(rig, NGHTTP2_DATA, END_STREAM, 1, "x", 1);
        assert_string_equal(rig_log(rig), rows[i].log);
        rig_get(rig, 3);
        assert_string_equal(rig_log(rig), "stale 3 GET / a\n");
        assert_string_equal(rig_frames(rig), "");
        rig_destroy(rig);
    }
}

static void what_is_half_received_is_reported_once(void **state)
{
    struct rig *rig = rig_ready();
    engine_watch(rig->engine, WATCH_ONLY);
    engine_watch_flush(rig->engine, false);
    assert_string_equal(rig_log(rig), "");
    rig_input(rig, "\0\0", 2);
    engine_watch_flush(rig->engine, false);
    engine_watch_flush(rig->engine, false);
    assert_string_equal(rig_log(rig), "stale 0    (half)\n");
    rig_input(rig, "\6\1\5\0\0\0\1", 7);
    rig_input(rig, GET_BLOCK, 3);
    engine_watch_flush(rig->engine, false);
    engine_watch_flush(rig->engine, false);
    assert_string_equal(rig_log(rig), "stale 1 GET /  (half)\n");
    rig_input(rig, &GET_BLOCK[3], 3); /* it came after all */
    assert_string_equal(rig_log(rig), "stale 1 GET / a\n");
    rig_input(rig, "\0\0\4\3", 4); /* RST_STREAM: it will be no request */
    engine_watch_flush(rig->engine, false);
    assert_string_equal(rig_log(rig), "");
    rig_destroy(rig);
}

/* --- Holding */

static void a_hold_reports_then_serves_what_came(void **state)
{
    struct rig *rig = rig_ready();
    engine_watch(rig->engine, WATCH_HOLD);
    rig_get(rig, 1);
    rig_frame_in(rig, NGHTTP2_HEADERS, END_HEADERS, 3, POST_BLOCK, BLOCK_LEN);
    rig_frame_in(rig, NGHTTP2_DATA, 0, 3, "ab", 2);
    rig_frame_in(rig, NGHTTP2_DATA, END_STREAM, 3, "cd", 2);
    rig_frame_in(rig, NGHTTP2_PING, 0, 0, "12345678", 8);
    assert_string_equal(rig_log(rig), "stale 1 GET / a\nstale 3 POST / a\n"
                                      "frame PING 0 NO_ERROR [3132333435363738]\n");
    engine_pump(rig->engine);
    assert_string_equal(rig_frames(rig), "");
    engine_resume(rig->engine);
    assert_string_equal(rig_log(rig), "begin 1\nheaders 1 GET /\ncomplete 1\n"
                                      "begin 3\nheaders 3 POST /\nbody 3 abcd\ncomplete 3\n"
                                      "responded 1\nresponded 3\n");
    assert_string_equal(rig_frames(rig), "PING ACK\nHEADERS 1\nHEADERS 3\nDATA 1 5 END_STREAM\n"
                                         "DATA 3 5 END_STREAM\n");
    rig_get(rig, 5);
    assert_string_equal(rig_frames(rig), "HEADERS 5\nDATA 5 5 END_STREAM\n");
    rig_destroy(rig);
}

static void an_open_exchange_continues_after_a_hold(void **state)
{
    struct rig *rig = rig_ready();
    rig_frame_in(rig, NGHTTP2_HEADERS, END_HEADERS, 1, POST_BLOCK, BLOCK_LEN);
    rig_frame_in(rig, NGHTTP2_HEADERS, 0, 3, POST_BLOCK, 3);
    rig_log(rig);
    engine_watch(rig->engine, WATCH_HOLD);
    rig_frame_in(rig, NGHTTP2_CONTINUATION, END_HEADERS, 3, &POST_BLOCK[3], 3);
    rig_frame_in(rig, NGHTTP2_DATA, END_STREAM, 1, "x", 1);
    assert_string_equal(rig_log(rig), "stale 3 POST / a\n");
    engine_resume(rig->engine);
    assert_string_equal(rig_log(rig), "body 1 x\ncomplete 1\nheaders 3 POST /\nresponded 1\n");
    rig_frame_in(rig, NGHTTP2_DATA, END_STREAM, 3, "y", 1);
    assert_string_equal(rig_log(rig), "body 3 y\ncomplete 3\nresponded 3\n");
    rig_destroy(rig);
}

static void answers_and_goaways_wait_for_the_end_of_a_hold(void **state)
{
    struct rig *rig = rig_ready();
    rig->on_complete = keep_for_later;
    rig_get(rig, 1);
    engine_watch(rig->engine, WATCH_HOLD);
    rig_log(rig);
    respond_now(rig, rig->last);
    say(rig, GOAWAY_LAST_SEEN, 0);
    engine_goaway_notice(rig->engine);
    rig_get(rig, 3);
    assert_string_equal(rig_frames(rig), "");
    assert_string_equal(rig_log(rig), "stale 3 GET / a\n");
    engine_resume(rig->engine);
    assert_string_equal(rig_frames(rig), "HEADERS 1\nDATA 1 5 END_STREAM\n"
                                         "GOAWAY last=1 NO_ERROR\n"
                                         "GOAWAY last=2147483647 NO_ERROR\n");
    assert_string_equal(rig_log(rig), "responded 1\n"); /* 3 was above the last one */
    rig_destroy(rig);
}

static void a_reset_in_a_hold_is_told_after_it(void **state)
{
    struct rig *rig = rig_ready();
    rig->on_complete = keep_for_later;
    rig_get(rig, 1);
    engine_watch(rig->engine, WATCH_HOLD);
    rig_get(rig, 3);
    rig_frame_in(rig, NGHTTP2_RST_STREAM, 0, 1, "\0\0\0\x08", 4);
    rig_frame_in(rig, NGHTTP2_RST_STREAM, 0, 3, "\0\0\0\x08", 4);
    rig_log(rig);
    engine_resume(rig->engine);
    assert_string_equal(rig_log(rig), "begin 3\nheaders 3 GET /\ncomplete 3\n"
                                      "lost 1: stream reset by the client\n"
                                      "lost 3: stream reset by the client\n");
    rig_destroy(rig);
}

static void a_hold_can_become_a_watch_for_ever(void **state)
{
    struct rig *rig = rig_ready();
    engine_watch(rig->engine, WATCH_HOLD);
    rig_get(rig, 1);
    engine_watch(rig->engine, WATCH_ONLY);
    engine_resume(rig->engine);
    rig_get(rig, 3);
    assert_string_equal(rig_log(rig), "stale 1 GET / a\nstale 3 GET / a\n");
    assert_string_equal(rig_frames(rig), "");
    rig_destroy(rig);
}

static void ends_in_a_hold_come_after_it(void **state)
{
    struct rig *rig = rig_ready();
    engine_watch(rig->engine, WATCH_HOLD);
    rig_get(rig, 1);
    engine_shutdown(rig->engine);
    engine_peer_closed(rig->engine);
    assert_string_equal(rig_log(rig), "stale 1 GET / a\n");
    engine_resume(rig->engine);
    assert_string_equal(rig_log(rig),
                        "begin 1\nheaders 1 GET /\ncomplete 1\nresponded 1\nfinished\n");
    rig_destroy(rig);

    rig = rig_ready();
    engine_watch(rig->engine, WATCH_HOLD);
    rig_get(rig, 1);
    rig_frame_in(rig, NGHTTP2_DATA, 0, 0, "x", 1);
    rig_log(rig);
    engine_resume(rig->engine);
    assert_string_equal(rig_frames(rig), "GOAWAY last=1 PROTOCOL_ERROR [DATA: stream_id == 0]\n");
    assert_int_equal(rig->finished, 1);
    assert_int_equal(rig->errors, 1);
    rig_destroy(rig);
}

static void hold_again(struct rig *rig, struct exchange *ex)
{
    engine_watch(rig->engine, WATCH_HOLD);
}

static void a_hold_may_begin_again_while_it_ends(void **state)
{
    struct rig *rig = rig_ready();
    engine_watch(rig->engine, WATCH_HOLD);
    rig_get(rig, 1);
    rig_get(rig, 3);
    rig_log(rig);
    rig->on_headers = hold_again;
    engine_resume(rig->engine);
    assert_string_equal(rig_log(rig), "begin 1\nheaders 1 GET /\n");
    engine_resume(rig->engine);
    assert_string_equal(rig_log(rig), "complete 1\nbegin 3\nheaders 3 GET /\n");
    assert_string_equal(rig_frames(rig), "");
    rig->on_headers = NULL;
    engine_resume(rig->engine);
    assert_string_equal(rig_log(rig), "complete 3\nresponded 1\nresponded 3\n");
    rig_destroy(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goaway_is_exactly_the_frame_asked_for),
        cmocka_unit_test(goaway_debug_data_is_cut_at_a_frames_size),
        cmocka_unit_test(the_notice_promises_nothing_and_all_is_served),
        cmocka_unit_test(goaway_comes_after_our_settings),
        cmocka_unit_test(streams_above_the_last_are_reported_and_never_answered),
        cmocka_unit_test(streams_up_to_the_last_are_served),
        cmocka_unit_test(open_streams_above_the_last_are_lost),
        cmocka_unit_test(goaway_from_any_callback_is_out_when_it_returns),
        cmocka_unit_test(goaway_passes_a_full_queue_on_a_frame_boundary),
        cmocka_unit_test(a_later_goaway_of_nghttp2_keeps_the_promise),
        cmocka_unit_test(a_watching_engine_reports_and_says_nothing),
        cmocka_unit_test(a_verb_says_when_it_did_nothing),
        cmocka_unit_test(what_is_set_already_is_told),
        cmocka_unit_test(watching_may_begin_in_any_callback),
        cmocka_unit_test(what_is_half_received_is_reported_once),
        cmocka_unit_test(a_hold_reports_then_serves_what_came),
        cmocka_unit_test(an_open_exchange_continues_after_a_hold),
        cmocka_unit_test(answers_and_goaways_wait_for_the_end_of_a_hold),
        cmocka_unit_test(a_reset_in_a_hold_is_told_after_it),
        cmocka_unit_test(a_hold_can_become_a_watch_for_ever),
        cmocka_unit_test(ends_in_a_hold_come_after_it),
        cmocka_unit_test(a_hold_may_begin_again_while_it_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
