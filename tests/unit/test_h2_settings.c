/* test_h2_settings.c - PING, and what an HTTP/2 engine can be made to do for the rest of the
 * connection: PING or SETTINGS ignored, windows, streams. */
#include "harness/h2_rig.h"

static const uint8_t data[16384];

static void set(struct rig *rig, enum engine_setting setting, uint32_t value)
{
    assert_int_equal(engine_set(rig->engine, setting, value), 0);
}

static void ping(struct rig *rig)
{
    rig_frame_in(rig, NGHTTP2_PING, 0, 0, "12345678", 8);
}

static void settings(struct rig *rig, uint8_t flags)
{
    rig_frame_in(rig, NGHTTP2_SETTINGS, flags, 0, NULL, 0);
}

static void post(struct rig *rig, uint32_t stream)
{
    rig_frame_in(rig, NGHTTP2_HEADERS, END_HEADERS, stream, POST_BLOCK, BLOCK_LEN);
}

static void assert_out(struct rig *rig, const void *bytes, size_t n)
{
    assert_int_equal(buf_len(&rig->out), n);
    assert_memory_equal(buf_bytes(&rig->out), bytes, n);
    rig_frames(rig);
}

/* --- PING */

static void ping_is_exactly_the_frame_and_its_ack_is_reported(void **state)
{
    static const uint8_t opaque[8] = { 0, 1, 2, 3, 0xfc, 0xfd, 0xfe, 0xff };
    static const uint8_t frame[] = {
        0, 0, 8, 6, 0, 0, 0, 0, 0, 0, 1, 2, 3, 0xfc, 0xfd, 0xfe, 0xff
    };
    struct rig *rig = rig_ready();
    assert_int_equal(engine_ping(rig->engine, opaque), 0);
    assert_out(rig, frame, sizeof frame);
    rig_frame_in(rig, NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, opaque, sizeof opaque);
    assert_string_equal(rig_log(rig), "frame PING_ACK 0 NO_ERROR [00010203fcfdfeff]\n");
    assert_string_equal(rig_frames(rig), "");
    rig->room = 0; /* control messages need none */
    engine_ping(rig->engine, opaque);
    assert_string_equal(rig_frames(rig), "PING\n");
    engine_watch(rig->engine, WATCH_ONLY);
    engine_ping(rig->engine, opaque);
    assert_string_equal(rig_frames(rig), "");
    rig_destroy(rig);
}

/* --- What comes is ignored */

static void pings_are_acked_unless_ignored(void **state)
{
    struct rig *rig = rig_ready();
    ping(rig);
    assert_string_equal(rig_frames(rig), "PING ACK\n");
    set(rig, ENGINE_IGNORE_PINGS, 1);
    for (unsigned i = 0; i < 3000; i++) /* no flood: nothing piles up */
        ping(rig);
    settings(rig, 0);
    rig_get(rig, 1);
    assert_string_equal(rig_frames(rig), "SETTINGS ACK\nHEADERS 1\nDATA 1 5 END_STREAM\n");
    set(rig, ENGINE_IGNORE_PINGS, 0);
    assert_string_equal(rig_frames(rig), "");
    ping(rig);
    assert_string_equal(rig_frames(rig), "PING ACK\n");
    assert_int_equal(rig->finished, 0);
    rig_destroy(rig);
}

static void settings_are_acked_unless_ignored(void **state)
{
    struct rig *rig = rig_create();
    set(rig, ENGINE_IGNORE_SETTINGS, 1);
    rig_preface(rig);
    assert_string_equal(rig_frames(rig), "SETTINGS\n");
    for (unsigned i = 0; i < 3000; i++)
        settings(rig, 0);
    ping(rig);
    rig_get(rig, 1);
    assert_string_equal(rig_frames(rig), "PING ACK\nHEADERS 1\nDATA 1 5 END_STREAM\n");
    set(rig, ENGINE_IGNORE_SETTINGS, 0);
    settings(rig, 0);
    assert_string_equal(rig_frames(rig), "SETTINGS ACK\n");
    rig_destroy(rig);
}

