/* h1_rig.h - for the tests of the HTTP/1.1 engine: a host that writes down what it is told, over
 * memory, and a loop.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "engine/engine.h"

#include "loop.h"

enum when { NEVER, AT_BEGIN, AT_HEADERS, AT_BODY, AT_COMPLETE };

struct host {
    struct engine *engine;
    struct buf trace; /* what the engine called, "begin headers(GET /) ..." */
    struct buf out;
    size_t room;
    enum when answer; /* with response */
    enum when watch;  /* with watch_how */
    enum engine_watch watch_how;
    struct response response;
    struct exchange *open; /* the one begun and not ended */
    size_t body_bytes;
    size_t stale_bytes; /* of the request that is witnessed */
    unsigned released, has_room, responded;
    void (*stopped)(struct host *t, struct exchange *ex); /* in stopped(), if set */
    void (*put_out)(struct host *t);                      /* in output(), if set */
};

/* Some turns of the loop: enough for anything that is not waiting for us. */
void host_turns(void);
void host_at(struct host *t, struct exchange *ex, enum when when);

extern const struct engine_host host_calls;

#define OK_RESPONSE                                                                                \
    {                                                                                              \
        .status = 200, .body = "hello", .body_len = 5                                              \
    }

void host_init(struct host *t, enum when answer);
void host_free(struct host *t);
void host_say(struct host *t, const char *text);
const char *host_trace(struct host *t);
const char *host_out(struct host *t);
void host_forget(struct host *t);
unsigned host_count(const char *text, const char *part);
void assert_begins(const char *text, const char *with);
void assert_ends(const char *text, const char *with);

/* release of a response: counts into the unsigned at arg. */
void host_released(void *arg);

#define GET     "GET /a?b HTTP/1.1\r\nHost: h\r\n\r\n"
#define SEEN    "headers(GET /a?b h 1) complete "
#define POST(n) "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: " #n "\r\n\r\n"

int host_set_up(void **state);
int host_tear_down(void **state);
