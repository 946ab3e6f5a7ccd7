/* Interim responses under a mode's control: the catalogue's "expect-ignored" and "expect-late", and
 * 103 (Early Hints). */
#include "witness.h"

#include <stdio.h>
#include <string.h>

/* The header section of a POST with "null" as its content; with an Expect field if expects. */
static void send_head(struct talk *t, bool expects)
{
    struct buf out = { .data = NULL }, block = { .data = NULL };

    if (t->seat->h2) {
        const char *fields[] = {
            ":method",    "POST",         ":scheme", t->c.tls ? "https" : "http",
            ":authority", "localhost",    ":path",   ENTITLEMENT,
            "expect",     "100-continue", NULL
        };
        if (!expects)
            fields[8] = NULL;
        h2_compose_block(&t->h2, &block, fields);
        t->stream = t->h2.last_stream += 2;
        h2_compose_frame(&out, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, t->stream,
                         buf_bytes(&block), buf_len(&block));
    } else {
        buf_printf(&out, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n%s\r\n",
                   ENTITLEMENT, expects ? "Expect: 100-continue\r\n" : "");
    }
    t->asked_at = clock_now();
    client_send(&t->c, buf_bytes(&out), buf_len(&out));
    buf_free(&out);
    buf_free(&block);
}

static void send_content(struct talk *t)
{
    if (t->seat->h2)
        h2_send_frame(&t->h2, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, t->stream, "null", 4);
    else
        client_text(&t->c, "null");
}

/* The next header section of a response has this status, and with_link whether a Link header is
 * there: an interim response, behind which more comes. */
static void check_interim(struct talk *t, int status, bool with_link)
{
    char value[64] = "";

    if (t->seat->h2) {
        assert_true(h2_wait_frame(&t->h2, NGHTTP2_HEADERS, in_ms(PATIENCE_MS)));
        const struct h2_stream *s = h2_stream(&t->h2, t->stream);
        assert_int_equal(t->h2.frame.stream, t->stream);
        assert_int_equal(s->status, status);
        assert_false(s->ended);
        assert_int_equal(s->fields, with_link ? 2 : 1); /* with :status */
    } else {
        struct h1_response r;
        bool whole = h1_read(&t->c, false, &r, in_ms(PATIENCE_MS)),
             link = whole && h1_header(&r, "Link", value, sizeof value);
        int seen = r.status;
        bool only = whole && !h1_header(&r, "Content-Length", value, sizeof value);
        h1_free(&r);
        check(whole && only, "no interim response: %s", client_story(&t->c));
        assert_int_equal(seen, status);
        assert_int_equal(link, with_link);
    }
    t->answered_at = clock_now();
}

static void check_final(struct talk *t, int status)
{
    check(talk_answer(t, in_ms(PATIENCE_MS)), "no answer: %s", client_story(&t->c));
    assert_int_equal(t->status, status);
}

static struct talk *used_once(struct stage *stage, const char *mode, const char *params)
{
    admin_mode(stage->server, mode, params);
    struct talk *t = talk_open(stage);
    talk_served(t);
    check_no_fault(stage, t);
    return t;
}

static void normal_mode_says_100_at_once(struct stage *stage)
{
    struct talk *t = used_once(stage, "normal", NULL);

    send_head(t, true);
    check_interim(t, 100, false);
    check(client_silent(&t->c, in_ms(100)), "not silent: %s", client_story(&t->c));
    send_content(t);
    check_final(t, 200);
    check_no_fault(stage, t);
}

static void expect_ignored_never_says_100(struct stage *stage)
{
    struct talk *t = used_once(stage, "expect-ignored", NULL);

    send_head(t, true);
    check(client_silent(&t->c, in_ms(500)), "not silent: %s", client_story(&t->c));
    send_content(t);
    check_final(t, 200);
    uint64_t fault = check_fault(stage, t, "expect-ignored", "no_continue", 0);
    assert_true(fault < check_processed(stage, t, 2));
    talk_served(t);
}

