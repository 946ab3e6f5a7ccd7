/* ledger.c - how events are held.
 *
 * Records lie one behind the other in chunks of 64 KiB, the chunks in a list, oldest first. Only
 * the newest chunk is written to. These hold whenever no record is open:
 *   - a chunk's records have the sequence numbers first_seq, first_seq + 1 ... without a gap, and
 *     so have the chunks among themselves; so any event is found from its number alone;
 *   - each chunk but the newest holds at least one record; the newest is empty only when the whole
 *     ledger is;
 *   - a record never spans two chunks.
 * A record is written in place, at the end of the newest chunk, and belongs to the chunk only from
 * ledger_commit on. When it outgrows the chunk, what there is of it moves to the front of a fresh
 * one; when it fills a whole chunk alone, its further fields are cut.
 *
 * The first chunk comes with the ledger, and a fresh one is the oldest one used again as soon as
 * the bound is reached or memory is short, of the largest ledger where several share memory:
 * writing an event cannot fail, and it allocates at most once in a thousand events or so.
 */
#include "ledger/ledger.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define CHUNK_SIZE 65536
#define TEXT_MAX   4096
#define VARINT_MAX 10
#define ITEM_HEAD  2 /* of a LIST: the length of a string in two octets */

/* How often the wall clock is read. Less often than the monotonic one, to save time; again and
 * again, because it may be set, and the monotonic one rests while the machine sleeps. */
#define WALL_EVERY NS_PER_S

struct chunk {
    struct link link;
    uint64_t first_seq;
    uint32_t count;
    uint32_t used;
    uint16_t count_of[EV_COUNT]; /* each kind of event: told without looking at old memory again */
    uint8_t data[];
};
#define CHUNK_ROOM (CHUNK_SIZE - sizeof(struct chunk))
static_assert(CHUNK_SIZE / sizeof(uint64_t) < UINT16_MAX, "count_of counts all of a chunk");

/* A record: this, then its fields, each an id byte, then for TEXT and LIST the length as a varint
 * and the bytes, for the other kinds the value as a zigzag varint. */
struct head {
    uint64_t seq;
    int64_t age, wall;
    uint64_t connection;
    uint32_t exchange;
    uint32_t length; /* of the whole record */
    uint16_t event;
    bool cut;
};

static const struct {
    const char *name, *about;
} events[EV_COUNT] = {
#define X(symbol, name, about) { name, about },
    LEDGER_EVENTS(X)
#undef X
};

static const char *const members[EV_COUNT] = {
#define X(symbol, names) [EV_##symbol] = names,
    LEDGER_MEMBERS(X)
#undef X
};

static const struct {
    const char *name;
    enum ledger_kind kind;
} fields[F_COUNT] = {
#define X(symbol, name, kind) { name, LEDGER_##kind },
    LEDGER_FIELDS(X)
#undef X
};

static bool is_text(enum ledger_kind kind)
{
    return kind == LEDGER_TEXT || kind == LEDGER_LIST || kind == LEDGER_JSON;
}

static_assert(F_COUNT <= 256, "a field's id is one byte");

struct ledger {
    struct link chunks; /* oldest first, never empty */
    struct link watches;
    struct link *next_watch; /* whose turn it is when the watcher that is called returns */
    size_t chunk_count, chunk_max;
    struct ledger_budget *budget; /* NULL: it shares none */
    struct link sharing;          /* in budget->ledgers */
    uint64_t last, dropped;
    uint64_t dropped_of[EV_COUNT];
    uint64_t removals;             /* of chunks: a cursor's place is good while it stays the same */
    int64_t made;                  /* monotonic */
    int64_t wall_offset, wall_due; /* wall minus monotonic time; when to measure it again */

    bool open;          /* between begin and commit: */
    size_t start, end;  /* where in the newest chunk the record lies */
    struct head record; /* goes to start at commit */
};

const char *ledger_event_name(enum ledger_event event)
{
    return events[event].name;
}

const char *ledger_event_about(enum ledger_event event)
{
    return events[event].about;
}

const char *ledger_event_members(enum ledger_event event)
{
    return members[event];
}

const char *ledger_field_name(enum ledger_field field)
{
    return fields[field].name;
}

enum ledger_kind ledger_field_kind(enum ledger_field field)
{
    return fields[field].kind;
}

static struct chunk *oldest(const struct ledger *l)
{
    return link_entry(l->chunks.next, struct chunk, link);
}

