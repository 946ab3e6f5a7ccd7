/* What is read of a request is in the ledger, once and in order, and counts as an attempt: whatever
 * fault strikes it, where, and however it comes.
 */
#include "harness/run_peer.h"

#include "wire/caps.h"

/* --- The table */

struct verb {
    const char *text;
    bool for_ever;  /* what is not answered is lost */
    bool ends;      /* the connection, at once */
    bool reads_on;  /* what is sent after it can be read */
    bool draws_rst; /* which ends the connection then */
    unsigned needs; /* 1u << capability */
};
static const struct verb verbs[] = {
    { "\"rst\"", .for_ever = true, .ends = true },
    { "\"fin\"", .for_ever = true, .reads_on = true, .draws_rst = true },
    { "{\"fin\":{\"notify\":true}}", .for_ever = true, .reads_on = true, .draws_rst = true },
    { "{\"fin\":{\"exact\":true}}", .for_ever = true, .ends = true },
    { "\"forget\"", .for_ever = true, .reads_on = true, .draws_rst = true },
    { "{\"forget\":{\"exact\":true}}", .for_ever = true, .ends = true, .needs = 1u << CAP_REPAIR },
    { "\"stall\"", .reads_on = true },
    { "\"black_hole\"", .needs = 1u << CAP_BLACK_HOLE },
};

enum place { FIRST_BYTE, HEADERS, COMPLETE, PLACES };
static const char *const places[] = { "first_byte", "headers", "complete" };

enum shape {
    NO_BODY,
    SAME_RECORD,
    OTHER_RECORD, /* of the same segment */
    OTHER_SEGMENT,
    KEYED,
    KEYED_OTHER_SEGMENT,
    CHUNKED, /* over h1 */
    TWO,     /* requests in one segment */
    SHAPES
};
static const char *const shapes[] = {
    "no body",
    "a body",
    "a body in another record",
    "a body in another segment",
    "a key",
    "a key, the body in another segment",
    "a chunked body",
    "two requests",
};

static bool is_late(enum shape shape)
{
    return shape == OTHER_SEGMENT || shape == KEYED_OTHER_SEGMENT;
}

static bool is_keyed(enum shape shape)
{
    return shape == KEYED || shape == KEYED_OTHER_SEGMENT;
}

/* --- The requests */

static void add_head(struct peer *p, struct buf *to, enum shape shape)
{
    static const uint8_t get[] = { 0x82, 0x86, 0x84, 0x01, 1, 'x' },
                         post[] = { 0x83, 0x86, 0x84, 0x01, 1, 'x' },
                         keyed[] = "\x83\x86\x84\x01\1x\0\x0fidempotency-key\1k";
    bool bodiless = shape == NO_BODY || shape == TWO;
    if (p->http == H2) {
        const uint8_t *block = bodiless ? get : is_keyed(shape) ? keyed : post;
        peer_frame(to, 1, 4 | bodiless, p->stream, block,
                   is_keyed(shape) ? sizeof keyed - 1 : sizeof get);
        return;
    }
    buf_text(to, bodiless ? "GET / HTTP/1.1\r\nHost: x\r\n" : "POST / HTTP/1.1\r\nHost: x\r\n");
    if (is_keyed(shape))
        buf_text(to, "Idempotency-Key: k\r\n");
    if (shape == CHUNKED)
        buf_text(to, "Transfer-Encoding: chunked\r\n");
    else if (!bodiless)
        buf_text(to, "Content-Length: 5\r\n");
    buf_text(to, "\r\n");
}

static void add_body(struct peer *p, struct buf *to, enum shape shape)
{
    if (shape == NO_BODY || shape == TWO)
        ;
    else if (p->http == H2)
        peer_frame(to, 0, 1, p->stream, "hello", 5);
    else
        buf_text(to, shape == CHUNKED ? "2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\nA: b\r\n\r\n" : "hello");
    p->stream += 2;
}

static void flush_to(struct peer *p, struct buf *bytes)
{
    peer_records(p, bytes, 16000);
    buf_consume(bytes, buf_len(bytes));
}

/* All of it in one segment; but the body if that is to come later. */
static void send_request(struct peer *p, enum shape shape, bool later)
{
    struct buf bytes = { 0 };
    add_head(p, &bytes, shape);
    if (shape == OTHER_RECORD)
        flush_to(p, &bytes);
    if (!later)
        add_body(p, &bytes, shape);
    if (shape == TWO) {
        add_head(p, &bytes, shape);
        add_body(p, &bytes, shape);
    }
    flush_to(p, &bytes);
    peer_send_out(p);
    buf_free(&bytes);
}

static void send_body(struct peer *p, enum shape shape)
{
    struct buf bytes = { 0 };
    add_body(p, &bytes, shape);
    flush_to(p, &bytes);
    peer_send_out(p);
    buf_free(&bytes);
}

/* --- The events, as text: "fault request1 complete1 lost1(complete) end" */

static struct ledger_cursor noted;
static struct buf happened;
static const char *expected;

static void note(const struct ledger_record *r)
{
    if (r->event == EV_FAULT || r->event == EV_STALE_BYTES || r->event == EV_STALE_REQUEST)
        buf_printf(&happened, "%s ", ledger_event_name(r->event));
    else if (r->event == EV_REQUEST)
        buf_printf(&happened, "request%u ", r->exchange);
    else if (r->event == EV_REQUEST_COMPLETE)
        buf_printf(&happened, "complete%u ", r->exchange);
    else if (r->event == EV_EXCHANGE_LOST)
        buf_printf(&happened, "lost%u(%s) ", r->exchange,
                   ledger_word_name(F_REACHED, ledger_number(r, F_REACHED, 0)));
    else if (r->event == EV_CONNECTION_END)
        buf_text(&happened, "end ");
    else if (r->event == EV_PROTOCOL_ERROR)
        buf_text(&happened, "ERROR ");
}

