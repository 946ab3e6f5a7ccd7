/* test_run_random.c - connections on which anything happens in any order: the client's bytes in
 * random writes and TLS records, requests with and without bodies, pipelined or concurrent, and
 * meanwhile random steps. Then an oracle asks what must hold whatever happened.
 *
 * HANGUP_RANDOM_SEED: the first seed (1), HANGUP_RANDOM_ROUNDS: how many. `./dev soak` takes many.
 */
#include <dirent.h>
#include <linux/sockios.h>
#include <malloc.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "harness/random_client.h"

#include "wire/caps.h"

#define TOO_LONG (20 * NS_PER_S)

/* --- What happens */

enum kind {
    HARMLESS,
    CHANGES,  /* the connection for good: how bytes leave, what is ACKed */
    SILENCES, /* for a while */
    WAKES,
    ENDS,     /* at once */
    ENDS_LATE /* or nothing more is said, or only some */
};

struct verb {
    const char *steps;
    enum kind kind;
    enum http only; /* HTTPS: either */
    bool tls;
    int capability; /* -1: none */
};

static const struct verb verbs[] = {
    { "\"stall\"", SILENCES, HTTPS, false, -1 },
    { "\"resume\"", WAKES, HTTPS, false, -1 },
    { "\"stall\",{\"wait\":\"1ms\"},\"resume\"", SILENCES, HTTPS, false, -1 },
    { "\"black_hole\",{\"wait\":\"3ms\"},\"heal\"", SILENCES, HTTPS, false, CAP_BLACK_HOLE },
    { "\"heal\"", WAKES, HTTPS, false, -1 },
    { "{\"throttle\":{\"rate\":2000000}}", CHANGES, HTTPS, false, -1 },
    { "{\"throttle\":{\"rate\":30000000}}", CHANGES, HTTPS, false, -1 },
    { "{\"throttle\":{\"rate\":0}}", CHANGES, HTTPS, false, -1 },
    { "{\"drip\":{\"chunk\":700,\"every\":\"100us\"}}", CHANGES, HTTPS, false, -1 },
    { "{\"drip\":{\"chunk\":30000,\"every\":\"1ms\"}}", CHANGES, HTTPS, false, -1 },
    { "\"ping\"", HARMLESS, H2, false, -1 },
    { "\"goaway_notice\"", HARMLESS, H2, false, -1 },
    { "{\"ignore_settings\":true}", CHANGES, H2, false, -1 },
    { "\"fin\"", ENDS, HTTPS, false, -1 },
    { "{\"fin\":{\"notify\":true}}", ENDS, HTTPS, false, -1 },
    { "{\"fin\":{\"linger\":\"2ms\"}}", ENDS_LATE, HTTPS, false, -1 },
    { "{\"fin\":{\"exact\":true}}", ENDS_LATE, HTTPS, false, -1 },
    { "\"rst\"", ENDS, HTTPS, false, -1 },
    { "{\"rst\":{\"drain\":true}}", ENDS_LATE, HTTPS, false, -1 },
    { "\"forget\"", ENDS, HTTPS, false, -1 },
    { "{\"forget\":{\"exact\":true}}", ENDS_LATE, HTTPS, false, CAP_REPAIR },
    { "{\"goaway\":{\"last\":\"seen\"}}", ENDS_LATE, H2, false, -1 },
    { "{\"goaway\":{\"last\":\"none\"}}", ENDS_LATE, H2, false, -1 },
    { "{\"goaway\":{\"then_hold\":true}}", ENDS_LATE, H2, false, -1 },
    { "\"close_notify\"", ENDS_LATE, HTTPS, true, -1 },
    { "{\"alert\":{\"description\":\"internal_error\"}}", ENDS_LATE, HTTPS, true, -1 },
    { "{\"cut\":{\"after\":700}}", ENDS_LATE, HTTPS, false, -1 },
    { "{\"cut\":{\"after\":9000,\"how\":\"rst\"}}", ENDS_LATE, HTTPS, false, -1 },
    { "{\"cut\":{\"after\":50000,\"how\":\"stall\"}}", ENDS_LATE, HTTPS, false, -1 },
};

