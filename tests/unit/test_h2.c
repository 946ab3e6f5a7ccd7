/* test_h2.c - the HTTP/2 engine serving: requests, bodies, flow control, early answers. */
#include "base/limits.h"

#include "harness/h2_rig.h"

static void talks_to_an_nghttp2_client(void **state)
{
    struct rig *rig = rig_create();
    rig_client(rig);
    client_request(rig, "GET", "/api?x=1", "accept", "*/*", NULL);
    rig_talk(rig);
    assert_string_equal(rig_log(rig), "frame SETTINGS 0 NO_ERROR []\n"
                                      "begin 1\nheaders 1 GET /api?x=1\ncomplete 1\n"
                                      "responded 1\n");
    assert_int_equal(rig->status, 200);
    assert_int_equal(rig->answer_bytes, 5);
    assert_string_equal(rig->answer_length, "5");
    assert_string_equal(rig->answer_type, "text/plain");
    assert_int_equal(rig->closed, 1);
    assert_int_equal(rig->close_error, NGHTTP2_NO_ERROR);
    rig_destroy(rig);
}

static void settings_go_out_first_and_are_acknowledged(void **state)
{
    static const uint8_t expected[] = { 0, 0, 6, 4, 0, 0,   0, 0, 0, /* SETTINGS */
                                        0, 3, 0, 0, 0, 128,          /* MAX_CONCURRENT_STREAMS */
                                        0, 0, 0, 4, 1, 0,   0, 0, 0 };
    struct rig *rig = rig_create();
    assert_int_equal(buf_len(&rig->out), 0);
    engine_pump(rig->engine);
    assert_string_equal("h2", engine_protocol(rig->engine));
    assert_int_equal(buf_len(&rig->out), 15);
    rig_preface(rig);
    assert_int_equal(buf_len(&rig->out), sizeof expected);
    assert_memory_equal(buf_bytes(&rig->out), expected, sizeof expected);
    rig_destroy(rig);
}

static void check_request(struct rig *rig, struct exchange *ex)
{
    const struct request *r = &ex->request;
    assert_string_equal(r->authority, "example.test");
    assert_int_equal(r->header_count, 4);
    assert_memory_equal(r->headers[0].name, "cookie", 6);
    assert_memory_equal(r->headers[0].value, "a=1", 3);
    assert_memory_equal(r->headers[1].name, "cookie", 6);
    assert_memory_equal(r->headers[1].value, "b=2", 3);
    assert_int_equal(r->headers[2].value_len, 0);
    const struct header *key = request_header(r, "X-Request-ID");
    assert_non_null(key);
    assert_int_equal(key->value_len, 4);
    assert_memory_equal(key->value, "k-77", 4);
    assert_null(request_header(r, ":path"));
}

static void headers_come_in_order_and_without_pseudo_headers(void **state)
{
    struct rig *rig = rig_create();
    rig_client(rig);
    rig->on_headers = check_request;
    nghttp2_nv nv[] = {
        NV(":method", "PUT"), NV(":scheme", "https"),    NV(":authority", "example.test"),
        NV(":path", "/p"),    NV("cookie", "a=1"),       NV("cookie", "b=2"),
        NV("x-empty", ""),    NV("x-request-id", "k-77")
    };
    nghttp2_submit_headers(rig->client, END_STREAM, -1, NULL, nv, 8, NULL);
    rig_talk(rig);
    assert_int_equal(rig->answers, 1);
    rig_destroy(rig);
}

static void the_host_header_stands_in_for_authority(void **state)
{
    struct rig *rig = rig_ready();
    rig->answer = false;
    rig_frame_in(rig, NGHTTP2_HEADERS, END_STREAM | END_HEADERS, 1, "\x82\x87\x84\x0f\x17\x02hh",
                 8);
    assert_string_equal(rig->last->request.authority, "hh");
    rig_destroy(rig);
}

