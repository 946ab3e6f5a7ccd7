/* json.c - records as JSON objects. */
#include <endian.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/number.h"
#include "ledger/ledger.h"

static int render_span(struct buf *out, int64_t ns)
{
    char text[NUMBER_SIZE];
    return buf_add(out, text, number_ms(ns, text));
}

static int render_list(struct buf *out, const struct ledger_value *list)
{
    const char *item, *separator = "[";
    size_t at = 0, n;
    int r = 0;
    if (!list->len)
        return buf_text(out, "[]");
    while (!r && ledger_item_next(list, &at, &item, &n)) {
        r = buf_text(out, separator);
        if (!r)
            r = buf_json(out, item, n);
        separator = ",";
    }
    return r ? r : buf_text(out, "]");
}

static int render_value(struct buf *out, const struct ledger_value *value)
{
    char text[NUMBER_SIZE];
    const char *text_of_word;
    uint64_t octets;
    switch (value->kind) {
    case LEDGER_TEXT:
        return buf_json(out, value->bytes, value->len);
    case LEDGER_WORD:
        text_of_word = ledger_word_name(value->field, value->number);
        return buf_json(out, text_of_word, strlen(text_of_word));
    case LEDGER_LIST:
        return render_list(out, value);
    case LEDGER_JSON:
        return buf_add(out, value->bytes, value->len);
    case LEDGER_BOOL:
        return buf_text(out, value->number ? "true" : "false");
    case LEDGER_SPAN:
        return render_span(out, value->number);
    case LEDGER_REAL:
        return buf_add(out, text, number_real(value->real, text));
    case LEDGER_HASH:
        octets = htobe64(value->hash);
        text[0] = '"';
        hex_write(&octets, sizeof octets, text + 1);
        text[17] = '"';
        return buf_add(out, text, 18);
    case LEDGER_INT:
        break;
    }
    int n = snprintf(text, sizeof text, "%lld", (long long)value->number);
    return buf_add(out, text, (size_t)n);
}

static int render_head(struct buf *out, const struct ledger_record *record)
{
    char at[CLOCK_RFC3339_SIZE], text[96];
    clock_rfc3339(record->wall, at);
    int n = snprintf(text, sizeof text,
                     "{\"seq\":%llu,\"at\":\"%s\",\"ms\":", (unsigned long long)record->seq, at);
    int r = buf_add(out, text, (size_t)n);
    if (!r)
        r = render_span(out, record->age);

    n = snprintf(text, sizeof text, ",\"event\":\"%s\"", ledger_event_name(record->event));
    if (record->connection)
        n += snprintf(text + n, sizeof text - (size_t)n, ",\"connection\":%llu",
                      (unsigned long long)record->connection);
    if (record->exchange)
        n += snprintf(text + n, sizeof text - (size_t)n, ",\"exchange\":%u", record->exchange);
    return r ? r : buf_add(out, text, (size_t)n);
}

int ledger_render(const struct ledger_record *record, struct buf *out)
{
    struct ledger_value value;
    int r = render_head(out, record);
    for (size_t at = 0; !r && ledger_field_next(record, &at, &value);) {
        r = buf_text(out, ",\"");
        if (!r)
            r = buf_text(out, ledger_field_name(value.field));
        if (!r)
            r = buf_text(out, "\":");
        if (!r)
            r = render_value(out, &value);
    }
    if (!r && record->cut)
        r = buf_text(out, ",\"cut\":true");
    return r ? r : buf_add(out, "}", 1);
}

int ledger_render_gap(uint64_t first, const struct ledger_record *next, struct buf *out)
{
    const struct ledger_record gap = {
        .seq = next->seq - 1, .age = next->age, .wall = next->wall, .event = EV_GAP
    };
    int r = render_head(out, &gap);
    return r ? r
             : buf_printf(out, ",\"first_seq\":%llu,\"last_seq\":%llu}", (unsigned long long)first,
                          (unsigned long long)gap.seq);
}

int ledger_read(const struct ledger *l, uint64_t since, size_t max_events, size_t max_bytes,
                const char *separator, struct buf *out, uint64_t *next)
{
    struct ledger_cursor cursor = { .ledger = l, .since = since };
    struct ledger_record record;
    size_t before = buf_len(out), written = 0;
    while (written < max_events && buf_len(out) < max_bytes && ledger_next(&cursor, &record)) {
        int r = written ? buf_text(out, separator) : 0;
        if (!r)
            r = ledger_render(&record, out);
        if (r) {
            out->end = out->start + before;
            return r;
        }
        written++;
    }
    *next = cursor.since;
    return (int)written;
}
