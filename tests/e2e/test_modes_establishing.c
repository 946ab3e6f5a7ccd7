/* The catalogue's modes of establishing a connection: "refuse", "syn-drop", "accept-silent",
 * "accept-close", "handshake-stall", "handshake-alert", "handshake-close". */
#include "witness.h"

#include <poll.h>

#define SHORT_MS 300

static bool is_tls(const struct stage *stage)
{
    return stage->seat->tls != CLIENT_CLEARTEXT;
}

/* A connection that is looked at for a while, and may not come about. */
static struct talk *briefly(struct stage *stage, bool *connected)
{
    return talk_try(stage, SHORT_MS, connected);
}

static void check_fault_of(const struct stage *stage, const char *mode, const char *trigger,
                           const char *step)
{
    json_t *fault = ledger_await(stage->server, 0, "fault", step);
    assert_string_equal(event_text(fault, "mode"), mode);
    assert_string_equal(event_text(fault, "trigger"), trigger);
    json_decref(fault);
}

static void normal_mode_establishes_every_connection(struct stage *stage)
{
    for (int i = 0; i < 3; i++) {
        struct talk *t = talk_open(stage);
        talk_served(t);
        check_no_fault(stage, t);
    }
}

/* --- Listeners */

/* Whether a SYN is answered with RST now. */
static bool refused(const struct stage *stage)
{
    struct client_options to = { .port = is_tls(stage) ? stage->server->https : stage->server->http,
                                 .tls = CLIENT_CLEARTEXT,
                                 .patience_ms = PATIENCE_MS };
    struct client c;

    bool connected = client_connect(&c, &to), rst = c.rst;
    check(connected || rst, "neither accepted nor refused: %s", client_story(&c));
    client_close(&c);
    return rst;
}

static void refuse_answers_a_syn_with_rst_for_a_while(struct stage *stage)
{
    struct talk *live = talk_open(stage);

    talk_served(live);
    int64_t began = clock_now();
    admin_mode(stage->server, "refuse", "{\"for\":\"600ms\"}");
    if (!refused(stage)) {
        in_time(began + 600 * NS_PER_MS);
        fail_msg("accepted within the time");
    }
    check_fault_of(stage, "refuse", "listen", "refuse_syn");
    talk_served(live); /* what lives is left alone */

    int64_t until = in_ms(600 + LATE_MS);
    while (refused(stage) && clock_now() < until)
        poll(NULL, 0, 5);
    int64_t took = (clock_now() - began) / NS_PER_MS;
    check(took >= 600 && clock_now() < until, "accepted after %d ms", (int)took);
    check_fault_of(stage, "refuse", "listen", "listen");
}

static void refuse_for_ever_ends_with_the_next_mode(struct stage *stage)
{
    admin_mode(stage->server, "refuse", "{\"for\":\"never\"}");
    for (int i = 0; i < 3; i++)
        assert_true(refused(stage));
    admin_mode(stage->server, "normal", NULL);
    talk_served(talk_open(stage));
}

static void syn_drop_answers_no_syn_for_a_while(struct stage *stage)
{
    admin_needs(stage->server, "black_hole");
    struct talk *live = talk_open(stage);
    bool connected;

    talk_served(live);
    int64_t over_at = in_ms(500);
    admin_mode(stage->server, "syn-drop", "{\"for\":\"500ms\"}");
    int64_t began = clock_now();
    struct talk *t = briefly(stage, &connected);
    if (connected)
        in_time(over_at);
    check(!connected && !t->c.rst && !t->c.fin && t->c.raw_in == 0, "the SYN was answered: %s",
          client_story(&t->c));
    check(clock_now() - began >= SHORT_MS * NS_PER_MS, "connecting ended too soon");
    check_fault_of(stage, "syn-drop", "listen", "drop_syn");
    talk_served(live);

    /* The client's kernel sends its SYN again, a second later at the earliest; by then the while
     * is over. */
    t = talk_open(stage);
    talk_served(t);
    check_fault_of(stage, "syn-drop", "listen", "listen");
}

static void syn_drop_makes_the_client_send_its_syn_again(struct stage *stage)
{
    admin_needs(stage->server, "black_hole");
    int64_t began = clock_now();
    admin_mode(stage->server, "syn-drop", "{\"for\":\"500ms\"}");
    struct talk *t = talk_open(stage);
    int64_t took = (clock_now() - began) / NS_PER_MS;

    if (took < 900) /* it may have been over before the first SYN */
        in_time(began + 500 * NS_PER_MS);
    check(took >= 900, "connected after %d ms, with its first SYN", (int)took);
    talk_served(t);
}

