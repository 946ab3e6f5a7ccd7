/* utf8.h - is this UTF-8? For text from outside that goes into JSON or a log. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The length of the well-formed sequence (RFC 3629) that n > 0 bytes begin with: 1 to 4, or 0 when
 * they begin with none (an overlong form, a surrogate, a stray byte, a sequence cut short). */
static inline size_t utf8_sequence(const uint8_t *p, size_t n)
{
    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    size_t len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (n < len)
        return 0;
    /* Only the second byte's range depends on the first. */
    uint8_t low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
    uint8_t high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return len;
}
