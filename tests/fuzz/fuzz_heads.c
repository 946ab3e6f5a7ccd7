/* Streams of HTTP/1.x requests, read by h1_head alone: however they are split, the same requests
 * are found, which end at the same octets, and the same is broken. The first octet says how they
 * are split. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/h1_head.h"
#include "engine/head_memory.h"
#include "tests/fuzz/fuzz.h"

static void note_request(const struct h1_head *h, struct buf *told)
{
    const struct request *r = &h->request;
    buf_printf(told, "%s %s %s\n", r->method, r->target, r->authority);
    for (size_t i = 0; i < r->header_count; i++)
        buf_printf(told, " %.*s=%.*s\n", (int)r->headers[i].name_len, r->headers[i].name,
                   (int)r->headers[i].value_len, r->headers[i].value);
}

static void note_end(struct h1_head *h, size_t used, size_t content, struct buf *told)
{
    if (h->at == H1_BROKEN) {
        if (h->status < 400 || !h->why || !*h->why)
            abort();
        buf_printf(told, "broken: %d %s\n", h->status, h->why);
        return;
    }
    buf_printf(told, "at %zu: %d, content %zu, chunked %d\n", used, h->at, content, h->chunked);
    if (h->at == H1_IN_HEAD && h1_head_partial(h) == 0)
        note_request(h, told);
}

/* Reads all of it, at most piece octets at a time; piece 0: as the dice say. */
static struct buf read_all(const uint8_t *data, size_t size, size_t piece, uint32_t dice)
{
    struct h1_head h = { 0 };
    struct buf told = { 0 };
    size_t used = 0, content = 0, idle = 0;
    while (used < size && h.at != H1_BROKEN) {
        enum h1_at before = h.at;
        bool in_content = h1_head_in_content(&h);
        dice = dice * 1664525 + 1013904223;
        size_t n = piece ? piece : 1 + (dice >> 8) % 40;
        if (n > size - used)
            n = size - used;
        size_t took = h1_head_feed(&h, data + used, n);
        if (took > n || (idle = took ? 0 : idle + 1) > 3)
            abort();
        used += took;
        content += in_content ? took : 0;
        if (before <= H1_IN_HEAD && (h.at == H1_IN_BODY || h.at == H1_WHOLE))
            note_request(&h, &told);
        if (h.at == H1_WHOLE) {
            note_end(&h, used, content, &told);
            h1_head_next(&h);
            content = 0;
        }
    }
    note_end(&h, used, content, &told);
    h1_head_free(&h);
    return told;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct buf whole = read_all(data + 1, size - 1, SIZE_MAX, 0);
    for (unsigned i = 0; i < 2; i++) {
        struct buf split = read_all(data + 1, size - 1, i, data[0]);
        if (buf_len(&whole) != buf_len(&split) ||
            memcmp(buf_bytes(&whole), buf_bytes(&split), buf_len(&whole)) != 0) {
            fprintf(stderr, "--- at once\n%.*s--- in pieces\n%.*s", (int)buf_len(&whole),
                    (const char *)buf_bytes(&whole), (int)buf_len(&split),
                    (const char *)buf_bytes(&split));
            abort();
        }
        buf_free(&split);
    }
    buf_free(&whole);
    if (head_memory_total() != 0)
        abort();
    return 0;
}