static struct chunk *newest(const struct ledger *l)
{
    return link_entry(l->chunks.prev, struct chunk, link);
}

static void use_chunk(struct ledger *l, struct chunk *c)
{
    c->first_seq = l->last + 1;
    c->count = 0;
    memset(c->count_of, 0, sizeof c->count_of);
    c->used = 0;
    link_append(&l->chunks, &c->link);
}

static void count_chunks(struct ledger *l, ptrdiff_t more)
{
    l->chunk_count += (size_t)more;
    if (l->budget)
        l->budget->chunks += (size_t)more;
}

struct ledger *ledger_create(size_t max_bytes)
{
    struct ledger *l = calloc(1, sizeof *l);
    struct chunk *c = malloc(CHUNK_SIZE);
    if (!l || !c) {
        free(l);
        free(c);
        return NULL;
    }
    link_init(&l->chunks);
    link_init(&l->watches);
    link_init(&l->sharing);
    l->chunk_count = 1;
    l->chunk_max = max_bytes / CHUNK_SIZE;
    l->made = clock_now();
    use_chunk(l, c);
    return l;
}

int64_t ledger_age(const struct ledger *l, int64_t monotonic)
{
    return monotonic - l->made;
}

void ledger_destroy(struct ledger *l)
{
    if (!l)
        return;
    while (!link_empty(&l->watches))
        ledger_watch_remove(link_entry(l->watches.next, struct ledger_watch, link));
    count_chunks(l, -(ptrdiff_t)l->chunk_count);
    link_remove(&l->sharing);
    while (!link_empty(&l->chunks)) {
        struct chunk *c = oldest(l);
        link_remove(&c->link);
        free(c);
    }
    free(l);
}

void ledger_budget_init(struct ledger_budget *budget, size_t max_bytes)
{
    *budget = (struct ledger_budget){ .chunk_max = max_bytes / CHUNK_SIZE };
    link_init(&budget->ledgers);
}

void ledger_join(struct ledger *l, struct ledger_budget *budget)
{
    l->budget = budget;
    link_append(&budget->ledgers, &l->sharing);
    budget->chunks += l->chunk_count;
}

/* --- Writing --- */

/* Takes the oldest chunk out of the list. */
static struct chunk *remove_oldest(struct ledger *l)
{
    struct chunk *c = oldest(l);
    link_remove(&c->link);
    l->removals++;
    return c;
}

static void count_dropped(struct ledger *l, const struct chunk *c)
{
    for (int event = 0; event < EV_COUNT; event++)
        l->dropped_of[event] += c->count_of[event];
    l->dropped += c->count;
}

/* Whose oldest events go when no more memory may be taken: its own, or those of the largest that
 * shares with it. */
static struct ledger *victim(struct ledger *l)
{
    struct ledger *largest = l;
    if (!l->budget || l->chunk_count >= l->chunk_max)
        return l;
    for (struct link *i = l->budget->ledgers.next; i != &l->budget->ledgers; i = i->next) {
        struct ledger *other = link_entry(i, struct ledger, sharing);
        if (other->chunk_count > largest->chunk_count)
            largest = other;
    }
    return largest;
}

static bool may_grow(const struct ledger *l)
{
    return l->chunk_count < l->chunk_max &&
           (!l->budget || l->budget->chunks < l->budget->chunk_max);
}

static struct chunk *take_chunk(struct ledger *l)
{
    struct chunk *c = may_grow(l) ? malloc(CHUNK_SIZE) : NULL;
    if (c) {
        count_chunks(l, 1);
        return c;
    }
    struct ledger *from = victim(l);
    c = remove_oldest(from); /* l's newest, when there is no other */
    count_dropped(from, c);
    count_chunks(from, -1);
    count_chunks(l, 1);
    return c;
}

/* Continues in an empty chunk, which what there is of the open record moves to. */
static void next_chunk(struct ledger *l)
{
    struct chunk *from = newest(l);
    struct chunk *c = take_chunk(l);
    memmove(c->data, from->data + l->start, l->end - l->start);
    l->end -= l->start;
    l->start = 0;
    use_chunk(l, c);
}

/* For the next n bytes of the open record the newest chunk has no room. False: it fills one. */
static bool make_room(struct ledger *l, size_t n)
{
    if (l->start > 0)
        next_chunk(l);
    l->record.cut |= CHUNK_ROOM - l->end < n;
    return CHUNK_ROOM - l->end >= n;
}

