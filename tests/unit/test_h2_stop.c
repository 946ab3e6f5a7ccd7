/* test_h2_stop.c - HTTP/2 responses that stop at a place, and continue. */
#include <time.h>

#include "harness/h2_stop_rig.h"

static char large[40000];

/* A date takes as many octets as its digits in HPACK's Huffman code: 0, 1 and 2 have 5 bits, the
 * others 6 (RFC 7541, appendix B). What one rig says of a section's length holds in the next while
 * time stands.
 */
static time_t the_time = 1767323045; /* 2026-01-02T03:04:05Z */

time_t __wrap_time(time_t *out);

time_t __wrap_time(time_t *out)
{
    if (out)
        *out = the_time;
    return the_time;
}

static size_t section_at(time_t second)
{
    time_t before = the_time;
    the_time = second;
    struct rig *rig = stop_rig(STOP_CONTENT, 0);
    rig_get(rig, 1);
    size_t len = stop_section_len(rig);
    rig_destroy(rig);
    the_time = before;
    return len;
}

static void a_section_is_as_long_as_the_digits_of_its_date_make_it(void **state)
{
    const time_t before = 946684799, behind = before + 1; /* 31 Dec 1999 23:59:59 */
    assert_true(section_at(before) > section_at(behind));
    assert_int_equal(section_at(before), section_at(before));
    assert_int_equal(section_at(behind), section_at(behind));
}

/* --- After so many octets */

static void exactly_so_many_octets_leave_and_nothing_else(void **state)
{
    size_t total = 0;
    for (size_t n = 1; total == 0 || n <= total + 1; n++) {
        struct rig *rig = stop_rig(STOP_OCTETS, n);
        rig_get(rig, 1);
        if (total && n > total) { /* the response was shorter */
            assert_null(stop_exchange);
            assert_string_equal(rig_frames(rig), "HEADERS 1\nDATA 1 5 END_STREAM\n");
            rig_destroy(rig);
            continue;
        }
        assert_non_null(stop_exchange);
        assert_int_equal(buf_len(&rig->out), n);
        stop_ping(rig);
        rig->on_complete = respond_now;
        rig_get(rig, 3);
        engine_goaway_notice(rig->engine);
        engine_pump(rig->engine);
        assert_int_equal(buf_len(&rig->out), n);
        assert_int_equal(rig->ended, 0);
        engine_continue(stop_exchange);
        total = stop_section_len(rig) + 9 + 5;
        assert_string_equal(rig_frames(rig),
                            n <= total - 14
                                ? "HEADERS 1\nPING ACK\nHEADERS 3\nDATA 1 5 END_STREAM\n"
                                  "DATA 3 5 END_STREAM\nGOAWAY last=2147483647 NO_ERROR\n"
                                : "HEADERS 1\nDATA 1 5 END_STREAM\nPING ACK\nHEADERS 3\n"
                                  "DATA 3 5 END_STREAM\nGOAWAY last=2147483647 NO_ERROR\n");
        assert_string_equal(rig_log(rig), "begin 1\nheaders 1 GET /\ncomplete 1\nstopped 1 octets\n"
                                          "frame PING 0 NO_ERROR [3132333435363738]\n"
                                          "begin 3\nheaders 3 GET /\ncomplete 3\n"
                                          "responded 1\nresponded 3\n");
        rig_destroy(rig);
    }
    assert_in_range(total, 9 + 9 + 5 + 20, 200);
}

static void step(struct rig *rig, struct exchange *ex)
{
    assert_int_equal(buf_len(&rig->out), stop_place);
    buf_consume(&rig->log, buf_len(&rig->log));
    engine_stop_at(ex, STOP_OCTETS, ++stop_place);
    assert_int_equal(engine_stop_at(ex, STOP_OCTETS, stop_place - 1), -EINVAL);
    engine_continue(ex);
}

static void it_may_stop_again_after_every_octet(void **state)
{
    struct rig *rig = stop_rig(STOP_OCTETS, 1);
    rig->on_stopped = step;
    rig_get(rig, 1);
    assert_int_equal(stop_place, stop_section_len(rig) + 9 + 5 + 1);
    assert_string_equal(rig_log(rig), "responded 1\n");
    assert_string_equal(rig_frames(rig), "HEADERS 1\nDATA 1 5 END_STREAM\n");
    rig_destroy(rig);
}

