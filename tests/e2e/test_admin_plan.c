/* The admin API: plans, cases, marks and the time scale, as they are set and as the client gets
 * them. */
#include "witness.h"

#include <stdio.h>
#include <string.h>

#define CASE "01-answered-then-dead"

/* One request is answered, the next one gets FIN and no byte. */
static void dead_at_the_second_request(struct stage *stage)
{
    struct talk *t = talk_open(stage);

    talk_served(t);
    talk_ask(t, NULL);
    check(client_wait_end(&t->c, in_ms(LATE_MS)), "no end: %s", client_story(&t->c));
    check(t->c.fin, "no FIN: %s", client_story(&t->c));
    check_nothing_read(t);
    check_fault(stage, t, "close-on-reuse", "fin", 0);
}

static void served_twice(struct stage *stage)
{
    struct talk *t = talk_open(stage);

    talk_served(t);
    talk_served(t);
}

static void a_plan_gives_each_connection_its_mode(struct stage *stage)
{
    served_twice(stage); /* the control: without a plan */
    admin_plan(stage->server,
               "[{\"connection\":2,\"mode\":\"close-on-reuse\"},{\"mode\":\"normal\"}]", 5);
    served_twice(stage);
    dead_at_the_second_request(stage);
    served_twice(stage);

    json_t *mode = admin_call(stage->server, 200, "GET", "/v1/mode", NULL);
    assert_true(json_is_null(json_object_get(mode, "mode")));
    assert_int_equal(json_integer_value(json_object_get(mode, "seed")), 5);
    json_t *first = json_array_get(json_object_get(mode, "plan"), 0);
    assert_string_equal(event_text(first, "mode"), "close-on-reuse");
    assert_string_equal(event_text(json_object_get(first, "params"), "how"), "fin");
    json_decref(mode);

    json_t *plan = ledger_find(stage->server, 0, "plan", NULL);
    check(plan, "the ledger has no plan");
    assert_int_equal(json_array_size(json_object_get(plan, "plan")), 2);
    assert_int_equal(event_ms(plan, "seed"), 5);
    assert_string_equal(event_text(plan, "apply"), "new");
    json_decref(plan);
}

static void a_case_is_its_plan(struct stage *stage)
{
    served_twice(stage);
    admin_case(stage->server, CASE);
    dead_at_the_second_request(stage);
    served_twice(stage);
}

static void the_time_scale_shortens_what_is_set_with_it(struct stage *stage)
{
    struct talk *before = talk_open(stage), *after;

    talk_served(before);
    json_t *run = admin_call(stage->server, 200, "PATCH", "/v1/runs/default",
                             "{\"mode\":\"idle-close\",\"params\":{\"idle\":\"30s\"},"
                             "\"apply\":\"new\",\"time_scale\":0.01}");
    assert_true(event_ms(run, "time_scale") == 0.01);
    assert_string_equal(event_text(run, "mode"), "idle-close");
    assert_string_equal(event_text(json_object_get(run, "params"), "idle"), "30s");
    json_decref(run);
    stage->hurry_ms = 300;
    after = talk_open(stage);
    talk_served(after);
    check(client_wait_fin(&after->c, in_ms(300 + LATE_MS)), "no FIN: %s", client_story(&after->c));
    check_timer(after, after->c.fin_at, 300);
    json_t *fault = ledger_await(stage->server, after->connection, "fault", "fin");
    check(fault && event_ms(fault, "time_scale") == 0.01, "the fault does not tell the scale");
    json_decref(fault);
    check(client_silent(&before->c, in_ms(50)), "the older one: %s", client_story(&before->c));

    admin_problem(stage->server, 400, "PATCH", "/v1/runs/default",
                  "{\"mode\":\"idle-close\",\"params\":{\"idle\":\"soon\"},\"time_scale\":7}",
                  "$.params.idle");
    json_t *mode = admin_call(stage->server, 200, "GET", "/v1/mode", NULL);
    assert_true(event_ms(mode, "time_scale") == 0.01);
    json_decref(mode);
    /* For the tests that follow. */
    json_decref(admin_call(stage->server, 200, "PATCH", "/v1/runs/default",
                           "{\"mode\":\"normal\",\"time_scale\":1}"));
}