/* Where the next n bytes of the open record go, or NULL when it fills a chunk. */
static inline uint8_t *room(struct ledger *l, size_t n)
{
    if (CHUNK_ROOM - l->end < n && !make_room(l, n))
        return NULL;
    return newest(l)->data + l->end;
}

static uint8_t *put_varint(uint8_t *p, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *p++ = (uint8_t)(value | 0x80);
    *p++ = (uint8_t)value;
    return p;
}

static void open_record(struct ledger *l, struct head record)
{
    assert(!l->open);
    l->open = true;
    l->record = record;
    l->start = l->end = newest(l)->used;
    room(l, sizeof(struct head));
    l->end += sizeof(struct head);
}

/* In microseconds, as it is shown: so what reads a record and what reads its JSON know the same. */
static int64_t shown(int64_t ns)
{
    return ns / NS_PER_US * NS_PER_US;
}

void ledger_begin(struct ledger *l, enum ledger_event event, uint64_t connection, uint32_t exchange)
{
    int64_t now = clock_now();
    if (now >= l->wall_due) {
        l->wall_offset = clock_wall(now) - now;
        l->wall_due = now + WALL_EVERY;
    }
    open_record(l, (struct head){ .seq = l->last + 1,
                                  .age = shown(now - l->made),
                                  .wall = shown(now + l->wall_offset),
                                  .connection = connection,
                                  .exchange = exchange,
                                  .event = (uint16_t)event });
}

void ledger_begin_again(struct ledger *l, const struct ledger_record *as)
{
    assert(as->seq > l->last);
    open_record(l, (struct head){ .seq = as->seq,
                                  .age = as->age,
                                  .wall = as->wall,
                                  .connection = as->connection,
                                  .exchange = as->exchange,
                                  .event = (uint16_t)as->event,
                                  .cut = as->cut });
}

void ledger_abandon(struct ledger *l)
{
    assert(l->open);
    l->open = false;
}

static void put_number(struct ledger *l, enum ledger_field field, int64_t value)
{
    uint8_t *p = room(l, 1 + VARINT_MAX);
    if (!p)
        return;
    *p = (uint8_t)field;
    uint64_t zigzag = ((uint64_t)value << 1) ^ (value < 0 ? UINT64_MAX : 0);
    l->end += (size_t)(put_varint(p + 1, zigzag) - p);
}

void ledger_int(struct ledger *l, enum ledger_field field, int64_t value)
{
    assert(l->open && (fields[field].kind == LEDGER_INT || fields[field].kind == LEDGER_BOOL ||
                       fields[field].kind == LEDGER_SPAN));
    put_number(l, field, fields[field].kind == LEDGER_SPAN ? shown(value) : value);
}

void ledger_word(struct ledger *l, enum ledger_field field, int64_t word)
{
    assert(l->open && fields[field].kind == LEDGER_WORD);
    if (*ledger_word_name(field, word))
        put_number(l, field, word);
}

void ledger_real(struct ledger *l, enum ledger_field field, double value)
{
    int64_t bits;
    assert(l->open && fields[field].kind == LEDGER_REAL);
    memcpy(&bits, &value, sizeof bits);
    put_number(l, field, bits);
}

void ledger_bytes(struct ledger *l, enum ledger_field field, const char *text, size_t len)
{
    assert(l->open && is_text(fields[field].kind));
    if (len > TEXT_MAX) {
        l->record.cut = true;
        if (fields[field].kind == LEDGER_JSON)
            return; /* a part of it would be no JSON */
        len = TEXT_MAX;
        /* Not in the middle of a UTF-8 sequence. */
        for (int i = 0; i < 3 && ((uint8_t)text[len] & 0xc0) == 0x80; i++)
            len--;
    }
    uint8_t *p = room(l, 1 + VARINT_MAX + len);
    if (!p)
        return;
    *p = (uint8_t)field;
    uint8_t *bytes = put_varint(p + 1, len);
    if (len)
        memcpy(bytes, text, len);
    l->end += (size_t)(bytes - p) + len;
}

void ledger_text(struct ledger *l, enum ledger_field field, const char *text)
{
    if (text)
        ledger_bytes(l, field, text, strlen(text));
}

/* Behind its length in two octets: no octet can stand between strings that are any bytes. */
size_t ledger_item(char *list, size_t size, size_t len, const void *item, size_t n)
{
    if (size < ITEM_HEAD || len > size - ITEM_HEAD)
        return len;
    n = n < UINT16_MAX ? n : UINT16_MAX;
    n = n < size - ITEM_HEAD - len ? n : size - ITEM_HEAD - len;
    list[len] = (char)(n >> 8);
    list[len + 1] = (char)n;
    if (n)
        memcpy(list + len + ITEM_HEAD, item, n);
    return len + ITEM_HEAD + n;
}

