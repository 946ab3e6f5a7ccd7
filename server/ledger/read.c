/* read.c - finding and reading what ledger.c holds. */
#include "base/clock.h"
#include "ledger/ledger_impl.h"

uint64_t ledger_last(const struct ledger *l)
{
    return l->last;
}

uint64_t ledger_first(const struct ledger *l)
{
    return oldest(l)->count ? oldest(l)->first_seq : 0;
}

uint64_t ledger_dropped(const struct ledger *l)
{
    return l->dropped;
}

size_t ledger_memory(const struct ledger *l)
{
    return l->chunk_count * CHUNK_SIZE;
}

uint64_t ledger_dropped_of(const struct ledger *l, enum ledger_event event)
{
    return l->dropped_of[event];
}

static const uint8_t *get(const uint8_t *p, void *out, size_t n)
{
    memcpy(out, p, n);
    return p + n;
}

/* Of the field there, its id too. */
static inline size_t length_of(const uint8_t *p)
{
    enum ledger_kind kind = kind_of(*p);
    int32_t number;
    uint16_t len;
    if (is_text(kind)) {
        get(p + 1, &len, sizeof len);
        return 1 + sizeof len + len;
    }
    if (kind == LEDGER_HASH || kind == LEDGER_REAL)
        return 1 + sizeof(uint64_t);
    get(p + 1, &number, sizeof number);
    return 1 + sizeof number + (number == WIDE ? sizeof(int64_t) : 0);
}

/* Of one that is no text, hash or real, behind its id. */
static inline int64_t number_at(const uint8_t *p, enum ledger_kind kind)
{
    int32_t number;
    int64_t wide;
    p = get(p, &number, sizeof number);
    wide = number;
    if (number == WIDE)
        get(p, &wide, sizeof wide);
    return kind == LEDGER_SPAN ? wide * NS_PER_US : wide;
}

bool ledger_field_next(const struct ledger_record *record, size_t *at, struct ledger_value *out)
{
    if (*at >= record->fields_len)
        return false;
    const uint8_t *p = record->fields + *at;
    uint16_t len;
    *out = (struct ledger_value){ .field = *p, .kind = kind_of(*p) };
    p++;
    if (is_text(out->kind)) {
        p = get(p, &len, sizeof len);
        out->bytes = (const char *)p;
        out->len = len;
        p += len;
    } else if (out->kind == LEDGER_HASH) {
        p = get(p, &out->hash, sizeof out->hash);
    } else if (out->kind == LEDGER_REAL) {
        p = get(p, &out->real, sizeof out->real);
    } else {
        out->number = number_at(p, out->kind);
        p += length_of(p - 1) - 1;
    }
    *at = (size_t)(p - record->fields);
    return true;
}

bool ledger_item_next(const struct ledger_value *list, size_t *at, const char **item, size_t *n)
{
    if (*at + ITEM_HEAD > list->len)
        return false;
    const uint8_t *p = (const uint8_t *)list->bytes + *at;
    size_t there = list->len - *at - ITEM_HEAD; /* less, where the list was cut */
    *n = (size_t)p[0] << 8 | p[1];
    *at += ITEM_HEAD + *n;
    *item = (const char *)p + ITEM_HEAD;
    if (*n > there)
        *n = there;
    return true;
}

void ledger_index(struct ledger_record *record, struct ledger_index *index)
{
    *index = (struct ledger_index){ 0 };
    record->index = index;
    for (size_t at = 0; at < record->fields_len; at += length_of(record->fields + at)) {
        uint16_t *place = &index->at[record->fields[at]];
        *place = *place ? *place : (uint16_t)(at + 1); /* the first, if there are more */
    }
}

/* Where a field of a record is; NULL: it has none. */
static inline const uint8_t *find(const struct ledger_record *record, enum ledger_field field)
{
    const uint8_t *p = record->fields, *end = p + record->fields_len;
    if (record->index)
        return record->index->at[field] ? p + record->index->at[field] - 1 : NULL;
    while (p < end && *p != field)
        p += length_of(p);
    return p < end ? p : NULL;
}

bool ledger_value(const struct ledger_record *record, enum ledger_field field,
                  struct ledger_value *out)
{
    const uint8_t *p = find(record, field);
    size_t at = p ? (size_t)(p - record->fields) : 0;
    return p && ledger_field_next(record, &at, out);
}

int64_t ledger_number(const struct ledger_record *record, enum ledger_field field, int64_t fallback)
{
    enum ledger_kind kind = kind_of(field);
    assert(!is_text(kind) && kind != LEDGER_REAL && kind != LEDGER_HASH);
    const uint8_t *p = find(record, field);
    return p ? number_at(p + 1, kind) : fallback;
}

bool ledger_text_is(const struct ledger_record *record, enum ledger_field field, const char *text)
{
    struct ledger_value value;
    assert(is_text(kind_of(field)) && kind_of(field) != LEDGER_LIST);
    return ledger_value(record, field, &value) && value.len == strlen(text) &&
           memcmp(value.bytes, text, value.len) == 0;
}

/* The newest chunk that begins at or before seq, else the oldest. Readers mostly follow the end. */
static const struct chunk *chunk_of(const struct ledger *l, uint64_t seq)
{
    const struct chunk *c = newest(l);
    while (c->first_seq > seq && c->link.prev != &l->chunks)
        c = link_entry(c->link.prev, const struct chunk, link);
    return c;
}

/* Stands in front of the event behind since, if that is there yet. */
static void find_place(struct ledger_cursor *cursor)
{
    const struct chunk *c = chunk_of(cursor->ledger, cursor->since + 1);
    struct head head;
    cursor->chunk = c;
    cursor->removals = cursor->ledger->removals;
    for (cursor->at = 0; cursor->at < c->used; cursor->at += head.length) {
        memcpy(&head, c->data + cursor->at, sizeof head);
        if (head.seq > cursor->since)
            return;
    }
}

bool ledger_next(struct ledger_cursor *cursor, struct ledger_record *out)
{
    const struct ledger *l = cursor->ledger;
    if (cursor->since >= l->last)
        return false;
    if (!cursor->chunk || cursor->removals != l->removals)
        find_place(cursor);
    const struct chunk *c = cursor->chunk;
    if (cursor->at == c->used) {
        c = link_entry(c->link.next, const struct chunk, link);
        cursor->chunk = c;
        cursor->at = 0;
    }
    *out = record_at(c, c->data + cursor->at);
    cursor->at = (size_t)(out->fields + out->fields_len - c->data);
    cursor->since = out->seq;
    return true;
}

uint64_t ledger_page(const struct ledger *l, uint64_t since, size_t max_events, size_t max_bytes)
{
    struct ledger_cursor cursor = { .ledger = l, .since = since };
    struct ledger_record record;
    size_t bytes = 0;
    for (size_t count = 0; count < max_events && bytes < max_bytes; count++) {
        if (!ledger_next(&cursor, &record))
            break;
        bytes += sizeof(struct head) + record.fields_len;
    }
    return cursor.since;
}
