/* The catalogue's scenes, which a test harness plays by setting marks, and the silence that comes
 * in the middle of a request: "suspend", "path-change", "late-original", "flap",
 * "black-hole-on-request". */
#include "frames.h"
#include "witness.h"

#include <stdio.h>
#include <string.h>

#define AFTER_MS   150
#define DEVICE     "{\"device\":\"tv\"}"
#define SEATS_FOUR (SEAT_H1_CLEARTEXT | SEAT_H1_TLS | SEATS_H2)

/* The fault came so long after the event with this sequence number, and not much later. */
static void check_since(const struct stage *stage, const struct talk *t, const char *step,
                        uint64_t seq, int64_t ms)
{
    uint64_t next;
    json_t *events = admin_events(stage->server, seq - 1, 0, &next);
    json_t *fault = ledger_await(stage->server, t->connection, "fault", step);

    check(json_array_size(events) > 0 && fault, "the ledger has no fault \"%s\"", step);
    double gap = event_ms(fault, "ms") - event_ms(json_array_get(events, 0), "ms");
    check(gap >= (double)ms - LEDGER_MS && gap <= (double)(ms + LATE_MS), "%s came after %.3f ms",
          step, gap);
    json_decref(events);
    json_decref(fault);
}

/* --- suspend */

static const char *const deaths[] = { "fin", "rst", "forget", "stall", "black_hole" };
#define DEATHS (sizeof deaths / sizeof deaths[0])

/* A live connection for each way to die; "black_hole" is left out where it cannot be. Returns how
 * many. */
static size_t suspendable(struct stage *stage, struct talk *talks[DEATHS])
{
    char params[64];
    size_t count = admin_capability(stage->server, "black_hole") ? DEATHS : DEATHS - 1;

    for (size_t i = 0; i < count; i++) {
        snprintf(params, sizeof params, "{\"after\":\"%dms\",\"how\":\"%s\"}", AFTER_MS, deaths[i]);
        talks[i] = served_once(stage, "suspend", params);
    }
    return count;
}

/* until: it is not over before. */
static void check_death_until(const struct stage *stage, struct talk *t, const char *how,
                              int64_t until)
{
    char key[32];

    snprintf(key, sizeof key, "after-%s", how);
    check_nothing_read(t);
    if (strcmp(how, "fin") == 0 || strcmp(how, "rst") == 0) {
        check_how(t, how);
    } else if (strcmp(how, "forget") == 0) {
        check_request_draws_rst(t, key);
        assert_false(t->c.fin);
        check_stale_request(stage, t, key, "forgotten", "");
    } else {
        bool acked = strcmp(how, "stall") == 0;
        assert_int_equal(talk_ask(t, key), 0);
        bool silent = client_silent(&t->c, in_ms(100)), was_acked = client_wait_acked(&t->c, 0);
        in_time(until);
        check(silent, "not silent: %s", client_story(&t->c));
        check(acked == was_acked, "%s: ACKed, or not", how);
    }
    check_nothing_read(t);
}

static void check_death(const struct stage *stage, struct talk *t, const char *how)
{
    check_death_until(stage, t, how, TIME_NONE);
}

static void suspend_ends_the_connections_of_that_time(struct stage *stage)
{
    struct talk *talks[DEATHS];
    size_t count = suspendable(stage, talks);

    admin_mark(stage->server, "another");
    check(client_silent(&talks[0]->c, in_ms(AFTER_MS + 50)), "at another mark: %s",
          client_story(&talks[0]->c));
    for (size_t i = 0; i < count; i++)
        check_no_fault(stage, talks[i]);

    uint64_t mark = admin_mark(stage->server, "background");
    struct talk *later = talk_open(stage);
    for (size_t i = 0; i < count; i++) {
        json_t *fault = ledger_await(stage->server, talks[i]->connection, "fault", deaths[i]);
        assert_string_equal(event_text(fault, "trigger"), "mark");
        json_decref(fault);
        check_since(stage, talks[i], deaths[i], mark, AFTER_MS);
    }
    talk_served(later);
    for (size_t i = 0; i < count; i++)
        check_death(stage, talks[i], deaths[i]);
    check(client_silent(&later->c, in_ms(100)), "not silent: %s", client_story(&later->c));
    talk_served(later);
    check_no_fault(stage, later);
}

