/* The catalogue's profiles of real infrastructure: how each ends an idle connection, with its times
 * shortened, and that these are the real ones by default. */
#include "frames.h"
#include "witness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IDLE_MS 300

/* What is on the wire when the time is over. */
enum end {
    LEAVES,       /* nothing, for ever */
    FIN,          /* a bare FIN; what comes later draws RST */
    NOTIFY,       /* close_notify and FIN; the same */
    NOTIFY_DRAIN, /* close_notify and FIN; what comes for a while is discarded */
    RST,
    FORGET,    /* nothing; what comes later draws RST */
    BLACK_HOLE /* nothing; what comes later is not even ACKed */
};

/* In which the others are looked at. */
#define LONG_LINGER ",\"linger\":\"1m\""

/* over h2: how many GOAWAY come first, with this debug data; the first of two is a notice unless
 * there is some */
static const struct profile {
    const char *name;
    const char *idle; /* the default */
    enum end h1, h2;
    unsigned goaways;
    const char *debug;
    const char *hint;   /* Keep-Alive over h1; "" for none */
    const char *params; /* beside idle */
    int64_t grace_ms;   /* from the first GOAWAY to FIN, with these */
    int64_t silent_ms;  /* over h1: from when it is idle to FIN; nothing is said */
} profiles[] = {
    { "apache", "5s", NOTIFY_DRAIN, NOTIFY_DRAIN, 1, "timeout", "timeout=5", LONG_LINGER, 0, 0 },
    { "aws-alb", "60s", FIN, FIN, 0, "", "", "", 0, 0 },
    { "aws-network-firewall", "350s", BLACK_HOLE, BLACK_HOLE, 0, "", "", "", 0, 0 },
    { "aws-nlb", "350s", FORGET, FORGET, 0, "", "", "", 0, 0 },
    { "azure-lb", "240s", BLACK_HOLE, BLACK_HOLE, 0, "", "", "", 0, 0 },
    { "azure-lb-reset", "240s", RST, RST, 0, "", "", "", 0, 0 },
    { "caddy", "5m", NOTIFY, NOTIFY, 1, "", "", ",\"grace\":\"150ms\"", 150, 0 },
    { "carrier-nat", "10m", BLACK_HOLE, BLACK_HOLE, 0, "", "", "", 0, 0 },
    { "cloudflare", "400s", FIN, FIN, 0, "", "", "", 0, 0 },
    { "envoy", "1h", NOTIFY, NOTIFY, 2, "", "", ",\"drain\":\"200ms\",\"close\":\"100ms\"", 300,
      300 },
    { "gcp-alb", "610s", FIN, FIN, 1, "", "", "", 0, 0 },
    { "go", "60s", NOTIFY, NOTIFY, 1, "", "", ",\"grace\":\"150ms\"", 150, 0 },
    { "gunicorn", "2s", FIN, FIN, 0, "", "", "", 0, 0 },
    { "h2o", "10s", NOTIFY, FIN, 2, "idle timeout", "", "", 0, 0 },
    { "haproxy", "60s", NOTIFY, NOTIFY, 1, "", "", "", 0, 0 },
    { "hypercorn", "5s", FIN, FIN, 0, "", "", "", 0, 0 },
    { "iis", "120s", FIN, FIN, 0, "", "", "", 0, 0 },
    { "ipvs", "900s", BLACK_HOLE, BLACK_HOLE, 0, "", "", "", 0, 0 },
    { "ipvs", "900s", FORGET, FORGET, 0, "", "", ",\"how\":\"forget\"", 0, 0 },
    { "jdk-httpserver", "30s", FIN, FIN, 0, "", "", "", 0, 0 },
    { "jetty", "30s", NOTIFY_DRAIN, NOTIFY, 1, "idle_timeout", "", LONG_LINGER, 0, 0 },
    { "kestrel", "130s", NOTIFY, NOTIFY, 1, "", "", "", 0, 0 },
    { "lighttpd", "5s", FIN, FIN, 1, "", "", ",\"linger\":\"0s\"", 0, 0 },
    { "nghttpx", "60s", NOTIFY, NOTIFY, 0, "", "", ",\"idle-h2\":\"300ms\"", 0, 0 },
    { "nginx", "75s", NOTIFY, NOTIFY, 1, "", "", "", 0, 0 },
    { "node", "6s", FIN, LEAVES, 0, "", "timeout=5", "", 0, 0 },
    { "puma", "20s", NOTIFY, NOTIFY, 0, "", "", "", 0, 0 },
    { "squid", "120s", FIN, FIN, 0, "", "", "", 0, 0 },
    { "tomcat", "20s", NOTIFY, NOTIFY, 1, "", "", "", 0, 0 },
    { "uvicorn", "5s", FIN, FIN, 0, "", "", "", 0, 0 },
    { "varnish", "5s", FIN, FIN, 0, "", "", "", 0, 0 },
};
#define PROFILES (sizeof profiles / sizeof profiles[0])

