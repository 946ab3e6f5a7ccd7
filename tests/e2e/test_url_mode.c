/* A request can choose the mode of its own connection by URL: /mode/NAME;k=v/REST. */
#include "witness.h"

#include <stdio.h>
#include <string.h>

#define IDLE_MS 200

/* Asks with a mode in the URL and is answered as without it. */
static void served_with(struct talk *t, const char *target)
{
    assert_int_equal(talk_ask_for(t, "GET", target, NULL, NULL), 0);
    check(talk_answer(t, in_ms(PATIENCE_MS)), "no answer: %s", client_story(&t->c));
    check(t->status == 200, "%s: status %d: %s", target, t->status,
          (const char *)buf_bytes(&t->body));
    t->connection = talk_served_number(t, "connection");
}

static void check_idle_close(struct stage *stage, struct talk *t)
{
    check(client_wait_end(&t->c, in_ms(IDLE_MS + LATE_MS)), "no end: %s", client_story(&t->c));
    assert_true(t->c.fin);
    assert_false(t->c.close_notify);
    check_nothing_read(t);
    check_timer(t, t->c.fin_at, IDLE_MS);
    check_fault(stage, t, "idle-close", "fin", IDLE_MS);
}

static void the_url_sets_the_mode_of_its_connection_alone(struct stage *stage)
{
    struct talk *other = talk_open(stage), *t = talk_open(stage);

    talk_served(other);
    served_with(t, "/mode/idle-close;idle=200ms" ENTITLEMENT);
    check_idle_close(stage, t);
    assert_false(other->c.fin);
    check(client_silent(&other->c, in_ms(IDLE_MS)), "not silent: %s", client_story(&other->c));
    talk_served(other);
    talk_served(talk_open(stage));
    assert_null(ledger_find(stage->server, other->connection, "fault", NULL));

    json_t *mode = ledger_await(stage->server, t->connection, "mode", NULL);
    json_decref(mode);
    json_t *run = admin_call(stage->server, 200, "GET", "/v1/mode", NULL);
    assert_string_equal(event_text(run, "mode"), "normal");
    json_decref(run);
}

static void the_values_may_be_percent_encoded(struct stage *stage)
{
    struct talk *t = talk_open(stage);

    served_with(t, "/mode/idle%2Dclose;idle=%32%30%30ms" ENTITLEMENT);
    check_idle_close(stage, t);
}

/* URL builders that take the mode for one path segment encode its ';' and '=' too. */
static void the_separators_may_be_percent_encoded(struct stage *stage)
{
    struct talk *t = talk_open(stage);

    served_with(t, "/mode/idle-close%3Bidle%3d200ms" ENTITLEMENT);
    check_idle_close(stage, t);
}

static void the_same_prefix_again_does_not_begin_anew(struct stage *stage)
{
    static const char target[] =
        "/mode/close-on-reuse;how=fin;read=complete" ENTITLEMENT "?device=tv";
    struct talk *t = talk_open(stage);

    served_with(t, target);
    assert_int_equal(talk_ask_for(t, "GET", target, NULL, NULL), 0);
    check(client_wait_end(&t->c, in_ms(LATE_MS)), "no end: %s", client_story(&t->c));
    assert_true(t->c.fin);
    check_nothing_read(t);
    check_fault(stage, t, "close-on-reuse", "fin", 0);
}

/* The mode events of the talk's connection. */
static size_t times_set(const struct stage *stage, const struct talk *t)
{
    uint64_t next;
    json_t *events = admin_events(stage->server, 0, 0, &next), *event;
    size_t i, n = 0;

    json_array_foreach(events, i, event)
    {
        json_int_t id = json_integer_value(json_object_get(event, "connection"));
        n += (uint64_t)id == t->connection && strcmp(event_text(event, "event"), "mode") == 0;
    }
    json_decref(events);
    return n;
}

/* Whatever its length, a prefix is set once; another one of the same length is another one. */
static void a_prefix_of_any_length_is_set_once(struct stage *stage)
{
    static const char head[] = "/mode/garbage;nth=9;text=", letter[] = "%78";
    static const size_t lengths[] = { 1, 100, 102, 103, 104, 105, 200, 1000, 3300, 4096 };
    struct buf target = { .data = NULL };

    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        bool fits = stage->seat->h2 || lengths[i] < 4000; /* in 12 KiB of h1 */
        struct talk *t = talk_open(stage);
        for (int k = 0; k < 4 && fits; k++) {
            buf_consume(&target, buf_len(&target));
            buf_text(&target, head);
            for (size_t n = 0; n < lengths[i]; n++)
                buf_add(&target, k == 3 ? "%79" : letter, 3);
            buf_add(&target, ENTITLEMENT, sizeof ENTITLEMENT);
            served_with(t, (const char *)buf_bytes(&target));
        }
        check(!fits || times_set(stage, t) == 2, "a text of %zu: set %zu times", lengths[i],
              times_set(stage, t));
    }
    buf_free(&target);
}