static void connect_has_an_empty_target(void **state)
{
    struct rig *rig = rig_ready();
    rig->answer = false;
    rig_frame_in(rig, NGHTTP2_HEADERS, END_HEADERS, 1,
                 "\x02\x07"
                 "CONNECT\x01\x03"
                 "a:1",
                 14);
    assert_string_equal(rig_log(rig), "begin 1\nheaders 1 CONNECT \n");
    assert_string_equal(rig->last->request.authority, "a:1");
    rig_destroy(rig);
}

static void many_headers_take_memory_and_too_many_are_refused(void **state)
{
    struct rig *rig = rig_create();
    rig_client(rig);
    nghttp2_nv nv[304] = { NV(":method", "GET"), NV(":scheme", "https"), NV(":path", "/"),
                           NV(":authority", "a") };
    for (size_t i = 4; i < 304; i++)
        nv[i] = (nghttp2_nv)NV("x-many", "0123456789");
    nghttp2_submit_headers(rig->client, END_STREAM, -1, NULL, nv, 304, NULL);
    rig_talk(rig);
    assert_int_equal(rig->answers, 1);
    rig_destroy(rig);

    /* A field of 3000 bytes into the dynamic table (RFC 7541 6.2.1), then its index again and again
     */
    rig = rig_ready();
    struct buf block = { 0 };
    buf_add(&block, GET_BLOCK "\x40\1z\x7f\xb9\x16", BLOCK_LEN + 6);
    for (size_t i = 0; i < 3000; i++)
        buf_add(&block, "v", 1);
    for (size_t i = 0; i < 25; i++)
        buf_add(&block, "\xbe", 1);
    rig_frame_in(rig, NGHTTP2_HEADERS, END_STREAM | END_HEADERS, 3, buf_bytes(&block),
                 buf_len(&block) - 5);
    rig_frame_in(rig, NGHTTP2_HEADERS, END_STREAM | END_HEADERS, 5, buf_bytes(&block),
                 buf_len(&block));
    buf_free(&block);
    assert_string_equal(rig_log(rig),
                        "begin 3\nheaders 3 GET /\ncomplete 3\nresponded 3\n"
                        "begin 5\nlimit stream 5: its header section is larger than 64 KiB\n"
                        "lost 5: its header section is larger than 64 KiB\n");
    assert_string_equal(rig_frames(rig),
                        "HEADERS 3\nDATA 3 5 END_STREAM\nRST_STREAM 5 ENHANCE_YOUR_CALM\n");
    rig_get(rig, 7);
    assert_string_equal(rig_frames(rig), "HEADERS 7\nDATA 7 5 END_STREAM\n");
    rig_destroy(rig);
}

/* --- Responses */