static void ignore_pings(struct rig *rig, struct exchange *ex)
{
    set(rig, ENGINE_IGNORE_PINGS, 1);
}

static void what_came_before_the_verb_is_acked(void **state)
{
    struct buf flight = { 0 };
    struct rig *rig = rig_ready();
    rig->on_complete = ignore_pings;
    put_frame(&flight, NGHTTP2_PING, 0, 0, "12345678", 8);
    put_frame(&flight, NGHTTP2_HEADERS, END_STREAM | END_HEADERS, 1, GET_BLOCK, BLOCK_LEN);
    put_frame(&flight, NGHTTP2_PING, 0, 0, "12345678", 8);
    rig_input(rig, buf_bytes(&flight), buf_len(&flight));
    assert_string_equal(rig_frames(rig), "PING ACK\n");
    buf_free(&flight);
    rig_destroy(rig);
}

/* --- Windows */

static void windows_are_given_unless_kept(void **state)
{
    static const uint8_t due[] = {
        0, 0, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0x80, 10, /* all of the connection's */
        0, 0, 4, 8, 0, 0, 0, 0, 1, 0, 0, 0x80, 0,
    };
    struct rig *rig = rig_ready();
    rig->quiet = true;
    post(rig, 1);
    rig_frame_in(rig, NGHTTP2_DATA, 0, 1, data, sizeof data);
    rig_frame_in(rig, NGHTTP2_DATA, 0, 1, data, sizeof data);
    assert_string_equal(rig_frames(rig), "WINDOW_UPDATE 0\nWINDOW_UPDATE 1\n");
    rig_destroy(rig);

    rig = rig_ready();
    rig->quiet = true;
    set(rig, ENGINE_KEEP_WINDOWS, 1);
    post(rig, 1);
    post(rig, 3);
    rig_frame_in(rig, NGHTTP2_DATA, END_STREAM, 3, data, 10);
    rig_frame_in(rig, NGHTTP2_DATA, 0, 1, data, sizeof data);
    rig_frame_in(rig, NGHTTP2_DATA, 0, 1, data, sizeof data);
    assert_string_equal(rig_frames(rig), "HEADERS 3\nDATA 3 5 END_STREAM\n");
    set(rig, ENGINE_KEEP_WINDOWS, 0);
    assert_out(rig, due, sizeof due);
    set(rig, ENGINE_KEEP_WINDOWS, 1);
    set(rig, ENGINE_KEEP_WINDOWS, 0);
    assert_string_equal(rig_frames(rig), ""); /* once */
    rig_frame_in(rig, NGHTTP2_DATA, 0, 1, data, sizeof data);
    rig_frame_in(rig, NGHTTP2_DATA, 0, 1, data, sizeof data);
    assert_string_equal(rig_frames(rig), "WINDOW_UPDATE 0\nWINDOW_UPDATE 1\n");
    assert_int_equal(rig->finished, 0);
    rig_destroy(rig);
}

static void a_client_that_takes_more_than_its_window_is_told(void **state)
{
    struct rig *rig = rig_ready();
    rig->quiet = true;
    set(rig, ENGINE_KEEP_WINDOWS, 1);
    post(rig, 1);
    for (unsigned i = 0; i < 3; i++)
        rig_frame_in(rig, NGHTTP2_DATA, 0, 1, data, sizeof data);
    rig_frame_in(rig, NGHTTP2_DATA, 0, 1, data, sizeof data - 1);
    assert_string_equal(rig_frames(rig), ""); /* 65,535 */
    for (unsigned i = 0; i < 2; i++)
        rig_frame_in(rig, NGHTTP2_DATA, 0, 1, data, sizeof data);
    assert_string_equal(rig_frames(rig), "GOAWAY last=1 FLOW_CONTROL_ERROR\n");
    assert_int_equal(rig->errors, 1);
    assert_int_equal(rig->finished, 1);
    rig_destroy(rig);
}