static enum end end_of(const struct stage *stage, const struct profile *p)
{
    return stage->seat->h2 ? p->h2 : p->h1;
}

static const char *step_of(enum end end)
{
    switch (end) {
    case RST:
        return "rst";
    case FORGET:
        return "forget";
    case BLACK_HOLE:
        return "black_hole";
    default:
        return "fin";
    }
}

/* --- Opening */

/* Asks over h1, and to be kept; the answer's Keep-Alive header is this hint. */
static void check_hint(struct talk *t, const struct profile *p)
{
    static const char request[] = "GET " ENTITLEMENT " HTTP/1.1\r\nHost: hangup.test\r\n"
                                  "Connection: keep-alive\r\n\r\n";
    struct h1_response r;
    char value[64] = "";

    talk_in_time(t);
    t->asked_at = clock_now();
    assert_int_equal(client_send(&t->c, request, sizeof request - 1), 0);
    bool whole = h1_read(&t->c, false, &r, in_ms(PATIENCE_MS));
    if (whole) {
        h1_header(&r, "Keep-Alive", value, sizeof value);
        t->answered_at = t->c.last_byte_at;
        t->raw_answered = t->c.raw_in;
    }
    h1_free(&r);
    check(whole, "no answer: %s", client_story(&t->c));
    check(strcmp(value, p->hint) == 0, "%s: Keep-Alive is \"%s\"", p->name, value);
}

/* A connection in the profile, after two requests. */
static struct talk *open_in(struct stage *stage, const struct profile *p)
{
    char params[160];

    snprintf(params, sizeof params, "{\"idle\":\"%dms\"%s}", IDLE_MS, p->params);
    struct talk *t = served_in_time(stage, p->name, params, IDLE_MS);
    t->hurry_ms = IDLE_MS;
    if (stage->seat->h2)
        talk_served(t);
    else
        check_hint(t, p);
    t->hurry_ms = 0;
    return t;
}

/* --- The end */

/* The fault came when the connection had been idle for so long: by the ledger, as this client may
 * have been busy with another connection. */
static void check_time(const struct stage *stage, const struct talk *t, const struct profile *p,
                       const char *step, int64_t ms)
{
    uint64_t next;
    json_t *fault = ledger_await(stage->server, t->connection, "fault", step), *e;
    json_t *events = admin_events(stage->server, 0, 0, &next);
    double answered = 0;
    size_t i;

    check(fault, "%s: the ledger has no fault \"%s\"", p->name, step);
    assert_string_equal(event_text(fault, "mode"), p->name);
    json_array_foreach(events, i, e)
    {
        if (strcmp(event_text(e, "event"), "response_end") == 0 &&
            (uint64_t)json_integer_value(json_object_get(e, "connection")) == t->connection)
            answered = event_ms(e, "ms");
    }
    double idle = event_ms(fault, "ms") - answered;
    check(idle >= (double)ms - LEDGER_MS && idle <= (double)(ms + LATE_MS),
          "%s: %s after %.3f ms idle", p->name, step, idle);
    json_decref(events);
    json_decref(fault);
}

