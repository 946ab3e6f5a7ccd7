/* test_h2_reset.c - RST_STREAM on demand, in any state of a stream. */
#include "harness/h2_rig.h"

#define CODE 0xdeadbeef

static void reset_it(struct rig *rig, struct exchange *ex)
{
    assert_int_equal(engine_rst_stream(rig->engine, ex->stream, NGHTTP2_REFUSED_STREAM), 0);
}

static void post(struct rig *rig, uint32_t stream)
{
    rig_frame_in(rig, NGHTTP2_HEADERS, END_HEADERS, stream, POST_BLOCK, BLOCK_LEN);
}

/* --- States of stream 1 */

static void idle(struct rig *rig)
{
}

static void header_begun(struct rig *rig)
{
    rig_frame_in(rig, NGHTTP2_HEADERS, 0, 1, POST_BLOCK, 3);
}

static void half_read(struct rig *rig)
{
    post(rig, 1);
    rig_frame_in(rig, NGHTTP2_DATA, 0, 1, "x", 1);
}

static void whole(struct rig *rig)
{
    rig_get(rig, 1);
}

static void half_answered(struct rig *rig)
{
    static const char body[30000];
    rig->on_complete = respond_now;
    rig->response.body = body;
    rig->response.body_len = sizeof body;
    rig->room = 10000;
    rig_get(rig, 1);
}

static void answered_early(struct rig *rig)
{
    rig->on_headers = respond_now;
    post(rig, 1);
}

static void closed(struct rig *rig)
{
    rig->on_complete = respond_now;
    rig_get(rig, 1);
}

static void closed_by_the_client(struct rig *rig)
{
    rig_get(rig, 1);
    rig_frame_in(rig, NGHTTP2_RST_STREAM, 0, 1, "\0\0\0\x08", 4);
}

static void disowned(struct rig *rig)
{
    const struct goaway none = { .last = GOAWAY_LAST_NONE };
    assert_int_equal(engine_goaway(rig->engine, &none), 0);
    rig_get(rig, 1);
}

