/* test_h2_blame.c - what the HTTP/2 engine says of a client: one error of the connection is told
 * once, and what waits because we put nothing out is no flood of the client's.
 */
#include "harness/h2_stop_rig.h"

/* The frames of this type that were put out. */
static unsigned count_out(const struct rig *rig, uint8_t type)
{
    unsigned count = 0;
    const uint8_t *p = buf_bytes(&rig->out);
    for (size_t at = 0; at + 9 <= buf_len(&rig->out);) {
        count += p[at + 3] == type;
        at += 9 + ((size_t)p[at] << 16 | (size_t)p[at + 1] << 8 | p[at + 2]);
    }
    return count;
}

/* --- One error, one event */

struct error {
    uint8_t type, flags;
    uint32_t stream;
    const char *payload;
    size_t len;
    unsigned times;
};

#define PADDED NGHTTP2_FLAG_PADDED

/* Those that nghttp2 finds come first. Stream 1 was answered, 3 was never opened, and its client
 * has reset stream 5. */
static const struct error errors[] = {
    { NGHTTP2_PING, 0, 1, "12345678", 8, 1 },
    { NGHTTP2_SETTINGS, 0, 0, "12345", 5, 1 },
    { NGHTTP2_WINDOW_UPDATE, 0, 0, "\0\0\0\0", 4, 1 },
    { NGHTTP2_DATA, 0, 0, "x", 1, 1 },
    { NGHTTP2_RST_STREAM, 0, 99, "\0\0\0\x08", 4, 1 },
    { NGHTTP2_HEADERS, END_HEADERS, 7, "\xff\xff\x7f", 3, 1 },
    { NGHTTP2_DATA, 0, 1, "x", 1, 1 },
    { NGHTTP2_HEADERS, END_HEADERS, 3, GET_BLOCK, BLOCK_LEN, 1 },
    { NGHTTP2_DATA, 0, 5, "x", 1, 1 },
    { NGHTTP2_HEADERS, PADDED, 9, "", 0, 1 },
    { NGHTTP2_PING, 0, 0, "12345678", 8, 10001 },
};
#define FOUND_BY_NGHTTP2 6

static void put_error(struct buf *to, const struct error *e)
{
    for (unsigned i = 0; i < e->times; i++)
        put_frame(to, e->type, e->flags, e->stream, e->payload, e->len);
}

static void one_error_of_the_connection_is_told_once(void **state)
{
    size_t count = sizeof errors / sizeof *errors;
    for (size_t i = 0; i < FOUND_BY_NGHTTP2 * count * 2; i++) {
        struct rig *rig = rig_ready();
        struct buf both = { 0 };
        bool held = i % 2;
        rig_get(rig, 1);
        rig_frame_in(rig, NGHTTP2_HEADERS, END_HEADERS, 5, POST_BLOCK, BLOCK_LEN);
        rig_frame_in(rig, NGHTTP2_RST_STREAM, 0, 5, "\0\0\0\x08", 4);
        assert_int_equal(rig->errors, 0);
        put_error(&both, &errors[i / 2 / count]);
        put_error(&both, &errors[i / 2 % count]);
        if (held)
            engine_watch(rig->engine, WATCH_HOLD);
        rig_input(rig, buf_bytes(&both), buf_len(&both));
        assert_int_equal(rig->errors, held ? 0 : 1);
        engine_resume(rig->engine);
        assert_int_equal(rig->errors, 1);
        assert_int_equal(rig->limits, 0);
        assert_int_equal(rig->finished, 1);
        assert_int_equal(count_out(rig, NGHTTP2_GOAWAY), 1);
        buf_free(&both);
        rig_destroy(rig);
    }
}

/* --- What waits for our sake */

enum silence { A_HOLD, A_RESPONSE_THAT_STANDS, SILENCES };

static struct rig *rig_silent(enum silence how)
{
    if (how == A_HOLD) {
        struct rig *rig = rig_ready();
        rig_get(rig, 1);
        engine_watch(rig->engine, WATCH_HOLD);
        return rig;
    }
    struct rig *rig = stop_rig(STOP_OCTETS, 20);
    rig_get(rig, 1);
    assert_non_null(stop_exchange);
    rig->on_complete = respond_now;
    return rig;
}

