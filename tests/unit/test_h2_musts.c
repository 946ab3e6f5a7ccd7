/* test_h2_musts.c - what RFC 9113 says a server must do with frames and requests, by section; which
 * frame may come in which state is in test_h2_states.c. */
#include "harness/h2_rig.h"

/* Fields without indexing, as text; GET, the schemes and the path are from the static table. */
#define GET       "\x82"
#define POST      "\x83"
#define HTTPS     "\x87"
#define PATH      "\x84"
#define AUTHORITY "\x01\x09localhost"
#define BASE      GET HTTPS PATH AUTHORITY
#define UPLOAD    POST HTTPS PATH AUTHORITY
/* A GET that is malformed by its :path, an octet of field name and one of length before it. */
#define PATH_IS(what, octets)                                                                      \
    {                                                                                              \
        "8.3.1", what, { { HEADERS_T, END, 1, B(GET HTTPS octets AUTHORITY) } }, STREAM, 1         \
    }
#define B(s)      s, sizeof(s) - 1 /* with its NULs */
#define END       (END_STREAM | END_HEADERS)
#define PADDED    NGHTTP2_FLAG_PADDED
#define DATA_T    NGHTTP2_DATA
#define HEADERS_T NGHTTP2_HEADERS
#define CONT_T    NGHTTP2_CONTINUATION
#define SET_T     NGHTTP2_SETTINGS
#define WINDOW_T  NGHTTP2_WINDOW_UPDATE
#define CL(digits, n)                                                                              \
    "\x00\x0e"                                                                                     \
    "content-length" n digits

struct shot {
    uint8_t type, flags;
    uint32_t stream;
    const char *payload;
    size_t n;
};

enum outcome { SERVED, SILENT, PONG, ACK, STREAM, CONNECTION };

struct row {
    const char *clause, *what;
    struct shot shots[4];
    enum outcome outcome; /* SERVED: stream 1 is answered. SILENT: nothing is said */
    uint32_t code;
};

static char zeros[16385];
static unsigned bad;

#define OPENED                                                                                     \
    {                                                                                              \
        HEADERS_T, END_HEADERS, 1, B(UPLOAD)                                                       \
    }
#define ASKED                                                                                      \
    {                                                                                              \
        HEADERS_T, END, 1, B(BASE)                                                                 \
    }

