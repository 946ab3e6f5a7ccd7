/* "throttle" and "drip" keep to what was set, whatever the number: from the client's seat, first
 * octet to last, and by the ledger. The exact times are in the unit test of the pace; here is
 * what is left of them on the wire. Never faster; and not slower at the best moment of the last
 * quarter of some tries, as a machine that is busy with other things can only make it slower: what
 * it was late with comes at once when it goes on. With the argument "fast" it is the rates that
 * take the whole machine. */
#include "tests/count.h"

#include "witness.h"

#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOISE (150 * NS_PER_MS) /* of the machine, at its best moment */
#define SPELL (2500 * NS_PER_MS)
#define WHOLE (1900 * NS_PER_MS) /* what is due before is waited for until it is whole */
#define TRIES 3

struct course {
    const char *spec; /* the mode */
    double rate;      /* octets a second that it means; 0: these drops */
    size_t chunk;
    double every_ms;
    const char *target; /* what is asked for */
    size_t content;     /* which has at least so many octets */
    struct talk *talk;
    size_t octets;       /* that came */
    int64_t first, last; /* when the first and the last had */
    double least_late;   /* ns, of all that came in the last quarter */
};

static char stubs[64];

static void make_stub(const char *name, size_t size)
{
    char path[96], block[4096];
    memset(block, 'x', sizeof block);
    snprintf(path, sizeof path, "%s/%s", stubs, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (size_t n = 0; n < size; n += sizeof block)
        fwrite(block, 1, size - n < sizeof block ? size - n : sizeof block, file);
    fclose(file);
}

/* Windows that an answer of any size fits into; what comes of it is read away. */
static void open_windows(struct talk *t)
{
    static const uint8_t setting[6] = { 0, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0x7f, 0xff, 0, 0 };
    static const uint8_t update[4] = { 0x7f, 0, 0, 0 };
    if (!t->seat->h2)
        return;
    h2_send_frame(&t->h2, NGHTTP2_SETTINGS, 0, 0, setting, sizeof setting);
    h2_send_frame(&t->h2, NGHTTP2_WINDOW_UPDATE, 0, 0, update, sizeof update);
    t->h2.settings_acked = false;
    while (!t->h2.settings_acked)
        check(h2_wait_frame(&t->h2, NGHTTP2_SETTINGS, in_ms(PATIENCE_MS)), "no SETTINGS ACK");
}

static void begin(struct stage *stage, struct course *c)
{
    char target[128];
    c->talk = talk_open(stage);
    talk_served(c->talk);
    open_windows(c->talk);
    snprintf(target, sizeof target, "/mode/%s%s", c->spec, c->target);
    assert_int_equal(talk_ask_for(c->talk, "GET", target, NULL, NULL), 0);
    c->octets = 0;
    c->least_late = INFINITY;
}

/* How long so many octets are to take, in ns. */
static double due_of(const struct course *c, size_t octets)
{
    if (c->rate > 0)
        return (double)(octets - 1) / c->rate * 1e9;
    return (double)((octets - 1) / c->chunk) * c->every_ms * 1e6;
}

/* How long it is watched at least. */
static double spell_of(const struct course *c)
{
    double due = due_of(c, c->content);
    return due < SPELL ? due : SPELL;
}

/* Notes what has come. Returns whether the answer is whole. */
static bool note(struct course *c)
{
    struct client *k = &c->talk->c;
    while (client_look(k, 0))
        ;
    size_t n = buf_len(&k->in);
    buf_consume(&k->in, n);
    if (n > 0 && c->octets == 0)
        c->first = k->last_byte_at;
    c->octets += n;
    if (n > 0) {
        double due = due_of(c, c->octets);
        c->last = k->last_byte_at;
        double late = (double)(c->last - c->first) - due * 1.01;
        if (due >= spell_of(c) * 0.75 && late < c->least_late)
            c->least_late = late;
    }
    int64_t silence = (int64_t)(300 + c->every_ms) * NS_PER_MS;
    return c->octets > c->content && k->last_byte_at < clock_now() - silence;
}

/* Reads all of them until each is whole or its time is up, so that a slow one has some octets. */
static void watch(struct course *courses, size_t count)
{
    bool going = true;
    while (going) {
        struct pollfd fds[STAGE_TALKS];
        for (size_t i = 0; i < count; i++)
            fds[i] = (struct pollfd){ courses[i].talk->c.fd, POLLIN, 0 };
        poll(fds, count, 20);
        going = false;
        for (size_t i = 0; i < count; i++) {
            struct course *c = &courses[i];
            bool over = note(c) || (c->octets >= 3 && clock_now() - c->first > SPELL &&
                                    c->least_late < INFINITY && spell_of(c) >= WHOLE);
            check(clock_now() - c->talk->asked_at < 60 * NS_PER_S, "%s: it takes too long",
                  c->spec);
            going = going || !over;
        }
    }
}

/* Not faster, as counted from the request: the first octet may have been seen late. Returns whether
 * it was not slower. */
static bool keeps_time(const struct course *c)
{
    double due = due_of(c, c->octets), all = (double)(c->last - c->talk->asked_at);
    check(all > due * 0.99, "%s: too fast, %zu octets in %.1f ms, where %.1f were due", c->spec,
          c->octets, all / 1e6, due / 1e6);
    return c->least_late < NOISE;
}

/* The last answer on a connection, as the ledger has it; *end is NULL while it continues. New
 * references. */
static void look_up(const struct stage *stage, uint64_t connection, json_t **start, json_t **end)
{
    uint64_t next;
    json_t *events = admin_events(stage->server, 0, 0, &next), *event;
    size_t i;
    *start = *end = NULL;
    json_array_foreach(events, i, event)
    {
        bool starts = strcmp(event_text(event, "event"), "response_start") == 0;
        bool ends = strcmp(event_text(event, "event"), "response_end") == 0;
        if ((uint64_t)json_integer_value(json_object_get(event, "connection")) != connection ||
            (!starts && !ends))
            continue;
        json_decref(*end);
        *end = ends ? json_incref(event) : NULL;
        if (starts) {
            json_decref(*start);
            *start = json_incref(event);
        }
    }
    json_decref(events);
}

/* The same from the ledger, where the whole answer came: one that should have, and did not, was
 * slow. Its end is one moment, which may be a bad one. */
static bool keeps_time_in_ledger(const struct stage *stage, const struct course *c)
{
    json_t *start, *end;
    double due = due_of(c, c->octets) / 1e6, took = 0;
    look_up(stage, c->talk->connection, &start, &end);
    bool kept = end || spell_of(c) >= WHOLE;
    check(start, "%s: the ledger has no answer", c->spec);
    if (end) {
        took = event_ms(end, "ms") - event_ms(start, "ms");
        check(took > due * 0.99 - 2,
              "%s: too fast, by the ledger %zu octets in %.1f ms, where %.1f were due", c->spec,
              c->octets, took, due);
    }
    json_decref(start);
    json_decref(end);
    return kept && took < due * 1.01 + LATE_MS;
}

/* Those that were slow are tried again. */
static void run_courses(struct stage *stage, struct course *courses, size_t count)
{
    for (int tries = 1; count > 0; tries++) {
        size_t slow = 0;
        for (size_t i = 0; i < count; i++)
            begin(stage, &courses[i]);
        watch(courses, count);
        for (size_t i = 0; i < count; i++) {
            const struct course *c = &courses[i];
            bool kept = keeps_time(c);
            kept = keeps_time_in_ledger(stage, c) && kept;
            check(kept || tries < TRIES,
                  "%s: too slow, %zu octets in %.1f ms, where %.1f were due; %.1f ms late at best",
                  c->spec, c->octets, (double)(c->last - c->first) / 1e6,
                  due_of(c, c->octets) / 1e6, c->least_late / 1e6);
            if (!kept)
                courses[slow++] = *c;
        }
        count = slow;
        stage_clear(stage);
    }
}

#define COURSE(mode, a_second, ...) COURSE_OF(mode, a_second, __VA_ARGS__)
#define COURSE_OF(mode, a_second, path, octets)                                                    \
    {                                                                                              \
        .spec = mode, .rate = a_second, .target = path, .content = octets                          \
    }
#define SMALL ENTITLEMENT, 100
#define LARGE "/large", 10000000
#define SOME  "/some", 20000

static void any_rate_is_kept_over_an_answer_of_any_size(struct stage *stage)
{
    struct course courses[] = {
        COURSE("throttle;rate=1", 1, SMALL),
        COURSE("throttle;rate=7", 7, SMALL),
        COURSE("throttle;rate=49", 49, LARGE),
        COURSE("throttle;rate=51", 51, SMALL),
        COURSE("throttle;rate=99", 99, SMALL),
        COURSE("throttle;rate=99", 99, LARGE),
        COURSE("throttle;rate=100", 100, SOME),
        COURSE("throttle;rate=101", 101, SMALL),
        COURSE("throttle;rate=1000", 1000, SMALL),
        COURSE("throttle;rate=1000", 1000, LARGE),
        COURSE("throttle;rate=12345", 12345, SOME),
        COURSE("throttle;rate=12345", 12345, LARGE),
        COURSE("throttle;rate=1000000", 1000000, LARGE),
    };
    run_courses(stage, courses, COUNT(courses));
}

#define DRIP(mode, size, ms, ...) DRIP_OF(mode, size, ms, __VA_ARGS__)
#define DRIP_OF(mode, size, ms, path, octets)                                                      \
    {                                                                                              \
        .spec = mode, .chunk = size, .every_ms = ms, .target = path, .content = octets             \
    }

static void drops_keep_to_their_times(struct stage *stage)
{
    struct course courses[] = {
        DRIP("drip;chunk=7;every=2ms", 7, 2, SOME),
        DRIP("drip;chunk=20;every=333ms", 20, 333, SMALL),
        DRIP("drip;chunk=1000;every=10ms", 1000, 10, LARGE),
    };
    run_courses(stage, courses, COUNT(courses));
}

/* Alone: there is nothing else that the machine could do meanwhile. */
static void a_fast_rate_is_kept(struct stage *stage)
{
    struct course throttled = COURSE("throttle;rate=50000000", 50000000, LARGE);
    struct course dripping = DRIP("drip;chunk=65536;every=5ms", 65536, 5, LARGE);
    run_courses(stage, &throttled, 1);
    run_courses(stage, &dripping, 1);
}

/* The scale is about durations: "every" is one, a rate is not. */
static void the_time_scale_multiplies_the_time_between_drops_and_no_rate(struct stage *stage)
{
    json_decref(admin_call(stage->server, 200, "PATCH", "/v1/runs/default",
                           "{\"mode\":\"normal\",\"time_scale\":0.1}"));
    struct course courses[] = {
        COURSE("throttle;rate=1000", 1000, SMALL),
        COURSE("drip;chunk=1;every=50ms", 200, SMALL),
    };
    run_courses(stage, courses, COUNT(courses));
    json_decref(admin_call(stage->server, 200, "PATCH", "/v1/runs/default",
                           "{\"mode\":\"normal\",\"time_scale\":1}"));
}

int main(int argc, char **argv)
{
    static const struct scenario list[] = {
        SCENARIO(any_rate_is_kept_over_an_answer_of_any_size, SEATS_ALL & ~SEAT_H1_TLS12),
        SCENARIO(drops_keep_to_their_times, SEATS_ALL & ~SEAT_H1_TLS12),
        SCENARIO(the_time_scale_multiplies_the_time_between_drops_and_no_rate,
                 SEAT_H1_TLS | SEAT_H2_CLEARTEXT),
    };
    static const struct scenario fast_list[] = {
        SCENARIO(a_fast_rate_is_kept, SEATS_ALL & ~SEAT_H1_TLS12),
    };
    bool fast = argc > 1 && strcmp(argv[1], "fast") == 0;

    scratch_create(stubs, sizeof stubs);
    make_stub("some", 20000);
    make_stub("large", 10000000);
    int failed = scenarios_run(fast ? "throttle, fast" : "throttle", fast ? fast_list : list,
                               fast ? COUNT(fast_list) : COUNT(list),
                               (const char *const[]){ "--stubs", stubs, NULL });
    scratch_remove(stubs);
    return failed;
}
