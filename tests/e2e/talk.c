#include "witness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct seat seats[] = {
    { "h1 cleartext", false, CLIENT_CLEARTEXT }, { "h1 TLS 1.3", false, CLIENT_TLS13 },
    { "h2 cleartext", true, CLIENT_CLEARTEXT },  { "h2 TLS 1.3", true, CLIENT_TLS13 },
    { "h1 TLS 1.2", false, CLIENT_TLS12 },
};
#define SEAT_COUNT (sizeof seats / sizeof seats[0])

static struct server the_server;
static const char *const *server_options;

struct talk *talk_try(struct stage *stage, int64_t patience_ms, bool *connected)
{
    const struct seat *seat = stage->seat;
    struct client_options to = {
        .port = seat->tls == CLIENT_CLEARTEXT ? stage->server->http : stage->server->https,
        .tls = seat->tls,
        .alpn = { seat->h2 ? "h2" : "http/1.1" },
        .ca = stage->server->ca,
        .patience_ms = patience_ms,
    };
    char alpn[32];

    assert_in_range(stage->count, 0, STAGE_TALKS - 1);
    struct talk *t = calloc(1, sizeof *t);
    assert_non_null(t);
    stage->talks[stage->count++] = t;
    t->seat = seat;
    t->hurry_ms = stage->hurry_ms;
    t->asked_at = clock_now();
    *connected = client_connect(&t->c, &to);
    if (seat->h2)
        h2_init(&t->h2, &t->c);
    if (!*connected)
        return t;
    client_alpn(&t->c, alpn);
    if (seat->tls != CLIENT_CLEARTEXT)
        assert_string_equal(alpn, to.alpn[0]);
    if (seat->h2) {
        client_text(&t->c, H2_PREFACE);
        h2_send_frame(&t->h2, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
    }
    return t;
}

struct talk *talk_open(struct stage *stage)
{
    bool connected;
    struct talk *t = talk_try(stage, 0, &connected);

