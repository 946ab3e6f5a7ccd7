/* test_h2_states.c - every frame that a client can send in every state of a stream (RFC 9113 5.1,
 * 6): what it sees, and by which clause. And floods of frames. */
#include "base/clock.h"
#include "harness/h2_rig.h"
#include "harness/memcheck.h"

/* --- States of stream 1 */

static void wait_for_ever(struct rig *rig, struct exchange *ex)
{
}

static void idle(struct rig *rig)
{
}

static void open_it(struct rig *rig)
{
    rig_frame_in(rig, NGHTTP2_HEADERS, END_HEADERS, 1, POST_BLOCK, BLOCK_LEN);
}

static void half_closed_remote(struct rig *rig)
{
    rig->on_complete = wait_for_ever;
    rig_get(rig, 1);
}

static void half_closed_local(struct rig *rig)
{
    rig->on_headers = respond_now;
    open_it(rig);
    rig->on_headers = NULL;
    rig->on_complete = wait_for_ever;
}

static void closed_by_both(struct rig *rig)
{
    rig_get(rig, 1);
}

static void closed_by_trailers(struct rig *rig)
{
    open_it(rig);
    rig_frame_in(rig, NGHTTP2_HEADERS, END_STREAM | END_HEADERS, 1, "\0\1k\1v", 5);
}

static void reset_by_us(struct rig *rig)
{
    open_it(rig);
    engine_rst_stream(rig->engine, 1, NGHTTP2_CANCEL);
}

static void reset_as_malformed(struct rig *rig)
{
    rig_frame_in(rig, NGHTTP2_HEADERS, END_HEADERS, 1, "\x82", 1);
    rig->errors = 0;
}

/* Nothing but WINDOW_UPDATE and RST_STREAM can have been in flight. */
static void reset_by_us_at_its_end(struct rig *rig)
{
    half_closed_remote(rig);
    engine_rst_stream(rig->engine, 1, NGHTTP2_CANCEL);
}

static void reset_by_client(struct rig *rig)
{
    open_it(rig);
    rig_frame_in(rig, NGHTTP2_RST_STREAM, 0, 1, "\0\0\0\x08", 4);
}

static void left_out(struct rig *rig)
{
    rig_get(rig, 3);
}

static void above_our_goaway(struct rig *rig)
{
    const struct goaway goaway = { .last = GOAWAY_LAST_NONE };
    engine_goaway(rig->engine, &goaway);
    open_it(rig);
}

enum state {
    IDLE,
    OPEN,
    REMOTE,
    LOCAL,
    ENDED,
    TRAILED,
    OURS,
    MALFORMED,
    OURS_ENDED,
    THEIRS,
    LOWER,
    ABOVE,
    STATES
};

static const struct {
    const char *name;
    void (*enter)(struct rig *rig);
} states[STATES] = {
    [IDLE] = { "idle", idle },
    [OPEN] = { "open", open_it },
    [REMOTE] = { "half-closed (remote)", half_closed_remote },
    [LOCAL] = { "half-closed (local)", half_closed_local },
    [ENDED] = { "closed by END_STREAM", closed_by_both },
    [TRAILED] = { "closed by END_STREAM on trailers", closed_by_trailers },
    [OURS] = { "closed by our RST_STREAM", reset_by_us },
    [MALFORMED] = { "closed by our RST_STREAM as malformed", reset_as_malformed },
    [OURS_ENDED] = { "closed by our RST_STREAM after END_STREAM", reset_by_us_at_its_end },
    [THEIRS] = { "closed by the client's RST_STREAM", reset_by_client },
    [LOWER] = { "closed by a higher stream", left_out },
    [ABOVE] = { "above the last stream of our GOAWAY", above_our_goaway },
};

/* --- Frames */

enum frame {
    DATA,
    DATA_END,
    REQUEST,
    TRAILERS,
    TRAILERS_ON,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    PUSH_PROMISE,
    PING,
    GOAWAY,
    WINDOW_UPDATE,
    CONTINUATION,
    UNKNOWN,
    FRAMES
};