/* --- Accepting */

static void accept_silent_acks_and_says_nothing(struct stage *stage)
{
    bool connected;

    admin_mode(stage->server, "accept-silent", NULL);
    struct talk *t = briefly(stage, &connected);
    assert_int_equal(connected, !is_tls(stage)); /* a TLS handshake gets nowhere */
    if (connected)
        assert_int_equal(talk_ask(t, NULL), 0);
    check(client_wait_acked(&t->c, in_ms(LATE_MS)), "nothing was ACKed");
    check_how(t, "stall");
    assert_int_equal(t->c.raw_in, 0);
    check_fault_of(stage, "accept-silent", "accept", "stall");
}

static void accept_silent_can_come_to_its_senses(struct stage *stage)
{
    admin_mode(stage->server, "accept-silent", "{\"resume\":\"400ms\"}");
    int64_t began = clock_now();
    struct talk *t = talk_open(stage);
    talk_served(t);
    int64_t took = (t->answered_at - began) / NS_PER_MS;

    check(took >= 400, "answered after %d ms", (int)took);
    check_fault_of(stage, "accept-silent", "accept", "resume");
}

/* On a cleartext connection nothing is sent: it would draw RST, and that might come before the FIN
 * was looked at. */
static void accept_close_ends_it_without_a_byte(struct stage *stage, bool rst)
{
    struct client_options to = { .port = is_tls(stage) ? stage->server->https : stage->server->http,
                                 .tls = stage->seat->tls,
                                 .alpn = { stage->seat->h2 ? "h2" : "http/1.1" } };
    struct client c;

    admin_mode(stage->server, "accept-close", rst ? "{\"how\":\"rst\"}" : NULL);
    bool connected = client_connect(&c, &to), ended = client_wait_end(&c, in_ms(LATE_MS));
    bool fin = c.fin, reset = c.rst;
    uint64_t bytes = c.raw_in;
    client_close(&c);
    assert_false(connected && is_tls(stage));
    assert_true(ended);
    check(rst ? reset && !fin : fin, "the wrong end: FIN %d, RST %d", fin, reset);
    assert_int_equal(bytes, 0);
    check_fault_of(stage, "accept-close", "accept", rst ? "rst" : "fin");
}

static void accept_close_sends_fin_without_a_byte(struct stage *stage)
{
    accept_close_ends_it_without_a_byte(stage, false);
}

static void accept_close_sends_rst_without_a_byte(struct stage *stage)
{
    accept_close_ends_it_without_a_byte(stage, true);
}

/* --- Handshakes */

static void handshake_stall_answers_no_client_hello(struct stage *stage)
{
    bool connected;

    admin_mode(stage->server, "handshake-stall", NULL);
    struct talk *t = briefly(stage, &connected);
    assert_false(connected);
    check(client_wait_acked(&t->c, in_ms(LATE_MS)), "the ClientHello was not ACKed");
    check_how(t, "stall");
    assert_int_equal(t->c.raw_in, 0);
    check_fault_of(stage, "handshake-stall", "client_hello", "stall");
    json_t *hello = ledger_await(stage->server, 0, "client_hello", NULL);
    json_decref(hello);
}

static void handshake_stall_can_come_to_its_senses(struct stage *stage)
{
    admin_mode(stage->server, "handshake-stall", "{\"resume\":\"400ms\"}");
    int64_t began = clock_now();
    struct talk *t = talk_open(stage);
    int64_t took = (clock_now() - began) / NS_PER_MS;

    check(took >= 400, "established after %d ms", (int)took);
    talk_served(t);
    talk_served(t);
    check_fault_of(stage, "handshake-stall", "client_hello", "resume");
}

static void handshake_alert_answers_with_the_alert_and_fin(struct stage *stage)
{
    static const struct {
        const char *params;
        int alert;
    } cases[] = {
        { NULL, GNUTLS_A_HANDSHAKE_FAILURE },
        { "{\"alert\":\"internal_error\"}", GNUTLS_A_INTERNAL_ERROR },
        { "{\"alert\":\"protocol_version\"}", GNUTLS_A_PROTOCOL_VERSION },
        { "{\"alert\":\"unrecognized_name\"}", GNUTLS_A_UNRECOGNIZED_NAME },
        { "{\"alert\":\"no_application_protocol\"}", GNUTLS_A_NO_APPLICATION_PROTOCOL },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool connected;
        admin_mode(stage->server, "handshake-alert", cases[i].params);
        struct talk *t = talk_try(stage, 0, &connected);
        assert_false(connected);
        check(t->c.alert == cases[i].alert, "another alert: %s", client_story(&t->c));
        check_how(t, "fin");
        assert_int_equal(t->c.raw_in, 7); /* one record of level and description */
    }
    check_fault_of(stage, "handshake-alert", "client_hello", "alert");
    check_fault_of(stage, "handshake-alert", "client_hello", "fin");
}

