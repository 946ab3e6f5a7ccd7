/* test_h2_random.c - the HTTP/2 engine with any input and any verb, in any order. */
#include <unistd.h>

#include "base/log.h"
#include "harness/h2_rig.h"
#include "harness/memcheck.h"

#define HANG                                                                                       \
    120 /* seconds; a pump that does not end is a failure, not a test that waits for ever */

/* What the engine complains of about itself (--wrap). */
void __wrap_log_sometimes(struct log_gate *gate, enum log_level level, const char *format, ...);

static unsigned complaints;

void __wrap_log_sometimes(struct log_gate *gate, enum log_level level, const char *format, ...)
{
    complaints++;
}

static uint32_t seed;

static uint32_t dice(uint32_t n)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % n;
}

static void random_frame(struct buf *to)
{
    static const char *const blocks_[] = { GET_BLOCK, POST_BLOCK, "\x40\1k\1v\xbe",
                                           "\x82\x87\x84" };
    uint8_t payload[40];
    uint32_t stream = dice(4) ? 2 * dice(12) + 1 : dice(3);
    size_t n = dice(sizeof payload);
    for (size_t i = 0; i < n; i++)
        payload[i] = (uint8_t)dice(256);
    switch (dice(8)) {
    case 0:
    case 1:
    case 2: {
        const char *block = blocks_[dice(4)];
        put_frame(to, NGHTTP2_HEADERS, (uint8_t)(dice(8) ? dice(2) | 4 : dice(64)), stream, block,
                  strlen(block));
        break;
    }
    case 3:
        put_frame(to, NGHTTP2_DATA, (uint8_t)dice(2), stream, payload, n);
        break;
    case 4:
        put_frame(to, NGHTTP2_WINDOW_UPDATE, 0, stream, "\0\0\1\0", 4);
        break;
    case 5:
        put_frame(to, NGHTTP2_RST_STREAM, 0, stream, "\0\0\0\x08", 4);
        break;
    case 6:
        put_frame(to, NGHTTP2_PING, (uint8_t)dice(2), 0, "12345678", 8);
        break;
    default:
        put_frame(to, (uint8_t)dice(12), (uint8_t)dice(256), dice(2) ? 0 : stream, payload, n);
    }
}

/* What an ordinary client might send: so far that streams get their answers. */
static void ordinary_frame(struct buf *to, uint32_t *next)
{
    uint32_t stream = *next > 1 ? 2 * dice(*next / 2) + 1 : 1;
    switch (*next > 1 ? dice(10) : 0) {
    case 0:
    case 1:
    case 2:
    case 3:
        put_frame(to, NGHTTP2_HEADERS, END_STREAM | END_HEADERS, *next, GET_BLOCK, BLOCK_LEN);
        *next += 2;
        break;
    case 4:
    case 5:
        put_frame(to, NGHTTP2_HEADERS, END_HEADERS, *next, POST_BLOCK, BLOCK_LEN);
        put_frame(to, NGHTTP2_DATA, dice(2) ? END_STREAM : 0, *next, "abcdefgh", dice(9));
        *next += 2;
        break;
    case 6:
        put_frame(to, NGHTTP2_RST_STREAM, 0, stream, "\0\0\0\x08", 4);
        break;
    case 7:
        put_frame(to, NGHTTP2_WINDOW_UPDATE, 0, dice(2) ? stream : 0, "\0\0\1\0", 4);
        break;
    case 8:
        put_frame(to, NGHTTP2_SETTINGS, dice(2) ? NGHTTP2_FLAG_ACK : 0, 0, NULL, 0);
        break;
    default:
        put_frame(to, NGHTTP2_PING, (uint8_t)dice(2), 0, "12345678", 8);
    }
}

/* A client that gives windows by the octet, so that responses wait for them at any place. */
static void stingy_frame(struct buf *to, uint32_t *next)
{
    uint32_t stream = *next > 1 ? 2 * dice(*next / 2) + 1 : 1;
    const uint8_t more[] = { 0, 0, 0, (uint8_t)(1 + dice(12)) };
    const uint8_t window[] = { 0, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0, 0, 0, (uint8_t)dice(9) };
    switch (*next > 1 ? dice(12) : 0) {
    case 0:
    case 1:
    case 2:
        put_frame(to, NGHTTP2_HEADERS, END_STREAM | END_HEADERS, *next, GET_BLOCK, BLOCK_LEN);
        *next += 2;
        break;
    case 3:
        put_frame(to, NGHTTP2_SETTINGS, 0, 0, window, sizeof window);
        break;
    case 4:
        put_frame(to, NGHTTP2_RST_STREAM, 0, stream, "\0\0\0\x08", 4);
        break;
    default:
        put_frame(to, NGHTTP2_WINDOW_UPDATE, 0, stream, more, sizeof more);
    }
}

