/* file.h - whole files of a bounded size, read into memory. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/refusal.h"

struct file {
    char *bytes; /* with a NUL behind them */
    size_t len;
    mode_t mode; /* as fstat() has it */
};

enum file_kind {
    FILE_REGULAR, /* of anything else it is not tried: opening a FIFO would wait for its writer */
    FILE_ANY,     /* pipes and devices too, such as a shell's <(command); waits for them */
};

/* Further outcomes of file_read. */
enum { FILE_NOT_REGULAR = 1, FILE_TOO_LARGE };

/* Reads a whole file of at most max bytes. path may be relative to the directory dir (AT_FDCWD: the
 * working directory). *out is for file_free(), and is set on success only. Returns 0, -errno,
 * FILE_NOT_REGULAR or FILE_TOO_LARGE. */
int file_read(int dir, const char *path, size_t max, enum file_kind kind, struct file *out);

/* Makes a refusal of what file_read returned, which is not 0: where is an option ("--cert"), of
 * which path is then named, or NULL: the path. Returns BAD_INPUT, or -ENOMEM when it was that. */
int file_refuse(int error, const char *where, const char *path, const char *allowed,
                struct refusal *why);

/* The two above: path is relative to the working directory. Returns 0, BAD_INPUT or -ENOMEM. */
int file_take(const char *where, const char *path, size_t max, enum file_kind kind,
              const char *allowed, struct file *out, struct refusal *why);

/* Frees the bytes and zeroes the struct. A zeroed one is fine. */
void file_free(struct file *file);
