/* utf8.h - is this UTF-8, and if not, what stands for it? For text from outside that goes into JSON
 * or a log.
 */
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

/* Writes n bytes as UTF-8 into out, which has room for 2 * n: what is well-formed stays, any other
 * byte becomes the character of its number (0xff: U+00FF), as buf_json shows it. Returns the
 * length.
 */
static inline size_t utf8_text(const void *bytes, size_t n, char *out)
{
    const uint8_t *p = (const uint8_t *)bytes;
    size_t len = 0;
    for (size_t i = 0, step; i < n; i += step) {
        step = utf8_sequence(p + i, n - i);
        for (size_t k = 0; k < step; k++)
            out[len++] = (char)p[i + k];
        if (step)
            continue;
        out[len++] = (char)(0xc0 | p[i] >> 6);
        out[len++] = (char)(0x80 | (p[i] & 0x3f));
        step = 1;
    }
    return len;
}
