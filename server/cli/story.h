/* story.h - the events of a ledger as lines for people, as `hangup serve` on a terminal and `hangup
 * watch` write them.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"

#define STORY_OPEN 64 /* requests that are remembered until they are answered */

struct story {
    bool colour;
    bool all; /* every event, not only requests, faults, stale requests, retries and marks */
    struct {
        json_int_t connection, exchange; /* 0: not in use */
        double ms;                       /* of its first byte */
        char text[96];                   /* method and target */
    } open[STORY_OPEN];
    unsigned next; /* of open */
};

/* Appends the line of an event (as the ledger renders it), with its end; nothing for one that is
 * not told. */
void story_tell(struct story *s, const json_t *event, struct buf *out);

/* Does this stream take colours? It is a terminal, and NO_COLOR is not set. */
bool story_colour(int fd);