static const char *const rules[] = {
    "",
    "",
    "{\"on\":\"request\",\"at\":\"headers\",\"do\":[{\"delay\":\"1ms\"}]}",
    "{\"on\":\"request\",\"at\":\"complete\",\"nth\":2,\"do\":[{\"delay\":\"3ms\"}]}",
    "{\"on\":\"request\",\"at\":\"headers\",\"nth\":\"1-3\",\"do\":[\"hold\"]}",
    ("{\"on\":\"request\",\"at\":\"first_byte\",\"nth\":2,\"do\":[\"stall\",{\"wait\":\"1ms\"},"
     "\"resume\"]}"),
    "{\"on\":\"response\",\"at\":\"start\",\"do\":[\"stall\",{\"wait\":\"1ms\"},\"resume\"]}",
    "{\"on\":\"response\",\"at\":{\"content\":100},\"do\":[{\"wait\":\"1ms\"}]}",
    "{\"on\":\"response\",\"at\":{\"bytes\":50},\"do\":[\"stall\",{\"wait\":\"1ms\"},\"resume\"]}",
};

struct round {
    uint32_t seed;
    struct random_client c;
    char what[1000]; /* all that happened, for messages */
    size_t len;
    unsigned left;             /* of the verbs */
    bool strikes;              /* one that ends it is to come */
    const struct verb *struck; /* the first one that came; NULL: none yet */
    size_t before, behind;     /* octets surely sent before that, and surely behind it */
    bool silenced, shaped, held;
    bool calm;
};

static void note(struct round *r, const char *text)
{
    int n = snprintf(r->what + r->len, sizeof r->what - r->len, " %s", text);
    if (n > 0 && r->len + (size_t)n < sizeof r->what)
        r->len += (size_t)n;
}

static void do_steps(struct round *r, const char *steps)
{
    struct refusal why;
    char text[200];
    snprintf(text, sizeof text, "[%s]", steps);
    json_t *list = json_loads(text, 0, NULL);
    assert_non_null(list);
    int error = run_do(run, r->c.id, list, &why);
    json_decref(list);
    if (error == BAD_INPUT)
        fail_msg("%s: %s: %s %s", r->what, steps, why.where, why.what);
}

static bool fits_round(const struct round *r, const struct verb *v)
{
    return (v->only == HTTPS || v->only == r->c.peer.http) && (!v->tls || r->c.peer.tls) &&
           (v->capability < 0 || caps_have((enum capability)v->capability)) &&
           (v->kind < ENDS || (r->strikes && (r->left == 1 || r->struck))) &&
           (!r->held ||
            (v->kind != CHANGES && v->capability != CAP_BLACK_HOLE)); /* see calm_down */
}

static int unacked(int fd)
{
    int octets = -1;
    ioctl(fd, SIOCOUTQ, &octets);
    return octets;
}

/* Steps that did nothing. */
static size_t missed_steps(const struct round *r)
{
    json_t *events = events_since(r->c.peer.since);
    size_t count = count_events(events, "fault_missed");
    json_decref(events);
    return count;
}

static void strike(struct round *r)
{
    const struct verb *v;
    char place[40];
    do
        v = &PICK(verbs);
    while (!fits_round(r, v) || (r->strikes && r->left == 1 && v->kind < ENDS));
    size_t before = unacked(r->c.peer.fd) == 0 ? r->c.delivered : 0, missed = missed_steps(r);
    r->left--;
    snprintf(place, sizeof place, "(%zu)", r->c.sealed);
    note(r, place);
    note(r, v->steps);
    r->silenced |= !r->struck && v->kind == SILENCES;
    r->shaped |= !r->struck && v->kind == CHANGES;
    do_steps(r, v->steps);
    if (v->kind < ENDS || r->struck)
        return;
    if (missed_steps(r) > missed) { /* too late, as in a black hole: another one is to come */
        r->left++;
        return;
    }
    r->struck = v;
    r->before = before;
    r->behind = r->c.sealed;
    r->left = random_below(3);
}

