/* The catalogue's idle modes beside those of the faults_ tests: "idle-close-notify",
 * "close-notify-only", "hint-lies", "honest-hint". */
#include "witness.h"

#include <signal.h>
#include <string.h>

#define IDLE_MS  200
#define GRACE_MS 150

static void normal_mode_gives_no_hint_and_leaves_an_idle_connection_alone(struct stage *stage)
{
    struct talk *t = talk_open(stage);

    talk_served(t);
    check(client_silent(&t->c, in_ms(IDLE_MS + GRACE_MS + 200)), "not silent: %s",
          client_story(&t->c));
    talk_served(t);
    check_no_fault(stage, t);
}

/* The ledger tells, before or behind what was late for it, that the server did not run for so long
 * until then. */
static void await_pause(const struct server *server, double until, double least)
{
    uint64_t seq = 0;
    bool found = false;
    for (int64_t deadline = in_ms(PATIENCE_MS); !found && clock_now() < deadline;) {
        json_t *events = admin_events(server, seq, 100, &seq), *event;
        size_t i;
        json_array_foreach(events, i, event)
        {
            if (strcmp(event_text(event, "event"), "server_paused") == 0)
                found |= event_ms(event, "paused_ms") > least &&
                         event_ms(event, "to_ms") < until + 1000 &&
                         event_ms(event, "to_ms") > until - 1000 &&
                         event_ms(event, "to_ms") - event_ms(event, "from_ms") >= least;
        }
        json_decref(events);
    }
    check(found, "no pause is ledgered");
}

/* The process is stopped while a fault falls due, and the client asks meanwhile: it is served, as
 * its request is there when the server looks, and the ledger says what did not happen. */
static void check_paused(struct stage *stage, bool asks_in_time)
{
    int asked = 0;
    pid_t server = stage->server->pid;
    struct talk *t = served_in_time(stage, "idle-close", "{\"idle\":\"300ms\"}", 300);
    /* The client may have the response before the server knows that it is handed over. */
    json_decref(ledger_await(stage->server, t->connection, "response_end", NULL));

    assert_int_equal(kill(server, SIGSTOP), 0);
    if (clock_now() >= t->asked_at + 300 * NS_PER_MS) {
        kill(server, SIGCONT);
        in_time(t->asked_at + 300 * NS_PER_MS);
    }
    if (asks_in_time)
        asked = talk_ask(t, "late");
    check(client_silent(&t->c, in_ms(IDLE_MS + 1000)), "not stopped: %s", client_story(&t->c));
    if (!asks_in_time)
        asked = talk_ask(t, "late");
    assert_int_equal(kill(server, SIGCONT), 0);
    assert_int_equal(asked, 0);
    json_t *missed = ledger_await(stage->server, t->connection, "fault_missed", NULL);
    check(event_ms(missed, "late_ms") > 500, "late by %.3f ms", event_ms(missed, "late_ms"));
    assert_string_equal(event_text(missed, "mode"), "idle-close");
    check(*event_text(missed, "why"), "it does not say why");
    check(talk_answer(t, in_ms(PATIENCE_MS)) && t->status == 200, "not served: %s",
          client_story(&t->c));
    /* By now the connection may have been idle for as long again. */
    json_t *fault = ledger_find(stage->server, t->connection, "fault", NULL);
    check(!fault || event_ms(fault, "seq") > event_ms(missed, "seq"), "it came all the same");
    await_pause(stage->server, event_ms(missed, "ms"), 500);
    json_decref(missed);
    json_decref(fault);
}

static void a_fault_that_comes_too_late_gives_way_and_is_ledgered(struct stage *stage)
{
    check_paused(stage, false);
}

/* On the wire the connection was not idle for so long: it is not said to have been. */
static void a_request_that_waited_in_the_kernel_ends_the_idleness(struct stage *stage)
{
    check_paused(stage, true);
}

static void idle_close_notify_ends_with_close_notify_and_fin(struct stage *stage)
{
    struct talk *t = served_in_time(stage, "idle-close-notify", "{\"idle\":\"200ms\"}", IDLE_MS);

    check(client_wait_end(&t->c, in_ms(IDLE_MS + LATE_MS)), "no end: %s", client_story(&t->c));
    check(t->c.fin && !t->c.rst, "no FIN: %s", client_story(&t->c));
    assert_int_equal(t->c.close_notify, stage->seat->tls != CLIENT_CLEARTEXT);
    check_timer(t, t->c.fin_at, IDLE_MS);
    if (stage->seat->tls == CLIENT_CLEARTEXT)
        check_nothing_read(t);
    uint64_t fault = check_fault(stage, t, "idle-close-notify", "fin", IDLE_MS);
    await_fin_acked(stage, t);
    check_request_draws_rst(t, "after-notify");
    check_stale_request(stage, t, "after-notify", "fin_sent", "acked");
    check_end_after(stage, t, fault);
}

