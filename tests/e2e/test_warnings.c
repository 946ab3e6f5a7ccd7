/* What was set and does nothing is said to: in the answer where it can be known, else by a warning
 * in the ledger. That each mode of the catalogue is told of is in test_reach.c. */
#include "witness.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* How many warnings came after this event; *last becomes the last of them (new reference) or NULL.
 */
static size_t warnings(const struct stage *stage, uint64_t since, json_t **last)
{
    uint64_t next;
    json_t *events = admin_events(stage->server, since, 0, &next), *event;
    size_t i, count = 0;

    *last = NULL;
    json_array_foreach(events, i, event)
    {
        if (strcmp(event_text(event, "event"), "warning") != 0)
            continue;
        json_decref(*last);
        *last = json_incref(event);
        count++;
    }
    json_decref(events);
    return count;
}

/* --- Connections whose mode does nothing */

static void each_connection_is_warned_of_once(struct stage *stage)
{
    json_t *last;

    admin_mode(stage->server, stage->seat->h2 ? "timeout-408-on-reuse" : "goaway-calm", NULL);
    uint64_t since = admin_newest(stage->server);
    for (size_t i = 0; i < 3; i++) {
        struct talk *t = talk_open(stage);
        talk_served(t);
        talk_served(t);
        check_warned(stage, t, stage->seat->h2 ? "timeout-408-on-reuse" : "goaway-calm",
                     stage->seat->h2 ? "HTTP/1.1" : "HTTP/2");
    }
    assert_int_equal(warnings(stage, since, &last), 3);
    json_decref(last);
}

static void a_mode_that_fits_is_not_warned_of(struct stage *stage)
{
    static const char *const modes[] = { "normal",      "idle-close",  "nginx",
                                         "goaway-idle", "lost-answer", "suspend" };
    json_t *last;
    uint64_t since = admin_newest(stage->server);

    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        admin_mode(stage->server, modes[i],
                   strcmp(modes[i], "lost-answer") == 0 ? "{\"nth\":\"2-\"}" : NULL);
        talk_served(talk_open(stage));
    }
    assert_int_equal(warnings(stage, since, &last), 0);
}

static void set_for_all(const struct stage *stage, const char *mode)
{
    char body[128];

    snprintf(body, sizeof body, "{\"mode\":\"%s\"}", mode);
    json_decref(admin_call(stage->server, 200, "PUT", "/v1/mode", body));
}

static void a_live_connection_is_warned_of_when_the_time_is_over(struct stage *stage)
{
    struct talk *t = talk_open(stage);
    json_t *last;

    talk_served(t);
    uint64_t since = admin_newest(stage->server);
    set_for_all(stage, "accept-close");
    json_decref(ledger_await(stage->server, t->connection, "warning", NULL));
    check_warned(stage, t, "accept-close", "before a request");
    set_for_all(stage, "idle-close"); /* the warning goes with the mode */
    json_t *list = admin_call(stage->server, 200, "GET", "/v1/connections", NULL);
    assert_true(json_is_null(
        json_object_get(json_array_get(json_object_get(list, "connections"), 0), "warning")));
    json_decref(list);
    assert_int_equal(warnings(stage, since, &last), 1);
    json_decref(last);
}

