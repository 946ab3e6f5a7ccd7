#include "captured.h"

#include <poll.h>

static const char *no_capture; /* why, if there is none */

void captured_enter(void)
{
    no_capture = capture_enter();
}

void capture_port(const struct stage *stage)
{
    const struct server *s = stage->server;

    if (no_capture)
        skip_because(no_capture);
    capture_start(stage->seat->tls == CLIENT_CLEARTEXT ? s->http : s->https);
}

struct talk *watched(struct stage *stage, size_t *behind)
{
    capture_port(stage);
    stage->hurry_ms = IDLE_MS;
    struct talk *t = talk_open(stage);
    talk_served(t);
    if (t->seat->h2)
        talk_served(t); /* so that SETTINGS are ACKed */
    stage->hurry_ms = t->hurry_ms = 0;
    *behind = capture_behind(t->raw_answered);
    return t;
}

struct talk *settled(struct stage *stage, size_t *behind)
{
    struct talk *t = watched(stage, behind);
    int64_t until = in_ms(LATE_MS);

    while (capture_count() == *behind && clock_now() < until)
        poll(NULL, 0, 1);
    check_segments(*behind, "ack ");
    *behind += 1;
    return t;
}

void quiet(struct talk *t)
{
    poll(NULL, 0, QUIET_MS);
    while (client_look(&t->c, clock_now()))
        ;
}

void check_nothing_follows(struct talk *t)
{
    size_t before = capture_count();

    client_drop(&t->c);
    poll(NULL, 0, QUIET_MS);
    check_segments(before, "(rst-ack )?");
}