static void close_notify_only_ends_tls_and_leaves_tcp_open(struct stage *stage)
{
    struct talk *t = served_in_time(stage, "close-notify-only", "{\"idle\":\"200ms\"}", IDLE_MS);

    int64_t until = in_ms(IDLE_MS + LATE_MS);
    while (!t->c.close_notify && client_look(&t->c, until))
        ;
    check(t->c.close_notify && !t->c.fin && !t->c.rst, "no bare close_notify: %s",
          client_story(&t->c));
    check_timer(t, t->c.close_notify_at, IDLE_MS);
    check_fault(stage, t, "close-notify-only", "close_notify", IDLE_MS);

    /* A request is ACKed and read, and nothing answers it. */
    uint64_t before = t->c.raw_in;
    assert_int_equal(talk_ask(t, "after-notify"), 0);
    check(client_wait_acked(&t->c, in_ms(LATE_MS)), "the request was not ACKed");
    check(client_silent(&t->c, in_ms(300)), "not silent: %s", client_story(&t->c));
    assert_int_equal(t->c.raw_in, before);
    json_t *asked = ledger_await_key(stage->server, t->connection, "after-notify");
    json_decref(asked);
    assert_null(ledger_find(stage->server, t->connection, "fault", "fin"));
}

static void close_notify_only_sends_its_fin_after_the_grace(struct stage *stage)
{
    struct talk *t = served_in_time(stage, "close-notify-only",
                                    "{\"idle\":\"200ms\",\"grace\":\"150ms\"}", IDLE_MS);

    check(client_wait_end(&t->c, in_ms(IDLE_MS + GRACE_MS + LATE_MS)), "no end: %s",
          client_story(&t->c));
    check(t->c.fin && !t->c.rst, "no FIN: %s", client_story(&t->c));
    check_timer(t, t->c.fin_at, IDLE_MS + GRACE_MS);
    bool tls = stage->seat->tls != CLIENT_CLEARTEXT;
    assert_int_equal(t->c.close_notify, tls);
    uint64_t fin = check_fault(stage, t, "close-notify-only", "fin", 0);
    if (tls) {
        uint64_t notify = check_fault(stage, t, "close-notify-only", "close_notify", IDLE_MS);
        assert_true(notify < fin);
    } else { /* where there is none to send */
        json_decref(ledger_await(stage->server, t->connection, "fault_missed", "close_notify"));
    }
}

static void close_notify_only_means_nothing_without_tls(struct stage *stage)
{
    struct talk *t = served_in_time(stage, "close-notify-only", "{\"idle\":\"200ms\"}", IDLE_MS);

    check(client_silent(&t->c, in_ms(IDLE_MS + 200)), "not silent: %s", client_story(&t->c));
    json_t *missed = ledger_await(stage->server, t->connection, "fault_missed", "close_notify");
    check(missed && strncmp(event_text(missed, "why"), "skipped", 7) == 0,
          "the ledger does not say that it was skipped");
    json_decref(missed);
    json_t *fault = ledger_find(stage->server, t->connection, "fault", "close_notify");
    check(!fault, "a step that was skipped is a fault");
    talk_served(t);
}

/* Asks; the answer's Keep-Alive and Connection headers must be these ("" for none). */
static void check_hint(struct talk *t, const char *keep_alive, const char *connection)
{
    struct h1_response r;
    char value[64] = "", other[64] = "";

    assert_int_equal(talk_ask(t, NULL), 0);
    bool whole = h1_read(&t->c, false, &r, in_ms(PATIENCE_MS));
    if (whole) {
        h1_header(&r, "Keep-Alive", value, sizeof value);
        h1_header(&r, "Connection", other, sizeof other);
        t->answered_at = t->c.last_byte_at;
        t->raw_answered = t->c.raw_in;
    }
    int status = r.status;
    h1_free(&r);
    check(whole, "no answer: %s", client_story(&t->c));
    assert_int_equal(status, 200);
    assert_string_equal(value, keep_alive);
    check(strcasecmp(other, connection) == 0, "Connection is \"%s\"", other);
}

static void a_hint_is_given_and_the_connection_ends(struct stage *stage, const char *mode,
                                                    const char *params, const char *keep_alive,
                                                    int64_t idle_ms)
{
    struct talk *t = served_in_time(stage, mode, params, idle_ms);
    t->hurry_ms = idle_ms;
    check_hint(t, keep_alive, "keep-alive");
    check_hint(t, keep_alive, "keep-alive");
    t->hurry_ms = 0;

    check(client_wait_end(&t->c, in_ms(idle_ms + LATE_MS)), "no end: %s", client_story(&t->c));
    check(t->c.fin && !t->c.rst && !t->c.close_notify, "no bare FIN: %s", client_story(&t->c));
    check_timer(t, t->c.fin_at, idle_ms);
    check_nothing_read(t);
    check_fault(stage, t, mode, "header", 0);
    check_fault(stage, t, mode, "fin", 0);
    await_fin_acked(stage, t);
    check_request_draws_rst(t, "hinted");
    check_stale_request(stage, t, "hinted", "fin_sent", "acked");
}