static void head_and_statuses_without_content_have_no_data(void **state)
{
    static const struct {
        const char *method;
        int status;
        const char *length;
        size_t bytes;
    } rows[] = {
        { "GET", 200, "5", 5 }, { "HEAD", 200, "5", 0 }, { "GET", 204, "", 0 },
        { "GET", 304, "", 0 },  { "HEAD", 404, "5", 0 }, { "GET", 205, "0", 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rig *rig = rig_create();
        rig_client(rig);
        rig->response.status = rows[i].status;
        client_request(rig, rows[i].method, "/", NULL, NULL, NULL);
        rig_talk(rig);
        assert_int_equal(rig->status, rows[i].status);
        assert_string_equal(rig->answer_length, rows[i].length);
        assert_int_equal(rig->answer_bytes, rows[i].bytes);
        assert_int_equal(rig->close_error, NGHTTP2_NO_ERROR);
        assert_int_equal(rig->closed, 1);
        rig_destroy(rig);
    }
}

static void what_h2_forbids_is_left_out_of_responses(void **state)
{
#define HEADER(name, value)                                                                        \
    {                                                                                              \
        name, value, sizeof(name) - 1, sizeof(value) - 1                                           \
    }
    static const struct header headers[] = {
        HEADER("Connection", "close"),    HEADER("Keep-Alive", "timeout=5"),
        HEADER("Transfer-Encoding", "x"), HEADER("Upgrade", "h2c"),
        HEADER("Proxy-Connection", "y"),  HEADER("Content-Length", "99"),
        HEADER("Content-TYPE", "a/b"),    HEADER(":path", "/"),
        HEADER("", "nameless"),           HEADER("Date", "yesterday"),
    };
    struct rig *rig = rig_create();
    rig_client(rig);
    rig->response.headers = headers;
    rig->response.header_count = sizeof headers / sizeof *headers;
    client_request(rig, "GET", "/", NULL, NULL, NULL);
    rig_talk(rig);
    assert_string_equal(rig->answer_length, "5");
    assert_string_equal(rig->answer_type, "a/b"); /* any other name fails in client_header */
    assert_int_equal(rig->closed, 1);
    rig_destroy(rig);
}

/* They leave as they are; where they had to wait, they were copied with all else. */
static void fixed_headers_are_sent_as_they_are(void **state)
{
    static const struct header headers[] = { HEADER("connection", "close"),
                                             HEADER("content-type", "a/b") };
    for (int waits = 0; waits < 2; waits++) {
        struct rig *rig = rig_create();
        rig_client(rig);
        rig->response.headers = headers;
        rig->response.header_count = sizeof headers / sizeof *headers;
        rig->response.fixed_headers = true;
        if (waits)
            engine_set(rig->engine, ENGINE_HOLD_STREAMS, 1);
        client_request(rig, "GET", "/", NULL, NULL, NULL);
        rig_talk(rig);
        assert_int_equal(rig->answers, !waits);
        engine_set(rig->engine, ENGINE_HOLD_STREAMS, 0);
        rig_talk(rig);
        assert_int_equal(rig->answers, 1);
        assert_string_equal(rig->answer_length, "5");
        assert_string_equal(rig->answer_type, "a/b"); /* any other name fails in client_header */
        rig_destroy(rig);
    }
}

static void a_response_may_have_many_headers(void **state)
{
    struct header headers[200];
    for (size_t i = 0; i < 200; i++)
        headers[i] = (struct header)HEADER("content-type", "x");
    struct rig *rig = rig_create();
    rig_client(rig);
    rig->response.headers = headers;
    rig->response.header_count = 200;
    client_request(rig, "GET", "/", NULL, NULL, NULL);
    rig_talk(rig);
    assert_int_equal(rig->answers, 1);
    rig_destroy(rig);
}

static unsigned released;

static void count_release(void *arg)
{
    released++;
    assert_string_equal(arg, "mine");
}

static void a_borrowed_body_is_released_once(void **state)
{
    released = 0;
    struct rig *rig = rig_ready();
    rig->response.release = count_release;
    rig->response.release_arg = "mine";
    rig_get(rig, 1);
    assert_string_equal(rig_frames(rig), "HEADERS 1\nDATA 1 5 END_STREAM\n");
    assert_int_equal(released, 1);

    rig->room = 0; /* what waits when the engine is destroyed is released too */
    rig_get(rig, 3);
    assert_int_equal(released, 1);
    engine_watch(rig->engine, WATCH_ONLY); /* and what is answered without effect */
    rig_destroy(rig);
    assert_int_equal(released, 2);
}

static uint8_t pattern[1000000];

static void answer_pattern(struct rig *rig, struct exchange *ex)
{
    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (uint8_t)(i % 251);
    rig->quiet = true;
    rig->response.body = pattern;
    rig->response.body_len = sizeof pattern;
    assert_int_equal(engine_respond(ex, &rig->response), 0);
    memset(pattern, 0, sizeof pattern); /* it was copied */
}

static void a_large_body_follows_the_clients_windows(void **state)
{
    struct rig *rig = rig_ready();
    rig->on_complete = answer_pattern;
    rig_get(rig, 1);
    size_t head = ((size_t)buf_bytes(&rig->out)[1] << 8 | buf_bytes(&rig->out)[2]) + 9;
    size_t frames = 65535 / (16384 - 9) + 1;
    assert_in_range(buf_len(&rig->out), head + 65535, head + 65535 + 9 * (frames + 1));
    buf_consume(&rig->out, buf_len(&rig->out));
    rig_frame_in(rig, NGHTTP2_WINDOW_UPDATE, 0, 0, "\0\0\1\0", 4);
    assert_string_equal(rig_frames(rig), "");
    rig_frame_in(rig, NGHTTP2_WINDOW_UPDATE, 0, 1, "\0\0\0\x0a", 4);
    assert_string_equal(rig_frames(rig), "DATA 1 10\n");
    rig_destroy(rig);

    rig = rig_create();
    rig_client(rig);
    rig->on_complete = answer_pattern;
    client_request(rig, "GET", "/", NULL, NULL, NULL);
    rig_talk(rig);
    assert_int_equal(rig->answer_bytes, sizeof pattern);
    assert_int_equal(rig->ended, 1);
    rig_destroy(rig);
}

static void output_keeps_to_the_room_there_is(void **state)
{
    static const size_t rooms[] = { 1, 10, 100, 1040, 5000, 16384, 20000 };
    for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++) {
        struct rig *rig = rig_create();
        rig_client(rig);
        rig_talk(rig);
        rig->on_complete = answer_pattern;
        client_request(rig, "GET", "/", NULL, NULL, NULL);
        rig->room = 0;
        rig_talk(rig);
        assert_int_equal(rig->answers, 0);
        unsigned rounds = 0;
        while (rig->closed == 0 && rounds++ < 3000) {
            size_t before = buf_len(&rig->out);
            rig->room = rooms[i];
            engine_pump(rig->engine);
            size_t put_out = buf_len(&rig->out) - before;
            assert_true(put_out <= rooms[i] + 200); /* HEADERS may exceed it */
            rig->room = 0;
            rig_talk(rig);
        }
        if (rooms[i] >= 1040)
            assert_int_equal(rig->answer_bytes, sizeof pattern);
        rig_destroy(rig);
    }
}

