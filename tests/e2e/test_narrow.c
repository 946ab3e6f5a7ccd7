/* What narrows rules to some connections and requests: from each seat, what fits is struck, and
 * what does not is served. */
#include "witness.h"

#include <stdio.h>
#include <string.h>

#define OTHER "/api/entitlement/get/other"

/* A request is answered, with whatever status. */
static void check_answered(struct talk *t, const char *method, const char *target, const char *body)
{
    assert_int_equal(talk_ask_for(t, method, target, NULL, body), 0);
    check(talk_answer(t, in_ms(PATIENCE_MS)) && t->status > 0, "%s %s: no answer: %s", method,
          target, client_story(&t->c));
}

static void check_reset(struct talk *t)
{
    check(client_wait_end(&t->c, in_ms(LATE_MS)), "no end: %s", client_story(&t->c));
    check(t->c.rst && !t->c.fin, "no RST: %s", client_story(&t->c));
    check_nothing_read(t);
}

/* --- Requests */

static const struct {
    const char *narrowing;
    const char *fits[3], *does_not[3]; /* method, target, content */
} requests[] = {
    { "\"path\":\"" OTHER "\"", { "GET", OTHER "?q=1", NULL }, { "GET", ENTITLEMENT, NULL } },
    { "\"path\":[\"/x\",\"*/other\"]", { "GET", OTHER, NULL }, { "GET", OTHER "s", NULL } },
    { "\"method\":\"PUT\"", { "PUT", ENTITLEMENT, "{}" }, { "POST", ENTITLEMENT, "{}" } },
    { "\"header\":\"content-length\"", { "POST", OTHER, "{}" }, { "GET", OTHER, NULL } },
    { "\"header\":{\"name\":\"Content-Length\",\"present\":false}",
      { "GET", OTHER, NULL },
      { "POST", OTHER, "{}" } },
    { "\"content\":{\"min\":3,\"max\":4}", { "POST", OTHER, "1234" }, { "POST", OTHER, "12345" } },
    { "\"content\":{\"max\":0}", { "GET", OTHER, NULL }, { "POST", OTHER, "1" } },
};

static void requests_are_told_apart(struct stage *stage)
{
    static const char *const places[] = { "\"on\":\"request\",\"at\":\"complete\"",
                                          "\"on\":\"response\",\"at\":\"start\"" };
    char rules[300];
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++)
        for (size_t k = 0; k < 2; k++) {
            const char *const *fits = requests[i].fits, *const *not = requests[i].does_not;
            /* Over HTTP/2 the raw client says no Content-Length. */
            if (stage->seat->h2 && strstr(requests[i].narrowing, "ontent-"))
                continue;
            snprintf(rules, sizeof rules, "[{%s,%s,\"do\":[\"rst\"]}]", places[k],
                     requests[i].narrowing);
            set_rules(stage, rules);
            struct talk *t = talk_open(stage);
            check_answered(t, not [0], not [1], not [2]);
            check_answered(t, not [0], not [1], not [2]);
            assert_int_equal(talk_ask_for(t, fits[0], fits[1], NULL, fits[2]), 0);
            check_reset(t);
            json_t *fault = ledger_await(stage->server, 0, "fault", "rst");
            assert_int_equal((int)event_ms(fault, "exchange"), 3);
            json_decref(fault);
            admin_reset(stage->server);
            stage_clear(stage);
        }
}

/* The request is forgotten by the engine then. */
static void the_end_of_a_response_knows_what_was_asked(struct stage *stage)
{
    set_rules(stage,
              "[{\"on\":\"response\",\"at\":\"end\",\"path\":\"" OTHER "\",\"do\":[\"fin\"]}]");
    struct talk *t = talk_open(stage);
    talk_served(t);
    check_answered(t, "GET", OTHER, NULL);
    check(client_wait_end(&t->c, in_ms(LATE_MS)) && t->c.fin, "no FIN: %s", client_story(&t->c));
}

/* What is asked of is what is behind /mode/NAME. */
static void a_mode_of_the_url_is_no_part_of_the_path(struct stage *stage)
{
    set_rules(stage, "[{\"on\":\"response\",\"at\":\"end\",\"path\":\"" ENTITLEMENT
                     "\",\"do\":[\"fin\"]}]");
    admin_mode(stage->server, "normal", NULL);
    struct talk *t = talk_open(stage);
    talk_served(t);
    check_answered(t, "GET", "/mode/own" ENTITLEMENT, NULL);
    check(client_wait_end(&t->c, in_ms(LATE_MS)) && t->c.fin, "no FIN: %s", client_story(&t->c));
}

