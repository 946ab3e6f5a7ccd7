/* test_h2_ends.c - the HTTP/2 engine: how streams and connections end. */
#include "harness/h2_rig.h"

static void a_stream_reset_by_the_client_is_lost(void **state)
{
    struct rig *rig = rig_ready();
    rig->on_complete = keep_for_later;
    rig_get(rig, 1);
    rig_frame_in(rig, NGHTTP2_RST_STREAM, 0, 1, "\0\0\0\x08", 4);
    assert_string_equal(rig_log(rig), "begin 1\nheaders 1 GET /\ncomplete 1\n"
                                      "frame RST_STREAM 1 CANCEL []\n"
                                      "lost 1: stream reset by the client\n");
    assert_string_equal(rig_frames(rig), "");
    rig_destroy(rig);
}

static void peer_closed_lets_whole_requests_be_answered(void **state)
{
    struct rig *rig = rig_ready();
    rig->on_complete = keep_for_later;
    rig_get(rig, 1);
    struct exchange *whole = rig->last;
    rig_frame_in(rig, NGHTTP2_HEADERS, END_HEADERS, 3, POST_BLOCK, BLOCK_LEN);
    rig_log(rig);
    engine_peer_closed(rig->engine);
    assert_string_equal(rig_log(rig), "lost 3: the client closed before the request was whole\n");
    respond_now(rig, whole);
    assert_string_equal(rig_log(rig), "responded 1\nfinished\n");
    rig_destroy(rig);

    rig = rig_ready();
    engine_peer_closed(rig->engine);
    assert_string_equal(rig_log(rig), "finished\n");
    rig_destroy(rig);
}

/* Nothing can make the client's window grow any more. */
static void peer_closed_loses_what_waits_for_a_window(void **state)
{
    static const uint8_t window_of_3[] = { 0, 4, 0, 0, 0, 3 };
    for (int closed_before = 0; closed_before <= 1; closed_before++) {
        struct rig *rig = rig_ready();
        rig_frame_in(rig, NGHTTP2_SETTINGS, 0, 0, window_of_3, sizeof window_of_3);
        rig->on_complete = keep_for_later;
        rig_get(rig, 1);
        if (closed_before)
            engine_peer_closed(rig->engine);
        rig_frames(rig);
        respond_now(rig, rig->last);
        assert_string_equal(rig_frames(rig), "HEADERS 1\nDATA 1 3\n");
        assert_int_equal(rig->finished, closed_before);
        if (!closed_before)
            engine_peer_closed(rig->engine);
        assert_non_null(strstr(rig_log(rig),
                               "lost 1: the client closed with no window left for the "
                               "response\nfinished\n"));
        rig_destroy(rig);
    }
}

static void shutdown_says_goaway_and_finishes_what_is_open(void **state)
{
    struct rig *rig = rig_ready();
    rig->on_complete = keep_for_later;
    rig_get(rig, 1);
    rig_log(rig);
    engine_shutdown(rig->engine);
    assert_string_equal(rig_frames(rig), "GOAWAY last=1 NO_ERROR\n");
    assert_string_equal(rig_log(rig), "");
    respond_now(rig, rig->last);
    assert_string_equal(rig_frames(rig), "HEADERS 1\nDATA 1 5 END_STREAM\n");
    assert_string_equal(rig_log(rig), "responded 1\nfinished\n");
    rig_destroy(rig);

    rig = rig_ready();
    engine_shutdown(rig->engine);
    assert_string_equal(rig_frames(rig), "GOAWAY last=0 NO_ERROR\n");
    assert_string_equal(rig_log(rig), "finished\n");
    rig_destroy(rig);
}

static void the_clients_goaway_ends_it_once_nothing_is_open(void **state)
{
    struct rig *rig = rig_ready();
    rig->on_complete = keep_for_later;
    rig_get(rig, 1);
    rig_log(rig);
    rig_frame_in(rig, NGHTTP2_GOAWAY, 0, 0, "\0\0\0\0\0\0\0\0bye", 11);
    assert_string_equal(rig_log(rig), "frame GOAWAY 0 NO_ERROR [bye]\n");
    respond_now(rig, rig->last);
    assert_string_equal(rig_log(rig), "responded 1\nfinished\n");
    rig_destroy(rig);
}

static void open_exchanges_are_lost_at_destroy(void **state)
{
    struct rig *rig = rig_ready();
    rig->on_complete = keep_for_later;
    rig_get(rig, 1);
    rig_get(rig, 3);
    rig_destroy(rig); /* which checks that both ended */
}

static void peer_frames_are_reported(void **state)
{
    static const uint8_t settings[] = { 0, 1, 0, 0, 16, 0, 0, 2, 0, 0, 0, 0, 0, 0x99, 0, 0, 0, 7 };
    struct rig *rig = rig_ready();
    rig_frame_in(rig, NGHTTP2_SETTINGS, 0, 0, settings, sizeof settings);
    rig_frame_in(rig, NGHTTP2_PING, 0, 0, "\0\1\2\3\xfc\xfd\xfe\xff", 8);
    rig_frame_in(rig, NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, "12345678", 8);
    assert_string_equal(rig_log(rig),
                        "frame SETTINGS 0 NO_ERROR [HEADER_TABLE_SIZE=4096 ENABLE_PUSH=0 0x99=7]\n"
                        "frame PING 0 NO_ERROR [00010203fcfdfeff]\n"
                        "frame PING_ACK 0 NO_ERROR [3132333435363738]\n");
    assert_string_equal(rig_frames(rig), "SETTINGS ACK\nPING ACK\n");
    rig_destroy(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_reset_by_the_client_is_lost),
        cmocka_unit_test(peer_closed_lets_whole_requests_be_answered),
        cmocka_unit_test(peer_closed_loses_what_waits_for_a_window),
        cmocka_unit_test(shutdown_says_goaway_and_finishes_what_is_open),
        cmocka_unit_test(the_clients_goaway_ends_it_once_nothing_is_open),
        cmocka_unit_test(open_exchanges_are_lost_at_destroy),
        cmocka_unit_test(peer_frames_are_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