static void suspend_is_called_off_by_a_timely_return(struct stage *stage)
{
    struct talk *talks[DEATHS];
    size_t count = suspendable(stage, talks);

    for (int i = 0; i < 2; i++) { /* each time */
        int64_t due = in_ms(AFTER_MS);
        admin_mark(stage->server, "background");
        admin_mark(stage->server, "foreground");
        in_time(due);
        check(client_silent(&talks[0]->c, in_ms(AFTER_MS + 150)), "not silent: %s",
              client_story(&talks[0]->c));
    }
    for (size_t k = 0; k < count; k++) {
        talk_served(talks[k]);
        check_no_fault(stage, talks[k]);
    }
}

/* By default it forgets; a return that comes too late calls nothing off. */
static void suspend_is_not_called_off_by_a_late_return(struct stage *stage)
{
    struct talk *t = served_once(stage, "suspend", "{\"after\":\"50ms\"}");

    admin_mark(stage->server, "background");
    check_fault(stage, t, "suspend", "forget", 0);
    admin_mark(stage->server, "foreground");
    check(client_silent(&t->c, in_ms(100)), "not silent: %s", client_story(&t->c));
    check_death(stage, t, "forget");
}

static void marks_mean_nothing_in_normal_mode(struct stage *stage)
{
    struct talk *t = served_once(stage, "normal", NULL);

    admin_mark(stage->server, "background");
    admin_mark(stage->server, "path-change");
    check(client_silent(&t->c, in_ms(AFTER_MS)), "not silent: %s", client_story(&t->c));
    talk_served(t);
    check_no_fault(stage, t);
}

/* --- path-change */

static void path_change_swallows_live_connections_alone(struct stage *stage)
{
    admin_needs(stage->server, "black_hole");
    struct talk *old = served_once(stage, "path-change", NULL);
    struct talk *another = talk_open(stage);
    talk_served(another);

    admin_mark(stage->server, "path-change");
    await_hole(stage, old, "path-change");
    await_hole(stage, another, "path-change");
    struct talk *fresh = talk_open(stage);
    talk_served(fresh);
    check_death(stage, old, "black_hole");
    check_death(stage, another, "black_hole");
    talk_served(fresh);
    check_no_fault(stage, fresh);

    admin_mark(stage->server, "path-change"); /* the next change is the new one's turn */
    check_fault(stage, fresh, "path-change", "black_hole", 0);
}

static void path_change_can_heal(struct stage *stage)
{
    admin_needs(stage->server, "black_hole");
    struct talk *t = served_once(stage, "path-change", "{\"heal\":\"600ms\"}");
    int64_t healed = in_ms(600);

    admin_mark(stage->server, "path-change");
    await_hole(stage, t, "path-change");
    check_death_until(stage, t, "black_hole", healed);
    check(talk_answer(t, in_ms(PATIENCE_MS)), "no answer: %s", client_story(&t->c));
    assert_int_equal(t->status, 200);
    check_gap(stage, t, "black_hole", "heal", 600);
    check_stale_request(stage, t, "after-black_hole", "black_holed", "");
}

/* --- late-original */