static void check_goaways(struct talk *t, const struct profile *p)
{
    if (p->goaways == 2)
        frame_goaway(t, NGHTTP2_NO_ERROR, *p->debug ? t->stream : FRAMES_LAST_MAX, p->debug);
    if (p->goaways > 0)
        frame_goaway(t, NGHTTP2_NO_ERROR, t->stream, p->debug);
}

static void check_fin(struct stage *stage, struct talk *t, const struct profile *p, enum end end)
{
    bool notify = end != FIN && stage->seat->tls != CLIENT_CLEARTEXT;

    check(client_wait_end(&t->c, in_ms(IDLE_MS + p->silent_ms + LATE_MS)), "%s: no end: %s",
          p->name, client_story(&t->c));
    check(t->c.fin && !t->c.rst && t->c.close_notify == notify, "%s: the wrong end: %s", p->name,
          client_story(&t->c));
    assert_int_equal(buf_len(&t->c.in), 0);
    await_fin_acked(stage, t);
    if (end == NOTIFY_DRAIN) {
        assert_int_equal(talk_ask(t, p->name), 0);
        check(client_silent(&t->c, in_ms(20)), "%s: not discarded: %s", p->name,
              client_story(&t->c));
    } else {
        check_request_draws_rst(t, p->name);
    }
    check_stale_request(stage, t, p->name, "fin_sent", "acked");
}

static void check_silence(struct stage *stage, struct talk *t, const struct profile *p,
                          enum end end)
{
    char key[64];

    snprintf(key, sizeof key, "%s-%d", p->name, (int)end);
    check(client_silent(&t->c, in_ms(5)), "%s: not silent: %s", p->name, client_story(&t->c));
    check_nothing_read(t);
    if (end == FORGET) {
        check_request_draws_rst(t, key);
        check_stale_request(stage, t, key, "forgotten", "");
        return;
    }
    assert_int_equal(talk_ask(t, key), 0);
    check(client_silent(&t->c, in_ms(60)), "%s: not silent: %s", p->name, client_story(&t->c));
    check(!client_wait_acked(&t->c, in_ms(0)), "%s: what was sent was ACKed", p->name);
}

static void check_end(struct stage *stage, struct talk *t, const struct profile *p)
{
    enum end end = end_of(stage, p);

    if (stage->seat->h2)
        check_goaways(t, p);
    if (end == LEAVES) {
        check(client_silent(&t->c, in_ms(20)), "%s: not silent: %s", p->name, client_story(&t->c));
        check_no_fault(stage, t);
        talk_served(t);
        return;
    }
    if (stage->seat->h2 && p->grace_ms > 0) {
        const char *first = p->goaways == 2 ? "goaway_notice" : "goaway";
        check_time(stage, t, p, first, IDLE_MS);
        check_gap(stage, t, first, "fin", p->grace_ms);
    } else {
        check_time(stage, t, p, step_of(end), IDLE_MS + p->silent_ms);
    }
    if (end == RST) {
        check_how(t, "rst");
        check_nothing_read(t);
    } else if (end == FORGET || end == BLACK_HOLE) {
        check_silence(stage, t, p, end);
    } else {
        check_fin(stage, t, p, end);
    }
}

/* --- Scenarios */

static bool is_silent(const struct profile *p)
{
    return p->h1 == FORGET || p->h1 == BLACK_HOLE;
}