static int pieces;

static h2_ssize read_much(nghttp2_session *session, int32_t stream, uint8_t *out, size_t length,
                          uint32_t *flags, nghttp2_data_source *source, void *user)
{
    memset(out, 'x', length);
    if (--pieces == 0)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (h2_ssize)length;
}

static void an_upload_stands_still_until_windows_are_given(void **state)
{
    const h2_data_provider body = { .read_callback = read_much };
    struct rig *rig = rig_create();
    rig_client(rig);
    rig->quiet = true;
    rig->response.body_len = 0;
    pieces = 12;
    set(rig, ENGINE_KEEP_WINDOWS, 1);
    client_request(rig, "POST", "/", NULL, NULL, &body);
    rig_talk(rig);
    assert_int_equal(rig->body_bytes, 65535);
    assert_int_equal(rig->answers, 0);
    set(rig, ENGINE_KEEP_WINDOWS, 0);
    rig_talk(rig);
    assert_true(rig->body_bytes > 100000);
    assert_int_equal(rig->errors, 0);
    assert_int_equal(rig->closed, 1);
    rig_destroy(rig);
}

static void the_first_settings_say_what_was_set_before(void **state)
{
    static const uint8_t both[] = {
        0, 0, 12, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 1, 0, 4, 0, 0, 0, 0,
    };
    static const uint8_t ordinary[] = { 0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 128 };
    static const uint8_t large[] = {
        0, 0, 12, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 128, 0, 4, 0x7f, 0xff, 0xff, 0xff,
    };
    struct rig *rig = rig_create();
    engine_pump(rig->engine);
    assert_out(rig, ordinary, sizeof ordinary);
    rig_destroy(rig);

    rig = rig_create();
    set(rig, ENGINE_IGNORE_PINGS, 1);
    set(rig, ENGINE_INITIAL_WINDOW, 0);
    set(rig, ENGINE_HOLD_STREAMS, 1);
    set(rig, ENGINE_HOLD_STREAMS, 0);
    set(rig, ENGINE_MAX_STREAMS, 1);
    assert_int_equal(engine_set(rig->engine, ENGINE_INITIAL_WINDOW, 0x80000000), -EINVAL);
    engine_pump(rig->engine);
    assert_out(rig, both, sizeof both);
    rig_destroy(rig);

    rig = rig_create();
    set(rig, ENGINE_INITIAL_WINDOW, 0x7fffffff);
    rig_preface(rig); /* what came before the first pump is answered behind it */
    assert_memory_equal(buf_bytes(&rig->out), large, sizeof large);
    assert_string_equal(rig_frames(rig), "SETTINGS\nSETTINGS ACK\n");
    rig_destroy(rig);
}

static void later_settings_are_sent_at_once_and_count_when_acked(void **state)
{
    static const uint8_t window[] = { 0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0 };
    struct rig *rig = rig_ready();
    rig->room = 0;
    set(rig, ENGINE_INITIAL_WINDOW, 0);
    assert_out(rig, window, sizeof window);
    rig->room = SIZE_MAX;
    post(rig, 1);
    rig_frame_in(rig, NGHTTP2_DATA, END_STREAM, 1, "x", 1); /* it has not heard of it yet */
    assert_string_equal(rig_frames(rig), "HEADERS 1\nDATA 1 5 END_STREAM\n");
    settings(rig, NGHTTP2_FLAG_ACK);
    rig_get(rig, 3);
    assert_string_equal(rig_frames(rig), "HEADERS 3\nDATA 3 5 END_STREAM\n");
    post(rig, 5);
    rig_frame_in(rig, NGHTTP2_DATA, END_STREAM, 5, "x", 1);
    assert_non_null(strstr(rig_frames(rig), "FLOW_CONTROL_ERROR"));
    rig_destroy(rig);
}

