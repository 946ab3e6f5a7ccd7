/* The catalogue's response modes that are about how an answer comes, and what comes instead:
 * "slow-first-byte", "drip", "throttle", "malformed-chunk", "garbage". */
#include "witness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The first request is served; the mode's nth is "2". */
static struct talk *used_once(struct stage *stage, const char *mode, const char *params)
{
    admin_mode(stage->server, mode, params);
    struct talk *t = talk_open(stage);
    talk_served(t);
    check(client_silent(&t->c, in_ms(50)), "not silent: %s", client_story(&t->c));
    assert_int_equal(buf_len(&t->c.in), 0);
    check_no_fault(stage, t);
    return t;
}

/* Answers come in less than this; on a busy machine one of them may be late. */
static void check_prompt(struct talk *t, int64_t ms, const char *what)
{
    int64_t least = INT64_MAX;

    for (int i = 0; i < 10 && least >= ms * NS_PER_MS; i++) {
        talk_served(t);
        if (t->answered_at - t->asked_at < least)
            least = t->answered_at - t->asked_at;
    }
    check(least < ms * NS_PER_MS, "%s: %.3f ms", what, (double)least / NS_PER_MS);
}

/* --- slow-first-byte */

static void slow_first_byte_answers_late_what_was_done_at_once(struct stage *stage)
{
    struct talk *t = used_once(stage, "slow-first-byte", "{\"nth\":\"2\",\"delay\":\"400ms\"}");

    assert_int_equal(talk_ask(t, NULL), 0);
    check(client_wait_acked(&t->c, in_ms(LATE_MS)), "the request was not ACKed");
    check(client_silent(&t->c, t->asked_at + 390 * NS_PER_MS), "too early: %s",
          client_story(&t->c));
    check_processed_before(stage, t, 2, check_fault(stage, t, "slow-first-byte", "delay", 0));
    check(talk_answer(t, in_ms(PATIENCE_MS)), "no answer: %s", client_story(&t->c));
    assert_int_equal(t->status, 200);
    int64_t took = (t->answered_at - t->asked_at) / NS_PER_MS;
    check(took >= 400 && took < 400 + LATE_MS, "answered after %d ms", (int)took);
    check_prompt(t, 400, "the next ones are late, too");
}

/* --- drip, throttle */

/* Where a header's value begins in a header section, or NULL. */
static const char *value_of(const char *head, size_t n, const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; i + len < n; i++)
        if (strncasecmp(head + i, name, len) == 0)
            return head + i + len;
    return NULL;
}

/* Whether the answer that is being read is there in full. */
static bool is_whole(const struct talk *t)
{
    const uint8_t *in = buf_bytes(&t->c.in);
    size_t n = buf_len(&t->c.in);

    if (t->seat->h2) {
        while (n >= 9 && n >= 9 + (h2_get32(in) >> 8)) {
            if (in[3] == NGHTTP2_DATA && (in[4] & NGHTTP2_FLAG_END_STREAM))
                return true;
            n -= 9 + (h2_get32(in) >> 8);
            in += 9 + (h2_get32(in) >> 8);
        }
        return false;
    }
    const char *text = (const char *)in, *end = n ? memmem(in, n, "\r\n\r\n", 4) : NULL;
    const char *length = end ? value_of(text, (size_t)(end - text), "\r\nContent-Length:") : NULL;
    return length && n - (size_t)(end + 4 - text) >= strtoul(length, NULL, 10);
}

/* Reads the next answer as it comes: never more of its plaintext by any time than burst at once
 * and burst more every span. Returns how many octets it had. */
static size_t read_paced(struct talk *t, size_t burst, int64_t span)
{
    while (!is_whole(t)) {
        check(client_look(&t->c, in_ms(PATIENCE_MS)), "not whole: %s", client_story(&t->c));
        size_t most = burst * (size_t)(1 + (t->c.last_byte_at - t->asked_at) / span);
        check(buf_len(&t->c.in) <= most, "%zu octets where %zu may be", buf_len(&t->c.in), most);
    }
    size_t n = buf_len(&t->c.in);
    check(talk_answer(t, in_ms(PATIENCE_MS)), "no answer: %s", client_story(&t->c));
    assert_int_equal(t->status, 200);
    return n;
}

