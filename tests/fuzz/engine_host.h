/* engine_host.h - for the fuzzers of the engines: a host that writes down what it is told, and
 * aborts when an engine breaks a promise of engine.h.
 *
 * The first octet of an input says how it is fed; the rest is what the client sends. Without
 * ANSWERS nothing is answered before all of it is read, so that what the engine tells does not
 * depend on how the bytes are split: they are given at once, then to another engine in pieces, and
 * both must tell the same.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "engine/engine.h"
#include "tests/fuzz/fuzz.h"

/* Bits of the first octet. '@' is 0x40, and so on: a corpus can be read. */
enum { ANSWERS = 1, EARLY = 2, VERBS = 4, NARROW = 8, STOPS = 16 };

enum stage { BEGUN, HEADERS, COMPLETE, OVER };

#define OPEN_MAX 1024 /* exchanges at a time; more are not answered by later verbs */

struct fuzz_host {
    struct engine *engine;
    struct buf told;
    size_t room;
    uint8_t how;
    uint64_t chance;
    unsigned begun, over, finished;
    bool watched; /* for ever */
    struct exchange *open[OPEN_MAX], *stopped;
};

/* What the host has of an exchange. */
struct course {
    enum stage stage;
    bool answered;
    size_t body;
};

static inline void promise(bool kept, const char *what)
{
    if (!kept) {
        fprintf(stderr, "broken: %s\n", what);
        abort();
    }
}

static inline uint32_t host_chance(struct fuzz_host *t, uint32_t below)
{
    t->chance = t->chance * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((t->chance >> 33) % below);
}

static inline void answer(struct fuzz_host *t, struct exchange *ex)
{
    static const struct header type = { "Content-Type", "text/plain", 12, 10 };
    static const int statuses[] = { 200, 404, 204, 503 };
    const struct response response = { .status = statuses[host_chance(t, 4)],
                                       .headers = &type,
                                       .header_count = 1,
                                       .reads_on = host_chance(t, 2),
                                       .body = "hello, world",
                                       .body_len = host_chance(t, 13) };
    struct course *c = ex->data;
    if (c->answered)
        return;
    c->answered = true;
    if (t->how & STOPS)
        engine_stop_at(ex, host_chance(t, 2) ? STOP_OCTETS : STOP_CONTENT, host_chance(t, 150));
    engine_respond(ex, &response);
}

/* --- What it is told */

static inline struct course *course_of(struct fuzz_host *t, struct exchange *ex, enum stage stage)
{
    struct course *c = ex->data;
    promise(c && c->stage == stage, "a call of a stage that is over, or has not begun");
    promise(!t->finished, "a call behind finished()");
    return c;
}

static inline void host_begin(void *host, struct exchange *ex)
{
    struct fuzz_host *t = host;
    promise(!ex->data && !t->finished, "begin() is the first call, and none comes when finished");
    ex->data = calloc(1, sizeof(struct course));
    promise(ex->data, "memory");
    t->open[ex->nth % OPEN_MAX] = ex;
    t->begun++;
    buf_printf(&t->told, "begin %u on %d\n", ex->nth, ex->stream);
    if (t->how & EARLY && host_chance(t, 8) == 0)
        answer(t, ex);
}

static inline void host_headers(void *host, struct exchange *ex)
{
    struct fuzz_host *t = host;
    const struct request *r = &ex->request;
    course_of(t, ex, BEGUN)->stage = HEADERS;
    promise(r->method[0] && (r->target[0] || strcmp(r->method, "CONNECT") == 0), /* RFC 9113 8.5 */
            "a request has a method and a target");
    buf_printf(&t->told, "headers %u: %s %s %s\n", ex->nth, r->method, r->target, r->authority);
    for (size_t i = 0; i < r->header_count; i++)
        buf_printf(&t->told, " %.*s=%.*s\n", (int)r->headers[i].name_len, r->headers[i].name,
                   (int)r->headers[i].value_len, r->headers[i].value);
    if (t->how & EARLY && host_chance(t, 2))
        answer(t, ex);
}

static inline void host_body(void *host, struct exchange *ex, const void *bytes, size_t n)
{
    struct fuzz_host *t = host;
    promise(n > 0, "body() has octets");
    course_of(t, ex, HEADERS)->body += n;
}

static inline void host_complete(void *host, struct exchange *ex)
{
    struct fuzz_host *t = host;
    struct course *c = course_of(t, ex, HEADERS);
    c->stage = COMPLETE;
    buf_printf(&t->told, "complete %u: %zu\n", ex->nth, c->body);
    if (t->how & ANSWERS && host_chance(t, 4))
        answer(t, ex);
}