    if (!connected)
        talk_in_time(t);
    check(connected, "no connection: %s", client_story(&t->c));
    return t;
}

void talk_is_ended(struct talk *t, int status)
{
    struct h1_response r;
    char value[32] = "";
    bool whole = h1_read(&t->c, false, &r, in_ms(PATIENCE_MS));
    int said = r.status;
    if (whole)
        h1_header(&r, "Connection", value, sizeof value);
    h1_free(&r);
    check(whole, "no answer: %s", client_story(&t->c));
    assert_int_equal(said, status);
    check(strcasecmp(value, "close") == 0, "Connection is \"%s\"", value);
    check(client_wait_end(&t->c, in_ms(LATE_MS)), "no end: %s", client_story(&t->c));
    check(t->c.fin && !t->c.rst, "no FIN: %s", client_story(&t->c));
    assert_int_equal(t->c.close_notify, t->seat->tls != CLIENT_CLEARTEXT);
}

void talk_close(struct talk *t)
{
    if (t->h2.deflater)
        h2_free(&t->h2);
    client_close(&t->c);
    buf_free(&t->body);
}

void stage_clear(struct stage *stage)
{
    while (stage->count > 0) {
        struct talk *t = stage->talks[--stage->count];
        talk_close(t);
        free(t);
    }
}

void talk_compose(struct talk *t, struct buf *out, const char *method, const char *target,
                  const char *key, const char *body)
{
    if (t->seat->h2) {
        const char *extra[] = { key ? "idempotency-key" : NULL, key, NULL };
        t->stream = h2_compose_request(&t->h2, out, method, target, extra, body);
    } else {
        char line[128] = "";
        if (key)
            snprintf(line, sizeof line, "Idempotency-Key: %s\r\n", key);
        h1_compose(out, method, target, line, body);
    }
}

int talk_ask_for(struct talk *t, const char *method, const char *target, const char *key,
                 const char *body)
{
    struct buf out = { .data = NULL };

    talk_compose(t, &out, method, target, key, body);
    int64_t before = clock_now();
    int result = client_send(&t->c, buf_bytes(&out), buf_len(&out));
    buf_free(&out);
    talk_in_time(t);
    t->asked_at = before;
    return result;
}

int talk_ask(struct talk *t, const char *key)
{
    return talk_ask_for(t, "GET", ENTITLEMENT, key, NULL);
}

static bool answer_h1(struct talk *t, int64_t until)
{
    struct h1_response r;
    bool whole = h1_read(&t->c, false, &r, until);

    if (whole) {
        t->status = r.status;
        buf_free(&t->body);
        t->body = r.body;
        r.body = (struct buf){ .data = NULL };
    }
    h1_free(&r);
    return whole;
}

static bool answer_h2(struct talk *t, int64_t until)
{
    struct h2_stream *stream = h2_stream(&t->h2, t->stream);

    if (!h2_wait_stream(&t->h2, t->stream, until) || !stream->ended)
        return false;
    t->status = stream->status;
    buf_free(&t->body);
    t->body = stream->body;
    stream->body = (struct buf){ .data = NULL };
    return true;
}

bool talk_answer(struct talk *t, int64_t until)
{
    if (!(t->seat->h2 ? answer_h2(t, until) : answer_h1(t, until)))
        return false;
    t->answered_at = t->c.last_byte_at;
    t->raw_answered = t->c.raw_in;
    return true;
}

uint64_t talk_served_number(const struct talk *t, const char *member)
{
    json_t *json = json_loadb((const char *)buf_bytes(&t->body), buf_len(&t->body), 0, NULL);
    json_t *number = json_object_get(json_object_get(json, "served"), member);
    uint64_t value = (uint64_t)json_integer_value(number);

    check(json_is_integer(number), "the answer has no served.%s: %.*s", member,
          (int)buf_len(&t->body), buf_bytes(&t->body));
    json_decref(json);
    return value;
}

void talk_served(struct talk *t)
{
    while (t->seat->h2 && !t->h2.no_acks && !t->h2.settings_seen &&
           h2_next(&t->h2, in_ms(PATIENCE_MS)))
        ;
    int sent = talk_ask(t, NULL);

    check(sent == 0, "the request could not be sent: %s; %s", strerror(-sent), client_story(&t->c));
    check(talk_answer(t, in_ms(PATIENCE_MS)), "no answer: %s", client_story(&t->c));
    assert_int_equal(t->status, 200);
    uint64_t connection = talk_served_number(t, "connection");
    check(!t->connection || t->connection == connection, "the connection's id changed");
    t->connection = connection;
}

/* --- Running scenarios with cmocka */

#define PLAYS_MAX 10 /* of a scenario whose client is always too late */

static jmp_buf once_more;
static bool playing; /* a scenario */

void in_time(int64_t by)
{
    int64_t late = clock_now() - by;

    if (late < 0)
        return;
    check(playing, "%.3f ms late, and this is no scenario", (double)late / NS_PER_MS);
    print_message("# this client is %.3f ms late: once more\n", (double)late / NS_PER_MS);
    longjmp(once_more, 1);
}

void talk_in_time(const struct talk *t)
{
    if (t->hurry_ms)
        in_time(t->asked_at + t->hurry_ms * NS_PER_MS);
}

struct play {
    const struct scenario *scenario;
    struct stage stage;
};

static int play_setup(void **state)
{
    struct play *play = *state;

    admin_reset(play->stage.server);
    return 0;
}

static void play_run(void **state)
{
    struct play *play = *state;
    volatile unsigned plays = 0;

    if (setjmp(once_more) != 0) {
        stage_clear(&play->stage);
        play->stage.hurry_ms = 0;
        admin_reset(play->stage.server);
    }
    check(plays++ < PLAYS_MAX, "the machine is too slow for this");
    playing = true;
    play->scenario->run(&play->stage);
    check_faults_are_named(play->stage.server);
}

static int play_teardown(void **state)
{
    struct play *play = *state;

    playing = false;
    stage_clear(&play->stage);
    return 0;
}

static int group_setup(void **state)
{
    server_start(&the_server, server_options);
    return 0;
}

static int group_teardown(void **state)
{
    server_stop(&the_server);
    return 0;
}

/* PART=2/4: of all cases each fourth one, from the second on. A long program is run so as several
 * that go side by side. */
static void part_of(size_t *first, size_t *step)
{
    const char *part = getenv("PART");
    unsigned which = 1, of = 1;
    char more;

    if (part && (sscanf(part, "%u/%u%c", &which, &of, &more) != 2 || which < 1 || which > of)) {
        fprintf(stderr, "PART=%s: it is to be as 2/4\n", part);
        exit(1);
    }
    *first = which - 1;
    *step = of;
}

int scenarios_run(const char *group, const struct scenario *list, size_t count,
                  const char *const *options)
{
    struct CMUnitTest *tests = calloc(count * SEAT_COUNT, sizeof *tests);
    struct play *plays = calloc(count * SEAT_COUNT, sizeof *plays);
    char(*titles)[128] = calloc(count * SEAT_COUNT, sizeof *titles);
    size_t n = 0, number = 0, first, step;

    if (!tests || !plays || !titles)
        return 1;
    part_of(&first, &step);
    server_options = options;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < SEAT_COUNT; k++) {
            if (!(list[i].seats & 1u << k) || number++ % step != first)
                continue;
            snprintf(titles[n], sizeof titles[n], "%s over %s", list[i].title, seats[k].name);
            plays[n].scenario = &list[i];
            plays[n].stage.server = &the_server;
            plays[n].stage.seat = &seats[k];
            tests[n] =
                (struct CMUnitTest){ titles[n], play_run, play_setup, play_teardown, &plays[n] };
            n++;
        }
    int failed = _cmocka_run_group_tests(group, tests, n, group_setup, group_teardown);
    free(titles);
    free(plays);
    free(tests);
    return failed;
}