static struct exchange *open_exchanges[64], *stopped_exchanges[64];
static uint32_t ends_in; /* a verb that may end all is said once in so many times */

/* Any of them, or NULL. */
static struct exchange *pick(struct exchange *const *from)
{
    uint32_t start = dice(64);
    for (uint32_t i = 0; i < 64; i++) {
        if (from[(start + i) % 64])
            return from[(start + i) % 64];
    }
    return NULL;
}

static void remember(struct rig *rig, struct exchange *ex)
{
    open_exchanges[ex->stream % 64] = ex;
}

static void forget(struct rig *rig, struct exchange *ex)
{
    if (open_exchanges[ex->stream % 64] == ex)
        open_exchanges[ex->stream % 64] = NULL;
    if (stopped_exchanges[ex->stream % 64] == ex)
        stopped_exchanges[ex->stream % 64] = NULL;
}

static void random_answer(struct rig *rig)
{
    struct exchange *ex = pick(open_exchanges);
    if (!ex)
        return;
    forget(rig, ex);
    rig->response.status = dice(2) ? 200 : 204;
    if (dice(3) == 0)
        assert_int_equal(engine_stop_at(ex, STOP_CONTENT, dice(7)), 0);
    if (dice(3) == 0)
        assert_int_equal(engine_stop_at(ex, STOP_OCTETS, 1 + dice(90)), 0);
    engine_respond(ex, &rig->response);
}

static void random_going_on(struct rig *rig)
{
    struct exchange *ex = pick(stopped_exchanges);
    if (!ex)
        return;
    stopped_exchanges[ex->stream % 64] = NULL;
    engine_stop_at(ex, dice(2) ? STOP_OCTETS : STOP_CONTENT, dice(100)); /* may be refused */
    engine_continue(ex);
}

static void random_verb(struct rig *rig)
{
    const struct goaway goaway = { .error = dice(3),
                                   .last = (enum goaway_last)dice(4),
                                   .number = (int32_t)dice(20) - 5,
                                   .debug = "d",
                                   .debug_len = dice(2) };
    switch (dice(19)) {
    case 0:
        if (dice(ends_in) == 0)
            engine_goaway(rig->engine, &goaway);
        break;
    case 1:
        engine_goaway_notice(rig->engine);
        break;
    case 2:
        engine_watch(rig->engine, dice(8 * ends_in) ? WATCH_HOLD : WATCH_ONLY);
        break;
    case 3:
        engine_watch_flush(rig->engine, false);
        break;
    case 4:
    case 5:
        engine_resume(rig->engine);
        break;
    case 6:
        rig->room = dice(2) ? dice(100) : SIZE_MAX;
        engine_pump(rig->engine);
        break;
    case 7:
        if (dice(20 * ends_in) == 0)
            engine_shutdown(rig->engine);
        if (dice(20 * ends_in) == 0)
            engine_peer_closed(rig->engine);
        break;
    case 8:
        engine_rst_stream(rig->engine, (int32_t)dice(24), dice(14));
        break;
    case 9:
        engine_ping(rig->engine, (const uint8_t *)"87654321");
        break;
    case 10:
    case 11:
        engine_set(rig->engine, (enum engine_setting)dice(6), dice(3) * dice(100));
        break;
    case 12:
    case 13:
    case 14:
        random_going_on(rig);
        break;
    default:
        random_answer(rig);
    }
}

static void random_verb_and_remember(struct rig *rig, struct exchange *ex)
{
    remember(rig, ex);
    if (dice(4) == 0)
        random_verb(rig);
}

static void maybe_verb(struct rig *rig, struct exchange *ex)
{
    if (dice(4) == 0)
        random_verb(rig);
}

static void note_and_maybe_verb(struct rig *rig, struct exchange *ex)
{
    stopped_exchanges[ex->stream % 64] = ex;
    maybe_verb(rig, ex);
}

/* What was put out is frames, the last one perhaps not whole, and no response continues after its
 * end. */
static void assert_frames(struct rig *rig)
{
    bool over[256] = { false };
    size_t left = buf_len(&rig->out);
    const uint8_t *p = left ? buf_bytes(&rig->out) : NULL;
    while (left >= 9) {
        size_t n = 9 + ((size_t)p[0] << 16 | (size_t)p[1] << 8 | p[2]);
        uint32_t stream = big32(p + 5);
        assert_in_range(n, 9, 9 + 16384);
        assert_in_range(p[3], NGHTTP2_DATA, NGHTTP2_CONTINUATION);
        if (p[3] == NGHTTP2_DATA || p[3] == NGHTTP2_HEADERS) {
            assert_false(over[stream % 256]);
            over[stream % 256] = p[4] & END_STREAM;
        }
        n = n < left ? n : left;
        p += n;
        left -= n;
    }
}

