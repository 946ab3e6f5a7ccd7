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
#include "ledger/ledger_impl.h"

#include <stdlib.h>

#include "base/clock.h"

/* How often the wall clock is read. Less often than the monotonic one, to save time; again and
 * again, because it may be set, and the monotonic one rests while the machine sleeps. */
#define WALL_EVERY NS_PER_S

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
    assert(l->open && (kind_of(field) == LEDGER_INT || kind_of(field) == LEDGER_BOOL ||
                       kind_of(field) == LEDGER_SPAN));
    put_number(l, field, kind_of(field) == LEDGER_SPAN ? shown(value) : value);
}

void ledger_word(struct ledger *l, enum ledger_field field, int64_t word)
{
    assert(l->open && kind_of(field) == LEDGER_WORD);
    if (*ledger_word_name(field, word))
        put_number(l, field, word);
}

void ledger_real(struct ledger *l, enum ledger_field field, double value)
{
    int64_t bits;
    assert(l->open && kind_of(field) == LEDGER_REAL);
    memcpy(&bits, &value, sizeof bits);
    put_number(l, field, bits);
}

void ledger_bytes(struct ledger *l, enum ledger_field field, const char *text, size_t len)
{
    assert(l->open && is_text(kind_of(field)));
    if (len > TEXT_MAX) {
        l->record.cut = true;
        if (kind_of(field) == LEDGER_JSON)
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
