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
 * the bound is reached or memory is short: writing an event cannot fail, and it allocates at most
 * once in a thousand events or so.
 */
#include "ledger/ledger.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/number.h"

#define CHUNK_SIZE 65536
#define TEXT_MAX   4096
#define VARINT_MAX 10
#define ITEM_HEAD  2

/* How often the wall clock is read. Less often than the monotonic one, to save time; again and
 * again, because it may be set, and the monotonic one rests while the machine sleeps. */
#define WALL_EVERY NS_PER_S

struct chunk {
    struct link link;
    uint64_t first_seq;
    uint32_t count;
    uint32_t used;
    uint8_t data[];
};
#define CHUNK_ROOM (CHUNK_SIZE - sizeof(struct chunk))

/* A record: this, then its fields, each an id byte, then for TEXT and LIST the length as a varint
 * and the bytes, for the other kinds the value as a zigzag varint. */
struct head {
    uint64_t seq;
    int64_t at, wall;
    uint64_t connection;
    uint32_t exchange;
    uint32_t length; /* of the whole record */
    uint16_t event;
    bool cut;
};

enum kind { INT, TEXT, BOOL, SPAN, REAL, LIST, JSON };

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
    const char *key; /* with quotes and colon */
    enum kind kind;
} fields[F_COUNT] = {
#define X(symbol, name, kind) { "\"" name "\":", kind },
    LEDGER_FIELDS(X)
#undef X
};

static bool is_text(enum kind kind)
{
    return kind == TEXT || kind == LIST || kind == JSON;
}

static_assert(F_COUNT <= 256, "a field's id is one byte");

struct ledger {
    struct link chunks; /* oldest first, never empty */
    struct link watches;
    size_t chunk_count, chunk_max;
    uint64_t last, dropped;
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
    c->used = 0;
    link_append(&l->chunks, &c->link);
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
    l->chunk_count = 1;
    l->chunk_max = max_bytes / CHUNK_SIZE;
    l->made = clock_now();
    use_chunk(l, c);
    return l;
}

void ledger_destroy(struct ledger *l)
{
    if (!l)
        return;
    while (!link_empty(&l->watches))
        link_remove(l->watches.next);
    while (!link_empty(&l->chunks)) {
        struct chunk *c = oldest(l);
        link_remove(&c->link);
        free(c);
    }
    free(l);
}

/* --- Writing --- */

/* Goes on in an empty chunk, which what there is of the open record moves to. */
static void next_chunk(struct ledger *l)
{
    struct chunk *from = newest(l);
    struct chunk *c = l->chunk_count < l->chunk_max ? malloc(CHUNK_SIZE) : NULL;
    if (c) {
        l->chunk_count++;
    } else {
        c = oldest(l); /* from itself, when there is no other */
        l->dropped += c->count;
        link_remove(&c->link);
    }
    memmove(c->data, from->data + l->start, l->end - l->start);
    l->end -= l->start;
    l->start = 0;
    use_chunk(l, c);
}

/* Where the next n bytes of the open record go, or NULL when it fills a chunk. */
static uint8_t *room(struct ledger *l, size_t n)
{
    if (CHUNK_ROOM - l->end < n && l->start > 0)
        next_chunk(l);
    if (CHUNK_ROOM - l->end >= n)
        return newest(l)->data + l->end;
    l->record.cut = true;
    return NULL;
}

static uint8_t *put_varint(uint8_t *p, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *p++ = (uint8_t)(value | 0x80);
    *p++ = (uint8_t)value;
    return p;
}

void ledger_begin(struct ledger *l, enum ledger_event event, uint64_t connection, uint32_t exchange)
{
    assert(!l->open);
    int64_t now = clock_now();
    if (now >= l->wall_due) {
        l->wall_offset = clock_wall(now) - now;
        l->wall_due = now + WALL_EVERY;
    }
    l->open = true;
    l->record = (struct head){ .seq = l->last + 1,
                               .at = now,
                               .wall = now + l->wall_offset,
                               .connection = connection,
                               .exchange = exchange,
                               .event = (uint16_t)event };
    l->start = l->end = newest(l)->used;
    room(l, sizeof(struct head));
    l->end += sizeof(struct head);
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
    assert(l->open &&
           (fields[field].kind == INT || fields[field].kind == BOOL || fields[field].kind == SPAN));
    put_number(l, field, value);
}