static void the_answers_of_one_input_go_out_together(void **state)
{
    struct rig *rig = rig_ready();
    struct buf flight = { 0 };
    for (uint32_t i = 0; i < 100; i++)
        put_frame(&flight, NGHTTP2_HEADERS, END_STREAM | END_HEADERS, 2 * i + 1, GET_BLOCK,
                  BLOCK_LEN);
    rig_input(rig, buf_bytes(&flight), buf_len(&flight));
    buf_free(&flight);
    assert_int_equal(rig->ended, 100);
    assert_int_equal(rig->outputs, 1);
    rig_destroy(rig);
}

static void input_may_be_cut_anywhere(void **state)
{
    struct rig *whole = rig_ready(), *cut = rig_ready();
    struct buf flight = { 0 };
    put_frame(&flight, NGHTTP2_HEADERS, END_HEADERS, 1, POST_BLOCK, BLOCK_LEN);
    put_frame(&flight, NGHTTP2_DATA, END_STREAM, 1, "", 0);
    put_frame(&flight, NGHTTP2_HEADERS, 0, 3, POST_BLOCK, 2);
    put_frame(&flight, NGHTTP2_CONTINUATION, 0, 3, &POST_BLOCK[2], 2);
    put_frame(&flight, NGHTTP2_CONTINUATION, END_HEADERS, 3, &POST_BLOCK[4], 2);
    put_frame(&flight, NGHTTP2_PING, 0, 0, "12345678", 8);
    put_frame(&flight, NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 3, "\2x\0\0", 4);
    put_frame(&flight, NGHTTP2_HEADERS, END_STREAM | END_HEADERS, 3, "\0\1t\1u", 5);
    put_frame(&flight, NGHTTP2_HEADERS,
              END_STREAM | END_HEADERS | NGHTTP2_FLAG_PADDED | NGHTTP2_FLAG_PRIORITY, 5,
              "\1\0\0\0\0\x0f" GET_BLOCK "\0", 13);
    rig_input(whole, buf_bytes(&flight), buf_len(&flight));
    for (size_t i = 0; i < buf_len(&flight); i++)
        rig_input(cut, buf_bytes(&flight) + i, 1);
    assert_int_equal(whole->ended, 3);
    assert_int_equal(cut->ended, 3);
    assert_int_equal(buf_len(&whole->out), buf_len(&cut->out));
    assert_non_null(strstr(rig_log(whole),
                           "begin 3\nheaders 3 POST /\n"
                           "frame PING 0 NO_ERROR [3132333435363738]\n"
                           "body 3 x\ncomplete 3\nbegin 5\nheaders 5 GET /\ncomplete 5\n"));
    buf_free(&flight);
    rig_destroy(whole);
    rig_destroy(cut);
}