/* All of them side by side, as each takes its time, and one without a profile. */
static void profiles_end(struct stage *stage, bool silent)
{
    struct talk *talks[PROFILES] = { NULL };
    bool can_hole = admin_capability(stage->server, "black_hole");
    struct talk *control = served_once(stage, "normal", NULL);

    for (size_t i = 0; i < PROFILES; i++)
        if (is_silent(&profiles[i]) == silent && (can_hole || profiles[i].h1 != BLACK_HOLE))
            talks[i] = open_in(stage, &profiles[i]);
    if (silent)
        check(client_silent(&control->c, in_ms(IDLE_MS + 50)), "not silent: %s",
              client_story(&control->c));
    for (size_t i = 0; i < PROFILES; i++)
        if (talks[i])
            check_end(stage, talks[i], &profiles[i]);
    check(client_silent(&control->c, in_ms(50)), "not silent: %s", client_story(&control->c));
    talk_served(control);
    check_no_fault(stage, control);
}

static void profiles_that_close_do_it_in_their_way(struct stage *stage)
{
    profiles_end(stage, false);
}

static void profiles_that_say_nothing_say_nothing(struct stage *stage)
{
    profiles_end(stage, true);
}

/* What comes after the FIN is discarded for so long, and draws RST only later. */
#define LINGER_MS 1000
static void apache_and_jetty_discard_what_comes_after_their_fin(struct stage *stage)
{
    for (int i = 0; i < 2; i++) {
        bool jetty = i == 1;
        if (jetty && stage->seat->h2)
            return; /* over h2 it closes at once */
        struct talk *t = served_in_time(stage, jetty ? "jetty" : "apache",
                                        "{\"idle\":\"100ms\",\"linger\":\"1s\"}", 100);
        int64_t over_at = t->asked_at + (100 + LINGER_MS) * NS_PER_MS;
        if (stage->seat->h2)
            frame_goaway(t, NGHTTP2_NO_ERROR, t->stream, "timeout");
        check(client_wait_fin(&t->c, in_ms(LATE_MS)), "no FIN: %s", client_story(&t->c));
        await_fin_acked(stage, t);
        uint64_t before = t->c.raw_in;
        for (int k = 0; k < 2; k++) {
            int asked = talk_ask(t, "discarded");
            bool acked = client_wait_acked(&t->c, in_ms(LATE_MS));
            in_time(over_at);
            assert_int_equal(asked, 0);
            check(acked, "it was not ACKed");
            check(client_silent(&t->c, in_ms(100)), "not discarded: %s", client_story(&t->c));
        }
        check_stale_request(stage, t, "discarded", "fin_sent", "acked");
        check(client_silent(&t->c, t->c.fin_at + (LINGER_MS + 20) * NS_PER_MS), "not silent: %s",
              client_story(&t->c));
        talk_ask(t, "rejected");
        check(client_wait_rst(&t->c, in_ms(LATE_MS)), "no RST: %s", client_story(&t->c));
        assert_int_equal(t->c.raw_in, before);
    }
}

/* What is done when a connection ends otherwise than by a rule; the last row is the control. */
static const struct closing {
    const char *profile;
    bool at_once;     /* what comes behind the FIN after Connection: close draws RST */
    bool fin_alone;   /* a client that ends first is not told with close_notify */
    bool late_notify; /* its close_notify behind the FIN draws RST */
} closings[] = {
    { "apache", false, false, false },   { "caddy", true, false, true },
    { "go", true, false, true },         { "gunicorn", true, true, true },
    { "h2o", true, false, true },        { "haproxy", true, false, true },
    { "hypercorn", true, false, false }, { "jdk-httpserver", true, true, false },
    { "jetty", false, false, false },    { "lighttpd", false, false, false },
    { "nghttpx", true, false, true },    { "nginx", true, true, true },
    { "node", true, false, true },       { "puma", true, true, true },
    { "squid", true, false, true },      { "tomcat", true, false, true },
    { "uvicorn", true, false, false },   { "varnish", true, false, true },
    { "normal", false, false, false },
};