/* Ends what holds it up: "normal" for all what rules hold, but it would end a connection whose pace
 * was changed, or that was in a black hole. */
static void calm_down(struct round *r)
{
    struct refusal why;
    r->calm = true;
    note(r, "(calm)");
    do_steps(r, "\"resume\"");
    do_steps(r, "\"heal\"");
    if (!r->held)
        do_steps(r, "{\"throttle\":{\"rate\":0}}");
    else
        assert_int_equal(run_set_mode(run, "normal", NULL, false, APPLY_ALL, &why), 0);
}

static void begin_round(struct round *r)
{
    char list[300];
    random_state = r->seed;
    random_below(2);
    enum over over = random_below(OVERS);
    enum http http = random_below(2) ? H2 : H1;
    const char *rule = PICK(rules);
    snprintf(list, sizeof list, "[%s]", rule);
    set_rules(list);
    r->len = (size_t)snprintf(r->what, sizeof r->what, "HANGUP_RANDOM_SEED=%u (%s %s %s)", r->seed,
                              over_names[over], http_names[http], rule);
    r->held = strstr(rule, "hold");
    r->silenced = strstr(rule, "stall");
    open_random(&r->c, over, http);
    r->strikes = random_below(2);
    r->left = 1 + random_below(6);
}

/* There is something to read, or an error, which a look with recv() would take away: what is read
 * after that looks like a FIN. */
static bool has_more(void *client)
{
    struct random_client *c = client;
    struct pollfd pfd = { .fd = c->peer.fd, .events = POLLIN };
    return poll(&pfd, 1, 0) > 0;
}

/* Reads on. Something came, or it has ended. */
static bool hears(void *round)
{
    struct round *r = round;
    return random_hear_some(&r->c, r->what) || random_has_ended(&r->c);
}

/* Some of everything. */
static void some(struct round *r)
{
    struct random_client *c = &r->c;
    bool idle = true;
    if (!random_has_said_all(c) && !c->broken && random_below(2)) {
        random_say_some(c);
        idle = false;
    }
    if (random_below(c->lazy && !r->calm ? 20 : 2))
        idle &= !random_hear_some(c, r->what);
    if (r->left && (random_below(4) == 0 || random_has_said_all(c)))
        strike(r);
    else if (!r->left && (random_has_said_all(c) || c->broken) && !r->calm && !r->struck)
        calm_down(r);
    uv_run(&loop, UV_RUN_NOWAIT);
    if (idle) /* not for ever: the dice may have it say more before it is answered */
        loop_wait(&loop, has_more, c, NS_PER_MS / 10);
}

/* --- The oracle */

static void fail_with_ledger(const struct round *r, const char *why)
{
    show_ledger(&r->c);
    fail_msg("%s: %s; %zu octets before, %zu behind, of %zu; %u answered; the client: %s%s%s%s",
             r->what, why, r->before, r->behind, buf_len(&r->c.bytes), r->c.answered,
             r->c.fin ? "FIN " : "", r->c.rst ? "RST " : "", r->c.close_notify ? "notify " : "",
             r->c.broken ? "broken" : "");
}

/* What the ledger has of the request with this key. */
struct told {
    unsigned requests, completes, stale;
};

