/* test_h2_trouble.c - the HTTP/2 engine against broken and hostile clients, and without memory. */
#include "harness/h2_rig.h"
#include "harness/memory.h"

/* --- Protocol errors */

#define BYTES(text)                       text, sizeof(text) - 1
#define HEAD(length, type, flags, stream) "\0\0" length type flags "\0\0\0" stream
#define GET1                              HEAD("\6", "\1", "\5", "\1") GET_BLOCK
#define POST1                             HEAD("\6", "\1", "\4", "\1") POST_BLOCK

static void broken_connections_end_with_the_right_goaway(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *goaway;
    } rows[] = {
        { BYTES(HEAD("\1", "\0", "\0", "\0") "x"),
          "GOAWAY last=0 PROTOCOL_ERROR [DATA: stream_id == 0]\n" },
        { BYTES(HEAD("\1", "\0", "\0", "\1") "x"),
          "GOAWAY last=0 PROTOCOL_ERROR [DATA: stream in idle]\n" },
        { BYTES(HEAD("\6", "\1", "\5", "\0") GET_BLOCK),
          "GOAWAY last=0 PROTOCOL_ERROR [request HEADERS: stream_id == 0]\n" },
        { BYTES(HEAD("\6", "\1", "\5", "\2") GET_BLOCK),
          "GOAWAY last=0 PROTOCOL_ERROR [request HEADERS: invalid stream_id]\n" },
        { BYTES(HEAD("\1", "\x09", "\4", "\1") "x"),
          "GOAWAY last=0 PROTOCOL_ERROR [CONTINUATION: unexpected]\n" },
        { BYTES("\0\x40\1\0\0\0\0\0\1"),
          "GOAWAY last=0 FRAME_SIZE_ERROR [too large frame size]\n" },
        { BYTES(HEAD("\7", "\6", "\0", "\0") "1234567"), "GOAWAY last=0 FRAME_SIZE_ERROR\n" },
        { BYTES(HEAD("\5", "\4", "\0", "\0") "12345"), "GOAWAY last=0 FRAME_SIZE_ERROR\n" },
        { BYTES(HEAD("\0", "\4", "\0", "\1")),
          "GOAWAY last=0 PROTOCOL_ERROR [SETTINGS: stream_id != 0]\n" },
        { BYTES(HEAD("\4", "\3", "\0", "\1") "\0\0\0\0"),
          "GOAWAY last=0 PROTOCOL_ERROR [RST_STREAM: stream in idle]\n" },
        { BYTES(HEAD("\4", "\x08", "\0", "\0") "\0\0\0\0"),
          "GOAWAY last=0 PROTOCOL_ERROR [WINDOW_UPDATE: window_size_increment == 0]\n" },
        { BYTES(HEAD("\4", "\x08", "\0", "\0") "\x7f\xff\xff\xff"),
          "GOAWAY last=0 FLOW_CONTROL_ERROR\n" },
        { BYTES(HEAD("\6", "\1", "\5", "\1") "\xff\xff\xff\xff\xff\xff"),
          "GOAWAY last=1 COMPRESSION_ERROR\n" },
        { BYTES(HEAD("\2", "\1", "\1", "\1") "\x82\x87" HEAD("\1", "\0", "\0", "\1") "x"),
          "GOAWAY last=1 PROTOCOL_ERROR "
          "[unexpected non-CONTINUATION frame or stream_id is invalid]\n" },
        { BYTES(HEAD("\2", "\1", "\1", "\1") "\x82\x87" HEAD("\6", "\1", "\5", "\3") GET_BLOCK),
          "GOAWAY last=1 PROTOCOL_ERROR "
          "[unexpected non-CONTINUATION frame or stream_id is invalid]\n" },
        { BYTES(HEAD("\6", "\1", "\5", "\1") GET_BLOCK HEAD("\1", "\0", "\1", "\1") "x"),
          "GOAWAY last=1 STREAM_CLOSED [DATA: stream in half-closed(remote)]\n" },
        { BYTES(HEAD("\x08", "\7", "\0", "\0") "\0\0\0\5\0\0\0\0"),
          "GOAWAY last=0 PROTOCOL_ERROR [GOAWAY: invalid last_stream_id]\n" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rig *rig = rig_ready();
        rig_input(rig, rows[i].bytes, rows[i].len);
        assert_string_equal(rig_frames(rig), rows[i].goaway);
        assert_int_equal(rig->errors, 1);
        assert_int_equal(rig->finished, 1);
        assert_int_equal(rig->begun, rig->ended);
        rig_input(rig, rows[i].bytes, rows[i].len); /* what comes after the end is ignored */
        rig_get(rig, 99);
        assert_string_equal(rig_frames(rig), "");
        assert_int_equal(rig->finished, 1);
        rig_destroy(rig);
    }
}