static struct talk *asked_to_close(struct stage *stage, const char *profile)
{
    struct talk *t = served_once(stage, profile, NULL);

    assert_int_equal(
        client_text(&t->c, "GET " ENTITLEMENT " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
        0);
    check(client_wait_fin(&t->c, in_ms(LATE_MS)), "%s: no FIN: %s", profile, client_story(&t->c));
    return t;
}

static void draws(struct talk *t, const char *profile, bool rst)
{
    check(client_wait_rst(&t->c, in_ms(rst ? LATE_MS : 100)) == rst, "%s: %s", profile,
          client_story(&t->c));
}

static void profiles_close_in_order_as_the_real_ones(struct stage *stage)
{
    for (size_t i = 0; i < sizeof closings / sizeof closings[0]; i++) {
        const struct closing *p = &closings[i];
        struct talk *t = asked_to_close(stage, p->profile);
        client_text(&t->c, "G");
        draws(t, p->profile, p->at_once);
        talk_close(t);
        if (stage->seat->tls == CLIENT_CLEARTEXT) {
            stage_clear(stage);
            continue;
        }
        t = asked_to_close(stage, p->profile);
        client_bye(&t->c);
        draws(t, p->profile, p->late_notify);
        t = served_once(stage, p->profile, NULL);
        client_bye(&t->c);
        client_shut(&t->c);
        check(client_wait_fin(&t->c, in_ms(LATE_MS)), "no FIN: %s", client_story(&t->c));
        check(t->c.close_notify == !p->fin_alone, "%s: %s", p->profile, client_story(&t->c));
        stage_clear(stage);
    }
}

static void nginx_closes_with_its_last_request(struct stage *stage)
{
    struct talk *t = served_once(stage, "nginx", "{\"requests\":3,\"linger\":\"200ms\"}");

    talk_served(t);
    assert_int_equal(talk_ask(t, "last"), 0);
    if (stage->seat->h2) {
        frame_goaway(t, NGHTTP2_NO_ERROR, t->stream, "");
        frames_response(t, t->stream);
        frames_end(t);
        return;
    }
    talk_is_ended(t, 200);
    assert_int_equal(buf_len(&t->c.in), 0);
}

static void aws_alb_closes_at_an_age_however_busy(struct stage *stage)
{
    int64_t due = in_ms(400);
    struct talk *t = served_in_time(stage, "aws-alb", "{\"age\":\"400ms\"}", 400);

    while (clock_now() < due - 100 * NS_PER_MS) {
        assert_int_equal(talk_ask(t, NULL), 0);
        bool answered = talk_answer(t, in_ms(PATIENCE_MS));
        in_time(due);
        check(answered && t->status == 200, "no answer: %s", client_story(&t->c));
        check(client_silent(&t->c, in_ms(50)) || clock_now() >= due, "not silent: %s",
              client_story(&t->c));
    }
    check(client_wait_end(&t->c, in_ms(LATE_MS)), "no end: %s", client_story(&t->c));
    check(t->c.fin && !t->c.rst && !t->c.close_notify, "no bare FIN: %s", client_story(&t->c));
    json_t *fault = ledger_await(stage->server, t->connection, "fault", "fin");
    json_t *open = ledger_await(stage->server, t->connection, "connection_open", NULL);
    assert_string_equal(event_text(fault, "trigger"), "age");
    double age = event_ms(fault, "ms") - event_ms(open, "ms");
    /* The event of its opening is written somewhat behind that. */
    check(age >= 400 - 1 && age <= 400 + LATE_MS, "it was %.3f ms old", age);
    json_decref(fault);
    json_decref(open);
}

static void pings_do_not_keep_a_connection_from_being_idle(struct stage *stage)
{
    static const struct profile alb = { .name = "aws-alb" };
    struct talk *t = served_in_time(stage, "aws-alb", "{\"idle\":\"300ms\"}", IDLE_MS);
    int64_t due = t->asked_at + IDLE_MS * NS_PER_MS;

    for (int i = 0; i < 4; i++) {
        frame_ping_in_time(t, due);
        check(client_silent(&t->c, in_ms(50)) || clock_now() >= due, "not silent: %s",
              client_story(&t->c));
    }
    check(client_wait_fin(&t->c, in_ms(IDLE_MS + LATE_MS)), "no FIN: %s", client_story(&t->c));
    check_timer(t, t->c.fin_at, IDLE_MS);
    check_time(stage, t, &alb, "fin", IDLE_MS);
}

/* In the drain before Envoy's final GOAWAY new streams are served. */
static void envoy_serves_new_streams_while_it_drains(struct stage *stage)
{
    struct talk *t = served_in_time(
        stage, "envoy", "{\"idle\":\"150ms\",\"drain\":\"300ms\",\"close\":\"100ms\"}", 150);
    int64_t final_at = t->asked_at + (150 + 300) * NS_PER_MS;

    frame_goaway(t, NGHTTP2_NO_ERROR, FRAMES_LAST_MAX, "");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(talk_ask(t, NULL), 0);
        bool answered = talk_answer(t, in_ms(PATIENCE_MS));
        in_time(final_at);
        check(answered && t->status == 200, "no answer: %s", client_story(&t->c));
    }
    frame_goaway(t, NGHTTP2_NO_ERROR, t->stream, "");
    frames_end(t);
    check_gap(stage, t, "goaway_notice", "goaway", 300);
    check_gap(stage, t, "goaway", "fin", 100);
}

