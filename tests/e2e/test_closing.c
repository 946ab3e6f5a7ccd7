/* What a mode's "closing" does on the wire, each with what is done without it. */
#include "witness.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define LOOK_MS 200 /* in which what must not come would */

/* A connection in a mode of this "closing", served twice. */
static struct talk *open_with(struct stage *stage, const char *closing)
{
    char body[256];

    snprintf(body, sizeof body,
             "{\"name\":\"closes\",\"summary\":\"For a test.\",\"closing\":%s,\"rules\":[]}",
             closing);
    json_decref(admin_call(stage->server, 201, "PUT", "/v1/modes/closes", body));
    admin_mode(stage->server, "closes", NULL);
    json_decref(admin_call(stage->server, 204, "DELETE", "/v1/modes/closes", NULL));
    struct talk *t = talk_open(stage);
    talk_served(t);
    return t;
}

/* The server ends it in good order: asked to, or as the client broke HTTP/2 (DATA on stream 0). */
static void end_orderly(struct talk *t)
{
    if (t->seat->h2)
        assert_int_equal(client_send(&t->c, "\0\0\0\0\0\0\0\0\0", 9), 0);
    else
        assert_int_equal(client_text(&t->c, "GET " ENTITLEMENT
                                            " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
                         0);
    check(client_wait_fin(&t->c, in_ms(LATE_MS)), "no FIN: %s", client_story(&t->c));
}

static void end_by_fault(struct stage *stage, struct talk *t)
{
    admin_do(stage->server, t->connection, "[\"fin\"]");
    check(client_wait_fin(&t->c, in_ms(LATE_MS)), "no FIN: %s", client_story(&t->c));
}

/* So long nothing comes behind the FIN. */
static void check_quiet(struct talk *t, int64_t until)
{
    while (clock_now() < until && !t->c.rst) {
        poll(NULL, 0, 5);
        client_look(&t->c, clock_now());
    }
    check(!t->c.rst, "not quiet: %s", client_story(&t->c));
}

static void check_ended(struct stage *stage, struct talk *t, const char *by, const char *how)
{
    json_t *end = ledger_await(stage->server, t->connection, "connection_end", NULL);
    assert_string_equal(event_text(end, "by"), by);
    assert_string_equal(event_text(end, "how"), how);
    json_decref(end);
}

static void linger_says_how_long_input_is_discarded(struct stage *stage)
{
    struct talk *t = open_with(stage, "{\"linger\":\"0s\"}");

    end_orderly(t);
    client_text(&t->c, "G");
    check(client_wait_rst(&t->c, in_ms(LATE_MS)), "no RST: %s", client_story(&t->c));
    json_t *stale = ledger_await(stage->server, t->connection, "stale_bytes", NULL);
    assert_string_equal(event_text(stale, "sent_into"), "ending");
    json_decref(stale);
    check_ended(stage, t, t->seat->h2 ? "server" : "client", "rst");

    t = open_with(stage, "{\"linger\":\"400ms\"}");
    int64_t over_at = in_ms(400);
    end_orderly(t);
    client_text(&t->c, "G");
    in_time(over_at);
    check_quiet(t, t->c.fin_at + 300 * NS_PER_MS);
    poll(NULL, 0, 150);
    client_text(&t->c, "G");
    check(client_wait_rst(&t->c, in_ms(LATE_MS)), "no RST: %s", client_story(&t->c));

    t = open_with(stage, "{}"); /* 2 s */
    end_orderly(t);
    client_text(&t->c, "G");
    check_quiet(t, in_ms(500));
}

/* The client's kernel asks whether the connection is still known (RFC 9293 3.8.4). */
static void probe(struct talk *t)
{
    int on = 1;

    setsockopt(t->c.fd, IPPROTO_TCP, TCP_KEEPIDLE, &on, sizeof on);
    setsockopt(t->c.fd, IPPROTO_TCP, TCP_KEEPINTVL, &on, sizeof on);
    setsockopt(t->c.fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

static void fin_wait_says_how_long_a_connection_is_known(struct stage *stage)
{
    static const char *const closing[] = { "{\"fin_wait\":\"300ms\",\"linger\":\"0s\"}",
                                           "{\"fin_wait\":\"never\",\"linger\":\"0s\"}", "{}" };
    struct talk *talks[2][3];
    int64_t began[2][3];

    for (int fault = 0; fault < 2; fault++)
        for (int i = 0; i < 3; i++) {
            talks[fault][i] = open_with(stage, closing[i]);
            began[fault][i] = clock_now();
            if (fault)
                end_by_fault(stage, talks[fault][i]);
            else
                end_orderly(talks[fault][i]);
            probe(talks[fault][i]);
        }
    for (int fault = 0; fault < 2; fault++) {
        struct talk *t = talks[fault][0];
        check(client_wait_rst(&t->c, in_ms(PATIENCE_MS)), "no RST: %s", client_story(&t->c));
        check(t->c.rst_at - began[fault][0] >= 300 * NS_PER_MS, "too early: %s",
              client_story(&t->c));
        check_ended(stage, t, fault ? "fault" : t->seat->h2 ? "server" : "client", "fin");
    }
    for (int fault = 0; fault < 2; fault++)
        for (int i = 1; i < 3; i++)
            check_quiet(talks[fault][i], talks[fault][i]->c.fin_at + 2300 * NS_PER_MS);
}

static void client_first_says_what_a_client_that_ends_is_told(struct stage *stage)
{
    static const struct {
        const char *closing;
        bool client_ends, notified;
    } rows[] = {
        { "{\"client_first\":\"fin\"}", true, false },
        { "{\"client_first\":\"close_notify\"}", true, true },
        { "{}", true, true },
        { "{\"client_first\":\"fin\"}", false, true },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct talk *t = open_with(stage, rows[i].closing);
        if (rows[i].client_ends) {
            client_bye(&t->c);
            client_shut(&t->c);
            check(client_wait_fin(&t->c, in_ms(LATE_MS)), "no FIN: %s", client_story(&t->c));
            check_ended(stage, t, "client", "fin");
        } else {
            end_orderly(t);
        }
        check(t->c.close_notify == rows[i].notified && !t->c.rst, "%s: %s", rows[i].closing,
              client_story(&t->c));
    }
}

static void late_close_notify_says_what_one_behind_our_fin_draws(struct stage *stage)
{
    static const struct {
        const char *closing;
        bool reset;
    } rows[] = {
        { "{\"linger\":\"0s\",\"late_close_notify\":\"rst\"}", true },
        { "{\"linger\":\"0s\",\"late_close_notify\":\"ignore\"}", false },
        { "{\"linger\":\"0s\"}", false },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (int fault = 0; fault < 2; fault++) {
            struct talk *t = open_with(stage, rows[i].closing);
            if (fault)
                end_by_fault(stage, t);
            else
                end_orderly(t);
            client_bye(&t->c);
            if (rows[i].reset) {
                check(client_wait_rst(&t->c, in_ms(LATE_MS)), "no RST: %s", client_story(&t->c));
                continue;
            }
            check_quiet(t, in_ms(LOOK_MS));
            client_shut(&t->c);
            check_ended(stage, t, fault ? "fault" : t->seat->h2 ? "server" : "client", "fin");
        }
}

/* By whom a connection ended: who said it first, also when it is the server that closes. */
static void who_wanted_the_end_is_told(struct stage *stage)
{
    static const struct {
        const char *connection, *by;
    } rows[] = {
        { "close", "client" },
        { "Keep-Alive , cLOSE", "client" },
        { "keep-alive\r\nConnection: close", "client" },
        { "closed", "server" },
        { "keep-alive", "server" },
    };

    if (stage->seat->h2) {
        struct talk *t = open_with(stage, "{}");
        assert_int_equal(client_send(&t->c, "\0\0\x08\7\0\0\0\0\0\0\0\0\0\0\0\0\0", 17), 0);
        check(client_wait_fin(&t->c, in_ms(LATE_MS)), "no FIN: %s", client_story(&t->c));
        client_shut(&t->c);
        check_ended(stage, t, "client", "fin");
        return;
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char request[160];
        admin_mode(stage->server, "nginx", "{\"requests\":2}"); /* the last response says close */
        struct talk *t = talk_open(stage);
        talk_served(t);
        snprintf(request, sizeof request,
                 "GET " ENTITLEMENT " HTTP/1.1\r\nHost: x\r\nConnection: %s\r\n\r\n",
                 rows[i].connection);
        assert_int_equal(client_text(&t->c, request), 0);
        check(client_wait_fin(&t->c, in_ms(LATE_MS)), "no FIN: %s", client_story(&t->c));
        client_shut(&t->c);
        check_ended(stage, t, rows[i].by, "fin");
    }
}

/* It goes through the catalogue, is inherited member by member, and can be parameters. */
static void closing_is_shown_and_inherited(struct stage *stage)
{
    static const char base[] = "{\"name\":\"base\",\"summary\":\"-\",\"params\":{\"t\":{\"type\":"
                               "\"duration\",\"default\":\"5s\",\"about\":\"-\"}},\"closing\":"
                               "{\"linger\":\"$t\",\"client_first\":\"fin\"},\"rules\":[]}",
                      mine[] = "{\"name\":\"mine\",\"extends\":\"base\",\"closing\":"
                               "{\"linger\":\"0s\"}}";

    json_decref(admin_call(stage->server, 201, "PUT", "/v1/modes/base", base));
    json_decref(admin_call(stage->server, 201, "PUT", "/v1/modes/mine", mine));
    json_t *whole = admin_call(stage->server, 200, "GET", "/v1/modes/mine?resolved=true", NULL);
    char *text = json_dumps(json_object_get(whole, "closing"), JSON_COMPACT);
    assert_string_equal(text, "{\"linger\":\"0s\",\"client_first\":\"fin\"}");
    free(text);
    json_decref(whole);
    json_t *own = admin_call(stage->server, 200, "GET", "/v1/modes/base", NULL);
    assert_string_equal(event_text(json_object_get(own, "closing"), "linger"), "$t");
    json_decref(own);
    json_decref(admin_call(stage->server, 204, "DELETE", "/v1/modes/mine", NULL));
    json_decref(admin_call(stage->server, 204, "DELETE", "/v1/modes/base", NULL));
}

int main(void)
{
    static const struct scenario list[] = {
        SCENARIO(linger_says_how_long_input_is_discarded, SEATS_ALL),
        SCENARIO(fin_wait_says_how_long_a_connection_is_known, SEATS_ALL),
        SCENARIO(client_first_says_what_a_client_that_ends_is_told, SEATS_TLS),
        SCENARIO(late_close_notify_says_what_one_behind_our_fin_draws, SEATS_TLS),
        SCENARIO(who_wanted_the_end_is_told, SEATS_ALL),
        SCENARIO(closing_is_shown_and_inherited, SEAT_H1_CLEARTEXT),
    };

    return scenarios_run("closing", list, sizeof list / sizeof list[0], NULL);
}