static void
a_prefix_with_a_value_too_long_is_refused_and_says_how_long_it_may_be(struct stage *stage)
{
    struct buf target = { .data = NULL };
    struct talk *t = talk_open(stage);

    buf_text(&target, "/mode/garbage;nth=9;text=");
    for (size_t n = 0; n < 4097; n++)
        buf_text(&target, "x");
    buf_add(&target, ENTITLEMENT, sizeof ENTITLEMENT);
    talk_ask_for(t, "GET", (const char *)buf_bytes(&target), NULL, NULL);
    assert_true(talk_answer(t, in_ms(PATIENCE_MS)));
    assert_int_equal(t->status, 400);
    buf_add(&t->body, "", 1);
    check(strstr((const char *)buf_bytes(&t->body), "$.params.text") &&
              strstr((const char *)buf_bytes(&t->body), "4096"),
          "not a clear error: %s", (const char *)buf_bytes(&t->body));
    buf_free(&target);
}

static void a_later_request_may_go_back_to_normal(struct stage *stage)
{
    struct talk *t = talk_open(stage);

    served_with(t, "/mode/idle-close;idle=400ms" ENTITLEMENT);
    t->hurry_ms = 400;
    served_with(t, "/mode/normal" ENTITLEMENT);
    t->hurry_ms = 0;
    check(client_silent(&t->c, in_ms(700)), "not silent: %s", client_story(&t->c));
    talk_served(t);
}

/* Asks for the mode of a URL that cannot be: a problem of this kind, in which all is named. */
static void ask_in_vain(struct talk *t, const char *target, int status, const char *type,
                        const char *const named[], size_t count)
{
    assert_int_equal(talk_ask_for(t, "GET", target, NULL, NULL), 0);
    check(talk_answer(t, in_ms(PATIENCE_MS)), "%s: no answer: %s", target, client_story(&t->c));
    check(t->status == status, "%s: status %d", target, t->status);
    buf_add(&t->body, "", 1);
    const char *text = (const char *)buf_bytes(&t->body);
    json_t *problem = json_loads(text, 0, NULL);
    check(problem, "%s: the body is not JSON", target);
    check(strcmp(event_text(problem, "type"), type) == 0, "%s: %s", target, text);
    check(*event_text(problem, "title") && *event_text(problem, "detail"), "%s: %s", target, text);
    assert_int_equal(json_integer_value(json_object_get(problem, "status")), status);
    for (size_t i = 0; i < count && named[i]; i++)
        check(strstr(text, named[i]), "%s: %s is not named: %s", target, named[i], text);
    json_decref(problem);
}

static void what_is_no_mode_is_refused_with_a_problem(struct stage *stage)
{
    static const struct {
        const char *target;
        int status;
        const char *named; /* what it must name */
    } cases[] = {
        { "/mode/no-such-mode" ENTITLEMENT, 404, "no-such-mode" },
        { "/mode/idle-close;idle=soon" ENTITLEMENT, 400, "idle" },
        { "/mode/idle-close;idle=-1s" ENTITLEMENT, 400, "idle" },
        { "/mode/idle-close;idel=1s" ENTITLEMENT, 400, "idel" },
        { "/mode/idle-close;idle" ENTITLEMENT, 400, "=" },
        { "/mode/idle-close;idle=1s;idle=2s" ENTITLEMENT, 400, "idle" },
        { "/mode/idle-close;notify=perhaps" ENTITLEMENT, 400, "notify" },
        { "/mode/idle-close;;" ENTITLEMENT, 400, "" },
        { "/mode/%zz" ENTITLEMENT, 400, "" },
        { "/mode/%00" ENTITLEMENT, 400, "" },
        { "/mode/" ENTITLEMENT, 400, "" },
        { "/mode/..%2f..%2fetc" ENTITLEMENT, 400, "" },
    };
    struct talk *t = talk_open(stage);

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ask_in_vain(t, cases[i].target, cases[i].status,
                    cases[i].status == 404 ? "/problems/no-such-mode" : "/problems/invalid-value",
                    &cases[i].named, 1);
    }
    /* None of it changed anything. */
    talk_served(t);
    check(client_silent(&t->c, in_ms(IDLE_MS)), "not silent: %s", client_story(&t->c));
}

