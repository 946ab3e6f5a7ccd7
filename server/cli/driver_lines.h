/* driver_lines.h - what COMMAND says of its own requests: one JSON line each, first {"driver":1}.
 *
 * It writes them to the file that HANGUP_REPORT names, or, if it leaves that empty, to its stdout
 * between whatever else it writes there. docs/prove.md has the lines.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/refusal.h"

#define DRIVER_LINE_MAX  ((size_t)64 * 1024)
#define DRIVER_LINES_MAX 10000

struct driver_lines {
    char dir[160], path[176]; /* of the file; "": none */
    long long offset;         /* what has been read of it */
    struct buf part;          /* the begin of a line that is not whole yet: of the file, */
    struct buf out_part;      /* of stdout */
    unsigned lines;           /* what was taken, and what of it tells of requests */
    unsigned requests;
    unsigned not_ok; /* of these requests */
    bool from_file, from_out;
    bool out_in_line;      /* of stdout: the rest of the line is none of the driver's */
    struct refusal broken; /* where is empty: it is fine; else why it is not */
    /* Takes a line, without its end. Returns 0, BAD_INPUT or -errno. */
    int (*line)(void *arg, const char *line, size_t len, struct refusal *why);
    void *arg;
};

/* Makes the file, empty, in a directory of its own. d is zeroed but for line and arg. Returns 0 or
 * -errno. */
int driver_lines_open(struct driver_lines *d);
/* Takes the whole lines that have come; at the end (over) also one that is not ended. */
void driver_lines_read(struct driver_lines *d, bool over);
/* Takes what COMMAND wrote to stdout, and appends to shown what of it is none of the driver's. */
void driver_lines_out(struct driver_lines *d, const char *bytes, size_t len, struct buf *shown);
/* Its stdout is over: what came of a last line is a line. */
void driver_lines_out_end(struct driver_lines *d, struct buf *shown);
/* Is it a driver? It has said so, or has begun to write as one. */
static inline bool driver_lines_speaks(const struct driver_lines *d)
{
    return d->from_file || d->from_out;
}
/* Removes the file. A zeroed one is fine. */
void driver_lines_close(struct driver_lines *d);