static void drip_sends_drops_with_a_pause_between(struct stage *stage)
{
    struct talk *t = used_once(stage, "drip", "{\"nth\":\"2\",\"chunk\":40,\"every\":\"100ms\"}");
    uint64_t before = t->c.raw_in;

    assert_int_equal(talk_ask(t, NULL), 0);
    size_t n = read_paced(t, 40, 100 * NS_PER_MS), drops = (n + 39) / 40;
    check(drops >= 4, "%zu octets are too few", n);
    int64_t took = (t->c.last_byte_at - t->asked_at) / NS_PER_MS;
    check(took >= (int64_t)(drops - 1) * 100 && took < (int64_t)drops * 100 + LATE_MS,
          "%zu drops in %d ms", drops, (int)took);
    if (stage->seat->tls == CLIENT_TLS13) /* a record each: head, type and tag */
        assert_int_equal(t->c.raw_in - before, n + drops * 22);
    check_fault(stage, t, "drip", "drip", 0);
}

static void drip_stays_in_force_on_its_connection_alone(struct stage *stage)
{
    struct talk *t = used_once(stage, "drip", "{\"nth\":\"2\",\"chunk\":100,\"every\":\"600ms\"}");

    for (int i = 0; i < 2; i++) {
        talk_served(t);
        check(t->answered_at - t->asked_at >= 600 * NS_PER_MS, "answer %d came at once", i + 2);
    }
    struct talk *other = talk_open(stage);
    check_prompt(other, 600, "another connection dripped");
    check_no_fault(stage, other);
}

static void throttle_sends_so_many_bytes_a_second(struct stage *stage)
{
    struct talk *t = used_once(stage, "throttle", "{\"nth\":\"2\",\"rate\":500}");

    assert_int_equal(talk_ask(t, NULL), 0);
    size_t n = read_paced(t, 10, 20 * NS_PER_MS);
    int64_t took = (t->c.last_byte_at - t->asked_at) / NS_PER_MS, due = (int64_t)n * 2;
    check(took >= due - 20 && took < due + LATE_MS, "%zu octets in %d ms", n, (int)took);
    check_fault(stage, t, "throttle", "throttle", 0);
}

/* Below 50 bytes a second it is one byte at a time. */
static void throttle_can_be_very_slow(struct stage *stage)
{
    struct talk *t = used_once(stage, "throttle", "{\"nth\":\"2\",\"rate\":10}");

    assert_int_equal(talk_ask(t, NULL), 0);
    check(client_wait_bytes(&t->c, 8, in_ms(PATIENCE_MS)), "no 8 octets: %s", client_story(&t->c));
    int64_t took = (t->c.last_byte_at - t->asked_at) / NS_PER_MS, n = (int64_t)buf_len(&t->c.in);
    check(took >= (n - 1) * 100 && took < 8 * 100 + LATE_MS, "%d octets in %d ms", (int)n,
          (int)took);
}

static void normal_mode_answers_at_once_and_in_one_piece(struct stage *stage)
{
    struct talk *t = used_once(stage, "normal", NULL);

    check_prompt(t, 1000, "it took long");
    assert_int_equal(buf_len(&t->c.in), 0);
    check_no_fault(stage, t);
}

/* --- malformed-chunk, garbage */

