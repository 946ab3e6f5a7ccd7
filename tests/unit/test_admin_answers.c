/* test_admin_answers.c - what an answer of the admin API may be: any number of header fields, any
 * media type, a body or a stream. GET /v1/language is answered by these tests. */
#include "harness/admin_rig.h"

void __wrap_calls_language(struct call *call);

static void (*perform)(struct call *call);
static unsigned ended; /* how often a stream was */
static unsigned pieces, pieces_wanted;

void __wrap_calls_language(struct call *call)
{
    perform(call);
}

static int ask(void)
{
    static const char text[] = "GET /v1/language HTTP/1.1\r\nHost: localhost\r\n\r\n";
    ended = pieces = 0;
    return rig_request(text, sizeof text - 1);
}

static bool one_piece(struct call *call, struct buf *out)
{
    buf_printf(out, "%1000u", pieces++);
    return pieces < pieces_wanted;
}

static void stream_over(struct call *call)
{
    ended++;
}

#define FIELDS 40

static void add_fields(struct call *call)
{
    for (int i = 0; i < FIELDS; i++) {
        char name[16], value[16];
        snprintf(name, sizeof name, "X-Field-%d", i / 2); /* each twice */
        snprintf(value, sizeof value, "value %d", i);
        response_field(call, name, value);
    }
}

static void assert_fields(void)
{
    const char *at = reply.head;
    for (int i = 0; i < FIELDS; i++) {
        char line[48];
        snprintf(line, sizeof line, "\r\nX-Field-%d: value %d\r\n", i / 2, i);
        at = strstr(at, line);
        if (!at)
            fail_msg("field %d is missing, or not in its place:\n%s", i, reply.head);
    }
}

static void with_fields(struct call *call)
{
    response_bytes(call, "text/csv; header=present", "a,b\n", 4);
    add_fields(call);
}

static void a_body_has_any_type_and_any_number_of_fields(void **state)
{
    perform = with_fields;
    assert_int_equal(ask(), 200);
    assert_string_equal(reply_field("Content-Type"), "text/csv; header=present");
    assert_string_equal(reply.body, "a,b\n");
    assert_string_equal(reply_field("Cache-Control"), "no-store");
    assert_string_equal(reply_field("X-Content-Type-Options"), "nosniff");
    assert_fields();
}

static void as_stream(struct call *call)
{
    response_stream(call, "text/event-stream", one_piece, stream_over);
    add_fields(call);
}

static void a_stream_has_them_too(void **state)
{
    static const unsigned sizes[] = { 1, 100, 3000 };
    perform = as_stream;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        pieces_wanted = sizes[i];
        assert_int_equal(ask(), 200);
        assert_string_equal(reply_field("Content-Type"), "text/event-stream");
        assert_fields();
        assert_int_equal(reply.body_len, sizes[i] * 1000);
        for (unsigned k = 0; k < sizes[i]; k++)
            assert_int_equal(strtoul(reply.body + k * 1000, NULL, 10), k);
        assert_int_equal(pieces, sizes[i]);
        assert_int_equal(ended, 1);
    }
    assert_true(reply.chunked);
}

static void changes_its_mind(struct call *call)
{
    as_stream(call);
    response_refuse(call, PROBLEM_UNAVAILABLE, "here", "", "it cannot be");
    response_field(call, "X-Field-0", "one");
}

static void what_is_answered_anew_replaces_all_of_it(void **state)
{
    perform = changes_its_mind;
    pieces_wanted = 1; /* it is whole before it is replaced, */
    assert_int_equal(ask(), 409);
    assert_string_equal(reply_field("Content-Type"), "application/problem+json");
    assert_string_equal(reply_field("X-Field-0"), "one");
    assert_null(reply_field("X-Field-1"));
    assert_non_null(reply.json);
    assert_int_equal(ended, 1);
}

static bool has_many_pieces(void *unused)
{
    return pieces >= 100;
}

static void a_stream_ends_when_its_caller_goes(void **state)
{
    static const char text[] = "GET /v1/language HTTP/1.1\r\nHost: localhost\r\n\r\n";
    perform = as_stream;
    pieces_wanted = 1u << 30;
    ended = pieces = 0;
    int fd = open_client();
    send_text(fd, text, sizeof text - 1);
    loop_until(&loop, has_many_pieces, NULL);
    close(fd);
    loop_until(&loop, is_counted, &ended);
    assert_int_equal(ended, 1);
    assert_true(pieces < pieces_wanted);
}

static void has_no_memory_for_a_field(struct call *call)
{
    response_bytes(call, "text/plain", "x", 1);
    call->response.fields.failed = true;
}

static void without_memory_for_a_field_it_is_503(void **state)
{
    perform = has_no_memory_for_a_field;
    assert_int_equal(ask(), 503);
    assert_string_equal(reply_field("Content-Type"), "application/problem+json");
}

/* --- Accept */

static const char *const types[] = { "application/json", "text/plain", "application/xml",
                                     "text/event-stream" };

static void chooses(struct call *call)
{
    int chosen = input_choose_type(call, types, sizeof types / sizeof *types);
    if (chosen >= 0)
        response_bytes(call, types[chosen], "x", 1);
}

static void the_type_is_what_the_caller_wants_most(void **state)
{
    static const struct {
        const char *accept, *type; /* NULL: 406 */
    } rows[] = {
        { "*/*", "application/json" },
        { "", "application/json" }, /* no field */
        { "text/plain", "text/plain" },
        { "TEXT/Plain", "text/plain" },
        { "text/*", "text/plain" },
        { "text/event-stream", "text/event-stream" },
        { "text/*, text/plain;q=0.1", "text/event-stream" },
        { "application/xml, application/json;q=0.9", "application/xml" },
        { "application/json;q=0.5, */*;q=0.6", "text/plain" },
        { "application/*;q=0, text/plain;q=0.001", "text/plain" },
        { "text/html", NULL },
        { "text", NULL },
        { "text/", NULL },
        { "text/plainer", NULL },
        { "image/*", NULL },
        { "*/*;q=0", NULL },
    };
    perform = chooses;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[256];
        int n = snprintf(
            text, sizeof text, "GET /v1/language HTTP/1.1\r\nHost: localhost\r\n%s%s%s\r\n",
            rows[i].accept[0] ? "Accept: " : "", rows[i].accept, rows[i].accept[0] ? "\r\n" : "");
        int status = rig_request(text, (size_t)n);
        if (status != (rows[i].type ? 200 : 406))
            fail_msg("\"%s\": %d", rows[i].accept, status);
        if (rows[i].type)
            assert_string_equal(reply_field("Content-Type"), rows[i].type);
        else
            assert_int_equal(json_array_size(json_object_get(reply.json, "allowed")), 4);
    }
}

#define SERVED(test) cmocka_unit_test_setup_teardown(test, rig_set_up, rig_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVED(a_body_has_any_type_and_any_number_of_fields),
        SERVED(a_stream_has_them_too),
        SERVED(what_is_answered_anew_replaces_all_of_it),
        SERVED(a_stream_ends_when_its_caller_goes),
        SERVED(without_memory_for_a_field_it_is_503),
        SERVED(the_type_is_what_the_caller_wants_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
