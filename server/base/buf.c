#include "base/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

#define SMALLEST 256

static int out_of_memory(struct buf *b)
{
    b->failed = true;
    return -ENOMEM;
}

int buf_reserve(struct buf *b, size_t n)
{
    if (b->failed)
        return -ENOMEM;
    if (b->size - b->end >= n)
        return 0;

    /* Moving costs len and is paid for by the bytes consumed before, so appending stays linear. */
    size_t len = buf_len(b);
    if (b->start >= len && b->size - len >= n) {
        memmove(b->data, b->data + b->start, len);
        b->start = 0;
        b->end = (uint32_t)len;
        return 0;
    }

    if (n > BUF_MAX - len)
        return out_of_memory(b);
    size_t size = b->size <= BUF_MAX / 2 ? (size_t)b->size * 2 : BUF_MAX;
    if (size < len + n)
        size = len + n;
    if (size < SMALLEST)
        size = SMALLEST;

    uint8_t *data = malloc(size);
    if (!data)
        return out_of_memory(b);
    if (len)
        memcpy(data, b->data + b->start, len);
    free(b->data);
    b->data = data;
    b->start = 0;
    b->end = (uint32_t)len;
    b->size = (uint32_t)size;
    return 0;
}

int buf_add(struct buf *b, const void *bytes, size_t n)
{
    int r = buf_reserve(b, n);
    if (r)
        return r;
    if (n)
        memcpy(b->data + b->end, bytes, n);
    b->end += (uint32_t)n;
    return 0;
}

int buf_text(struct buf *b, const char *text)
{
    return buf_add(b, text, strlen(text));
}

int buf_printf(struct buf *b, const char *format, ...)
{
    va_list args;
    int r, n = 0;
    do {
        r = buf_reserve(b, (size_t)n + 1); /* vsnprintf ends its text with a NUL */
        if (r)
            return r;
        va_start(args, format);
        n = vsnprintf((char *)b->data + b->end, b->size - b->end, format, args);
        va_end(args);
        if (n < 0)
            return out_of_memory(b);
    } while ((size_t)n >= b->size - b->end); /* mostly once; again when it did not fit */
    b->end += (uint32_t)n;
    return 0;
}

/* The escape of one byte, in at most 6 bytes. Returns its length. */
static size_t escape(uint8_t c, char out[8])
{
    static const char shorts[128] = {
        ['"'] = '"',  ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f',
        ['\n'] = 'n', ['\r'] = 'r',  ['\t'] = 't',
    };
    if (c < 128 && shorts[c]) {
        out[0] = '\\';
        out[1] = shorts[c];
        return 2;
    }
    return (size_t)snprintf(out, 8, "\\u%04x", c);
}

int buf_json(struct buf *b, const char *text, size_t n)
{
    size_t before = buf_len(b);
    const uint8_t *p = (const uint8_t *)text;

    int r = buf_add(b, "\"", 1);
    size_t plain = 0; /* p[plain .. i) needs no escape and is not yet copied */
    for (size_t i = 0; i < n && !r;) {
        bool escaped = p[i] < 0x20 || p[i] == '"' || p[i] == '\\' || p[i] == 0x7f;
        size_t step = escaped ? 0 : utf8_sequence(p + i, n - i);
        if (step) {
            i += step;
            continue;
        }
        char out[8];
        r = buf_add(b, p + plain, i - plain);
        if (!r)
            r = buf_add(b, out, escape(p[i], out));
        plain = ++i;
    }
    if (!r && n > plain)
        r = buf_add(b, p + plain, n - plain);
    if (!r)
        r = buf_add(b, "\"", 1);
    if (r)
        b->end = (uint32_t)(b->start + before);
    return r;
}

void buf_consume(struct buf *b, size_t n)
{
    b->start += (uint32_t)n;
    if (b->start == b->end)
        b->start = b->end = 0;
}

void buf_free(struct buf *b)
{
    free(b->data);
    *b = (struct buf){ 0 };
}