static inline void host_over(struct fuzz_host *t, struct exchange *ex)
{
    struct course *c = ex->data;
    promise(c && c->stage != OVER, "an exchange ends once");
    if (t->open[ex->nth % OPEN_MAX] == ex)
        t->open[ex->nth % OPEN_MAX] = NULL;
    if (t->stopped == ex)
        t->stopped = NULL;
    free(c);
    ex->data = NULL;
    t->over++;
}

static inline void host_responded(void *host, struct exchange *ex)
{
    struct fuzz_host *t = host;
    promise(ex->data && ((struct course *)ex->data)->answered, "responded() follows an answer");
    host_over(t, ex);
}

static inline void host_lost(void *host, struct exchange *ex, const char *why)
{
    promise(*why, "lost() says why");
    host_over(host, ex);
}

static inline void host_stopped(void *host, struct exchange *ex, enum engine_stop of)
{
    struct fuzz_host *t = host;
    promise(t->how & STOPS, "stopped() where nobody asked for it");
    t->stopped = ex;
}

static inline void host_output(void *host, const void *bytes, size_t n)
{
    struct fuzz_host *t = host;
    promise(n > 0, "output() has octets");
    t->room -= n < t->room ? n : t->room;
}

static inline size_t host_room(void *host)
{
    return ((struct fuzz_host *)host)->room;
}

static inline void host_stale_request(void *host, struct exchange *ex, const struct request *r,
                                      int32_t stream, enum engine_witnessed what)
{
    struct fuzz_host *t = host;
    promise(r->method && r->target && r->authority, "what is not there is \"\"");
    buf_printf(&t->told, "stale on %d: %s %s\n", stream, r->method, r->target);
}

static inline void host_stale_body(void *host, struct exchange *ex, const void *bytes, size_t n,
                                   int32_t stream)
{
    promise(n > 0, "stale_body() has octets");
}

static inline void host_stale_complete(void *host, struct exchange *ex, const struct request *r,
                                       int32_t stream)
{
    struct fuzz_host *t = host;
    buf_printf(&t->told, "stale complete on %d\n", stream);
}

static inline void host_frame(void *host, const struct engine_frame_info *info)
{
    struct fuzz_host *t = host;
    buf_printf(&t->told, "frame %d: %d %u %.*s\n", info->kind, info->stream, info->error,
               (int)info->text_len, info->text_len ? info->text : "");
}

static inline void host_error(void *host, const char *what)
{
    struct fuzz_host *t = host;
    promise(*what && !t->finished, "an error says what, and none comes when finished");
    buf_printf(&t->told, "error: %s\n", what);
}

static inline void host_has_room(void *host)
{
    struct fuzz_host *t = host;
    promise(!engine_full(t->engine), "has_room() when it has");
}

static inline void host_finished(void *host)
{
    struct fuzz_host *t = host;
    promise(!t->watched, "finished() never comes while watching");
    promise(t->finished++ == 0, "finished() comes once");
}

static const struct engine_host host_calls = {
    .begin = host_begin,
    .headers = host_headers,
    .body = host_body,
    .complete = host_complete,
    .responded = host_responded,
    .lost = host_lost,
    .stopped = host_stopped,
    .output = host_output,
    .room = host_room,
    .stale_request = host_stale_request,
    .stale_body = host_stale_body,
    .stale_complete = host_stale_complete,
    .frame = host_frame,
    .protocol_error = host_error,
    .limit = host_error,
    .has_room = host_has_room,
    .finished = host_finished,
};

/* --- What it does */

static inline struct exchange *any_open(const struct fuzz_host *t, uint32_t from)
{
    for (unsigned i = 0; i < OPEN_MAX && t->begun > t->over; i++)
        if (t->open[(from + i) % OPEN_MAX])
            return t->open[(from + i) % OPEN_MAX];
    return NULL;
}

static inline void h2_verb(struct fuzz_host *t)
{
    const struct goaway goaway = { .error = host_chance(t, 14),
                                   .last = (enum goaway_last)host_chance(t, 5),
                                   .number = (int32_t)host_chance(t, 20) - 5,
                                   .debug = "d",
                                   .debug_len = host_chance(t, 2) };
    switch (host_chance(t, 6)) {
    case 0:
        engine_goaway(t->engine, &goaway);
        break;
    case 1:
        engine_goaway_notice(t->engine);
        break;
    case 2:
        engine_rst_stream(t->engine, (int32_t)host_chance(t, 24), host_chance(t, 14));
        break;
    case 3:
        engine_ping(t->engine, (const uint8_t *)"87654321");
        break;
    default:
        engine_set(t->engine, (enum engine_setting)host_chance(t, 6),
                   host_chance(t, 3) * host_chance(t, 100));
    }
}