static const struct row frame_rows[] = {
    { "4.1", "an unknown type on stream 0", { { 0xbe, 0xff, 0, B("x") } }, SILENT, 0 },
    { "4.1", "flags that PING does not have", { { 6, 0xfe, 0, B("12345678") } }, PONG, 0 },
    { "4.1", "the reserved bit", { { HEADERS_T, END, 0x80000001, B(BASE) } }, SERVED, 0 },
    { "4.2", "DATA of 16384", { OPENED, { DATA_T, 0, 1, zeros, 16384 } }, SILENT, 0 },
    { "4.2", "DATA of 16385", { OPENED, { DATA_T, 0, 1, zeros, 16385 } }, CONNECTION, 6 },
    { "4.2", "HEADERS of 16385", { { HEADERS_T, END, 1, zeros, 16385 } }, CONNECTION, 6 },
    { "4.2", "SETTINGS of 16386", { { SET_T, 0, 0, zeros, 16385 } }, CONNECTION, 6 },
    { "4.2", "a padded frame of nothing", { OPENED, { DATA_T, PADDED, 1, B("") } }, CONNECTION, 6 },
    { "4.3",
      "integers without end",
      { { HEADERS_T, END, 1, B("\xff\xff\xff\xff\xff\xff\xff") } },
      CONNECTION,
      9 },
    { "4.3", "index 0", { { HEADERS_T, END, 1, B(BASE "\x80") } }, CONNECTION, 9 },
    { "4.3",
      "an index that is not there",
      { { HEADERS_T, END, 1, B(BASE "\xbe") } },
      CONNECTION,
      9 },
    { "4.3",
      "a table larger than allowed",
      { { HEADERS_T, END, 1, B("\x3f\xe2\x1f" BASE) } },
      CONNECTION,
      9 },
    { "4.3",
      "a table size behind a field",
      { { HEADERS_T, END, 1, B(BASE "\x20") } },
      CONNECTION,
      9 },
    { "4.3", "a field cut short", { { HEADERS_T, END, 1, B(BASE "\0\5ab") } }, CONNECTION, 9 },
    { "4.3",
      "PING in a field block",
      { { HEADERS_T, END_STREAM, 1, B(BASE) }, { 6, 0, 0, B("12345678") } },
      CONNECTION,
      1 },
    { "4.3",
      "another stream's HEADERS in it",
      { { HEADERS_T, END_STREAM, 1, B(BASE) }, { HEADERS_T, END, 3, B(BASE) } },
      CONNECTION,
      1 },
    { "6.10",
      "another stream's CONTINUATION in it",
      { { HEADERS_T, END_STREAM, 1, B(BASE) }, { CONT_T, END_HEADERS, 3, B("") } },
      CONNECTION,
      1 },
    { "5.5",
      "an unknown type in it",
      { { HEADERS_T, END_STREAM, 1, B(BASE) }, { 0xbe, 0, 1, B("") } },
      CONNECTION,
      1 },
    { "6.10",
      "CONTINUATION that completes it",
      { { HEADERS_T, END_STREAM, 1, B(GET HTTPS) },
        { CONT_T, 0, 1, B(PATH) },
        { CONT_T, END_HEADERS, 1, B(AUTHORITY) } },
      SERVED,
      0 },
    { "6.10", "CONTINUATION on stream 0", { { CONT_T, END_HEADERS, 0, B("") } }, CONNECTION, 1 },
    { "6.10",
      "CONTINUATION behind DATA",
      { OPENED, { DATA_T, 0, 1, B("x") }, { CONT_T, END_HEADERS, 1, B("") } },
      CONNECTION,
      1 },
    { "5.1.1", "an even stream", { { HEADERS_T, END, 2, B(BASE) } }, CONNECTION, 1 },
    { "6.1", "DATA on stream 0", { { DATA_T, 0, 0, B("x") } }, CONNECTION, 1 },
    { "6.1", "DATA on an even stream", { { DATA_T, 0, 2, B("x") } }, CONNECTION, 1 },
    { "6.1",
      "all of it padding",
      { OPENED, { DATA_T, PADDED | END_STREAM, 1, B("\x02zz") } },
      SERVED,
      0 },
    { "6.1",
      "padding as long as the frame",
      { OPENED, { DATA_T, PADDED, 1, B("\x03zz") } },
      CONNECTION,
      1 },
    { "6.2", "HEADERS on stream 0", { { HEADERS_T, END, 0, B(BASE) } }, CONNECTION, 1 },
    { "6.2", "padded HEADERS", { { HEADERS_T, END | PADDED, 1, B("\x02" BASE "zz") } }, SERVED, 0 },
    { "6.2",
      "padding longer than the field block",
      { { HEADERS_T, END | PADDED, 1, B("\x20" BASE) } },
      CONNECTION,
      1 },
    { "6.2",
      "HEADERS with a priority",
      { { HEADERS_T, END | NGHTTP2_FLAG_PRIORITY, 1, B("\0\0\0\0\x10" BASE) } },
      SERVED,
      0 },
    { "4.2",
      "HEADERS too short for its priority",
      { { HEADERS_T, END | NGHTTP2_FLAG_PRIORITY, 1, B("\0\0\0") } },
      CONNECTION,
      6 },
    { "6.3", "PRIORITY on stream 0", { { 2, 0, 0, B("\0\0\0\0\x10") } }, CONNECTION, 1 },
    { "6.3", "PRIORITY of 4 octets", { { 2, 0, 1, B("\0\0\0\0") } }, CONNECTION, 6 },
    { "6.4", "RST_STREAM on stream 0", { { 3, 0, 0, B("\0\0\0\x08") } }, CONNECTION, 1 },
    { "6.4", "RST_STREAM of 3 octets", { OPENED, { 3, 0, 1, B("\0\0\x08") } }, CONNECTION, 6 },
    { "7",
      "RST_STREAM with an unknown code",
      { OPENED, { 3, 0, 1, B("\xff\0\0\x08") } },
      SILENT,
      0 },
    { "6.5", "SETTINGS of 5 octets", { { SET_T, 0, 0, B("12345") } }, CONNECTION, 6 },
    { "6.5",
      "a SETTINGS ACK with a payload",
      { { SET_T, 1, 0, B("\0\3\0\0\0\1") } },
      CONNECTION,
      6 },
    { "6.5.3", "SETTINGS", { { SET_T, 0, 0, B("\0\3\0\0\0\1\0\3\0\0\0\2") } }, ACK, 0 },
    { "6.5.2", "an unknown setting", { { SET_T, 0, 0, B("\xff\xf0\0\0\0\1") } }, ACK, 0 },
    { "6.5.2", "ENABLE_PUSH of 1", { { SET_T, 0, 0, B("\0\2\0\0\0\1") } }, ACK, 0 },
    { "6.5.2", "ENABLE_PUSH of 2", { { SET_T, 0, 0, B("\0\2\0\0\0\2") } }, CONNECTION, 1 },
    { "6.5.2",
      "INITIAL_WINDOW_SIZE of 2^31-1",
      { { SET_T, 0, 0, B("\0\4\x7f\xff\xff\xff") } },
      ACK,
      0 },
    { "6.5.2",
      "INITIAL_WINDOW_SIZE of 2^31",
      { { SET_T, 0, 0, B("\0\4\x80\0\0\0") } },
      CONNECTION,
      3 },
    { "6.5.2",
      "MAX_FRAME_SIZE of 16383",
      { { SET_T, 0, 0, B("\0\5\0\0\x3f\xff") } },
      CONNECTION,
      1 },
    { "6.5.2", "MAX_FRAME_SIZE of 2^24", { { SET_T, 0, 0, B("\0\5\1\0\0\0") } }, CONNECTION, 1 },
    { "6.7", "PING", { { 6, 0, 0, B("12345678") } }, PONG, 0 },
    { "6.7", "a PING ACK", { { 6, 1, 0, B("12345678") } }, SILENT, 0 },
    { "6.7", "PING of 7 octets", { { 6, 0, 0, B("1234567") } }, CONNECTION, 6 },
    { "6.8", "GOAWAY of 7 octets", { { 7, 0, 0, B("\0\0\0\0\0\0\0") } }, CONNECTION, 6 },
    { "6.9", "WINDOW_UPDATE of 3 octets", { { WINDOW_T, 0, 0, B("\0\0\1") } }, CONNECTION, 6 },
    { "6.9", "WINDOW_UPDATE of 0", { { WINDOW_T, 0, 0, B("\0\0\0\0") } }, CONNECTION, 1 },
    { "6.9",
      "WINDOW_UPDATE of 0 on a stream",
      { OPENED, { WINDOW_T, 0, 1, B("\0\0\0\0") } },
      CONNECTION,
      1 },
    { "6.9",
      "the reserved bit of WINDOW_UPDATE",
      { OPENED, { WINDOW_T, 0, 1, B("\x80\0\0\1") } },
      SILENT,
      0 },
    { "6.9.1",
      "a window beyond 2^31-1",
      { { WINDOW_T, 0, 0, B("\x7f\xff\xff\xff") } },
      CONNECTION,
      3 },
    { "6.9.1",
      "a stream's window beyond 2^31-1",
      { OPENED, { WINDOW_T, 0, 1, B("\x7f\xff\xff\xff") } },
      STREAM,
      3 },
    { "6.9.2",
      "SETTINGS that make a window larger than that",
      { OPENED, { WINDOW_T, 0, 1, B("\x7f\xff\0\0") }, { SET_T, 0, 0, B("\0\4\0\1\xff\xff") } },
      CONNECTION,
      3 },
};