static void read_told(const struct round *r, struct told told[ASKS_MAX])
{
    json_t *events = events_since(r->c.peer.since), *event;
    unsigned key_of[ASKS_MAX + 1] = { 0 }; /* by the number of an exchange */
    json_int_t last = 0;
    bool any = r->silenced;
    size_t i;
    memset(told, 0, ASKS_MAX * sizeof *told);
    json_array_foreach(events, i, event)
    {
        const char *name = json_string_value(json_object_get(event, "event"));
        const char *key = json_string_value(json_object_get(event, "idempotency_key"));
        json_int_t nth = json_integer_value(json_object_get(event, "exchange"));
        bool stale = strcmp(name, "stale_request") == 0, request = strcmp(name, "request") == 0;
        if ((stale || request) && key) { /* without one: its header section was not read whole */
            unsigned k = (unsigned)atoi(key + 1);
            assert_in_range(k, 1, r->c.count);
            /* One that came into a stall, and never began, has no number; one that is served after
             * the stall is told later than those that were sent behind it. */
            if (request && (any ? nth > k || key_of[nth] : nth != k || nth != ++last))
                fail_with_ledger(r, "a request has another number, or is told twice or too early");
            if (request)
                key_of[nth] = k;
            told[k - 1].requests += request;
            told[k - 1].stale += stale;
        }
        if (strcmp(name, "request_complete") == 0 && nth > 0 &&
            !json_object_get(event, "sent_into")) {
            assert_in_range(nth, 1, r->c.count);
            unsigned k = key_of[nth];
            if (k == 0 || number_in(event, "body_bytes") != (json_int_t)r->c.asks[k - 1].content)
                fail_with_ledger(r, "a request had other content, or none that is told");
            told[k - 1].completes++;
        }
    }
    for (unsigned nth = 1, before = 0; nth <= r->c.count; nth++) {
        if (key_of[nth] && key_of[nth] <= before)
            fail_with_ledger(r, "the numbers are not in the order in which the requests came");
        before = key_of[nth] ? key_of[nth] : before;
    }
    json_decref(events);
}

static const struct round *watched;

/* Is all told that was sent before the first step that ended it? Exactly as it was if nothing came
 * in between; otherwise it may have come into a stall. */
static bool all_is_told(void)
{
    const struct round *r = watched;
    struct told told[ASKS_MAX];
    read_told(r, told);
    bool strict = r->struck->kind == ENDS && !r->silenced;
    for (unsigned i = 0; i < r->c.count; i++)
        if (r->c.asks[i].end <= r->before &&
            (strict ? !told[i].completes : !told[i].requests && !told[i].stale))
            return false;
    return true;
}

/* What came behind the fault is never told as sent before it. */
static void check_stale(const struct round *r)
{
    struct told told[ASKS_MAX];
    read_told(r, told);
    if (r->struck->kind != ENDS || r->silenced || r->shaped)
        return;
    for (unsigned i = 0; i < r->c.count; i++)
        if (r->c.asks[i].begin >= r->behind && told[i].requests)
            fail_with_ledger(r, "a request that came behind the fault is told as before it");
}

/* What the client read is what the ledger says was sent. (What it says behind our FIN draws RST,
 * and that takes with it what is not read yet.) */
static void check_answers(const struct round *r)
{
    struct course courses[EXCHANGES_MAX] = { 0 };
    bool heard = (r->c.fin || r->c.close_notify) && !r->c.broken && r->c.sealed == r->behind;
    read_books(&r->c.peer, r->what, courses);
    for (unsigned i = 0; i < r->c.count; i++) {
        const struct course *c = &courses[i + 1];
        if (r->c.asks[i].headed && !(c->has[STARTED] && c->has[PROCESSED]))
            fail_with_ledger(r, "an answer was read that the ledger does not have");
        if (heard && c->has[ENDED] && !r->c.asks[i].answered)
            fail_with_ledger(r, "an answer that was sent was not read");
    }
}

static void check_served(const struct round *r)
{
    json_t *events = events_since(r->c.peer.since);
    struct told told[ASKS_MAX];
    read_told(r, told);
    for (unsigned i = 0; i < r->c.count; i++)
        if (told[i].requests != 1 || told[i].completes != 1 || told[i].stale > 1)
            fail_with_ledger(r, "a request is not told, or twice");
    if (count_events(events, "response_end") != r->c.count ||
        count_events(events, "processed") != r->c.count || count_events(events, "exchange_lost") ||
        count_events(events, "protocol_error") || count_events(events, "limit"))
        fail_with_ledger(r, "not all were served");
    json_decref(events);
}

/* --- Rounds */