static void forget_and_maybe_verb(struct rig *rig, struct exchange *ex)
{
    forget(rig, ex);
    maybe_verb(rig, ex);
}

static struct rig *random_rig(void)
{
    memset(open_exchanges, 0, sizeof open_exchanges);
    memset(stopped_exchanges, 0, sizeof stopped_exchanges);
    struct rig *rig = rig_ready();
    rig->on_begin = random_verb_and_remember;
    rig->on_headers = rig->on_complete = maybe_verb;
    rig->on_lost = rig->on_responded = forget_and_maybe_verb;
    rig->on_stopped = note_and_maybe_verb;
    return rig;
}

/* Gives it the flight in pieces, with verbs between. */
static void fly(struct rig *rig, struct buf *flight)
{
    while (buf_len(flight)) {
        size_t n = dice(3) ? dice(60) + 1 : 300;
        n = n < buf_len(flight) ? n : buf_len(flight);
        rig_input(rig, buf_bytes(flight), n);
        buf_consume(flight, n);
        random_verb(rig);
    }
    buf_free(flight);
    assert_frames(rig);
    assert_int_equal(complaints, 0);
    rig->on_lost = rig->on_responded = forget;
}

static void anything_in_any_order_is_survived(void **state)
{
    ends_in = 1;
    for (uint32_t round = 0; round < rounds_of(3000); round++) {
        seed = round;
        struct rig *rig = random_rig();
        struct buf flight = { 0 };
        for (uint32_t i = 0; i < 60; i++)
            random_frame(&flight);
        if (dice(4) == 0 && buf_len(&flight) > 10) /* and some of it spoilt */
            flight.data[dice((uint32_t)buf_len(&flight))] ^= (uint8_t)(1 + dice(255));
        fly(rig, &flight);
        rig_destroy(rig);
    }
}

static void verbs_in_any_order_leave_order_on_the_wire(void **state)
{
    unsigned responded = 0, finished = 0;
    ends_in = 20;
    for (uint32_t round = 0; round < rounds_of(3000); round++) {
        seed = round;
        struct rig *rig = random_rig();
        struct buf flight = { 0 };
        uint32_t next = 1;
        for (uint32_t i = 0; i < 100; i++)
            ordinary_frame(&flight, &next);
        fly(rig, &flight);
        responded += strstr(rig_log(rig), "responded ") != NULL;
        finished += rig->finished;
        rig_destroy(rig);
    }
    assert_in_range(responded, rounds_of(1000), rounds_of(2900)); /* neither is it all refused, */
    assert_in_range(finished, 1, rounds_of(2500));                /* nor all ended */
}

static void no_pump_runs_for_ever_while_windows_open_by_the_octet(void **state)
{
    static const uint8_t closed[] = { 0, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0, 0, 0, 3 };
    unsigned stopped = 0, waited = 0;
    for (uint32_t round = 0; round < rounds_of(6000); round++) {
        seed = round;
        ends_in = dice(2) ? 2 : 20;
        struct rig *rig = random_rig();
        struct buf flight = { 0 };
        uint32_t next = 1;
        rig->response.body = "abcdefghijklmnopqrstuvwxyz";
        rig->response.body_len = dice(27);
        put_frame(&flight, NGHTTP2_SETTINGS, 0, 0, closed, sizeof closed);
        for (uint32_t i = 0; i < 60; i++)
            stingy_frame(&flight, &next);
        fly(rig, &flight);
        stopped += strstr(rig_log(rig), "stopped ") != NULL;
        waited += pick(open_exchanges) != NULL;
        rig_destroy(rig);
    }
    assert_in_range(stopped, rounds_of(1000), rounds_of(5990));
    assert_in_range(waited, rounds_of(100), rounds_of(5990));
}

static void random_bytes_are_survived(void **state)
{
    for (uint32_t round = 0; round < rounds_of(500); round++) {
        uint8_t bytes[300];
        seed = round;
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (uint8_t)dice(256);
        struct rig *rig = dice(2) ? rig_ready() : rig_create();
        rig_input(rig, bytes, sizeof bytes);
        rig_destroy(rig);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(anything_in_any_order_is_survived),
        cmocka_unit_test(verbs_in_any_order_leave_order_on_the_wire),
        cmocka_unit_test(no_pump_runs_for_ever_while_windows_open_by_the_octet),
        cmocka_unit_test(random_bytes_are_survived),
    };
    alarm(HANG);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
