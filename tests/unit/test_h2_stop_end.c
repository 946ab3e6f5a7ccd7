/* test_h2_stop_end.c - HTTP/2 responses that have stopped, and whose exchange or connection ends,
 * or is held. */
#include <unistd.h>

#include "base/log.h"
#include "harness/h2_stop_rig.h"
#include "harness/memory.h"

/* --- What the engine complains of about itself (--wrap) */

void __wrap_log_sometimes(struct log_gate *gate, enum log_level level, const char *format, ...);

static unsigned complaints;

void __wrap_log_sometimes(struct log_gate *gate, enum log_level level, const char *format, ...)
{
    complaints++;
}

/* Stream 1 stopped after n octets, inside a frame, with nothing behind it said. */
static struct rig *rig_stopped_inside(uint64_t n)
{
    struct rig *rig = stop_rig(STOP_OCTETS, n);
    rig_get(rig, 1);
    assert_non_null(stop_exchange);
    assert_int_equal(buf_len(&rig->out), n);
    assert_string_equal(rig_log(rig), "begin 1\nheaders 1 GET /\ncomplete 1\nstopped 1 octets\n");
    rig->on_complete = respond_now;
    return rig;
}

/* --- The end of an exchange that has stopped */

static void the_frame_is_finished_when_the_client_resets_the_stream(void **state)
{
    struct rig *rig = rig_stopped_inside(20);
    rig_get(rig, 3);
    rig_frame_in(rig, NGHTTP2_RST_STREAM, 0, 3, "\0\0\0\x08", 4); /* another one */
    assert_int_equal(buf_len(&rig->out), 20);
    rig_get(rig, 5);
    assert_int_equal(buf_len(&rig->out), 20);
    rig_log(rig);
    rig_frame_in(rig, NGHTTP2_RST_STREAM, 0, 1, "\0\0\0\x08", 4);
    assert_string_equal(rig_frames(rig), "HEADERS 1\nHEADERS 5\nDATA 5 5 END_STREAM\n");
    assert_string_equal(rig_log(rig), "frame RST_STREAM 1 CANCEL []\n"
                                      "lost 1: stream reset by the client\nresponded 5\n");
    rig_destroy(rig);
}

/* nghttp2 believes that stream 1 is closed: its END_STREAM is in the frame that is kept. */
static struct rig *rig_stopped_in_the_last_frame(bool at_its_end)
{
    struct rig *rig = stop_rig(STOP_CONTENT, 0);
    rig_get(rig, 1);
    size_t n = stop_section_len(rig) + 9 + (at_its_end ? 5 : 2);
    assert_int_equal(engine_stop_at(stop_exchange, STOP_OCTETS, n), 0);
    engine_continue(stop_exchange);
    assert_int_equal(buf_len(&rig->out), n);
    assert_int_equal(rig->ended, 0);
    rig_log(rig);
    return rig;
}

static void the_last_frame_is_finished_too(void **state)
{
    for (unsigned how = 0; how < 4; how++) {
        struct rig *rig = rig_stopped_in_the_last_frame(how % 2);
        bool lost = how % 2 == 0;
        if (how < 2) {
            rig_frame_in(rig, NGHTTP2_RST_STREAM, 0, 1, "\0\0\0\x08", 4);
            assert_string_equal(rig_log(rig), lost ? "frame RST_STREAM 1 CANCEL []\n"
                                                     "lost 1: stream reset by the client\n"
                                                   : "frame RST_STREAM 1 CANCEL []\n");
        } else {
            engine_rst_stream(rig->engine, 1, NGHTTP2_CANCEL);
            assert_string_equal(rig_log(rig), lost ? "lost 1: the server reset its stream\n" : "");
        }
        if (!lost) /* all of it had left, and it waits for engine_continue */
            engine_continue(stop_exchange);
        assert_string_equal(rig_log(rig), lost ? "" : "responded 1\n");
        assert_string_equal(rig_frames(rig), how < 2 ? "HEADERS 1\nDATA 1 5 END_STREAM\n"
                                                     : "HEADERS 1\nDATA 1 5 END_STREAM\n"
                                                       "RST_STREAM 1 CANCEL\n");
        rig_destroy(rig);
    }
}

static void the_frame_is_finished_before_rst_stream(void **state)
{
    struct rig *rig = rig_stopped_inside(20);
    rig_get(rig, 3);
    engine_rst_stream(rig->engine, 3, NGHTTP2_CANCEL); /* of another one it waits */
    assert_int_equal(buf_len(&rig->out), 20);
    engine_rst_stream(rig->engine, 1, NGHTTP2_CANCEL);
    assert_string_equal(rig_frames(rig), "HEADERS 1\nRST_STREAM 3 CANCEL\nRST_STREAM 1 CANCEL\n");
    assert_int_equal(rig->ended, 2);
    rig_destroy(rig);
}