static void serve_all(struct round *r)
{
    int64_t until = clock_now() + TOO_LONG;
    while (r->c.answered < r->c.count || r->left || !r->calm) {
        some(r);
        if (random_has_ended(&r->c) || r->c.broken)
            fail_with_ledger(r, "it ended");
        if (clock_now() > until)
            fail_with_ledger(r, "not all were answered");
    }
    shutdown(r->c.peer.fd, SHUT_WR);
    if (!peer_sees(&r->c.peer, "connection_end", 1))
        fail_with_ledger(r, "the connection did not end with its client");
    check_served(r);
}

static void strike_down(struct round *r)
{
    while (!r->struck || r->left)
        some(r);
    for (unsigned more = random_below(60); more > 0; more--)
        some(r);
    watched = r;
    if (r->struck->kind == ENDS && !run_until(all_is_told, PATIENCE))
        fail_with_ledger(r, "what was sent before the fault is not told");
    check_stale(r);
    /* Not every verb ends it for the client: it is over when nothing has come for a while. */
    while (!random_has_ended(&r->c) && loop_wait(&loop, hears, r, 5 * NS_PER_MS / 2))
        ;
    if (random_below(2))
        shutdown(r->c.peer.fd, SHUT_RDWR);
    loop_settle(&loop);
    run_abort(run); /* if it still holds it */
    assert_true(peer_sees(&r->c.peer, "connection_end", 1));
    if (!all_is_told()) /* behind a response that stands, for one */
        fail_with_ledger(r, "what was sent before the fault is not told in the end");
}

static void one_round(uint32_t seed)
{
    static struct round r;
    r = (struct round){ .seed = seed };
    begin_round(&r);
    if (r.strikes)
        strike_down(&r);
    else
        serve_all(&r);
    check_answers(&r);
    check_books(&r.c.peer, r.what);
    close_random(&r.c);
}

static uint32_t number_from(const char *name, uint32_t fallback)
{
    const char *text = getenv(name);
    return text ? (uint32_t)strtoul(text, NULL, 10) : fallback;
}

#define MEMORY_MAX (256 * 1024) /* more than pools and stocks grow once they have been used */

static void whatever_happens_the_books_are_right(void **state)
{
    uint32_t first = number_from("HANGUP_RANDOM_SEED", 1);
    uint32_t rounds = number_from("HANGUP_RANDOM_ROUNDS", rounds_of(60));
    size_t memory = 0;
    print_message("# HANGUP_RANDOM_SEED=%u HANGUP_RANDOM_ROUNDS=%u\n", first, rounds);
    for (uint32_t i = 0; i < rounds; i++) {
        one_round(first + i);
        assert_int_equal(run_connection_count(run), 0);
        if (i == rounds / 2)
            memory = mallinfo2().uordblks;
    }
    assert_true(mallinfo2().uordblks <= memory + MEMORY_MAX);
}

/* --- What is served, and the whole */

static void make_large(const char *dir)
{
    char path[80];
    for (size_t i = 0; i < LARGE_LEN; i++)
        random_large[i] = (uint8_t)(i * 31 + i / 251);
    snprintf(path, sizeof path, "%s" LARGE_PATH, dir);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(random_large, 1, sizeof random_large, f), sizeof random_large);
    assert_int_equal(fclose(f), 0);
}

static unsigned descriptors(void)
{
    unsigned count = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

static int start(void **state)
{
    char dir[] = "/tmp/hangup-random-XXXXXX";
    char path[80];
    if (!mkdtemp(dir))
        return -1;
    make_large(dir);
    rig_stubs = dir;
    int error = rig_start(state);
    rig_stubs = NULL;
    snprintf(path, sizeof path, "%s" LARGE_PATH, dir);
    unlink(path);
    rmdir(dir);
    return error;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(whatever_happens_the_books_are_right, rig_reset),
    };
    caps_probe();
    rig_body_limit = 16 * 1024;
    rig_tls = minted_server();
    unsigned before = start(NULL) || rig_stop(NULL) ? 0 : descriptors(); /* some are made once */
    int failed = cmocka_run_group_tests(tests, start, rig_stop);
    if (!failed && descriptors() != before) {
        print_error("%u descriptors, %u before\n", descriptors(), before);
        failed++;
    }
    tls_server_destroy(rig_tls);
    return failed;
}