static void late_original_executes_after_its_retry(struct stage *stage)
{
    admin_needs(stage->server, "black_hole");
    struct talk *original =
        served_in_time(stage, "late-original", "{\"idle\":\"200ms\",\"hole\":\"900ms\"}", 200);
    int64_t healed = original->asked_at + (200 + 900) * NS_PER_MS;

    check_fault(stage, original, "late-original", "black_hole", 200);
    assert_int_equal(talk_ask_for(original, "POST", ENTITLEMENT, "twice", DEVICE), 0);
    bool silent = client_silent(&original->c, in_ms(150)), unacked = client_unacked(&original->c);
    in_time(healed);
    check(silent, "not silent: %s", client_story(&original->c));
    check(unacked, "the request was ACKed");

    stage->hurry_ms = 200;
    struct talk *retry = talk_open(stage);
    assert_int_equal(talk_ask_for(retry, "POST", ENTITLEMENT, "twice", DEVICE), 0);
    check(talk_answer(retry, in_ms(PATIENCE_MS)), "no answer: %s", client_story(&retry->c));
    assert_int_equal(retry->status, 200);
    retry->connection = talk_served_number(retry, "connection");
    uint64_t first = check_processed(stage, retry, 1);
    in_time(healed);

    check(talk_answer(original, in_ms(PATIENCE_MS)), "no answer: %s", client_story(&original->c));
    assert_int_equal(original->status, 200);
    check_gap(stage, original, "black_hole", "heal", 900);
    assert_true(check_processed(stage, original, 2) > first);
    json_t *stale = ledger_await(stage->server, original->connection, "stale_request", NULL);
    assert_string_equal(event_text(stale, "idempotency_key"), "twice");
    assert_string_equal(event_text(stale, "sent_into"), "black_holed");
    json_decref(stale);
}

/* Others are left alone: the retry's connection is idle as well. */
static void late_original_is_about_the_connections_it_names(struct stage *stage)
{
    admin_needs(stage->server, "black_hole");
    struct talk *first =
        served_once(stage, "late-original", "{\"idle\":\"150ms\",\"connections\":\"2\"}");
    stage->hurry_ms = 150;
    struct talk *second = talk_open(stage);

    talk_served(second);
    check_fault(stage, second, "late-original", "black_hole", 150);
    check(client_silent(&first->c, in_ms(100)), "not silent: %s", client_story(&first->c));
    check_no_fault(stage, first);
    talk_served(first);
}

/* --- flap */

/* The next connection's request draws this end and 0 bytes of a response. */
static void check_bad(struct stage *stage, const char *how)
{
    struct talk *t = talk_open(stage);

    if (stage->seat->h2) { /* what comes before a response */
        frame_next(t, NGHTTP2_SETTINGS, 0);
        check(h2_wait_frame(&t->h2, NGHTTP2_SETTINGS, in_ms(PATIENCE_MS)), "no ACK: %s",
              client_story(&t->c));
    }
    uint64_t before = t->c.raw_in;
    assert_int_equal(talk_ask_for(t, "POST", ENTITLEMENT, "flapping", DEVICE), 0);
    check_how(t, how);
    if (stage->seat->tls == CLIENT_CLEARTEXT)
        assert_int_equal(t->c.raw_in, before);
    assert_int_equal(buf_len(&t->c.in), 0);
    json_t *fault = ledger_await(stage->server, 0, "fault", how);
    json_decref(fault);
}

static void check_good(struct stage *stage)
{
    struct talk *t = talk_open(stage);

    for (int i = 0; i < 3; i++)
        talk_served(t);
    check_no_fault(stage, t);
}

static void flap_ends_every_other_connection(struct stage *stage)
{
    for (int how = 0; how < 2; how++) {
        char params[32];
        snprintf(params, sizeof params, "{\"how\":\"%s\"}", deaths[how]);
        admin_mode(stage->server, "flap", params);
        for (int i = 0; i < 2; i++) {
            check_bad(stage, deaths[how]);
            check_good(stage);
        }
    }
}

static void flap_can_begin_well(struct stage *stage)
{
    admin_mode(stage->server, "flap", "{\"bad\":\"2-3\",\"nth\":\"2\"}");
    check_good(stage);
    struct talk *t = talk_open(stage);
    talk_served(t);
    assert_int_equal(talk_ask(t, NULL), 0);
    check_how(t, "fin");
    check_nothing_read(t);
    check_fault(stage, t, "flap", "fin", 0);
    check_lost(stage, t, 2, "complete");
    check_not_processed(stage, t, 2);
    t = talk_open(stage);
    talk_served(t);
    assert_int_equal(talk_ask(t, NULL), 0);
    check_how(t, "fin");
    check_good(stage);
}

/* --- black-hole-on-request */