#define ONE_CHUNK                                                                                  \
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"      \
    "11\r\n{\"entitlements\":[\r\n"

/* These bytes come instead of the answer, and no others; then what how says. */
static void check_instead(struct talk *t, const void *bytes, size_t n, const char *how)
{
    assert_int_equal(talk_ask(t, NULL), 0);
    check(client_wait_bytes(&t->c, n, in_ms(PATIENCE_MS)), "too little: %s", client_story(&t->c));
    check_how(t, how);
    assert_int_equal(buf_len(&t->c.in), n);
    assert_memory_equal(buf_bytes(&t->c.in), bytes, n);
}

static void malformed(struct stage *stage, const char *how)
{
    char params[48];

    snprintf(params, sizeof params, "{\"nth\":\"2\",\"how\":\"%s\"}", how);
    struct talk *t = used_once(stage, "malformed-chunk", params);
    check_instead(t, ONE_CHUNK "xyz\r\n", sizeof ONE_CHUNK "xyz\r\n" - 1, how);
    check_fault(stage, t, "malformed-chunk", "inject", 0);
    check_fault(stage, t, "malformed-chunk", how, 0);
}

static void malformed_chunk_sends_one_good_chunk_and_then_none(struct stage *stage)
{
    malformed(stage, "hold");
}

static void malformed_chunk_can_end_with_fin(struct stage *stage)
{
    malformed(stage, "fin");
}

static void malformed_chunk_can_end_with_silence(struct stage *stage)
{
    malformed(stage, "stall");
}

static void malformed_chunk_can_be_malformed_otherwise(struct stage *stage)
{
    struct talk *t =
        used_once(stage, "malformed-chunk", "{\"nth\":\"2\",\"chunk\":\"-5\\r\\nhello\\r\\n\"}");

    check_instead(t, ONE_CHUNK "-5\r\nhello\r\n", sizeof ONE_CHUNK "-5\r\nhello\r\n" - 1, "hold");
}

static void malformed_chunk_is_not_for_h2(struct stage *stage)
{
    struct talk *t = used_once(stage, "malformed-chunk", "{\"nth\":\"2\"}");

    talk_served(t);
    check_no_fault(stage, t);
    check_warned(stage, t, "malformed-chunk", "HTTP/1.1");
}

static const uint8_t data_on_stream_0[] = { 0, 0, 4, 0, 0, 0, 0, 0, 0, 0xde, 0xad, 0xbe, 0xef };

static void garbage(struct stage *stage, const char *how)
{
    static const char text[] = "this is not HTTP\r\n\r\n";
    char params[48];

    snprintf(params, sizeof params, "{\"nth\":\"2\",\"how\":\"%s\"}", how);
    struct talk *t = used_once(stage, "garbage", params);
    if (stage->seat->h2)
        check_instead(t, data_on_stream_0, sizeof data_on_stream_0, how);
    else
        check_instead(t, text, sizeof text - 1, how);
    check_fault(stage, t, "garbage", "inject", 0);
    check_fault(stage, t, "garbage", how, 0);
}

static void garbage_comes_instead_of_the_answer(struct stage *stage)
{
    garbage(stage, "hold");
}

static void garbage_can_end_with_fin(struct stage *stage)
{
    garbage(stage, "fin");
}

static void garbage_can_end_with_silence(struct stage *stage)
{
    garbage(stage, "stall");
}

/* A client that finds it wrong says so: the ledger has its GOAWAY. */
static void garbage_lets_the_client_complain(struct stage *stage)
{
    static const uint8_t complaint[8] = { 0, 0, 0, 0, 0, 0, 0, NGHTTP2_PROTOCOL_ERROR };
    struct talk *t = used_once(stage, "garbage", "{\"nth\":\"2\"}");

    check_instead(t, data_on_stream_0, sizeof data_on_stream_0, "hold");
    h2_send_frame(&t->h2, NGHTTP2_GOAWAY, 0, 0, complaint, sizeof complaint);
    json_t *goaway = ledger_await(stage->server, t->connection, "peer_goaway", NULL);
    json_decref(goaway);
}

static void garbage_can_be_what_one_likes(struct stage *stage)
{
    struct talk *t = used_once(stage, "garbage",
                               "{\"nth\":\"2\",\"text\":\"HTTP/9.9 ???\",\"frame\":\"ffffff\"}");

    if (stage->seat->h2)
        check_instead(t, "\xff\xff\xff", 3, "hold");
    else
        check_instead(t, "HTTP/9.9 ???", 12, "hold");
}

int main(void)
{
    static const struct scenario list[] = {
        SCENARIO(normal_mode_answers_at_once_and_in_one_piece, SEATS_ALL),
        SCENARIO(slow_first_byte_answers_late_what_was_done_at_once, SEATS_ALL),
        SCENARIO(drip_sends_drops_with_a_pause_between, SEATS_ALL),
        SCENARIO(drip_stays_in_force_on_its_connection_alone, SEATS_ALL),
        SCENARIO(throttle_sends_so_many_bytes_a_second, SEATS_ALL),
        SCENARIO(throttle_can_be_very_slow, SEAT_H1_CLEARTEXT | SEAT_H2_TLS),
        SCENARIO(malformed_chunk_sends_one_good_chunk_and_then_none, SEATS_H1),
        SCENARIO(malformed_chunk_can_end_with_fin, SEATS_H1),
        SCENARIO(malformed_chunk_can_end_with_silence, SEATS_H1),
        SCENARIO(malformed_chunk_can_be_malformed_otherwise, SEATS_H1),
        SCENARIO(malformed_chunk_is_not_for_h2, SEATS_H2),
        SCENARIO(garbage_comes_instead_of_the_answer, SEATS_ALL),
        SCENARIO(garbage_can_end_with_fin, SEATS_ALL),
        SCENARIO(garbage_can_end_with_silence, SEATS_ALL),
        SCENARIO(garbage_lets_the_client_complain, SEATS_H2),
        SCENARIO(garbage_can_be_what_one_likes, SEATS_ALL),
    };

    return scenarios_run("modes: shape", list, sizeof list / sizeof list[0], NULL);
}