static void a_mark_is_an_event_and_fires_rules(struct stage *stage)
{
    json_decref(admin_call(stage->server, 201, "PUT", "/v1/modes/at-mark",
                           "{\"name\":\"at-mark\",\"summary\":\"RST at a mark.\",\"rules\":[{"
                           "\"on\":\"mark\",\"name\":\"background\",\"do\":[\"rst\"]}]}"));
    admin_mode(stage->server, "at-mark", NULL);
    struct talk *t = talk_open(stage);
    talk_served(t);
    admin_mark(stage->server, "foreground"); /* another one: nothing happens */
    check(client_silent(&t->c, in_ms(100)), "not silent: %s", client_story(&t->c));
    talk_served(t);
    uint64_t seq = admin_mark(stage->server, "background");
    check(client_wait_end(&t->c, in_ms(LATE_MS)) && t->c.rst, "no RST: %s", client_story(&t->c));
    check(check_fault(stage, t, "at-mark", "rst", 0) > seq, "the fault is not behind the mark");
    uint64_t next;
    json_t *events = admin_events(stage->server, seq - 1, 0, &next);
    json_t *mark = json_array_get(events, 0);
    assert_string_equal(event_text(mark, "event"), "mark");
    assert_string_equal(event_text(mark, "name"), "background");
    json_decref(events);
    json_decref(admin_call(stage->server, 204, "DELETE", "/v1/modes/at-mark", NULL));
}

static void mistakes_name_their_place_and_change_nothing(struct stage *stage)
{
    static const struct {
        int status;
        const char *body, *named;
    } cases[] = {
        { 400, "{\"plan\":[]}", "$.plan" },
        { 400, "{\"plan\":[7]}", "$.plan[0]" },
        { 400, "{\"plan\":[{\"mode\":\"normal\"},{}]}", "$.plan[1].mode" },
        { 400, "{\"plan\":[{\"mode\":\"no-such\"}]}", "$.plan[0].mode" },
        { 400, "{\"plan\":[{\"mode\":\"idle-close\",\"params\":{\"idle\":7}}]}",
          "$.plan[0].params.idle" },
        { 400, "{\"plan\":[{\"mode\":\"normal\",\"connection\":\"4-2\"}]}",
          "$.plan[0].connection" },
        { 400, "{\"plan\":[{\"mode\":\"normal\",\"over\":\"h3\"}]}", "$.plan[0].over" },
        { 400, "{\"plan\":[{\"mode\":\"normal\",\"probability\":2}]}", "$.plan[0].probability" },
        { 400, "{\"plan\":[{\"mode\":\"normal\"}],\"mode\":\"half-open\"}", "exactly one" },
        { 400, "{\"case\":\"no-such\"}", CASE },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        admin_problem(stage->server, cases[i].status, "PUT", "/v1/mode", cases[i].body,
                      cases[i].named);
    admin_problem(stage->server, 400, "POST", "/v1/runs/default/marks",
                  "{\"mark\":\"Back ground\"}", "$.mark");
    json_t *mode = admin_call(stage->server, 200, "GET", "/v1/mode", NULL);
    assert_string_equal(event_text(mode, "mode"), "normal");
    assert_true(json_is_null(json_object_get(mode, "plan")));
    json_decref(mode);
    served_twice(stage);
}

static void every_case_that_this_machine_can_do_can_be_set(struct stage *stage)
{
    json_t *all = admin_call(stage->server, 200, "GET", "/v1/cases", NULL), *row;
    size_t i;

    assert_true(json_array_size(json_object_get(all, "cases")) > 0);
    json_array_foreach(json_object_get(all, "cases"), i, row)
    {
        char path[80], body[80];
        snprintf(path, sizeof path, "/v1/cases/%s", event_text(row, "name"));
        snprintf(body, sizeof body, "{\"case\":\"%s\"}", event_text(row, "name"));
        json_decref(admin_call(stage->server, 200, "GET", path, NULL));
        if (event_true(row, "available"))
            json_decref(admin_call(stage->server, 200, "PUT", "/v1/mode", body));
        else
            admin_problem(stage->server, 409, "PUT", "/v1/mode", body, "$.case: $.plan");
    }
    json_decref(all);
}

int main(void)
{
    static const struct scenario list[] = {
        SCENARIO(a_plan_gives_each_connection_its_mode, SEATS_ALL),
        SCENARIO(a_case_is_its_plan, SEATS_ALL),
        SCENARIO(the_time_scale_shortens_what_is_set_with_it, SEAT_H1_CLEARTEXT | SEAT_H2_TLS),
        SCENARIO(a_mark_is_an_event_and_fires_rules, SEATS_ALL),
        SCENARIO(mistakes_name_their_place_and_change_nothing, SEAT_H1_CLEARTEXT),
        SCENARIO(every_case_that_this_machine_can_do_can_be_set, SEAT_H1_CLEARTEXT),
    };

    return scenarios_run("plans over the admin API", list, sizeof list / sizeof list[0], NULL);
}