static const struct {
    const char *name;
    uint8_t type, flags;
    const char *payload;
    size_t n;
} frames[FRAMES] = {
    [DATA] = { "DATA", NGHTTP2_DATA, 0, "x", 1 },
    [DATA_END] = { "empty DATA with END_STREAM", NGHTTP2_DATA, END_STREAM, "", 0 },
    [REQUEST] = { "HEADERS of a request", NGHTTP2_HEADERS, END_STREAM | END_HEADERS, GET_BLOCK,
                  BLOCK_LEN },
    [TRAILERS] = { "HEADERS of trailers", NGHTTP2_HEADERS, END_STREAM | END_HEADERS, "\0\1k\1v",
                   5 },
    [TRAILERS_ON] = { "HEADERS of trailers without END_STREAM", NGHTTP2_HEADERS, END_HEADERS,
                      "\0\1k\1v", 5 },
    [PRIORITY] = { "PRIORITY", NGHTTP2_PRIORITY, 0, "\0\0\0\0\x10", 5 },
    [RST_STREAM] = { "RST_STREAM", NGHTTP2_RST_STREAM, 0, "\0\0\0\x08", 4 },
    [SETTINGS] = { "SETTINGS", NGHTTP2_SETTINGS, 0, "", 0 },
    [PUSH_PROMISE] = { "PUSH_PROMISE", NGHTTP2_PUSH_PROMISE, END_HEADERS, "\0\0\0\2" GET_BLOCK,
                       4 + BLOCK_LEN },
    [PING] = { "PING", NGHTTP2_PING, 0, "12345678", 8 },
    [GOAWAY] = { "GOAWAY", NGHTTP2_GOAWAY, 0, "\0\0\0\0\0\0\0\0", 8 },
    [WINDOW_UPDATE] = { "WINDOW_UPDATE", NGHTTP2_WINDOW_UPDATE, 0, "\0\0\0\1", 4 },
    [CONTINUATION] = { "CONTINUATION", NGHTTP2_CONTINUATION, END_HEADERS, GET_BLOCK, BLOCK_LEN },
    [UNKNOWN] = { "a frame of an unknown type", 0xbe, 0xff, "zz", 2 },
};

/* --- The table */

enum outcome { UNSAID, TAKEN, ANSWERED, STREAM, CONNECTION };

struct cell {
    const char *clause; /* of RFC 9113 */
    enum outcome outcome;
    uint32_t code;
};

#define T(clause)                                                                                  \
    {                                                                                              \
        clause, TAKEN, 0                                                                           \
    } /* nothing is said: it is what it is, or it is ignored */
#define A(clause)                                                                                  \
    {                                                                                              \
        clause, ANSWERED, 0                                                                        \
    }
#define S(code, clause)                                                                            \
    {                                                                                              \
        clause, STREAM, NGHTTP2_##code                                                             \
    }
#define C(code, clause)                                                                            \
    {                                                                                              \
        clause, CONNECTION, NGHTTP2_##code                                                         \
    }
#define EVERY(cell)                                                                                \
    {                                                                                              \
        cell, cell, cell, cell, cell, cell, cell, cell, cell, cell, cell, cell                     \
    }

/* Stream errors may be treated as connection errors (5.4), as nghttp2 does on half-closed streams.
 */