/* --- Request bodies */

static size_t upload_left;

static h2_ssize upload(nghttp2_session *session, int32_t stream, uint8_t *out, size_t n,
                       uint32_t *flags, nghttp2_data_source *source, void *user)
{
    if (n > upload_left)
        n = upload_left;
    memset(out, 'u', n);
    upload_left -= n;
    if (upload_left == 0)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (h2_ssize)n;
}

static void a_large_request_body_is_given_window(void **state)
{
    const h2_data_provider provider = { .read_callback = upload };
    struct rig *rig = rig_create();
    rig_client(rig);
    rig->quiet = true;
    rig->response.body_len = 0;
    upload_left = 1000000;
    client_request(rig, "POST", "/", NULL, NULL, &provider);
    rig_talk(rig);
    assert_int_equal(rig->body_bytes, 1000000);
    assert_int_equal(rig->status, 200);
    assert_int_equal(rig->closed, 1);
    rig_destroy(rig);
}

static void a_hundred_streams_at_once(void **state)
{
    struct rig *rig = rig_create();
    const h2_data_provider provider = { .read_callback = upload };
    rig_client(rig);
    rig_talk(rig);
    for (unsigned i = 0; i < 100; i++) {
        upload_left = 3;
        client_request(rig, "POST", "/", NULL, NULL, &provider);
    }
    rig_talk(rig);
    assert_int_equal(rig->answers, 100);
    assert_int_equal(rig->closed, 100);
    assert_int_equal(rig->ended, 100);
    assert_int_equal(rig->begun, 100);
    rig_destroy(rig);
}

static void what_follows_an_early_answer_is_dropped_up_to_a_bound(void **state)
{
    static char block[16384];
    struct rig *rig = rig_ready();
    rig->on_headers = respond_now;
    rig_frame_in(rig, NGHTTP2_HEADERS, END_HEADERS, 1, POST_BLOCK, BLOCK_LEN);
    rig_frames(rig);
    for (size_t sent = 0; sent < LIMIT_DROPPED; sent += sizeof block) {
        rig_frame_in(rig, NGHTTP2_DATA, 0, 1, block, sizeof block);
        assert_null(strstr(rig_frames(rig), "RST_STREAM"));
    }
    rig_frame_in(rig, NGHTTP2_DATA, 0, 1, block, 1);
    assert_non_null(strstr(rig_frames(rig), "RST_STREAM 1 NO_ERROR"));
    rig_get(rig, 3);
    assert_string_equal(rig_frames(rig), "HEADERS 3\nDATA 3 5 END_STREAM\n");
    rig_destroy(rig);
}

static void an_early_answer_lets_the_client_finish(void **state)
{
    struct rig *rig = rig_ready();
    rig->on_headers = respond_now;
    rig_frame_in(rig, NGHTTP2_HEADERS, END_HEADERS, 1, POST_BLOCK, BLOCK_LEN);
    assert_string_equal(rig_frames(rig), "HEADERS 1\nDATA 1 5 END_STREAM\n");
    rig_frame_in(rig, NGHTTP2_DATA, END_STREAM, 1, "late", 4);
    assert_string_equal(rig_log(rig), "begin 1\nheaders 1 POST /\nresponded 1\n");
    rig_get(rig, 3);
    assert_string_equal(rig_frames(rig), "HEADERS 3\nDATA 3 5 END_STREAM\n");
    rig_destroy(rig);
}

