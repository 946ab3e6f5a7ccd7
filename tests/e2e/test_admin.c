/* The admin API: what it changes is changed on the wire, and what it refuses it explains. */
#include "witness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IDLE_MS 200

static void errors_are_problems_that_name_the_place(struct stage *stage)
{
    static const struct {
        int status;
        const char *method, *path, *body, *named;
    } cases[] = {
        { 404, "GET", "/v1/nowhere", NULL, "" },
        { 404, "GET", "/v1/connections/999999999", NULL, "" },
        { 404, "GET", "/v1/connections/x", NULL, "" },
        { 404, "GET", "/v1/modes/no-such", NULL, "" },
        { 405, "DELETE", "/v1/mode", NULL, "" },
        { 405, "POST", "/healthz", "{}", "" },
        { 400, "PUT", "/v1/mode", "{", "" },
        { 400, "PUT", "/v1/mode", "[]", "$" },
        { 400, "PUT", "/v1/mode", "{}", "mode" },
        { 400, "PUT", "/v1/mode", "{\"mode\":1}", "$.mode" },
        { 400, "PUT", "/v1/mode", "{\"mode\":\"normal\",\"mode\":\"normal\"}", "" },
        { 400, "PUT", "/v1/mode", "{\"mode\":\"normal\",\"extra\":1}", "extra" },
        { 400, "PUT", "/v1/mode", "{\"mode\":\"normal\"} {}", "" },
        { 400, "PUT", "/v1/mode", "{\"mode\":\"normal\",\"apply\":\"some\"}", "$.apply" },
        { 400, "PUT", "/v1/mode", "{\"mode\":\"no-such\"}", "no-such" },
        { 400, "PUT", "/v1/mode", "{\"mode\":\"idle-close\",\"params\":{\"idel\":\"1s\"}}",
          "idel" },
        { 400, "PUT", "/v1/mode", "{\"mode\":\"idle-close\",\"params\":{\"idle\":\"soon\"}}",
          "$.params.idle" },
        { 400, "PUT", "/v1/mode", "{\"mode\":\"idle-close\",\"params\":{\"idle\":7}}",
          "$.params.idle" },
        { 400, "PUT", "/v1/mode", "{\"mode\":\"idle-close\",\"params\":{\"notify\":\"true\"}}",
          "$.params.notify" },
        { 404, "POST", "/v1/connections/999999999/do", "{\"do\":[\"rst\"]}", "" },
        { 400, "GET", "/v1/runs/default/events?since=x", NULL, "\\\"x\\\" is not in range" },
        { 400, "GET", "/v1/runs/default/events?since=-1", NULL, "since" },
        { 400, "GET", "/v1/runs/default/events?wait=soon", NULL, "wait" },
        { 400, "GET", "/v1/runs/default/events?wait=2h", NULL, "wait" },
        { 400, "GET", "/v1/runs/default/events?sins=1", NULL, "sins" },
        { 404, "GET", "/v1/runs/other/events", NULL, "" },
        { 409, "PUT", "/v1/modes/normal", "{\"name\":\"normal\"}", "" },
        { 400, "PUT", "/v1/modes/mine", "{\"name\":\"other\",\"summary\":\"x\",\"rules\":[]}", "" },
        { 400, "PUT", "/v1/modes/mine",
          "{\"name\":\"mine\",\"summary\":\"x\",\"rules\":[{\"on\":\"tuesday\",\"do\":[]}]}",
          "$.rules[0]" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        admin_problem(stage->server, cases[i].status, cases[i].method, cases[i].path, cases[i].body,
                      cases[i].named);
    /* None of it changed the mode. */
    json_t *mode = admin_call(stage->server, 200, "GET", "/v1/mode", NULL);
    assert_string_equal(event_text(mode, "mode"), "normal");
    json_decref(mode);
}

static void do_refuses_steps_it_does_not_know(struct stage *stage)
{
    static const struct {
        const char *steps, *named;
    } cases[] = {
        { "[\"dance\"]", "$.do[0]" },
        { "[\"fin\",\"dance\"]", "$.do[1]" },
        { "[]", "$.do" },
        { "[7]", "$.do[0]" },
        { "[{\"wait\":\"x\"}]", "$.do[0]" },
        { "[{\"fin\":{\"notfy\":true}}]", "$.do[0]" },
        { "[\"hold\"]", "$.do[0]" }, /* acts on an exchange: there is none */
    };
    struct talk *t = talk_open(stage);
    char path[64], body[128];

    talk_served(t);
    snprintf(path, sizeof path, "/v1/connections/%llu/do", (unsigned long long)t->connection);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        snprintf(body, sizeof body, "{\"do\":%s}", cases[i].steps);
        admin_problem(stage->server, 400, "POST", path, body, cases[i].named);
    }
    if (!stage->seat->h2)
        admin_problem(stage->server, 400, "POST", path, "{\"do\":[\"goaway\"]}", "$.do[0]");
    talk_served(t);
}

static void do_acts_on_all_that_the_filter_fits(struct stage *stage)
{
    struct talk *a = talk_open(stage), *b = talk_open(stage);

    talk_served(a);
    talk_served(b);
    json_t *done = admin_call(stage->server, 200, "POST", "/v1/connections/do",
                              "{\"do\":[\"rst\"],\"where\":{\"peer\":\"192.0.2.1\"}}");
    assert_int_equal(json_integer_value(json_object_get(done, "connections")), 0);
    json_decref(done);
    talk_served(a); /* the control: those that do not fit stay */
    talk_served(b);
    done = admin_call(stage->server, 200, "POST", "/v1/connections/do",
                      stage->seat->h2 ? "{\"do\":[\"rst\"],\"where\":{\"over\":\"h2\"}}"
                                      : "{\"do\":[\"rst\"],\"where\":{\"over\":\"h1\"}}");
    assert_int_equal(json_integer_value(json_object_get(done, "connections")), 2);
    json_decref(done);
    assert_true(client_wait_end(&a->c, in_ms(LATE_MS)));
    assert_true(a->c.rst);
    check_fault(stage, a, "do", "rst", 0);
    assert_true(client_wait_end(&b->c, in_ms(LATE_MS)));
    assert_true(b->c.rst);
    check_fault(stage, b, "do", "rst", 0);
}

static void do_acts_on_the_connection_now(struct stage *stage)
{
    struct talk *fin = talk_open(stage), *rst = talk_open(stage), *later = talk_open(stage);

    talk_served(fin);
    talk_served(rst);
    talk_served(later);
    admin_do(stage->server, fin->connection, "[\"fin\"]");
    assert_true(client_wait_end(&fin->c, in_ms(LATE_MS)));
    assert_true(fin->c.fin);
    assert_false(fin->c.close_notify);
    check_fault(stage, fin, "do", "fin", 0);

    admin_do(stage->server, rst->connection, "[\"rst\"]");
    assert_true(client_wait_end(&rst->c, in_ms(LATE_MS)));
    assert_true(rst->c.rst);
    check_fault(stage, rst, "do", "rst", 0);

    int64_t asked = clock_now();
    admin_do(stage->server, later->connection,
             "[{\"wait\":\"200ms\"},{\"fin\":{\"notify\":true}}]");
    assert_true(client_wait_end(&later->c, in_ms(200 + LATE_MS)));
    assert_true(later->c.fin_at - asked >= 200 * NS_PER_MS);
    assert_int_equal(later->c.close_notify, stage->seat->tls != CLIENT_CLEARTEXT);
}

static void do_says_goaway_with_the_fields_it_is_given(struct stage *stage)
{
    struct talk *t = talk_open(stage);

    talk_served(t);
    admin_do(stage->server, t->connection, "[\"goaway_notice\"]");
    assert_true(h2_wait_frame(&t->h2, NGHTTP2_GOAWAY, in_ms(LATE_MS)));
    assert_int_equal(t->h2.goaway.last, 0x7fffffff);
    assert_int_equal(t->h2.goaway.error, NGHTTP2_NO_ERROR);
    talk_served(t); /* a notice takes nothing away */
    admin_do(stage->server, t->connection,
             "[{\"goaway\":{\"error\":\"ENHANCE_YOUR_CALM\",\"last\":\"none\","
             "\"debug\":\"calm\"}}]");
    assert_true(h2_wait_frame(&t->h2, NGHTTP2_GOAWAY, in_ms(LATE_MS)));
    assert_int_equal(t->h2.goaway.last, 0);
    assert_int_equal(t->h2.goaway.error, NGHTTP2_ENHANCE_YOUR_CALM);
    assert_int_equal(t->h2.goaway.debug_len, 4);
}

static void do_says_close_notify_and_leaves_tcp_open(struct stage *stage)
{
    struct talk *t = talk_open(stage);

    talk_served(t);
    admin_do(stage->server, t->connection, "[\"close_notify\"]");
    int64_t until = in_ms(LATE_MS);
    while (!t->c.close_notify && client_look(&t->c, until))
        ;
    check(t->c.close_notify && !t->c.fin, "no bare close_notify: %s", client_story(&t->c));
    check(client_silent(&t->c, in_ms(200)), "not silent: %s", client_story(&t->c));
}

static void the_mode_changes_for_all_or_for_new_connections(struct stage *stage)
{
    struct talk *old = talk_open(stage);

    talk_served(old);
    struct talk *young =
        served_in_time(stage, "idle-close", "{\"idle\":\"200ms\"}", /* for new ones */
                       IDLE_MS);
    check(client_wait_fin(&young->c, in_ms(IDLE_MS + LATE_MS)), "the new one: no FIN");
    check(client_silent(&old->c, in_ms(50)), "the old one: %s", client_story(&old->c));
    talk_served(old);

    /* All: also those that are idle already, from when they became it. */
    json_decref(admin_call(stage->server, 200, "PUT", "/v1/mode",
                           "{\"mode\":\"idle-close\",\"params\":{\"idle\":\"200ms\"},"
                           "\"apply\":\"all\"}"));
    check(client_wait_fin(&old->c, in_ms(IDLE_MS + LATE_MS)), "the old one: no FIN");
    check_timer(old, old->c.fin_at, IDLE_MS);

    json_t *mode = admin_call(stage->server, 200, "GET", "/v1/mode", NULL);
    assert_string_equal(event_text(mode, "mode"), "idle-close");
    assert_string_equal(event_text(json_object_get(mode, "params"), "idle"), "200ms");
    json_decref(mode);
}

static void reset_brings_normal_mode_and_an_empty_ledger(struct stage *stage)
{
    struct talk *t = talk_open(stage);
    uint64_t next;

    talk_served(t);
    admin_mode(stage->server, "reset-idle", "{\"idle\":\"200ms\"}");
    /* What connections have still to say would come into the new ledger. */
    json_decref(ledger_await(stage->server, t->connection, "response_acked", NULL));
    admin_quiet(stage->server, 1);
    admin_reset(stage->server);
    json_t *events = admin_events(stage->server, 0, 0, &next);
    assert_int_equal(json_array_size(events), 1);
    assert_string_equal(event_text(json_array_get(events, 0), "event"), "cleared");
    json_decref(events);
    check(client_silent(&t->c, in_ms(IDLE_MS + 100)), "not silent: %s", client_story(&t->c));
    talk_served(t);
    json_t *mode = admin_call(stage->server, 200, "GET", "/v1/mode", NULL);
    assert_string_equal(event_text(mode, "mode"), "normal");
    json_decref(mode);
}

static void a_waiting_call_wakes_on_an_event(struct stage *stage)
{
    struct client_options to = { .port = stage->server->admin };
    struct h1_response r;
    struct client waiting;
    char request[200];
    uint64_t next = admin_quiet(stage->server, 0);

    snprintf(request, sizeof request,
             "GET /v1/runs/default/events?since=%llu&wait=30s HTTP/1.1\r\nHost: localhost\r\n\r\n",
             (unsigned long long)next);
    assert_true(client_connect(&waiting, &to));
    client_text(&waiting, request);
    check(client_silent(&waiting, in_ms(200)), "it did not wait: %s", client_story(&waiting));
    int64_t began = clock_now();
    struct talk *t = talk_open(stage);
    bool whole = h1_read(&waiting, false, &r, in_ms(PATIENCE_MS));
    check(whole, "it did not wake: %s", client_story(&waiting));
    assert_true(clock_now() - began < LATE_MS * NS_PER_MS);
    assert_int_equal(r.status, 200);
    assert_non_null(strstr((const char *)buf_bytes(&r.body), "connection_open"));
    h1_free(&r);
    client_close(&waiting);
    talk_served(t);
}

static void a_waiting_call_ends_with_its_time(struct stage *stage)
{
    uint64_t next = admin_quiet(stage->server, 0);
    int64_t began = clock_now();
    json_t *events = admin_events(stage->server, next, 200, &next);
    int64_t took = clock_now() - began;
    assert_int_equal(json_array_size(events), 0);
    json_decref(events);
    check(took >= 200 * NS_PER_MS && took < LATE_MS * NS_PER_MS, "took %lld ns", (long long)took);
}

static void events_are_numbered_without_a_gap(struct stage *stage)
{
    uint64_t next = 0, expected = 0;

    for (int i = 0; i < 3; i++)
        talk_served(talk_open(stage));
    json_t *events = admin_events(stage->server, 0, 0, &next), *event;
    size_t i;
    json_array_foreach(events, i, event)
    {
        uint64_t seq = (uint64_t)json_integer_value(json_object_get(event, "seq"));
        assert_true(!expected || seq == expected);
        expected = seq + 1;
        assert_non_null(json_object_get(event, "at"));
        assert_true(event_ms(event, "ms") >= 0);
    }
    assert_int_equal(next, expected - 1);
    json_decref(events);
}

static void a_live_connection_can_be_looked_at(struct stage *stage)
{
    struct talk *t = talk_open(stage);
    char path[64], peer[32];

    talk_served(t);
    snprintf(path, sizeof path, "/v1/connections/%llu", (unsigned long long)t->connection);
    json_t *one = admin_call(stage->server, 200, "GET", path, NULL);
    snprintf(peer, sizeof peer, "127.0.0.1:%u", client_port(&t->c));
    assert_string_equal(event_text(one, "peer"), peer);
    assert_string_equal(event_text(one, "state"), "open");
    assert_string_equal(event_text(one, "protocol"), stage->seat->h2 ? "h2" : "http/1.1");
    assert_string_equal(event_text(one, "mode"), "normal");
    assert_string_equal(event_text(one, "listener"),
                        stage->seat->tls == CLIENT_CLEARTEXT ? "http" : "https");
    assert_int_equal(json_is_null(json_object_get(one, "tls")),
                     stage->seat->tls == CLIENT_CLEARTEXT);
    assert_int_equal(json_integer_value(json_object_get(one, "exchanges")), 1);
    assert_int_equal(json_integer_value(json_object_get(one, "open_exchanges")), 0);
    assert_int_equal(json_integer_value(json_object_get(one, "bytes_out")), t->c.raw_in);
    assert_true(event_ms(one, "idle_ms") >= 0);
    json_decref(one);

    json_t *all = admin_call(stage->server, 200, "GET", "/v1/connections", NULL), *row;
    size_t i, found = 0;
    json_array_foreach(json_object_get(all, "connections"), i, row) found +=
        (uint64_t)json_integer_value(json_object_get(row, "id")) == t->connection;
    assert_int_equal(found, 1);
    json_decref(all);
}

static char *text_of(const struct server *s, const char *path)
{
    struct admin_answer answer;
    check(admin_try(s, "GET", path, "Accept: application/x-ndjson, */*;q=0.1\r\n", NULL, &answer) &&
              answer.status == 200,
          "%s: %d", path, answer.status);
    buf_add(&answer.text, "", 1);
    char *text = strdup((const char *)buf_bytes(&answer.text));
    admin_free(&answer);
    return text;
}

/* Every "..._ms" and "ms" has three decimals, every "time_scale" is shown as it was given. */
static void check_numbers(const char *text, const char *scale)
{
    for (const char *at = text; (at = strstr(at, "ms\":")); at++) {
        const char *number = at + strlen("ms\":");
        if (at[-1] != '_' && at[-1] != '"') /* "params" */
            continue;
        size_t whole = strspn(number, "-0123456789"), n = 0;
        if (strncmp(number, "null", 4) != 0)
            n = number[whole] == '.' ? strspn(number + whole + 1, "0123456789") : 99;
        check(n == 3 || (n == 0 && *number == 'n'), "not three decimals: %.40s", at);
    }
    size_t seen = 0;
    for (const char *at = text; (at = strstr(at, "\"time_scale\":")); at++, seen++) {
        const char *number = at + strlen("\"time_scale\":");
        check(strncmp(number, scale, strlen(scale)) == 0 && strchr(",}", number[strlen(scale)]),
              "not %s: %.40s", scale, at);
    }
    check(seen > 0, "no time_scale in %s", text);
}

static void numbers_are_shown_alike_everywhere(struct stage *stage)
{
    static const char *const scales[] = { "0.1", "0.30000000000000004", "3.0" };

    for (size_t i = 0; i < sizeof scales / sizeof *scales; i++) {
        char body[100], path[64];
        snprintf(body, sizeof body, "{\"mode\":\"half-open\",\"time_scale\":%s}", scales[i]);
        admin_reset(stage->server);
        json_decref(admin_call(stage->server, 200, "PATCH", "/v1/runs/default", body));
        struct talk *t = talk_open(stage);
        talk_served(t);
        admin_do(stage->server, t->connection, "[\"fin\"]");
        json_decref(ledger_await(stage->server, t->connection, "fault", "fin"));
        snprintf(path, sizeof path, "/v1/connections/%llu", (unsigned long long)t->connection);
        const char *const paths[] = { "/v1/mode", "/v1/runs/default", "/v1/runs/default/events",
                                      path };
        for (size_t k = 0; k < sizeof paths / sizeof *paths; k++) {
            char *text = text_of(stage->server, paths[k]);
            check_numbers(text, scales[i]);
            free(text);
        }
        talk_close(t);
    }
    json_decref(admin_call(stage->server, 200, "PATCH", "/v1/runs/default",
                           "{\"mode\":\"normal\",\"time_scale\":1}"));
    admin_reset(stage->server);
}

static void a_mode_of_ones_own_works_like_a_built_in_one(struct stage *stage)
{
    json_decref(admin_call(
        stage->server, 201, "PUT", "/v1/modes/slow-then-gone",
        "{\"name\":\"slow-then-gone\",\"summary\":\"Answers late, then resets.\",\"params\":"
        "{\"late\":{\"type\":\"duration\",\"default\":\"150ms\",\"about\":\"how late\"}},"
        "\"rules\":[{\"on\":\"request\",\"at\":\"headers\",\"do\":[{\"delay\":\"$late\"}]},"
        "{\"on\":\"response\",\"at\":\"end\",\"do\":[{\"wait\":\"100ms\"},\"rst\"]}]}"));
    admin_mode(stage->server, "slow-then-gone", NULL);
    struct talk *t = talk_open(stage);
    talk_served(t);
    assert_true(t->answered_at - t->asked_at >= 150 * NS_PER_MS);
    assert_true(client_wait_end(&t->c, in_ms(LATE_MS)));
    assert_true(t->c.rst);
    check_timer(t, t->c.rst_at, 250);
    check_fault(stage, t, "slow-then-gone", "delay", 0);
    check_fault(stage, t, "slow-then-gone", "rst", 0);
    json_decref(admin_call(stage->server, 204, "DELETE", "/v1/modes/slow-then-gone", NULL));
    admin_problem(stage->server, 404, "GET", "/v1/modes/slow-then-gone", NULL, "");
}

static void a_mode_can_hold_and_give_other_answers(struct stage *stage)
{
    json_decref(admin_call(
        stage->server, 201, "PUT", "/v1/modes/odd",
        "{\"name\":\"odd\",\"summary\":\"Odd answers.\",\"rules\":["
        "{\"on\":\"request\",\"at\":\"headers\",\"nth\":\"1\",\"do\":[{\"respond\":{\"status\":503,"
        "\"headers\":{\"Retry-After\":\"1\"},\"body\":\"later\"}}]},"
        "{\"on\":\"request\",\"at\":\"headers\",\"nth\":\"2\",\"do\":[\"hold\"]}]}"));
    admin_mode(stage->server, "odd", NULL);
    struct talk *t = talk_open(stage);
    assert_int_equal(talk_ask(t, NULL), 0);
    check(talk_answer(t, in_ms(PATIENCE_MS)), "no answer: %s", client_story(&t->c));
    assert_int_equal(t->status, 503);
    assert_string_equal((const char *)buf_bytes(&t->body), "later");
    assert_int_equal(talk_ask(t, NULL), 0);
    assert_false(talk_answer(t, in_ms(300)));
    assert_false(t->c.fin || t->c.rst);
    json_decref(admin_call(stage->server, 204, "DELETE", "/v1/modes/odd", NULL));
}

/* MODES has the names of mode_tests (meson.build), where a mode that is added to the catalogue
 * comes too. */
static void the_catalogue_lists_the_modes_that_are_tested(struct stage *stage)
{
    json_t *all = admin_call(stage->server, 200, "GET", "/v1/modes", NULL);
    const char *tested = getenv("MODES");
    char names[4096], *rest = names, *name;
    size_t count = 0;

    check(tested && strlen(tested) < sizeof names, "MODES is missing or too long");
    snprintf(names, sizeof names, "%s", tested);
    for (; (name = strsep(&rest, " ")); count++) {
        json_t *row, *found = NULL;
        size_t i;
        json_array_foreach(json_object_get(all, "modes"), i,
                           row) if (strcmp(event_text(row, "name"), name) == 0) found = row;
        check(found, "the catalogue has no %s", name);
        check(*event_text(found, "summary"), "%s has no summary", name);
        assert_true(event_true(found, "built_in"));
    }
    assert_int_equal(json_array_size(json_object_get(all, "modes")), count);
    json_decref(all);
}

static void the_authority_is_handed_out(struct stage *stage)
{
    struct admin_answer answer;
    char pem[8192];

    FILE *f = fopen(stage->server->ca, "re");
    assert_non_null(f);
    size_t n = fread(pem, 1, sizeof pem, f);
    fclose(f);
    assert_true(admin_try(stage->server, "GET", "/v1/ca.pem", NULL, NULL, &answer));
    assert_int_equal(answer.status, 200);
    assert_int_equal(buf_len(&answer.text), n);
    assert_memory_equal(buf_bytes(&answer.text), pem, n);
    admin_free(&answer);
    assert_true(admin_try(stage->server, "GET", "/v1/ca.der", NULL, NULL, &answer));
    assert_int_equal(answer.status, 200);
    assert_int_equal(buf_bytes(&answer.text)[0], 0x30); /* a DER SEQUENCE */
    admin_free(&answer);
}

int main(void)
{
    static const struct scenario list[] = {
        SCENARIO(errors_are_problems_that_name_the_place, SEAT_H1_CLEARTEXT),
        SCENARIO(do_refuses_steps_it_does_not_know, SEAT_H1_CLEARTEXT | SEAT_H2_TLS),
        SCENARIO(do_acts_on_the_connection_now, SEATS_ALL),
        SCENARIO(do_acts_on_all_that_the_filter_fits, SEATS_ALL),
        SCENARIO(do_says_goaway_with_the_fields_it_is_given, SEATS_H2),
        SCENARIO(do_says_close_notify_and_leaves_tcp_open, SEATS_TLS),
        SCENARIO(the_mode_changes_for_all_or_for_new_connections, SEAT_H1_TLS | SEAT_H2_CLEARTEXT),
        SCENARIO(reset_brings_normal_mode_and_an_empty_ledger, SEAT_H1_CLEARTEXT | SEAT_H2_TLS),
        SCENARIO(a_waiting_call_wakes_on_an_event, SEAT_H1_CLEARTEXT),
        SCENARIO(a_waiting_call_ends_with_its_time, SEAT_H1_CLEARTEXT),
        SCENARIO(events_are_numbered_without_a_gap, SEAT_H1_TLS),
        SCENARIO(a_live_connection_can_be_looked_at, SEATS_ALL),
        SCENARIO(numbers_are_shown_alike_everywhere, SEAT_H1_CLEARTEXT),
        SCENARIO(a_mode_of_ones_own_works_like_a_built_in_one, SEAT_H1_TLS | SEAT_H2_CLEARTEXT),
        SCENARIO(a_mode_can_hold_and_give_other_answers, SEAT_H1_CLEARTEXT | SEAT_H2_TLS),
        SCENARIO(the_catalogue_lists_the_modes_that_are_tested, SEAT_H1_CLEARTEXT),
        SCENARIO(the_authority_is_handed_out, SEAT_H1_CLEARTEXT),
    };

    return scenarios_run("the admin API", list, sizeof list / sizeof list[0], NULL);
}