static const struct cell table[FRAMES][STATES] = {
    [DATA] = { [IDLE] = C(PROTOCOL_ERROR, "5.1"),
               [OPEN] = T("6.1"),
               [REMOTE] = C(STREAM_CLOSED, "5.1, 6.1"),
               [LOCAL] = T("5.1"),
               [ENDED] = C(STREAM_CLOSED, "5.1, 6.1"),
               [TRAILED] = C(STREAM_CLOSED, "5.1, 6.1"),
               [OURS] = T("5.1"),
               [MALFORMED] = T("5.1"),
               [OURS_ENDED] = C(STREAM_CLOSED, "5.1, 6.1"),
               [THEIRS] = S(STREAM_CLOSED, "6.1"),
               [LOWER] = C(STREAM_CLOSED, "5.1.1, 6.1"),
               [ABOVE] = T("6.8") },
    [DATA_END] = { [IDLE] = C(PROTOCOL_ERROR, "5.1"),
                   [OPEN] = A("8.1"),
                   [REMOTE] = C(STREAM_CLOSED, "5.1, 6.1"),
                   [LOCAL] = T("5.1"),
                   [ENDED] = C(STREAM_CLOSED, "5.1, 6.1"),
                   [TRAILED] = C(STREAM_CLOSED, "5.1, 6.1"),
                   [OURS] = T("5.1"),
                   [MALFORMED] = T("5.1"),
                   [OURS_ENDED] = C(STREAM_CLOSED, "5.1, 6.1"),
                   [THEIRS] = S(STREAM_CLOSED, "6.1"),
                   [LOWER] = C(STREAM_CLOSED, "5.1.1, 6.1"),
                   [ABOVE] = T("6.8") },
    [REQUEST] = { [IDLE] = A("5.1, 6.2"),
                  [OPEN] = S(PROTOCOL_ERROR, "8.1"), /* pseudo-header fields in trailers */
                  [REMOTE] = C(STREAM_CLOSED, "5.1"),
                  [LOCAL] = S(PROTOCOL_ERROR, "8.1"),
                  [ENDED] = C(STREAM_CLOSED, "5.1"),
                  [TRAILED] = C(STREAM_CLOSED, "5.1"),
                  [OURS] = T("5.1"),
                  [MALFORMED] = T("5.1"),
                  [OURS_ENDED] = C(STREAM_CLOSED, "5.1"),
                  [THEIRS] = S(STREAM_CLOSED, "5.1"),
                  [LOWER] = C(PROTOCOL_ERROR, "5.1.1"),
                  [ABOVE] = T("6.8") },
    [TRAILERS] = { [IDLE] = S(PROTOCOL_ERROR, "8.3.1"),
                   [OPEN] = A("8.1"),
                   [REMOTE] = C(STREAM_CLOSED, "5.1"),
                   [LOCAL] = T("5.1"),
                   [ENDED] = C(STREAM_CLOSED, "5.1"),
                   [TRAILED] = C(STREAM_CLOSED, "5.1"),
                   [OURS] = T("5.1"),
                   [MALFORMED] = T("5.1"),
                   [OURS_ENDED] = C(STREAM_CLOSED, "5.1"),
                   [THEIRS] = S(STREAM_CLOSED, "5.1"),
                   [LOWER] = C(PROTOCOL_ERROR, "5.1.1"),
                   [ABOVE] = T("6.8") },
    [TRAILERS_ON] = { [IDLE] = S(PROTOCOL_ERROR, "8.3.1"),
                      [OPEN] = S(PROTOCOL_ERROR, "8.1"),
                      [REMOTE] = C(STREAM_CLOSED, "5.1"),
                      [LOCAL] = S(PROTOCOL_ERROR, "8.1"),
                      [ENDED] = C(STREAM_CLOSED, "5.1"),
                      [TRAILED] = C(STREAM_CLOSED, "5.1"),
                      [OURS] = T("5.1"),
                      [MALFORMED] = T("5.1"),
                      [OURS_ENDED] = C(STREAM_CLOSED, "5.1"),
                      [THEIRS] = S(STREAM_CLOSED, "5.1"),
                      [LOWER] = C(PROTOCOL_ERROR, "5.1.1"),
                      [ABOVE] = T("6.8") },
    [PRIORITY] = EVERY(T("5.1, 6.3")),
    [RST_STREAM] = { [IDLE] = C(PROTOCOL_ERROR, "6.4"),
                     [OPEN] = T("6.4"),
                     [REMOTE] = T("5.1"),
                     [LOCAL] = T("5.1"),
                     [ENDED] = T("5.1"),
                     [TRAILED] = T("5.1"),
                     [OURS] = T("5.1"),
                     [MALFORMED] = T("5.1"),
                     [OURS_ENDED] = T("5.1"),
                     [THEIRS] = T("5.4.2"), /* never answered with RST_STREAM */
                     [LOWER] = T("5.4.2"),
                     [ABOVE] = T("6.8") },
    [SETTINGS] = EVERY(C(PROTOCOL_ERROR, "6.5")),
    [PUSH_PROMISE] = EVERY(C(PROTOCOL_ERROR, "8.4")),
    [PING] = EVERY(C(PROTOCOL_ERROR, "6.7")),
    [GOAWAY] = EVERY(C(PROTOCOL_ERROR, "6.8")),
    [WINDOW_UPDATE] = { [IDLE] = C(PROTOCOL_ERROR, "5.1"),
                        [OPEN] = T("6.9"),
                        [REMOTE] = T("5.1"),
                        [LOCAL] = T("5.1"),
                        [ENDED] = T("5.1"),
                        [TRAILED] = T("5.1"),
                        [OURS] = T("5.1"),
                        [MALFORMED] = T("5.1"),
                        [OURS_ENDED] = T("5.1"),
                        [THEIRS] = T("6.9"),
                        [LOWER] = T("6.9"),
                        [ABOVE] = T("6.8") },
    [CONTINUATION] = EVERY(C(PROTOCOL_ERROR, "6.10")),
    [UNKNOWN] = EVERY(T("4.1, 5.5")),
};

