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

/* How many octets the value of a field takes up: a NUMBER twice as many more when it is WIDE. */
enum { VARIES, NUMBER = sizeof(int32_t), EIGHT = sizeof(uint64_t) };
enum {
    SIZE_INT = NUMBER,
    SIZE_BOOL = NUMBER,
    SIZE_SPAN = NUMBER,
    SIZE_WORD = NUMBER,
    SIZE_REAL = EIGHT,
    SIZE_HASH = EIGHT,
    SIZE_TEXT = VARIES,
    SIZE_LIST = VARIES,
    SIZE_JSON = VARIES
};
static const uint8_t sizes[F_COUNT] = {
#define X(symbol, name, kind) SIZE_##kind,
    LEDGER_FIELDS(X)
#undef X
};

/* Of the field there, its id too. */
static inline size_t length_of(const uint8_t *p)
{
    size_t size = sizes[*p];
    int32_t number;
    uint16_t len;
    if (size == NUMBER) {
        get(p + 1, &number, sizeof number);
        return 1 + sizeof number + (number == WIDE ? sizeof(int64_t) : 0);
    }
    if (size == VARIES) {
        get(p + 1, &len, sizeof len);
        return 1 + sizeof len + len;
    }
    return 1 + size;
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

static inline void value_at(const uint8_t *p, struct ledger_value *out)
{
    uint16_t len;
    *out = (struct ledger_value){ .field = *p, .kind = kind_of(*p) };
    p++;
    if (sizes[out->field] == NUMBER) {
        out->number = number_at(p, out->kind);
    } else if (sizes[out->field] == VARIES) {
        out->bytes = (const char *)get(p, &len, sizeof len);
        out->len = len;
    } else if (out->kind == LEDGER_HASH) {
        get(p, &out->hash, sizeof out->hash);
    } else {
        get(p, &out->real, sizeof out->real);
    }
}

bool ledger_field_next(const struct ledger_record *record, size_t *at, struct ledger_value *out)
{
    if (*at >= record->fields_len)
        return false;
    value_at(record->fields + *at, out);
    *at += length_of(record->fields + *at);
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
    for (size_t at = 0, next; at < record->fields_len; at = next) {
        uint16_t *place = &index->at[record->fields[at]];
        next = at + length_of(record->fields + at);
        if (!*place) /* the first, if there are more */
            *place = (uint16_t)(at + 1);
    }
}

/* Where a field of a record is; NULL: it has none. */
static inline const uint8_t *find(const struct ledger_record *record, enum ledger_field field)
{
    const uint8_t *p = record->fields, *end = p + record->fields_len;
    if (record->index)
        return record->index->at[field] ? p + record->index->at[field] - 1 : NULL;
    for (; p < end; p += length_of(p)) {
        if (*p == field)
            return p;
    }
    return NULL;
}

bool ledger_value(const struct ledger_record *record, enum ledger_field field,
                  struct ledger_value *out)
{
    const uint8_t *p = find(record, field);
    if (p)
        value_at(p, out);
    return p != NULL;
}

int64_t ledger_number(const struct ledger_record *record, enum ledger_field field, int64_t fallback)
{
    assert(sizes[field] == NUMBER);
    const uint8_t *p = find(record, field);
    return p ? number_at(p + 1, kind_of(field)) : fallback;
}

bool ledger_text_is(const struct ledger_record *record, enum ledger_field field, const char *text)
{
    const uint8_t *p = find(record, field);
    uint16_t len;
    assert(is_text(kind_of(field)) && kind_of(field) != LEDGER_LIST);
    if (!p)
        return false;
    p = get(p + 1, &len, sizeof len);
    return len == strlen(text) && memcmp(p, text, len) == 0;
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
    record_at(c, c->data + cursor->at, out);
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