static void it_is_exactly_the_frame_in_any_state(void **state)
{
    static const uint8_t frame[] = { 0, 0, 4, 3, 0, 0, 0, 0, 1, 0xde, 0xad, 0xbe, 0xef };
    static const char lost[] = "lost 1: the server reset its stream\n";
    static const struct {
        void (*reach)(struct rig *rig);
        const char *log;
    } rows[] = {
        { idle, "" },    { header_begun, "" },         { half_read, lost },
        { whole, lost }, { half_answered, lost },      { answered_early, "" },
        { closed, "" },  { closed_by_the_client, "" }, { disowned, "" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rig *rig = rig_ready();
        rig->on_complete = keep_for_later;
        rows[i].reach(rig);
        rig_frames(rig);
        rig_log(rig);
        for (unsigned k = 0; k < 2; k++) { /* and again, of a stream that is closed by then */
            assert_int_equal(engine_rst_stream(rig->engine, 1, CODE), 0);
            assert_int_equal(buf_len(&rig->out), sizeof frame);
            assert_memory_equal(buf_bytes(&rig->out), frame, sizeof frame);
            assert_string_equal(rig_log(rig), k ? "" : rows[i].log);
            rig_frames(rig);
        }
        rig->room = SIZE_MAX;
        engine_pump(rig->engine);
        assert_string_equal(rig_frames(rig), "");
        assert_int_equal(rig->finished, 0);
        assert_int_equal(rig->errors, 0);
        rig_destroy(rig);
    }
}

static void later_frames_of_the_stream_are_ignored(void **state)
{
    static const uint8_t data[16384];
    struct rig *rig = rig_ready();
    post(rig, 1);
    rig_frame_in(rig, NGHTTP2_DATA, 0, 1, data, 10);
    engine_rst_stream(rig->engine, 1, CODE);
    rig_frames(rig);
    rig_log(rig);
    for (unsigned i = 0; i < 12; i++) { /* three times the connection's window */
        rig_frame_in(rig, NGHTTP2_DATA, 0, 1, data, sizeof data);
        assert_string_equal(rig_frames(rig), i % 2 ? "WINDOW_UPDATE 0\n" : "");
    }
    rig_frame_in(rig, NGHTTP2_WINDOW_UPDATE, 0, 1, "\0\0\1\0", 4);
    rig_frame_in(rig, NGHTTP2_HEADERS, END_STREAM | END_HEADERS, 1, "\0\1k\1v", 5); /* trailers */
    rig_frame_in(rig, NGHTTP2_RST_STREAM, 0, 1, "\0\0\0\x08", 4);
    assert_string_equal(rig_frames(rig), "");
    assert_string_equal(rig_log(rig), "frame RST_STREAM 1 CANCEL []\n");
    rig_get(rig, 3);
    assert_string_equal(rig_frames(rig), "HEADERS 3\nDATA 3 5 END_STREAM\n");
    assert_int_equal(rig->errors, 0);
    rig_destroy(rig);
}

/* --- From callbacks */

static void it_may_be_said_in_any_callback(void **state)
{
    static const struct {
        size_t hook;
        const char *log, *frames;
    } rows[] = {
        { offsetof(struct rig, on_begin),
          "begin 1\nstale 1 POST / a\nlost 1: the server reset its stream\n",
          "RST_STREAM 1 REFUSED_STREAM\n" },
        { offsetof(struct rig, on_headers),
          "begin 1\nheaders 1 POST /\nlost 1: the server reset its stream\n",
          "RST_STREAM 1 REFUSED_STREAM\n" },
        { offsetof(struct rig, on_complete),
          "begin 1\nheaders 1 POST /\nbody 1 x\ncomplete 1\n"
          "lost 1: the server reset its stream\n",
          "RST_STREAM 1 REFUSED_STREAM\n" },
        { offsetof(struct rig, on_responded),
          "begin 1\nheaders 1 POST /\nbody 1 x\ncomplete 1\nresponded 1\n",
          "HEADERS 1\nDATA 1 5 END_STREAM\nRST_STREAM 1 REFUSED_STREAM\n" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (unsigned cut = 0; cut < 16; cut++) { /* with or without a priority; whole or cut */
            struct rig *rig = rig_ready();
            struct buf flight = { 0 };
            void (*hook)(struct rig *, struct exchange *) = reset_it;
            memcpy((char *)rig + rows[i].hook, &hook, sizeof hook);
            if (cut % 2)
                put_frame(&flight, NGHTTP2_HEADERS, END_HEADERS | NGHTTP2_FLAG_PRIORITY, 1,
                          "\0\0\0\0\1" POST_BLOCK, 5 + BLOCK_LEN);
            else
                put_frame(&flight, NGHTTP2_HEADERS, END_HEADERS, 1, POST_BLOCK, BLOCK_LEN);
            put_frame(&flight, NGHTTP2_DATA, END_STREAM, 1, "x", 1);
            size_t first = cut < 2 ? buf_len(&flight) : cut;
            rig_input(rig, buf_bytes(&flight), first);
            rig_input(rig, buf_bytes(&flight) + first, buf_len(&flight) - first);
            assert_string_equal(rig_log(rig), rows[i].log);
            assert_string_equal(rig_frames(rig), rows[i].frames);
            rig->on_begin = rig->on_headers = rig->on_complete = rig->on_responded = NULL;
            rig_get(rig, 3);
            assert_string_equal(rig_frames(rig), "HEADERS 3\nDATA 3 5 END_STREAM\n");
            assert_int_equal(rig->errors, 0);
            buf_free(&flight);
            rig_destroy(rig);
        }
    }
}

static void without_it_all_is_served(void **state)
{
    struct rig *rig = rig_ready();
    post(rig, 1);
    rig_frame_in(rig, NGHTTP2_DATA, END_STREAM, 1, "x", 1);
    assert_string_equal(rig_log(rig),
                        "begin 1\nheaders 1 POST /\nbody 1 x\ncomplete 1\nresponded 1\n");
    assert_string_equal(rig_frames(rig), "HEADERS 1\nDATA 1 5 END_STREAM\n");
    rig_destroy(rig);
}

static void it_is_reset_in_its_header_section_while_a_hold_keeps_the_rest(void **state)
{
    struct rig *rig = rig_ready();
    rig_frame_in(rig, NGHTTP2_HEADERS, 0, 1, GET_BLOCK, 3);
    engine_watch(rig->engine, WATCH_HOLD);
    reset_it(rig, rig->last);
    rig_frame_in(rig, NGHTTP2_CONTINUATION, END_HEADERS, 1, &GET_BLOCK[3], 3);
    rig_frame_in(rig, NGHTTP2_DATA, END_STREAM, 1, "x", 1);
    assert_string_equal(rig_frames(rig), "");
    engine_resume(rig->engine);
    assert_string_equal(rig_frames(rig), "RST_STREAM 1 REFUSED_STREAM\n");
    assert_int_equal(rig->ended, 1);
    rig_destroy(rig);
}

/* --- Order */

static void respond_and_reset(struct rig *rig, struct exchange *ex)
{
    respond_now(rig, ex);
    reset_it(rig, ex);
}

static void it_comes_after_what_was_queued(void **state)
{
    struct rig *rig = rig_ready();
    rig->on_complete = respond_and_reset;
    rig_get(rig, 1);
    assert_string_equal(rig_frames(rig),
                        "HEADERS 1\nDATA 1 5 END_STREAM\nRST_STREAM 1 REFUSED_STREAM\n");
    rig_log(rig);
    rig->room = 0; /* DATA is not sent without room, nor after RST_STREAM */
    rig_get(rig, 3);
    assert_string_equal(rig_frames(rig), "HEADERS 3\nRST_STREAM 3 REFUSED_STREAM\n");
    rig->room = SIZE_MAX;
    engine_pump(rig->engine);
    assert_string_equal(rig_frames(rig), "");
    assert_string_equal(rig_log(rig), "begin 3\nheaders 3 GET /\ncomplete 3\n"
                                      "lost 3: the server reset its stream\n");
    rig_destroy(rig);
}

static void it_comes_after_our_settings(void **state)
{
    struct rig *rig = rig_create();
    assert_int_equal(engine_rst_stream(rig->engine, 1, NGHTTP2_CANCEL), 0);
    assert_string_equal(rig_frames(rig), "SETTINGS\nRST_STREAM 1 CANCEL\n");
    rig_destroy(rig);
}

static void it_waits_for_the_end_of_a_hold_and_is_not_said_while_watching(void **state)
{
    struct rig *rig = rig_ready();
    rig->on_complete = keep_for_later;
    rig_get(rig, 1);
    engine_watch(rig->engine, WATCH_HOLD);
    reset_it(rig, rig->last);
    assert_string_equal(rig_frames(rig), "");
    engine_resume(rig->engine);
    assert_string_equal(rig_frames(rig), "RST_STREAM 1 REFUSED_STREAM\n");
    engine_watch(rig->engine, WATCH_ONLY);
    engine_rst_stream(rig->engine, 1, CODE);
    assert_string_equal(rig_frames(rig), "");
    rig_destroy(rig);
}

static void lose_by_reset(struct rig *rig)
{
    engine_rst_stream(rig->engine, 1, CODE);
}

static void lose_by_reset_that_waits(struct rig *rig)
{
    rig->room = 0;
    engine_rst_stream(rig->engine, 1, CODE);
}

static void lose_by_end(struct rig *rig)
{
    engine_peer_closed(rig->engine);
}

static void lose_by_goaway(struct rig *rig)
{
    const struct goaway none = { .last = GOAWAY_LAST_NONE };
    engine_goaway(rig->engine, &none);
}

/* Whatever more of it comes, and whatever becomes of the connection. */
static void nothing_is_told_of_an_exchange_behind_its_end(void **state)
{
    static const struct {
        void (*reach)(struct rig *rig), (*lose)(struct rig *rig);
    } rows[] = {
        { header_begun, lose_by_end },           { half_read, lose_by_end },
        { half_read, lose_by_reset_that_waits }, { half_read, lose_by_reset },
        { half_read, lose_by_goaway },
    };
    for (unsigned i = 0; i < 4 * sizeof rows / sizeof *rows; i++) {
        struct rig *rig = rig_ready();
        rig->on_complete = keep_for_later;
        rows[i / 4].reach(rig);
        rig_log(rig);
        rows[i / 4].lose(rig);
        assert_non_null(strstr(rig_log(rig), "lost 1"));
        engine_watch(rig->engine, i % 2 ? WATCH_HOLD : WATCH_ONLY);
        if (i / 2 % 2)
            engine_watch_flush(rig->engine, true);
        if (rows[i / 4].reach == header_begun)
            rig_frame_in(rig, NGHTTP2_CONTINUATION, END_HEADERS, 1, &POST_BLOCK[3], BLOCK_LEN - 3);
        rig_frame_in(rig, NGHTTP2_DATA, END_STREAM, 1, "y", 1);
        engine_watch(rig->engine, WATCH_ONLY);
        engine_watch_flush(rig->engine, false);
        assert_string_equal(rig_log(rig), "");
        rig_destroy(rig);
    }
}

/* A verb may come before the header section is whole: what is read is told all the same, once, and
 * before the loss; also when a hold or an end keeps the rest. */
static void a_request_that_was_ended_within_its_header_section_is_told(void **state)
{
    static const struct {
        void (*lose)(struct rig *rig);
        const char *lost;
    } rows[] = {
        { lose_by_reset, "lost 1: the server reset its stream\n" },
        { lose_by_reset_that_waits, "lost 1: the server reset its stream\n" },
        { lose_by_goaway, "lost 1: its stream is above the last of our GOAWAY\n" },
    };
    for (unsigned i = 0; i < 3 * 3 * 2; i++) {
        struct rig *rig = rig_ready();
        bool payload = i % 2; /* a part of it was read */
        unsigned watch = i / 2 % 3;
        const char *told[] = { "stale 1 POST / a\n", rows[i / 6].lost };
        rig->on_complete = keep_for_later;
        rig_input(rig, payload ? "\0\0\6\1\4\0\0\0\1\x83\x87" : "\0\0\6\1\4\0\0\0\1",
                  payload ? 11 : 9);
        assert_string_equal(rig_log(rig), "begin 1\n");
        rows[i / 6].lose(rig);
        assert_string_equal(rig_log(rig), "");
        if (watch)
            engine_watch(rig->engine, watch == 1 ? WATCH_HOLD : WATCH_ONLY);
        rig_input(rig, &POST_BLOCK[payload ? 2 : 0], payload ? 4 : 6);
        char expected[200];
        snprintf(expected, sizeof expected, "%s%s", told[0], watch ? "" : told[1]);
        assert_string_equal(rig_log(rig), expected);
        engine_resume(rig->engine);
        assert_string_equal(rig_log(rig), watch == 1 ? told[1] : "");
        rig_frame_in(rig, NGHTTP2_DATA, END_STREAM, 1, "y", 1);
        assert_int_equal(rig->stale, 1);
        assert_int_equal(rig->errors, 0);
        assert_string_equal(rig_frames(rig), rows[i / 6].lose == lose_by_goaway
                                                 ? "GOAWAY last=0 NO_ERROR\n"
                                                 : "RST_STREAM 1 0xdeadbeef\n");
        rig_destroy(rig);
    }
}

static void a_client_sees_the_code_and_continues(void **state)
{
    struct rig *rig = rig_create();
    rig_client(rig);
    rig->on_complete = reset_it;
    client_request(rig, "GET", "/", NULL, NULL, NULL);
    rig_talk(rig);
    assert_int_equal(rig->closed, 1);
    assert_int_equal(rig->close_error, NGHTTP2_REFUSED_STREAM);
    rig->on_complete = NULL;
    client_request(rig, "GET", "/", NULL, NULL, NULL);
    rig_talk(rig);
    assert_int_equal(rig->status, 200);
    assert_int_equal(rig->answers, 1);
    rig_destroy(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_exactly_the_frame_in_any_state),
        cmocka_unit_test(later_frames_of_the_stream_are_ignored),
        cmocka_unit_test(it_may_be_said_in_any_callback),
        cmocka_unit_test(without_it_all_is_served),
        cmocka_unit_test(it_is_reset_in_its_header_section_while_a_hold_keeps_the_rest),
        cmocka_unit_test(it_comes_after_what_was_queued),
        cmocka_unit_test(it_comes_after_our_settings),
        cmocka_unit_test(it_waits_for_the_end_of_a_hold_and_is_not_said_while_watching),
        cmocka_unit_test(nothing_is_told_of_an_exchange_behind_its_end),
        cmocka_unit_test(a_request_that_was_ended_within_its_header_section_is_told),
        cmocka_unit_test(a_client_sees_the_code_and_continues),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
