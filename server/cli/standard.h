/* standard.h - the standard descriptors: there from the start, and written to the end. */
#pragma once

#include <stdio.h>

#include "base/buf.h"

/* Puts /dev/null where descriptor 0, 1 or 2 was closed when we were started, so that no file or
 * socket of ours gets its number: what is written to stdout and stderr would go there, and libuv
 * aborts when it is told to close one of the three. Call first of all. Returns 0 or -errno. */
int standard_open(void);

/* Writes out what stdout still holds. Returns 0, or -errno when something of it could not be
 * written, now or before. */
int standard_flush(void);

/* Hands a text to a stream, which remembers what went wrong (ferror). An empty one may have no
 * bytes to point at, which fwrite() must not be given. */
void standard_write(const struct buf *text, FILE *to);