static void end_silence(struct rig *rig, enum silence how)
{
    if (how == A_HOLD)
        engine_resume(rig->engine);
    else
        engine_continue(stop_exchange);
}

static void ask_ping(struct rig *rig, unsigned i)
{
    stop_ping(rig);
}

static void ask_settings(struct rig *rig, unsigned i)
{
    rig_frame_in(rig, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
}

/* DATA behind RST_STREAM: the stream is reset once more. */
static void ask_reset(struct rig *rig, unsigned i)
{
    rig_frame_in(rig, NGHTTP2_HEADERS, END_HEADERS, 3 + 2 * i, POST_BLOCK, BLOCK_LEN);
    rig_frame_in(rig, NGHTTP2_RST_STREAM, 0, 3 + 2 * i, "\0\0\0\x08", 4);
    rig_frame_in(rig, NGHTTP2_DATA, 0, 3 + 2 * i, "x", 1);
}

static const struct {
    void (*ask)(struct rig *rig, unsigned i);
    uint8_t answer;
    unsigned times; /* more than may be asked for at once if all is answered at once */
} askings[] = {
    { ask_ping, NGHTTP2_PING, 9500 },
    { ask_settings, NGHTTP2_SETTINGS, 9500 },
    { ask_reset, NGHTTP2_RST_STREAM, 600 },
};

static void answers_that_wait_for_our_sake_are_no_flood(void **state)
{
    for (unsigned i = 0; i < SILENCES * sizeof askings / sizeof *askings; i++) {
        enum silence how = i % SILENCES;
        struct rig *rig = rig_silent(how);
        size_t before = buf_len(&rig->out);
        unsigned times = askings[i / SILENCES].times, asked = 0;
        while (asked < times && !engine_full(rig->engine))
            askings[i / SILENCES].ask(rig, asked++);
        /* Inside a frame nothing else bounds them: then no more is to be read. */
        assert_int_equal(asked, how == A_RESPONSE_THAT_STANDS && times > LIMIT_FRAMES ? LIMIT_FRAMES
                                                                                      : times);
        assert_int_equal(buf_len(&rig->out), before);
        end_silence(rig, how);
        assert_false(engine_full(rig->engine));
        assert_int_equal(count_out(rig, askings[i / SILENCES].answer), asked);
        buf_consume(&rig->out, buf_len(&rig->out));
        rig_get(rig, 9999);
        assert_string_equal(rig_frames(rig), "HEADERS 9999\nDATA 9999 5 END_STREAM\n");
        assert_int_equal(rig->limits, 0);
        assert_int_equal(rig->finished, 0);
        rig_destroy(rig);
    }
}

/* In the same time, with nothing in the way. */
static void streams_that_are_reset_at_once_are_a_flood(void **state)
{
    struct rig *rig = rig_ready();
    for (unsigned i = 0; i < 600 && !rig->limits; i++) {
        rig_log(rig);
        ask_reset(rig, i);
    }
    assert_int_equal(rig->limits, 1);
    assert_non_null(strstr(rig_log(rig), "a flood of streams that are reset"));
    rig_destroy(rig);
}

static void a_client_that_does_not_read_answers_is_told_to_be_calm(void **state)
{
    struct rig *rig = rig_ready();
    rig->room = 0;
    for (unsigned i = 0; i <= LIMIT_FRAMES; i++) {
        assert_int_equal(rig->limits, 0);
        rig_log(rig);
        stop_ping(rig);
    }
    assert_int_equal(rig->limits, 1);
    assert_int_equal(rig->errors, 0);
    assert_int_equal(rig->finished, 1);
    assert_non_null(strstr(rig_log(rig), "it asks for responses and does not read them"));
    rig_destroy(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_error_of_the_connection_is_told_once),
        cmocka_unit_test(answers_that_wait_for_our_sake_are_no_flood),
        cmocka_unit_test(streams_that_are_reset_at_once_are_a_flood),
        cmocka_unit_test(a_client_that_does_not_read_answers_is_told_to_be_calm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