static struct ledger_record record_at(const uint8_t *bytes)
{
    struct head head;
    memcpy(&head, bytes, sizeof head);
    return (struct ledger_record){ .seq = head.seq,
                                   .age = head.age,
                                   .wall = head.wall,
                                   .connection = head.connection,
                                   .exchange = head.exchange,
                                   .event = head.event,
                                   .cut = head.cut,
                                   .fields = bytes + sizeof head,
                                   .fields_len = head.length - sizeof head };
}

static void tell_watches(struct ledger *l, const uint8_t *bytes)
{
    const struct ledger_record record = record_at(bytes);
    for (struct link *i = l->watches.next; i != &l->watches; i = l->next_watch) {
        struct ledger_watch *watch = link_entry(i, struct ledger_watch, link);
        l->next_watch = i->next;
        if (watch->from <= record.seq)
            watch->committed(watch, &record);
    }
}

uint64_t ledger_commit(struct ledger *l)
{
    assert(l->open);
    struct chunk *c = newest(l);
    l->record.length = (uint32_t)(l->end - l->start);
    memcpy(c->data + l->start, &l->record, sizeof l->record);
    c->used = (uint32_t)l->end;
    if (c->count++ == 0)
        c->first_seq = l->record.seq;
    c->count_of[l->record.event]++;
    l->last = l->record.seq;
    l->open = false;
    if (!link_empty(&l->watches))
        tell_watches(l, c->data + l->start);
    return l->last;
}

void ledger_clear(struct ledger *l)
{
    assert(!l->open);
    for (; l->chunk_count > 1; count_chunks(l, -1))
        free(remove_oldest(l));
    use_chunk(l, remove_oldest(l));
    ledger_begin(l, EV_CLEARED, 0, 0);
    ledger_commit(l);
}

void ledger_watch_add(struct ledger *l, struct ledger_watch *watch)
{
    watch->ledger = l;
    watch->from = l->last + 1;
    link_append(&l->watches, &watch->link);
}

void ledger_watch_remove(struct ledger_watch *watch)
{
    struct ledger *l = watch->ledger;
    if (!l)
        return;
    if (l->next_watch == &watch->link)
        l->next_watch = watch->link.next;
    link_remove(&watch->link);
    watch->ledger = NULL;
}

/* --- Reading --- */

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

uint64_t ledger_dropped_of(const struct ledger *l, enum ledger_event event)
{
    return l->dropped_of[event];
}

static const uint8_t *get_varint(const uint8_t *p, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0;; shift += 7, p++) {
        *value |= (uint64_t)(*p & 0x7f) << shift;
        if (*p < 0x80)
            return p + 1;
    }
}

bool ledger_field_next(const struct ledger_record *record, size_t *at, struct ledger_value *out)
{
    if (*at >= record->fields_len)
        return false;
    const uint8_t *p = record->fields + *at;
    uint64_t value;
    *out = (struct ledger_value){ .field = *p, .kind = fields[*p].kind };
    p = get_varint(p + 1, &value);
    if (is_text(out->kind)) {
        out->bytes = (const char *)p;
        out->len = value;
        p += value;
    } else {
        out->number = (int64_t)((value >> 1) ^ (~(value & 1) + 1));
        if (out->kind == LEDGER_REAL)
            memcpy(&out->real, &out->number, sizeof out->real);
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

bool ledger_value(const struct ledger_record *record, enum ledger_field field,
                  struct ledger_value *out)
{
    for (size_t at = 0; ledger_field_next(record, &at, out);)
        if (out->field == field)
            return true;
    return false;
}

int64_t ledger_number(const struct ledger_record *record, enum ledger_field field, int64_t fallback)
{
    struct ledger_value value;
    assert(!is_text(fields[field].kind) && fields[field].kind != LEDGER_REAL);
    return ledger_value(record, field, &value) ? value.number : fallback;
}

bool ledger_text_is(const struct ledger_record *record, enum ledger_field field, const char *text)
{
    struct ledger_value value;
    assert(is_text(fields[field].kind) && fields[field].kind != LEDGER_LIST);
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
    *out = record_at(c->data + cursor->at);
    cursor->at += sizeof(struct head) + out->fields_len;
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