static void handshake_close_ends_without_a_byte(struct stage *stage, bool rst)
{
    bool connected;

    admin_mode(stage->server, "handshake-close", rst ? "{\"how\":\"rst\"}" : NULL);
    struct talk *t = talk_try(stage, 0, &connected);
    assert_false(connected);
    check_how(t, rst ? "rst" : "fin");
    assert_int_equal(t->c.raw_in, 0);
    assert_int_equal(t->c.alert, -1);
    check_fault_of(stage, "handshake-close", "client_hello", rst ? "rst" : "fin");
}

static void handshake_close_sends_fin_for_a_client_hello(struct stage *stage)
{
    handshake_close_ends_without_a_byte(stage, false);
}

static void handshake_close_sends_rst_for_a_client_hello(struct stage *stage)
{
    handshake_close_ends_without_a_byte(stage, true);
}

static void without_tls_there_is_no_handshake_to_fail(struct stage *stage)
{
    static const char *const modes[] = { "handshake-stall", "handshake-alert", "handshake-close" };

    for (size_t i = 0; i < 3; i++) {
        admin_mode(stage->server, modes[i], NULL);
        struct talk *t = talk_open(stage);
        talk_served(t);
        check_no_fault(stage, t);
    }
}

/* Connection 2 alone: those before and after it are served. */
static void each_can_be_for_some_connections_alone(struct stage *stage)
{
    static const char *const modes[] = { "accept-silent", "accept-close", "handshake-stall",
                                         "handshake-alert", "handshake-close" };

    for (size_t i = 0; i < (is_tls(stage) ? 5 : 2); i++) {
        bool connected;
        admin_mode(stage->server, modes[i], "{\"connections\":\"2\"}");
        talk_served(talk_open(stage));
        struct talk *t = briefly(stage, &connected);
        check(connected == !is_tls(stage), "%s: connection 2 came %s", modes[i],
              connected ? "about" : "not about");
        if (connected)
            talk_ask(t, NULL); /* a reset may have come by now */
        check(!talk_answer(t, in_ms(SHORT_MS)), "%s: connection 2 was served", modes[i]);
        talk_served(talk_open(stage));
    }
}

int main(void)
{
    static const struct scenario list[] = {
        SCENARIO(normal_mode_establishes_every_connection, SEATS_ALL),
        SCENARIO(refuse_answers_a_syn_with_rst_for_a_while, SEATS_ALL),
        SCENARIO(refuse_for_ever_ends_with_the_next_mode, SEAT_H1_CLEARTEXT | SEAT_H2_TLS),
        SCENARIO(syn_drop_answers_no_syn_for_a_while, SEATS_ALL),
        SCENARIO(syn_drop_makes_the_client_send_its_syn_again, SEAT_H1_CLEARTEXT | SEAT_H2_TLS),
        SCENARIO(accept_silent_acks_and_says_nothing, SEATS_ALL),
        SCENARIO(accept_silent_can_come_to_its_senses, SEATS_ALL),
        SCENARIO(accept_close_sends_fin_without_a_byte, SEATS_ALL),
        SCENARIO(accept_close_sends_rst_without_a_byte, SEATS_ALL),
        SCENARIO(handshake_stall_answers_no_client_hello, SEATS_TLS),
        SCENARIO(handshake_stall_can_come_to_its_senses, SEATS_TLS),
        SCENARIO(handshake_alert_answers_with_the_alert_and_fin, SEATS_TLS),
        SCENARIO(handshake_close_sends_fin_for_a_client_hello, SEATS_TLS),
        SCENARIO(handshake_close_sends_rst_for_a_client_hello, SEATS_TLS),
        SCENARIO(without_tls_there_is_no_handshake_to_fail, SEAT_H1_CLEARTEXT | SEAT_H2_CLEARTEXT),
        SCENARIO(each_can_be_for_some_connections_alone, SEATS_ALL),
    };

    return scenarios_run("modes: establishing", list, sizeof list / sizeof list[0], NULL);
}
