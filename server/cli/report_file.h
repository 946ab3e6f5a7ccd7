/* report_file.h - files that commands write: all of it, or nothing and why. */
#pragma once

#include <stdio.h>

#include "base/buf.h"
#include "base/refusal.h"

/* option: what named the file. Each returns 0 or BAD_INPUT. */

int report_file_refuse(struct refusal *why, const char *option, const char *path, int error);
/* Closes it. What could be written in part only is no report: it is removed. */
int report_file_close(FILE *file, const char *option, const char *path, struct refusal *why);
/* how: as of fopen. */
int report_file_write(const char *option, const char *path, const char *how, const struct buf *text,
                      struct refusal *why);
