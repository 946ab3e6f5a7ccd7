/* target.h - request targets, RFC 9112 3.2: origin-form, absolute-form and asterisk-form. */
#pragma once

#include <stddef.h>

#include "base/refusal.h"

#define TARGET_PATH_SIZE 1024

struct target {
    char path[TARGET_PATH_SIZE]; /* percent-encoding undone once; "*" for asterisk-form */
    const char *query;           /* what follows "?", as sent; NULL: there is none */
    const char *authority;       /* of an absolute-form; not NUL-terminated; NULL: another form */
    size_t authority_len;
};

/* Takes the target of a request with this method apart; out points into text. BAD_INPUT: text is
 * none of these forms, its path is longer than TARGET_PATH_SIZE, or stands for something no path
 * here can hold (a broken percent-encoding, an encoded slash, a backslash, a control character). */
int target_parse(const char *method, const char *text, struct target *out);