static void sees(const char *what, const char *state, const struct cell *cell, const char *seen)
{
    char want[100] = "";
    if (cell->outcome == ANSWERED)
        snprintf(want, sizeof want, "HEADERS 1\nDATA 1 5 END_STREAM\n");
    else if (cell->outcome == STREAM)
        snprintf(want, sizeof want, "RST_STREAM 1 %s\n", h2_error_name(cell->code));
    if (cell->outcome == CONNECTION) {
        const char *code = strncmp(seen, "GOAWAY last=", 12) == 0 ? strchr(seen + 12, ' ') : NULL;
        const char *name = h2_error_name(cell->code);
        size_t len = strlen(name);
        if (code && strncmp(code + 1, name, len) == 0 && strchr(" \n", code[1 + len]))
            return;
    } else if (strcmp(seen, want) == 0) {
        return;
    }
    fail_msg("%s, %s (RFC 9113 %s): the client sees \"%s\"", what, state, cell->clause, seen);
}

static void serves_on(struct rig *rig, const char *what, const char *state)
{
    rig->on_complete = respond_now;
    rig_get(rig, 101);
    const char *seen = rig_frames(rig);
    if (strcmp(seen, "HEADERS 101\nDATA 101 5 END_STREAM\n") != 0)
        fail_msg("%s, %s: then a request sees \"%s\"", what, state, seen);
}

/* A connection whose stream 1 gets this frame in this state. */
static struct rig *meets(enum frame f, enum state s, bool watching)
{
    struct rig *rig = rig_ready();
    states[s].enter(rig);
    if (watching)
        engine_watch(rig->engine, WATCH_ONLY);
    rig_frames(rig);
    rig_frame_in(rig, frames[f].type, frames[f].flags, 1, frames[f].payload, frames[f].n);
    return rig;
}

static void one_cell(enum frame f, enum state s)
{
    const struct cell *cell = &table[f][s];
    assert_int_not_equal(cell->outcome, UNSAID);
    struct rig *rig = meets(f, s, false);
    sees(frames[f].name, states[s].name, cell, rig_frames(rig));
    if (cell->outcome != CONNECTION && s == ABOVE) {
        rig_get(rig, 101);
        assert_int_equal(rig->stale, 2);
        assert_string_equal(rig_frames(rig), "");
    } else if (cell->outcome != CONNECTION) {
        serves_on(rig, frames[f].name, states[s].name);
    }
    assert_int_equal(rig->finished, cell->outcome == CONNECTION);
    assert_int_equal(rig->errors, cell->outcome == CONNECTION || cell->outcome == STREAM);
    rig_destroy(rig);
}

static void every_frame_in_every_state_is_treated_by_its_clause(void **state)
{
    for (enum frame f = 0; f < FRAMES; f++)
        for (enum state s = 0; s < STATES; s++)
            one_cell(f, s);
}

/* A watched connection says nothing, and continues to report requests. */
static void nothing_is_said_about_them_while_it_watches(void **state)
{
    for (enum frame f = 0; f < TRAILERS_ON; f++) {
        for (enum state s = OPEN; s < ABOVE; s++) {
            struct rig *rig = meets(f, s, true);
            rig_get(rig, 101);
            assert_string_equal(rig_frames(rig), "");
            assert_int_equal(rig->errors, 0);
            if (s != REMOTE) /* there nghttp2 ends it */
                assert_int_equal(rig->stale, 1);
            rig_destroy(rig);
        }
    }
}

/* Of the last 256 streams it is known how they closed; what comes for older ones is ignored. */
static void what_is_long_ago_is_ignored(void **state)
{
    static const uint32_t since[] = { 1, 2, 255, 256, 257, 1000 };
    for (size_t i = 0; i < sizeof since / sizeof *since; i++) {
        for (unsigned lower = 0; lower < 2; lower++) {
            struct rig *rig = rig_ready();
            bool known = since[i] < 256;
            rig_get(rig, 11);
            for (uint32_t n = 1; n < since[i] && !lower; n++)
                rig_get(rig, 11 + 2 * n);
            rig_get(rig, 11 + 2 * since[i]);
            rig_frames(rig);
            rig_frame_in(rig, NGHTTP2_DATA, 0, 11, "x", 1);
            assert_int_equal(rig->finished, known);
            if (known)
                assert_non_null(strstr(rig_frames(rig), " STREAM_CLOSED\n"));
            else
                assert_string_equal(rig_frames(rig), "");
            rig_destroy(rig);
        }
    }
}

