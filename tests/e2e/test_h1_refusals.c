/* What HTTP/1.1 requests are refused, and that the refusal arrives. */
#include "talk.h"

#include <stdio.h>
#include <string.h>

#define HOST  "Host: localhost\r\n"
#define LIMIT (1024 * 1024) /* the default bound of a request body */

/* The client sends all of it before it reads: the answer must outlive what was still unread. */
static void refused(struct talk *t, const char *head, const char *filler, size_t count, int status)
{
    struct buf out = { .data = NULL };
    struct h1_response r;

    buf_text(&out, head);
    for (size_t i = 0; i < count; i++)
        buf_text(&out, filler);
    int sent = client_send(&t->c, buf_bytes(&out), buf_len(&out));
    buf_free(&out);
    check(h1_read(&t->c, false, &r, in_ms(PATIENCE_MS)), "no answer (sending: %s): %s",
          strerror(-sent), client_story(&t->c));
    assert_int_equal(r.status, status);
    h1_free(&r);
    check(client_wait_end(&t->c, in_ms(PATIENCE_MS)), "no end: %s", client_story(&t->c));
    check(t->c.fin, "the answer was followed by a RST, not a FIN");
}

static void a_body_of_too_great_a_length_is_refused_with_413(struct stage *stage)
{
    char head[160];
    static const char kilobyte[] = "%01023d\n";
    char filler[1100];

    snprintf(filler, sizeof filler, kilobyte, 0);
    snprintf(head, sizeof head,
             "POST " ENTITLEMENT " HTTP/1.1\r\n" HOST "Content-Length: %d\r\n\r\n", 2 * LIMIT);
    refused(talk_open(stage), head, filler, 2 * LIMIT / 1024, 413);
}

static void a_chunked_body_that_grows_too_long_is_refused_with_413(struct stage *stage)
{
    char chunk[4200];

    snprintf(chunk, sizeof chunk, "1000\r\n%04096d\r\n", 0);
    refused(talk_open(stage),
            "POST " ENTITLEMENT " HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", chunk,
            2 * LIMIT / 4096, 413);
}

static void a_body_at_the_limit_is_read(struct stage *stage)
{
    struct talk *t = talk_open(stage);
    struct buf out = { .data = NULL };
    struct h1_response r;

    buf_printf(&out, "POST " ENTITLEMENT " HTTP/1.1\r\n" HOST "Content-Length: %d\r\n\r\n%0*d",
               LIMIT, LIMIT, 0);
    assert_int_equal(client_send(&t->c, buf_bytes(&out), buf_len(&out)), 0);
    buf_free(&out);
    check(h1_read(&t->c, false, &r, in_ms(PATIENCE_MS)), "no answer: %s", client_story(&t->c));
    assert_int_equal(r.status, 200);
    h1_free(&r);
    talk_served(t);
}

static void a_header_section_too_large_is_refused_with_431(struct stage *stage)
{
    char line[1100];

    snprintf(line, sizeof line, "X-Filler: %01000d\r\n", 0);
    refused(talk_open(stage), "GET " ENTITLEMENT " HTTP/1.1\r\n" HOST, line, 128, 431);
}

static void a_target_too_long_is_refused_with_414(struct stage *stage)
{
    char filler[1100];

    snprintf(filler, sizeof filler, "%01000d", 0);
    refused(talk_open(stage), "GET /", filler, 128, 414);
}

static void what_is_no_request_is_refused_with_400(struct stage *stage)
{
    static const char *const cases[] = {
        "\x01\x02\x03 garbage\r\n\r\n",
        "GET\r\n\r\n",
        "GET " ENTITLEMENT " HTTP/1.1\r\n\r\n", /* no Host */
        "GET " ENTITLEMENT " HTTP/1.1\r\n" HOST HOST "\r\n",
        "GET " ENTITLEMENT " HTTP/1.1\r\n" HOST "No colon\r\n\r\n",
        "GET " ENTITLEMENT " HTTP/1.1\r\n" HOST "Space before : colon\r\n\r\n",
        "POST " ENTITLEMENT " HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\n",
        "POST " ENTITLEMENT " HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "POST " ENTITLEMENT " HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nxyz\r\n\r\n",
        "POST " ENTITLEMENT " HTTP/1.1\r\n" HOST "Transfer-Encoding: no-such\r\n\r\n",
        "POST " ENTITLEMENT " HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, gzip\r\n\r\n",
        "GET " ENTITLEMENT " HTTP/1.1\r\nHost: a/b\r\n\r\n",
        "GET " ENTITLEMENT " HTTP/1.1\r\nHost: u@h\r\n\r\n",
        "GET " ENTITLEMENT " HTTP/1.1\r\nHost: [::1\r\n\r\n",
        "GET * HTTP/1.1\r\n" HOST "\r\n",
        "GET " ENTITLEMENT "#top HTTP/1.1\r\n" HOST "\r\n",
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct h1_response r;
        struct talk *t = talk_open(stage);

        client_text(&t->c, cases[i]);
        bool whole = h1_read(&t->c, false, &r, in_ms(PATIENCE_MS));
        check(whole, "%s: no answer: %s", cases[i], client_story(&t->c));
        check(r.status == 400, "%s: answered with %d", cases[i], r.status);
        h1_free(&r);
        check(client_wait_end(&t->c, in_ms(PATIENCE_MS)) && t->c.fin, "%s: no FIN: %s", cases[i],
              client_story(&t->c));
    }
    json_t *error = ledger_await(stage->server, 0, "protocol_error", NULL);
    json_decref(error);
}

static void an_unfinished_request_is_left_open_and_the_next_client_served(struct stage *stage)
{
    struct talk *slow = talk_open(stage);

    client_text(&slow->c, "GET " ENTITLEMENT " HTTP/1.1\r\nHos");
    talk_served(talk_open(stage));
    assert_true(client_silent(&slow->c, in_ms(100)));
}

int main(void)
{
    static const struct scenario list[] = {
        SCENARIO(a_body_of_too_great_a_length_is_refused_with_413, SEATS_H1),
        SCENARIO(a_chunked_body_that_grows_too_long_is_refused_with_413, SEATS_H1),
        SCENARIO(a_body_at_the_limit_is_read, SEATS_H1),
        SCENARIO(a_header_section_too_large_is_refused_with_431, SEATS_H1),
        SCENARIO(a_target_too_long_is_refused_with_414, SEATS_H1),
        SCENARIO(what_is_no_request_is_refused_with_400, SEAT_H1_CLEARTEXT | SEAT_H1_TLS),
        SCENARIO(an_unfinished_request_is_left_open_and_the_next_client_served, SEAT_H1_CLEARTEXT),
    };

    return scenarios_run("refusals over HTTP/1.1", list, sizeof list / sizeof list[0], NULL);
}