static void streams_above_the_new_maximum_are_refused(void **state)
{
    static const uint8_t one[] = { 0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 1 };
    struct rig *rig = rig_ready();
    rig->on_complete = keep_for_later;
    rig_get(rig, 1);
    rig_get(rig, 3);
    struct exchange *third = rig->last;
    set(rig, ENGINE_MAX_STREAMS, 1);
    assert_out(rig, one, sizeof one);
    rig_log(rig);
    rig_get(rig, 5); /* before the ACK: it can be tried again */
    assert_string_equal(rig_frames(rig), "RST_STREAM 5 REFUSED_STREAM\n");
    assert_string_equal(rig_log(rig), "begin 5\nlost 5: refused: too many concurrent streams\n");
    settings(rig, NGHTTP2_FLAG_ACK);
    engine_respond(third, &rig->response); /* what was open is served */
    assert_string_equal(rig_frames(rig), "HEADERS 3\nDATA 3 5 END_STREAM\n");
    set(rig, ENGINE_MAX_STREAMS, 1000);
    settings(rig, NGHTTP2_FLAG_ACK);
    rig_frames(rig);
    for (uint32_t i = 7; i < 2000; i += 2)
        rig_get(rig, i);
    assert_string_equal(rig_frames(rig), "");
    assert_int_equal(rig->begun, 3 + 997);
    set(rig, ENGINE_MAX_STREAMS, 0);
    settings(rig, NGHTTP2_FLAG_ACK);
    rig_frames(rig);
    rig_log(rig);
    rig_get(rig,
            2001); /* after the ACK it is a broken client, of a stream alone (RFC 9113 5.1.2) */
    assert_string_equal(rig_frames(rig), "RST_STREAM 2001 REFUSED_STREAM\n");
    assert_string_equal(rig_log(rig),
                        "begin 2001\nlost 2001: refused: too many concurrent streams\n");
    assert_int_equal(rig->finished, 0);
    rig_destroy(rig);
}

static void a_client_keeps_to_the_new_maximum(void **state)
{
    struct rig *rig = rig_create();
    rig_client(rig);
    rig->on_complete = keep_for_later;
    set(rig, ENGINE_MAX_STREAMS, 1);
    rig_talk(rig);
    for (unsigned i = 0; i < 3; i++)
        client_request(rig, "GET", "/", NULL, NULL, NULL);
    rig_talk(rig);
    assert_int_equal(rig->begun, 1);
    rig->on_complete = NULL;
    engine_respond(rig->last, &rig->response);
    rig_talk(rig);
    assert_int_equal(rig->answers, 3);
    rig_destroy(rig);
}

/* --- Held streams */

static void no_response_begins_while_streams_are_held(void **state)
{
    struct rig *rig = rig_ready();
    set(rig, ENGINE_HOLD_STREAMS, 1);
    rig_get(rig, 1);
    rig->response.status = 204;
    rig_get(rig, 3);
    ping(rig);
    settings(rig, 0);
    engine_pump(rig->engine);
    assert_string_equal(rig_frames(rig), "PING ACK\nSETTINGS ACK\n");
    assert_null(strstr(rig_log(rig), "responded"));
    set(rig, ENGINE_HOLD_STREAMS, 0);
    assert_string_equal(rig_frames(rig), "HEADERS 1\nHEADERS 3 END_STREAM\nDATA 1 5 END_STREAM\n");
    assert_string_equal(rig_log(rig), "responded 3\nresponded 1\n");
    rig->response.status = 200;
    rig_get(rig, 5);
    assert_string_equal(rig_frames(rig), "HEADERS 5\nDATA 5 5 END_STREAM\n");
    rig_destroy(rig);
}

static void no_response_continues_while_streams_are_held(void **state)
{
    struct rig *rig = rig_ready();
    rig->response.body = data;
    rig->response.body_len = sizeof data;
    rig->room = 5000;
    rig_get(rig, 1);
    rig_frames(rig);
    set(rig, ENGINE_HOLD_STREAMS, 1);
    rig->room = SIZE_MAX;
    engine_pump(rig->engine);
    ping(rig);
    assert_string_equal(rig_frames(rig), "PING ACK\n");
    set(rig, ENGINE_HOLD_STREAMS, 0);
    assert_non_null(strstr(rig_frames(rig), " END_STREAM\n"));
    assert_int_equal(rig->ended, 1);
    rig_destroy(rig);
}