static void a_late_body_is_told_by_its_path(struct stage *stage)
{
    set_rules(stage, "[{\"on\":\"late\",\"what\":\"body\",\"after\":\"200ms\",\"path\":\"" OTHER
                     "\",\"do\":[\"rst\"]}]");
    for (int other = 0; other < 2; other++) {
        struct buf out = { .data = NULL };
        struct talk *t = talk_open(stage);
        talk_served(t);
        talk_compose(t, &out, "POST", other ? OTHER : ENTITLEMENT, NULL, "{}");
        int64_t since = clock_now();
        client_send(&t->c, buf_bytes(&out), buf_len(&out) - 1);
        buf_free(&out);
        if (other) {
            check_reset(t);
            assert_true(t->c.rst_at - since >= 200 * NS_PER_MS);
        } else {
            check(client_silent(&t->c, in_ms(500)), "not silent: %s", client_story(&t->c));
        }
    }
}

/* --- Connections */

static void tls_and_cleartext_are_told_apart(struct stage *stage)
{
    set_rules(stage, "[{\"on\":\"reuse\",\"tls\":true,\"do\":[\"rst\"]},"
                     "{\"on\":\"reuse\",\"tls\":false,\"do\":[\"fin\"]}]");
    struct talk *t = talk_open(stage);
    talk_served(t);
    talk_ask(t, NULL);
    check(client_wait_end(&t->c, in_ms(LATE_MS)), "no end: %s", client_story(&t->c));
    bool tls = stage->seat->tls != CLIENT_CLEARTEXT;
    check(t->c.rst == tls && t->c.fin == !tls, "the wrong end: %s", client_story(&t->c));
}

static void listeners_are_told_apart(struct stage *stage)
{
    bool tls = stage->seat->tls != CLIENT_CLEARTEXT;
    set_rules(stage, tls ? "[{\"on\":\"reuse\",\"listener\":\"https\",\"do\":[\"rst\"]}]"
                         : "[{\"on\":\"reuse\",\"listener\":\"http\",\"do\":[\"rst\"]}]");
    struct talk *t = talk_open(stage);
    talk_served(t);
    talk_ask(t, NULL);
    check_reset(t);
    set_rules(stage, tls ? "[{\"on\":\"reuse\",\"listener\":\"http\",\"do\":[\"rst\"]}]"
                         : "[{\"on\":\"reuse\",\"listener\":\"https*\",\"do\":[\"rst\"]}]");
    t = talk_open(stage);
    talk_served(t);
    talk_served(t);
    check_no_fault(stage, t);
    check_warned(stage, t, "own", "other listeners");
}

static void versions_of_ip_are_told_apart(struct stage *stage)
{
    set_rules(stage, "[{\"on\":\"reuse\",\"family\":\"ipv4\",\"do\":[\"rst\"]}]");
    struct talk *t = talk_open(stage);
    talk_served(t);
    talk_ask(t, NULL);
    check_reset(t);
    set_rules(stage, "[{\"on\":\"reuse\",\"family\":\"ipv6\",\"do\":[\"rst\"]}]");
    t = talk_open(stage);
    talk_served(t);
    talk_served(t);
    check_no_fault(stage, t);
}

/* The raw client asks for "localhost". */
static void names_of_tls_are_told_apart(struct stage *stage)
{
    struct client c;
    set_rules(stage, "[{\"on\":\"client_hello\",\"sni\":\"*.example\",\"do\":[\"rst\"]},"
                     "{\"on\":\"handshake\",\"sni\":[\"x\",\"LOCAL*\"],\"do\":[\"fin\"]}]");
    struct client_options to = { .port = stage->server->https,
                                 .tls = stage->seat->tls,
                                 .alpn = { stage->seat->h2 ? "h2" : "http/1.1" } };
    client_connect(&c, &to);
    bool ended = client_wait_end(&c, in_ms(LATE_MS)), fin = c.fin;
    client_close(&c);
    assert_true(ended && fin);

    struct client_options bare = { .port = stage->server->https };
    struct buf hello = { .data = NULL };
    const gnutls_datum_t h1 = { (unsigned char *)"http/1.1", 8 };
    client_hello(&hello, "app.example", 11, &h1, 1);
    assert_true(client_connect(&c, &bare));
    client_send(&c, buf_bytes(&hello), buf_len(&hello));
    buf_free(&hello);
    ended = client_wait_end(&c, in_ms(LATE_MS));
    bool rst = c.rst;
    client_close(&c);
    assert_true(ended && rst);
}