static void an_answer_at_begin_waits_for_the_headers(void **state)
{
    struct rig *rig = rig_ready();
    rig->on_begin = respond_now;
    rig_get(rig, 1);
    assert_string_equal(rig_frames(rig), "HEADERS 1\nDATA 1 5 END_STREAM\n");
    assert_string_equal(rig_log(rig), "begin 1\nheaders 1 GET /\nresponded 1\n");
    /* HEAD is seen only then */
    rig_frame_in(rig, NGHTTP2_HEADERS, END_STREAM | END_HEADERS, 3,
                 "\x02\x04HEAD\x87\x84\x01\x01"
                 "a",
                 11);
    assert_string_equal(rig_frames(rig), "HEADERS 3 END_STREAM\n");
    rig_destroy(rig);
}

static void an_answer_may_come_much_later(void **state)
{
    struct rig *rig = rig_ready();
    rig->on_complete = keep_for_later;
    rig_get(rig, 1);
    struct exchange *first = rig->last;
    rig_get(rig, 3);
    struct exchange *second = rig->last;
    assert_string_equal(rig_frames(rig), "");
    respond_now(rig, second);
    assert_string_equal(rig_frames(rig), "HEADERS 3\nDATA 3 5 END_STREAM\n");
    respond_now(rig, first);
    assert_string_equal(rig_frames(rig), "HEADERS 1\nDATA 1 5 END_STREAM\n");
    rig_destroy(rig);
}

static void expect_is_answered_with_100_unless_it_is_answered_already(void **state)
{
    static const char block[] = POST_BLOCK "\x0f\x14\x0c"
                                           "100-continue";
    struct rig *rig = rig_ready();
    rig_frame_in(rig, NGHTTP2_HEADERS, END_HEADERS, 1, block, sizeof block - 1);
    assert_string_equal(rig_frames(rig), "HEADERS 1\n");
    rig_frame_in(rig, NGHTTP2_DATA, END_STREAM, 1, "x", 1);
    assert_string_equal(rig_frames(rig), "HEADERS 1\nDATA 1 5 END_STREAM\n");
    rig->on_headers = respond_now;
    rig_frame_in(rig, NGHTTP2_HEADERS, END_HEADERS, 3, block, sizeof block - 1);
    assert_string_equal(rig_frames(rig), "HEADERS 3\nDATA 3 5 END_STREAM\n");
    rig_destroy(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(talks_to_an_nghttp2_client),
        cmocka_unit_test(settings_go_out_first_and_are_acknowledged),
        cmocka_unit_test(headers_come_in_order_and_without_pseudo_headers),
        cmocka_unit_test(the_host_header_stands_in_for_authority),
        cmocka_unit_test(connect_has_an_empty_target),
        cmocka_unit_test(many_headers_take_memory_and_too_many_are_refused),
        cmocka_unit_test(head_and_statuses_without_content_have_no_data),
        cmocka_unit_test(what_h2_forbids_is_left_out_of_responses),
        cmocka_unit_test(fixed_headers_are_sent_as_they_are),
        cmocka_unit_test(a_response_may_have_many_headers),
        cmocka_unit_test(a_borrowed_body_is_released_once),
        cmocka_unit_test(a_large_body_follows_the_clients_windows),
        cmocka_unit_test(output_keeps_to_the_room_there_is),
        cmocka_unit_test(the_answers_of_one_input_go_out_together),
        cmocka_unit_test(input_may_be_cut_anywhere),
        cmocka_unit_test(a_large_request_body_is_given_window),
        cmocka_unit_test(a_hundred_streams_at_once),
        cmocka_unit_test(an_early_answer_lets_the_client_finish),
        cmocka_unit_test(what_follows_an_early_answer_is_dropped_up_to_a_bound),
        cmocka_unit_test(an_answer_at_begin_waits_for_the_headers),
        cmocka_unit_test(an_answer_may_come_much_later),
        cmocka_unit_test(expect_is_answered_with_100_unless_it_is_answered_already),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
