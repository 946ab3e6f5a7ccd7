#include "cli/screen.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "cli/story.h"
#include "ledger/ledger.h"

#define LINES_PER_S 200 /* more than that nobody reads, and it would make faults late */

struct screen {
    struct ledger_watch watch;
    struct story story;
    int64_t second; /* the begin of the one that lines are counted in */
    unsigned lines, left_out;
};

/* Does a line come of it, or is it needed for one? */
static bool is_told(enum ledger_event event)
{
    switch (event) {
    case EV_REQUEST:
    case EV_REQUEST_COMPLETE:
    case EV_RESPONSE_END:
    case EV_EXCHANGE_LOST:
    case EV_FAULT:
    case EV_STALE_REQUEST:
    case EV_MARK:
    case EV_MODE:
    case EV_PLAN:
    case EV_WARNING:
        return true;
    default:
        return false;
    }
}

/* A terminal that takes anything takes a line. */
static bool write_now(const char *line, size_t n)
{
    struct pollfd can = { .fd = STDOUT_FILENO, .events = POLLOUT };
    ssize_t written;
    if (poll(&can, 1, 0) != 1 || !(can.revents & POLLOUT))
        return false;
    do
        written = write(STDOUT_FILENO, line, n);
    while (written < 0 && errno == EINTR);
    return written == (ssize_t)n;
}

static void show(struct screen *s, const struct buf *line)
{
    char text[64];
    int64_t now = clock_now();
    if (now - s->second >= NS_PER_S) {
        s->second = now;
        s->lines = 0;
    }
    if (s->lines++ >= LINES_PER_S) {
        s->left_out++;
        return;
    }
    if (s->left_out) {
        int n = snprintf(text, sizeof text, "... %u lines are left out\n", s->left_out);
        if (write_now(text, (size_t)n))
            s->left_out = 0;
    }
    if (s->left_out || !write_now((const char *)buf_bytes(line), buf_len(line)))
        s->left_out++;
}

static void committed(struct ledger_watch *watch, const struct ledger_record *record)
{
    struct screen *s = link_entry(watch, struct screen, watch);
    struct buf text = { 0 }, line = { 0 };
    json_auto_t *event = NULL;
    if (!is_told(record->event))
        return;
    if (ledger_render(record, &text) == 0 &&
        json_read((const char *)buf_bytes(&text), buf_len(&text), "", &event, NULL) == 0)
        story_tell(&s->story, event, &line);
    if (buf_len(&line))
        show(s, &line);
    buf_free(&text);
    buf_free(&line);
}

struct screen *screen_create(struct ledger *ledger)
{
    struct screen *s = calloc(1, sizeof *s);
    if (s) {
        s->watch.committed = committed;
        s->story.colour = story_colour(STDOUT_FILENO);
        ledger_watch_add(ledger, &s->watch);
    }
    return s;
}

void screen_destroy(struct screen *s)
{
    if (s)
        ledger_watch_remove(&s->watch);
    free(s);
}