static const struct row request_rows[] = {
    { "8.1", "two of them", { ASKED, { HEADERS_T, END, 3, B(BASE) } }, SERVED, 0 },
    { "8.1",
      "trailers with a pseudo-header field",
      { OPENED, { HEADERS_T, END, 1, B("\x88") } },
      STREAM,
      1 },
    { "8.1.1",
      "less content than it says",
      { { HEADERS_T, END_HEADERS, 1, B(UPLOAD CL("3", "\x01")) }, { DATA_T, 1, 1, B("x") } },
      STREAM,
      1 },
    { "8.1.1",
      "more content than it says",
      { { HEADERS_T, END_HEADERS, 1, B(UPLOAD CL("1", "\x01")) }, { DATA_T, 1, 1, B("xy") } },
      STREAM,
      1 },
    { "8.1.1",
      "no content where it says some",
      { { HEADERS_T, END, 1, B(UPLOAD CL("1", "\x01")) } },
      STREAM,
      1 },
    { "8.1.1",
      "trailers before all of it",
      { { HEADERS_T, END_HEADERS, 1, B(UPLOAD CL("3", "\x01")) },
        { DATA_T, 0, 1, B("x") },
        { HEADERS_T, END, 1, B("\0\1k\1v") } },
      STREAM,
      1 },
    { "8.1.1",
      "as much as it says",
      { { HEADERS_T, END_HEADERS, 1, B(UPLOAD CL("2", "\x01")) }, { DATA_T, 1, 1, B("xy") } },
      SERVED,
      0 },
    { "8.1.1",
      "a length that is no number",
      { { HEADERS_T, END, 1, B(BASE CL("x", "\x01")) } },
      STREAM,
      1 },
    { "8.1.1",
      "two lengths",
      { { HEADERS_T, END, 1, B(BASE CL("0", "\x01") CL("0", "\x01")) } },
      STREAM,
      1 },
    { "8.2", "an upper-case name", { { HEADERS_T, END, 1, B(BASE "\0\5Upper\1v") } }, STREAM, 1 },
    { "8.2.1", "a space in a name", { { HEADERS_T, END, 1, B(BASE "\0\3a b\1v") } }, STREAM, 1 },
    { "8.2.1", "a control in a name", { { HEADERS_T, END, 1, B(BASE "\0\3a\1b\1v") } }, STREAM, 1 },
    { "8.2.1",
      "DEL in a name",
      { { HEADERS_T, END, 1,
          B(BASE "\0\3a\x7f"
                 "b\1v") } },
      STREAM,
      1 },
    { "8.2.1",
      "an octet above 0x7f in a name",
      { { HEADERS_T, END, 1,
          B(BASE "\0\3a\xe4"
                 "b\1v") } },
      STREAM,
      1 },
    { "8.2.1", "a colon in a name", { { HEADERS_T, END, 1, B(BASE "\0\3a:b\1v") } }, STREAM, 1 },
    { "8.2.1", "no name", { { HEADERS_T, END, 1, B(BASE "\0\0\1v") } }, STREAM, 1 },
    { "8.2.1", "NUL in a value", { { HEADERS_T, END, 1, B(BASE "\0\1a\3x\0y") } }, STREAM, 1 },
    { "8.2.1", "CR in a value", { { HEADERS_T, END, 1, B(BASE "\0\1a\3x\ry") } }, STREAM, 1 },
    { "8.2.1", "LF in a value", { { HEADERS_T, END, 1, B(BASE "\0\1a\3x\ny") } }, STREAM, 1 },
    { "8.2.1",
      "a space before a value",
      { { HEADERS_T, END, 1, B(BASE "\0\1a\2 y") } },
      STREAM,
      1 },
    { "8.2.1", "a tab behind a value", { { HEADERS_T, END, 1, B(BASE "\0\1a\2y\t") } }, STREAM, 1 },
    { "8.2.1",
      "octets above 0x7f in a value",
      { { HEADERS_T, END, 1, B(BASE "\0\1a\2\xc3\xa4") } },
      SERVED,
      0 },
    { "8.2.1", "an empty value", { { HEADERS_T, END, 1, B(BASE "\0\1a\0") } }, SERVED, 0 },
    { "8.2.1",
      "a value that is not valid, in trailers",
      { OPENED, { HEADERS_T, END, 1, B("\0\1a\2 y") } },
      STREAM,
      1 },
    { "8.2.2",
      "Connection",
      { { HEADERS_T, END, 1,
          B(BASE "\0\x0a"
                 "connection\5close") } },
      STREAM,
      1 },
    { "8.2.2",
      "Keep-Alive",
      { { HEADERS_T, END, 1,
          B(BASE "\0\x0a"
                 "keep-alive\1x") } },
      STREAM,
      1 },
    { "8.2.2",
      "Proxy-Connection",
      { { HEADERS_T, END, 1,
          B(BASE "\0\x10"
                 "proxy-connection\5close") } },
      STREAM,
      1 },
    { "8.2.2",
      "Transfer-Encoding",
      { { HEADERS_T, END, 1,
          B(BASE "\0\x11"
                 "transfer-encoding\7chunked") } },
      STREAM,
      1 },
    { "8.2.2", "Upgrade", { { HEADERS_T, END, 1, B(BASE "\0\7upgrade\3h2c") } }, STREAM, 1 },
    { "8.2.2", "TE: gzip", { { HEADERS_T, END, 1, B(BASE "\0\2te\4gzip") } }, STREAM, 1 },
    { "8.2.2", "TE: trailers", { { HEADERS_T, END, 1, B(BASE "\0\2te\x08trailers") } }, SERVED, 0 },
    { "8.3",
      "an unknown pseudo-header field",
      { { HEADERS_T, END, 1, B(BASE "\0\5:nope\1v") } },
      STREAM,
      1 },
    { "8.3", ":status", { { HEADERS_T, END, 1, B("\x88" BASE) } }, STREAM, 1 },
    { "8.3",
      "a pseudo-header field behind a field",
      { { HEADERS_T, END, 1, B(GET HTTPS PATH "\0\1x\1y" AUTHORITY) } },
      STREAM,
      1 },
    { "8.3", "two :method", { { HEADERS_T, END, 1, B(GET BASE) } }, STREAM, 1 },
    { "8.3", "two :path", { { HEADERS_T, END, 1, B(PATH BASE) } }, STREAM, 1 },
    { "8.3", "two :scheme", { { HEADERS_T, END, 1, B(HTTPS BASE) } }, STREAM, 1 },
    { "8.3", "two :authority", { { HEADERS_T, END, 1, B(AUTHORITY BASE) } }, STREAM, 1 },
    { "8.3.1", "no :method", { { HEADERS_T, END, 1, B(HTTPS PATH AUTHORITY) } }, STREAM, 1 },
    { "8.3.1", "no :scheme", { { HEADERS_T, END, 1, B(GET PATH AUTHORITY) } }, STREAM, 1 },
    { "8.3.1", "no :path", { { HEADERS_T, END, 1, B(GET HTTPS AUTHORITY) } }, STREAM, 1 },
    PATH_IS("an empty :path", "\4\0"),
    PATH_IS("a :path that begins with no slash", "\4\3a/b"),
    PATH_IS("a fragment in :path", "\4\5/a?b#"),
    PATH_IS("a control character in :path", "\4\3/\1b"),
    PATH_IS("DEL in :path", "\4\3/\x7f"
                            "b"),
    PATH_IS("a space in :path", "\4\4/a b"),
    PATH_IS("a tab in :path", "\4\4/a\tb"),
    PATH_IS("an absolute URI in :path", "\4\x0ahttp://a/b"),
    PATH_IS("GET *", "\4\1*"),
    { "8.3.1",
      "OPTIONS *",
      { { HEADERS_T, END, 1, B("\2\7OPTIONS" HTTPS "\4\1*" AUTHORITY) } },
      SERVED,
      0 },
    { "8.3.1",
      "no :authority, and Host",
      { { HEADERS_T, END, 1, B(GET HTTPS PATH "\0\4host\x09localhost") } },
      SERVED,
      0 },
    { "8.3.1",
      "neither :authority nor Host",
      { { HEADERS_T, END, 1, B(GET HTTPS PATH) } },
      STREAM,
      1 },
    { "8.3.1",
      "userinfo in :authority",
      { { HEADERS_T, END, 1, B(GET HTTPS PATH "\1\3u@h") } },
      STREAM,
      1 },
    { "8.3.1",
      "an empty :authority",
      { { HEADERS_T, END, 1, B(GET HTTPS PATH "\1\0") } },
      STREAM,
      1 },
    { "8.3.1",
      "a slash in Host",
      { { HEADERS_T, END, 1, B(GET HTTPS PATH "\0\4host\3a/b") } },
      STREAM,
      1 },
    { "8.3.1",
      "an IPv6 address and a port",
      { { HEADERS_T, END, 1, B(GET HTTPS PATH "\1\x08[::1]:80") } },
      SERVED,
      0 },
    { "8.5", "CONNECT", { { HEADERS_T, END_HEADERS, 1, B("\2\7CONNECT\1\5h:443") } }, SILENT, 0 },
    { "8.5",
      "CONNECT with :path",
      { { HEADERS_T, END_HEADERS, 1, B("\2\7CONNECT" PATH "\1\5h:443") } },
      STREAM,
      1 },
    { "8.5",
      "CONNECT with :scheme",
      { { HEADERS_T, END_HEADERS, 1, B("\2\7CONNECT" HTTPS "\1\5h:443") } },
      STREAM,
      1 },
    { "8.5",
      "CONNECT without :authority",
      { { HEADERS_T, END_HEADERS, 1, B("\2\7CONNECT") } },
      STREAM,
      1 },
#if NGHTTP2_VERSION_NUM < 0x014100
    /* RFC 7540 5.3.1; RFC 9113 has no such rule any more, and later versions of nghttp2 neither */
    { "-", "a stream that depends on itself", { { 2, 0, 1, B("\0\0\0\1\x10") } }, CONNECTION, 1 },
#endif
};