static bool is_as_expected(void)
{
    struct ledger_record peer_record;
    while (ledger_next(&noted, &peer_record))
        note(&peer_record);
    size_t n = strlen(expected);
    return buf_len(&happened) == n && memcmp(buf_bytes(&happened), expected, n) == 0;
}

static bool is_otherwise(void)
{
    return !is_as_expected();
}

/* Exactly these events come, and no more of them. */
static void check_events(const struct peer *p, const char *events, const char *what)
{
    noted = (struct ledger_cursor){ .ledger = run_ledger(run), .since = p->since };
    buf_consume(&happened, buf_len(&happened));
    expected = events;
    if (!run_until(is_as_expected, PATIENCE) || run_until(is_otherwise, NS_PER_MS))
        fail_msg("%s:\n  expected %s\n  happened %.*s", what, events, (int)buf_len(&happened),
                 (const char *)buf_bytes(&happened));
}

/* What they are to be, up to the body that comes later, and behind it. */
static void expect(char first[200], char all[400], const struct verb *v, enum place place,
                   enum shape shape)
{
    static const char *const until[] = { "fault request1 ", "request1 fault ",
                                         "request1 complete1 fault " };
    bool later = is_late(shape) && place < COMPLETE, whole = !later && place < COMPLETE;
    snprintf(first, 200, "%s%s%s%s%s%s", until[place], whole ? "complete1 " : "",
             shape == TWO && place == COMPLETE && v->for_ever ? "lost1(complete) " : "",
             shape == TWO ? "request2 complete2 " : "",
             !v->for_ever                        ? ""
             : later                             ? "lost1(headers) "
             : shape == TWO && place == COMPLETE ? "lost2(complete) "
             : shape == TWO                      ? "lost1(complete) lost2(complete) "
                                                 : "lost1(complete) ",
             v->ends ? "end " : "");
    snprintf(all, 400, "%s%s%s", first, later && v->reads_on ? "stale_bytes complete1 " : "",
             later && v->draws_rst ? "end " : "");
}

/* The same request again, on another connection. */
static void check_retry(enum over over, enum http http, enum shape shape, json_int_t attempt,
                        const char *what)
{
    struct peer p;
    struct refusal why;
    assert_int_equal(run_set_mode(run, "normal", NULL, false, APPLY_NEW, &why), 0);
    open_peer(&p, over, http);
    send_request(&p, shape == TWO ? NO_BODY : shape, false);
    assert_true(peer_sees(&p, "response_end", 1));
    json_t *events = events_since(p.since);
    json_int_t counted = number_in(event_called(events, "request_complete"), "attempt");
    json_decref(events);
    if (counted != attempt)
        fail_msg("%s: the retry is attempt %d, not %d", what, (int)counted, (int)attempt);
    close_peer(&p);
}

static void one(enum over over, enum http http, const struct verb *v, enum place place,
                enum shape shape)
{
    char rules[200], what[200], first[200], all[400];
    struct peer p;
    bool later = is_late(shape) && place < COMPLETE;
    snprintf(rules, sizeof rules,
             "[{\"on\":\"request\",\"at\":\"%s\",\"nth\":1,\"times\":1,\"do\":[%s]}]",
             places[place], v->text);
    snprintf(what, sizeof what, "%s %s, %s at %s, %s", over_names[over], http_names[http], v->text,
             places[place], shapes[shape]);
    set_rules(rules);
    expect(first, all, v, place, shape);
    open_peer(&p, over, http);
    send_request(&p, shape, is_late(shape));
    if (later) {
        check_events(&p, first, what);
        if (!v->ends)
            send_body(&p, shape);
    } else if (is_late(shape)) {
        assert_true(peer_sees(&p, "request", 1));
        send_body(&p, shape);
    }
    check_events(&p, all, what);
    check_retry(over, http, shape,
                later && !v->reads_on && !is_keyed(shape) ? 1
                : shape == TWO                            ? 3
                                                          : 2,
                what);
    close_peer(&p);
}

static bool is_available(const struct verb *v)
{
    for (enum capability cap = 0; cap < CAPABILITY_COUNT; cap++)
        if (v->needs >> cap & 1 && !caps_have(cap))
            return false;
    return true;
}

/* Under valgrind every fifth cell of the table: each value of each dimension is among them. */
static bool is_sampled(void)
{
    static unsigned cells;
    return !under_memcheck() || cells++ % 5 == 0;
}

static void what_is_read_is_in_the_ledger_and_counts(void **state)
{
    for (enum over over = CLEARTEXT; over < OVERS; over += TLS13)
        for (enum http http = H1; http < HTTPS; http++)
            for (size_t v = 0; v < COUNT(verbs); v++)
                for (enum place place = FIRST_BYTE; place < PLACES; place++)
                    for (enum shape shape = NO_BODY; shape < SHAPES; shape++)
                        if (is_available(&verbs[v]) && (shape != CHUNKED || http == H1) &&
                            is_sampled())
                            one(over, http, &verbs[v], place, shape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_is_read_is_in_the_ledger_and_counts, rig_reset),
    };
    caps_probe();
    rig_tls = minted_server();
    int failed = cmocka_run_group_tests(tests, rig_start, rig_stop);
    tls_server_destroy(rig_tls);
    buf_free(&happened);
    return failed;
}