static void a_broken_preface_is_a_protocol_error(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *frames;
    } rows[] = {
        { BYTES("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "SETTINGS\nGOAWAY last=0 PROTOCOL_ERROR\n" },
        { BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\rx"), "SETTINGS\nGOAWAY last=0 PROTOCOL_ERROR\n" },
        { BYTES(PREFACE HEAD("\6", "\1", "\5", "\1") GET_BLOCK),
          "SETTINGS\nGOAWAY last=0 PROTOCOL_ERROR [SETTINGS expected]\n" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t step = 1; step < rows[i].len; step += 7) {
            struct rig *rig = rig_create();
            for (size_t at = 0; at < rows[i].len; at += step)
                rig_input(rig, rows[i].bytes + at,
                          rows[i].len - at < step ? rows[i].len - at : step);
            assert_string_equal(rig_frames(rig), rows[i].frames);
            assert_int_equal(rig->errors, 1);
            assert_int_equal(rig->finished, 1);
            assert_int_equal(rig->begun, 0);
            rig_destroy(rig);
        }
    }
}

static void the_odd_goaway_of_go_clients_is_named_as_their_quirk(void **state)
{
    struct rig *rig = rig_ready();
    rig_frame_in(rig, NGHTTP2_GOAWAY, 0, 0, "\0\0\0\5\0\0\0\0bye", 11);
    assert_string_equal(rig_log(rig),
                        "frame GOAWAY 5 NO_ERROR [bye]\n"
                        "error PROTOCOL_ERROR: GOAWAY: invalid last_stream_id (a quirk of some "
                        "Go clients, which name one of their own streams)\n"
                        "finished\n");
    rig_destroy(rig);
}

static void malformed_requests_end_their_stream_only(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *log;
    } rows[] = {
        /* no :path */
        { BYTES(HEAD("\2", "\1", "\5", "\1") "\x82\x87"),
          "begin 1\nerror stream 1: malformed request: RFC 9113 8.3: its fields or its length\n"
          "lost 1: the request was malformed\n" },
        /* a connection-specific field */
        { BYTES(HEAD("\x14", "\1", "\5", "\1") GET_BLOCK "\0\x0a"
                                                         "connection\1x"),
          "begin 1\nerror stream 1: malformed request: Invalid HTTP header field was received: "
          "frame type: 1, stream: 1, name: [connection], value: [x]\n"
          "lost 1: the request was malformed\n" },
        /* content-length: 9, and one byte of body */
        { BYTES(HEAD("\x0a", "\1", "\4", "\1") POST_BLOCK "\x0f\x0d\1"
                                                          "9" HEAD("\1", "\0", "\1", "\1") "x"),
          "begin 1\nheaders 1 POST /\nbody 1 x\nerror stream 1: PROTOCOL_ERROR\n"
          "lost 1: the stream was reset for a protocol error\n" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rig *rig = rig_ready();
        rig_input(rig, rows[i].bytes, rows[i].len);
        assert_string_equal(rig_log(rig), rows[i].log);
        assert_string_equal(rig_frames(rig), "RST_STREAM 1 PROTOCOL_ERROR\n");
        rig_get(rig, 3);
        assert_string_equal(rig_frames(rig), "HEADERS 3\nDATA 3 5 END_STREAM\n");
        assert_int_equal(rig->finished, 0);
        rig_destroy(rig);
    }
}

static void streams_beyond_the_limit_are_refused(void **state)
{
    struct rig *rig = rig_create();
    rig->on_complete = keep_for_later;
    rig_preface(rig); /* our SETTINGS are not acknowledged yet */
    for (uint32_t i = 0; i < H2_STREAMS_MAX; i++)
        rig_get(rig, 2 * i + 1);
    struct exchange *served = rig->last;
    rig_frames(rig);
    rig_log(rig);
    rig_get(rig, 2 * H2_STREAMS_MAX + 1);
    assert_string_equal(rig_frames(rig), "RST_STREAM 257 REFUSED_STREAM\n");
    assert_string_equal(rig_log(rig),
                        "begin 257\nlost 257: refused: too many concurrent streams\n");
    rig_frame_in(rig, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, NULL, 0);
    rig_get(rig, 2 * H2_STREAMS_MAX + 3); /* nor when they are */
    assert_string_equal(rig_frames(rig), "RST_STREAM 259 REFUSED_STREAM\n");
    engine_respond(served, &rig->response); /* a stream that has ended makes way for another */
    rig_frames(rig);
    rig_get(rig, 2 * H2_STREAMS_MAX + 5);
    assert_string_equal(rig_frames(rig), "");
    assert_int_equal(rig->begun, H2_STREAMS_MAX + 3);
    assert_int_equal(rig->finished, 0);
    rig_destroy(rig);
}

/* --- Floods */

static void resets_leave_nothing_behind(void **state)
{
    struct rig *rig = rig_ready();
    rig->on_complete = keep_for_later;
    long before = 0;
    for (uint32_t i = 0; i < 900; i++) { /* nghttp2 ends it at 1000 a burst */
        rig_get(rig, 2 * i + 1);
        rig_frame_in(rig, NGHTTP2_RST_STREAM, 0, 2 * i + 1, "\0\0\0\x08", 4);
        rig_log(rig);
        if (i == 10)
            before = memory_blocks();
    }
    assert_int_equal(rig->begun, 900);
    assert_int_equal(rig->ended, 900);
    assert_in_range(memory_blocks(), 0, before + 2);
    rig_destroy(rig);
}

static void a_flood_is_ended(void **state)
{
    static const struct {
        uint8_t type, flags;
        const char *payload;
        size_t len;
    } rows[] = {
        { NGHTTP2_PING, 0, "12345678", 8 },
        { NGHTTP2_SETTINGS, 0, "", 0 },
        { NGHTTP2_HEADERS, END_STREAM | END_HEADERS, BYTES(GET_BLOCK) }, /* refused from 129 on */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rig *rig = rig_create();
        rig->on_complete = keep_for_later;
        rig_preface(rig);
        rig_frames(rig);
        rig->room = 0; /* the client reads nothing */
        for (uint32_t n = 0; n < 20000 && rig->finished == 0; n++) {
            rig_frame_in(rig, rows[i].type, rows[i].flags,
                         rows[i].type == NGHTTP2_HEADERS ? 2 * n + 1 : 0, rows[i].payload,
                         rows[i].len);
            buf_consume(&rig->log, buf_len(&rig->log));
        }
        assert_int_equal(rig->finished, 1);
        assert_non_null(strstr(rig_frames(rig), " ENHANCE_YOUR_CALM"));
        rig_destroy(rig);
    }
}

/* --- Without memory */

static void respond_large(struct rig *rig, struct exchange *ex)
{
    static char body[4000];
    struct response response = rig->response;
    response.body = body;
    response.body_len = sizeof body;
    engine_respond(ex, &response);
}

/* A conversation that takes most paths that allocate. */
static void converse(struct rig *rig)
{
    static const char flight[] =
        PREFACE HEAD("\6", "\4", "\0", "\0") "\0\1\0\0\x10\0" GET1 HEAD("\x0b", "\1", "\4", "\3")
            POST_BLOCK
        "\x40\1k\1v" HEAD("\2", "\0", "\1", "\3") "ab" HEAD("\x08", "\6", "\0", "\0") "12345678";
    static const char held[] = HEAD("\6", "\1", "\4", "\5") POST_BLOCK HEAD(
        "\2", "\0", "\1", "\5") "ab" HEAD("\x0a", "\7", "\0", "\0") "\0\0\0\0\0\0\0\0hi";
    static const struct goaway goaway = {
        .last = GOAWAY_LAST_NUMBER, .number = 5, .debug = "d", .debug_len = 1
    };
    rig->on_complete = respond_large;
    engine_input(rig->engine, (const uint8_t *)flight, sizeof flight - 1);
    engine_watch(rig->engine, WATCH_HOLD);
    engine_input(rig->engine, (const uint8_t *)held, sizeof held - 1);
    engine_resume(rig->engine);
    engine_goaway(rig->engine, &goaway);
    rig->on_begin = respond_large;
    engine_set(rig->engine, ENGINE_KEEP_WINDOWS, 1);
    engine_set(rig->engine, ENGINE_HOLD_STREAMS, 1);
    engine_set(rig->engine, ENGINE_MAX_STREAMS, 100);
    engine_ping(rig->engine, (const uint8_t *)"87654321");
    engine_rst_stream(rig->engine, 1, NGHTTP2_CANCEL);
    static const char last[] = HEAD("\6", "\1", "\5", "\7") GET_BLOCK;
    engine_input(rig->engine, (const uint8_t *)last, sizeof last - 1);
    engine_set(rig->engine, ENGINE_HOLD_STREAMS, 0);
    engine_set(rig->engine, ENGINE_KEEP_WINDOWS, 0);
    engine_shutdown(rig->engine);
}

static void missing_memory_loses_exchanges_but_never_the_process(void **state)
{
    for (int all = 0; all < 2; all++) {
        long n = 0;
        bool failed = true;
        while (failed && n < 1000) {
            struct rig *rig = rig_create();
            assert_non_null(rig);
            h2_stop(); /* so that it has to ask the heap */
            if (all)
                memory_ends_after(n);
            else
                memory_fails_once_after(n);
            converse(rig);
            failed = memory_restore() > 0;
            assert_int_equal(rig->finished, 1);
            rig->log.failed = rig->out.failed = false;
            rig_destroy(rig);
            n++;
        }
        assert_in_range(n, 20, 999);
    }
}

static void an_exchange_without_memory_is_reset(void **state)
{
    struct rig *holders[3]; /* so many exchanges that none is left in the pool */
    for (size_t i = 0; i < 3; i++) {
        holders[i] = rig_ready();
        holders[i]->on_complete = keep_for_later;
        for (uint32_t k = 0; k < H2_STREAMS_MAX; k++)
            rig_get(holders[i], 2 * k + 1);
    }
    static const uint8_t get[] = HEAD("\6", "\1", "\5", "\1") GET_BLOCK;
    struct rig *rig = rig_ready();
    memory_fails_once_after(0);
    engine_input(rig->engine, get, sizeof get - 1);
    assert_int_equal(memory_restore(), 1);
    assert_string_equal(rig_frames(rig), "RST_STREAM 1 INTERNAL_ERROR\n");
    assert_string_equal(rig_log(rig), "");
    rig_get(rig, 3);
    assert_string_equal(rig_frames(rig), "HEADERS 3\nDATA 3 5 END_STREAM\n");
    rig_destroy(rig);
    for (size_t i = 0; i < 3; i++)
        rig_destroy(holders[i]);
}

static void missing_memory_is_reported_at_creation(void **state)
{
    long n = 0;
    int error = -ENOMEM;
    while (error) {
        struct engine *engine;
        h2_stop(); /* so that it has to ask the heap */
        memory_fails_once_after(n++);
        error = h2_create(&rig_calls, NULL, &engine);
        if (memory_restore() > 0)
            assert_int_equal(error, -ENOMEM);
        if (!error)
            engine_destroy(engine);
    }
    assert_in_range(n, 5, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broken_connections_end_with_the_right_goaway),
        cmocka_unit_test(a_broken_preface_is_a_protocol_error),
        cmocka_unit_test(the_odd_goaway_of_go_clients_is_named_as_their_quirk),
        cmocka_unit_test(malformed_requests_end_their_stream_only),
        cmocka_unit_test(streams_beyond_the_limit_are_refused),
        cmocka_unit_test(resets_leave_nothing_behind),
        cmocka_unit_test(a_flood_is_ended),
        cmocka_unit_test(missing_memory_loses_exchanges_but_never_the_process),
        cmocka_unit_test(an_exchange_without_memory_is_reset),
        cmocka_unit_test(missing_memory_is_reported_at_creation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