static const char *wanted(const struct row *row)
{
    static char text[64];
    switch (row->outcome) {
    case SERVED:
        return "HEADERS 1\nDATA 1 5 END_STREAM\n";
    case PONG:
        return "PING ACK\n";
    case ACK:
        return "SETTINGS ACK\n";
    case STREAM:
        snprintf(text, sizeof text, "RST_STREAM 1 %s\n", h2_error_name(row->code));
        return text;
    case CONNECTION:
        snprintf(text, sizeof text, " %s", h2_error_name(row->code));
        return text;
    case SILENT:
        break;
    }
    return "";
}

static void one_row(const struct row *row)
{
    struct rig *rig = rig_ready();
    for (size_t i = 0; i < 4 && row->shots[i].payload && !rig->finished; i++)
        rig_frame_in(rig, row->shots[i].type, row->shots[i].flags, row->shots[i].stream,
                     row->shots[i].payload, row->shots[i].n);
    const char *seen = rig_frames(rig), *want = wanted(row);
    bool ends = row->outcome == CONNECTION;
    bool good = ends ? strstr(seen, want) && strstr(seen, "GOAWAY last=")
                : row->outcome == SERVED || row->outcome == ACK
                    ? strncmp(seen, want, strlen(want)) == 0
                    : strcmp(seen, want) == 0;
    good = good && rig->finished == ends;
    if (!good)
        print_error("RFC 9113 %s, %s: the client sees \"%s\"\n", row->clause, row->what, seen);
    unsigned most = ends ? 2 : row->outcome == STREAM; /* an error of the stream may come first */
    if (rig->errors < (most > 0) || rig->errors > most) {
        print_error("RFC 9113 %s, %s: %u errors are ledgered\n", row->clause, row->what,
                    rig->errors);
        good = false;
    }
    bad += !good;
    if (!ends && good) {
        rig_get(rig, 101);
        assert_string_equal(rig_frames(rig), "HEADERS 101\nDATA 101 5 END_STREAM\n");
    }
    rig_destroy(rig);
}

static void frames_are_checked(void **state)
{
    for (size_t i = 0; i < sizeof frame_rows / sizeof *frame_rows; i++)
        one_row(&frame_rows[i]);
    assert_int_equal(bad, 0);
}

static void requests_are_checked(void **state)
{
    for (size_t i = 0; i < sizeof request_rows / sizeof *request_rows; i++)
        one_row(&request_rows[i]);
    assert_int_equal(bad, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_are_checked),
        cmocka_unit_test(requests_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
