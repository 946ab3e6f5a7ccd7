/* The events of an exchange are in order and each is there at most once, whatever strikes it and
 * wherever the client's bytes are split; and its end is there.
 */
#include "run_peer.h"

/* --- The order */

enum stage { REQUEST_TOLD, COMPLETE_TOLD, PROCESSED, STARTED, ENDED, LOST, STAGES };
static const char *const stages[STAGES] = {
    "request", "request_complete", "processed", "response_start", "response_end", "exchange_lost",
};
#define EXCHANGES_MAX 16

struct course {
    bool has[STAGES];
    bool lost_at_headers;
};

static bool may_come(const struct course *c, enum stage stage)
{
    static const enum stage needed[] = { [COMPLETE_TOLD] = REQUEST_TOLD,
                                         [PROCESSED] = COMPLETE_TOLD,
                                         [STARTED] = REQUEST_TOLD,
                                         [ENDED] = STARTED };
    if (c->has[stage] || c->has[ENDED])
        return false;
    if (c->has[LOST]) /* the rest of a request that was struck */
        return stage == COMPLETE_TOLD && c->has[REQUEST_TOLD] && c->lost_at_headers;
    for (enum stage later = stage + 1; later < LOST; later++)
        if (stage != LOST && c->has[later])
            return false;
    return stage == REQUEST_TOLD || stage == LOST || c->has[needed[stage]];
}

static void check_order(const struct peer *p, const char *what)
{
    struct course courses[EXCHANGES_MAX] = { 0 };
    json_t *events = events_since(p->since), *event;
    size_t i;
    json_array_foreach(events, i, event)
    {
        const char *name = json_string_value(json_object_get(event, "event"));
        json_int_t nth = json_integer_value(json_object_get(event, "exchange"));
        enum stage stage = REQUEST_TOLD;
        while (stage < STAGES && strcmp(name, stages[stage]) != 0)
            stage++;
        if (stage == STAGES || nth == 0)
            continue;
        assert_in_range(nth, 1, EXCHANGES_MAX - 1);
        struct course *c = &courses[nth];
        if (!may_come(c, stage)) {
            char *all = json_dumps(events, JSON_INDENT(0));
            fail_msg("%s: %s of exchange %d: %s", what, name, (int)nth, all);
        }
        c->has[stage] = true;
        c->lost_at_headers |=
            stage == LOST &&
            strcmp(json_string_value(json_object_get(event, "reached")), "headers") == 0;
    }
    for (size_t nth = 1; nth < EXCHANGES_MAX; nth++)
        if (courses[nth].has[REQUEST_TOLD] && !courses[nth].has[ENDED] && !courses[nth].has[LOST])
            fail_msg("%s: exchange %zu has not ended", what, nth);
    json_decref(events);
}

static void mark(const char *name)
{
    struct refusal why;
    uint64_t seq;
    unsigned woken;
    assert_int_equal(run_mark(run, name, &seq, &woken, &why), 0);
    assert_int_equal(woken, 1);
}

static void leave(struct peer *p, const char *what)
{
    shutdown(p->fd, SHUT_RDWR);
    run_until(NULL, NS_PER_MS / 2);
    run_abort(run); /* if it still holds it */
    assert_true(sees(p, "connection_end", 1));
    check_order(p, what);
    close_peer(p);
}

/* --- A fault between any two bytes, before or after the first of them are read */

static void strike(enum http http, const char *verb, const struct buf *bytes, size_t split,
                   unsigned how)
{
    char what[160], rules[160];
    struct peer p;
    bool read = how & 1, rest = how & 2;
    snprintf(what, sizeof what, "%s, %s behind %zu bytes%s%s", http_names[http], verb, split,
             read ? ", which were read" : "", rest ? "" : ", the last");
    snprintf(rules, sizeof rules, "[{\"on\":\"mark\",\"name\":\"strike\",\"do\":[%s]}]", verb);
    set_rules(rules);
    open_peer(&p, CLEAR, http);
    record(&p, buf_bytes(bytes), split);
    let_go(&p);
    if (read)
        run_until(NULL, NS_PER_MS / 2);
    mark("strike");
    if (how & 4)
        run_until(NULL, NS_PER_MS / 2);
    if (rest)
        send(p.fd, buf_bytes(bytes) + split, buf_len(bytes) - split, MSG_NOSIGNAL);
    run_until(NULL, NS_PER_MS);
    leave(&p, what);
}

static void a_fault_strikes_between_any_two_bytes(void **state)
{
    static const char *const verbs[] = { "\"fin\"", "\"forget\"", "\"rst\"", "\"stall\"",
                                         "\"stall\",{\"wait\":\"1ms\"},\"resume\"" };
    for (enum http http = H1; http < HTTPS; http++) {
        struct buf bytes = { 0 };
        struct peer p = { .http = http, .stream = 1 };
        for (unsigned nth = 0; nth < 2; nth++)
            add_request(&p, &bytes, nth);
        for (size_t v = 0; v < COUNT(verbs); v++)
            for (size_t split = 1; split < buf_len(&bytes); split++)
                strike(http, verbs[v], &bytes, split, (unsigned)(split + v) % 8);
        buf_free(&bytes);
    }
}

/* --- What is held keeps its number, although others before it come to nothing */

static void held_requests_keep_their_numbers(void **state)
{
    static const uint8_t get[] = { 0x82, 0x86, 0x84, 0x01, 1, 'x' },
                         post[] = { 0x83, 0x86, 0x84, 0x01, 1, 'x' }, no_path[] = { 0x82, 0x86 };
    for (unsigned before = 0; before < 2; before++) {
        struct peer p;
        struct buf bytes = { 0 };
        set_rules("[{\"on\":\"mark\",\"name\":\"strike\",\"do\":[\"stall\"]},"
                  "{\"on\":\"mark\",\"name\":\"again\",\"do\":[\"resume\"]}]");
        open_peer(&p, CLEAR, H2);
        if (!before)
            mark("strike");
        frame(&bytes, 1, 5, 1, no_path, sizeof no_path); /* malformed */
        frame(&bytes, 1, 5, 3, get, sizeof get);
        frame(&bytes, 1, 4, 5, post, sizeof post);
        frame(&bytes, 3, 0, 5, "\0\0\0\x8", 4); /* given up */
        frame(&bytes, 1, 5, 7, get, sizeof get);
        record(&p, buf_bytes(&bytes), buf_len(&bytes));
        let_go(&p);
        if (before)
            mark("strike"); /* so that all of it was sent before */
        assert_true(sees(&p, before ? "request_complete" : "stale_request", before ? 2 : 3));
        mark("again");
        assert_true(sees(&p, "response_end", 2));
        leave(&p, before ? "sent before the stall" : "sent into the stall");
        buf_free(&bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_fault_strikes_between_any_two_bytes, reset),
        cmocka_unit_test_setup(held_requests_keep_their_numbers, reset),
    };
    int failed = cmocka_run_group_tests(tests, rig_start, rig_stop);
    return failed;
}