static void room_and_the_place_do_not_meet(void **state)
{
    struct rig *rig = stop_rig(STOP_OCTETS, 30000);
    rig->response.body = large;
    rig->response.body_len = sizeof large;
    rig->room = 777;
    rig_get(rig, 1);
    while (!stop_exchange) {
        assert_true(buf_len(&rig->out) < 30000);
        rig->room = 777;
        engine_pump(rig->engine);
    }
    assert_int_equal(buf_len(&rig->out), 30000);
    rig->room = SIZE_MAX;
    engine_pump(rig->engine);
    assert_int_equal(buf_len(&rig->out), 30000);
    engine_continue(stop_exchange);
    assert_non_null(strstr(rig_frames(rig), " END_STREAM\n"));
    assert_int_equal(rig->ended, 1);
    rig_destroy(rig);
}

static void a_header_section_of_several_frames_counts(void **state)
{
    static char value[20000];
    memset(value, '"', sizeof value); /* longer with Huffman's code: it is sent as it is */
    const struct header field = { "a", value, 1, sizeof value };
    const uint64_t rows[] = { 9, 100, 16384 + 9, 16384 + 9 + 4, 20000 };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rig *rig = stop_rig(STOP_OCTETS, rows[i]);
        rig->response.headers = &field;
        rig_get(rig, 1);
        assert_non_null(stop_exchange);
        assert_int_equal(buf_len(&rig->out), rows[i]);
        assert_int_equal(engine_stop_at(stop_exchange, STOP_CONTENT, 0), 0);
        engine_continue(stop_exchange);
        assert_string_equal(rig_frames(rig), "HEADERS 1\ntype 9\n");
        engine_continue(stop_exchange);
        assert_string_equal(rig_frames(rig), "DATA 1 5 END_STREAM\n");
        rig_destroy(rig);
    }
}

static void a_continue_is_no_part_of_it(void **state)
{
    static const char expect[] = POST_BLOCK "\x0f\x14\x0c"
                                            "100-continue";
    struct rig *rig = stop_rig(STOP_OCTETS, 1);
    rig->on_headers = NULL;
    rig_frame_in(rig, NGHTTP2_HEADERS, END_HEADERS, 1, expect, sizeof expect - 1);
    size_t first = buf_len(&rig->out);
    assert_in_range(first, 10, 20);
    rig_frame_in(rig, NGHTTP2_DATA, END_STREAM, 1, "x", 1);
    assert_int_equal(buf_len(&rig->out), first + 1);
    rig_destroy(rig);

    struct buf flight = { 0 }; /* set before it is sent */
    rig = stop_rig(STOP_OCTETS, 1);
    put_frame(&flight, NGHTTP2_HEADERS, END_HEADERS, 1, expect, sizeof expect - 1);
    put_frame(&flight, NGHTTP2_DATA, END_STREAM, 1, "x", 1);
    rig_input(rig, buf_bytes(&flight), buf_len(&flight));
    assert_int_equal(buf_len(&rig->out), first + 1);
    buf_free(&flight);
    rig_destroy(rig);
}

/* --- After so much content */

static void the_content_stops_at_the_end_of_a_frame(void **state)
{
    static const struct {
        uint64_t place;
        const char *before, *after;
    } rows[] = {
        { 0, "HEADERS 1\n", "DATA 1 5 END_STREAM\n" },
        { 1, "HEADERS 1\nDATA 1 1\n", "DATA 1 4 END_STREAM\n" },
        { 4, "HEADERS 1\nDATA 1 4\n", "DATA 1 1 END_STREAM\n" },
        { 5, "HEADERS 1\nDATA 1 5\n", "DATA 1 0 END_STREAM\n" },
        { 6, "HEADERS 1\nDATA 1 5 END_STREAM\n", NULL },
        { UINT64_MAX - 1, "HEADERS 1\nDATA 1 5 END_STREAM\n", NULL },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rig *rig = stop_rig(STOP_CONTENT, rows[i].place);
        rig_get(rig, 1);
        assert_string_equal(rig_frames(rig), rows[i].before);
        if (!rows[i].after) {
            assert_null(stop_exchange);
            assert_int_equal(rig->ended, 1);
            rig_destroy(rig);
            continue;
        }
        assert_string_equal(rig_log(rig),
                            "begin 1\nheaders 1 GET /\ncomplete 1\nstopped 1 content\n");
        rig->on_complete = respond_now; /* others continue */
        stop_ping(rig);
        rig_get(rig, 3);
        assert_string_equal(rig_frames(rig), "PING ACK\nHEADERS 3\nDATA 3 5 END_STREAM\n");
        engine_pump(rig->engine);
        assert_string_equal(rig_frames(rig), "");
        rig_log(rig);
        engine_continue(stop_exchange);
        assert_string_equal(rig_frames(rig), rows[i].after);
        assert_string_equal(rig_log(rig), "responded 1\n");
        rig_destroy(rig);
    }
}

