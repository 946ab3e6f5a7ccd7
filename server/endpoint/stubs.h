/* stubs.h - responses that a tester gives as files: DIR/a/b is what a GET of /a/b gets.
 *
 * See docs/stubs.md for what the tree means. All of it is read at the start and kept in memory:
 * nothing blocks the loop later, and a request's path is only ever compared with names in a table,
 * so that there is nothing it could escape from.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/refusal.h"
#include "engine/engine.h"

#define STUBS_MAX_BYTES (64u * 1024 * 1024) /* of all files together */
#define STUBS_MAX_FILES 20000
#define STUBS_MAX_DEPTH 32

struct stub {
    int status;
    struct header *headers; /* names in lower case; content-type is always there */
    size_t header_count;
    char *allow;      /* "GET, HEAD, OPTIONS" */
    bool own_options; /* the side file lists OPTIONS: it is answered like the others */
    char *body;
    size_t body_len;
};

struct stubs;

/* Reads a tree. Returns 0, BAD_INPUT or -ENOMEM. */
int stubs_load(const char *dir, struct stubs **out, struct refusal *why);
void stubs_destroy(struct stubs *stubs); /* NULL is fine */

/* The stub at this path (percent-encoding undone), or NULL; stubs may be NULL. */
const struct stub *stubs_find(const struct stubs *stubs, const char *path);

/* Does a list as in an Allow header name this method? */
bool stubs_allow(const char *allow, const char *method);

/* --- side_file.c */

/* Completes a stub whose body is set: text is its side file's content (NULL: it has none), name the
 * file's name without directories, path the side file's, for messages. Returns 0, BAD_INPUT or
 * -ENOMEM. */
int side_file_apply(struct stub *stub, const char *name, const char *text, size_t len,
                    const char *path, struct refusal *why);
