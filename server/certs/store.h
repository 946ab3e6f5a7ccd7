/* store.h - the state directory: made when missing, locked while it is worked on, and its files
 * read whole and replaced whole.
 *
 * The lock is on the directory itself, so a directory that can only be read works as well, as long
 * as nothing has to be written.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <gnutls/gnutls.h>

#include "base/refusal.h"

#define STORE_PATH_SIZE 512

struct store {
    int dir;
    char path[STORE_PATH_SIZE]; /* absolute */
};

/* A further outcome of store_read. */
#define STORE_ABSENT 2

/* Makes the directory (0700, and its parents) if it is missing, and locks it; waits a while for
 * whoever holds the lock. Returns 0, BAD_INPUT (where: the path) or -errno. */
int store_open(const char *path, struct store *out, struct refusal *why);
void store_close(struct store *store);

/* The absolute path of a file in it. Returns out. */
const char *store_path(const struct store *store, const char *file, char out[STORE_PATH_SIZE]);

/* Reads a file into memory for free(). A secret one that others could read is made 0600, with a
 * warning. Returns 0, STORE_ABSENT, BAD_INPUT or -ENOMEM. */
int store_read(const struct store *store, const char *file, bool secret, gnutls_datum_t *out,
               struct refusal *why);

struct store_file {
    const char *name;
    mode_t mode;
    gnutls_datum_t content;
};

/* Replaces files: none is touched before all are safely on the disk under temporary names; then
 * they are renamed in this order. Returns 0 or BAD_INPUT. */
int store_write(const struct store *store, const struct store_file *files, size_t count,
                struct refusal *why);