static void resumed_sessions_are_told_apart(struct stage *stage)
{
    struct client c;
    gnutls_datum_t session;
    set_rules(stage, "[{\"on\":\"handshake\",\"resumed\":true,\"do\":[\"fin\"]}]");
    struct talk *t = talk_open(stage);
    talk_served(t);
    assert_true(client_session(&t->c, &session));
    struct client_options to = { .port = stage->server->https,
                                 .tls = stage->seat->tls,
                                 .alpn = { stage->seat->h2 ? "h2" : "http/1.1" },
                                 .session = &session };
    client_connect(&c, &to);
    bool ended = client_wait_end(&c, in_ms(LATE_MS)), fin = c.fin;
    client_close(&c);
    gnutls_free(session.data);
    assert_true(ended && fin);
    talk_served(t); /* and this one was not */
}

static void unused_connections_are_told_apart(struct stage *stage)
{
    set_rules(stage, "[{\"on\":\"idle\",\"after\":\"300ms\",\"used\":true,\"do\":[\"fin\"]}]");
    struct talk *unused = talk_open(stage);
    stage->hurry_ms = 300;
    struct talk *t = talk_open(stage);
    talk_served(t);
    check(client_wait_end(&t->c, in_ms(300 + LATE_MS)) && t->c.fin, "no FIN: %s",
          client_story(&t->c));
    check_timer(t, t->c.fin_at, 300);
    while (stage->seat->h2 && h2_next(&unused->h2, in_ms(10)))
        ;
    check(client_silent(&unused->c, in_ms(300)), "not silent: %s", client_story(&unused->c));
    talk_served(unused);
    check(client_wait_end(&unused->c, in_ms(300 + LATE_MS)) && unused->c.fin, "no FIN: %s",
          client_story(&unused->c));
}

/* --- Chance: which requests of a connection, by the seed */

static void draw(struct stage *stage, int seed, char out[33])
{
    char body[200];
    snprintf(body, sizeof body, "{\"mode\":\"own\",\"params\":{},\"apply\":\"new\",\"seed\":%d}",
             seed);
    json_decref(admin_call(stage->server, 200, "PUT", "/v1/mode", body));
    struct talk *t = talk_open(stage);
    for (int i = 0; i < 32; i++) {
        check_answered(t, "GET", ENTITLEMENT, NULL);
        out[i] = t->status == 503 ? 'x' : '.';
    }
    out[32] = '\0';
}

static void chance_is_of_the_seed(struct stage *stage)
{
    char first[33], again[33], other[33];
    set_rules(stage, "[{\"on\":\"request\",\"probability\":0.5,\"do\":[{\"respond\":503}]}]");
    draw(stage, 7, first);
    draw(stage, 7, again);
    draw(stage, 8, other);
    check(strchr(first, 'x') && strchr(first, '.'), "always or never: %s", first);
    assert_string_equal(first, again);
    assert_string_not_equal(first, other);
}

int main(void)
{
    static const struct scenario list[] = {
        SCENARIO(requests_are_told_apart, SEATS_ALL),
        SCENARIO(the_end_of_a_response_knows_what_was_asked, SEATS_ALL),
        SCENARIO(a_mode_of_the_url_is_no_part_of_the_path, SEATS_ALL),
        SCENARIO(a_late_body_is_told_by_its_path, SEATS_ALL),
        SCENARIO(tls_and_cleartext_are_told_apart, SEATS_ALL),
        SCENARIO(listeners_are_told_apart, SEATS_ALL),
        SCENARIO(versions_of_ip_are_told_apart, SEATS_ALL),
        SCENARIO(names_of_tls_are_told_apart, SEATS_TLS),
        SCENARIO(resumed_sessions_are_told_apart, SEATS_TLS),
        SCENARIO(unused_connections_are_told_apart, SEATS_ALL),
        SCENARIO(chance_is_of_the_seed, SEATS_ALL),
    };
    return scenarios_run("narrowing", list, sizeof list / sizeof *list, NULL);
}