static void hint_lies_promises_a_minute_and_closes_sooner(struct stage *stage)
{
    a_hint_is_given_and_the_connection_ends(stage, "hint-lies", "{\"idle\":\"200ms\"}",
                                            "timeout=60", IDLE_MS);
}

static void honest_hint_promises_what_it_does(struct stage *stage)
{
    a_hint_is_given_and_the_connection_ends(stage, "honest-hint",
                                            "{\"idle\":\"1s\",\"hint\":\"timeout=1, max=100\"}",
                                            "timeout=1, max=100", 1000);
}

/* What it says by default is what it does by default. */
static void honest_hint_is_honest_by_default(struct stage *stage)
{
    admin_mode(stage->server, "honest-hint", NULL);
    struct talk *t = talk_open(stage);
    talk_served(t);
    check_hint(t, "timeout=3", "keep-alive");
    check(client_silent(&t->c, t->asked_at + 2800 * NS_PER_MS), "too early: %s",
          client_story(&t->c));
    check(client_wait_fin(&t->c, in_ms(200 + LATE_MS)), "no FIN: %s", client_story(&t->c));
    check_timer(t, t->c.fin_at, 3000);
}

/* Without the mode there is no Keep-Alive header: the hint is the mode's. */
static void normal_mode_sends_no_keep_alive(struct stage *stage)
{
    struct talk *t = talk_open(stage);

    talk_served(t);
    check_hint(t, "", "");
}

static void a_client_that_says_close_gets_no_hint(struct stage *stage)
{
    struct buf out = { .data = NULL };
    struct h1_response r;
    char value[64] = "";

    admin_mode(stage->server, "hint-lies", "{\"idle\":\"200ms\"}");
    stage->hurry_ms = IDLE_MS;
    struct talk *t = talk_open(stage);
    h1_compose(&out, "GET", ENTITLEMENT, "Connection: close\r\n", NULL);
    assert_int_equal(client_send(&t->c, buf_bytes(&out), buf_len(&out)), 0);
    buf_free(&out);
    talk_in_time(t);
    bool whole = h1_read(&t->c, false, &r, in_ms(PATIENCE_MS));
    if (whole)
        h1_header(&r, "Connection", value, sizeof value);
    h1_free(&r);
    check(whole, "no answer: %s", client_story(&t->c));
    check(client_wait_fin(&t->c, in_ms(LATE_MS)), "no FIN: %s", client_story(&t->c));
    check(strcasecmp(value, "close") == 0, "Connection is \"%s\"", value);
}

static void hints_are_not_for_h2(struct stage *stage)
{
    static const char *const modes[] = { "hint-lies", "honest-hint" };

    for (size_t i = 0; i < 2; i++) {
        admin_mode(stage->server, modes[i], "{\"idle\":\"200ms\"}");
        struct talk *t = talk_open(stage);
        talk_served(t);
        assert_false(h2_stream(&t->h2, t->stream)->hop_by_hop);
        check(client_silent(&t->c, in_ms(IDLE_MS + 200)), "not silent: %s", client_story(&t->c));
        talk_served(t);
        assert_false(h2_stream(&t->h2, t->stream)->hop_by_hop);
        check_no_fault(stage, t);
    }
}

int main(void)
{
    static const struct scenario list[] = {
        SCENARIO(normal_mode_gives_no_hint_and_leaves_an_idle_connection_alone, SEATS_ALL),
        SCENARIO(a_fault_that_comes_too_late_gives_way_and_is_ledgered, SEATS_ALL),
        SCENARIO(a_request_that_waited_in_the_kernel_ends_the_idleness, SEATS_ALL),
        SCENARIO(idle_close_notify_ends_with_close_notify_and_fin, SEATS_ALL),
        SCENARIO(close_notify_only_ends_tls_and_leaves_tcp_open, SEATS_TLS),
        SCENARIO(close_notify_only_sends_its_fin_after_the_grace, SEATS_ALL),
        SCENARIO(close_notify_only_means_nothing_without_tls,
                 SEAT_H1_CLEARTEXT | SEAT_H2_CLEARTEXT),
        SCENARIO(hint_lies_promises_a_minute_and_closes_sooner, SEATS_H1),
        SCENARIO(honest_hint_promises_what_it_does, SEATS_H1),
        SCENARIO(honest_hint_is_honest_by_default, SEAT_H1_TLS),
        SCENARIO(normal_mode_sends_no_keep_alive, SEATS_H1),
        SCENARIO(a_client_that_says_close_gets_no_hint, SEAT_H1_CLEARTEXT | SEAT_H1_TLS),
        SCENARIO(hints_are_not_for_h2, SEATS_H2),
    };

    return scenarios_run("modes: idle", list, sizeof list / sizeof list[0], NULL);
}