/* Over h1 it does so without a word, and the response to a request that comes meanwhile is the
 * last. */
static void envoy_serves_one_more_request_while_it_drains(struct stage *stage)
{
    struct talk *t = served_in_time(stage, "envoy", "{\"idle\":\"150ms\",\"drain\":\"1m\"}", 150);
    struct h1_response r;
    char value[64] = "";

    check(client_silent(&t->c, in_ms(200)), "not silent: %s", client_story(&t->c));
    assert_int_equal(talk_ask(t, NULL), 0);
    bool whole = h1_read(&t->c, false, &r, in_ms(PATIENCE_MS));
    h1_header(&r, "Connection", value, sizeof value);
    h1_free(&r);
    check(whole && strcmp(value, "close") == 0, "Connection is \"%s\"", value);
    check(client_wait_fin(&t->c, in_ms(LATE_MS)), "no FIN: %s", client_story(&t->c));
}

/* The times, and what is assumed, as the catalogue lists them. */
static void profiles_have_their_real_times_by_default(struct stage *stage)
{
    static const struct {
        const char *mode, *param, *value;
    } others[] = {
        { "apache", "linger", "2s" }, { "aws-alb", "age", "1h" },      { "envoy", "drain", "5s" },
        { "envoy", "close", "1s" },   { "nginx", "requests", "1000" }, { "nginx", "linger", "5s" },
    };
    static const char *const assumed[] = { "aws-alb", "carrier-nat", "cloudflare", "gcp-alb",
                                           "iis" };
    json_t *answer = admin_call(stage->server, 200, "GET", "/v1/modes", NULL), *mode;
    size_t i, found = 0, found_others = 0, found_assumed = 0;

    json_array_foreach(json_object_get(answer, "modes"), i, mode)
    {
        const char *name = event_text(mode, "name");
        json_t *params = json_object_get(mode, "params");
        if (strcmp(event_text(mode, "group"), "profile") != 0)
            continue;
        for (size_t k = 0; k < PROFILES; k++) {
            if (strcmp(profiles[k].name, name) != 0)
                continue;
            found++;
            assert_string_equal(event_text(json_object_get(params, "idle"), "default"),
                                profiles[k].idle);
        }
        for (size_t k = 0; k < sizeof others / sizeof others[0]; k++) {
            if (strcmp(others[k].mode, name) != 0)
                continue;
            found_others++;
            json_t *value = json_object_get(json_object_get(params, others[k].param), "default");
            char *text = json_dumps(value, JSON_ENCODE_ANY);
            check(strstr(text, others[k].value), "%s has %s %s", name, others[k].param, text);
            free(text);
        }
        bool is_assumed = false;
        for (size_t k = 0; k < sizeof assumed / sizeof assumed[0]; k++)
            is_assumed = is_assumed || strcmp(assumed[k], name) == 0;
        check(event_true(mode, "assumed") == is_assumed, "%s: assumed, or not", name);
        found_assumed += is_assumed;
        check(*event_text(mode, "basis"), "%s has no basis", name);
    }
    json_decref(answer);
    assert_int_equal(found, PROFILES);
    assert_int_equal(found_others, sizeof others / sizeof others[0]);
    assert_int_equal(found_assumed, sizeof assumed / sizeof assumed[0]);
}