void ledger_real(struct ledger *l, enum ledger_field field, double value)
{
    int64_t bits;
    assert(l->open && fields[field].kind == REAL);
    memcpy(&bits, &value, sizeof bits);
    put_number(l, field, bits);
}

void ledger_bytes(struct ledger *l, enum ledger_field field, const char *text, size_t len)
{
    assert(l->open && is_text(fields[field].kind));
    if (len > TEXT_MAX) {
        l->record.cut = true;
        if (fields[field].kind == JSON)
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

uint64_t ledger_commit(struct ledger *l)
{
    assert(l->open);
    struct chunk *c = newest(l);
    l->record.length = (uint32_t)(l->end - l->start);
    memcpy(c->data + l->start, &l->record, sizeof l->record);
    c->used = (uint32_t)l->end;
    c->count++;
    l->last++;
    l->open = false;

    uint64_t seq = l->last;
    for (struct link *i = l->watches.next, *next; i != &l->watches; i = next) {
        next = i->next;
        struct ledger_watch *watch = link_entry(i, struct ledger_watch, link);
        watch->committed(watch, seq);
    }
    return seq;
}

void ledger_clear(struct ledger *l)
{
    assert(!l->open);
    while (l->chunk_count > 1) {
        struct chunk *c = oldest(l);
        link_remove(&c->link);
        free(c);
        l->chunk_count--;
    }
    struct chunk *c = oldest(l);
    link_remove(&c->link);
    use_chunk(l, c);
    ledger_begin(l, EV_CLEARED, 0, 0);
    ledger_commit(l);
}

void ledger_watch_add(struct ledger *l, struct ledger_watch *watch)
{
    link_append(&l->watches, &watch->link);
}

void ledger_watch_remove(struct ledger_watch *watch)
{
    link_remove(&watch->link);
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

static const uint8_t *get_varint(const uint8_t *p, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0;; shift += 7, p++) {
        *value |= (uint64_t)(*p & 0x7f) << shift;
        if (*p < 0x80)
            return p + 1;
    }
}

static int render_number(struct buf *out, enum kind kind, int64_t value)
{
    char text[NUMBER_SIZE];
    if (kind == BOOL)
        return buf_text(out, value ? "true" : "false");
    if (kind == SPAN)
        return buf_add(out, text, number_ms(value, text));
    if (kind == REAL) {
        double real;
        memcpy(&real, &value, sizeof real);
        return buf_add(out, text, number_real(real, text));
    }
    int n = snprintf(text, sizeof text, "%lld", (long long)value);
    return buf_add(out, text, (size_t)n);
}

static int render_list(struct buf *out, const char *text, size_t len)
{
    int r = buf_add(out, "[", 1);
    for (size_t at = 0; at + ITEM_HEAD <= len && !r;) {
        size_t item = (size_t)(uint8_t)text[at] << 8 | (uint8_t)text[at + 1];
        size_t there = len - at - ITEM_HEAD; /* less, where the list was cut */
        if (at > 0)
            r = buf_add(out, ",", 1);
        if (!r)
            r = buf_json(out, text + at + ITEM_HEAD, item < there ? item : there);
        at += ITEM_HEAD + item;
    }
    return r ? r : buf_add(out, "]", 1);
}

/* Appends the field at p, with a comma before it. *end becomes the place behind it. */
static int render_field(struct buf *out, const uint8_t *p, const uint8_t **end)
{
    uint8_t field = *p;
    uint64_t value;
    p = get_varint(p + 1, &value);
    int r = buf_add(out, ",", 1);
    if (!r)
        r = buf_text(out, fields[field].key);

    enum kind kind = fields[field].kind;
    *end = is_text(kind) ? p + value : p;
    if (r)
        return r;
    if (kind == TEXT)
        return buf_json(out, (const char *)p, value);
    if (kind == LIST)
        return render_list(out, (const char *)p, value);
    if (kind == JSON)
        return buf_add(out, p, value);
    return render_number(out, kind, (int64_t)((value >> 1) ^ (~(value & 1) + 1)));
}

static int render_head(struct buf *out, const struct head *head, int64_t made)
{
    char at[CLOCK_RFC3339_SIZE], text[96];
    clock_rfc3339(head->wall, at);
    int n = snprintf(text, sizeof text,
                     "{\"seq\":%llu,\"at\":\"%s\",\"ms\":", (unsigned long long)head->seq, at);
    int r = buf_add(out, text, (size_t)n);
    if (!r)
        r = render_number(out, SPAN, head->at - made);

    n = snprintf(text, sizeof text, ",\"event\":\"%s\"", events[head->event].name);
    if (head->connection)
        n += snprintf(text + n, sizeof text - (size_t)n, ",\"connection\":%llu",
                      (unsigned long long)head->connection);
    if (head->exchange)
        n += snprintf(text + n, sizeof text - (size_t)n, ",\"exchange\":%u", head->exchange);
    return r ? r : buf_add(out, text, (size_t)n);
}

static int render(struct buf *out, const struct head *head, const uint8_t *record, int64_t made)
{
    int r = render_head(out, head, made);
    const uint8_t *end = record + head->length;
    for (const uint8_t *p = record + sizeof *head; p < end && !r;)
        r = render_field(out, p, &p);
    if (!r && head->cut)
        r = buf_text(out, ",\"cut\":true");
    return r ? r : buf_add(out, "}", 1);
}

/* The newest chunk that begins at or before seq, else the oldest. Readers mostly follow the end. */
static const struct chunk *chunk_of(const struct ledger *l, uint64_t seq)
{
    const struct chunk *c = newest(l);
    while (c->first_seq > seq && c->link.prev != &l->chunks)
        c = link_entry(c->link.prev, const struct chunk, link);
    return c;
}

uint64_t ledger_page(const struct ledger *l, uint64_t since, size_t max_events, size_t max_bytes)
{
    uint64_t last = since;
    size_t count = 0, bytes = 0;
    if (since >= l->last)
        return since;
    const struct link *i = &chunk_of(l, since + 1)->link;
    for (; i != &l->chunks; i = i->next) {
        const struct chunk *c = link_entry(i, const struct chunk, link);
        struct head head;
        for (size_t at = 0; at < c->used; at += head.length) {
            memcpy(&head, c->data + at, sizeof head);
            if (head.seq <= since)
                continue;
            if (count == max_events || bytes >= max_bytes)
                return last;
            count++;
            bytes += head.length;
            last = head.seq;
        }
    }
    return last;
}

int ledger_read(const struct ledger *l, uint64_t since, size_t max_events, size_t max_bytes,
                const char *separator, struct buf *out, uint64_t *next)
{
    if (since >= l->last) {
        *next = since;
        return 0;
    }

    size_t before = buf_len(out);
    size_t written = 0;
    uint64_t reached = since;
    const struct link *i = &chunk_of(l, since + 1)->link;
    for (; i != &l->chunks; i = i->next) {
        const struct chunk *c = link_entry(i, const struct chunk, link);
        for (size_t at = 0; at < c->used;) {
            struct head head;
            memcpy(&head, c->data + at, sizeof head);
            const uint8_t *record = c->data + at;
            at += head.length;
            if (head.seq <= since)
                continue;
            if (written == max_events || buf_len(out) >= max_bytes)
                goto done;

            int r = written ? buf_text(out, separator) : 0;
            if (!r)
                r = render(out, &head, record, l->made);
            if (r) {
                out->end = out->start + before;
                return r;
            }
            written++;
            reached = head.seq;
        }
    }
done:
    *next = reached;
    return (int)written;
}