static void early_answers_and_continue_wait_too(void **state)
{
    static const char expect[] = POST_BLOCK "\x0f\x14\x0c"
                                            "100-continue";
    struct rig *rig = rig_ready();
    set(rig, ENGINE_HOLD_STREAMS, 1);
    rig->on_begin = respond_now;
    post(rig, 1);
    rig->on_begin = NULL;
    rig_frame_in(rig, NGHTTP2_HEADERS, END_HEADERS, 3, expect, sizeof expect - 1);
    rig_frame_in(rig, NGHTTP2_HEADERS, END_HEADERS, 5, expect, sizeof expect - 1);
    rig_frame_in(rig, NGHTTP2_RST_STREAM, 0, 5, "\0\0\0\x08", 4);
    assert_string_equal(rig_frames(rig), "");
    set(rig, ENGINE_HOLD_STREAMS, 0);
    assert_string_equal(rig_frames(rig), "HEADERS 1\nHEADERS 3\nDATA 1 5 END_STREAM\n");
    set(rig, ENGINE_HOLD_STREAMS, 1);
    set(rig, ENGINE_HOLD_STREAMS, 0);
    assert_string_equal(rig_frames(rig), ""); /* 100 is said once */
    rig_frame_in(rig, NGHTTP2_DATA, END_STREAM, 3, "x", 1);
    assert_string_equal(rig_frames(rig), "HEADERS 3\nDATA 3 5 END_STREAM\n");
    rig_destroy(rig);
}

static void held_exchanges_may_be_lost(void **state)
{
    struct rig *rig = rig_ready();
    set(rig, ENGINE_HOLD_STREAMS, 1);
    for (uint32_t i = 1; i < 9; i += 2)
        rig_get(rig, i);
    rig_log(rig);
    rig_frame_in(rig, NGHTTP2_RST_STREAM, 0, 1, "\0\0\0\x08", 4);
    engine_rst_stream(rig->engine, 3, NGHTTP2_CANCEL);
    const struct goaway five = { .last = GOAWAY_LAST_NUMBER, .number = 5 };
    engine_goaway(rig->engine, &five);
    assert_string_equal(rig_frames(rig), "RST_STREAM 3 CANCEL\nGOAWAY last=5 NO_ERROR\n");
    assert_string_equal(rig_log(rig), "frame RST_STREAM 1 CANCEL []\n"
                                      "lost 1: stream reset by the client\n"
                                      "lost 3: the server reset its stream\n"
                                      "lost 7: its stream is above the last of our GOAWAY\n");
    rig_destroy(rig); /* and 5 with the connection */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ping_is_exactly_the_frame_and_its_ack_is_reported),
        cmocka_unit_test(pings_are_acked_unless_ignored),
        cmocka_unit_test(settings_are_acked_unless_ignored),
        cmocka_unit_test(what_came_before_the_verb_is_acked),
        cmocka_unit_test(windows_are_given_unless_kept),
        cmocka_unit_test(a_client_that_takes_more_than_its_window_is_told),
        cmocka_unit_test(an_upload_stands_still_until_windows_are_given),
        cmocka_unit_test(the_first_settings_say_what_was_set_before),
        cmocka_unit_test(later_settings_are_sent_at_once_and_count_when_acked),
        cmocka_unit_test(streams_above_the_new_maximum_are_refused),
        cmocka_unit_test(a_client_keeps_to_the_new_maximum),
        cmocka_unit_test(no_response_begins_while_streams_are_held),
        cmocka_unit_test(no_response_continues_while_streams_are_held),
        cmocka_unit_test(early_answers_and_continue_wait_too),
        cmocka_unit_test(held_exchanges_may_be_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