/* A test must not pass because its mode did nothing. The connection stays as it was. */
static void a_mode_that_can_do_nothing_here_is_refused_with_409(struct stage *stage)
{
    static const struct {
        const char *mode;
        unsigned seats;
        const char *named[3]; /* what it must name */
    } cases[] = {
        /* its rule fires before a request */
        { "refuse", SEATS_ALL, { "listen", "Rule 0", "PUT /v1/mode" } },
        { "syn-drop", SEATS_ALL, { "listen", "PUT /v1/mode" } },
        { "accept-close", SEATS_ALL, { "accept", "PUT /v1/mode" } },
        { "handshake-stall", SEATS_TLS, { "client_hello", "PUT /v1/mode" } },
        { "handshake-alert", SEATS_TLS, { "client_hello", "PUT /v1/mode" } },
        { "settings-deaf", SEATS_H2, { "protocol", "PUT /v1/mode" } },
        { "black-hole-on-request", SEATS_H2, { "protocol", "Rule 0" } },
        /* the other protocol */
        { "goaway-race", SEATS_H1, { "HTTP/2", "HTTP/1.1" } },
        { "settings-deaf", SEATS_H1, { "HTTP/2", "HTTP/1.1" } },
        { "malformed-chunk", SEATS_H2, { "HTTP/1.1", "HTTP/2" } },
        /* it needs TLS */
        { "close-notify-only", ~SEATS_TLS, { "TLS", "in cleartext" } },
        { "handshake-stall", ~SEATS_TLS, { "TLS", "in cleartext" } },
        /* its requests are over */
        { "lost-answer;nth=1", SEATS_ALL, { "earlier requests" } },
        { "truncate;nth=1-2", SEATS_ALL, { "earlier requests" } },
    };
    struct talk *t = talk_open(stage);
    char target[128];
    bool black_hole = admin_capability(stage->server, "black_hole");

    for (size_t i = 0; i < 3; i++)
        talk_served(t);
    unsigned seat = stage->seat->h2    ? stage->seat->tls ? SEAT_H2_TLS : SEAT_H2_CLEARTEXT
                    : stage->seat->tls ? SEAT_H1_TLS
                                       : SEAT_H1_CLEARTEXT;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        /* Without the capability it would be refused for that. */
        bool holes = strcmp(cases[i].mode, "black-hole-on-request") == 0 ||
                     strcmp(cases[i].mode, "syn-drop") == 0;
        if (!(cases[i].seats & seat) || (holes && !black_hole))
            continue;
        snprintf(target, sizeof target, "/mode/%s" ENTITLEMENT, cases[i].mode);
        ask_in_vain(t, target, 409, "/problems/unavailable", cases[i].named, 3);
    }
    talk_served(t);
    check(client_silent(&t->c, in_ms(IDLE_MS)), "not silent: %s", client_story(&t->c));
    assert_int_equal(times_set(stage, t), 0);
    check_no_fault(stage, t);
    assert_null(ledger_find(stage->server, t->connection, "warning", NULL));
}

static void a_mode_without_its_capability_is_refused_with_409(struct stage *stage)
{
    struct talk *t = talk_open(stage);

    if (admin_capability(stage->server, "black_hole"))
        skip_because("black_hole is available here: nothing to refuse");
    assert_int_equal(talk_ask_for(t, "GET", "/mode/black-hole" ENTITLEMENT, NULL, NULL), 0);
    assert_true(talk_answer(t, in_ms(PATIENCE_MS)));
    assert_int_equal(t->status, 409);
    assert_non_null(strstr((const char *)buf_bytes(&t->body), "NET_ADMIN"));
}

int main(void)
{
    static const struct scenario list[] = {
        SCENARIO(the_url_sets_the_mode_of_its_connection_alone, SEATS_ALL),
        SCENARIO(the_values_may_be_percent_encoded, SEAT_H1_CLEARTEXT | SEAT_H2_TLS),
        SCENARIO(the_separators_may_be_percent_encoded, SEAT_H1_CLEARTEXT | SEAT_H2_TLS),
        SCENARIO(the_same_prefix_again_does_not_begin_anew, SEAT_H1_TLS | SEAT_H2_CLEARTEXT),
        SCENARIO(a_prefix_of_any_length_is_set_once, SEATS_ALL & ~SEAT_H1_TLS12),
        SCENARIO(a_prefix_with_a_value_too_long_is_refused_and_says_how_long_it_may_be,
                 SEAT_H1_CLEARTEXT | SEAT_H2_TLS),
        SCENARIO(a_later_request_may_go_back_to_normal, SEAT_H1_CLEARTEXT | SEAT_H2_TLS),
        SCENARIO(what_is_no_mode_is_refused_with_a_problem, SEATS_ALL),
        SCENARIO(a_mode_that_can_do_nothing_here_is_refused_with_409, SEATS_ALL),
        SCENARIO(a_mode_without_its_capability_is_refused_with_409,
                 SEAT_H1_CLEARTEXT | SEAT_H2_TLS),
    };

    return scenarios_run("modes by URL", list, sizeof list / sizeof list[0], NULL);
}