static void what_expects_nothing_is_served(struct stage *stage)
{
    static const char *const modes[] = { "expect-ignored", "expect-late" };
    for (int i = 0; i < 2; i++) {
        struct talk *t = used_once(stage, modes[i], NULL);
        send_head(t, false);
        check(client_silent(&t->c, in_ms(100)), "not silent: %s", client_story(&t->c));
        send_content(t);
        check_final(t, 200);
        check_no_fault(stage, t);
    }
}

static void expect_late_says_100_late(struct stage *stage)
{
    struct talk *t = used_once(stage, "expect-late", "{\"after\":\"300ms\"}");

    send_head(t, true);
    check_interim(t, 100, false);
    int64_t took = (t->answered_at - t->asked_at) / NS_PER_MS;
    check(took >= 300 && took < 300 + LATE_MS, "100 after %d ms", (int)took);
    send_content(t);
    check_final(t, 200);
    check_fault(stage, t, "expect-late", "no_continue", 0);
    check_fault(stage, t, "expect-late", "interim", 0);
}

/* Its client was tired of waiting: the final response comes, and no 100 behind it. */
static void expect_late_is_too_late_for_a_client_that_goes_on(struct stage *stage)
{
    struct talk *t = used_once(stage, "expect-late", "{\"after\":\"1500ms\"}");

    send_head(t, true);
    send_content(t);
    check_final(t, 200);
    json_t *missed = ledger_await(stage->server, t->connection, "fault_missed", "interim");
    json_decref(missed);
    check(client_silent(&t->c, in_ms(100)), "not silent: %s", client_story(&t->c));
    talk_served(t);
}

static void an_early_response_takes_the_place_of_the_100(struct stage *stage)
{
    set_rules(stage,
              "[{\"on\":\"request\",\"at\":\"headers\",\"nth\":2,\"do\":[{\"respond\":417}]}]");
    struct talk *t = talk_open(stage);
    talk_served(t);
    send_head(t, true);
    check_final(t, 417);
    send_content(t);
    talk_served(t);
}

static void early_hints_can_come_before_the_final_response(struct stage *stage)
{
    static const char *const places[] = { "headers", "complete" };
    for (int i = 0; i < 2; i++) {
        char rules[200];
        snprintf(
            rules, sizeof rules,
            "[{\"on\":\"request\",\"at\":\"%s\",\"nth\":2,\"do\":[{\"interim\":{\"status\":103,"
            "\"headers\":{\"Link\":\"</a.css>; rel=preload\"}}}]}]",
            places[i]);
        set_rules(stage, rules);
        struct talk *t = talk_open(stage);
        talk_served(t);
        assert_int_equal(talk_ask(t, NULL), 0);
        check_interim(t, 103, true);
        check_final(t, 200);
        talk_served(t);
    }
}

/* RFC 9110 15.2: a server must not send one to an HTTP/1.0 client. */
static void http_1_0_has_no_interim_responses(struct stage *stage)
{
    set_rules(stage, "[{\"on\":\"request\",\"do\":[{\"interim\":102}]}]");
    struct talk *t = talk_open(stage);

    client_text(&t->c, "GET " ENTITLEMENT " HTTP/1.0\r\n\r\n");
    check_final(t, 200);
    json_t *missed = ledger_await(stage->server, 0, "fault_missed", "interim");
    check(strstr(event_text(missed, "why"), "HTTP/1.0") != NULL, "another reason");
    json_decref(missed);
}

int main(void)
{
    static const struct scenario list[] = {
        SCENARIO(normal_mode_says_100_at_once, SEATS_ALL),
        SCENARIO(expect_ignored_never_says_100, SEATS_ALL),
        SCENARIO(what_expects_nothing_is_served, SEATS_ALL),
        SCENARIO(expect_late_says_100_late, SEATS_ALL),
        SCENARIO(expect_late_is_too_late_for_a_client_that_goes_on, SEATS_ALL),
        SCENARIO(an_early_response_takes_the_place_of_the_100, SEATS_ALL),
        SCENARIO(early_hints_can_come_before_the_final_response, SEATS_ALL),
        SCENARIO(http_1_0_has_no_interim_responses, SEATS_H1),
    };

    return scenarios_run("interim responses", list, sizeof list / sizeof list[0], NULL);
}