/* Sends content until the kernel takes no more. Returns how much went. */
static size_t fill(struct talk *t)
{
    static const uint8_t content[16384];
    struct buf frame = { .data = NULL };

    if (t->seat->h2)
        h2_compose_frame(&frame, NGHTTP2_DATA, 0, t->stream, content, sizeof content);
    else
        buf_add(&frame, content, sizeof content);
    size_t taken = client_fill(&t->c, buf_bytes(&frame), buf_len(&frame));
    buf_free(&frame);
    return taken;
}

static void post_begun(struct talk *t)
{
    static const char head[] = "POST " ENTITLEMENT " HTTP/1.1\r\nHost: localhost\r\n"
                               "Idempotency-Key: holed\r\nContent-Length: 16777216\r\n\r\n";

    if (t->seat->h2)
        frame_post_begun(t, "holed");
    else
        assert_int_equal(client_text(&t->c, head), 0);
}

static void black_hole_on_request_acks_the_header_section_alone(struct stage *stage)
{
    admin_needs(stage->server, "black_hole");
    struct talk *t = served_once(stage, "black-hole-on-request", NULL);

    post_begun(t);
    check(client_wait_acked(&t->c, in_ms(LATE_MS)), "the header section was not ACKed");
    if (stage->seat->h2) { /* the client may send megabytes */
        frame_next(t, NGHTTP2_WINDOW_UPDATE, 0);
        assert_int_equal(t->h2.connection_window, 16777215);
        assert_int_equal(t->h2.settings[NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE], 16777216);
    }
    uint64_t before = t->c.raw_in;
    await_hole(stage, t, "black-hole-on-request");
    if (stage->seat->tls == CLIENT_CLEARTEXT) {
        check(fill(t) > 65536, "the send buffer is too small to show it");
    } else if (stage->seat->h2) {
        frame_content(t, DEVICE, sizeof DEVICE - 1, false);
        h2_send_frame(&t->h2, NGHTTP2_PING, 0, 0, "liveness", 8);
    } else {
        assert_int_equal(client_text(&t->c, DEVICE), 0);
    }
    check(client_silent(&t->c, in_ms(300)), "not silent: %s", client_story(&t->c));
    check(!client_wait_acked(&t->c, in_ms(0)), "it was ACKed");
    assert_int_equal(t->c.raw_in, before);
    json_t *request = ledger_await_key(stage->server, t->connection, "holed");
    json_decref(request);
    check_not_processed(stage, t, 2);
    talk_served(talk_open(stage));
}

static void normal_mode_acks_all_of_a_request(struct stage *stage)
{
    struct talk *t = served_once(stage, "normal", NULL);

    assert_int_equal(talk_ask_for(t, "POST", ENTITLEMENT, "whole", DEVICE), 0);
    check(client_wait_acked(&t->c, in_ms(LATE_MS)), "the request was not ACKed");
    check(talk_answer(t, in_ms(PATIENCE_MS)), "no answer: %s", client_story(&t->c));
    assert_int_equal(t->status, 200);
    check_no_fault(stage, t);
}

int main(void)
{
    static const struct scenario list[] = {
        SCENARIO(marks_mean_nothing_in_normal_mode, SEATS_ALL),
        SCENARIO(suspend_ends_the_connections_of_that_time, SEATS_FOUR),
        SCENARIO(suspend_is_called_off_by_a_timely_return, SEATS_FOUR),
        SCENARIO(suspend_is_not_called_off_by_a_late_return, SEATS_FOUR),
        SCENARIO(path_change_swallows_live_connections_alone, SEATS_FOUR),
        SCENARIO(path_change_can_heal, SEAT_H1_TLS | SEAT_H2_CLEARTEXT),
        SCENARIO(late_original_executes_after_its_retry, SEATS_FOUR),
        SCENARIO(late_original_is_about_the_connections_it_names, SEAT_H1_CLEARTEXT | SEAT_H2_TLS),
        SCENARIO(flap_ends_every_other_connection, SEATS_ALL),
        SCENARIO(flap_can_begin_well, SEATS_ALL),
        SCENARIO(normal_mode_acks_all_of_a_request, SEATS_ALL),
        SCENARIO(black_hole_on_request_acks_the_header_section_alone, SEATS_FOUR),
    };

    return scenarios_run("modes: scenes", list, sizeof list / sizeof list[0], NULL);
}