static inline void any_verb(struct fuzz_host *t)
{
    struct exchange *ex = any_open(t, host_chance(t, OPEN_MAX));
    switch (host_chance(t, 10)) {
    case 0:
        if (!t->watched)
            engine_watch(t->engine, WATCH_HOLD);
        break;
    case 1:
        t->watched |= host_chance(t, 4) == 0;
        if (t->watched)
            engine_watch(t->engine, WATCH_ONLY);
        break;
    case 2:
        engine_watch_flush(t->engine, host_chance(t, 2));
        break;
    case 3:
    case 4:
        if (!t->watched)
            engine_resume(t->engine);
        break;
    case 5:
        if (host_chance(t, 8) == 0)
            engine_shutdown(t->engine);
        break;
    case 6:
        if (t->stopped) {
            ex = t->stopped;
            t->stopped = NULL;
            engine_continue(ex);
        }
        break;
    case 7:
        h2_verb(t);
        break;
    default:
        if (ex && ((struct course *)ex->data)->stage == COMPLETE)
            answer(t, ex);
    }
}

/* Between two pieces of input. */
static inline void act(struct fuzz_host *t)
{
    if (t->how & NARROW) {
        t->room = host_chance(t, 3) ? host_chance(t, 200) : SIZE_MAX;
        engine_pump(t->engine);
    }
    for (uint32_t n = t->how & VERBS ? host_chance(t, 3) : 0; n > 0 && !t->finished; n--)
        any_verb(t);
}

/* Feeds a fresh engine, of an input but for its first octet; pieces: in how many at most. turn is
 * called between them. Every exchange that has begun has ended when it returns. What was told is
 * the caller's. */
static inline struct buf
feed_engine(int (*create)(const struct engine_host *, void *, struct engine **),
            const uint8_t *data, size_t size, unsigned pieces, void (*turn)(void))
{
    static struct fuzz_host t;
    t = (struct fuzz_host){ .room = SIZE_MAX, .how = data[0] };
    for (size_t i = 0; i < size; i++)
        t.chance = t.chance * 31 + data[i];
    promise(create(&host_calls, &t, &t.engine) == 0, "memory");
    for (size_t at = 1; at < size && !t.finished;) {
        size_t n = size - at;
        if (--pieces > 0 && n > 1)
            n = 1 + host_chance(&t, (uint32_t)(host_chance(&t, 3) ? n : n < 30 ? n : 30));
        uint8_t *copy = malloc(n); /* of the exact size, for the sanitizer */
        promise(copy, "memory");
        memcpy(copy, data + at, n);
        engine_input(t.engine, copy, n);
        free(copy);
        at += n;
        turn();
        if (!t.finished)
            act(&t);
    }
    struct buf told = t.told;
    t.told = (struct buf){ 0 };
    for (struct exchange *ex;
         t.how & ANSWERS && !t.finished && !t.watched && (ex = any_open(&t, 0));) {
        struct course *c = ex->data;
        if (c->stage != COMPLETE || c->answered)
            break;
        answer(&t, ex);
        turn();
    }
    if (!t.finished && !t.watched)
        engine_peer_closed(t.engine);
    turn();
    engine_destroy(t.engine);
    promise(t.begun == t.over, "every exchange that has begun ends");
    buf_free(&t.told);
    return told;
}

/* Up to the end of the first error: what an engine says of octets that it had with those is its
 * own. */
static inline size_t comparable(const struct buf *told)
{
    const char *text = (const char *)buf_bytes(told);
    size_t n = buf_len(told);
    const char *error = n ? memmem(text, n, "error: ", 7) : NULL,
               *end = error ? memchr(error, '\n', n - (size_t)(error - text)) : NULL;
    return end ? (size_t)(end - text) : n;
}

static inline void feed_both(int (*create)(const struct engine_host *, void *, struct engine **),
                             const uint8_t *data, size_t size, void (*turn)(void))
{
    if (size == 0)
        return;
    log_set_level(LOG_ERROR + 1);
    struct buf whole = feed_engine(create, data, size, 1, turn);
    struct buf split = feed_engine(create, data, size, 12, turn);
    if (!(data[0] & (ANSWERS | EARLY | VERBS | NARROW))) {
        size_t n = comparable(&whole);
        bool same = n == comparable(&split) &&
                    (n == 0 || memcmp(buf_bytes(&whole), buf_bytes(&split), n) == 0);
        if (!same)
            fprintf(stderr, "--- at once\n%.*s--- in pieces\n%.*s", (int)buf_len(&whole),
                    (const char *)buf_bytes(&whole), (int)buf_len(&split),
                    (const char *)buf_bytes(&split));
        promise(same, "what is told does not depend on how the input is split");
    }
    buf_free(&whole);
    buf_free(&split);
}
