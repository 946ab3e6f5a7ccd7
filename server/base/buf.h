/* buf.h - a growable run of bytes with a consumed front.
 *
 * The bytes held are data[start .. end). A zeroed struct is an empty buffer that owns nothing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
    uint8_t *data;
    uint32_t start, end, size; /* a connection has half a dozen of these */
    bool failed; /* an append ran out of memory: the content is cut short there, and all further
                    appends fail too, so that one look at the end is enough */
};
#define BUF_MAX UINT32_MAX /* more is as if there were no memory */

static inline size_t buf_len(const struct buf *b)
{
    return b->end - b->start;
}

/* NULL if it is empty and owns nothing; C allows no NULL + 0. */
static inline const uint8_t *buf_bytes(const struct buf *b)
{
    return b->start ? b->data + b->start : b->data;
}

/* Makes room for n more bytes. Returns 0 or -ENOMEM (and sets failed; the content is unchanged). */
int buf_reserve(struct buf *b, size_t n);

/* Appends. Returns 0 or -ENOMEM (failed is set, nothing appended). */
int buf_add(struct buf *b, const void *bytes, size_t n);
int buf_text(struct buf *b, const char *text);
int buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Appends text as a JSON string with its quotes. Bytes that are not UTF-8 become \u00XX. */
int buf_json(struct buf *b, const char *text, size_t n);

/* Drops n bytes from the front, n <= buf_len(b). An emptied buffer keeps its memory. */
void buf_consume(struct buf *b, size_t n);

/* Frees the memory and zeroes the struct. */
void buf_free(struct buf *b);