/* What was in flight when RST_STREAM left counts in the connection's window (RFC 9113 5.1), and
 * keeps header compression up. */
static void what_was_in_flight_counts(void **state)
{
    static char data[16384];
    struct rig *rig = rig_ready();
    reset_by_us(rig);
    rig_frame_in(rig, NGHTTP2_HEADERS, END_HEADERS, 1, "\x40\1k\1v", 5); /* into the table */
    for (unsigned i = 0; i < 8; i++)                                     /* twice the window */
        rig_frame_in(rig, NGHTTP2_DATA, 0, 1, data, sizeof data);
    rig_frame_in(rig, NGHTTP2_HEADERS, END_STREAM | END_HEADERS, 3, GET_BLOCK "\xbe",
                 BLOCK_LEN + 1);
    assert_non_null(strstr(rig_frames(rig), "WINDOW_UPDATE 0\n"));
    assert_non_null(strstr(rig_log(rig), "responded 3\n"));
    assert_int_equal(rig->errors, 0);
    rig_destroy(rig);
}

/* --- Floods (RFC 9113 10.5) */

static int64_t now;

int64_t __wrap_clock_now(void);
int64_t __wrap_clock_now(void)
{
    return now;
}

static uint32_t next;

static void flood_rapid_reset(struct rig *rig)
{
    next += 2;
    rig_frame_in(rig, NGHTTP2_HEADERS, END_HEADERS, next, POST_BLOCK, BLOCK_LEN);
    rig_frame_in(rig, NGHTTP2_RST_STREAM, 0, next, "\0\0\0\x08", 4);
}

/* The client makes the server reset them. */
static void flood_malformed(struct rig *rig)
{
    next += 2;
    rig_frame_in(rig, NGHTTP2_HEADERS, END_HEADERS, next, "\x82", 1);
}

static void flood_behind_reset(struct rig *rig)
{
    flood_rapid_reset(rig);
    rig_frame_in(rig, NGHTTP2_DATA, 0, next, "x", 1);
}

static void flood_settings(struct rig *rig)
{
    rig_frame_in(rig, NGHTTP2_SETTINGS, 0, 0, "\0\4\0\0\0\1", 6);
}

static void flood_pings(struct rig *rig)
{
    rig_frame_in(rig, NGHTTP2_PING, 0, 0, "12345678", 8);
}

static void flood_priority(struct rig *rig)
{
    rig_frame_in(rig, NGHTTP2_PRIORITY, 0, 1, "\0\0\0\0\x10", 5);
}

static void flood_unknown(struct rig *rig)
{
    rig_frame_in(rig, 0xbe, 0, 0, NULL, 0);
}

static void flood_empty_data(struct rig *rig)
{
    if (next == 1)
        rig_frame_in(rig, NGHTTP2_HEADERS, END_HEADERS, next = 3, POST_BLOCK, BLOCK_LEN);
    rig_frame_in(rig, NGHTTP2_DATA, 0, 3, NULL, 0);
}

static const struct {
    const char *name;
    void (*once)(struct rig *rig);
    unsigned burst, rate; /* that are taken at once; and then each second */
} floods[] = {
    { "rapid reset", flood_rapid_reset, 900, 30 },
    { "malformed requests", flood_malformed, 900, 30 },
    { "DATA behind RST_STREAM", flood_behind_reset, 450, 15 },
    { "SETTINGS", flood_settings, 10000, 1000 },
    { "PING", flood_pings, 10000, 1000 },
    { "PRIORITY", flood_priority, 10000, 1000 },
    { "unknown frames", flood_unknown, 10000, 1000 },
    { "empty DATA", flood_empty_data, 10000, 1000 },
};

static void lives(struct rig *rig, const char *what)
{
    if (rig->finished)
        fail_msg("%s: ended: %s", what, rig_log(rig));
}