static void reset_it(struct rig *rig, struct exchange *ex)
{
    engine_rst_stream(rig->engine, ex->stream, NGHTTP2_CANCEL);
    engine_continue(ex);
}

static void rst_stream_may_be_said_when_it_has_stopped(void **state)
{
    static const struct {
        enum engine_stop of;
        uint64_t place;
        const char *frames;
    } rows[] = {
        { STOP_CONTENT, 0, "HEADERS 1\nRST_STREAM 1 CANCEL\n" },
        { STOP_CONTENT, 3, "HEADERS 1\nDATA 1 3\nRST_STREAM 1 CANCEL\n" },
        { STOP_CONTENT, 5, "HEADERS 1\nDATA 1 5\nRST_STREAM 1 CANCEL\n" },
        { STOP_OCTETS, 3, "HEADERS 1\nRST_STREAM 1 CANCEL\n" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rig *rig = stop_rig(rows[i].of, rows[i].place);
        rig->on_stopped = reset_it;
        rig_get(rig, 1);
        assert_string_equal(rig_frames(rig), rows[i].frames);
        assert_int_equal(rig->ended, 1);
        rig->on_complete = respond_now;
        rig_get(rig, 3);
        assert_string_equal(rig_frames(rig), "HEADERS 3\nDATA 3 5 END_STREAM\n");
        rig_destroy(rig);
    }
}

static void goaway_waits_unless_it_ends_the_exchange(void **state)
{
    static const struct goaway none = { .last = GOAWAY_LAST_NONE }, seen = { 0 };
    struct rig *rig = rig_stopped_inside(20);
    engine_goaway(rig->engine, &seen);
    assert_int_equal(buf_len(&rig->out), 20);
    engine_continue(stop_exchange);
    assert_string_equal(rig_frames(rig),
                        "HEADERS 1\nDATA 1 5 END_STREAM\nGOAWAY last=1 NO_ERROR\n");
    rig_destroy(rig);

    rig = rig_stopped_inside(20);
    engine_goaway(rig->engine, &none);
    assert_string_equal(rig_frames(rig), "HEADERS 1\nGOAWAY last=0 NO_ERROR\n");
    assert_string_equal(rig_log(rig), "lost 1: its stream is above the last of our GOAWAY\n");
    rig_destroy(rig);
}

static void the_end_of_the_connection_waits(void **state)
{
    struct rig *rig = rig_stopped_inside(20);
    rig_frame_in(rig, NGHTTP2_DATA, 0, 0, "x", 1);
    engine_pump(rig->engine);
    assert_int_equal(buf_len(&rig->out), 20);
    assert_int_equal(rig->finished, 0);
    engine_continue(stop_exchange);
    const char *frames = rig_frames(rig);
    assert_memory_equal(frames, "HEADERS 1\nGOAWAY", 16);
    assert_int_equal(rig->finished, 1);
    assert_int_equal(rig->errors, 1);
    rig_destroy(rig);

    rig = rig_stopped_inside(20);
    engine_shutdown(rig->engine);
    engine_peer_closed(rig->engine);
    assert_int_equal(buf_len(&rig->out), 20);
    assert_int_equal(rig->finished, 0);
    engine_continue(stop_exchange);
    assert_string_equal(rig_frames(rig),
                        "HEADERS 1\nDATA 1 5 END_STREAM\nGOAWAY last=1 NO_ERROR\n");
    assert_int_equal(rig->finished, 1);
    rig_destroy(rig);

    rig = rig_stopped_inside(20);
    for (unsigned i = 0; i < 20000; i++) /* a flood is kept within bounds */
        stop_ping(rig);
    assert_int_equal(buf_len(&rig->out), 20);
    rig_destroy(rig);
}

/* What is said is dropped then, and reaches no place. */
static void a_response_that_is_to_stop_at_its_end_ends_while_watching(void **state)
{
    struct rig *rig = stop_rig(STOP_CONTENT, 5);
    rig->room = 0;
    rig_get(rig, 1);
    engine_watch(rig->engine, WATCH_ONLY);
    stop_ping(rig); /* from where nghttp2 would continue for ever */
    assert_null(stop_exchange);
    assert_string_equal(rig_frames(rig), "");
    rig_destroy(rig);
}

static void what_has_stopped_is_lost_with_the_connection(void **state)
{
    for (unsigned how = 0; how < 4; how++) {
        struct rig *rig = how == 0   ? rig_stopped_inside(20)
                          : how == 1 ? rig_stopped_in_the_last_frame(false)
                          : how == 2 ? rig_stopped_in_the_last_frame(true)
                                     : stop_rig(STOP_CONTENT, 3);
        if (how == 3)
            rig_get(rig, 1);
        rig_log(rig);
        engine_destroy(rig->engine);
        assert_string_equal(rig_log(rig),
                            how == 2 ? "responded 1\n" : "lost 1: the connection ended\n");
        assert_int_equal(h2_create(&rig_calls, rig, &rig->engine), 0);
        rig_destroy(rig);
    }
}

/* --- Watching */

static void a_hold_and_a_stop_both_hold(void **state)
{
    for (unsigned hold_ends_first = 0; hold_ends_first < 2; hold_ends_first++) {
        struct rig *rig = rig_stopped_inside(20);
        engine_watch(rig->engine, WATCH_HOLD);
        rig_get(rig, 3);
        if (hold_ends_first)
            engine_resume(rig->engine);
        else
            engine_continue(stop_exchange);
        assert_int_equal(buf_len(&rig->out), 20);
        if (hold_ends_first)
            engine_continue(stop_exchange);
        else
            engine_resume(rig->engine);
        assert_string_equal(rig_frames(rig), "HEADERS 1\nHEADERS 3\nDATA 1 5 END_STREAM\n"
                                             "DATA 3 5 END_STREAM\n");
        rig_destroy(rig);
    }
}

static void nothing_follows_once_it_watches(void **state)
{
    struct rig *rig = rig_stopped_inside(20);
    engine_watch(rig->engine, WATCH_ONLY);
    engine_continue(stop_exchange);
    rig_get(rig, 3);
    for (unsigned i = 0; i < 3000; i++)
        stop_ping(rig);
    engine_pump(rig->engine);
    assert_int_equal(buf_len(&rig->out), 20);
    assert_int_equal(rig->ended, 0);
    assert_int_equal(rig->stale, 1);
    rig_destroy(rig);

    rig = rig_stopped_in_the_last_frame(false);
    engine_watch(rig->engine, WATCH_ONLY);
    engine_destroy(rig->engine);
    assert_string_equal(rig_log(rig), "lost 1: the connection ended\n");
    assert_int_equal(h2_create(&rig_calls, rig, &rig->engine), 0);
    rig_destroy(rig);
}

static void watch_it(struct rig *rig, struct exchange *ex)
{
    engine_watch(rig->engine, WATCH_ONLY);
}

static void watching_may_begin_when_it_has_stopped(void **state)
{
    struct rig *rig = stop_rig(STOP_OCTETS, 20);
    rig->on_stopped = watch_it;
    rig_get(rig, 1);
    rig_get(rig, 3);
    assert_int_equal(buf_len(&rig->out), 20);
    assert_int_equal(rig->stale, 1);
    rig_destroy(rig);
}

/* Streams 1 and 3 wait for windows with a place ahead; what comes then is dropped, and comes to an
 * end. */
static void waiting_for_a_window_ends_with_watching(void **state)
{
    enum { WINDOWS = 7, PLACES = 7, HOWS = 3 };
    for (unsigned row = 0; row < WINDOWS * PLACES * HOWS; row++) {
        uint8_t window[] = { 0, 4, 0, 0, 0, (uint8_t)(row % WINDOWS) };
        unsigned how = row / WINDOWS / PLACES;
        struct rig *rig = stop_rig(STOP_CONTENT, row / WINDOWS % PLACES);
        rig_frame_in(rig, NGHTTP2_SETTINGS, 0, 0, window, sizeof window);
        rig_get(rig, 1);
        rig_get(rig, 3);
        if (how == 1)
            engine_watch(rig->engine, WATCH_HOLD);
        if (how == 2)
            rig_frame_in(rig, NGHTTP2_WINDOW_UPDATE, 0, 1, "\0\0\0\1", 4);
        engine_watch(rig->engine, WATCH_ONLY);
        size_t before = buf_len(&rig->out);
        rig_frame_in(rig, NGHTTP2_WINDOW_UPDATE, 0, 3, "\0\0\0\1", 4);
        rig_frame_in(rig, NGHTTP2_WINDOW_UPDATE, 0, 1, "\0\0\1\0", 4);
        rig_frame_in(rig, NGHTTP2_WINDOW_UPDATE, 0, 3, "\0\0\1\0", 4);
        rig_get(rig, 5);
        assert_int_equal(rig->stale, 1);
        assert_int_equal(buf_len(&rig->out), before);
        assert_int_equal(complaints, 0);
        rig_destroy(rig);
    }
}

/* --- No pump without progress */

int __real_h2_stop_ask(struct h2 *h, struct h2_exchange *ex, size_t *n);
int __wrap_h2_stop_ask(struct h2 *h, struct h2_exchange *ex, size_t *n);

static bool grants_nothing;

int __wrap_h2_stop_ask(struct h2 *h, struct h2_exchange *ex, size_t *n)
{
    int error = __real_h2_stop_ask(h, ex, n);
    if (grants_nothing)
        *n = 0;
    return error;
}

static void a_response_without_progress_is_given_up(void **state)
{
    struct rig *rig = stop_rig(STOP_CONTENT, 2);
    grants_nothing = true;
    rig_get(rig, 1);
    grants_nothing = false;
    assert_int_equal(complaints, 1);
    assert_string_equal(rig_frames(rig), "HEADERS 1\nRST_STREAM 1 INTERNAL_ERROR\n");
    assert_string_equal(rig_log(rig), "begin 1\nheaders 1 GET /\ncomplete 1\n"
                                      "lost 1: the server made no progress with its response\n");
    rig->on_complete = respond_now;
    rig_get(rig, 3);
    assert_string_equal(rig_frames(rig), "HEADERS 3\nDATA 3 5 END_STREAM\n");
    rig_destroy(rig);
}

/* --- With held streams, and without memory */

static void held_streams_stay_held(void **state)
{
    struct rig *rig = stop_rig(STOP_CONTENT, 3);
    rig_get(rig, 1);
    rig_frames(rig);
    engine_set(rig->engine, ENGINE_HOLD_STREAMS, 1);
    engine_continue(stop_exchange);
    assert_string_equal(rig_frames(rig), "");
    engine_set(rig->engine, ENGINE_HOLD_STREAMS, 0);
    assert_string_equal(rig_frames(rig), "DATA 1 2 END_STREAM\n");
    rig_destroy(rig);
}

static void released(void *arg)
{
}

static void stop_in_content(struct rig *rig, struct exchange *ex)
{
    assert_int_equal(engine_stop_at(ex, STOP_CONTENT, 4800), 0);
}

static void what_cannot_stop_ends_the_connection(void **state)
{
    static const uint8_t get[] = "\0\0\6\1\5\0\0\0\1" GET_BLOCK;
    static char body[5000];
    static const char *const data[] = { "DATA 1 5000 END_STREAM", "DATA 1 4800" };
    for (unsigned twice = 0; twice < 2; twice++) {
        struct rig *rig = stop_rig(STOP_OCTETS, 200);
        char frames[100];
        if (twice) /* the frame would have stopped it at its end, too */
            rig->on_headers = stop_in_content;
        rig->response.body = body;
        rig->response.body_len = sizeof body;
        rig->response.release = released;
        buf_reserve(&rig->out, 20000);
        complaints = 0;
        memory_lacks_blocks_of(4500); /* what is left of the DATA frame */
        engine_input(rig->engine, get, sizeof get - 1);
        memory_restore();
        snprintf(frames, sizeof frames, "HEADERS 1\n%s\nGOAWAY last=1 INTERNAL_ERROR\n",
                 data[twice]);
        assert_string_equal(rig_frames(rig), frames);
        assert_null(stop_exchange);
        assert_int_equal(rig->finished, 1);
        assert_int_equal(complaints, 0);
        rig_destroy(rig);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_frame_is_finished_when_the_client_resets_the_stream),
        cmocka_unit_test(the_last_frame_is_finished_too),
        cmocka_unit_test(the_frame_is_finished_before_rst_stream),
        cmocka_unit_test(rst_stream_may_be_said_when_it_has_stopped),
        cmocka_unit_test(goaway_waits_unless_it_ends_the_exchange),
        cmocka_unit_test(the_end_of_the_connection_waits),
        cmocka_unit_test(a_response_that_is_to_stop_at_its_end_ends_while_watching),
        cmocka_unit_test(what_has_stopped_is_lost_with_the_connection),
        cmocka_unit_test(a_hold_and_a_stop_both_hold),
        cmocka_unit_test(nothing_follows_once_it_watches),
        cmocka_unit_test(watching_may_begin_when_it_has_stopped),
        cmocka_unit_test(waiting_for_a_window_ends_with_watching),
        cmocka_unit_test(a_response_without_progress_is_given_up),
        cmocka_unit_test(held_streams_stay_held),
        cmocka_unit_test(what_cannot_stop_ends_the_connection),
    };
    alarm(60); /* a pump that does not end is a failure, not a test that waits for ever */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
