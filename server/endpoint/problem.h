/* problem.h - errors as JSON: problem details, RFC 9457. */
#pragma once

#include "base/buf.h"

/* The reason phrase of a status (RFC 9110 15), "Error" for one we have no word for. */
const char *problem_title(int status);

/* Appends {"type","title","status","detail","where","allowed"} and a newline; NULL or empty texts
 * are left out. Returns 0 or -ENOMEM (out is then of no use). */
int problem_write(struct buf *out, int status, const char *detail, const char *where,
                  const char *allowed);