static unsigned taken(struct rig *rig, void (*once)(struct rig *rig), unsigned at_most)
{
    unsigned n = 0;
    for (; n < at_most && !rig->finished; n++) {
        once(rig);
        if (rig->finished)
            break;
        buf_consume(&rig->log, buf_len(&rig->log));
        buf_consume(&rig->out, buf_len(&rig->out));
    }
    return n;
}

static void floods_end_with_enhance_your_calm(void **state)
{
    for (size_t i = 0; i < sizeof floods / sizeof *floods; i++) {
        now = 1000 * NS_PER_S;
        next = 1;
        struct rig *rig = rig_ready();
        taken(rig, floods[i].once, floods[i].burst - 2); /* two were in rig_ready */
        lives(rig, floods[i].name);
        now += 2 * NS_PER_S; /* a pause helps */
        taken(rig, floods[i].once, 2 * floods[i].rate);
        lives(rig, floods[i].name);
        unsigned n = taken(rig, floods[i].once, 100);
        if (!rig->finished)
            fail_msg("%s are taken without end", floods[i].name);
        assert_in_range(n, 0, 4);
        assert_non_null(strstr(rig_frames(rig), " ENHANCE_YOUR_CALM\n"));
        rig_destroy(rig);
    }
}

/* What clients do that mean well, for a long time: h2load's requests, an upload in small frames, a
 * gRPC client that pings, a browser that cancels, WINDOW_UPDATE for each DATA frame. */
static void nobody_who_means_well_is_ended(void **state)
{
    now = 1000 * NS_PER_S;
    next = 1;
    struct rig *rig = rig_ready();
    rig->quiet = true;
    for (unsigned second = 0; second < (under_memcheck() ? 3 : 60); second++) {
        taken(rig, flood_pings, 900);
        taken(rig, flood_rapid_reset, 15); /* nghttp2 counts in real time */
        for (unsigned i = 0; i < 1000; i++) {
            rig_get(rig, next += 2);
            rig_frame_in(rig, NGHTTP2_WINDOW_UPDATE, 0, 0, "\0\0\0\1", 4);
            rig_frame_in(rig, NGHTTP2_WINDOW_UPDATE, 0, next, "\0\0\0\1", 4);
        }
        rig_frame_in(rig, NGHTTP2_HEADERS, END_HEADERS, next += 2, POST_BLOCK, BLOCK_LEN);
        for (unsigned i = 0; i < 1000; i++)
            rig_frame_in(rig, NGHTTP2_DATA, 0, next, "x", 1);
        rig_frame_in(rig, NGHTTP2_DATA, END_STREAM, next, NULL, 0);
        lives(rig, "all that is well meant");
        buf_consume(&rig->log, buf_len(&rig->log));
        buf_consume(&rig->out, buf_len(&rig->out));
        now += NS_PER_S;
    }
    assert_int_equal(rig->errors, 0);
    rig_destroy(rig);
}

static void a_field_block_has_at_most_nine_frames(void **state)
{
    for (unsigned n = 7; n < 10; n++) {
        for (unsigned stream = 1; stream < 5; stream += 2) {
            struct rig *rig = rig_ready();
            if (stream == 1) /* in trailers, too */
                open_it(rig);
            rig_frame_in(rig, NGHTTP2_HEADERS, END_STREAM, stream, stream == 1 ? "" : GET_BLOCK,
                         stream == 1 ? 0 : BLOCK_LEN);
            for (unsigned i = 1; i < n; i++)
                rig_frame_in(rig, NGHTTP2_CONTINUATION, 0, stream, NULL, 0);
            if (!rig->finished)
                rig_frame_in(rig, NGHTTP2_CONTINUATION, END_HEADERS, stream, NULL, 0);
            assert_int_equal(rig->finished, n > 8);
            if (n > 8)
                assert_non_null(strstr(rig_frames(rig), " ENHANCE_YOUR_CALM\n"));
            else
                assert_non_null(strstr(rig_frames(rig), " 5 END_STREAM\n"));
            rig_destroy(rig);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_frame_in_every_state_is_treated_by_its_clause),
        cmocka_unit_test(nothing_is_said_about_them_while_it_watches),
        cmocka_unit_test(what_is_long_ago_is_ignored),
        cmocka_unit_test(what_was_in_flight_counts),
        cmocka_unit_test(floods_end_with_enhance_your_calm),
        cmocka_unit_test(nobody_who_means_well_is_ended),
        cmocka_unit_test(a_field_block_has_at_most_nine_frames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