/* FIN follows each response; it was said, and no client has to guess when. */
static void gunicorn_sync_keeps_no_connection(struct stage *stage)
{
    struct h1_response r;
    char value[64] = "";

    admin_mode(stage->server, "gunicorn-sync", NULL);
    struct talk *t = talk_open(stage);
    assert_int_equal(talk_ask(t, NULL), 0);
    assert_true(h1_read(&t->c, false, &r, in_ms(PATIENCE_MS)));
    h1_header(&r, "Connection", value, sizeof value);
    h1_free(&r);
    assert_string_equal(value, "close");
    check(client_wait_fin(&t->c, in_ms(LATE_MS)), "no FIN: %s", client_story(&t->c));
    check(!t->c.close_notify, "close_notify: %s", client_story(&t->c));
    check_request_draws_rst(t, "late");
}

/* At the mark "kill" the kernel says what it says of a process that was killed. */
static void killed_profiles_leave_as_their_kernel_does(struct stage *stage)
{
    static const char *const killed[] = {
        "apache", "caddy", "haproxy", "nginx", "node", "varnish"
    };
    for (size_t i = 0; i < sizeof killed / sizeof killed[0]; i++) {
        struct talk *t = served_once(stage, killed[i], NULL);
        admin_mark(stage->server, "kill");
        check(client_wait_fin(&t->c, in_ms(LATE_MS)), "%s: no FIN: %s", killed[i],
              client_story(&t->c));
        check(!t->c.close_notify, "%s: close_notify: %s", killed[i], client_story(&t->c));
        check_request_draws_rst(t, killed[i]);
        talk_close(t);
        stage_clear(stage);
    }
}

int main(void)
{
    static const struct scenario list[] = {
        SCENARIO(profiles_have_their_real_times_by_default, SEAT_H1_CLEARTEXT),
        SCENARIO(profiles_that_close_do_it_in_their_way, SEATS_ALL),
        SCENARIO(profiles_that_say_nothing_say_nothing, SEATS_ALL),
        SCENARIO(profiles_close_in_order_as_the_real_ones, SEATS_H1),
        SCENARIO(apache_and_jetty_discard_what_comes_after_their_fin, SEATS_ALL),
        SCENARIO(nginx_closes_with_its_last_request, SEATS_ALL),
        SCENARIO(gunicorn_sync_keeps_no_connection, SEATS_H1),
        SCENARIO(killed_profiles_leave_as_their_kernel_does, SEATS_ALL),
        SCENARIO(aws_alb_closes_at_an_age_however_busy, SEATS_ALL),
        SCENARIO(pings_do_not_keep_a_connection_from_being_idle, SEATS_H2),
        SCENARIO(envoy_serves_new_streams_while_it_drains, SEATS_H2),
        SCENARIO(envoy_serves_one_more_request_while_it_drains, SEATS_H1),
    };

    return scenarios_run("profiles", list, sizeof list / sizeof list[0], NULL);
}