static void rules_that_wait_for_ever_are_warned_of(struct stage *stage)
{
    static const struct {
        const char *mode, *params;
    } rows[] = {
        { "idle-close", "{\"idle\":\"never\"}" },
        { "goaway-idle", "{\"idle\":\"never\"}" },
        { "close-on-reuse", "{\"idle\":\"never\"}" },
        { "suspend", "{\"after\":\"never\"}" },
        { "aws-alb", "{\"idle\":\"never\",\"age\":\"never\"}" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        admin_mode(stage->server, rows[i].mode, rows[i].params);
        struct talk *t = talk_open(stage);
        talk_served(t);
        check_warned(stage, t, rows[i].mode, "never");
    }
    admin_mode(stage->server, "aws-alb", "{\"age\":\"never\"}"); /* the other rule can */
    struct talk *t = talk_open(stage);
    talk_served(t);
    assert_null(ledger_find(stage->server, t->connection, "warning", NULL));
}

/* --- Places behind the end of a response */

static void a_response_that_ends_before_the_place_is_warned_of(struct stage *stage)
{
    char wanted[96];

    admin_mode(stage->server, "truncate", "{\"after\":100000}");
    struct talk *t = talk_open(stage);
    talk_served(t);
    size_t content = buf_len(&t->body);
    talk_served(t);
    json_t *warning = ledger_await(stage->server, t->connection, "warning", NULL);
    assert_string_equal(event_text(warning, "mode"), "truncate");
    assert_int_equal(json_integer_value(json_object_get(warning, "exchange")), 1);
    snprintf(wanted, sizeof wanted,
             "the response ended %zu octets before the place \"content:100000\"", 100000 - content);
    assert_string_equal(event_text(warning, "why"), wanted);
    json_decref(warning);
    check_no_fault(stage, t);
}

/* --- Steps */

static void a_step_of_tls_is_refused_on_a_clear_connection(struct stage *stage)
{
    static const struct {
        const char *steps, *where; /* NULL: taken */
    } rows[] = {
        { "[\"close_notify\"]", "$.do[0]" },
        { "[{\"alert\":\"internal_error\"}]", "$.do[0]" },
        { "[{\"wait\":\"1ms\"},\"close_notify\",\"fin\"]", "$.do[1]" },
        { "[\"fin\"]", NULL },
    };
    struct talk *t = talk_open(stage);
    char path[64], body[128];

    talk_served(t);
    snprintf(path, sizeof path, "/v1/connections/%" PRIu64 "/do", t->connection);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].where)
            check_no_fault(stage, t);
        snprintf(body, sizeof body, "{\"do\":%s}", rows[i].steps);
        if (rows[i].where)
            admin_problem(stage->server, 400, "POST", path, body, rows[i].where);
        else
            json_decref(admin_call(stage->server, 200, "POST", path, body));
    }
    check(client_wait_fin(&t->c, in_ms(LATE_MS)), "no FIN: %s", client_story(&t->c));
}

/* --- Marks */

static unsigned mark(const struct stage *stage, const char *name)
{
    char body[64];

    snprintf(body, sizeof body, "{\"mark\":\"%s\"}", name);
    json_t *answer = admin_call(stage->server, 201, "POST", "/v1/runs/default/marks", body);
    assert_true(json_is_integer(json_object_get(answer, "rules")));
    unsigned rules = (unsigned)json_integer_value(json_object_get(answer, "rules"));
    json_decref(answer);
    return rules;
}

static void a_mark_says_how_many_rules_it_touched(struct stage *stage)
{
    json_t *last;

    admin_mode(stage->server, "suspend", "{\"after\":\"1h\",\"how\":\"fin\"}");
    uint64_t since = admin_newest(stage->server);
    assert_int_equal(mark(stage, "background"), 0);
    assert_int_equal(warnings(stage, since, &last), 1);
    assert_string_equal(event_text(last, "name"), "background");
    json_decref(last);
    for (size_t i = 0; i < 3; i++)
        talk_served(talk_open(stage));
    since = admin_newest(stage->server);
    assert_int_equal(mark(stage, "background"), 3); /* they wait */
    assert_int_equal(mark(stage, "foreground"), 3); /* and are called off */
    assert_int_equal(warnings(stage, since, &last), 0);
    assert_int_equal(mark(stage, "foreground"), 0);
    assert_int_equal(mark(stage, "backgroud"), 0); /* not a mode's */
    assert_int_equal(warnings(stage, since, &last), 2);
    assert_string_equal(event_text(last, "name"), "backgroud");
    json_decref(last);
}

int main(void)
{
    static const struct scenario list[] = {
        SCENARIO(each_connection_is_warned_of_once, SEATS_ALL & ~SEAT_H1_TLS12),
        SCENARIO(a_mode_that_fits_is_not_warned_of, SEATS_ALL & ~SEAT_H1_TLS12),
        SCENARIO(a_live_connection_is_warned_of_when_the_time_is_over, SEATS_ALL & ~SEAT_H1_TLS12),
        SCENARIO(rules_that_wait_for_ever_are_warned_of, SEATS_ALL & ~SEAT_H1_TLS12),
        SCENARIO(a_response_that_ends_before_the_place_is_warned_of, SEATS_ALL & ~SEAT_H1_TLS12),
        SCENARIO(a_step_of_tls_is_refused_on_a_clear_connection,
                 SEAT_H1_CLEARTEXT | SEAT_H2_CLEARTEXT),
        SCENARIO(a_mark_says_how_many_rules_it_touched, SEAT_H1_CLEARTEXT | SEAT_H2_TLS),
    };

    return scenarios_run("warnings", list, sizeof list / sizeof list[0], NULL);
}
