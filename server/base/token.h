/* token.h - what can be a bearer token. */
#pragma once

#include <stdbool.h>

#define TOKEN_ALLOWED "visible ASCII characters, at least one"
#define TOKEN_REFUSED "is no token that a header field could carry"

static inline bool token_is_valid(const char *token)
{
    const char *c = token;
    while (*c >= 0x21 && *c <= 0x7e)
        c++;
    return c > token && !*c;
}
