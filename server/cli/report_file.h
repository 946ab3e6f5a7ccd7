/* report_file.h - files that commands write: all of it, or nothing and why. */
#pragma once

#include <stdio.h>

#include "base/buf.h"
#include "base/refusal.h"
#include "verdict/report.h"

/* What is written of a report where an option names a file. */
struct report_file {
    const char *option, *path; /* NULL: it is not written */
    const char *how;           /* as of fopen */
    void (*make)(const struct report *report, struct buf *out);
};
#define REPORT_FILES 3
void report_file_kinds(const char *junit, const char *html, const char *markdown,
                       struct report_file out[REPORT_FILES]);

/* Whether it could be written to now: 0 or an errno. It is left as it is, and where there is none
 * none is made. */
int report_file_try(const char *path);

/* option: what named the file. Each returns 0 or BAD_INPUT. */

int report_file_refuse(struct refusal *why, const char *option, const char *path, int error);
/* Closes it. What could be written in part only is no report: it is removed. */
int report_file_close(FILE *file, const char *option, const char *path, struct refusal *why);
int report_file_write(const struct report_file *file, const struct buf *text, struct refusal *why);