static void a_response_without_content_stops_behind_its_header_section(void **state)
{
    static const struct {
        const char *block;
        int status;
        size_t body_len;
    } rows[] = {
        { GET_BLOCK, 200, 0 },
        { GET_BLOCK, 204, 5 },
        { GET_BLOCK, 304, 5 },
        { "\x42\4HEAD\x87\x84\x01\1a", 200, 5 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (uint64_t n = 0; n < 2; n++) {
            struct rig *rig = stop_rig(STOP_CONTENT, n);
            rig->response.status = rows[i].status;
            rig->response.body_len = rows[i].body_len;
            rig_frame_in(rig, NGHTTP2_HEADERS, END_STREAM | END_HEADERS, 1, rows[i].block,
                         strlen(rows[i].block));
            assert_string_equal(rig_frames(rig), n ? "HEADERS 1 END_STREAM\n" : "HEADERS 1\n");
            assert_int_equal(rig->ended, n);
            if (n == 0) {
                engine_continue(stop_exchange);
                assert_string_equal(rig_frames(rig), "DATA 1 0 END_STREAM\n");
                assert_int_equal(rig->ended, 1);
            }
            rig_destroy(rig);
        }
    }
}

static void a_client_takes_such_a_response(void **state)
{
    static const char *const methods[] = { "GET", "HEAD" };
    for (size_t i = 0; i < 2; i++) {
        struct rig *rig = rig_create();
        rig_client(rig);
        stop_of = STOP_CONTENT;
        stop_place = 0;
        rig->on_complete = stop_and_respond;
        rig->on_stopped = stop_note;
        client_request(rig, methods[i], "/", NULL, NULL, NULL);
        rig_talk(rig);
        assert_int_equal(rig->answers, 1);
        assert_int_equal(rig->closed, 0);
        engine_continue(stop_exchange);
        rig_talk(rig);
        assert_int_equal(rig->closed, 1);
        assert_int_equal(rig->close_error, NGHTTP2_NO_ERROR);
        assert_string_equal(rig->answer_length, "5");
        rig_destroy(rig);
    }
}

static void next_content(struct rig *rig, struct exchange *ex)
{
    stop_place += 10000;
    assert_int_equal(engine_stop_at(ex, STOP_CONTENT, stop_place), 0);
    engine_continue(ex);
}

static void the_content_may_stop_again(void **state)
{
    struct rig *rig = stop_rig(STOP_CONTENT, 0);
    rig->response.body = large;
    rig->response.body_len = sizeof large;
    rig->on_stopped = next_content;
    rig_get(rig, 1);
    assert_string_equal(rig_frames(rig), "HEADERS 1\nDATA 1 10000\nDATA 1 10000\nDATA 1 10000\n"
                                         "DATA 1 10000\nDATA 1 0 END_STREAM\n");
    assert_int_equal(stop_place, 50000);
    rig_destroy(rig);
}

static void the_place_is_seen_though_the_clients_window_is_used_up(void **state)
{
    static const struct {
        uint64_t place;
        const char *frames;
    } rows[] = { { 0, "HEADERS 1\n" }, { 3, "HEADERS 1\nDATA 1 3\n" } };
    for (size_t i = 0; i < 2; i++) {
        uint8_t window[] = { 0, 4, 0, 0, 0, (uint8_t)rows[i].place };
        struct rig *rig = stop_rig(STOP_CONTENT, rows[i].place);
        rig_frame_in(rig, NGHTTP2_SETTINGS, 0, 0, window, sizeof window);
        rig_frames(rig);
        rig_get(rig, 1);
        assert_string_equal(rig_frames(rig), rows[i].frames);
        assert_non_null(stop_exchange);
        rig_frame_in(rig, NGHTTP2_WINDOW_UPDATE, 0, 1, "\0\0\1\0", 4);
        assert_string_equal(rig_frames(rig), "");
        engine_continue(stop_exchange);
        assert_non_null(strstr(rig_frames(rig), " END_STREAM\n"));
        rig_destroy(rig);
    }
}

/* --- Both kinds */

static void both(struct rig *rig, struct exchange *ex)
{
    assert_int_equal(engine_stop_at(ex, STOP_CONTENT, 5), 0);
    stop_and_respond(rig, ex);
}

static void both_kinds_stop_one_after_the_other(void **state)
{
    struct rig *rig;
    size_t section = section_at(the_time);
    /* Octets: in the frame that the content ends with; the last one of it; and of the next */
    for (size_t more = 11; more <= 9 + 5 + 9; more += 1) {
        rig = stop_rig(STOP_OCTETS, section + more);
        rig->on_complete = both;
        rig_get(rig, 1);
        rig_log(rig);
        if (more <= 14) {
            assert_int_equal(buf_len(&rig->out), section + more);
            engine_continue(stop_exchange);
            assert_string_equal(rig_log(rig), "stopped 1 content\n");
        }
        assert_string_equal(rig_frames(rig), "HEADERS 1\nDATA 1 5\n");
        stop_ping(rig);
        assert_string_equal(rig_frames(rig), "PING ACK\n");
        rig_log(rig);
        engine_continue(stop_exchange);
        if (more > 14) {
            assert_string_equal(rig_log(rig), "stopped 1 octets\n");
            assert_int_equal(buf_len(&rig->out), more - 14);
            engine_continue(stop_exchange);
        }
        assert_string_equal(rig_frames(rig), "DATA 1 0 END_STREAM\n");
        assert_string_equal(rig_log(rig), "responded 1\n");
        rig_destroy(rig);
    }
}

static void places_that_cannot_be_are_refused(void **state)
{
    struct rig *rig = stop_rig(STOP_CONTENT, 2);
    rig_get(rig, 1);
    assert_int_equal(engine_stop_at(stop_exchange, STOP_CONTENT, 2), -EINVAL);
    assert_int_equal(engine_stop_at(stop_exchange, STOP_CONTENT, 0), -EINVAL);
    assert_int_equal(engine_stop_at(stop_exchange, STOP_OCTETS, 0), -EINVAL);
    assert_int_equal(engine_stop_at(stop_exchange, STOP_OCTETS, buf_len(&rig->out)), -EINVAL);
    assert_int_equal(engine_stop_at(stop_exchange, STOP_OCTETS, buf_len(&rig->out) + 1), 0);
    assert_int_equal(engine_stop_at(stop_exchange, STOP_CONTENT, UINT64_MAX), -EINVAL);
    assert_int_equal(engine_stop_at(stop_exchange, STOP_CONTENT, 5), 0);
    engine_continue(stop_exchange);
    assert_int_equal(engine_stop_at(stop_exchange, STOP_OCTETS, 20), -EINVAL);
    rig->room = 0;
    rig->on_complete = respond_now;
    engine_continue(stop_exchange);
    engine_continue(stop_exchange);
    rig_get(rig, 3);
    assert_int_equal(engine_stop_at(rig->last, STOP_CONTENT, 5), -EINVAL); /* it has begun */
    rig_destroy(rig);
}

static void without_a_place_nothing_stops(void **state)
{
    struct rig *rig = rig_ready();
    rig->on_stopped = stop_note;
    stop_exchange = NULL;
    rig_get(rig, 1);
    assert_null(stop_exchange);
    assert_string_equal(rig_frames(rig), "HEADERS 1\nDATA 1 5 END_STREAM\n");
    rig_destroy(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_section_is_as_long_as_the_digits_of_its_date_make_it),
        cmocka_unit_test(exactly_so_many_octets_leave_and_nothing_else),
        cmocka_unit_test(it_may_stop_again_after_every_octet),
        cmocka_unit_test(room_and_the_place_do_not_meet),
        cmocka_unit_test(a_header_section_of_several_frames_counts),
        cmocka_unit_test(a_continue_is_no_part_of_it),
        cmocka_unit_test(the_content_stops_at_the_end_of_a_frame),
        cmocka_unit_test(a_response_without_content_stops_behind_its_header_section),
        cmocka_unit_test(a_client_takes_such_a_response),
        cmocka_unit_test(the_content_may_stop_again),
        cmocka_unit_test(the_place_is_seen_though_the_clients_window_is_used_up),
        cmocka_unit_test(both_kinds_stop_one_after_the_other),
        cmocka_unit_test(places_that_cannot_be_are_refused),
        cmocka_unit_test(without_a_place_nothing_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
